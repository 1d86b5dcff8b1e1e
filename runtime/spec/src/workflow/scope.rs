//! Checks of the names that expressions use.

use super::{checker::Checker, file::StepFile, foreach::ItemNames, graph::Graph, trigger_names};
use crate::{
    expr::{Expr, Name},
    plan::ParamKind,
    spec_error::{nearest, suggest},
    triggers::Trigger,
};

const RUN: [&str; 3] = ["id", "workflow", "started_ms"];
const RUN_IN_FINALLY: [&str; 7] = ["id", "workflow", "started_ms", "state", "error", "error_code", "failed_step"];
const ROOTS: [&str; 4] = ["params", "trigger", "steps", "run"];
/// The keys of outputs that the engine itself makes.
const COLLECTED: [&str; 3] = ["results", "failed", "count"];
const APPROVED: [&str; 4] = ["approved", "by", "comment", "at"];
const WAITED: [&str; 3] = ["event", "timed_out", "at"];
const EVENT: [&str; 6] = ["name", "data", "at", "run", "workflow", "step"];
const CHILD: [&str; 3] = ["run", "state", "outputs"];
const LABEL: [&str; 3] = ["request", "value", "model"];
const MODEL: [&str; 5] = ["outputs", "rows", "model", "digest", "engine"];

/// The names that exist in a workflow.
pub(super) struct Names<'a> {
    pub(super) params: Vec<(&'a str, ParamKind)>,
    pub(super) steps: Vec<StepNames<'a>>,
    pub(super) graph: &'a Graph,
    pub(super) triggers: &'a [Trigger],
}

/// What a step means to expressions.
pub(super) struct StepNames<'a> {
    pub(super) id: &'a str,
    /// What its output is made by.
    pub(super) makes: Makes,
    pub(super) items: ItemNames,
    /// The names of its contracts.
    pub(super) contracts: Vec<String>,
    /// The names of those that put rows into quarantine.
    pub(super) quarantines: Vec<String>,
}

/// Who makes the output of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Makes {
    /// A plugin: anything.
    Anything,
    Model,
    Child,
    Approval,
    Wait,
    Label,
}

impl Makes {
    /// Of a step as the file says it.
    pub(super) const fn of(step: &StepFile) -> Self {
        if step.label.is_some() {
            return Self::Label;
        }
        match (&step.workflow, &step.approval, &step.wait, &step.model) {
            (Some(_), ..) => Self::Child,
            (None, Some(_), ..) => Self::Approval,
            (None, None, Some(_), _) => Self::Wait,
            (None, None, None, Some(_)) => Self::Model,
            (None, None, None, None) => Self::Anything,
        }
    }

    /// The keys of the output, where they are known.
    const fn keys(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Anything => None,
            Self::Model => Some(&MODEL),
            Self::Child => Some(&CHILD),
            Self::Approval => Some(&APPROVED),
            Self::Wait => Some(&WAITED),
            Self::Label => Some(&LABEL),
        }
    }
}

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    at: At,
    /// Whether the items of the step are in sight.
    item: bool,
    /// Whether the step's contracts have been checked.
    requires: bool,
    /// Whether an event is in sight.
    event: bool,
}

#[derive(Clone, Copy)]
enum At {
    Step(usize),
    Finally,
    Outputs,
    Group,
}

impl Place {
    /// In a finally handler.
    pub(super) const FINALLY: Self = Self { at: At::Finally, item: false, requires: false, event: false };
    /// In the workflow's `outputs`.
    pub(super) const OUTPUTS: Self = Self { at: At::Outputs, item: false, requires: false, event: false };
    /// In the name of the concurrency group: the run has not begun.
    pub(super) const GROUP: Self = Self { at: At::Group, item: false, requires: false, event: false };

    /// In the ordinary step with this index.
    pub(super) const fn step(step: usize) -> Self {
        Self { at: At::Step(step), item: false, requires: false, event: false }
    }

    /// The same place with the step's items in sight, or not.
    pub(super) const fn with_item(self, item: bool) -> Self {
        Self { item, ..self }
    }

    /// The same place with an event in sight.
    pub(super) const fn with_event(self) -> Self {
        Self { event: true, ..self }
    }

    /// The same place when the step's contracts, if it has any, have been checked.
    pub(super) const fn with_requires(self, requires: bool) -> Self {
        Self { requires, ..self }
    }
}

/// Checks every name of `expr`, which begins at byte `offset` of the text at `path`.
pub(super) fn check(
    expr: &Expr,
    names: &Names<'_>,
    place: Place,
    path: &[&str],
    offset: usize,
    checker: &mut Checker<'_, '_>,
) {
    for name in expr.names() {
        if let Err((message, help)) = names.find(name, place) {
            let shown = name.path.iter().take(3).map(|segment| segment.chars().count() + 1).sum::<usize>() - 1;
            checker.inside("TS-0104", path, (offset + name.offset, shown), message, help);
        }
    }
}

/// Checks every name of a condition of which an event alone is in sight.
pub(super) fn check_event(expr: &Expr, path: &[&str], checker: &mut Checker<'_, '_>) {
    for name in expr.names() {
        let segments: Vec<&str> = name.path.iter().map(String::as_str).collect();
        let found = match segments.as_slice() {
            ["event", key, ..] => known("event.", key, &EVENT),
            ["event"] | [] => Ok(()),
            [other, ..] => {
                let help = Some("what a run has is known only when there is one: write event.data.NAME".to_owned());
                Err((format!("`{other}` has no value before there is a run"), help))
            }
        };
        if let Err((message, help)) = found {
            checker.inside("TS-0104", path, (name.offset, segments.join(".").len()), message, help);
        }
    }
}

pub(super) type Missing = (String, Option<String>);

impl Names<'_> {
    /// The type of a parameter.
    pub(super) fn kind_of(&self, param: &str) -> Option<ParamKind> {
        self.params.iter().find(|(name, _)| *name == param).map(|(_, kind)| *kind)
    }

    /// The keys of a step's output, where the engine makes it.
    pub(super) fn output_keys(&self, step: &str) -> Option<&'static [&'static str]> {
        let step = self.steps.iter().find(|known| known.id == step)?;
        match &step.items {
            ItemNames::List | ItemNames::Matrix(_) => Some(&COLLECTED),
            ItemNames::None => step.makes.keys(),
        }
    }

    /// The contracts whose bad rows stand in a step's output: not in that of a step with items, where every item has its own.
    fn quarantines(&self, step: &str) -> Option<Vec<&str>> {
        let step = self.steps.iter().find(|known| known.id == step)?;
        let one = matches!(step.items, ItemNames::None) && matches!(step.makes, Makes::Anything | Makes::Model);
        (one && !step.quarantines.is_empty()).then(|| step.quarantines.iter().map(String::as_str).collect())
    }

    fn param_names(&self) -> Vec<&str> {
        self.params.iter().map(|(name, _)| *name).collect()
    }

    fn step_names(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.id).collect()
    }

    fn find(&self, name: &Name, place: Place) -> Result<(), Missing> {
        let segments: Vec<&str> = name.path.iter().map(String::as_str).collect();
        match (segments.as_slice(), place.at) {
            (["params", param, ..], _) if self.params.is_empty() => {
                Err((format!("there is no `params.{param}`"), Some(format!("declare `{param}` under `params`"))))
            }
            (["params", param, ..], _) => known("params.", param, &self.param_names()),
            (["trigger", rest @ ..], _) => trigger_names::find(rest, self.triggers),
            (["params"], _) => Ok(()),
            ([root @ ("steps" | "run"), ..], At::Group) => Err((
                format!("`{root}` has no value before the run begins"),
                Some("a group's name is made of `params` and `trigger`".to_owned()),
            )),
            (["run", key, ..], At::Finally) => known("run.", key, &RUN_IN_FINALLY),
            (["run", key, ..], _) if RUN_IN_FINALLY.contains(key) && !RUN.contains(key) => {
                Err((format!("run.{key} is known only in `finally`"), None))
            }
            (["run", key, ..], _) => known("run.", key, &RUN),
            (["run"], _) => Ok(()),
            (["steps", step, rest @ ..], _) => {
                self.find_step(step, place)?;
                if let ["quarantine", rest @ ..] = rest
                    && let Some(contracts) = self.quarantines(step)
                {
                    return rest
                        .first()
                        .map_or(Ok(()), |name| known(&format!("steps.{step}.quarantine."), name, &contracts));
                }
                match (rest.first(), self.output_keys(step)) {
                    (Some(key), Some(keys)) => known(&format!("steps.{step}."), key, keys),
                    _ => Ok(()),
                }
            }
            (["steps"], At::Finally | At::Outputs) => Ok(()),
            (["steps"], _) => Err((
                "`steps` as a whole is not a value here".to_owned(),
                Some("name a step that this one needs: steps.ID".to_owned()),
            )),
            (["item" | "index" | "matrix", ..], At::Step(own)) => self.find_item(&segments, own, place.item),
            (["event"], _) if place.event => Ok(()),
            (["event", key, ..], _) if place.event => known("event.", key, &EVENT),
            (["requires", ..], At::Step(own)) => self.find_contract(&segments, own, place.requires),
            ([other, ..], _) => Err(self.unknown_root(other)),
            ([], _) => Ok(()),
        }
    }

    fn find_item(&self, segments: &[&str], own: usize, visible: bool) -> Result<(), Missing> {
        let root = segments[0];
        let items = self.steps.get(own).map_or(&ItemNames::None, |step| &step.items);
        match (items, root) {
            (ItemNames::None, "matrix") => Err((
                format!("there is nothing called `{root}`"),
                Some("`matrix` is for steps with `matrix`".to_owned()),
            )),
            (ItemNames::None, _) => Err((
                format!("there is nothing called `{root}`"),
                Some(format!("`{root}` is for steps with `foreach` or `matrix`")),
            )),
            _ if !visible => Err((
                format!("`{root}` has no value here: this is evaluated once, before the items are known"),
                Some("evaluated for each item: `when_item`, `requires` and what the step is given".to_owned()),
            )),
            (ItemNames::List, "matrix") => {
                Err(("this step has `foreach`, no `matrix`".to_owned(), Some("write `item`".to_owned())))
            }
            (ItemNames::Matrix(keys), "item" | "matrix") => match segments.get(1) {
                Some(key) => {
                    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                    known(&format!("{root}."), key, &keys)
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn find_contract(&self, segments: &[&str], own: usize, visible: bool) -> Result<(), Missing> {
        let contracts = self.steps.get(own).map_or(&[][..], |step| &step.contracts);
        if contracts.is_empty() {
            let help = Some("`requires` is for steps with `requires`".to_owned());
            return Err(("there is nothing called `requires`".to_owned(), help));
        }
        if !visible {
            let message = "`requires` has no value here: the inputs have not been checked yet";
            return Err((message.to_owned(), None));
        }
        let contracts: Vec<&str> = contracts.iter().map(String::as_str).collect();
        segments.get(1).map_or(Ok(()), |name| known("requires.", name, &contracts))
    }

    fn find_step(&self, step: &str, place: Place) -> Result<(), Missing> {
        let names = self.step_names();
        let Some(index) = names.iter().position(|known| *known == step) else {
            let near = match place.at {
                At::Step(own) => {
                    let others: Vec<&str> = (0..names.len())
                        .filter(|&other| self.graph.is_before(other, own))
                        .map(|other| names[other])
                        .collect();
                    nearest(step, names.iter().copied())
                        .map(|near| format!("did you mean `{near}`?"))
                        .or_else(|| suggest(step, &others))
                }
                _ => suggest(step, &names),
            };
            return Err((format!("there is no step `{step}`"), near));
        };
        match place.at {
            At::Step(own) if own == index => Err(("a step cannot use its own output".to_owned(), None)),
            At::Step(own) if !self.graph.is_before(index, own) => Err((
                format!("step `{step}` need not have ended before `{}` starts", names[own]),
                Some(format!("add `{step}` to the needs of `{}`", names[own])),
            )),
            _ => Ok(()),
        }
    }

    fn unknown_root(&self, word: &str) -> Missing {
        let help = if self.kind_of(word).is_some() {
            Some(format!("did you mean `params.{word}`?"))
        } else if self.steps.iter().any(|step| step.id == word) {
            Some(format!("did you mean `steps.{word}`?"))
        } else {
            suggest(word, &ROOTS)
        };
        (format!("there is nothing called `{word}`"), help)
    }
}

pub(super) fn known(root: &str, word: &str, all: &[&str]) -> Result<(), Missing> {
    if all.contains(&word) { Ok(()) } else { Err((format!("there is no `{root}{word}`"), suggest(word, all))) }
}
