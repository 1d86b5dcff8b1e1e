//! What is in force of a model: its versions as they are served, and which of them its aliases name.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use trackside_spec::{CHAMPION, ModelVersion, config::EngineChoice, nearest};
use trackside_sync::lock;

use crate::{
    catalog::Entry, clock::Clock, error::ServeError, gcra::Meter, settings::ModelSettings, slot::Slot, watch::Learned,
};

/// What is in force of a model. It is replaced as a whole.
pub(crate) struct Resolution {
    pub(crate) name: String,
    pub(crate) entry: Entry,
    pub(crate) settings: Arc<ModelSettings>,
    /// What each alias names in force: another version than the entry says while the new one is being loaded.
    pub(crate) aliases: BTreeMap<String, u32>,
    /// Versions by number and engine, those that somebody has asked for.
    slots: Mutex<HashMap<(u32, EngineChoice), Arc<Slot>>>,
    pub(crate) meter: Arc<Mutex<Meter>>,
    clock: Arc<dyn Clock>,
    /// When it was compared with what is said.
    pub(crate) looked: Mutex<Duration>,
    /// What was said and could not be taken up, when, and why.
    pub(crate) refused: Mutex<Option<(Entry, Duration, ServeError)>>,
    learned: Learned,
}

impl Resolution {
    /// Of what is said, with what stays of the one before: versions whose content is the same stay loaded.
    pub(crate) fn new(
        name: &str,
        entry: Entry,
        before: Option<&Self>,
        clock: &Arc<dyn Clock>,
        learned: &Learned,
    ) -> Self {
        let same = before.filter(|before| before.entry.settings == entry.settings);
        let settings = same.map_or_else(|| Arc::new(entry.settings.clone()), |before| before.settings.clone());
        let mut slots = HashMap::new();
        if let Some(before) = same {
            for (key, slot) in &*lock(&before.slots) {
                if entry.versions.get(&key.0) == Some(&slot.version) {
                    slots.insert(*key, slot.clone());
                }
            }
        }
        Self {
            name: name.to_owned(),
            aliases: entry.aliases.clone(),
            settings,
            entry,
            slots: Mutex::new(slots),
            meter: before.map(|before| before.meter.clone()).unwrap_or_default(),
            looked: Mutex::new(clock.running()),
            clock: clock.clone(),
            refused: Mutex::default(),
            learned: learned.clone(),
        }
    }

    /// The same with other aliases in force.
    pub(crate) fn with_aliases(self, aliases: BTreeMap<String, u32>) -> Self {
        Self { aliases, ..self }
    }

    /// The number of the version that is meant.
    pub(crate) fn number(&self, which: &ModelVersion) -> Result<u32, ServeError> {
        let alias = match which {
            ModelVersion::Number(number) if self.entry.versions.contains_key(number) => return Ok(*number),
            ModelVersion::Number(number) => {
                let known = numbers(self.entry.versions.keys());
                return Err(ServeError::UnknownVersion { name: self.name.clone(), version: *number, known });
            }
            ModelVersion::Alias(alias) => alias,
            ModelVersion::Unsaid => CHAMPION,
        };
        self.aliases.get(alias).copied().filter(|number| self.entry.versions.contains_key(number)).ok_or_else(|| {
            let known: Vec<&str> = self.aliases.keys().map(String::as_str).collect();
            let near = nearest(alias, known.iter().copied()).map(str::to_owned);
            let known = match known.as_slice() {
                [] => "it has none; `trackside model alias` sets one".to_owned(),
                known => format!("it has {}", known.join(", ")),
            };
            ServeError::UnknownAlias { name: self.name.clone(), alias: alias.to_owned(), near, known }
        })
    }

    /// A version on an engine.
    pub(crate) fn slot(&self, number: u32, engine: Option<EngineChoice>) -> Option<Arc<Slot>> {
        let version = self.entry.versions.get(&number)?;
        let engine = engine.unwrap_or(version.engine);
        let mut slots = lock(&self.slots);
        let new = || {
            let (settings, clock) = (self.settings.clone(), self.clock.clone());
            Slot::new(&self.name, number, version.clone(), engine, settings, clock, &self.learned)
        };
        Some(slots.entry((number, engine)).or_insert_with(new).clone())
    }

    /// The versions that somebody has asked for.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        lock(&self.slots).values().cloned().collect()
    }
}

/// `1, 2, 3`, and no more of them than a message should have.
fn numbers<'a>(numbers: impl Iterator<Item = &'a u32>) -> String {
    const NAMED: usize = 12;
    let all: Vec<String> = numbers.map(u32::to_string).collect();
    match all.len() {
        0 => "none".to_owned(),
        many if many > NAMED => format!("{} and {} before them", all[many - NAMED..].join(", "), many - NAMED),
        _ => all.join(", "),
    }
}
