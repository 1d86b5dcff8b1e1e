//! The reference: what should become of each step when nobody cancels and no time runs out. It knows no order of events.

use super::case::{Answer, Case, Ending, Kind, Script, Step};

/// The end of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Good,
    Skipped,
    AfterFailure,
    Failed,
    Blocked,
    /// Failed or blocked: which item was first is a matter of order.
    Broken,
}

/// What is expected of a step.
#[derive(Clone, Debug)]
pub struct Want {
    pub end: End,
    /// Attempts that were not lost in a crash; none where they depend on the order.
    pub attempts: Option<u32>,
    /// For a step with items that ends well: the end and the attempts of each.
    pub items: Vec<(End, u32)>,
}

impl Want {
    fn plain(end: End, attempts: u32) -> Self {
        Self { end, attempts: Some(attempts), items: Vec::new() }
    }
}

pub fn expected(case: &Case) -> Vec<Want> {
    let mut wants: Vec<Want> = Vec::new();
    for step in &case.steps {
        wants.push(want(step, &wants));
    }
    wants
}

fn want(step: &Step, before: &[Want]) -> Want {
    let ends = || step.needs.iter().map(|need| (need, before[need.step].end));
    let failed = |end: End| !matches!(end, End::Good | End::Skipped);
    if ends().any(|(need, end)| failed(end) && !need.failed) {
        return Want::plain(End::AfterFailure, 0);
    }
    let unwanted = ends().any(|(need, end)| match end {
        End::Good => !need.succeeded,
        End::Skipped => !need.skipped,
        _ => false,
    });
    if unwanted || step.when == Some(false) {
        return Want::plain(End::Skipped, 0);
    }
    match &step.kind {
        Kind::Plugin(script) => {
            let (end, attempts) = chain(script, step.retries);
            Want::plain(end, attempts)
        }
        Kind::Child(script) => {
            let as_child = |ending: &Ending| match ending {
                Ending::Good | Ending::Kept => Ending::Good,
                _ => Ending::BadAgain,
            };
            let script: Script = script.iter().map(as_child).collect();
            let (end, attempts) = chain(&script, step.retries);
            Want::plain(end, attempts)
        }
        Kind::Approval(Answer::Yes | Answer::Late("approve")) => Want::plain(End::Good, 1),
        Kind::Approval(_) => Want::plain(End::Failed, 1),
        Kind::Each { items, collect, .. } => {
            let items: Vec<(End, u32)> = items
                .iter()
                .map(|script| script.as_ref().map_or((End::Skipped, 0), |script| chain(script, step.retries)))
                .collect();
            let bad = items.iter().any(|(end, _)| failed(*end));
            if bad && !collect {
                return Want { end: End::Broken, attempts: None, items: Vec::new() };
            }
            Want { end: End::Good, attempts: Some(0), items }
        }
    }
}

/// The attempts of one step or item.
fn chain(script: &Script, retries: u32) -> (End, u32) {
    let mut attempts = 0;
    loop {
        let ending = at(script, attempts);
        attempts += 1;
        match ending {
            Ending::Good | Ending::Kept => return (End::Good, attempts),
            Ending::Nothing => return (End::Skipped, attempts),
            Ending::Blocked => return (End::Blocked, attempts),
            Ending::Bad | Ending::BadNever => return (End::Failed, attempts),
            Ending::BadAgain if attempts > retries => return (End::Failed, attempts),
            Ending::BadAgain => {}
        }
    }
}

pub fn at(script: &[Ending], failures: u32) -> Ending {
    script.get(failures as usize).or(script.last()).copied().unwrap_or(Ending::Good)
}
