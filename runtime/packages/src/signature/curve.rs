//! ECDSA keys on the curves that OpenSSF Model Signing wants, each with the hash that goes with it.
//!
//! `ring` has P-256 and P-384 and no P-521, so that one comes from RustCrypto (`p521`).

use p521::{
    ecdsa::signature::{Signer as _, Verifier as _},
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _},
};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
        EcdsaKeyPair, KeyPair, UnparsedPublicKey,
    },
};

use super::key::KeyFault;

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
    /// All of them.
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The curve of a key in its SPKI form, and its uncompressed point.
    pub(super) fn point_in(spki: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL.into_iter().find_map(|curve| {
            let point = spki.strip_prefix(curve.spki())?;
            (point.len() == curve.point() && point[0] == 4).then_some((curve, point))
        })
    }

    /// What stands before the uncompressed point in a key's SPKI form (RFC 5480).
    pub(super) const fn spki(self) -> &'static [u8] {
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

    /// Whether `signature` (ASN.1) is over `message`, by the key with this point.
    pub(super) fn verifies(self, point: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let ring = |algorithm| UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok();
        match self {
            Self::P256 => ring(&ECDSA_P256_SHA256_ASN1),
            Self::P384 => ring(&ECDSA_P384_SHA384_ASN1),
            Self::P521 => {
                let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point);
                let signature = p521::ecdsa::Signature::from_der(signature);
                matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok())
            }
        }
    }

    /// Makes a new key, in PKCS#8.
    pub(super) fn generate(self) -> Result<Vec<u8>, KeyFault> {
        let ring = |algorithm| {
            let made = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new());
            made.map(|der| der.as_ref().to_vec()).map_err(|_| KeyFault::NoRandomness)
        };
        match self {
            Self::P256 => ring(&ECDSA_P256_SHA256_ASN1_SIGNING),
            Self::P384 => ring(&ECDSA_P384_SHA384_ASN1_SIGNING),
            Self::P521 => loop {
                // The field's bytes, of which the first has one bit: nearly every second one is a number below the order.
                let mut secret = [0; 66];
                getrandom::fill(&mut secret).map_err(KeyFault::Random)?;
                secret[0] &= 1;
                let Ok(key) = p521::SecretKey::from_slice(&secret) else { continue };
                return key.to_pkcs8_der().map(|der| der.as_bytes().to_vec()).map_err(|_| KeyFault::OtherKind);
            },
        }
    }
}

/// A private key on a curve.
pub(super) enum CurveKey {
    Ring(Curve, Box<EcdsaKeyPair>),
    P521(Box<p521::ecdsa::SigningKey>),
}

impl CurveKey {
    /// Of its PKCS#8 form.
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        for (curve, algorithm) in
            [(Curve::P256, &ECDSA_P256_SHA256_ASN1_SIGNING), (Curve::P384, &ECDSA_P384_SHA384_ASN1_SIGNING)]
        {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der, &SystemRandom::new()) {
                return Some(Self::Ring(curve, Box::new(pair)));
            }
        }
        let secret = p521::SecretKey::from_pkcs8_der(der).ok()?;
        Some(Self::P521(Box::new(p521::ecdsa::SigningKey::from_slice(&secret.to_bytes()).ok()?)))
    }

    pub(super) const fn curve(&self) -> Curve {
        match self {
            Self::Ring(curve, _) => *curve,
            Self::P521(_) => Curve::P521,
        }
    }

    /// The uncompressed point of its public half.
    pub(super) fn point(&self) -> Vec<u8> {
        match self {
            Self::Ring(_, pair) => pair.public_key().as_ref().to_owned(),
            Self::P521(key) => p521::ecdsa::VerifyingKey::from(&**key).to_sec1_point(false).as_bytes().to_owned(),
        }
    }

    /// Signs; the signature is ASN.1.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        match self {
            Self::Ring(_, pair) => {
                let signed = pair.sign(&SystemRandom::new(), message).map_err(|_| KeyFault::NoRandomness)?;
                Ok(signed.as_ref().to_vec())
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature = key.try_sign(message).map_err(|_| KeyFault::NoRandomness)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
        }
    }
}
