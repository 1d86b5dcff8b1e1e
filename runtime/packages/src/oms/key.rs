//! ECDSA keys on the curves that OpenSSF Model Signing wants.
//!
//! `ring` has P-256 and P-384 and no P-521, so that one comes from RustCrypto (`p521`).

use std::path::Path;

use p521::ecdsa::signature::{Signer, Verifier};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1,
        ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
    },
};
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject};
use trackside_spec::Digest;

use crate::signature::{KeyError, KeyFault, pem, read};

/// A curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// secp256r1, with SHA-256.
    P256,
    /// secp384r1, with SHA-384.
    P384,
    /// secp521r1, with SHA-512.
    P521,
}

impl Curve {
    /// What stands before the uncompressed point in a key's SPKI form (RFC 5480).
    const fn spki(self) -> &'static [u8] {
        match self {
            Self::P256 => &[
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
                0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ],
            Self::P384 => &[
                0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
                0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
            ],
            Self::P521 => &[
                0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                0x81, 0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00,
            ],
        }
    }

    /// Bytes of that point.
    const fn point(self) -> usize {
        match self {
            Self::P256 => 65,
            Self::P384 => 97,
            Self::P521 => 133,
        }
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OmsKey {
    curve: Curve,
    point: Vec<u8>,
}

impl OmsKey {
    /// Reads a PEM file.
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
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyFault::NoPublicKey)?;
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            let point = der.strip_prefix(curve.spki());
            if let Some(point) = point.filter(|point| point.len() == curve.point() && point[0] == 4) {
                return Ok(Self { curve, point: point.to_owned() });
            }
        }
        Err(KeyFault::OtherKind)
    }

    /// The curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// The key as PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &[self.curve.spki(), &self.point].concat())
    }

    /// Under which a bundle names it: the SHA-256 of its PEM form, in hexadecimal digits.
    #[must_use]
    pub fn hint(&self) -> String {
        let digest = Digest::of(self.to_pem().as_bytes()).to_string();
        digest.strip_prefix("sha256:").unwrap_or(&digest).to_owned()
    }

    /// Whether `signature` (ASN.1) is this key's over `message`. Signers of before 1.0 hashed with SHA-256 whatever the curve, or with
    /// SHA-384: as good, and taken.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let ring = |algorithm| UnparsedPublicKey::new(algorithm, &self.point).verify(message, signature).is_ok();
        match self.curve {
            Curve::P256 => ring(&ECDSA_P256_SHA256_ASN1) || ring(&ECDSA_P256_SHA384_ASN1),
            Curve::P384 => ring(&ECDSA_P384_SHA384_ASN1) || ring(&ECDSA_P384_SHA256_ASN1),
            Curve::P521 => {
                let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(&self.point);
                let signature = p521::ecdsa::Signature::from_der(signature);
                matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok())
            }
        }
    }
}

/// A private key.
pub struct OmsSigner {
    pair: Pair,
    random: SystemRandom,
}

enum Pair {
    Ring(Curve, EcdsaKeyPair),
    P521(Box<p521::ecdsa::SigningKey>),
}

impl OmsSigner {
    /// Reads a PEM file that is not encrypted (PKCS#8).
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
        if pem.windows(9).any(|window| window == b"ENCRYPTED") {
            return Err(KeyFault::Encrypted);
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| KeyFault::NoPrivateKey)?;
        let (der, random) = (der.secret_pkcs8_der(), SystemRandom::new());
        for (curve, algorithm) in
            [(Curve::P256, &ECDSA_P256_SHA256_ASN1_SIGNING), (Curve::P384, &ECDSA_P384_SHA384_ASN1_SIGNING)]
        {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der, &random) {
                return Ok(Self { pair: Pair::Ring(curve, pair), random });
            }
        }
        let secret = <p521::SecretKey as p521::pkcs8::DecodePrivateKey>::from_pkcs8_der(der);
        let secret = secret.map_err(|_| KeyFault::OtherKind)?;
        let key = p521::ecdsa::SigningKey::from_slice(&secret.to_bytes()).map_err(|_| KeyFault::OtherKind)?;
        Ok(Self { pair: Pair::P521(Box::new(key)), random })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> OmsKey {
        match &self.pair {
            Pair::Ring(curve, pair) => OmsKey { curve: *curve, point: pair.public_key().as_ref().to_owned() },
            Pair::P521(key) => {
                let point = p521::ecdsa::VerifyingKey::from(&**key).to_encoded_point(false).as_bytes().to_owned();
                OmsKey { curve: Curve::P521, point }
            }
        }
    }

    /// Signs; the signature is ASN.1.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        match &self.pair {
            Pair::Ring(_, pair) => {
                let signed = pair.sign(&self.random, message).map_err(|_| KeyFault::NoRandomness)?;
                Ok(signed.as_ref().to_vec())
            }
            Pair::P521(key) => {
                let signature: p521::ecdsa::Signature = key.try_sign(message).map_err(|_| KeyFault::NoRandomness)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
        }
    }
}

impl std::fmt::Debug for OmsSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OmsSigner").field("public", &self.public().hint()).finish_non_exhaustive()
    }
}
