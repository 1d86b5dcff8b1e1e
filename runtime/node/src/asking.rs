//! What a [`Handle`] is asked about single runs: their ends, their events as they happen, what is on disk of them.

use std::{future::Future, sync::Arc};

use tokio::sync::{Semaphore, mpsc, oneshot};
use trackside_engine::RunId;
use trackside_spec::Plan;
use trackside_store::{Reader, RunRow, StoreError};

use crate::{
    core::{Fire, FireAnswer, Input, PastEnd},
    dispatcher::Message,
    known_plans::KnownPlans,
    node::{Handle, NodeError},
    watchers::{FOLLOWER_BUFFER, OnItsWay},
};

/// Questions to the store at one time. Each has a thread and a connection, and the pool of readers keeps as many.
const AT_ONCE: usize = 4;

/// What bounds the questions to the store, and spares some.
pub(crate) struct Questions {
    places: Arc<Semaphore>,
    plans: KnownPlans,
}

impl Default for Questions {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), plans: KnownPlans::default() }
    }
}

/// A run that was asked for, and whose end is waited for.
#[derive(Debug)]
pub struct Asked {
    answer: oneshot::Receiver<FireAnswer>,
    end: oneshot::Receiver<Arc<PastEnd>>,
}

impl Asked {
    /// What became of it, and its end if that is on disk before `over` is through.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node went down before it said whether it accepts the run.
    pub async fn until(
        mut self,
        over: impl Future<Output = ()>,
    ) -> Result<(FireAnswer, Option<Arc<PastEnd>>), NodeError> {
        // Of a run that is not accepted no end is told: that ends the wait, too. So nobody has to be woken for the answer.
        let end = tokio::select! {
            biased;
            end = &mut self.end => end.ok(),
            () = over => None,
        };
        Ok((self.answer.await.map_err(|_| NodeError::Closed)?, end))
    }
}

impl Handle {
    /// Asks for a run and waits for its end, which comes out of memory once it is on disk.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub fn fire_and_wait(&self, fire: Fire) -> Result<Asked, NodeError> {
        let ((reply, answer), (waiter, end)) = (oneshot::channel(), oneshot::channel());
        let reply = Box::new(move |answer| drop(reply.send(answer)));
        self.input(Input::FireAndWait(Box::new(fire), reply, waiter))?;
        Ok(Asked { answer, end })
    }

    /// The end of a run that is under way. The channel closes without one where the run is not, or not any more: then the store
    /// knows how it ended.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub fn end_of(&self, run: RunId) -> Result<oneshot::Receiver<Arc<PastEnd>>, NodeError> {
        let (waiter, end) = oneshot::channel();
        self.input(Input::Wait(run, waiter))?;
        Ok(end)
    }

    /// Committed events of a run from now on, and its definition. `None` when nothing of it is to come: the store has all.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub async fn follow(&self, run: RunId) -> Result<Option<(Arc<Plan>, mpsc::Receiver<Arc<OnItsWay>>)>, NodeError> {
        let (follower, updates) = mpsc::channel(FOLLOWER_BUFFER);
        let plan = self.ask(|reply| Message::Follow(run, follower, reply)).await?;
        Ok(plan.map(|plan| (plan, updates)))
    }

    /// Asks the store, all of it at one moment. Who asks waits for a place: however many there are, they need no more threads
    /// and connections than a few.
    ///
    /// # Errors
    /// [`NodeError::Store`] when no connection can be opened, or the question's own error; [`NodeError::Closed`] when the node is
    /// going down.
    pub async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, NodeError> {
        let place = self.questions.places.clone().acquire_owned().await.map_err(|_| NodeError::Closed)?;
        let readers = self.readers().clone();
        let answer = tokio::task::spawn_blocking(move || {
            let answer = readers.with(|reader| reader.at_one_moment(ask));
            drop(place);
            answer
        });
        Ok(answer.await.map_err(|_| NodeError::Closed)??)
    }

    /// The definition that a run has, or had. `None` when this version of the program does not take it.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn plan_of(&self, reader: &Reader, row: &RunRow) -> Result<Option<Arc<Plan>>, StoreError> {
        match self.project().workflows.get(&row.workflow) {
            Some(plan) if plan.digest.to_string() == row.definition => Ok(Some(plan.clone())),
            _ => self.questions.plans.of(reader, row),
        }
    }

    fn input(&self, input: Input) -> Result<(), NodeError> {
        self.inbox.send(Message::Input(input)).map_err(|_| NodeError::Closed)
    }
}
