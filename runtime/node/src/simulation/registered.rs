//! What the world saw on disk of models, and that it stays there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use trackside_spec::{CHAMPION, Digest, ModelVersion, model_folder};
use trackside_store::{AddedModel, MovedAlias, Txn, Write};

use super::{machine::Machine, models::NAMES, witness::Witness, world::World};

/// Which version each alias of a model names.
type Aliases = BTreeMap<String, u32>;

/// What was committed about models.
#[derive(Default)]
pub struct Registered {
    last: BTreeMap<String, u32>,
    /// By name and version: the package, and what its model adds.
    versions: BTreeMap<(String, u32), Digest>,
    pub aliases: BTreeMap<(String, String), u32>,
    /// Every version that there ever was.
    pub ever: BTreeSet<(String, u32, Digest)>,
    /// After each change of a name, in the order of the commits: when, and what its aliases named.
    past: BTreeMap<String, Vec<(i64, Aliases)>>,
    /// What the model in a package adds to its input, and the digest of its file.
    pub adds: BTreeMap<Digest, f32>,
    pub files: BTreeMap<Digest, Digest>,
}

impl Registered {
    fn aliases_of(&self, name: &str) -> Aliases {
        let own = self.aliases.iter().filter(|((of, _), _)| of == name);
        own.map(|((_, alias), version)| (alias.clone(), *version)).collect()
    }

    pub fn versions_of(&self, name: &str) -> BTreeMap<u32, Digest> {
        let own = self.versions.iter().filter(|((of, _), _)| of == name);
        own.map(|((_, version), digest)| (*version, *digest)).collect()
    }

    pub fn number(&self, name: &str, which: &ModelVersion) -> Option<u32> {
        let alias = match which {
            ModelVersion::Number(number) => {
                return self.versions.contains_key(&(name.to_owned(), *number)).then_some(*number);
            }
            ModelVersion::Alias(alias) => alias,
            ModelVersion::Unsaid => CHAMPION,
        };
        self.aliases.get(&(name.to_owned(), alias.to_owned())).copied()
    }
}

impl Witness {
    /// What a transaction says of models.
    pub fn registered(&mut self, txn: &Txn) {
        for write in &txn.writes {
            let known = &mut self.models;
            let (name, at_ms) = match write {
                Write::ModelAdded(AddedModel { name, version, digest, at_ms, .. }) => {
                    let last = known.last.insert(name.clone(), *version).unwrap_or(0);
                    assert_eq!(*version, last + 1, "a number of a version is never given twice: {name}");
                    known.versions.insert((name.clone(), *version), *digest);
                    known.ever.insert((name.clone(), *version, *digest));
                    (name, at_ms)
                }
                Write::ModelAliasMoved(MovedAlias { name, alias, to, at_ms, .. }) => {
                    let key = (name.clone(), alias.clone());
                    let from = match to {
                        Some(version) => known.aliases.insert(key, *version),
                        None => known.aliases.remove(&key),
                    };
                    if from == *to {
                        // It is no change, and the history says nothing of it.
                        continue;
                    }
                    (name, at_ms)
                }
                Write::ModelRemoved { name, version, at_ms, .. } => {
                    assert!(!known.aliases_of(name).values().any(|named| named == version), "a named version stays");
                    known.versions.remove(&(name.clone(), *version));
                    (name, at_ms)
                }
                _ => continue,
            };
            let aliases = known.aliases_of(name);
            known.past.entry(name.clone()).or_default().push((*at_ms, aliases));
            self.saw(match write {
                Write::ModelAdded(_) => "versions of models",
                Write::ModelRemoved { .. } => "versions of models that went",
                _ => "aliases that moved",
            });
        }
    }

    /// A step says which version answered it.
    pub fn answered_by(&self, title: &str, digest: &Digest) {
        let (name, version) = title.split_once('@').expect("a version of the registry");
        let known = &self.models.ever;
        let is_known = known.iter().any(|(of, number, package)| {
            of == name && number.to_string() == version && self.models.files.get(package) == Some(digest)
        });
        assert!(is_known, "a run's journal names a version that the registry had: {title}");
    }
}

/// What is on disk of the registry is what was committed, at every start and at the end.
pub fn check(world: &World, machine: &Machine) {
    let witness = world.witness.lock().unwrap();
    let known = &witness.models;
    for name in NAMES {
        let row = machine.reader.model(name).unwrap();
        let versions: BTreeMap<u32, Digest> =
            row.iter().flat_map(|row| &row.versions).map(|version| (version.version, version.digest)).collect();
        assert_eq!(versions, known.versions_of(name), "versions are as they were committed: {name}");
        let aliases: Aliases =
            row.iter().flat_map(|row| &row.aliases).map(|alias| (alias.alias.clone(), alias.version)).collect();
        assert_eq!(aliases, known.aliases_of(name), "aliases are as they were committed: {name}");
        // The last change that is not younger, in the order of the commits: the clock is set back at times.
        let Some(past) = known.past.get(name) else { continue };
        for (at_ms, _) in past.iter().rev().take(4) {
            let then = past.iter().rev().find(|(time, _)| time <= at_ms).map(|(_, aliases)| aliases.clone());
            let found = machine.reader.model_at(name, *at_ms).unwrap();
            let found = found.map(|then| then.aliases.into_iter().map(|(alias, at)| (alias, at.version)).collect());
            assert_eq!(found, then, "the history says what answered then: {name} {at_ms}");
        }
    }
    let found: BTreeSet<String> = fs::read_dir(machine.committer.data_dir().join("models"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let rows: BTreeSet<String> = known.versions.values().map(model_folder).collect();
    assert_eq!(found, rows, "after a start every version has its folder, and every folder its version");
}
