//! All that is watched, and what of it is to be kept.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use trackside_sync::{lock, read, write};

use super::{
    document::{DriftState, ReferenceDocument, Says, Turn, WindowDocument},
    held::Held,
    judge::Judge,
    packing::{Parts, SavedError, pack},
    series::{Now, Series, Watched},
    settings::DriftSettings,
};
use crate::{clock::Clock, watch::Bell};

/// What is only counted is kept no oftener than this; what is decided, at once. Flash wears by the commit.
const SELDOM: Duration = Duration::from_secs(60);
/// Rows that are counted together, where the next ones come as soon as this.
const TOGETHER: usize = 16;
const SOON: Duration = Duration::from_millis(100);

/// What is watched: a version of a model, or a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Of which kind.
    pub kind: KeyKind,
    /// Its name.
    pub name: String,
    /// The version; 0 of a table.
    pub version: u32,
    /// What tells its content from another under the same number: another content needs another reference.
    pub content: String,
}

/// What can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// A model.
    Model,
    /// A table that a contract checks.
    Dataset,
}

/// What was kept of it.
#[derive(Debug, Clone)]
pub struct Saved {
    /// What tells its content from another.
    pub content: String,
    /// Its state.
    pub state: Vec<u8>,
    /// Whether it was in alarm.
    pub drift: DriftState,
}

/// What is to be kept of one that is watched.
#[derive(Debug, Clone)]
pub struct Due {
    /// Which.
    pub key: Key,
    /// Its state, for going on after a restart.
    pub state: Vec<u8>,
    /// Its reference, where that is news.
    pub reference: Option<ReferenceDocument>,
    /// Whether the reference became complete.
    pub completed: bool,
    /// Windows that have closed, oldest first.
    pub windows: Vec<WindowDocument>,
    /// Alarms that have begun or ended, oldest first.
    pub turns: Vec<Turn>,
    /// Where it stands after that.
    pub drift: DriftState,
}

/// One that is watched.
#[derive(Debug)]
pub struct Ward {
    key: Key,
    hot: Mutex<Hot>,
    keeping: Mutex<Keeping>,
    /// What is on disk.
    drift: AtomicU8,
}

#[derive(Debug)]
struct Hot {
    series: Series,
    /// Whether what was kept is there.
    loaded: bool,
    /// Rows that wait to be counted.
    waits: Vec<Held>,
    /// When rows came last.
    last: Duration,
}

impl Hot {
    const fn new(series: Series) -> Self {
        Self { series, loaded: false, waits: Vec::new(), last: Duration::ZERO }
    }

    /// Counts what waits. Says whether a window has closed.
    fn count(&mut self, now: Now) -> bool {
        let mut waits = std::mem::take(&mut self.waits);
        let closed = self.series.rows(&waits, now);
        waits.clear();
        self.waits = waits;
        closed
    }
}

/// What only the thread that keeps it touches.
#[derive(Debug, Default)]
struct Keeping {
    judge: Option<Judge>,
    /// Said and not kept yet: of calm windows one stands for all.
    windows: Vec<WindowDocument>,
    turns: Vec<Turn>,
    /// When it was kept last.
    kept: Option<Duration>,
    /// Whether the complete reference was kept.
    reference: bool,
}

/// All that is watched.
pub struct Board {
    wards: RwLock<HashMap<Key, Arc<Ward>>>,
    /// Where those stood when the process began that nobody has asked for yet.
    before: RwLock<HashMap<(KeyKind, String, u32), DriftState>>,
    /// Held from the look at what is due to the end of its commit, and by whoever begins anew.
    pub keeping: Mutex<()>,
    clock: Arc<dyn Clock>,
    bell: Arc<Bell>,
}

impl Board {
    /// One that belongs to no models in service: for what is no model.
    #[must_use]
    pub fn alone(clock: Arc<dyn Clock>) -> Self {
        Self::new(clock, Arc::default())
    }

    pub(crate) fn new(clock: Arc<dyn Clock>, bell: Arc<Bell>) -> Self {
        Self { wards: RwLock::default(), before: RwLock::default(), keeping: Mutex::default(), clock, bell }
    }

    /// One that is watched from now on. What was kept of it comes later, with [`load`](Self::load).
    pub fn watch(&self, key: Key, columns: Vec<Watched>, left_out: u64, settings: DriftSettings) -> Arc<Ward> {
        let mut wards = write(&self.wards);
        if let Some(ward) = wards.get(&key) {
            let mut hot = lock(&ward.hot);
            hot.series.settings = settings;
            if hot.series.watched == columns {
                drop(hot);
                // Whoever asks for it anew is to be told how it stands.
                self.bell.ring();
                return ward.clone();
            }
        }
        // Another content under the same number takes the place of the one before.
        let same = |other: &Key| (other.kind, &other.name, other.version) == (key.kind, &key.name, key.version);
        if key.kind == KeyKind::Dataset && wards.keys().any(same) {
            tracing::warn!(
                name = key.name,
                "tables of this name have other columns now: if two contracts watch it, each begins the other's reference anew"
            );
        }
        wards.retain(|other, _| !same(other));
        let mut series = Series::new(columns, left_out, settings);
        series.whole = key.kind == KeyKind::Dataset;
        let hot = Hot::new(series);
        let ward = Arc::new(Ward {
            key: key.clone(),
            hot: Mutex::new(hot),
            keeping: Mutex::default(),
            drift: AtomicU8::new(0),
        });
        wards.insert(key, ward.clone());
        drop(wards);
        self.bell.ring();
        ward
    }

    fn now(&self) -> Now {
        Now { running: self.clock.running(), wall_ms: i64::try_from(self.clock.wall_ms()).unwrap_or(i64::MAX) }
    }

    /// Rows of one that is watched, one behind the other, a value for each column. They are counted a few at a time: what that touches is
    /// far from the processor by the next request.
    pub fn rows(&self, ward: &Ward, values: Vec<Held>) {
        let now = self.now();
        let mut hot = lock(&ward.hot);
        let columns = hot.series.watched.len();
        if hot.waits.is_empty() {
            hot.waits = values;
        } else {
            hot.waits.extend(values);
        }
        // Where requests come seldom, each is counted when it comes.
        let soon = now.running.saturating_sub(std::mem::replace(&mut hot.last, now.running)) < SOON;
        let waits = hot.waits.len().checked_div(columns).unwrap_or(0);
        // What closes a window, or makes it one that can grow old, waits for nobody.
        if soon && waits < TOGETHER && !hot.series.is_near(waits) {
            return;
        }
        let was_young = hot.series.due().is_none();
        let closed = hot.count(now);
        // Whoever keeps it must know when a window grows old.
        let begun = was_young && hot.series.due().is_some();
        drop(hot);
        if closed || begun {
            self.bell.ring();
        }
    }

    /// A table of one that is watched has ended: rows of one table are in one window.
    pub fn table_ended(&self, ward: &Ward) {
        let now = self.now();
        let mut hot = lock(&ward.hot);
        hot.count(now);
        let ended = hot.series.table_ended();
        drop(hot);
        if ended {
            self.bell.ring();
        }
    }

    /// Those of which what was kept is still to come.
    #[must_use]
    pub fn wanted(&self) -> Vec<Key> {
        let wards = read(&self.wards);
        wards.values().filter(|ward| !lock(&ward.hot).loaded).map(|ward| ward.key.clone()).collect()
    }

    /// What was kept of one, or that there is nothing. What can not be read is told, and its reference is made anew.
    pub fn load(&self, key: &Key, saved: Option<&Saved>) {
        let Some(ward) = read(&self.wards).get(key).cloned() else { return };
        let now = self.now();
        let mut keeping = lock(&ward.keeping);
        let mut hot = lock(&ward.hot);
        if hot.loaded {
            return;
        }
        hot.loaded = true;
        hot.count(now);
        let Some(saved) = saved.filter(|saved| saved.content == key.content) else { return };
        let settings = hot.series.settings;
        match restore(&saved.state, settings) {
            Ok((series, judge)) if series.watched == hot.series.watched => {
                let complete = series.reference().is_some();
                let mut series = series;
                series.whole = hot.series.whole;
                hot.series = series.then(&hot.series, now);
                *keeping = Keeping { judge, reference: complete, ..Keeping::default() };
                ward.drift.store(saved.drift as u8, Relaxed);
            }
            Ok(_) => tracing::info!(
                name = key.name,
                version = key.version,
                "its columns are others now: a new reference is made"
            ),
            Err(error) => {
                tracing::error!(
                    name = key.name,
                    version = key.version,
                    "what was kept of its drift can not be read ({error}): a new reference is made"
                );
            }
        }
    }

    /// What is to be kept now, and how long whoever keeps it may sleep. `last` at the end: then all is.
    pub fn due(&self, last: bool) -> (Vec<Due>, Option<Duration>) {
        let wards: Vec<Arc<Ward>> = read(&self.wards).values().cloned().collect();
        let (mut all, mut sleep) = (Vec::new(), None::<Duration>);
        for ward in wards {
            let (due, next) = ward.due(self.now(), last);
            all.extend(due);
            sleep = [sleep, next].into_iter().flatten().min();
        }
        (all, sleep)
    }

    /// What was due is on disk.
    pub fn kept(&self, due: &Due) {
        let Some(ward) = read(&self.wards).get(&due.key).cloned() else { return };
        ward.drift.store(due.drift as u8, Relaxed);
        let mut keeping = lock(&ward.keeping);
        keeping.windows.clear();
        keeping.turns.clear();
        keeping.kept = Some(self.clock.running());
        keeping.reference |= due.completed;
        let mut hot = lock(&ward.hot);
        (hot.series.moved_on, hot.series.touched) = (false, false);
    }

    /// Where one stands that may not be asked for in a while: what is on disk counts from the start on.
    pub fn stood(&self, kind: KeyKind, name: &str, version: u32, drift: DriftState) {
        write(&self.before).insert((kind, name.to_owned(), version), drift);
    }

    /// Models that are watched, each with whether a version of it is in alarm.
    #[must_use]
    pub fn models(&self) -> BTreeMap<String, bool> {
        let mut models = BTreeMap::new();
        for ward in read(&self.wards).values().filter(|ward| ward.key.kind == KeyKind::Model) {
            *models.entry(ward.key.name.clone()).or_insert(false) |= ward.state() == DriftState::Alarm;
        }
        models
    }

    /// It is no more.
    pub fn forget(&self, key: &Key) {
        write(&self.wards).remove(key);
        write(&self.before).remove(&(key.kind, key.name.clone(), key.version));
    }

    /// Begins anew: the next rows make another reference. What was kept is to be removed before.
    pub fn reset(&self, kind: KeyKind, name: &str) {
        write(&self.before).retain(|(other, of, _), _| (*other, of.as_str()) != (kind, name));
        let wards: Vec<Arc<Ward>> = read(&self.wards).values().cloned().collect();
        for ward in wards.iter().filter(|ward| ward.key.kind == kind && ward.key.name == name) {
            let mut keeping = lock(&ward.keeping);
            let mut hot = lock(&ward.hot);
            let whole = hot.series.whole;
            hot.series = Series::new(hot.series.watched.clone(), hot.series.left_out, hot.series.settings);
            hot.series.whole = whole;
            hot.waits.clear();
            *keeping = Keeping::default();
            ward.drift.store(DriftState::Unknown as u8, Relaxed);
        }
        // So that whoever asks sees that it begins.
        self.bell.ring();
    }

    /// Where a version, or a table, stands: what is on disk.
    #[must_use]
    pub fn state(&self, kind: KeyKind, name: &str, version: u32) -> DriftState {
        let wards = read(&self.wards);
        let ward = wards.values().find(|ward| {
            let key = &ward.key;
            key.kind == kind && key.name == name && key.version == version
        });
        match ward {
            Some(ward) if lock(&ward.hot).loaded => ward.state(),
            _ => read(&self.before).get(&(kind, name.to_owned(), version)).copied().unwrap_or_default(),
        }
    }
}

impl Ward {
    fn state(&self) -> DriftState {
        match self.drift.load(Relaxed) {
            1 => DriftState::None,
            2 => DriftState::Warning,
            3 => DriftState::Alarm,
            _ => DriftState::Unknown,
        }
    }

    fn due(&self, now: Now, last: bool) -> (Option<Due>, Option<Duration>) {
        // In this order everywhere.
        let mut keeping = lock(&self.keeping);
        let mut hot = lock(&self.hot);
        if !hot.loaded {
            return (None, None);
        }
        hot.count(now);
        hot.series.close_if_due(now);
        let closed = std::mem::take(&mut hot.series.closed);
        let (moved_on, touched) = (hot.series.moved_on, hot.series.touched);
        let names: Vec<String> = hot.series.watched.iter().map(|column| column.name.clone()).collect();
        let settings = hot.series.settings;
        let next_close = hot.series.due().map(|due| due.saturating_sub(now.running));
        let reference = hot.series.reference().cloned();
        // Comparing takes a while, and requests may not wait for it.
        drop(hot);
        let keeping = &mut *keeping;
        if let (None, Some(reference)) = (&keeping.judge, &reference) {
            keeping.judge = Judge::of(reference, &settings).ok();
        }
        for closed in &closed {
            let Some(judge) = &mut keeping.judge else { continue };
            match judge.window(closed, &names, &settings) {
                Ok((window, turn)) => {
                    keeping.say(window, turn.is_some());
                    keeping.turns.extend(turn);
                }
                Err(error) => tracing::error!(name = self.key.name, "a window of drift can not be compared: {error}"),
            }
        }
        let completed = reference.is_some() && !keeping.reference;
        let something = !keeping.windows.is_empty() || completed || moved_on || (last && touched);
        let age = keeping.kept.map(|kept| now.running.saturating_sub(kept));
        let soon = age.is_some_and(|age| age < SELDOM) && keeping.turns.is_empty() && !completed && !last;
        if !something || soon {
            let wait = something.then(|| age.map(|age| SELDOM.saturating_sub(age))).flatten();
            return (None, [wait, next_close].into_iter().flatten().min());
        }
        let hot = lock(&self.hot);
        // Windows that have closed since are judged next time: they are no part of what is kept now.
        let state =
            pack(&[hot.series.to_bytes(last, now), keeping.judge.as_ref().map(Judge::to_bytes).unwrap_or_default()]);
        let reference = (completed || !keeping.reference).then(|| hot.series.document());
        drop(hot);
        let drift = keeping.judge.as_ref().map_or(DriftState::Unknown, Judge::state);
        let due = Due {
            key: self.key.clone(),
            state,
            reference,
            completed,
            windows: keeping.windows.clone(),
            turns: keeping.turns.clone(),
            drift,
        };
        (Some(due), next_close)
    }
}

impl Keeping {
    /// One more window. What closes within a minute is one row: the newest that drifts, or the newest.
    fn say(&mut self, window: WindowDocument, turned: bool) {
        match self.windows.last_mut() {
            Some(last) if !turned && self.turns.is_empty() => {
                let (windows, drifted) = (last.windows + window.windows, last.drifted + window.drifted);
                let from_ms = last.from_ms.min(window.from_ms);
                let rows = last.rows + window.rows;
                if window.says != Says::Calm || last.says != Says::Drift {
                    *last = WindowDocument { number: window.number, ..window };
                } else {
                    last.number = window.number;
                    last.to_ms = window.to_ms;
                }
                (last.windows, last.drifted, last.from_ms, last.rows) = (windows, drifted, from_ms, rows);
            }
            _ => self.windows.push(window),
        }
    }
}

/// What was kept.
fn restore(state: &[u8], settings: DriftSettings) -> Result<(Series, Option<Judge>), SavedError> {
    let mut parts = Parts::of(state)?;
    let series = Series::from_bytes(parts.next()?, settings)?;
    let judge = parts.next()?;
    let judge = match series.reference() {
        Some(reference) if !judge.is_empty() => Some(Judge::from_bytes(judge, reference, &settings)?),
        _ => None,
    };
    Ok((series, judge))
}
