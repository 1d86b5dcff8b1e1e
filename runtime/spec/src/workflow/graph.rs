//! Checks of `needs`: every step exists, nothing goes round in a circle.

use super::checker::Checker;
use crate::{plan::StepIndex, spec_error::suggest};

/// The dependencies of the ordinary steps.
pub(super) struct Graph {
    /// For each step the steps that it needs, in the order of the file.
    pub(super) needs: Vec<Vec<StepIndex>>,
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
pub(super) fn check(ids: &[&str], written: &[Vec<String>], checker: &mut Checker<'_, '_>) -> Graph {
    let needs: Vec<Vec<usize>> = ids.iter().zip(written).map(|(id, needs)| resolve(id, needs, ids, checker)).collect();
    report_cycles(ids, &needs, checker);
    let before = reachable(&needs);
    let index = |needs: &Vec<usize>| needs.iter().filter_map(|&step| u16::try_from(step).ok().map(StepIndex)).collect();
    Graph { needs: needs.iter().map(index).collect(), before }
}

fn resolve(id: &str, needs: &[String], ids: &[&str], checker: &mut Checker<'_, '_>) -> Vec<usize> {
    let mut resolved = Vec::with_capacity(needs.len());
    for (position, need) in needs.iter().enumerate() {
        let path = ["steps", id, "needs", &position.to_string()];
        if needs[..position].contains(need) {
            checker.at("TS-0107", &path, format!("`{need}` is there twice"), None);
            continue;
        }
        if need == id {
            checker.at("TS-0106", &path, "a step cannot need itself", None);
            continue;
        }
        match ids.iter().position(|known| known == need) {
            Some(step) => resolved.push(step),
            None => {
                let others: Vec<&str> = ids.iter().copied().filter(|other| *other != id).collect();
                checker.at("TS-0106", &path, format!("there is no step `{need}`"), suggest(need, &others));
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
