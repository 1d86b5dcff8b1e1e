//! What the folders of models in a data folder are called: whoever writes one and whoever sweeps up after a crash say the same.

use crate::artifact::Digest;

/// The folder of all models in the data folder.
pub const MODEL_FOLDERS: &str = "models";
/// How the name of a folder begins that is being written.
pub const MODEL_INCOMING: &str = ".incoming-";
/// How the name of a folder begins that is being removed.
pub const MODEL_REMOVED: &str = ".removed-";
/// How the name of a version's folder begins.
const VERSION: &str = "sha256-";

/// The name of a version's folder, by the digest of its manifest.
#[must_use]
pub fn model_folder(digest: &Digest) -> String {
    format!("{VERSION}{}", digest.hex())
}

/// The digest that the name of a version's folder says; none where it is no such name.
#[must_use]
pub fn model_folder_digest(name: &str) -> Option<Digest> {
    format!("sha256:{}", name.strip_prefix(VERSION)?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_says_its_digest() {
        let digest = Digest::of(b"x");
        assert_eq!(model_folder_digest(&model_folder(&digest)), Some(digest));
        for other in ["sha256-", "sha256-zz", ".incoming-1", "notes"] {
            assert_eq!(model_folder_digest(other), None, "{other}");
        }
    }
}
