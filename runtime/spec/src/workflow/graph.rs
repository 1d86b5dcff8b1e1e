//! Checks of `needs`: every step exists, nothing goes round in a circle.

use super::{checker::Checker, needs::NeedFile};
use crate::{
    plan::{Need, StepIndex},
    spec_error::suggest,
};

/// The dependencies of the ordinary steps.
pub(super) struct Graph {
    /// For each step the steps that it needs, in the order of the file.
    pub(super) needs: Vec<Vec<Need>>,
    /// For each step, which steps have certainly ended before it starts.
    before: Vec<Vec<bool>>,
}

impl Graph {
    /// Whether `step` has certainly ended before `other` starts.
    pub(super) fn is_before(&self, step: usize, other: usize) -> bool {
        self.before.get(other).and_then(|before| before.get(step)).copied().unwrap_or(false)
    }
}

/// `written` holds the `needs` of every step, in the order of `ids`.
pub(super) fn check(ids: &[&str], written: &[Vec<NeedFile>], checker: &mut Checker<'_, '_>) -> Graph {
    let needs: Vec<Vec<Need>> = ids.iter().zip(written).map(|(id, needs)| resolve(id, needs, ids, checker)).collect();
    let steps: Vec<Vec<usize>> = needs.iter().map(|needs| needs.iter().map(|need| need.get()).collect()).collect();
    report_cycles(ids, &steps, checker);
    let before = reachable(&steps);
    Graph { needs, before }
}

fn resolve(id: &str, needs: &[NeedFile], ids: &[&str], checker: &mut Checker<'_, '_>) -> Vec<Need> {
    let mut resolved = Vec::with_capacity(needs.len());
    for (position, need) in needs.iter().enumerate() {
        // Where it is a mapping the name is one deeper; a path that ends in nothing means the last thing on it.
        let position_text = position.to_string();
        let path = ["steps", id, "needs", &position_text, "step"];
        let name = need.step.as_str();
        if needs[..position].iter().any(|other| other.step == name) {
            checker.at("TS-0107", &path, format!("`{name}` is there twice"), None);
            continue;
        }
        if need.on.is_empty() {
            let help = Some("write on: [succeeded]".to_owned());
            let path = ["steps", id, "needs", &position_text, "on"];
            checker.at("TS-0103", &path, "the step could never start: no end would let it", help);
            continue;
        }
        if name == id {
            checker.at("TS-0106", &path, "a step cannot need itself", None);
            continue;
        }
        let found = ids.iter().position(|known| *known == name).and_then(|step| u16::try_from(step).ok());
        match found {
            Some(step) => resolved.push(Need { step: StepIndex(step), on: need.ends() }),
            None => {
                let others: Vec<&str> = ids.iter().copied().filter(|other| *other != id).collect();
                checker.at("TS-0106", &path, format!("there is no step `{name}`"), suggest(name, &others));
            }
        }
    }
    resolved
}

/// Reports the circles, each once. Steps that do not go round in one are taken away first, so that one is found in what
/// is left by simply walking.
fn report_cycles(ids: &[&str], needs: &[Vec<usize>], checker: &mut Checker<'_, '_>) {
    let mut in_circle = vec![true; ids.len()];
    loop {
        let free = (0..ids.len()).find(|&step| in_circle[step] && needs[step].iter().all(|&need| !in_circle[need]));
        match free {
            Some(step) => in_circle[step] = false,
            None => break,
        }
    }
    let mut seen = vec![false; ids.len()];
    for start in 0..ids.len() {
        if !in_circle[start] || seen[start] {
            continue;
        }
        let mut walk = Vec::new();
        let mut step = start;
        while !seen[step] {
            seen[step] = true;
            walk.push(step);
            match needs[step].iter().copied().find(|&need| in_circle[need]) {
                Some(next) => step = next,
                None => break,
            }
        }
        // A walk that runs into an older one leads to a circle that has been reported.
        if let Some(first) = walk.iter().position(|&walked| walked == step)
            && walk.len() > first + 1
        {
            let circle = &walk[first..];
            let mut names: Vec<&str> = circle.iter().map(|&step| ids[step]).collect();
            names.push(ids[circle[0]]);
            let message = format!("these steps wait for each other: {}", names.join(" -> "));
            checker.at("TS-0106", &["steps", ids[circle[0]], "needs"], message, None);
        }
    }
}

/// The transitive closure.
fn reachable(needs: &[Vec<usize>]) -> Vec<Vec<bool>> {
    needs
        .iter()
        .map(|direct| {
            let mut before = vec![false; needs.len()];
            let mut todo = direct.clone();
            while let Some(step) = todo.pop() {
                if !std::mem::replace(&mut before[step], true) {
                    todo.extend(&needs[step]);
                }
            }
            before
        })
        .collect()
}
