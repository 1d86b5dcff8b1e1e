//! The whole plugin on the in-memory host, and against the Python package where its vectors are at hand.

use serde_json::{Value, json};
use trackside_sdk::{
    StepError,
    testing::{Finished, TestHost, description_problems},
};

use crate::Plugin;

const CONFIG: &str = include_str!("../../../examples/file-intake/models/magika/config.min.json");

fn run(file: &[u8]) -> Result<Finished, StepError> {
    TestHost::new()
        .artifact("file", "a.bin", "application/octet-stream", file)
        .artifact("config", "config.min.json", "application/json", CONFIG)
        .run::<Plugin>(json!({}))
}

/// The int32 values of the `tensor` artifact.
fn tensor(done: &Finished) -> Option<Vec<i32>> {
    let bytes = &done.artifact("tensor")?.bytes;
    let header = usize::try_from(u64::from_le_bytes(*bytes.first_chunk()?)).unwrap();
    let description: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    assert_eq!(description["bytes"]["dtype"], "I32");
    assert_eq!(description["bytes"]["shape"], json!([1, 2048]));
    Some(bytes[8 + header..].as_chunks::<4>().0.iter().map(|four| i32::from_le_bytes(*four)).collect())
}

#[test]
fn the_description_is_one_the_host_takes() {
    assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
}

#[test]
fn a_file_becomes_a_tensor_of_its_ends() {
    let mut file = vec![b'a'; 5000];
    file.extend(vec![b'z'; 5000]);
    let done = run(&file).unwrap();
    assert_eq!(done.output(), &json!({"size": 10000, "model_needed": true, "decided": null, "reason": null}));
    let values = tensor(&done).unwrap();
    assert_eq!(values[..1024], [i32::from(b'a'); 1024]);
    assert_eq!(values[1024..], [i32::from(b'z'); 1024]);
}

#[test]
fn a_file_that_needs_no_model_has_a_label_and_no_tensor() {
    for (file, label, reason) in
        [(&b""[..], "empty", "empty"), (b"hello", "txt", "few-bytes"), (b"\xff\xfe", "unknown", "few-bytes")]
    {
        let done = run(file).unwrap();
        assert_eq!(done.output()["decided"], label);
        assert_eq!(done.output()["reason"], reason);
        assert_eq!(done.output()["model_needed"], false);
        assert!(done.artifact("tensor").is_none());
    }
}

#[test]
fn a_configuration_of_another_kind_is_refused() {
    let error = TestHost::new()
        .artifact("file", "a", "", "12345678")
        .artifact("config", "c", "", "{}")
        .run::<Plugin>(json!({}))
        .unwrap_err();
    assert_eq!(error.code(), "bad-config");
    assert!(error.message().contains("config.min.json"), "{error}");
}

#[test]
fn unknown_keys_are_refused() {
    let error = TestHost::new()
        .artifact("file", "a", "", "12345678")
        .artifact("config", "c", "", CONFIG)
        .run::<Plugin>(json!({"fiel": 1}))
        .unwrap_err();
    assert_eq!(error.code(), "bad-input");
}

/// `python compare.py vectors DIR FILE` writes the file: one JSON object a line with the path of a real file and what
/// the package feeds its model.
#[test]
fn features_are_those_of_the_python_package() {
    let Some(vectors) = std::env::var_os("TRACKSIDE_MAGIKA_VECTORS") else {
        let required = std::env::var("TRACKSIDE_TEST_REQUIRE").unwrap_or_default();
        assert!(!required.contains("magika"), "TRACKSIDE_MAGIKA_VECTORS is not set");
        println!("not run: comparison with the Python package (TRACKSIDE_MAGIKA_VECTORS is not set)");
        return;
    };
    let mut count = 0;
    for line in std::fs::read_to_string(vectors).unwrap().lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let path = vector["path"].as_str().unwrap();
        let done = run(&std::fs::read(path).unwrap()).unwrap();
        let expected: Option<Vec<i32>> = serde_json::from_value(vector["values"].clone()).unwrap();
        assert_eq!(tensor(&done), expected, "{path}");
        if expected.is_none() {
            assert_eq!(done.output()["decided"], vector["label"], "{path}");
        }
        count += 1;
    }
    assert!(count >= 200, "only {count} files");
}
