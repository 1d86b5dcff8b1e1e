//! Expressions that name an output of a model step which the model does not give.

use trackside_models::{LeftOut, ModelInfo};
use trackside_spec::{Action, Expr, Items, Plan, Problem, Step, Template, nearest};

use super::{Findings, place::Places};
use crate::output::escape;

/// The code of what is found here.
const CODE: &str = "TS-0542";

/// What a model step gives.
pub(super) struct Given {
    step: String,
    model: String,
    outputs: Vec<String>,
    left_out: Vec<LeftOut>,
}

impl Given {
    pub(super) fn of(step: &Step, info: &ModelInfo) -> Self {
        Self {
            step: step.id.clone(),
            model: info.name.clone(),
            outputs: info.outputs.iter().map(|port| port.name.clone()).collect(),
            left_out: info.left_out.clone(),
        }
    }

    /// Why there is no output `name`, and what helps; `None` when there is one.
    fn missing(&self, name: &str) -> Option<(String, String)> {
        if self.outputs.iter().any(|output| output == name) {
            return None;
        }
        if let Some(port) = self.left_out.iter().find(|port| port.name == name) {
            let message = format!("steps.{}.outputs.{name} will not be there: {}", self.step, port.reason());
            return Some((message, format!("the model {} gives {}", self.model, self.outputs.join(", "))));
        }
        let help = nearest(name, self.outputs.iter().map(String::as_str))
            .map_or_else(|| format!("it gives {}", self.outputs.join(", ")), |near| format!("did you mean `{near}`?"));
        Some((format!("the model {} has no output `{name}`", self.model), help))
    }
}

/// Holds every expression of the workflow against what its model steps give.
pub(super) fn check(plan: &Plan, file: &str, given: &[Given], places: &Places<'_>, findings: &mut Findings) {
    let mut report = |step: Option<&str>, key: &str, expr: &Expr| {
        for name in expr.names() {
            let [root, of, outputs, output, ..] = name.path.as_slice() else { continue };
            if root != "steps" || outputs != "outputs" {
                continue;
            }
            let missing = given.iter().find(|given| given.step == *of).and_then(|given| given.missing(output));
            if let Some((message, help)) = missing {
                let (message, help) = (escape(&message).into_owned(), escape(&help).into_owned());
                let problem = match step {
                    Some(step) => places.problem(file, CODE, step, key, &message),
                    None => places.of_outputs(file, CODE, key, &message),
                };
                findings.problems.push(Problem { help: Some(help), ..problem });
            }
        }
    };
    for step in &plan.steps {
        each(step, &mut |key, expr| report(Some(&step.id), key, expr));
    }
    if let Some(outputs) = &plan.outputs {
        outputs.each_expression(&mut |path, _, expr| {
            report(None, path.first().map_or("outputs", String::as_str), expr);
        });
    }
}

/// Every expression of a step, with the key that it stands under.
fn each(step: &Step, visit: &mut dyn FnMut(&str, &Expr)) {
    let mut template = |key: &str, template: &Template| {
        template.each_expression(&mut |path, _, expr| visit(path.first().map_or(key, String::as_str), expr));
    };
    match &step.action {
        Action::Plugin(call) => {
            template("with", &call.with);
            if let Some(command) = &call.command {
                template("command", &command.given);
            }
        }
        Action::Model(call) => template("inputs", &call.inputs),
        Action::Workflow(call) => template("params", &call.params),
        Action::Approval(approval) => template("message", &approval.message),
    }
    for contract in &step.requires {
        template("requires", &contract.of);
    }
    if let Some(foreach) = &step.foreach {
        match &foreach.items {
            Items::List(list) => template("foreach", list),
            Items::Matrix(matrix) => matrix.keys.iter().for_each(|(_, list)| template("matrix", list)),
        }
        if let Some(when) = &foreach.when {
            visit("when_item", when);
        }
    }
    if let Some(when) = &step.when {
        visit("when", when);
    }
}
