//! One plugin of a running node: the component that steps use now, and when it is time to look for another.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use trackside_sandbox::Plugin;
use trackside_spec::Digest;
use trackside_sync::lock;

use super::{
    look::Look,
    problem::PluginProblem,
    source::{FoundPlugin, PluginSources},
};

/// After a component that could not be taken the next is looked at when so many times the time that it took has passed:
/// a large file that is being written in place is then not read at every step.
const REST: u32 = 4;
const LEAST_REST: Duration = Duration::from_millis(10);
/// The files are looked at so often at most: on a busy box looking would cost as much as a brief step's own work.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// A file that has not been touched for so long is not being written any more.
const WRITTEN: Duration = Duration::from_secs(2);

/// What a step is to do for its plugin.
#[derive(Debug)]
pub enum Ready {
    /// Use this one.
    Current(Arc<Plugin>),
    /// Something has changed. This one is good as long as the new one is not there.
    Changed(Arc<Plugin>),
    /// Load it; another thread may be doing so.
    Absent,
}

/// A plugin by name, with or without its instructions counted.
#[derive(Debug, Default)]
pub struct Slot {
    /// Held while a component is loaded, so that two steps do not compile the same one.
    loading: Mutex<()>,
    /// Held for a moment only.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<Plugin>>,
    /// When the files were last found to be those of `current`.
    good_at: Option<Instant>,
    /// How the files looked when they were last read.
    seen: Look,
    /// Whether they were too fresh then for the next change to show.
    again: bool,
    trouble: Option<Trouble>,
}

/// The files hold something that can not be used.
#[derive(Debug)]
struct Trouble {
    /// What was told.
    told: String,
    /// When.
    at: Instant,
    /// Until then nothing is tried.
    rests_until: Instant,
}

impl Slot {
    /// What a step is to do now. Never blocks for long: it asks the system how the files look.
    pub fn ready(&self, sources: &PluginSources, name: &str) -> Ready {
        let now = Instant::now();
        if let Some(current) = self.state().looked_at_before(now) {
            return Ready::Current(current);
        }
        let look = sources.look(name);
        let mut state = self.state();
        let Some(current) = state.current.clone() else { return Ready::Absent };
        let resting = state.trouble.as_ref().is_some_and(|trouble| Instant::now() < trouble.rests_until)
            && !look.has_other_papers_than(&state.seen);
        if !state.is_stale(&look) {
            state.good_at = Some(now);
            return Ready::Current(current);
        }
        if resting {
            return Ready::Current(current);
        }
        drop(state);
        // Who holds it loads the new one.
        match self.loading.try_lock() {
            Err(std::sync::TryLockError::WouldBlock) => Ready::Current(current),
            _ => Ready::Changed(current),
        }
    }

    /// The plugin as its files are now. Blocks while it is loaded by `load`.
    ///
    /// # Errors
    /// When there is none, or it can not be used and there was none before.
    pub fn get(
        &self,
        sources: &PluginSources,
        name: &str,
        load: impl FnOnce(&FoundPlugin) -> Result<Arc<Plugin>, PluginProblem>,
    ) -> Result<Arc<Plugin>, PluginProblem> {
        let _loading = lock(&self.loading);
        // Before the files are read: what is changed later looks different from this.
        let look = sources.look(name);
        let old = {
            let state = self.state();
            match &state.current {
                Some(current) if !state.is_stale(&look) => return Ok(current.clone()),
                current => current.clone(),
            }
        };
        let began = Instant::now();
        let mut found_digest = None;
        let new = sources.find(name).and_then(|found| {
            found_digest = Some(found.digest);
            match &old {
                Some(old) if old.digest() == found.digest => Ok(old.clone()),
                _ => load(&found),
            }
        });
        let mut state = self.state();
        state.again = look.is_young();
        state.seen = look;
        state.good_at = None;
        match (new, old) {
            (Ok(new), old) => {
                if let Some(old) = old.filter(|old| old.digest() != new.digest()) {
                    let (from, to) = (old.digest(), new.digest());
                    tracing::info!(plugin = name, "was changed from {from} to {to}: steps that begin now use it");
                    old.retire();
                } else if state.trouble.is_some() {
                    tracing::info!(plugin = name, "its files are good again; it goes on with {}", new.digest());
                }
                state.trouble = None;
                state.current = Some(new.clone());
                Ok(new)
            }
            (Err(problem), Some(old)) if !problem.is_removal() => {
                state.complain(name, &problem, found_digest, &old, began.elapsed());
                Ok(old)
            }
            (Err(problem), old) => {
                if let Some(old) = old {
                    old.retire();
                }
                state.current = None;
                state.trouble = None;
                Err(problem)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// The component, when its files were looked at a moment before.
    fn looked_at_before(&self, now: Instant) -> Option<Arc<Plugin>> {
        let is_recent = self.good_at.is_some_and(|at| now.saturating_duration_since(at) < LOOK_AGAIN);
        self.current.clone().filter(|_| is_recent)
    }

    fn is_stale(&self, look: &Look) -> bool {
        self.seen != *look || (self.again && !look.is_young())
    }

    /// Says once that a component is not taken, and lets the files rest. While one is being written, every look finds
    /// another component that is none: the first is told, and the last, when it stays.
    fn complain(
        &mut self,
        name: &str,
        problem: &PluginProblem,
        found: Option<Digest>,
        old: &Arc<Plugin>,
        took: Duration,
    ) {
        let now = Instant::now();
        let rests_until = now + (took * REST).max(LEAST_REST);
        let refused = found.or_else(|| problem.digest());
        let refused = refused.map_or_else(|| "what is there now".to_owned(), |digest| digest.to_string());
        let kept = old.digest();
        let told = format!("{refused} is not used, steps go on with {kept}: {problem}");
        match &mut self.trouble {
            Some(trouble) if trouble.told == told || now.duration_since(trouble.at) < WRITTEN => {
                trouble.rests_until = rests_until;
                // Told or not: once more when the file rests, if it is still something new.
                self.again |= trouble.told != told;
            }
            trouble => {
                tracing::warn!(plugin = name, "{told}");
                *trouble = Some(Trouble { told, at: now, rests_until });
            }
        }
    }
}
