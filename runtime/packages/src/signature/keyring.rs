//! The keys whose signatures count.

use std::path::Path;

use trackside_spec::Digest;

use super::{
    key::{KeyError, PublicKey},
    proof::Proof,
};

/// The public keys of a config, in its order.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    /// Each with the name of its file, as the config has it.
    keys: Vec<(String, PublicKey)>,
}

/// What the signatures of a component are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// One of the keys vouches for it.
    Signed {
        /// The key's file, as the config names it.
        key: String,
        /// The key's id.
        id: Digest,
        /// The proof that convinced.
        proof: Proof,
    },
    /// None does; a sentence about what there is instead.
    NotSigned(String),
}

impl Keyring {
    /// Reads the keys that a config names, relative to the project at `root`.
    ///
    /// # Errors
    /// For the first that can not be used: a keyring with a hole could refuse what is fine.
    pub fn read(root: &Path, files: &[String]) -> Result<Self, KeyError> {
        let keys = files.iter().map(|file| Ok((file.clone(), PublicKey::read(&root.join(file))?)));
        Ok(Self { keys: keys.collect::<Result<_, KeyError>>()? })
    }

    /// The keys, each with the name of its file.
    pub(crate) fn keys(&self) -> &[(String, PublicKey)] {
        &self.keys
    }

    /// Judges a component by the signatures that came with it.
    #[must_use]
    pub fn judge(&self, component: &[u8], digest: &Digest, proofs: &[Proof]) -> Verdict {
        if proofs.is_empty() {
            return Verdict::NotSigned("there is no signature".to_owned());
        }
        if self.keys.is_empty() {
            return Verdict::NotSigned(
                "there is a signature, but [plugins] keys names no key to check it with".to_owned(),
            );
        }
        let mut doubt = None;
        for proof in proofs {
            for (name, key) in &self.keys {
                match proof.is_by(key, component, digest) {
                    Ok(true) => return Verdict::Signed { key: name.clone(), id: key.id(), proof: proof.clone() },
                    Ok(false) => {}
                    Err(reason) => doubt = Some(reason.to_string()),
                }
            }
        }
        let files = self.keys.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        Verdict::NotSigned(doubt.unwrap_or_else(|| format!("its signature is by none of the keys ({files})")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{Algorithm, Curve, SigningKey};

    #[test]
    fn one_good_signature_among_others_is_enough_and_no_signature_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<SigningKey> = [Algorithm::Ed25519, Algorithm::Ecdsa(Curve::P256)]
            .into_iter()
            .map(|algorithm| SigningKey::from_pem(SigningKey::generate(algorithm).unwrap().as_bytes()).unwrap())
            .collect();
        for (name, key) in ["a.pub", "b.pub"].into_iter().zip(&keys) {
            std::fs::write(folder.path().join(name), key.public().to_pem()).unwrap();
        }
        let ring = Keyring::read(folder.path(), &["b.pub".to_owned()]).unwrap();
        let (component, digest) = (b"component".as_slice(), Digest::of(b"component"));
        let proofs: Vec<Proof> =
            keys.iter().map(|key| Proof::detached(&key.sign_base64(component).unwrap()).unwrap()).collect();
        let Verdict::Signed { key, id, proof } = ring.judge(component, &digest, &proofs) else { panic!() };
        assert_eq!((key.as_str(), id, &proof), ("b.pub", keys[1].public().id(), &proofs[1]));
        for (proofs, words) in [(&proofs[..1], "none of the keys (b.pub)"), (&[], "no signature")] {
            let Verdict::NotSigned(reason) = ring.judge(component, &digest, proofs) else { panic!() };
            assert!(reason.contains(words), "{reason}");
        }
        let Verdict::NotSigned(reason) = Keyring::default().judge(component, &digest, &proofs) else { panic!() };
        assert!(reason.contains("names no key"), "{reason}");
        let missing = Keyring::read(folder.path(), &["c.pub".to_owned()]).unwrap_err().to_string();
        assert!(missing.contains("TS-0609") && missing.contains("c.pub"), "{missing}");
    }
}
