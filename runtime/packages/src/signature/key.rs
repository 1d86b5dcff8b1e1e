//! Keys: public ones as PEM `PUBLIC KEY` (SPKI), private ones as PEM `PRIVATE KEY` (PKCS#8), as openssl writes both.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use trackside_codes::{Code, Coded, code};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustix::fs::OFlags;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject};
use trackside_spec::Digest;

use super::curve::{Curve, CurveKey};

/// What comes before the 32 bytes of an Ed25519 key in its SPKI form (RFC 8410).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// What comes before the 32 secret bytes of an Ed25519 key in its PKCS#8 form (RFC 8410).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// Largest key file that is read.
const LARGEST: u64 = 64 << 10;

/// Why a key can not be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("[{code}] the key {path} can not be used: {source}", path = path.display(), code = self.code())]
pub struct KeyError {
    path: PathBuf,
    source: KeyFault,
}

impl Coded for KeyError {
    fn code(&self) -> Code {
        code!("TS-0609")
    }
}

impl KeyError {
    fn new(path: &Path, source: KeyFault) -> Self {
        Self { path: path.to_owned(), source }
    }
}

/// What is wrong with a key, as a sentence.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// No public key.
    #[error("it holds no `-----BEGIN PUBLIC KEY-----`; give the public half as PEM")]
    NoPublicKey,
    /// No private key.
    #[error("it holds no `-----BEGIN PRIVATE KEY-----` (PKCS#8); convert it with `openssl pkcs8 -topk8 -nocrypt`")]
    NoPrivateKey,
    /// Nobody asks for a password here.
    #[error("it is encrypted; give an unencrypted PKCS#8 key (openssl pkcs8 -in KEY -out KEY.plain)")]
    Encrypted,
    /// A key of another kind.
    #[error("it is neither an Ed25519 key nor one on P-256, P-384 or P-521; make one with `trackside plugin keygen`")]
    OtherKind,
    /// The file is no key.
    #[error("it has {0} bytes, which no key has")]
    TooLarge(u64),
    /// The file can not be read.
    #[error("{0}")]
    Io(#[source] Arc<io::Error>),
    /// The system does not say what nobody can guess.
    #[error("the system gives no randomness")]
    NoRandomness,
    /// The same, with the system's words.
    #[error("{0}")]
    Random(#[source] getrandom::Error),
}

impl Coded for KeyFault {
    fn code(&self) -> Code {
        code!("TS-0609")
    }
}

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA on a curve, with the hash that goes with it; signatures in ASN.1.
    Ecdsa(Curve),
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    /// 32 bytes, or an uncompressed point.
    bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// When it can not be read or holds another kind of key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::from_pem(&public(path)?).map_err(|fault| KeyError::new(path, fault))
    }

    /// Reads PEM text.
    ///
    /// # Errors
    /// When it holds no key, or another kind.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyFault> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyFault::NoPublicKey)?;
        if let Some(bytes) = der.strip_prefix(&ED25519_SPKI[..]).filter(|bytes| bytes.len() == 32) {
            return Ok(Self { algorithm: Algorithm::Ed25519, bytes: bytes.to_owned() });
        }
        let (curve, point) = Curve::point_in(&der).ok_or(KeyFault::OtherKind)?;
        Ok(Self { algorithm: Algorithm::Ecdsa(curve), bytes: point.to_owned() })
    }

    /// The key as PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki())
    }

    /// What the key is called in messages and in the lock file: the digest of its SPKI form.
    #[must_use]
    pub fn id(&self) -> Digest {
        Digest::of(&self.spki())
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Ed25519 => UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature).is_ok(),
            Algorithm::Ecdsa(curve) => curve.verifies(&self.bytes, message, signature),
        }
    }

    /// Under which a bundle of OpenSSF Model Signing names it: the SHA-256 of its PEM form, in hexadecimal digits.
    #[must_use]
    pub fn hint(&self) -> String {
        Digest::of(self.to_pem().as_bytes()).hex()
    }

    fn spki(&self) -> Vec<u8> {
        let prefix = match self.algorithm {
            Algorithm::Ed25519 => &ED25519_SPKI[..],
            Algorithm::Ecdsa(curve) => curve.spki(),
        };
        [prefix, &self.bytes].concat()
    }
}

/// A private key.
pub struct SigningKey {
    pair: Pair,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(CurveKey),
}

impl SigningKey {
    /// Reads a PEM file that is not encrypted.
    ///
    /// # Errors
    /// When it can not be read or holds another kind of key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::from_pem(&read(path)?).map_err(|fault| KeyError::new(path, fault))
    }

    /// Reads PEM text.
    ///
    /// # Errors
    /// When it holds no key, or another kind.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyFault> {
        let has = |mark: &[u8]| pem.windows(mark.len()).any(|window| window == mark);
        if has(b"ENCRYPTED") {
            return Err(KeyFault::Encrypted);
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| KeyFault::NoPrivateKey)?;
        let der = der.secret_pkcs8_der();
        // A key that openssl wrote has no public half to compare with.
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self { pair: Pair::Ed25519(pair) });
        }
        CurveKey::from_pkcs8(der).map(|key| Self { pair: Pair::Ecdsa(key) }).ok_or(KeyFault::OtherKind)
    }

    /// Makes a new key; gives it as PEM.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<String, KeyFault> {
        let der = match algorithm {
            Algorithm::Ed25519 => {
                let mut secret = [0; 32];
                getrandom::fill(&mut secret).map_err(KeyFault::Random)?;
                // Without the public half, which openssl does not read in a private key.
                [&ED25519_PKCS8[..], &secret].concat()
            }
            Algorithm::Ecdsa(curve) => curve.generate()?,
        };
        Ok(pem("PRIVATE KEY", &der))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        match &self.pair {
            Pair::Ed25519(pair) => {
                PublicKey { algorithm: Algorithm::Ed25519, bytes: pair.public_key().as_ref().to_owned() }
            }
            Pair::Ecdsa(key) => PublicKey { algorithm: Algorithm::Ecdsa(key.curve()), bytes: key.point() },
        }
    }

    /// Signs.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Ecdsa(key) => key.sign(message),
        }
    }

    /// Signs, in base64.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn sign_base64(&self, message: &[u8]) -> Result<String, KeyFault> {
        Ok(STANDARD.encode(self.sign(message)?))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public().id()).finish_non_exhaustive()
    }
}

/// Of a key that a config names: a regular file. A pipe there would keep everybody waiting who asks whether a signature counts.
fn public(path: &Path) -> Result<Vec<u8>, KeyError> {
    let failed = |error: io::Error| KeyError::new(path, KeyFault::Io(Arc::new(error)));
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let file = file.map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
    }
    bounded(path, file)
}

/// Of a key that somebody gives to sign with: it may come through a pipe.
fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    let file = File::open(path).map_err(|error| KeyError::new(path, KeyFault::Io(Arc::new(error))))?;
    bounded(path, file)
}

fn bounded(path: &Path, file: File) -> Result<Vec<u8>, KeyError> {
    let failed = |error: io::Error| KeyError::new(path, KeyFault::Io(Arc::new(error)));
    let size = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    // One more than is read: what is larger is told.
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    let found = size.max(bytes.len() as u64);
    if found > LARGEST { Err(KeyError::new(path, KeyFault::TooLarge(found))) } else { Ok(bytes) }
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Algorithm; 4] = [
        Algorithm::Ed25519,
        Algorithm::Ecdsa(Curve::P256),
        Algorithm::Ecdsa(Curve::P384),
        Algorithm::Ecdsa(Curve::P521),
    ];

    #[test]
    fn made_keys_sign_and_their_public_halves_verify_nothing_else() {
        for algorithm in ALL {
            let text = SigningKey::generate(algorithm).unwrap();
            let key = SigningKey::from_pem(text.as_bytes()).unwrap();
            let public = PublicKey::from_pem(key.public().to_pem().as_bytes()).unwrap();
            assert_eq!((public.algorithm(), public.id()), (algorithm, key.public().id()));
            let signature = STANDARD.decode(key.sign_base64(b"message").unwrap()).unwrap();
            assert!(public.verifies(b"message", &signature));
            assert!(!public.verifies(b"other", &signature));
            for place in 0..signature.len() {
                let mut bad = signature.clone();
                bad[place] ^= 1;
                assert!(!public.verifies(b"message", &bad), "{algorithm:?}, byte {place}");
            }
            let other = SigningKey::from_pem(SigningKey::generate(algorithm).unwrap().as_bytes()).unwrap().public();
            assert!(!other.verifies(b"message", &signature));
            assert!(!format!("{key:?}").contains(&text[30..60]));
        }
    }

    /// RFC 8032, section 7.1, test 3.
    #[test]
    fn the_vector_of_the_ed25519_rfc_verifies() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let key = PublicKey {
            algorithm: Algorithm::Ed25519,
            bytes: hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"),
        };
        let signature = hex(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d\
             c027beceea1ec40a",
        );
        assert!(key.verifies(&hex("af82"), &signature));
        assert!(!key.verifies(&hex("af83"), &signature));
    }

    #[test]
    fn other_kinds_of_keys_are_refused_in_words() {
        let cases = [
            ("", "no `-----BEGIN PUBLIC KEY"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "neither"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no `-----BEGIN PUBLIC KEY"),
        ];
        for (text, words) in cases {
            let error = PublicKey::from_pem(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        let encrypted =
            "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n";
        assert!(SigningKey::from_pem(encrypted.as_bytes()).unwrap_err().to_string().contains("encrypted"));
        let legacy = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
        assert!(SigningKey::from_pem(legacy.as_bytes()).unwrap_err().to_string().contains("PKCS#8"));
        assert!(PublicKey::read(Path::new("/dev/null")).is_err());
    }

    #[test]
    fn a_pipe_or_a_large_file_in_the_place_of_a_key_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        std::fs::write(path("large"), vec![b'a'; 70_000]).unwrap();
        for (name, words) in [("pipe", "no regular file"), ("large", "70000 bytes")] {
            let refused = PublicKey::read(&path(name)).unwrap_err().to_string();
            assert!(refused.contains("TS-0609") && refused.contains(words), "{refused}");
        }
        // A link to a key is one.
        let key = SigningKey::from_pem(SigningKey::generate(Algorithm::Ed25519).unwrap().as_bytes()).unwrap().public();
        std::fs::write(path("key"), key.to_pem()).unwrap();
        std::os::unix::fs::symlink("key", path("link")).unwrap();
        assert_eq!(PublicKey::read(&path("link")).unwrap().id(), key.id());
    }
}
