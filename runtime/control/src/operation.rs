//! What can be asked of a box, in one form for all who ask.

use std::{future::Future, pin::Pin};

use trackside_engine::RunId;

use crate::{
    Client, Decided, Decision, Events, Followed, OperationError, PruneDocument, ReloadDocument, RetryRun, RunFollower,
    RunPaused, SightDocument, StartRun, StatusDocument, StreamLine, TriggerPaused,
};

/// What comes of an operation, once it is on disk.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, OperationError>> + Send + 'a>>;

/// The operations on a box. [`Client`] has them done by a node of another process, [`LocalControl`](crate::LocalControl) by one of
/// this process, or without any where none is needed. Questions about what is on disk need neither: they are functions on a
/// [`Reader`](trackside_store::Reader).
///
/// # Errors
/// Each operation ends with any [`OperationError`]; nothing was changed then.
pub trait Control: Send + Sync {
    /// Starts a run; it is on disk when its id is given.
    fn start(&self, request: StartRun) -> Answer<'_, RunId>;

    /// Stops a run.
    fn cancel(&self, run: RunId) -> Answer<'_, ()>;

    /// Pauses or resumes a run.
    fn pause_run(&self, run: RunId, pause: bool) -> Answer<'_, RunPaused>;

    /// Starts a run that repeats another one.
    fn retry(&self, run: RunId, request: RetryRun) -> Answer<'_, RunId>;

    /// Decides about a step that waits for a person.
    fn decide<'a>(&'a self, run: RunId, step: &'a str, decision: Decision) -> Answer<'a, Decided>;

    /// Pauses or resumes a trigger.
    fn pause_trigger<'a>(&'a self, trigger: &'a str, pause: bool) -> Answer<'a, TriggerPaused>;

    /// Has the workflow files read now.
    fn reload(&self) -> Answer<'_, ReloadDocument>;

    /// Removes what is not kept.
    fn prune(&self) -> Answer<'_, PruneDocument>;

    /// How things stand.
    fn status(&self) -> Answer<'_, StatusDocument>;

    /// How the file at a path below the folder of a trigger stands.
    fn sight<'a>(&'a self, trigger: &'a str, path: &'a str) -> Answer<'a, SightDocument>;

    /// A run's events, from the first on.
    fn follow(&self, run: RunId) -> Answer<'_, RunEvents>;
}

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

impl Control for Client {
    fn start(&self, request: StartRun) -> Answer<'_, RunId> {
        Box::pin(async move { Ok(Self::start(self, &request).await?) })
    }

    fn cancel(&self, run: RunId) -> Answer<'_, ()> {
        Box::pin(async move { Ok(Self::cancel(self, run).await?) })
    }

    fn pause_run(&self, run: RunId, pause: bool) -> Answer<'_, RunPaused> {
        Box::pin(async move { Ok(Self::pause_run(self, run, pause).await?) })
    }

    fn retry(&self, run: RunId, request: RetryRun) -> Answer<'_, RunId> {
        Box::pin(async move { Ok(Self::retry(self, run, &request).await?) })
    }

    fn decide<'a>(&'a self, run: RunId, step: &'a str, decision: Decision) -> Answer<'a, Decided> {
        Box::pin(async move { Ok(Self::decide(self, run, step, &decision).await?) })
    }

    fn pause_trigger<'a>(&'a self, trigger: &'a str, pause: bool) -> Answer<'a, TriggerPaused> {
        Box::pin(async move { Ok(Self::pause_trigger(self, trigger, pause).await?) })
    }

    fn reload(&self) -> Answer<'_, ReloadDocument> {
        Box::pin(async move { Ok(Self::reload(self).await?) })
    }

    fn prune(&self) -> Answer<'_, PruneDocument> {
        Box::pin(async move { Ok(Self::prune(self).await?) })
    }

    fn status(&self) -> Answer<'_, StatusDocument> {
        Box::pin(async move { Ok(Self::status(self).await?) })
    }

    fn sight<'a>(&'a self, trigger: &'a str, path: &'a str) -> Answer<'a, SightDocument> {
        Box::pin(async move { Ok(Self::sight(self, trigger, path).await?) })
    }

    fn follow(&self, run: RunId) -> Answer<'_, RunEvents> {
        Box::pin(async move { Ok(RunEvents::Remote(Box::new(Self::events(self, run).await?))) })
    }
}
