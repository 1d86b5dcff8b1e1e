//! Entries of one workflow are much alike: the same members, the same plugin with its digest, numbers beside each other. So an entry
//! may be written as what is not in a sample: [`ALIKE`], the sample's number and the entry's length (both LEB128), and a block of LZ4
//! whose dictionary is the sample.

use lz4_flex::block::{compress_with_dict, decompress_into_with_dict};
use trackside_facts::varint;

/// How an entry of this form begins; a packed one begins with its version, which is another.
pub(crate) const ALIKE: u8 = 2;
/// Bytes of a sample at most.
pub(crate) const LARGEST: usize = 2 << 10;
/// LZ4 says no more than so many bytes with one: what is in the database is not believed when it says how long an entry is.
const MOST_OF_ONE: usize = 255;

/// Bytes that others are like.
pub(crate) struct Sample {
    number: i64,
    bytes: Vec<u8>,
}

impl Sample {
    /// No more than [`LARGEST`] bytes of these.
    pub(crate) fn new(number: i64, mut bytes: Vec<u8>) -> Self {
        bytes.truncate(LARGEST);
        Self { number, bytes }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// An entry as what is not in the sample; none where that is not less.
    pub(crate) fn press(&self, entry: &[u8]) -> Option<Vec<u8>> {
        let mut pressed = vec![ALIKE];
        varint::put(&mut pressed, self.number.unsigned_abs());
        varint::put(&mut pressed, entry.len() as u64);
        pressed.extend(compress_with_dict(entry, &self.bytes));
        // Seen once more before it counts: what can not be restored is lost, and that costs a tenth of what pressing does.
        (pressed.len() < entry.len() && restore(&pressed, &self.bytes).as_deref() == Some(entry)).then_some(pressed)
    }
}

/// The number of the sample that an entry is like.
pub(crate) fn sample_of(entry: &[u8]) -> Option<i64> {
    let number = varint::take(entry.strip_prefix(&[ALIKE])?, &mut 0).ok()?;
    i64::try_from(number).ok()
}

/// The entry that was pressed; none where it is damaged.
pub(crate) fn restore(entry: &[u8], sample: &[u8]) -> Option<Vec<u8>> {
    let (rest, mut at) = (entry.strip_prefix(&[ALIKE])?, 0);
    varint::take(rest, &mut at).ok()?;
    let length = varint::take(rest, &mut at).ok()?;
    let block = rest.get(at..)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= block.len().saturating_mul(MOST_OF_ONE))?;
    let mut restored = vec![0; length];
    let written = decompress_into_with_dict(block, &mut restored, sample).ok()?;
    (written == length).then_some(restored)
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
    fn an_entry_like_the_sample_takes_half_and_one_unlike_it_is_left_alone() {
        let entry = |step: u8, began: u64, wall: u8| {
            let mut entry = b"\x01\t\n\xc0\xc2\xc5".to_vec();
            entry.extend([0x40 + step, 0xc6, 0x41]);
            entry.extend(b"\xc8\n\xe0A\x0b\xc9\n\xca$echo\xcb%0.1.0\xcc\x08");
            entry.extend([0xe6; 32]);
            entry.extend(b"\xcd\x03");
            varint::put(&mut entry, began);
            entry.extend([0xce, wall, 0xcf, wall - 7]);
            entry.extend(b"\xd0\x03\x80\x80D\xd1K\xd2K\xd3\x95\xd4\x02\x0b\x0b\n\xc0\xc1\xc5A\xc6A\x0b\x0b");
            entry
        };
        let sample = Sample::new(3, entry(1, 1_796_000_000_000_000, 80));
        let like = entry(7, 1_796_000_012_345_678, 91);
        let pressed = sample.press(&like).unwrap();
        assert!(pressed.len() * 2 < like.len(), "{} of {}", pressed.len(), like.len());
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
        let pressed = Sample::new(1, sample.to_vec()).press(&[7; 60]).unwrap();
        assert_eq!(restore(&pressed, &sample), Some(vec![7; 60]));
        assert_eq!(restore(&pressed, &[]), None, "the sample is another");
        assert_eq!(restore(&pressed[..pressed.len() - 1], &sample), None, "the end is missing");
        let (mut longer, mut huge) = (pressed.clone(), vec![ALIKE, 1]);
        longer[2] += 1;
        varint::put(&mut huge, 1 << 40);
        huge.extend(&pressed[3..]);
        assert_eq!((restore(&longer, &sample), restore(&huge, &sample)), (None, None), "the length is wrong");
        assert_eq!((restore(&[1, 1], &sample), sample_of(&[1, 1]), sample_of(&[ALIKE, 128])), (None, None, None));
    }
}
