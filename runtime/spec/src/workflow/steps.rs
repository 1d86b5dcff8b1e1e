//! Checks of what a step does and may do.

use serde_json::Value;

use super::{
    allow_file::{self, AllowFile},
    checker::Checker,
    command::{self, CommandFile},
    file::{HandlerFile, RetryFile, StepFile, WhenFile},
    scope::{self, Names, Place},
    words,
};
use crate::{
    expr::{Expr, Template},
    limits::Limits,
    oci::OciReference,
    plan::{Action, ModelCall, PluginCall, Retry},
    reuse::Reuse,
    units::Duration,
};

const MAX_RETRIES: u32 = 100;
const LARGEST_FACTOR: f64 = 100.0;

/// What a step and a handler have in common.
pub(super) struct Body {
    plugin: Option<String>,
    model: Option<String>,
    with: Option<Value>,
    command: Option<CommandFile>,
    inputs: Option<Value>,
    retry: Option<RetryFile>,
    timeout: Option<Duration>,
    limits: Limits,
    reuse: Option<Reuse>,
    allow: AllowFile,
}

macro_rules! body_from {
    ($file:ty) => {
        impl From<$file> for Body {
            fn from(file: $file) -> Self {
                Self {
                    plugin: file.plugin,
                    model: file.model,
                    with: file.with,
                    command: file.command,
                    inputs: file.inputs,
                    retry: file.retry,
                    timeout: file.timeout,
                    limits: file.limits,
                    reuse: file.reuse,
                    allow: file.allow,
                }
            }
        }
    };
}
body_from!(StepFile);
body_from!(HandlerFile);

/// A checked body.
pub(super) struct Checked {
    pub(super) action: Action,
    pub(super) retry: Retry,
    pub(super) timeout: Option<Duration>,
}

/// Where a step is written (`["steps", "score"]`) and what its expressions can see.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) path: [&'a str; 2],
    pub(super) place: Place,
    pub(super) names: &'a Names<'a>,
}

impl<'a> Site<'a> {
    fn key(&self, key: &'a str) -> [&'a str; 3] {
        [self.path[0], self.path[1], key]
    }
}

/// `None` when the body says neither or both of plugin and model, or its input does not compile.
pub(super) fn check(body: Body, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Checked> {
    let retry = body.retry.map_or_else(Retry::default, |retry| self::retry(&retry, site, checker));
    if body.timeout.is_some_and(|timeout| timeout.as_millis() == 0) {
        checker.at("TS-0103", &site.key("timeout"), "a timeout of nothing would fail at once", None);
    }
    let action = match (body.plugin, body.model) {
        (Some(plugin), None) => {
            if body.inputs.is_some() {
                let help = Some("a plugin takes its input under `with`".to_owned());
                checker.at_key("TS-0102", &site.key("inputs"), "`inputs` is for models", help);
            }
            plugin_name(&plugin, site, checker);
            self::limits(&body.limits, site, checker);
            self::reuse(body.reuse, body.command.is_some(), site, checker);
            let allow = allow_file::check(body.allow, site, checker);
            let command = match body.command {
                Some(file) => Some(Box::new(command::check(file, body.with.as_ref(), site, checker)?)),
                None => None,
            };
            let with = body.with.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            let with = document("with", &with, site, checker)?;
            Action::Plugin(PluginCall {
                plugin,
                with,
                command,
                limits: Box::new(body.limits),
                reuse: body.reuse,
                allow,
            })
        }
        (None, Some(model)) => {
            for key in ["with", "command", "limits", "reuse", "allow"] {
                if checker.root.at(site.key(key)).is_some() {
                    let help = (key == "with").then(|| "a model takes its tensors under `inputs`".to_owned());
                    checker.at_key("TS-0102", &site.key(key), format!("`{key}` is for plugins"), help);
                }
            }
            if let Some(reason) = model_problem(&model) {
                checker.at("TS-0103", &site.key("model"), reason, None);
            }
            let Some(inputs) = body.inputs else {
                let help = Some("write inputs: { NAME: \"${steps.ID.tensor}\" }".to_owned());
                checker.at_key("TS-0102", &site.path, "the key `inputs` is missing: what does the model get?", help);
                return None;
            };
            Action::Model(ModelCall { model, inputs: document("inputs", &inputs, site, checker)? })
        }
        (None, None) => {
            let help = Some("add `plugin: NAME` or `model: NAME`".to_owned());
            checker.at_key("TS-0102", &site.path, "the step does nothing: it has no `plugin` and no `model`", help);
            return None;
        }
        (Some(_), Some(_)) => {
            let help = Some("make two steps of it".to_owned());
            checker.at_key("TS-0103", &site.key("model"), "a step has a `plugin` or a `model`, not both", help);
            return None;
        }
    };
    Some(Checked { action, retry, timeout: body.timeout })
}

/// The condition of an ordinary step.
pub(super) fn when(when: WhenFile, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Expr> {
    let path = site.key("when");
    let text = match when {
        WhenFile::Constant(truth) => truth.to_string(),
        WhenFile::Expression(text) => text,
    };
    if text.trim_start().starts_with("${") {
        let bare = text.trim().trim_start_matches("${").trim_end_matches('}').trim();
        let help = Some(format!("write when: {bare}"));
        checker.at("TS-0105", &path, "`when` holds the expression itself, without ${ }", help);
        return None;
    }
    match Expr::compile(&text) {
        Ok(expr) => {
            scope::check(&expr, site.names, site.place, &path, 0, checker);
            Some(expr)
        }
        Err(error) => {
            checker.inside("TS-0105", &path, (error.offset.unwrap_or(0), 1), error.message, None);
            None
        }
    }
}

/// An input document: a mapping, or one expression that makes one.
fn document(key: &str, value: &Value, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Template> {
    let template = compile(key, value, site, checker)?;
    if !value.is_object() && (template.is_constant() || !value.is_string()) {
        let message = format!("`{key}` is a mapping of names to values");
        checker.at("TS-0103", &site.key(key), message, None);
    }
    Some(template)
}

/// Compiles what stands under `key` of the step and checks the names in its expressions.
pub(super) fn compile(key: &str, value: &Value, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Template> {
    let path = [site.path[0], site.path[1], key];
    match Template::compile(value) {
        Ok(template) => {
            template.each_expression(&mut |way, offset, expr| {
                let full: Vec<&str> = path.iter().copied().chain(way.iter().map(String::as_str)).collect();
                scope::check(expr, site.names, site.place, &full, offset, checker);
            });
            Some(template)
        }
        Err(problems) => {
            for problem in problems {
                let full: Vec<&str> = path.iter().copied().chain(problem.path.iter().map(String::as_str)).collect();
                match problem.offset {
                    Some(offset) => checker.inside("TS-0105", &full, (offset, 1), problem.error.message, None),
                    None => checker.at_key("TS-0105", &full, problem.error.message, None),
                }
            }
            None
        }
    }
}

fn plugin_name(plugin: &str, site: Site<'_>, checker: &mut Checker<'_, '_>) {
    let reason = match words::path_problem(plugin) {
        Some(reason) => format!("this is no plugin: {reason}"),
        None if OciReference::is_meant(plugin) => match plugin.parse::<OciReference>() {
            Ok(_) => return,
            Err(error) => error.to_string(),
        },
        None if plugin.ends_with(".wasm") || words::is_slug(plugin) => return,
        None => {
            "a plugin is a name (lower-case letters, digits and `-`), a reference (oci://…) or a path that ends in \
                 .wasm"
                .to_owned()
        }
    };
    checker.at("TS-0103", &site.key("plugin"), reason, None);
}

pub(super) fn model_problem(model: &str) -> Option<String> {
    match words::path_problem(model) {
        Some(reason) => Some(format!("this is no model: {reason}")),
        None if model.ends_with(".onnx") || words::is_model_name(model) => None,
        None => Some("a model is a name from [models] in trackside.toml or a path that ends in .onnx".to_owned()),
    }
}

fn retry(file: &RetryFile, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Retry {
    let path = |key: &'static str| [site.path[0], site.path[1], "retry", key];
    if file.times > MAX_RETRIES {
        checker.at("TS-0103", &path("times"), format!("at most {MAX_RETRIES} retries"), None);
    }
    if !(1.0..=LARGEST_FACTOR).contains(&file.factor) {
        checker.at("TS-0103", &path("factor"), format!("the factor is between 1 and {LARGEST_FACTOR}"), None);
    }
    if file.max < file.wait {
        let message = format!("the longest wait ({}) is shorter than the first ({})", file.max, file.wait);
        let written = if checker.root.at(path("max")).is_some() { "max" } else { "wait" };
        checker.at("TS-0103", &path(written), message, None);
    }
    Retry { times: file.times, wait: file.wait, factor: file.factor, max: file.max, jitter: file.jitter }
}

fn reuse(reuse: Option<Reuse>, is_command: bool, site: Site<'_>, checker: &mut Checker<'_, '_>) {
    let Some(reuse) = reuse else { return };
    for (key, reason) in reuse.problems() {
        checker.at("TS-0103", &[site.path[0], site.path[1], "reuse", key], reason, None);
    }
    if is_command {
        let message = "a WASI command ends with its attempt: there is nothing to keep";
        checker.at_key("TS-0103", &site.key("reuse"), message, Some("take `reuse` out".to_owned()));
    }
}

fn limits(limits: &Limits, site: Site<'_>, checker: &mut Checker<'_, '_>) {
    for (key, reason) in limits.problems() {
        checker.at("TS-0103", &[site.path[0], site.path[1], "limits", key], reason, None);
    }
}
