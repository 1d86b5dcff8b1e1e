//! The door to everything a step can reach.

use std::time::Duration;

use crate::{
    Artifact, ArtifactWriter, State, StepError,
    host::{artifacts, context, state::Scope},
    telemetry,
};

/// Where and why this step runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The workflow's name.
    pub workflow: String,
    /// The run's id.
    pub run_id: String,
    /// The step's id in the workflow.
    pub step: String,
    /// 1 on the first try.
    pub attempt: u32,
    /// The same for all attempts of this step in this run.
    pub idempotency_key: String,
    /// The scheduled or event time, in milliseconds since 1970; not "now".
    pub logical_time_ms: u64,
    /// `manual`, `file`, `cron`, …
    pub trigger_kind: String,
    /// What the trigger says about itself.
    pub trigger: Vec<(String, String)>,
}

impl Info {
    pub(crate) fn from_host(info: context::Info) -> Self {
        Self {
            workflow: info.workflow,
            run_id: info.run_id,
            step: info.step,
            attempt: info.attempt,
            idempotency_key: info.idempotency_key,
            logical_time_ms: info.logical_time_unix_ms,
            trigger_kind: info.trigger_kind,
            trigger: info.trigger,
        }
    }
}

/// This attempt of this step. `run` gets one; there is no other way to make one.
#[derive(Debug)]
pub struct Step {
    _only_by_the_sdk: (),
}

impl Step {
    pub(crate) fn new() -> Self {
        Self { _only_by_the_sdk: () }
    }

    /// Where and why this step runs.
    #[must_use]
    pub fn info(&self) -> Info {
        Info::from_host(context::get())
    }

    /// Time left before the host stops the step; `None` = no limit.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        context::remaining_ms().map(Duration::from_millis)
    }

    /// Whether somebody asked the step to stop. A step that loops for long checks it now and then.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        context::cancelled()
    }

    /// How far it is, 0.0 to 1.0, and a short note for people who watch.
    pub fn progress(&self, fraction: f32, note: &str) {
        telemetry::progress(fraction, note);
    }

    /// The one artifact of an input port.
    ///
    /// # Errors
    /// `missing-input` when the workflow binds none, `too-many-inputs` when it binds several.
    pub fn input(&self, port: &str) -> Result<Artifact, StepError> {
        self.optional_input(port)?.ok_or_else(|| {
            StepError::fatal("missing-input", format!("input `{port}` is missing: give it an artifact under `with:`"))
        })
    }

    /// The artifact of an input port that may be unbound.
    ///
    /// # Errors
    /// `too-many-inputs` when the workflow binds several.
    pub fn optional_input(&self, port: &str) -> Result<Option<Artifact>, StepError> {
        let mut all = self.inputs(port)?;
        match all.len() {
            0 | 1 => Ok(all.pop()),
            count => {
                Err(StepError::fatal("too-many-inputs", format!("input `{port}` takes one artifact, not {count}")))
            }
        }
    }

    /// All artifacts of an input port; none when it is unbound.
    ///
    /// # Errors
    /// When the host refuses the port.
    pub fn inputs(&self, port: &str) -> Result<Vec<Artifact>, StepError> {
        match artifacts::input(port) {
            Ok(all) => Ok(all.into_iter().map(Artifact::from_host).collect()),
            Err(artifacts::ArtifactError::NotFound) => Ok(Vec::new()),
            Err(error) => Err(StepError::from(error).context(format_args!("input `{port}`"))),
        }
    }

    /// Starts an artifact on an output port. It exists for later steps once it is committed and this step succeeds.
    ///
    /// # Errors
    /// When the port is not declared or a quota is used up.
    pub fn create(&self, port: &str, name: &str, media_type: &str) -> Result<ArtifactWriter, StepError> {
        artifacts::create(port, name, media_type)
            .map(ArtifactWriter::from_host)
            .map_err(|error| StepError::from(error).context(format_args!("output `{port}`")))
    }

    /// A whole small artifact at once.
    ///
    /// # Errors
    /// As [`Step::create`], and when writing fails.
    pub fn create_with(&self, port: &str, name: &str, media_type: &str, content: &[u8]) -> Result<Artifact, StepError> {
        let mut writer = self.create(port, name, media_type)?;
        std::io::Write::write_all(&mut writer, content)?;
        writer.commit()
    }

    /// State of this step, kept between runs. Needs `allow: { state: true }`.
    #[must_use]
    pub fn state(&self) -> State {
        State::new(Scope::Step)
    }

    /// State that all steps of this workflow share, kept between runs. Needs `allow: { state: true }`.
    #[must_use]
    pub fn workflow_state(&self) -> State {
        State::new(Scope::Workflow)
    }
}
