//! Who waits for the end of a run is told when that is on disk, and is told.

use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot::{Receiver, channel, error::TryRecvError};
use trackside_engine::RunId;

use crate::core::{FireAnswer, Input, PastEnd, Reply, Waiter};

use super::{machine::Machine, witness::Witness};

/// Who waits at a machine; they go down with it.
#[derive(Default)]
pub struct Waits(Vec<Wait>);

struct Wait {
    /// None until it is accepted.
    run: Arc<OnceLock<RunId>>,
    end: Receiver<Arc<PastEnd>>,
}

impl Waits {
    /// One more, for a run that is asked for with this reply.
    pub fn of_fire(&mut self, reply: Reply) -> (Reply, Waiter) {
        let (run, (waiter, end)) = (Arc::new(OnceLock::new()), channel());
        self.0.push(Wait { run: run.clone(), end });
        let reply = Box::new(move |answer| {
            if let FireAnswer::Accepted(accepted) = answer {
                run.set(accepted).unwrap();
            }
            reply(answer);
        });
        (reply, waiter)
    }

    fn of_run(&mut self, run: RunId) -> Waiter {
        let (waiter, end) = channel();
        self.0.push(Wait { run: Arc::new(run.into()), end });
        waiter
    }

    /// What they have been told since.
    pub fn look(&mut self, witness: &mut Witness) {
        self.0.retain_mut(|Wait { run, end }| match end.try_recv() {
            Ok(end) => {
                let run = run.get().expect("a run is accepted before it ends");
                assert_eq!(witness.runs[run].ended, Some(end.end), "an end is told when it is on disk: {run}");
                witness.saw("ends that were waited for");
                false
            }
            // It was refused, or had ended before.
            Err(TryRecvError::Closed) => {
                let ended = |run: &RunId| witness.runs[run].ended.is_some();
                assert!(run.get().is_none_or(ended), "who waits for a run that is under way is told: {run:?}");
                false
            }
            Err(TryRecvError::Empty) => true,
        });
    }

    /// How many wait yet.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Machine {
    /// Somebody waits for a run, whether it is under way or not.
    pub fn wait_for(&mut self, run: RunId, now: i64) {
        let waiter = self.waits.of_run(run);
        self.give(Input::Wait(run, waiter), now);
    }
}
