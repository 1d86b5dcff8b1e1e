//! Checks of the names that expressions use.

use super::{checker::Checker, graph::Graph, trigger_names};
use crate::{
    expr::{Expr, Name},
    spec_error::{nearest, suggest},
    triggers::Trigger,
};

const RUN: [&str; 3] = ["id", "workflow", "started_ms"];
const RUN_IN_FINALLY: [&str; 6] = ["id", "workflow", "started_ms", "state", "error", "failed_step"];
const ROOTS: [&str; 4] = ["params", "trigger", "steps", "run"];

/// The names that exist in a workflow.
pub(super) struct Names<'a> {
    pub(super) params: Vec<&'a str>,
    pub(super) steps: Vec<&'a str>,
    pub(super) graph: &'a Graph,
    pub(super) triggers: &'a [Trigger],
}

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In the ordinary step with this index.
    Step(usize),
    /// In a finally handler.
    Finally,
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

pub(super) type Missing = (String, Option<String>);

impl Names<'_> {
    fn find(&self, name: &Name, place: Place) -> Result<(), Missing> {
        let segments: Vec<&str> = name.path.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["params", param, ..] if self.params.is_empty() => {
                Err((format!("there is no `params.{param}`"), Some(format!("declare `{param}` under `params`"))))
            }
            ["params", param, ..] => known("params.", param, &self.params),
            ["trigger", rest @ ..] => trigger_names::find(rest, self.triggers),
            ["run", key, ..] => match place {
                Place::Finally => known("run.", key, &RUN_IN_FINALLY),
                Place::Step(_) if RUN_IN_FINALLY.contains(key) && !RUN.contains(key) => {
                    Err((format!("run.{key} is known only in `finally`"), None))
                }
                Place::Step(_) => known("run.", key, &RUN),
            },
            ["steps", step, ..] => self.find_step(step, place),
            ["steps"] => match place {
                Place::Finally => Ok(()),
                Place::Step(_) => Err((
                    "`steps` as a whole is not a value here".to_owned(),
                    Some("name a step that this one needs: steps.ID".to_owned()),
                )),
            },
            ["params" | "run"] => Ok(()),
            [other, ..] => Err(self.unknown_root(other)),
            [] => Ok(()),
        }
    }

    fn find_step(&self, step: &str, place: Place) -> Result<(), Missing> {
        let Some(index) = self.steps.iter().position(|known| *known == step) else {
            let near = match place {
                Place::Finally => suggest(step, &self.steps),
                Place::Step(own) => {
                    let others: Vec<&str> = (0..self.steps.len())
                        .filter(|&other| self.graph.is_before(other, own))
                        .map(|other| self.steps[other])
                        .collect();
                    nearest(step, self.steps.iter().copied())
                        .map(|near| format!("did you mean `{near}`?"))
                        .or_else(|| suggest(step, &others))
                }
            };
            return Err((format!("there is no step `{step}`"), near));
        };
        match place {
            Place::Finally => Ok(()),
            Place::Step(own) if own == index => Err(("a step cannot use its own output".to_owned(), None)),
            Place::Step(own) if self.graph.is_before(index, own) => Ok(()),
            Place::Step(own) => Err((
                format!("step `{step}` need not have ended before `{}` starts", self.steps[own]),
                Some(format!("add `{step}` to the needs of `{}`", self.steps[own])),
            )),
        }
    }

    fn unknown_root(&self, word: &str) -> Missing {
        let help = if self.params.contains(&word) {
            Some(format!("did you mean `params.{word}`?"))
        } else if self.steps.contains(&word) {
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
