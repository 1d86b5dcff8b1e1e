//! The message of a request for inference.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trackside_server::inference::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::grpc(data));
