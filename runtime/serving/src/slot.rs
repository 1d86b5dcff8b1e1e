//! One version of a model on one kind of engine: loaded or not, who runs and who waits, how it went.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};
use trackside_codes::{Class, Reason};
use trackside_models::{Engines, Model, ModelError, ModelSource};
use trackside_spec::config::EngineChoice;
use trackside_sync::{CancelToken, lock};

use crate::{
    breaker::{Breaker, Passed},
    catalog::{Catalog, Content, Version},
    clock::Clock,
    error::ServeError,
    here::wait_here,
    lane::Lane,
    measure::{AT_FIRST, BESIDE, Measured, measure},
    request::{Answer, Job},
    settings::ModelSettings,
    statistics::Counts,
    watch::{Learned, Watch, Watched},
};

/// How long a version that could not be loaded is not tried again, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long after its sessions were made anew they are not made anew again.
const REBUILD: Duration = Duration::from_secs(60);

/// How long a test says something.
const JUDGED: Duration = Duration::from_secs(1);

/// One version on one kind of engine.
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) version: Version,
    pub(crate) engine: EngineChoice,
    pub(crate) settings: Arc<ModelSettings>,
    clock: Arc<dyn Clock>,
    pub(crate) lane: Mutex<Lane<Waiter>>,
    pub(crate) breaker: Mutex<Breaker>,
    pub(crate) counts: Counts,
    /// How long the engine takes, in nanoseconds, as it was lately; 0 is not known.
    pub(crate) lately: AtomicU64,
    /// Of how many elements those runs were.
    pub(crate) lately_of: AtomicU64,
    /// When the last request came, in nanoseconds since the start.
    pub(crate) last_arrival: AtomicU64,
    state: Mutex<State>,
    /// Failures in a row.
    failures: AtomicU32,
    rebuilt: Mutex<Option<Duration>>,
    /// When it was tested last, and how that went.
    judged: Mutex<Option<(Duration, bool)>>,
    pub(crate) watch: Watch,
}

/// Somebody whose turn it is not yet.
pub(crate) struct Waiter {
    pub(crate) job: Job,
    pub(crate) reply: oneshot::Sender<Turn>,
}

/// What one who waits is told.
pub(crate) enum Turn {
    /// Run it.
    Go(Job, Permit),
    /// Another has run it along, or it will not be run.
    Done(Box<Result<Answer, ServeError>>),
}

enum State {
    Cold,
    Loading(watch::Receiver<()>),
    Ready(Loaded),
    Failed { error: Arc<ModelError>, until: Duration, tries: u32 },
    Aside(Arc<str>),
}

struct Loaded {
    model: Arc<Model>,
    bytes: u64,
    measured: Option<Measured>,
    used: Duration,
}

/// What loading gave.
struct Made {
    model: Arc<Model>,
    bytes: u64,
    measured: Option<Measured>,
}

impl Made {
    fn ready(self, used: Duration) -> State {
        let Self { model, bytes, measured } = self;
        State::Ready(Loaded { model, bytes, measured, used })
    }
}

/// What a slot is at, for people and probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotState {
    /// Nobody has asked for it, or others needed its memory.
    NotLoaded,
    /// It is being loaded, tested and warmed up.
    Loading,
    /// It answers.
    Ready {
        /// About so many bytes.
        bytes: u64,
        /// The engine and its version.
        engine: String,
    },
    /// It could not be loaded.
    Failed {
        /// Why.
        reason: String,
    },
    /// It was taken out of service.
    SetAside {
        /// Why.
        reason: String,
    },
}

/// The right to run: given back when it is dropped, to the first who waits.
pub(crate) struct Permit(Option<Arc<Slot>>);

impl Permit {
    pub(crate) fn of(slot: &Arc<Slot>) -> Self {
        Self(Some(slot.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(slot) = self.0.take() else { return };
        loop {
            let next = lock(&slot.lane).leave();
            let Some(Waiter { job, reply }) = next else { return };
            // Who is gone does not run; the next does.
            match reply.send(Turn::Go(job, Self(Some(slot.clone())))) {
                Err(Turn::Go(_, mut permit)) => drop(permit.0.take()),
                Ok(()) | Err(Turn::Done(_)) => return,
            }
        }
    }
}

/// The breaker's leave for one request: whoever drops it without a word says nothing of the model.
pub(crate) struct Pass {
    slot: Arc<Slot>,
    passed: Passed,
    told: bool,
}

impl Pass {
    /// Tells how the request ended; `None` says nothing of the model.
    pub(crate) fn tell(mut self, well: Option<bool>) {
        self.told = true;
        self.slot.note(self.passed, well);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.told {
            self.slot.note(self.passed, None);
        }
    }
}

/// What loads models.
pub(crate) struct Loader {
    pub(crate) engines: Arc<Engines>,
    /// Who says whether a version may be loaded.
    pub(crate) catalog: Arc<dyn Catalog>,
    /// One at a time: what each takes can be told only so, and two would take the cores from those who run.
    pub(crate) one: Mutex<()>,
}

impl Slot {
    pub(crate) fn new(
        name: &str,
        number: u32,
        version: Version,
        engine: EngineChoice,
        settings: Arc<ModelSettings>,
        clock: Arc<dyn Clock>,
        learned: &Learned,
    ) -> Arc<Self> {
        let watch = Watch::of(&Watched { name, number, settings: &settings, labels: &version.labels, learned });
        let at_once = if settings.sessions == 0 {
            std::thread::available_parallelism().map_or(1, usize::from)
        } else {
            settings.sessions
        };
        Arc::new(Self {
            name: name.to_owned(),
            number,
            version,
            engine,
            lane: Mutex::new(Lane::new(at_once, settings.queue)),
            settings,
            clock,
            breaker: Mutex::default(),
            counts: Counts::default(),
            lately: AtomicU64::new(0),
            lately_of: AtomicU64::new(0),
            last_arrival: AtomicU64::new(0),
            state: Mutex::new(State::Cold),
            failures: AtomicU32::new(0),
            rebuilt: Mutex::default(),
            judged: Mutex::default(),
            watch,
        })
    }

    /// The loaded model, when it is loaded.
    pub(crate) fn model(&self) -> Option<Arc<Model>> {
        match &mut *lock(&self.state) {
            State::Ready(loaded) => {
                loaded.used = self.clock.running();
                Some(loaded.model.clone())
            }
            _ => None,
        }
    }

    /// The loaded model; loads it when it is not. Blocks for as long as that takes.
    pub(crate) fn load_here(self: &Arc<Self>, loader: &Loader) -> Result<Arc<Model>, ServeError> {
        loop {
            let loading = {
                let mut state = lock(&self.state);
                match &mut *state {
                    State::Ready(loaded) => {
                        loaded.used = self.clock.running();
                        return Ok(loaded.model.clone());
                    }
                    State::Loading(done) => done.clone(),
                    State::Aside(reason) => return Err(self.aside(reason)),
                    State::Failed { error, until, .. } if self.clock.running() < *until => {
                        let again_in = until.saturating_sub(self.clock.running());
                        return Err(ServeError::Load { error: error.clone(), again_in });
                    }
                    State::Cold | State::Failed { .. } => {
                        let tries = if let State::Failed { tries, .. } = &*state { *tries } else { 0 };
                        let (tell, told) = watch::channel(());
                        *state = State::Loading(told);
                        drop(state);
                        return self.load(loader, tries, tell);
                    }
                }
            };
            // The sender goes when it is done, whatever came of it.
            let mut loading = loading;
            let _ = wait_here(loading.changed(), None);
        }
    }

    /// How to wait for a load that somebody else has begun; `None` when nobody has.
    pub(crate) fn loading(&self) -> Option<watch::Receiver<()>> {
        if let State::Loading(done) = &*lock(&self.state) { Some(done.clone()) } else { None }
    }

    fn load(self: &Arc<Self>, loader: &Loader, tries: u32, done: watch::Sender<()>) -> Result<Arc<Model>, ServeError> {
        // Also when loading panics, somebody else may try.
        let mut guard = LoadGuard { slot: self, _done: done, ended: false };
        let made = self.make(loader);
        guard.ended = true;
        let mut state = lock(&self.state);
        match made {
            Ok(made) => {
                let model = made.model.clone();
                let cut_short = made.measured.as_ref().is_some_and(|measured| measured.cut_short);
                *state = made.ready(self.clock.running());
                drop(state);
                if cut_short {
                    self.measure_beside(model.clone());
                }
                Ok(model)
            }
            Err(error) => {
                let error = Arc::new(error);
                let again_in = AGAIN.0.saturating_mul(1 << tries.min(6)).min(AGAIN.1);
                *state =
                    State::Failed { error: error.clone(), until: self.clock.running() + again_in, tries: tries + 1 };
                Err(ServeError::Load { error, again_in })
            }
        }
    }

    fn make(&self, loader: &Loader) -> Result<Made, ModelError> {
        if let Some(damaged) = &self.version.damaged {
            let reason = Reason::new(Class::Damaged, damaged.clone());
            return Err(ModelError::File { path: self.version.path.clone(), reason });
        }
        let _one = lock(&loader.one);
        let permit = loader.catalog.permit(&self.title(), &self.version)?;
        let before = resident();
        let source = ModelSource {
            choice: self.engine,
            selftest: self.version.selftest.clone(),
            signed: permit.is_some(),
            expected: permit.unwrap_or_else(|| self.version.expected.clone()),
            providers: self.version.providers.clone(),
            sessions: self.settings.sessions,
            time: self.settings.timeout,
            limits: self.version.limits,
            ..ModelSource::new(self.title(), self.version.path.clone())
        };
        let model = loader.engines.load(&source)?;
        let info = model.info();
        tracing::info!(
            model = self.name,
            version = self.number,
            engine = %info.engine,
            digest = %info.digest,
            "model loaded"
        );
        for warning in &info.warnings {
            tracing::warn!(model = self.name, version = self.number, code = %warning.code, "{}", warning.text);
        }
        let weights = info.size + info.external.iter().map(|file| file.size).sum::<u64>();
        // Warm: buffers are made, and what it takes is known before the first request.
        let measured = measure(&model, AT_FIRST);
        let bytes = resident().saturating_sub(before).max(weights);
        if let Some(measured) = &measured {
            let alone = u64::try_from(measured.alone.as_nanos()).unwrap_or(u64::MAX).max(1);
            self.lately.store(alone, Relaxed);
            self.lately_of.store(measured.elements, Relaxed);
            self.advise(measured);
        }
        Ok(Made { model, bytes, measured })
    }

    /// Tries running rows together on a thread of its own: who waits for the model need not wait for that, too.
    fn measure_beside(self: &Arc<Self>, model: Arc<Model>) {
        let slot = self.clone();
        let work = move || {
            let Some(measured) = measure(&model, BESIDE) else { return };
            slot.advise(&measured);
            if let State::Ready(loaded) = &mut *lock(&slot.state)
                && Arc::ptr_eq(&loaded.model, &model)
            {
                loaded.measured = Some(measured);
            }
        };
        if let Err(error) = thread::Builder::new().name("model-loader".to_owned()).spawn(work) {
            tracing::warn!("failed to start a thread that measures a model: {error}");
        }
    }

    /// What answers and messages call it: a version of the registry by its number, a file of the project by its name alone.
    fn title(&self) -> String {
        match self.version.content {
            Content::Registered(_) => format!("{}@{}", self.name, self.number),
            Content::Look(_) => self.name.clone(),
        }
    }

    /// Says where batching would pay, or does harm.
    fn advise(&self, measured: &Measured) {
        let rows = self.settings.batching.rows;
        if rows > 1 && measured.same == Some(false) {
            tracing::warn!(
                model = self.name,
                version = self.number,
                "a row gives other bits when it is run with others: with batching an answer depends on who else asks"
            );
        } else if let (1, Some(rows)) = (rows, measured.pays_at()) {
            tracing::info!(
                model = self.name,
                version = self.number,
                "running requests together would pay: batching = {{ rows = {rows} }} in [models.{}]",
                self.name
            );
        }
    }

    /// What was measured when it was warmed up.
    pub(crate) fn measured(&self) -> Option<Measured> {
        if let State::Ready(loaded) = &*lock(&self.state) { loaded.measured.clone() } else { None }
    }

    /// Bytes that it takes and when it was used last, when it is loaded and nobody uses it at this moment.
    pub(crate) fn idle_since(&self) -> Option<(Duration, u64)> {
        match &*lock(&self.state) {
            State::Ready(loaded) if Arc::strong_count(&loaded.model) == 1 => Some((loaded.used, loaded.bytes)),
            _ => None,
        }
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        if let State::Ready(loaded) = &*lock(&self.state) { loaded.bytes } else { 0 }
    }

    /// Gives its memory back, when it is loaded. Who runs it at this moment goes on.
    pub(crate) fn unload(&self) {
        let mut state = lock(&self.state);
        if matches!(*state, State::Ready(_)) {
            *state = State::Cold;
        }
    }

    /// Makes it loadable again, whatever was the matter with it.
    pub(crate) fn forgive(&self) {
        let mut state = lock(&self.state);
        if matches!(*state, State::Failed { .. } | State::Aside(_)) {
            *state = State::Cold;
        }
        drop(state);
        *lock(&self.breaker) = Breaker::default();
        self.failures.store(0, Relaxed);
    }

    /// What it is at.
    pub(crate) fn state(&self) -> SlotState {
        match &*lock(&self.state) {
            State::Cold => SlotState::NotLoaded,
            State::Loading(_) => SlotState::Loading,
            State::Ready(loaded) => {
                SlotState::Ready { bytes: loaded.bytes, engine: loaded.model.info().engine.to_string() }
            }
            State::Failed { error, .. } => SlotState::Failed { reason: error.to_string() },
            State::Aside(reason) => SlotState::SetAside { reason: reason.to_string() },
        }
    }

    fn aside(&self, reason: &Arc<str>) -> ServeError {
        ServeError::SetAside { name: self.name.clone(), version: self.number, reason: reason.clone() }
    }

    /// Asks the breaker for leave.
    pub(crate) fn pass(self: &Arc<Self>, now: Duration) -> Result<Pass, ServeError> {
        match lock(&self.breaker).pass(self.settings.breaker, now) {
            Ok(passed) => Ok(Pass { slot: self.clone(), passed, told: false }),
            Err(again_in) => Err(ServeError::CircuitOpen { name: self.name.clone(), version: self.number, again_in }),
        }
    }

    fn note(&self, passed: Passed, well: Option<bool>) {
        lock(&self.breaker).ended(self.settings.breaker, self.clock.running(), passed, well);
    }

    /// Whether the model does now what it did when it was loaded. Looked at once a second at most, and one caller at a time: who sends
    /// what fails must not have it computed as often as he likes. One that has no such input is not believed.
    pub(crate) fn passes_its_test(&self, model: &Model) -> bool {
        if model.tried().is_empty() {
            return false;
        }
        let mut judged = lock(&self.judged);
        if let Some((at, passed)) = *judged
            && self.clock.running().saturating_sub(at) < JUDGED
        {
            return passed;
        }
        let deadline = Instant::now() + self.settings.timeout;
        let passed = model.run(model.tried().to_vec(), &[], Some(deadline), &CancelToken::new()).is_ok();
        *judged = Some((self.clock.running(), passed));
        passed
    }

    /// Notes that the engine failed or not; says whether its sessions should be made anew.
    pub(crate) fn is_worn(&self, well: bool) -> bool {
        if well {
            self.failures.store(0, Relaxed);
            return false;
        }
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        if self.settings.failures == 0 || failures < self.settings.failures {
            return false;
        }
        let mut rebuilt = lock(&self.rebuilt);
        let now = self.clock.running();
        if rebuilt.is_some_and(|at| now.saturating_sub(at) < REBUILD) {
            return false;
        }
        *rebuilt = Some(now);
        self.failures.store(0, Relaxed);
        true
    }

    /// Makes the sessions anew, self-test included, and sets the version aside when that fails: requests that fail may be the
    /// requests' own fault, a self-test that fails is not.
    pub(crate) fn rebuild(&self, loader: &Loader) {
        tracing::warn!(
            model = self.name,
            version = self.number,
            "{} requests in a row failed in the engine; its sessions are made anew",
            self.settings.failures
        );
        match self.make(loader) {
            Ok(made) => {
                let mut state = lock(&self.state);
                if matches!(*state, State::Ready(_)) {
                    *state = made.ready(self.clock.running());
                }
            }
            Err(error) => {
                let reason = format!(
                    "{} requests in a row failed, and it could not be loaded anew: {error}",
                    self.settings.failures
                );
                tracing::error!(model = self.name, version = self.number, "set aside: {reason}");
                *lock(&self.state) = State::Aside(reason.into());
            }
        }
    }
}

struct LoadGuard<'a> {
    slot: &'a Slot,
    _done: watch::Sender<()>,
    ended: bool,
}

impl Drop for LoadGuard<'_> {
    fn drop(&mut self) {
        if !self.ended {
            *lock(&self.slot.state) = State::Cold;
        }
    }
}

/// Bytes of this process in memory; 0 where nobody says.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages.saturating_mul(4096)
}
