//! The bytes of an ONNX file: it is described and loaded into the built-in engine, or refused in words.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trackside_models::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::model(data));
