//! Repeating a run: a new run with the same definition, parameters and trigger takes over the ends of steps that are not
//! to run again.

use serde_json::Value;
use trackside_facts::TriggerDocument;
use trackside_spec::{Plan, StepIndex};

use crate::{
    decide::{Moves, index},
    event::{Event, SkipReason},
    id::RunId,
    state::{Phase, RunState, StepStatus},
};

/// Which steps of a run are to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Those that did not end well, and those after them.
    Unfinished,
    /// This step and those after it; others as well, where they did not end well.
    From(StepIndex),
    /// This step and no other.
    Only(StepIndex),
}

/// A run to be repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// The run that is repeated.
    pub run: RunId,
    /// Which steps were asked for.
    pub again: Again,
    /// Who asks.
    pub by: String,
    /// The parameters of that run.
    pub params: Value,
    /// What started it.
    pub trigger: TriggerDocument,
    /// The time that it was about, milliseconds since 1970.
    pub logical_time_ms: i64,
    /// The steps that do not run again.
    pub taken: Vec<Taken>,
}

/// A step that does not run again.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Which.
    pub step: StepIndex,
    /// Its output; none when it was skipped.
    pub end: Result<Value, SkipReason>,
}

/// Why a run can not be repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepeatRefused {
    /// It is under way.
    #[error("the run has not ended; cancel it or wait for its end")]
    UnderWay,
    /// Another run waits for it.
    #[error("the run was started by run {0}; retry that one")]
    Child(RunId),
    /// Every step ended well, and nobody named one.
    #[error("every step of the run ended well; name the step to repeat from with --from")]
    NothingToDo,
    /// Handlers run at the end, whatever was repeated.
    #[error("`{0}` is a handler of the run's end; name one of its steps")]
    Handler(String),
    /// A step that the named one needs did not end in a way that lets it start.
    #[error("step `{step}` needs step `{needed}`, which is {status}; leave out --only")]
    NeedMissing {
        /// The step to repeat.
        step: String,
        /// The one before it.
        needed: String,
        /// How that one ended.
        status: &'static str,
    },
}

impl RunState {
    /// What a run that repeats this one is to be told.
    ///
    /// # Errors
    /// [`RepeatRefused`].
    pub fn repeat(&self, again: Again, by: &str) -> Result<Repeat, RepeatRefused> {
        self.repeatable()?;
        let taken = match again {
            Again::Only(step) => self.all_but(step)?,
            Again::From(step) => {
                self.ordinary_step(step)?;
                self.taken_without(&self.after(|position| position == step.get() || !self.ended_well(position)))
            }
            Again::Unfinished => {
                let runs = self.after(|position| !self.ended_well(position));
                if !runs.contains(&true) {
                    return Err(RepeatRefused::NothingToDo);
                }
                self.taken_without(&runs)
            }
        };
        Ok(self.repeated(again, by, self.params.clone(), taken))
    }

    /// What a run of another definition is to be told that does this one's work again: trigger and time of this one, and
    /// every step of its own. Ends of steps are not taken over: they are those of other steps.
    ///
    /// # Errors
    /// [`RepeatRefused`].
    pub fn repeat_anew(&self, params: Value, by: &str) -> Result<Repeat, RepeatRefused> {
        self.repeatable()?;
        Ok(self.repeated(Again::Unfinished, by, params, Vec::new()))
    }

    fn repeatable(&self) -> Result<(), RepeatRefused> {
        if !matches!(self.phase, Phase::Ended(..)) {
            return Err(RepeatRefused::UnderWay);
        }
        self.parent.as_ref().map_or(Ok(()), |parent| Err(RepeatRefused::Child(parent.run)))
    }

    fn repeated(&self, again: Again, by: &str, params: Value, taken: Vec<Taken>) -> Repeat {
        let trigger = TriggerDocument::clone(&self.trigger);
        Repeat { run: self.id, again, by: by.to_owned(), params, trigger, logical_time_ms: self.logical_time_ms, taken }
    }

    fn ordinary_step(&self, step: StepIndex) -> Result<(), RepeatRefused> {
        if step.get() < self.plan.ordinary_steps() {
            return Ok(());
        }
        let name = self.plan.steps.get(step.get()).map(|step| step.id.clone());
        Err(RepeatRefused::Handler(name.unwrap_or_default()))
    }

    /// Whether the step's end can stand: it did its work, or did not have to.
    fn ended_well(&self, position: usize) -> bool {
        match &self.steps[position].status {
            StepStatus::Succeeded => true,
            StepStatus::Skipped(reason) => !matches!(reason, SkipReason::UpstreamFailed(_) | SkipReason::NotRepeated),
            _ => false,
        }
    }

    /// The steps for which `begin` holds and all that need them, near or far.
    fn after(&self, begin: impl Fn(usize) -> bool) -> Vec<bool> {
        let mut runs: Vec<bool> = (0..self.plan.ordinary_steps()).map(begin).collect();
        // Steps stand in no particular order: repeat until nothing is added.
        loop {
            let added: Vec<usize> = (0..runs.len())
                .filter(|position| !runs[*position])
                .filter(|position| needs(&self.plan, *position).any(|need| runs.get(need) == Some(&true)))
                .collect();
            if added.is_empty() {
                return runs;
            }
            added.into_iter().for_each(|position| runs[position] = true);
        }
    }

    fn taken_without(&self, runs: &[bool]) -> Vec<Taken> {
        let stay = (0..runs.len()).filter(|position| !runs[*position]);
        stay.filter_map(|position| self.taken(position)).collect()
    }

    fn taken(&self, position: usize) -> Option<Taken> {
        let step = index(position);
        let end = match &self.steps[position].status {
            StepStatus::Succeeded => Ok(self.output(step).cloned().unwrap_or_default()),
            StepStatus::Skipped(reason) => Err(reason.clone()),
            _ => return None,
        };
        Some(Taken { step, end })
    }

    /// Everything but one step: what has no end that can stand is left out of the new run.
    fn all_but(&self, only: StepIndex) -> Result<Vec<Taken>, RepeatRefused> {
        self.ordinary_step(only)?;
        if let Some(missing) = needs(&self.plan, only.get()).find(|need| !self.ended_well(*need)) {
            return Err(RepeatRefused::NeedMissing {
                step: self.plan.step(only).id.clone(),
                needed: self.plan.step(index(missing)).id.clone(),
                status: self.steps[missing].status.name(),
            });
        }
        let runs = self.after(|position| position == only.get());
        let others = (0..runs.len()).filter(|position| *position != only.get());
        let end = |position: usize| {
            // What comes after the step was made from its old output.
            let stands = !runs[position] && self.ended_well(position);
            let left_out = Taken { step: index(position), end: Err(SkipReason::NotRepeated) };
            if stands { self.taken(position).unwrap_or(left_out) } else { left_out }
        };
        Ok(others.map(end).collect())
    }
}

fn needs(plan: &Plan, position: usize) -> impl Iterator<Item = usize> + '_ {
    plan.steps[position].needs.iter().map(|need| need.get())
}

impl Moves<'_> {
    pub(crate) fn start_again(&mut self, repeat: Repeat) {
        let Repeat { run, again, by, params, trigger, logical_time_ms, taken } = repeat;
        let (from, only) = match again {
            Again::Unfinished => (None, false),
            Again::From(step) => (Some(step), false),
            Again::Only(step) => (Some(step), true),
        };
        self.emit(Event::Started { params, trigger, logical_time_ms, parent: None });
        self.emit(Event::Retries { run, from, only, by });
        for Taken { step, end } in taken {
            match end {
                Ok(output) => self.emit(Event::StepTaken { step, output }),
                Err(reason) => self.emit(Event::StepSkipped { step, item: None, reason }),
            }
        }
        self.enter();
    }
}
