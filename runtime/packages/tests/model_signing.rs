//! The published vectors, and what is no signature for a model.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use trackside_codes::Coded as _;

use trackside_packages::{
    Algorithm, Curve, PublicKey, SigningKey,
    oms::{Bundle, Files, LARGEST_BUNDLE, OmsError, ReadSeek, SignedFile, sign},
};
use trackside_spec::Digest;

/// The files of a folder, as a signer lists them.
struct Folder(PathBuf, Vec<SignedFile>);

impl Folder {
    fn of(path: &Path, leave_out: impl Fn(&str) -> bool) -> Self {
        let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let file =
            |name: String| SignedFile { size: fs::metadata(path.join(&name)).unwrap().len(), path: name, sha256: None };
        Self(path.to_owned(), names.filter(|name| !leave_out(name)).map(file).collect())
    }
}

impl Files for Folder {
    fn itself(&self) -> &str {
        &self.1[0].path
    }

    fn list(&self) -> Vec<SignedFile> {
        self.1.clone()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn ReadSeek + '_>> {
        Ok(Box::new(fs::File::open(self.0.join(path))?))
    }
}

/// One whose first file is said to have this digest.
struct Told<'a>(&'a Memory, String);

impl Files for Told<'_> {
    fn itself(&self) -> &str {
        self.0.itself()
    }

    fn list(&self) -> Vec<SignedFile> {
        let mut files = self.0.list();
        files[0].sha256 = Some(self.1.clone());
        files
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn ReadSeek + '_>> {
        self.0.open(path)
    }
}

/// A model in memory.
struct Memory(Vec<(&'static str, Vec<u8>)>);

impl Files for Memory {
    fn itself(&self) -> &str {
        self.0[0].0
    }

    fn list(&self) -> Vec<SignedFile> {
        let file = |(path, bytes): &(&str, Vec<u8>)| SignedFile {
            path: (*path).to_owned(),
            size: bytes.len() as u64,
            sha256: None,
        };
        self.0.iter().map(file).collect()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn ReadSeek + '_>> {
        let (_, bytes) = self.0.iter().find(|(name, _)| *name == path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }
}

fn vectors(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model_signing").join(below)
}

fn published_key() -> Vec<(String, PublicKey)> {
    vec![("signing-key-pub.pem".to_owned(), PublicKey::read(&vectors("signing-key-pub.pem")).unwrap())]
}

fn key(curve: Curve) -> SigningKey {
    SigningKey::from_pem(SigningKey::generate(Algorithm::Ecdsa(curve)).unwrap().as_bytes()).unwrap()
}

fn ring(key: &SigningKey) -> Vec<(String, PublicKey)> {
    vec![("models.pub".to_owned(), key.public())]
}

fn model() -> Memory {
    Memory(vec![("model.onnx", b"model".to_vec()), ("data/weights.bin", vec![7; 1000]), ("empty", Vec::new())])
}

/// The whole way: read, proved, held against the files.
fn check(bundle: &[u8], keys: &[(String, PublicKey)], files: &dyn Files) -> Result<(), OmsError> {
    Bundle::read(bundle)?.by(keys)?.1.covers(files)
}

/// A bundle whose statement is made by hand, and signed.
fn stated(statement: &Value, key: &SigningKey) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let payload = statement.to_string();
    let kind = "application/vnd.in-toto+json";
    let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": key.public().hint() } },
        "dsseEnvelope": {
            "payload": STANDARD.encode(&payload),
            "payloadType": kind,
            "signatures": [{ "sig": STANDARD.encode(key.sign(message.as_bytes()).unwrap()) }],
        },
    });
    bundle.to_string().into_bytes()
}

fn statement(resources: &Value, serialization: &Value) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "m", "digest": { "sha256": "00" } }],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": { "resources": resources, "serialization": serialization },
    })
}

fn whole_files() -> Value {
    json!({ "method": "files", "hash_type": "sha256", "allow_symlinks": false })
}

#[test]
fn what_the_reference_implementation_has_signed_since_its_first_release_counts() {
    for version in ["v0.3.1", "v1.0.0", "v1.0.1", "v1.1.0"] {
        let folder = vectors(version);
        let bundle = Bundle::read(&fs::read(folder.join("model.sig")).unwrap()).unwrap();
        let keys = published_key();
        let (key, signed) = bundle.by(&keys).unwrap();
        assert_eq!(key.0, "signing-key-pub.pem");
        // Before 1.1.0 a bundle did not say what was left out: the command line of the verifier did.
        let beside = |name: &str| name == "model.sig" || name == "ignore-me" || signed.leaves_out(name);
        signed.covers(&Folder::of(&folder, beside)).unwrap();
        if version == "v1.1.0" {
            assert!(
                signed.leaves_out("ignore-me") && signed.leaves_out(".git/config") && !signed.leaves_out("signme-1")
            );
            assert_eq!((signed.files(), bundle.hint()), (2, Some(keys[0].1.hint().as_str())));
        }
        let error = signed.covers(&Folder::of(&folder, |name| name == "signme-1")).unwrap_err();
        assert!(matches!(error, OmsError::Missing { .. } | OmsError::Other { .. }), "{error}");
    }
}

#[test]
fn the_vectors_of_the_standard_are_taken_or_refused_as_they_must_be() {
    let read = |name: &str| Bundle::read(&fs::read(vectors("v1.0").join(name)).unwrap());
    let bundle = read("valid/key.bundle.json").unwrap();
    assert_eq!(bundle.by(&published_key()).unwrap().1.files(), 2);
    assert_eq!(bundle.hint(), Some(published_key()[0].1.hint().as_str()));
    for (name, words) in [
        ("valid/certificate.bundle.json", "with a certificate"),
        ("valid/sigstore.bundle.json", "an identity of Sigstore"),
        ("invalid/missing-tlog-entries.bundle.json", "an identity of Sigstore"),
    ] {
        let error = read(name).unwrap_err();
        assert!(error.code() == "TS-0591" && error.to_string().contains(words), "{name}: {error}");
    }
    for (name, words) in [
        ("invalid/empty.bundle.json", "EOF"),
        ("invalid/missing-envelope.bundle.json", "dsseEnvelope"),
        ("invalid/missing-verification-material.bundle.json", "verificationMaterial"),
    ] {
        let error = read(name).unwrap_err();
        assert!(error.code() == "TS-0590" && error.to_string().contains(words), "{name}: {error}");
    }
    let error = read("invalid-payload/wrong-predicate.bundle.json").unwrap().unproved().unwrap_err();
    assert!(error.code() == "TS-0590" && error.to_string().contains("wrong-predicate"), "{error}");
}

#[test]
fn a_model_is_signed_on_every_curve_and_by_no_other_kind_of_key() {
    for curve in Curve::ALL {
        let signer = key(curve);
        let bundle = sign("m", &model(), &[], &signer).unwrap();
        check(&bundle, &ring(&signer), &model()).unwrap();
        let error = check(&bundle, &ring(&key(curve)), &model()).unwrap_err();
        assert!(error.code() == "TS-0592" && error.to_string().contains("(models.pub)"), "{error}");
        assert_eq!(check(&bundle, &[], &model()).unwrap_err().code().to_string(), "TS-0592");
    }
    let other = SigningKey::from_pem(SigningKey::generate(Algorithm::Ed25519).unwrap().as_bytes()).unwrap();
    assert_eq!(sign("m", &model(), &[], &other).unwrap_err().code().to_string(), "TS-0591");
    // Nor does one count that somebody else has made with one.
    let digest = "9".repeat(64);
    let resources = json!([{ "name": "a", "digest": digest, "algorithm": "sha256" }]);
    let bundle = stated(&statement(&resources, &whole_files()), &other);
    assert_eq!(check(&bundle, &ring(&other), &model()).unwrap_err().code().to_string(), "TS-0592");
}

#[test]
fn files_that_are_missing_changed_or_not_named_are_told_by_name() {
    let signer = key(Curve::P256);
    let (bundle, keys) = (sign("m", &model(), &[], &signer).unwrap(), ring(&signer));
    let mut missing = model();
    missing.0.remove(1);
    let mut changed = model();
    changed.0[1].1[999] = 8;
    let mut more = model();
    more.0.push(("run.sh", b"rm".to_vec()));
    for (files, words) in [
        (missing, "names \"data/weights.bin\", and the model has no such file"),
        (changed, "\"data/weights.bin\" has another content"),
        (more, "\"run.sh\" is part of the model, and the signature does not name it"),
    ] {
        let error = check(&bundle, &keys, &files).unwrap_err();
        assert!(error.code() == "TS-0594" && error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_changed_payload_or_signature_is_by_nobody() {
    let signer = key(Curve::P384);
    let good: Value = serde_json::from_slice(&sign("m", &model(), &[], &signer).unwrap()).unwrap();
    for pointer in ["/dsseEnvelope/payload", "/dsseEnvelope/signatures/0/sig"] {
        let mut bad = good.clone();
        let text = bad.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        // A letter in the middle: it is base64 still.
        let at = text.len() / 2;
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        *bad.pointer_mut(pointer).unwrap() = format!("{}{other}{}", &text[..at], &text[at + 1..]).into();
        let error = check(bad.to_string().as_bytes(), &ring(&signer), &model()).unwrap_err();
        assert_eq!(error.code().to_string(), "TS-0592", "{pointer}: {error}");
    }
}

#[test]
fn what_is_no_bundle_says_why() {
    let signer = key(Curve::P256);
    let good: Value = serde_json::from_slice(&sign("m", &model(), &[], &signer).unwrap()).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        bad.to_string().into_bytes()
    };
    let both = json!({ "publicKey": {}, "certificate": {} });
    for (bundle, words) in [
        (b"QUJD".to_vec(), "expected value"),
        (format!("{{\"verificationMaterial\":{{\"publicKey\":{}", "[".repeat(100_000)).into_bytes(), "recursion"),
        (vec![b' '; usize::try_from(LARGEST_BUNDLE).unwrap() + 1], "at most"),
        (with("/mediaType", json!("text/plain")), "no bundle of Sigstore"),
        (with("/verificationMaterial", both), "in several ways"),
        (with("/verificationMaterial", json!({})), "says not"),
        (with("/dsseEnvelope/payloadType", json!("text/plain")), "no statement of in-toto"),
        (with("/dsseEnvelope/payload", json!("%")), "payload is no base64"),
        (with("/dsseEnvelope/signatures", json!([])), "0 signatures"),
    ] {
        let error = Bundle::read(&bundle).unwrap_err();
        assert!(error.code() == "TS-0590" && error.to_string().contains(words), "{words}: {error}");
    }
}

#[test]
fn a_statement_that_can_not_be_held_against_files_says_why_though_its_signature_is_good() {
    let signer = key(Curve::P521);
    let digest = "9".repeat(64);
    let named = |name: &str| json!([{ "name": name, "digest": digest, "algorithm": "sha256" }]);
    let serialized = |key: &str, value: Value| {
        let mut all = whole_files();
        all[key] = value;
        all
    };
    let twice = json!([named("a")[0], named("a")[0]]);
    let mut other = statement(&named("a"), &whole_files());
    other["predicateType"] = json!("https://model_signing/Digests/v0.1");
    let mut link = statement(&named("a"), &whole_files());
    link["_type"] = json!("https://in-toto.io/Link/v1");
    for (statement, code, words) in [
        (other, "TS-0590", "Digests/v0.1"),
        (link, "TS-0590", "no statement of in-toto"),
        (statement(&json!([]), &whole_files()), "TS-0590", "about 0 files"),
        (statement(&twice, &whole_files()), "TS-0590", "\"a\" twice"),
        (statement(&json!([{ "name": "a", "digest": "ab", "algorithm": "sha256" }]), &whole_files()), "TS-0590", "64"),
        (statement(&named("a"), &serialized("hash_type", json!("blake3"))), "TS-0591", "\"blake3\""),
        (statement(&named("a"), &serialized("method", json!("tree"))), "TS-0591", "\"tree\""),
        (statement(&named("a"), &serialized("method", json!("shards"))), "TS-0590", "size of their parts"),
        (statement(&named("a"), &serialized("allow_symlinks", json!(true))), "TS-0591", "symbolic links"),
        (statement(&named("a"), &serialized("ignore_paths", json!(["*.bin"]))), "TS-0590", "a pattern"),
        (statement(&named("a"), &serialized("ignore_paths", json!(["../x"]))), "TS-0593", "../x"),
        (
            statement(&json!([{ "name": "a", "digest": digest, "algorithm": "blake2b" }]), &whole_files()),
            "TS-0591",
            "blake2b",
        ),
        (statement(&named("../a"), &whole_files()), "TS-0593", "\"../a\""),
        (statement(&named("/etc/passwd"), &whole_files()), "TS-0593", "/etc/passwd"),
    ] {
        let bundle = Bundle::read(&stated(&statement, &signer)).unwrap();
        let error = bundle.by(&ring(&signer)).unwrap_err();
        assert!(error.code() == code && error.to_string().contains(words), "{words}: {error}");
    }
}

#[test]
fn a_file_that_was_signed_in_parts_must_be_all_of_them() {
    let signer = key(Curve::P256);
    let files = Memory(vec![("w:1.bin", (0..25).collect()), ("empty", Vec::new())]);
    let digest = |range: std::ops::Range<u8>| Digest::of(&range.collect::<Vec<u8>>()).hex();
    let part = |range: std::ops::Range<u8>| {
        let name = format!("w:1.bin:{}:{}", range.start, range.end);
        json!({ "name": name, "digest": digest(range), "algorithm": "sha256" })
    };
    let cut_by = |size: Value, resources: &Value| {
        let cut = json!({ "method": "shards", "hash_type": "sha256", "allow_symlinks": false, "shard_size": size });
        check(&stated(&statement(resources, &cut), &signer), &ring(&signer), &files)
    };
    let parts = |resources: Value| cut_by(json!(10), &resources);
    let all = json!([part(0..10), part(10..20), part(20..25)]);
    parts(all.clone()).unwrap();
    // The reference implementation writes all numbers so.
    cut_by(json!(10.0), &all).unwrap();
    for size in [json!(10.5), json!(-10), json!(-10.0), json!(1e300), json!("10"), json!(0), json!(null)] {
        let error = cut_by(size.clone(), &all).unwrap_err();
        assert_eq!(error.code().to_string(), "TS-0590", "{size}: {error}");
    }
    // What is loaded later is held against the digest of the whole: what was signed in parts must be just that.
    for (whole, holds) in [((0..25).collect::<Vec<u8>>(), true), (vec![7; 25], false)] {
        let told = Told(&files, Digest::of(&whole).hex());
        let cut = json!({ "method": "shards", "hash_type": "sha256", "allow_symlinks": false, "shard_size": 10 });
        let checked = check(&stated(&statement(&all, &cut), &signer), &ring(&signer), &told);
        assert_eq!(checked.is_ok(), holds, "{checked:?}");
    }
    let not_all = parts(json!([part(0..10), part(10..20)])).unwrap_err();
    assert!(matches!(not_all, OmsError::NotNamed { .. }), "{not_all}");
    let too_long = json!({ "name": "w:1.bin:20:99", "digest": digest(20..25), "algorithm": "sha256" });
    let beyond = parts(json!([part(0..10), part(10..20), too_long])).unwrap_err();
    assert!(matches!(beyond, OmsError::Other { .. }), "{beyond}");
}

#[test]
fn a_single_file_is_called_by_its_name_or_as_older_signers_do() {
    let signer = key(Curve::P256);
    let file = Memory(vec![("model.onnx", b"model".to_vec())]);
    let digest = Digest::of(b"model").hex();
    for name in [".", "model.onnx"] {
        let resources = json!([{ "name": name, "digest": digest, "algorithm": "sha256" }]);
        let bundle = stated(&statement(&resources, &whole_files()), &signer);
        check(&bundle, &ring(&signer), &file).unwrap();
        // Only that file: weights beside it are not signed.
        let error = check(&bundle, &ring(&signer), &model()).unwrap_err();
        assert!(matches!(error, OmsError::NotNamed { .. }), "{error}");
    }
}
