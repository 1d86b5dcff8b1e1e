//! Expressions that name an output which the step before does not give, or that have no value whatever is given.

use serde_json::Value;
use trackside_codes::{Code, code};
use trackside_models::{LeftOut, ModelInfo};
use trackside_sandbox::Descriptor;
use trackside_spec::{Expr, Items, Plan, Problem, Scope, Step, Template, nearest};

use super::{Findings, place::Places};
use crate::escape;

/// The code of what is found here.
const CODE: Code = code!("TS-0542");

/// What a plugin says that a step of it gives.
pub(super) struct Described {
    step: String,
    plugin: String,
    outputs: Vec<String>,
}

impl Described {
    /// `None` where the plugin leaves open what it gives, or the step gives something else: a list of its results.
    pub(super) fn of(step: &Step, about: &Descriptor) -> Option<Self> {
        let properties = about.output_schema["properties"].as_object().filter(|known| !known.is_empty())?;
        let mut outputs: Vec<String> = properties.keys().cloned().collect();
        outputs.extend(about.outputs.iter().map(|port| port.name.clone()));
        let described = Self { step: step.id.clone(), plugin: about.name.clone(), outputs };
        step.foreach.is_none().then_some(described)
    }

    fn missing(&self, name: &str) -> Option<(String, String)> {
        // What contracts put aside is there, whatever the plugin gives.
        if name == "quarantine" || self.outputs.iter().any(|output| output == name) {
            return None;
        }
        let help = nearest(name, self.outputs.iter().map(String::as_str))
            .map_or_else(|| format!("it gives {}", self.outputs.join(", ")), |near| format!("did you mean `{near}`?"));
        Some((format!("the plugin {} describes no output `{name}`", self.plugin), help))
    }
}

/// Why an expression that depends on nothing has no value, or is no condition where one stands.
fn never(key: &str, expr: &Expr) -> Option<String> {
    if !expr.names().is_empty() {
        return None;
    }
    let nothing = Value::Null;
    let scope = Scope::new(&nothing, &nothing, &nothing, &nothing);
    let error = match key {
        "when" | "when_item" => expr.eval_bool(&scope).err(),
        _ => expr.eval(&scope).err(),
    };
    error.map(|error| error.to_string())
}

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
            outputs: info.outputs.iter().map(|port| port.name().to_owned()).collect(),
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

/// Holds every expression of the workflow against what its model and plugin steps give.
pub(super) fn check(
    plan: &Plan,
    file: &str,
    (given, described): (&[Given], &[Described]),
    places: &Places<'_>,
    findings: &mut Findings,
) {
    let at = |step: Option<&str>, code, key: &str, message: &str, help: Option<&str>| {
        let message = escape(message);
        let problem = match step {
            Some(step) => places.problem(file, code, step, key, &message),
            None => places.of_outputs(file, code, key, &message),
        };
        Problem { help: help.map(|help| escape(help).into_owned()), ..problem }
    };
    let mut report = |step: Option<&str>, key: &str, expr: &Expr| {
        if let Some(message) = never(key, expr) {
            findings.problems.push(at(step, code!("TS-0875"), key, &message, None));
        }
        for name in expr.names() {
            if let [root, of, output, ..] = name.path.as_slice()
                && root == "steps"
                && let Some((message, help)) =
                    described.iter().find(|known| known.step == *of).and_then(|known| known.missing(output))
            {
                findings.warnings.push(at(step, code!("TS-0876"), key, &message, Some(&help)));
            }
            let [root, of, outputs, output, ..] = name.path.as_slice() else { continue };
            if root != "steps" || outputs != "outputs" {
                continue;
            }
            let missing = given.iter().find(|given| given.step == *of).and_then(|given| given.missing(output));
            if let Some((message, help)) = missing {
                findings.problems.push(at(step, CODE, key, &message, Some(&help)));
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
    for (key, own) in step.action.kind().templates() {
        template(key, own);
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
    for (key, condition) in step.action.kind().conditions() {
        visit(key, condition);
    }
    if let Some(when) = &step.when {
        visit("when", when);
    }
}
