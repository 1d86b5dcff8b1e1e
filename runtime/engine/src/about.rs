//! Which step an event is about: one answer for all who ask.

use trackside_spec::StepIndex;

use crate::event::Event;

/// The head of an event about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventAt {
    /// Which step.
    pub step: StepIndex,
    /// Which item of a step with `foreach`; none when it is about the step as a whole.
    pub item: Option<u32>,
    /// Which attempt, where it is about one.
    pub attempt: Option<u32>,
}

impl Event {
    /// What the event is about; nothing when that is the run.
    #[must_use]
    pub const fn about(&self) -> Option<EventAt> {
        let (step, item, attempt) = match *self {
            Self::StepStarted { step, item, attempt }
            | Self::StepSucceeded { step, item, attempt, .. }
            | Self::StepRetried { step, item, attempt, .. }
            | Self::StepFailed { step, item, attempt, .. }
            | Self::StepBlocked { step, item, attempt, .. }
            | Self::StepInterrupted { step, item, attempt }
            | Self::ChildStarted { step, item, attempt, .. } => (step, item, Some(attempt)),
            Self::StepQueued { step, item, .. }
            | Self::StepSkipped { step, item, .. }
            | Self::StepCancelled { step, item }
            | Self::Delivered { step, item, .. }
            | Self::DeliveryRefused { step, item, .. } => (step, item, None),
            Self::StepTaken { step, .. }
            | Self::StepExpanded { step, .. }
            | Self::StepCollected { step, .. }
            | Self::ApprovalRequested { step, .. }
            | Self::ApprovalDecided { step, .. }
            | Self::StepSuspended { step, .. } => (step, None, None),
            Self::Started { .. }
            | Self::Queued { .. }
            | Self::Admitted
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Retries { .. }
            | Self::RunFailed { .. }
            | Self::CancelRequested { .. }
            | Self::TimedOut
            | Self::Finishing { .. }
            | Self::Ended { .. } => return None,
        };
        Some(EventAt { step, item, attempt })
    }

    /// Whether with it the attempt of a step or item is over, or there will be none: what that held is free.
    #[must_use]
    pub const fn ends_attempt(&self) -> bool {
        match self {
            Self::StepSucceeded { .. }
            | Self::StepSkipped { .. }
            | Self::StepRetried { .. }
            | Self::StepFailed { .. }
            | Self::StepBlocked { .. }
            | Self::StepCancelled { .. }
            | Self::StepInterrupted { .. } => true,
            Self::StepStarted { .. }
            | Self::StepQueued { .. }
            | Self::ChildStarted { .. }
            | Self::ApprovalRequested { .. }
            | Self::ApprovalDecided { .. }
            | Self::StepSuspended { .. }
            // Of a step with items it is they that hold something.
            | Self::StepExpanded { .. }
            | Self::StepCollected { .. }
            // It was never begun in this run.
            | Self::StepTaken { .. }
            | Self::Delivered { .. }
            | Self::DeliveryRefused { .. }
            | Self::Started { .. }
            | Self::Queued { .. }
            | Self::Admitted
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Retries { .. }
            | Self::RunFailed { .. }
            | Self::CancelRequested { .. }
            | Self::TimedOut
            | Self::Finishing { .. }
            | Self::Ended { .. } => false,
        }
    }
}
