//! A run's events as the lines of `GET /v1/runs/{id}/events`.

use trackside_engine::{Event, RunId};
use trackside_node::Handle;

use crate::{EventLine, FollowError, Followed, RunFollower, StreamLine};

/// A run's events, line by line.
pub struct RunLines {
    follower: RunFollower,
}

impl RunLines {
    /// Starts with the first event. `None` when there is no such run.
    ///
    /// # Errors
    /// As [`RunFollower::open`].
    pub async fn open(handle: Handle, run: RunId) -> Result<Option<Self>, FollowError> {
        Ok(RunFollower::open(handle, run).await?.map(|follower| Self { follower }))
    }

    /// The next line. After [`StreamLine::Settled`] there is none.
    ///
    /// # Errors
    /// As [`RunFollower::next`].
    pub async fn next(&mut self) -> Result<StreamLine, FollowError> {
        let next = self.follower.next().await?;
        Ok(self.line(next.unwrap_or(Followed::Settled)))
    }

    /// The next line, if it is at hand.
    pub fn ready(&mut self) -> Option<StreamLine> {
        let next = self.follower.ready()?;
        Some(self.line(next))
    }

    fn line(&self, next: Followed) -> StreamLine {
        match next {
            Followed::Event { at_ms, event } => {
                StreamLine::Event(Box::new(EventLine { at_ms, step_id: self.step_id(&event), event }))
            }
            Followed::Settled => StreamLine::Settled,
        }
    }

    /// The id of the step that an event is about, in the definition that the run started with. One that can not be read costs
    /// the lines this, and nothing else.
    fn step_id(&self, event: &Event) -> Option<String> {
        let step = event.about()?.step;
        self.follower.plan()?.steps.get(step.get()).map(|step| step.id.clone())
    }
}
