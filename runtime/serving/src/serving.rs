//! The models of this box, in service.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, RwLock},
    thread,
    time::Duration,
};

use tokio::sync::watch;
use trackside_codes::{Class, Coded as _, Reason};
use trackside_models::Engines;
use trackside_spec::{CHAMPION, ModelVersion, config::EngineChoice, nearest};
use trackside_sync::{lock, read, write};

use crate::{
    catalog::{Catalog, Content, Entry},
    clock::Clock,
    drift::{Board, DriftState, KeyKind},
    error::ServeError,
    measure::Measured,
    predict::Served,
    request::Asker,
    resolution::Resolution,
    rollout::{Arm, NewTrial, Trial, shadow::Shadow, trials::Trials},
    settings::ServingSettings,
    slot::{Loader, Slot, SlotState},
    statistics::Statistics,
    watch::{Bell, Learned},
};

/// How long what was said of a model's file is taken for true without another look, by a caller that may not wait.
const LOOK: Duration = Duration::from_secs(1);

/// How long a new version that could not be loaded is not tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// The models of this box, in service. Clones are the same.
#[derive(Clone)]
pub struct Serving(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    catalog: Arc<dyn Catalog>,
    pub(crate) settings: ServingSettings,
    pub(crate) loader: Loader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) learned: Learned,
    pub(crate) shadow: Shadow,
    pub(crate) trials: Trials,
    models: RwLock<HashMap<String, Arc<Resolution>>>,
    /// Held by whoever brings a model up to what is said of it. One at a time: of two that cross, the older would win.
    bringing: Mutex<()>,
}

/// A version, as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionState {
    /// Its number.
    pub version: u32,
    /// The aliases that name it, those in force.
    pub aliases: Vec<String>,
    /// What it is at, for each engine that it was asked for on; empty when nobody has asked.
    pub engines: Vec<(EngineChoice, SlotState, Statistics)>,
    /// What was measured when it was warmed up, where it is loaded.
    pub measured: Option<Measured>,
    /// How many run and wait.
    pub under_way: (usize, usize),
}

impl Serving {
    /// Nothing is loaded and nothing is read yet.
    pub fn new(
        catalog: Arc<dyn Catalog>,
        engines: Arc<Engines>,
        settings: ServingSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let learned = Learned::new(clock.clone());
        let loader = Loader { engines, catalog: catalog.clone(), one: Mutex::default() };
        Self(Arc::new(Inner {
            catalog,
            settings,
            loader,
            clock,
            learned,
            shadow: Shadow::default(),
            trials: Trials::default(),
            models: RwLock::default(),
            bringing: Mutex::default(),
        }))
    }

    /// The engines of this box.
    #[must_use]
    pub fn engines(&self) -> &Arc<Engines> {
        &self.0.loader.engines
    }

    /// Rung when something is to be kept of what was learned from requests.
    #[must_use]
    pub fn bell(&self) -> &Arc<Bell> {
        &self.0.learned.bell
    }

    /// All that is watched for drift.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.0.learned.board
    }

    /// Whether what a model is asked, or what it answers, has moved away from its reference: of the version that answers whoever names
    /// none. What is on disk counts.
    #[must_use]
    pub fn drift_state(&self, name: &str) -> DriftState {
        let number = self.number(name, &ModelVersion::Unsaid);
        number.map_or(DriftState::Unknown, |number| self.drift_state_of(name, number))
    }

    /// The same of one version.
    #[must_use]
    pub fn drift_state_of(&self, name: &str, version: u32) -> DriftState {
        // What was seen before it was turned off is of no use any more.
        if self.0.known(name).is_ok_and(|resolution| !resolution.settings.drift.enabled) {
            return DriftState::Unknown;
        }
        self.0.learned.board.state(KeyKind::Model, name, version)
    }

    /// Where models are said.
    #[must_use]
    pub fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.0.catalog
    }

    /// The version that is meant, loaded, tested and warm, for a caller that may wait on its thread: what changed is looked at
    /// first, so that it is the newest.
    ///
    /// # Errors
    /// When there is no such model, version or alias, or it can not be loaded.
    pub fn open_here(
        &self,
        name: &str,
        which: &ModelVersion,
        engine: Option<EngineChoice>,
    ) -> Result<Served, ServeError> {
        let resolution = self.0.bring(name)?;
        self.0.load(&resolution, resolution.number(which)?, engine)
    }

    /// The same for somebody who asks: while a rollout goes on, by the version that answers him.
    ///
    /// # Errors
    /// As of [`Serving::open_here`].
    pub fn open_here_for(
        &self,
        name: &str,
        which: &ModelVersion,
        engine: Option<EngineChoice>,
        asker: Asker<'_>,
    ) -> Result<Served, ServeError> {
        let stable = self.open_here(name, which, engine)?;
        Ok(self.0.in_trial(stable, which, engine, asker))
    }

    /// The version that is meant, loaded, tested and warm, for a caller that may not wait: while a new version, or a changed file, is
    /// being loaded, the one before answers.
    ///
    /// # Errors
    /// As of [`Serving::open_here`].
    pub async fn open(
        &self,
        name: &str,
        which: &ModelVersion,
        engine: Option<EngineChoice>,
    ) -> Result<Served, ServeError> {
        // Twice: of many that come while it is being loaded, one blocks a thread.
        for _ in 0..2 {
            if let Some(served) = self.0.open_now(name, which, engine) {
                return Ok(served);
            }
            let Some(mut loading) = self.0.loading(name, which, engine) else { break };
            // The sender goes when it is done, whatever came of it.
            let _ = loading.changed().await;
        }
        let (serving, name_here, which) = (self.clone(), name.to_owned(), which.clone());
        let opened = tokio::task::spawn_blocking(move || serving.open_here(&name_here, &which, engine)).await;
        opened.unwrap_or_else(|error| {
            let reason = Reason::by(Class::Bug, error);
            Err(ServeError::Lost { name: name.to_owned(), reason })
        })
    }

    /// The same for somebody who asks: while a rollout goes on, by the version that answers him.
    ///
    /// # Errors
    /// As of [`Serving::open_here`].
    pub async fn open_for(
        &self,
        name: &str,
        which: &ModelVersion,
        engine: Option<EngineChoice>,
        asker: Asker<'_>,
    ) -> Result<Served, ServeError> {
        let stable = self.open(name, which, engine).await?;
        Ok(self.0.in_trial(stable, which, engine, asker))
    }

    /// Brings what is in force up to what is said, of one model or of all that somebody has asked for: new versions that an alias
    /// names are loaded first where the old ones are, then take their place between two requests. Blocks until it is done.
    ///
    /// # Errors
    /// The first model whose new version can not be loaded; the one before goes on to answer, and the others are brought up too.
    pub fn refresh(&self, name: Option<&str>) -> Result<(), ServeError> {
        let names: Vec<String> = match name {
            Some(name) => vec![name.to_owned()],
            None => read(&self.0.models).keys().cloned().collect(),
        };
        let mut first = Ok(());
        for name in names {
            let problem = match self.0.bring_and_tell(&name) {
                Ok((_, problem)) => problem,
                // It was removed, and nobody gets it any more.
                Err(ServeError::UnknownModel { .. }) => None,
                Err(error) => Some(error),
            };
            if let (Ok(()), Some(error)) = (&first, problem) {
                first = Err(error);
            }
        }
        first
    }

    /// Loads the models that are to be loaded before anybody asks. Blocks; says for each that can not be loaded why.
    pub fn start(&self) -> Vec<ServeError> {
        let names = match self.0.catalog.names() {
            Ok(names) => names,
            Err(reason) => return vec![ServeError::Catalog { name: "*".to_owned(), reason }],
        };
        let mut problems = Vec::new();
        for name in names {
            let loaded = self.0.bring(&name).and_then(|resolution| {
                if resolution.settings.at_start {
                    self.0.load(&resolution, resolution.number(&ModelVersion::Unsaid)?, None)?;
                }
                Ok(())
            });
            problems.extend(loaded.err());
        }
        problems
    }

    /// Gives back the memory of a model's versions, or of one. Who runs one goes on; who asks for it next has it loaded again.
    pub fn unload(&self, name: &str, version: Option<u32>) {
        let Some(resolution) = read(&self.0.models).get(name).cloned() else { return };
        let meant = |slot: &&Arc<Slot>| version.is_none_or(|version| slot.number == version);
        resolution.slots().iter().filter(meant).for_each(|slot| slot.unload());
    }

    /// Loads a version anew that could not be loaded or was set aside. An alias that waited for it names it from then on.
    ///
    /// # Errors
    /// As of [`Serving::open_here`].
    pub fn load(&self, name: &str, which: &ModelVersion) -> Result<Served, ServeError> {
        let resolution = self.0.bring(name)?;
        let number = resolution.number(which)?;
        resolution.slots().iter().filter(|slot| slot.number == number).for_each(|slot| slot.forgive());
        let served = self.0.load(&resolution, number, None)?;
        let waited = lock(&resolution.refused).take().is_some();
        if waited {
            self.0.bring(name)?;
        }
        Ok(served)
    }

    /// Tries again what could not be loaded: something that it lacked may be there. Blocks; what is still wrong is told where it arises.
    pub fn try_again(&self) {
        let models: Vec<Arc<Resolution>> = read(&self.0.models).values().cloned().collect();
        for resolution in models {
            let has_failed = |slot: &&Arc<Slot>| matches!(slot.state(), SlotState::Failed { .. });
            resolution.slots().iter().filter(has_failed).for_each(|slot| slot.forgive());
            let waited = lock(&resolution.refused).take().is_some();
            if waited && let Err(error) = self.0.bring(&resolution.name) {
                tracing::error!(model = resolution.name, code = %error.code(), "{error}");
            }
        }
    }

    /// Every model's versions, as they stand. Reads what is said of them.
    ///
    /// # Errors
    /// When that can not be read.
    pub fn list(&self) -> Result<Vec<(String, Vec<VersionState>)>, ServeError> {
        let names = self.0.catalog.names();
        let names = names.map_err(|reason| ServeError::Catalog { name: "*".to_owned(), reason })?;
        names.into_iter().map(|name| self.state(&name).map(|states| (name, states))).collect()
    }

    /// A model's versions, as they stand.
    ///
    /// # Errors
    /// When there is none of that name, or what is said of it can not be read.
    pub fn state(&self, name: &str) -> Result<Vec<VersionState>, ServeError> {
        let resolution = self.0.known(name)?;
        let slots = resolution.slots();
        let states = resolution.entry.versions.keys().map(|number| {
            let aliases = resolution.aliases.iter().filter(|(_, named)| *named == number);
            let mine: Vec<&Arc<Slot>> = slots.iter().filter(|slot| slot.number == *number).collect();
            let under_way = mine.iter().fold((0, 0), |(running, waiting), slot| {
                let lane = lock(&slot.lane);
                (running + lane.running(), waiting + lane.waiting())
            });
            VersionState {
                version: *number,
                aliases: aliases.map(|(alias, _)| alias.clone()).collect(),
                engines: mine.iter().map(|slot| (slot.engine, slot.state(), slot.counts.read())).collect(),
                measured: mine.iter().find_map(|slot| slot.measured()),
                under_way,
            }
        });
        Ok(states.collect())
    }

    /// What is in force of a model, as it is said.
    ///
    /// # Errors
    /// When there is none of that name, or what is said of it can not be read.
    pub fn entry(&self, name: &str) -> Result<Entry, ServeError> {
        Ok(self.0.known(name)?.entry.clone())
    }

    /// Loads both versions of a rollout, for as long as that takes.
    ///
    /// # Errors
    /// When one of them can not be loaded.
    pub fn prepare(&self, model: &str, stable: u32, candidate: u32) -> Result<(), ServeError> {
        let resolution = self.0.bring(model)?;
        self.0.load(&resolution, stable, None)?;
        self.0.load(&resolution, candidate, None).map(drop)
    }

    /// A rollout of a model goes on here. Nobody is answered by the candidate before [`Serving::admit`].
    #[must_use]
    pub fn begin(&self, new: NewTrial) -> Arc<Trial> {
        Trial::new(new, self.0.clock.clone(), self.0.learned.bell.clone())
    }

    /// From now on the candidate answers its share.
    pub fn admit(&self, trial: &Arc<Trial>) {
        self.0.trials.begin(trial.clone());
    }

    /// A rollout is over: nobody is answered by the candidate any more.
    pub fn end(&self, trial: &Trial) {
        self.0.trials.end(trial);
    }

    /// The rollout of a model that goes on.
    #[must_use]
    pub fn trial(&self, model: &str) -> Option<Arc<Trial>> {
        self.0.trials.of(model)
    }

    /// Requests that were to be run twice, and were not because others waited.
    #[must_use]
    pub fn shadows_dropped(&self) -> u64 {
        self.0.shadow.dropped()
    }

    /// The number of the version that is meant.
    ///
    /// # Errors
    /// When there is no such model, version or alias.
    pub fn number(&self, name: &str, which: &ModelVersion) -> Result<u32, ServeError> {
        self.0.known(name)?.number(which)
    }
}

impl Inner {
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    /// The versions of a model that somebody has asked for.
    pub(crate) fn slots_of(&self, name: &str) -> Vec<Arc<Slot>> {
        read(&self.models).get(name).map(|resolution| resolution.slots()).unwrap_or_default()
    }

    /// What is in force, brought up when nobody has asked for the model before.
    fn known(self: &Arc<Self>, name: &str) -> Result<Arc<Resolution>, ServeError> {
        let known = read(&self.models).get(name).cloned();
        known.map_or_else(|| self.bring(name), Ok)
    }

    /// The version that is meant, when it is loaded already.
    fn open_now(self: &Arc<Self>, name: &str, which: &ModelVersion, engine: Option<EngineChoice>) -> Option<Served> {
        let resolution = read(&self.models).get(name).cloned()?;
        let slot = resolution.slot(resolution.number(which).ok()?, engine)?;
        let model = slot.model()?;
        let may_change = matches!(slot.version.content, Content::Look(_));
        if may_change {
            let (now, mut looked) = (self.clock.running(), lock(&resolution.looked));
            if now.saturating_sub(*looked) > LOOK {
                *looked = now;
                drop(looked);
                self.bring_beside(name);
            }
        }
        Some(self.served(&resolution, slot, model))
    }

    /// The version that answers who asks, where a rollout of the model goes on; the one in service while the candidate is not loaded.
    fn in_trial(
        self: &Arc<Self>,
        stable: Served,
        which: &ModelVersion,
        engine: Option<EngineChoice>,
        asker: Asker<'_>,
    ) -> Served {
        let is_meant = match which {
            ModelVersion::Unsaid => true,
            ModelVersion::Alias(alias) => alias == CHAMPION,
            ModelVersion::Number(_) => false,
        };
        let trial = if is_meant { self.trials.of(stable.name()) } else { None };
        let Some(trial) = trial.filter(|trial| trial.stable == stable.version()) else { return stable };
        let part = trial.draw(asker.subject);
        if part.arm == Arm::Stable {
            return Served { part: Some(part), ..stable };
        }
        let candidate = read(&self.models).get(stable.name()).cloned().and_then(|resolution| {
            let slot = resolution.slot(trial.candidate, engine)?;
            let model = slot.model()?;
            Some(self.served(&resolution, slot, model))
        });
        match candidate {
            Some(candidate) => Served { part: Some(part), ..candidate },
            // Drawn for the candidate, and not answered by it: it is no observation of either. It was loaded when the rollout began, so
            // that whoever decides has to look why it is not.
            None => {
                self.learned.bell.ring();
                stable
            }
        }
    }

    /// How to wait for what somebody else is loading.
    fn loading(&self, name: &str, which: &ModelVersion, engine: Option<EngineChoice>) -> Option<watch::Receiver<()>> {
        let resolution = read(&self.models).get(name).cloned()?;
        resolution.slot(resolution.number(which).ok()?, engine)?.loading()
    }

    fn served(
        self: &Arc<Self>,
        resolution: &Resolution,
        slot: Arc<Slot>,
        model: Arc<trackside_models::Model>,
    ) -> Served {
        Served { inner: self.clone(), slot, model, meter: resolution.meter.clone(), part: None }
    }

    fn load(
        self: &Arc<Self>,
        resolution: &Resolution,
        number: u32,
        engine: Option<EngineChoice>,
    ) -> Result<Served, ServeError> {
        let slot = resolution.slot(number, engine).ok_or_else(|| {
            let known = String::new();
            ServeError::UnknownVersion { name: resolution.name.clone(), version: number, known }
        })?;
        let was_loaded = slot.model().is_some();
        let model = slot.load_here(&self.loader)?;
        if !was_loaded {
            self.make_room(&slot);
        }
        Ok(self.served(resolution, slot, model))
    }

    /// Brings a model up on a thread of its own.
    fn bring_beside(self: &Arc<Self>, name: &str) {
        let (inner, name) = (self.clone(), name.to_owned());
        let work = move || {
            if let Err(error) = inner.bring(&name) {
                tracing::error!(model = name, code = %error.code(), "{error}");
            }
        };
        if let Err(error) = thread::Builder::new().name("model-loader".to_owned()).spawn(work) {
            tracing::error!("failed to start a thread that loads models: {error}");
        }
    }

    /// Makes the sessions of a version anew, on a thread of its own.
    pub(crate) fn rebuild(self: &Arc<Self>, slot: Arc<Slot>) {
        let inner = self.clone();
        let work = move || slot.rebuild(&inner.loader);
        if let Err(error) = thread::Builder::new().name("model-loader".to_owned()).spawn(work) {
            tracing::error!("failed to start a thread that loads models: {error}");
        }
    }

    /// What is in force of a model, brought up to what is said of it.
    fn bring(self: &Arc<Self>, name: &str) -> Result<Arc<Resolution>, ServeError> {
        self.bring_and_tell(name).map(|(resolution, _)| resolution)
    }

    /// The same, with why something of it could not be taken up: then the version before goes on to answer.
    fn bring_and_tell(self: &Arc<Self>, name: &str) -> Result<(Arc<Resolution>, Option<ServeError>), ServeError> {
        let found = self.find(name)?;
        if let Some(known) = self.known_already(name, &found) {
            return Ok(known);
        }
        let _bringing = lock(&self.bringing);
        // Somebody else may have been faster, and what is said may have changed again.
        let found = self.find(name)?;
        if let Some(known) = self.known_already(name, &found) {
            return Ok(known);
        }
        let current = read(&self.models).get(name).cloned();
        let next = Resolution::new(name, found.clone(), current.as_deref(), &self.clock, &self.learned);
        let mut aliases = next.entry.aliases.clone();
        let mut problem = None;
        for (alias, number) in &next.entry.aliases {
            let Some(current) = &current else { break };
            let Err(error) = self.take_over(current, alias, &next, *number) else { continue };
            let code = error.code();
            tracing::error!(model = name, alias, version = number, %code, "the version before goes on to answer: {error}");
            if let Some(old) = current.aliases.get(alias).filter(|old| next.entry.versions.contains_key(old)) {
                aliases.insert(alias.clone(), *old);
            }
            problem = Some(error);
        }
        let stays = current.filter(|current| problem.is_some() && loses_a_loaded(current, &next));
        let in_force = match stays {
            Some(current) => current,
            None => {
                let next = Arc::new(next.with_aliases(aliases));
                write(&self.models).insert(name.to_owned(), next.clone());
                next
            }
        };
        *lock(&in_force.refused) = problem.clone().map(|error| (found, self.clock.running(), error));
        *lock(&in_force.looked) = self.clock.running();
        Ok((in_force, problem))
    }

    /// What is in force, when it is what is said, or could not become that a moment ago.
    fn known_already(&self, name: &str, found: &Entry) -> Option<(Arc<Resolution>, Option<ServeError>)> {
        let current = read(&self.models).get(name).cloned()?;
        let refused = match &*lock(&current.refused) {
            Some((entry, at, error)) if entry == found && self.clock.running().saturating_sub(*at) < AGAIN => {
                Some(error.clone())
            }
            Some(_) => return None,
            None => None,
        };
        if refused.is_none() && (current.entry != *found || current.aliases != found.aliases) {
            return None;
        }
        *lock(&current.looked) = self.clock.running();
        Some((current, refused))
    }

    /// Loads what an alias will name where what it names now is loaded.
    fn take_over(
        self: &Arc<Self>,
        current: &Resolution,
        alias: &str,
        next: &Resolution,
        number: u32,
    ) -> Result<(), ServeError> {
        let Some(old) = current.aliases.get(alias) else { return Ok(()) };
        for slot in current.slots().iter().filter(|slot| slot.number == *old && slot.model().is_some()) {
            // Whoever asked for an engine by name goes on to get it.
            let asked = current.entry.versions.get(old).is_none_or(|version| version.engine != slot.engine);
            let Some(new) = next.slot(number, asked.then_some(slot.engine)) else { continue };
            if new.model().is_none() {
                new.load_here(&self.loader)?;
                self.make_room(&new);
            }
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<Entry, ServeError> {
        let found = self.catalog.find(name);
        match found.map_err(|reason| ServeError::Catalog { name: name.to_owned(), reason })? {
            Some(entry) => Ok(entry),
            None => {
                write(&self.models).remove(name);
                let names = self.catalog.names().unwrap_or_default();
                Err(unknown(name, &names))
            }
        }
    }

    /// Lets those go that were used longest ago, until what is loaded fits.
    fn make_room(&self, new: &Arc<Slot>) {
        let models: Vec<Arc<Resolution>> = read(&self.models).values().cloned().collect();
        let slots: Vec<Arc<Slot>> = models.iter().flat_map(|model| model.slots()).collect();
        let mut taken: u64 = slots.iter().map(|slot| slot.bytes()).sum();
        if !slots.iter().any(|slot| Arc::ptr_eq(slot, new)) {
            taken += new.bytes();
        }
        // Going back must not wait for the version in service to be loaded again.
        let others = slots.iter().filter(|slot| !Arc::ptr_eq(slot, new) && !self.trials.has(&slot.name, slot.number));
        let mut idle: Vec<_> =
            others.filter_map(|slot| slot.idle_since().map(|(since, bytes)| (since, bytes, slot))).collect();
        idle.sort_by_key(|(since, ..)| *since);
        for (_, bytes, slot) in idle {
            if taken <= self.settings.memory {
                return;
            }
            tracing::info!(model = slot.name, version = slot.number, bytes, "unloaded to make room");
            slot.unload();
            taken = taken.saturating_sub(bytes);
        }
        if taken > self.settings.memory {
            tracing::warn!(
                bytes = taken,
                allowed = self.settings.memory,
                "models that are in use take more memory than they may"
            );
        }
    }
}

/// Whether something that is loaded now, and named by an alias, is not there any more: its file is another one.
fn loses_a_loaded(current: &Resolution, next: &Resolution) -> bool {
    let named = |slot: &Arc<Slot>| current.aliases.values().any(|number| *number == slot.number);
    current.slots().iter().any(|slot| {
        named(slot) && slot.model().is_some() && next.entry.versions.get(&slot.number) != Some(&slot.version)
    })
}

fn unknown(name: &str, names: &[String]) -> ServeError {
    let near = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
    ServeError::UnknownModel { name: name.to_owned(), near }
}
