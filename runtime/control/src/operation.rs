//! What can be asked of a box, in one form for all who ask: the operations, and where each of the two forms has them done.

use std::{future::Future, pin::Pin, time::Duration};

use trackside_engine::RunId;
use trackside_node::{RolloutDocument, Say};

use crate::{
    AddModel, AliasMoved, Client, ControlError, Decided, Decision, DriftReset, EmitEvent, Emitted, GivenModel,
    LabelsTold, LocalControl, MakeToken, ModelAdded, ModelRemoved, OperationError, PruneDocument, ReloadDocument,
    RetryRun, RunEvents, RunFollower, RunPaused, SampleLabelled, SightDocument, StartRollout, StartRun, StatusDocument,
    TellLabels, TokenMade, TokenRevoked, TriggerPaused, Waited, add_model, cancel_run, decide, emit,
    local::{Place, pause_run_offline, pause_trigger_offline, prune_offline},
    local::{label_here, label_sample_here, on_models, on_rollouts},
    make_token, move_model_alias, pause_run, pause_trigger, prune, reload, remove_model, reset_drift, retry_run,
    revoke_token, roll_back_model, run_to_end, say_rollout, sight, start_rollout, start_run, status, wait_for_end,
};

/// What comes of an operation, once it is on disk.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, OperationError>> + Send + 'a>>;

/// The operations on a box. [`Client`] has them done by a node of another process, [`LocalControl`] by one of
/// this process, or without any where none is needed. Questions about what is on disk need neither: they are functions on a
/// [`Reader`](trackside_store::Reader).
///
/// # Errors
/// Each operation ends with any [`OperationError`]; nothing was changed then.
pub trait Control: Send + Sync {
    /// Starts a run; it is on disk when its id is given.
    fn start(&self, request: StartRun) -> Answer<'_, RunId>;

    /// Starts a run and waits for its end so long, a minute at most. Its end is on disk when it is given; what it staged may be
    /// carried out later.
    fn run(&self, request: StartRun, wait: Duration) -> Answer<'_, Waited>;

    /// Waits so long for the end of a run.
    fn wait(&self, run: RunId, wait: Duration) -> Answer<'_, Waited>;

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

    /// Emits an event; what it sets off is on disk when the answer comes. Where no node runs there is nobody to hear it.
    fn emit(&self, event: EmitEvent) -> Answer<'_, Emitted>;

    /// Has the workflow files read now.
    fn reload(&self) -> Answer<'_, ReloadDocument>;

    /// Removes what is not kept.
    fn prune(&self) -> Answer<'_, PruneDocument>;

    /// Adds a version of a model to the registry.
    fn add_model(&self, request: AddModel, given: GivenModel) -> Answer<'_, ModelAdded>;

    /// Lets an alias of a model name a version; none removes it.
    fn move_model_alias<'a>(&'a self, name: &'a str, alias: &'a str, to: Option<u32>) -> Answer<'a, AliasMoved>;

    /// Moves an alias of a model back to what it named before its last move.
    fn roll_back_model<'a>(&'a self, name: &'a str, alias: &'a str) -> Answer<'a, AliasMoved>;

    /// Removes a version of a model that no alias names.
    fn remove_model<'a>(&'a self, name: &'a str, version: u32) -> Answer<'a, ModelRemoved>;

    /// Tells what would have been right for requests of models; what is taken is on disk.
    fn label(&self, labels: TellLabels) -> Answer<'_, LabelsTold>;

    /// Begins a rollout.
    fn start_rollout(&self, wanted: StartRollout) -> Answer<'_, RolloutDocument>;

    /// Promotes, aborts, holds or resumes the rollout of a model.
    fn say_rollout<'a>(&'a self, model: &'a str, say: Say) -> Answer<'a, RolloutDocument>;

    /// Says what would have been right for an input that is kept.
    fn label_sample<'a>(&'a self, id: &'a str, value: serde_json::Value) -> Answer<'a, SampleLabelled>;

    /// Makes a token.
    fn make_token(&self, wanted: MakeToken) -> Answer<'_, TokenMade>;

    /// Revokes a token.
    fn revoke_token<'a>(&'a self, name: &'a str) -> Answer<'a, TokenRevoked>;

    /// Has a reference of drift made anew.
    fn reset_drift<'a>(&'a self, name: &'a str) -> Answer<'a, DriftReset>;

    /// How things stand.
    fn status(&self) -> Answer<'_, StatusDocument>;

    /// How the file at a path below the folder of a trigger stands.
    fn sight<'a>(&'a self, trigger: &'a str, path: &'a str) -> Answer<'a, SightDocument>;

    /// A run's events, from the first on.
    fn follow(&self, run: RunId) -> Answer<'_, RunEvents>;
}

impl Control for Client {
    fn start(&self, request: StartRun) -> Answer<'_, RunId> {
        Box::pin(async move { Ok(Self::start(self, &request).await?) })
    }

    fn run(&self, request: StartRun, wait: Duration) -> Answer<'_, Waited> {
        Box::pin(async move { Ok(Self::run(self, &request, wait).await?) })
    }

    fn wait(&self, run: RunId, wait: Duration) -> Answer<'_, Waited> {
        Box::pin(async move { Ok(Self::wait(self, run, wait).await?) })
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

    fn emit(&self, event: EmitEvent) -> Answer<'_, Emitted> {
        Box::pin(async move { Ok(Self::emit(self, &event).await?) })
    }

    fn reload(&self) -> Answer<'_, ReloadDocument> {
        Box::pin(async move { Ok(Self::reload(self).await?) })
    }

    fn prune(&self) -> Answer<'_, PruneDocument> {
        Box::pin(async move { Ok(Self::prune(self).await?) })
    }

    fn add_model(&self, request: AddModel, given: GivenModel) -> Answer<'_, ModelAdded> {
        Box::pin(async move { Self::add_model(self, &request, given).await })
    }

    fn move_model_alias<'a>(&'a self, name: &'a str, alias: &'a str, to: Option<u32>) -> Answer<'a, AliasMoved> {
        Box::pin(async move { Ok(Self::move_model_alias(self, name, alias, to).await?) })
    }

    fn roll_back_model<'a>(&'a self, name: &'a str, alias: &'a str) -> Answer<'a, AliasMoved> {
        Box::pin(async move { Ok(Self::roll_back_model(self, name, alias).await?) })
    }

    fn remove_model<'a>(&'a self, name: &'a str, version: u32) -> Answer<'a, ModelRemoved> {
        Box::pin(async move { Ok(Self::remove_model(self, name, version).await?) })
    }

    fn label(&self, labels: TellLabels) -> Answer<'_, LabelsTold> {
        Box::pin(async move { Ok(Self::label(self, &labels).await?) })
    }

    fn start_rollout(&self, wanted: StartRollout) -> Answer<'_, RolloutDocument> {
        Box::pin(async move { Ok(Self::start_rollout(self, &wanted).await?) })
    }

    fn say_rollout<'a>(&'a self, model: &'a str, say: Say) -> Answer<'a, RolloutDocument> {
        Box::pin(async move { Ok(Self::say_rollout(self, model, say).await?) })
    }

    fn label_sample<'a>(&'a self, id: &'a str, value: serde_json::Value) -> Answer<'a, SampleLabelled> {
        Box::pin(async move { Ok(Self::label_sample(self, id, &value).await?) })
    }

    fn make_token(&self, wanted: MakeToken) -> Answer<'_, TokenMade> {
        Box::pin(async move { Ok(Self::make_token(self, &wanted).await?) })
    }

    fn revoke_token<'a>(&'a self, name: &'a str) -> Answer<'a, TokenRevoked> {
        Box::pin(async move { Ok(Self::revoke_token(self, name).await?) })
    }

    fn reset_drift<'a>(&'a self, name: &'a str) -> Answer<'a, DriftReset> {
        Box::pin(async move { Ok(Self::reset_drift(self, name).await?) })
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

impl Control for LocalControl {
    fn start(&self, request: StartRun) -> Answer<'_, RunId> {
        Box::pin(async move {
            let handle = self.node()?;
            Ok(start_run(handle, &handle.project(), request).await?)
        })
    }

    fn run(&self, request: StartRun, wait: Duration) -> Answer<'_, Waited> {
        Box::pin(async move {
            let handle = self.node()?;
            Ok(run_to_end(handle, &handle.project(), request, tokio::time::sleep(wait)).await?)
        })
    }

    fn wait(&self, run: RunId, wait: Duration) -> Answer<'_, Waited> {
        Box::pin(async move {
            let waited = wait_for_end(self.node()?, run, tokio::time::sleep(wait)).await?;
            Ok(waited.ok_or(ControlError::NoRun(run))?)
        })
    }

    fn cancel(&self, run: RunId) -> Answer<'_, ()> {
        Box::pin(async move { Ok(cancel_run(self.node()?, run, &self.by).await?) })
    }

    fn pause_run(&self, run: RunId, pause: bool) -> Answer<'_, RunPaused> {
        Box::pin(async move {
            match &self.place {
                Place::Node(handle) => Ok(pause_run(handle, run, pause, &self.by).await?),
                Place::Folder(project) => pause_run_offline(project, run, pause, &self.by).await,
            }
        })
    }

    fn retry(&self, run: RunId, request: RetryRun) -> Answer<'_, RunId> {
        Box::pin(async move { Ok(retry_run(self.node()?, run, request, &self.by).await?) })
    }

    fn decide<'a>(&'a self, run: RunId, step: &'a str, decision: Decision) -> Answer<'a, Decided> {
        Box::pin(async move { Ok(decide(self.node()?, run, step, &self.by, &decision).await?) })
    }

    fn pause_trigger<'a>(&'a self, trigger: &'a str, pause: bool) -> Answer<'a, TriggerPaused> {
        Box::pin(async move {
            match &self.place {
                Place::Node(handle) => Ok(pause_trigger(handle, &handle.project(), trigger, pause, &self.by).await?),
                Place::Folder(project) => pause_trigger_offline(project, trigger, pause, &self.by).await,
            }
        })
    }

    fn emit(&self, event: EmitEvent) -> Answer<'_, Emitted> {
        Box::pin(async move { Ok(emit(self.node()?, event).await?) })
    }

    fn reload(&self) -> Answer<'_, ReloadDocument> {
        Box::pin(async move { Ok(reload(self.node()?, &self.by).await?) })
    }

    fn prune(&self) -> Answer<'_, PruneDocument> {
        Box::pin(async move {
            match &self.place {
                Place::Node(handle) => Ok(prune(handle).await?),
                Place::Folder(project) => prune_offline(project.clone()).await,
            }
        })
    }

    fn add_model(&self, request: AddModel, given: GivenModel) -> Answer<'_, ModelAdded> {
        Box::pin(async move { on_models(self, move |place| add_model(place, &request, given)).await })
    }

    fn move_model_alias<'a>(&'a self, name: &'a str, alias: &'a str, to: Option<u32>) -> Answer<'a, AliasMoved> {
        let (name, alias) = (name.to_owned(), alias.to_owned());
        Box::pin(async move { on_models(self, move |place| move_model_alias(place, &name, &alias, to)).await })
    }

    fn roll_back_model<'a>(&'a self, name: &'a str, alias: &'a str) -> Answer<'a, AliasMoved> {
        let (name, alias) = (name.to_owned(), alias.to_owned());
        Box::pin(async move { on_models(self, move |place| roll_back_model(place, &name, &alias)).await })
    }

    fn remove_model<'a>(&'a self, name: &'a str, version: u32) -> Answer<'a, ModelRemoved> {
        let name = name.to_owned();
        Box::pin(async move { on_models(self, move |place| remove_model(place, &name, version)).await })
    }

    fn label(&self, labels: TellLabels) -> Answer<'_, LabelsTold> {
        Box::pin(async move { label_here(self, labels).await })
    }

    fn start_rollout(&self, wanted: StartRollout) -> Answer<'_, RolloutDocument> {
        Box::pin(async move { on_rollouts(self, move |place| start_rollout(place, &wanted)).await })
    }

    fn say_rollout<'a>(&'a self, model: &'a str, say: Say) -> Answer<'a, RolloutDocument> {
        let model = model.to_owned();
        Box::pin(async move { on_rollouts(self, move |place| say_rollout(place, &model, say)).await })
    }

    fn label_sample<'a>(&'a self, id: &'a str, value: serde_json::Value) -> Answer<'a, SampleLabelled> {
        Box::pin(async move { label_sample_here(self, id, value).await })
    }

    fn make_token(&self, wanted: MakeToken) -> Answer<'_, TokenMade> {
        Box::pin(async move { on_models(self, move |place| make_token(place, &wanted)).await })
    }

    fn reset_drift<'a>(&'a self, name: &'a str) -> Answer<'a, DriftReset> {
        let name = name.to_owned();
        Box::pin(async move { on_models(self, move |place| reset_drift(place, &name)).await })
    }

    fn revoke_token<'a>(&'a self, name: &'a str) -> Answer<'a, TokenRevoked> {
        let name = name.to_owned();
        Box::pin(async move { on_models(self, move |place| revoke_token(place, &name)).await })
    }

    fn status(&self) -> Answer<'_, StatusDocument> {
        Box::pin(async move { Ok(status(self.node()?, self.since).await?) })
    }

    fn sight<'a>(&'a self, trigger: &'a str, path: &'a str) -> Answer<'a, SightDocument> {
        Box::pin(async move { Ok(sight(self.node()?, trigger, path).await) })
    }

    fn follow(&self, run: RunId) -> Answer<'_, RunEvents> {
        Box::pin(async move {
            let follower = RunFollower::open(self.node()?.clone(), run).await?;
            Ok(RunEvents::Local(Box::new(follower.ok_or(ControlError::NoRun(run))?)))
        })
    }
}
