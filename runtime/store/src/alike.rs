//! Entries of one workflow are much alike: the same members, the same plugin with its digest, numbers beside each other. So an entry
//! may be written as what it has in common with a sample and what not.
//!
//! | Bytes | |
//! |---|---|
//! | [`ALIKE`], varint | the form, and the sample's number (LEB128) |
//! | `00` to `7f`, bytes | so many bytes and one more, as they are |
//! | `80` to `bf` | so many bytes and one more of the sample, where it goes on |
//! | `c0` to `ff`, 2 bytes | so many bytes and four more of the sample, from this place on (little endian) |
//!
//! The sample goes on behind what was last taken of it, less what stood in between: where a number differs, the next member is
//! where it would be.

/// How an entry of this form begins; a packed one begins with its version, which is another.
pub(crate) const ALIKE: u8 = 2;
/// Bytes of a sample at most: places in it are two bytes.
pub(crate) const LARGEST: usize = 2 << 10;
/// No entry is made larger than this of one that is read: what is in the database is not believed.
const LARGEST_ENTRY: usize = 64 << 20;

const GOES_ON: u8 = 0x80;
const FROM: u8 = 0xc0;
/// A piece from another place costs three bytes, and the piece as it is one more than it has.
const WORTH: usize = 5;
const BUCKETS: usize = 1 << 10;

/// Bytes that others are like.
pub(crate) struct Sample {
    number: i64,
    bytes: Vec<u8>,
    /// Where a piece of four bytes begins, one more than that; by what [`bucket`] makes of it.
    places: Box<[u16; BUCKETS]>,
}

fn bucket(four: [u8; 4]) -> usize {
    (u32::from_le_bytes(four).wrapping_mul(0x9e37_79b1) >> 22) as usize
}

fn four(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..at + 4)?.try_into().ok()
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

impl Sample {
    /// No more than [`LARGEST`] bytes of these.
    pub(crate) fn new(number: i64, mut bytes: Vec<u8>) -> Self {
        bytes.truncate(LARGEST);
        let mut places = Box::new([0; BUCKETS]);
        for at in (0..bytes.len()).rev() {
            if let (Some(four), Ok(place)) = (four(&bytes, at), u16::try_from(at + 1)) {
                places[bucket(four)] = place;
            }
        }
        Self { number, bytes, places }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// An entry as what is not in the sample; none where that is not less.
    pub(crate) fn press(&self, entry: &[u8]) -> Option<Vec<u8>> {
        let mut pressed = Vec::with_capacity(64);
        pressed.push(ALIKE);
        put_varint(&mut pressed, self.number.unsigned_abs());
        // Where the bytes begin that are written as they are, and where the sample would go on.
        let (mut own, mut at, mut next) = (0, 0, 0);
        while at < entry.len() {
            if pressed.len() + (at - own) >= entry.len() {
                return None;
            }
            let rest = &entry[at..];
            let goes_on = self.bytes.get(next..).map_or(0, |sample| common(rest, sample));
            // One byte alone costs as much as it saves where it parts two pieces.
            if goes_on >= 2 || (goes_on == 1 && own == at) {
                put_own(&mut pressed, &entry[own..at]);
                put_pieces(&mut pressed, goes_on);
                at += goes_on;
                (own, next) = (at, next + goes_on);
                continue;
            }
            let place = four(entry, at).map_or(0, |four| self.places[bucket(four)]);
            if let Some(place) = usize::from(place).checked_sub(1) {
                let count = common(rest, &self.bytes[place..]).min(usize::from(!FROM) + 4);
                if count >= WORTH {
                    put_own(&mut pressed, &entry[own..at]);
                    pressed.push(FROM | low(count - 4));
                    pressed.extend(u16::try_from(place).unwrap_or_default().to_le_bytes());
                    at += count;
                    (own, next) = (at, place + count);
                    continue;
                }
            }
            (at, next) = (at + 1, next + 1);
        }
        put_own(&mut pressed, &entry[own..]);
        (pressed.len() < entry.len()).then_some(pressed)
    }
}

/// The number of the sample that an entry is like.
pub(crate) fn sample_of(entry: &[u8]) -> Option<i64> {
    let (form, rest) = entry.split_first()?;
    let (number, _) = varint(rest).filter(|_| *form == ALIKE)?;
    i64::try_from(number).ok()
}

/// The entry that was pressed; none where it is damaged.
pub(crate) fn restore(entry: &[u8], sample: &[u8]) -> Option<Vec<u8>> {
    let (_, mut rest) = varint(entry.strip_prefix(&[ALIKE])?)?;
    let (mut restored, mut next) = (Vec::new(), 0);
    while let Some((first, more)) = rest.split_first() {
        let piece;
        (piece, rest, next) = match *first {
            ..GOES_ON => {
                let (own, more) = more.split_at_checked(usize::from(*first) + 1)?;
                (own, more, next + own.len())
            }
            GOES_ON..FROM => {
                let end = next + usize::from(*first - GOES_ON) + 1;
                (sample.get(next..end)?, more, end)
            }
            FROM.. => {
                let (place, more) = more.split_first_chunk::<2>()?;
                let place = usize::from(u16::from_le_bytes(*place));
                let end = place + usize::from(*first - FROM) + 4;
                (sample.get(place..end)?, more, end)
            }
        };
        if restored.len() + piece.len() > LARGEST_ENTRY {
            return None;
        }
        restored.extend_from_slice(piece);
    }
    Some(restored)
}

/// Of a number that fits.
fn low(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn put_own(pressed: &mut Vec<u8>, own: &[u8]) {
    for piece in own.chunks(usize::from(GOES_ON)) {
        pressed.push(low(piece.len() - 1));
        pressed.extend_from_slice(piece);
    }
}

fn put_pieces(pressed: &mut Vec<u8>, mut count: usize) {
    while count > 0 {
        let now = count.min(usize::from(FROM - GOES_ON));
        pressed.push(GOES_ON | low(now - 1));
        count -= now;
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 127 {
        bytes.push(low((number & 127) as usize) | 128);
        number >>= 7;
    }
    bytes.push(low((number & 127) as usize));
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (mut number, mut rest) = (0, bytes);
    for shift in (0..63).step_by(7) {
        let (byte, more) = rest.split_first()?;
        rest = more;
        number |= u64::from(byte & 127) << shift;
        if byte & 128 == 0 {
            return Some((number, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look like chance (xorshift).
    fn chance(state: &mut u64, below: usize) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state % below as u64) as usize
    }

    #[test]
    fn what_is_pressed_is_restored_byte_for_byte() {
        let state = &mut 0x9e37_79b9_7f4a_7c15;
        for round in 0..4_000 {
            let size = chance(state, 3_000);
            let bytes: Vec<u8> = (0..size).map(|_| chance(state, 1 + round % 256).to_le_bytes()[0]).collect();
            let sample = Sample::new(round as i64 * 77, bytes.clone());
            // Pieces of the sample, changed here and there, with others between them.
            let mut entry = Vec::new();
            for _ in 0..chance(state, 9) {
                let (from, to) = (chance(state, size + 1), chance(state, size + 1));
                entry.extend_from_slice(&bytes[from.min(to)..from.max(to)]);
                entry.extend((0..chance(state, 300)).map(|at| at.to_le_bytes()[0]));
                for _ in 0..chance(state, 20) {
                    let (at, by) = (chance(state, entry.len().max(1)), chance(state, 3).to_le_bytes()[0]);
                    entry.get_mut(at).into_iter().for_each(|byte| *byte = byte.wrapping_add(by));
                }
            }
            let Some(pressed) = sample.press(&entry) else { continue };
            assert!(pressed.len() < entry.len());
            assert_eq!(sample_of(&pressed), Some(round as i64 * 77));
            assert_eq!(restore(&pressed, sample.bytes()).unwrap(), entry);
        }
    }

    #[test]
    fn an_entry_like_the_sample_takes_a_third_and_one_unlike_it_is_left_alone() {
        let entry = |step: u8, began: u64, wall: u8| {
            let mut entry = b"\x01\t\n\xc0\xc2\xc5".to_vec();
            entry.extend([0x40 + step, 0xc6, 0x41]);
            entry.extend(b"\xc8\n\xe0A\x0b\xc9\n\xca$echo\xcb%0.1.0\xcc\x08");
            entry.extend([0xe6; 32]);
            entry.extend(b"\xcd\x03");
            put_varint(&mut entry, began);
            entry.extend([0xce, wall, 0xcf, wall - 7]);
            entry.extend(b"\xd0\x03\x80\x80D\xd1K\xd2K\xd3\x95\xd4\x02\x0b\x0b\n\xc0\xc1\xc5A\xc6A\x0b\x0b");
            entry
        };
        let sample = Sample::new(3, entry(1, 1_796_000_000_000_000, 80));
        let like = entry(7, 1_796_000_012_345_678, 91);
        let pressed = sample.press(&like).unwrap();
        assert!(pressed.len() * 3 < like.len(), "{} of {}", pressed.len(), like.len());
        assert_eq!(restore(&pressed, sample.bytes()).unwrap(), like);
        assert!(sample.press(b"quite another thing").is_none() && sample.press(b"").is_none());
    }

    #[test]
    fn damaged_entries_are_told_and_nothing_panics() {
        let (state, sample) = (&mut 88_172_645_463_325_252, [7; 100]);
        for _ in 0..20_000 {
            let mut bytes: Vec<u8> = (0..chance(state, 40)).map(|_| chance(state, 256).to_le_bytes()[0]).collect();
            bytes.insert(0, ALIKE);
            let (_, _) = (restore(&bytes, &sample), sample_of(&bytes));
        }
        assert_eq!(restore(&[ALIKE, 1, 0xff, 0, 0], &sample[..20]), None, "behind the sample's end");
        assert_eq!(restore(&[ALIKE, 1, 5, 0], &sample), None, "own bytes are missing");
        assert_eq!((restore(&[1, 1], &sample), sample_of(&[1, 1]), sample_of(&[ALIKE, 128])), (None, None, None));
    }
}
