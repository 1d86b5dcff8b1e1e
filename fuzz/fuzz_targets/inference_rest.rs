//! The body of a request for inference: how much of it is JSON stands in the first two bytes, 0 for all.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trackside_server::inference::fuzzing;

fuzz_target!(|data: &[u8]| {
    let Some((length, body)) = data.split_first_chunk::<2>() else { return };
    let length = usize::from(u16::from_le_bytes(*length));
    fuzzing::rest(body, (length > 0).then_some(length));
    fuzzing::json(body);
});
