//! The events of a run, from whichever node they come.

use crate::{Events, Followed, OperationError, RunFollower, StreamLine};

/// The events of one run, wherever they come from.
pub enum RunEvents {
    /// From a node of this process.
    Local(Box<RunFollower>),
    /// From a node of another process.
    Remote(Box<Events>),
}

impl RunEvents {
    /// What happened next; `None` after [`Followed::Settled`].
    ///
    /// # Errors
    /// When the node goes down or is lost, or the run's past can not be read.
    pub async fn next(&mut self) -> Result<Option<Followed>, OperationError> {
        match self {
            Self::Local(follower) => Ok(follower.next().await?),
            Self::Remote(events) => Ok(events.next().await?.map(|line| match line {
                StreamLine::Event(line) => Followed::Event { at_ms: line.at_ms, event: line.event },
                // An error line has become an error on the way.
                StreamLine::Settled | StreamLine::Error(_) => Followed::Settled,
            })),
        }
    }
}
