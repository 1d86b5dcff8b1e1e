//! Numbers in as many bytes as they need: seven bits each, the lowest first, and a bit that says whether more follow (LEB128).

use crate::error::Error;

/// Writes a number.
pub fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads the number at `at` and goes behind it.
///
/// # Errors
/// [`Error::Short`] where the bytes end within it, [`Error::Number`] where it has more than 64 bits.
pub fn take(bytes: &[u8], at: &mut usize) -> Result<u64, Error> {
    let (begin, mut number) = (*at, 0u64);
    for shift in (0..).step_by(7) {
        let byte = bytes.get(*at).copied().ok_or(Error::Short { at: *at })?;
        *at += 1;
        let part = u64::from(byte & 0x7f);
        // Of the tenth byte one bit has room.
        if shift > 63 || (shift == 63 && part > 1) {
            return Err(Error::Number { at: begin });
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(number)
}
