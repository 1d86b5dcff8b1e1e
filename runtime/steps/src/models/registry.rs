//! The registry's models, as the database and their folders say them.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex},
};

use trackside_codes::Reason;
use trackside_models::{
    ModelError,
    package::{FileEntry, Kept, Manifest, Shelf},
};
use trackside_serving::{Content, Version};
use trackside_spec::Digest;
use trackside_store::{ModelRow, Readers};
use trackside_sync::lock;

use super::catalog::labels;

/// Most versions whose manifests are kept in memory.
const KEPT: usize = 1000;

/// A model's versions by number, and what its aliases name.
type Found = (BTreeMap<u32, Version>, BTreeMap<String, u32>);

/// The registry.
pub(super) struct Registry {
    readers: Arc<Readers>,
    shelf: Shelf,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The newest change that is known.
    change: i64,
    /// Models that were asked for since.
    models: HashMap<String, Option<Found>>,
    /// What never changes, by the digest of a manifest.
    versions: HashMap<Digest, Version>,
}

impl Registry {
    pub(super) fn new(data_dir: &Path, readers: Arc<Readers>) -> Self {
        Self { readers, shelf: Shelf::of(data_dir), known: Mutex::default() }
    }

    /// A model's versions and aliases; `None` when it has no version.
    pub(super) fn find(&self, name: &str) -> Result<Option<Found>, Reason> {
        if !self.readers.is_there() {
            return Ok(None);
        }
        let asked = self.readers.with(|reader| {
            let change = reader.models_changed()?;
            let mut known = lock(&self.known);
            if known.change != change {
                (known.change, known.models) = (change, HashMap::new());
            }
            if let Some(found) = known.models.get(name) {
                return Ok(Ok(found.clone()));
            }
            drop(known);
            Ok(Err((change, reader.model(name)?)))
        });
        let (change, row) = match asked.map_err(Reason::of)? {
            Ok(found) => return Ok(found),
            Err(read) => read,
        };
        let found = row.filter(|row| !row.versions.is_empty()).map(|row| self.read(row));
        let mut known = lock(&self.known);
        // What was read may be newer than the change that was asked for before; it is not kept as if it were older.
        if known.change == change && known.models.len() < KEPT {
            known.models.insert(name.to_owned(), found.clone());
        }
        Ok(found)
    }

    /// Every model that has a version.
    pub(super) fn names(&self) -> Result<Vec<String>, Reason> {
        if !self.readers.is_there() {
            return Ok(Vec::new());
        }
        let models = self.readers.with(trackside_store::Reader::models).map_err(Reason::of)?;
        Ok(models.into_iter().filter(|row| !row.versions.is_empty()).map(|row| row.name).collect())
    }

    fn read(&self, row: ModelRow) -> Found {
        let versions = row.versions.iter().map(|version| (version.version, self.version(&version.digest)));
        let aliases = row.aliases.iter().map(|alias| (alias.alias.clone(), alias.version));
        (versions.collect(), aliases.collect())
    }

    fn version(&self, digest: &Digest) -> Version {
        if let Some(version) = lock(&self.known).versions.get(digest) {
            return version.clone();
        }
        match self.open(digest) {
            Ok(version) => {
                let mut known = lock(&self.known);
                if known.versions.len() < KEPT {
                    known.versions.insert(*digest, version.clone());
                }
                version
            }
            // It is there, and does not load: who asks for it is told why.
            Err(reason) => {
                let of = Version::of(self.shelf.folder(digest), Content::Registered(*digest));
                Version { damaged: Some(reason.to_string()), ..of }
            }
        }
    }

    /// A version's package, as it lies there now.
    pub(super) fn kept(&self, digest: &Digest) -> Result<Kept, ModelError> {
        let opened = self.shelf.open(digest);
        opened.map_err(|error| ModelError::File { path: self.shelf.folder(digest), reason: Reason::of(error) })
    }

    fn open(&self, digest: &Digest) -> Result<Version, Reason> {
        let kept = self.shelf.open(digest).map_err(Reason::of)?;
        let manifest = &kept.manifest;
        // What was changed since is not answered with.
        kept.verify_some(manifest.labels.values()).map_err(Reason::of)?;
        let mut classes = BTreeMap::new();
        for (output, file) in &manifest.labels {
            classes.insert(output.clone(), labels(&kept.folder.join(file))?);
        }
        let expected = digests_of(manifest);
        Ok(Version {
            selftest: kept.golden(),
            engine: manifest.engine,
            labels: classes,
            expected,
            ..Version::of(kept.model(), Content::Registered(*digest))
        })
    }
}

/// What the files of a version must be, by their names as the model names its weights: from its own folder on.
pub fn digests_of(manifest: &Manifest) -> BTreeMap<String, Digest> {
    let folder = manifest.model.rsplit_once('/').map_or("", |(folder, _)| folder);
    let own = |file: &FileEntry| {
        let path = match folder {
            "" => Some(file.path.as_str()),
            // What lies elsewhere is no weight file of the model, whatever it is called.
            folder => file.path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
        };
        path.map(|path| (path.to_owned(), file.digest))
    };
    manifest.files.iter().filter_map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_elsewhere_is_no_weight_file_of_a_model() {
        let file = |path: &str| FileEntry { path: path.to_owned(), size: 1, digest: Digest::of(path.as_bytes()) };
        let paths = ["a/m.onnx", "a/w.data", "ab/w.data", "m.onnx", "w.data"];
        let digests = |model: &str| digests_of(&Manifest::new(model.to_owned(), paths.map(file).to_vec()));
        let of = |names: &[(&str, &str)]| {
            names
                .iter()
                .map(|(name, path)| ((*name).to_owned(), Digest::of(path.as_bytes())))
                .collect::<BTreeMap<_, _>>()
        };
        assert_eq!(digests("a/m.onnx"), of(&[("m.onnx", "a/m.onnx"), ("w.data", "a/w.data")]));
        assert_eq!(digests("m.onnx"), of(&paths.map(|path| (path, path))));
    }
}
