//! Who waits for the end of a run: told when the end is on disk, out of memory, so that to wait costs no reading.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::oneshot;
use trackside_engine::{Event, Phase, RunId};
use trackside_spec::Plan;
use trackside_store::TxnNumber;

use super::{
    commits::After,
    dispatch::Core,
    types::{Fire, PastEnd, Reply},
};

/// Gets the end of a run, once it is on disk. It is dropped where there is none to wait for: the run was not accepted, or is
/// not under way, so that the store knows how it ended.
pub type Waiter = oneshot::Sender<Arc<PastEnd>>;

/// All who wait, by run.
#[derive(Default)]
pub(super) struct Waiting {
    of_run: HashMap<RunId, Vec<Waiter>>,
}

impl Waiting {
    fn add(&mut self, run: RunId, waiter: Waiter) {
        let waiters = self.of_run.entry(run).or_default();
        // A run may take weeks, and those who wait for it come and go.
        if waiters.len() == waiters.capacity() {
            waiters.retain(|waiter| !waiter.is_closed());
        }
        waiters.push(waiter);
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.of_run.values().map(Vec::len).sum()
    }
}

impl Core {
    /// The definition of a run of which something is still to come.
    #[must_use]
    pub fn plan_of(&self, run: RunId) -> Option<Arc<Plan>> {
        self.live.state(run).map(|state| state.plan().clone())
    }

    /// Somebody offers a run and waits for its end.
    pub(super) fn fire_and_wait(&mut self, fire: Fire, reply: Reply, waiter: Waiter, now_ms: i64) {
        if let Some(run) = self.fire(fire, reply, now_ms) {
            self.wait_for(run, waiter);
        }
    }

    /// Somebody waits for the end of a run.
    pub(super) fn wait_for(&mut self, run: RunId, waiter: Waiter) {
        let Some(state) = self.live.state(run) else { return };
        match state.phase() {
            // It was decided before, and is on disk no later than what was handed over last.
            Phase::Ended(end, error) => {
                let end = PastEnd { end: *end, error: error.clone(), outputs: state.outputs().clone() };
                self.commits.after_all(give(vec![waiter], end));
            }
            _ => self.waiting.add(run, waiter),
        }
    }

    /// The end of a run is among these events, which that transaction brings to the disk.
    pub(super) fn tell_waiting(&mut self, run: RunId, events: &[Event], number: TxnNumber) {
        let Some(waiters) = self.waiting.of_run.remove(&run) else { return };
        let end = events.iter().find_map(|event| match event {
            Event::Ended { end, error, outputs } => {
                Some(PastEnd { end: *end, error: error.clone(), outputs: outputs.clone() })
            }
            _ => None,
        });
        if let Some(end) = end {
            self.commits.after(number, give(waiters, end));
        }
    }
}

fn give(waiters: Vec<Waiter>, end: PastEnd) -> After {
    let end = Arc::new(end);
    After::Call(Box::new(move || {
        for waiter in waiters {
            // Who went away has no need of it.
            let _ = waiter.send(end.clone());
        }
    }))
}
