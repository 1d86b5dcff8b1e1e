//! A run's events as the lines of `GET /v1/runs/{id}/events`.

use trackside_engine::{Event, RunId};
use trackside_node::{Handle, RunHead};

use crate::{EventLine, FollowError, Followed, RunFollower, StreamLine};

/// A run's events, line by line.
pub struct RunLines {
    follower: RunFollower,
    /// Ids of the steps of the definition that the run started with; none when it can not be read, which costs the lines their
    /// `step_id` and nothing else.
    steps: Vec<String>,
}

impl RunLines {
    /// Starts with the first event. `None` when there is no such run.
    ///
    /// # Errors
    /// As [`RunFollower::open`].
    pub async fn open(handle: Handle, run: RunId) -> Result<Option<Self>, FollowError> {
        let readers = handle.readers().clone();
        let Some(follower) = RunFollower::open(handle, run).await? else { return Ok(None) };
        let ids = tokio::task::spawn_blocking(move || {
            let plan = readers.with(|reader| RunHead::open(reader, run)).ok().flatten()?.plan.ok()?;
            Some(plan.steps.iter().map(|step| step.id.clone()).collect())
        });
        Ok(Some(Self { follower, steps: ids.await.ok().flatten().unwrap_or_default() }))
    }

    /// The next line. After [`StreamLine::Settled`] there is none.
    ///
    /// # Errors
    /// As [`RunFollower::next`].
    pub async fn next(&mut self) -> Result<StreamLine, FollowError> {
        Ok(match self.follower.next().await? {
            Some(Followed::Event { at_ms, event }) => {
                StreamLine::Event(Box::new(EventLine { at_ms, step_id: self.step_id(&event), event }))
            }
            Some(Followed::Settled) | None => StreamLine::Settled,
        })
    }

    fn step_id(&self, event: &Event) -> Option<String> {
        event.about().and_then(|at| self.steps.get(at.step.get()).cloned())
    }
}
