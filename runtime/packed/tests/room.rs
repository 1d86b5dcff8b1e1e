//! What goes in comes out, bytes from anywhere do no harm, and what lies on disk is read for ever.

use proptest::{collection::vec, prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trackside_packed::{Error, WORDS, digests_named, from_slice, may_have, to_vec};

fn texts() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(WORDS).prop_map(str::to_owned);
    let digest = "sha256:[0-9a-f]{64}";
    // Nearly a digest: a digit too few, a capital letter.
    prop_oneof![word, digest, "sha256:[0-9a-fA-F]{63,64}", ".{0,40}", Just("x".repeat(300))]
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-200i64..200).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            vec((texts(), inner), 0..8).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(document in documents()) {
        let bytes = to_vec(&document).unwrap();
        prop_assert_eq!(from_slice::<Value>(&bytes).unwrap().to_string(), document.to_string());
    }

    #[test]
    fn bytes_from_anywhere_are_read_or_refused(mut bytes in vec(any::<u8>(), 0..200)) {
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        if let Ok(document) = from_slice::<Value>(&bytes) {
            // Not always the same bytes: a number can be written longer than it is.
            let again = to_vec(&document).unwrap();
            prop_assert_eq!(from_slice::<Value>(&again).unwrap(), document);
        }
    }

    #[test]
    fn a_byte_that_changed_is_refused_or_says_something_else(document in documents(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = to_vec(&document).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        let _ = from_slice::<Value>(&bytes);
        // One that ends too soon is never read.
        bytes[at] ^= 1u8 << bit;
        prop_assert!(at == 0 || from_slice::<Value>(&bytes[..at]).is_err());
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Tagged {
    StepStarted { step: u16, attempt: u32 },
    Ended { end: How, reason: Reason, value: Option<f64> },
    Delivered(Named),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum How {
    Succeeded,
    Failed,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reason {
    Condition,
    Upstream(String),
    Pair(i8, i64),
    Both { a: (), b: Vec<Option<bool>> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    other: serde_json::Map<String, Value>,
}

#[test]
fn types_are_read_as_from_json() {
    let reasons = [
        Reason::Condition,
        Reason::Upstream("a".to_owned()),
        Reason::Pair(-1, i64::MIN),
        Reason::Both { a: (), b: vec![Some(true), None] },
    ];
    let mut all: Vec<Tagged> =
        reasons.into_iter().map(|reason| Tagged::Ended { end: How::Failed, reason, value: Some(0.1) }).collect();
    all.push(Tagged::Ended { end: How::Succeeded, reason: Reason::Condition, value: None });
    all.push(Tagged::StepStarted { step: 128, attempt: u32::MAX });
    let other = json!({ "x": [1, -1, 1.5], "digest": format!("sha256:{}", "0f".repeat(32)) });
    all.push(Tagged::Delivered(Named { name: "n".to_owned(), other: other.as_object().unwrap().clone() }));
    let bytes = to_vec(&all).unwrap();
    assert_eq!(from_slice::<Vec<Tagged>>(&bytes).unwrap(), all);
    // And the same through the document, both ways.
    let document = serde_json::to_value(&all).unwrap();
    assert_eq!(from_slice::<Value>(&bytes).unwrap(), document);
    assert_eq!(from_slice::<Vec<Tagged>>(&to_vec(&document).unwrap()).unwrap(), all);
}

#[test]
fn texts_are_borrowed_and_members_that_nobody_asks_for_are_passed_over() {
    #[derive(Deserialize)]
    struct Some<'a> {
        #[serde(borrow)]
        event: &'a str,
        #[serde(borrow)]
        name: &'a str,
    }
    let bytes = to_vec(&json!({ "event": "ended", "x": { "y": [[], {}] }, "name": "anybody", "z": 1 })).unwrap();
    let read: Some<'_> = from_slice(&bytes).unwrap();
    assert_eq!((read.event, read.name), ("ended", "anybody"));
}

const KNOWN_WORDS: usize = 187;
const DIGEST_OF_WORDS: u64 = 0x42b5_4afa_ea73_53a7;

#[test]
fn what_is_on_disk_is_read_for_ever() {
    let document = json!([{
        "event": "step-succeeded", "step": 0, "attempt": 1, "output": { "value": -2, "x": 0.5, "text": "é" },
        "report": { "digest": format!("sha256:{}", "a1".repeat(32)), "wall_us": 300, "deterministic": true, "denials": null },
    }]);
    let mut bytes =
        vec![1, 0x09, 0x0a, 0xc0, 0xc2, 0xc5, 0x40, 0xc6, 0x41, 0xc8, 0x0a, 0xe0, 0x04, 0x01, 0x21, b'x', 0x05];
    bytes.extend(0.5f64.to_le_bytes());
    bytes.extend([0x07, number("text"), 0x22, 0xc3, 0xa9, 0x0b, 0xc9, 0x0a, 0xcc, 0x08]);
    bytes.extend([0xa1; 32]);
    bytes.extend([0xce, 0x03, 0xac, 0x02, 0xd4, 0x02, 0x07, number("denials"), 0x00, 0x0b, 0x0b, 0x0b]);
    assert_eq!(to_vec(&document).unwrap(), bytes);
    assert_eq!(from_slice::<Value>(&bytes).unwrap(), document);
    // The words themselves, by a digest (FNV-1a) of those that there are so far. More of them may follow.
    let known = WORDS[..KNOWN_WORDS].join(",");
    let digest = known
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(digest, DIGEST_OF_WORDS, "a word that is on disk was changed");
}

fn number(word: &str) -> u8 {
    let place = WORDS.iter().position(|one| *one == word);
    place.and_then(|place| u8::try_from(place.checked_sub(64)?).ok()).unwrap_or(u8::MAX)
}

#[test]
fn what_is_wrong_is_said() {
    let read = |bytes: &[u8]| from_slice::<Value>(bytes).unwrap_err();
    assert_eq!(read(&[]), Error::Short { at: 0 });
    assert_eq!(read(&[2, 0]), Error::Version { found: 2 });
    assert_eq!(read(&[1]), Error::Short { at: 1 });
    assert_eq!(read(&[1, 0, 0]), Error::Trailing { at: 2 });
    assert_eq!(read(&[1, 0x1f]), Error::Unknown { found: 0x1f, at: 1 });
    assert_eq!(read(&[1, 0x07, 0xff]), Error::Word { at: 1 });
    assert_eq!(read(&[1, 0x21, 0xff]), Error::Utf8 { at: 2 });
    assert_eq!(read(&[1, 0x06, 0xff, 0xff, 0xff, 0xff, 0x0f]), Error::Short { at: 7 });
    assert_eq!(read(&[&[1, 0x03][..], &[0xff; 10]].concat()), Error::Number { at: 2 });
    assert_eq!(read(&[1, 0x09]), Error::Short { at: 2 });
    assert!(matches!(read(&[1, 0x0a, 0x21, b'a', 0x0b]), Error::Unknown { found: 0x0b, .. }));
    assert_eq!(read(&[&[1][..], &[0x09; 300]].concat()), Error::Deep);
    assert_eq!(to_vec(&std::collections::BTreeMap::from([(1, 2)])).unwrap_err(), Error::Name);
    let mut deep = json!(1);
    for _ in 0..250 {
        deep = json!([deep]);
    }
    assert_eq!(to_vec(&deep).unwrap_err(), Error::Deep);
}

#[test]
fn a_quick_look_finds_words_and_digests_under_their_names() {
    let digest = format!("sha256:{}", "00".repeat(32));
    let bytes = to_vec(&json!({ "parent": 1, "artifact": digest, "size": 3 })).unwrap();
    assert!(may_have(&bytes, "parent") && may_have(&bytes, "artifact"));
    assert!(!may_have(&bytes, "denials") && !may_have(&bytes, "event"));
    assert_eq!(digests_named(&bytes, "artifact"), [digest.as_str()]);
    assert_eq!(digests_named(&bytes, "digest").len() + digests_named(&bytes, "no word of ours").len(), 0);
    let other = format!("sha256:{}", "e108".repeat(16));
    let around = json!(["artifact", other, { "artifact": { "artifact": [other], "digest": other }, "x": [[{ "artifact": digest }]] }]);
    let bytes = to_vec(&around).unwrap();
    assert_eq!(digests_named(&bytes, "artifact"), [digest.as_str()]);
    assert!(digests_named(&bytes[..bytes.len() - 36], "artifact").is_empty(), "it ends before");
    assert!(may_have(&bytes, "no word of ours"), "nobody knows");
}
