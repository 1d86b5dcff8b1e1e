//! Checks of what a step does and may do.

use serde_json::Value;

use super::{
    allow_file::{self, AllowFile},
    checker::Checker,
    command::{self, CommandFile},
    file::{HandlerFile, StepFile, WhenFile},
    label::{self, LabelFile},
    retry::{self, RetryFile},
    scope::{self, Names, Place},
    wait::{self, WaitFile},
    waiting::{self, ApprovalFile},
    words,
};
use crate::{
    config::EngineChoice,
    expr::{Expr, Template},
    limits::Limits,
    model_ref::ModelRef,
    oci::OciReference,
    plan::{Action, ChildCall, ModelCall, PluginCall, Retry},
    reuse::Reuse,
    units::Duration,
};

/// What a step and a handler have in common, and the actions that only a step has.
pub(super) struct Body {
    plugin: Option<String>,
    model: Option<String>,
    workflow: Option<String>,
    approval: Option<ApprovalFile>,
    wait: Option<WaitFile>,
    label: Option<LabelFile>,
    with: Option<Value>,
    command: Option<CommandFile>,
    engine: Option<EngineChoice>,
    inputs: Option<Value>,
    params: Option<Value>,
    retry: Option<RetryFile>,
    timeout: Option<Duration>,
    limits: Limits,
    reuse: Option<Reuse>,
    allow: AllowFile,
    cache: bool,
}

macro_rules! body {
    ($file:ident, $workflow:expr, $approval:expr, $wait:expr, $label:expr, $params:expr, $cache:expr) => {
        Self {
            plugin: $file.plugin,
            model: $file.model,
            workflow: $workflow,
            approval: $approval,
            wait: $wait,
            label: $label,
            with: $file.with,
            command: $file.command,
            engine: $file.engine,
            inputs: $file.inputs,
            params: $params,
            retry: $file.retry,
            timeout: $file.timeout,
            limits: $file.limits,
            reuse: $file.reuse,
            allow: $file.allow,
            cache: $cache,
        }
    };
}

impl From<StepFile> for Body {
    fn from(file: StepFile) -> Self {
        body!(file, file.workflow, file.approval, file.wait, file.label, file.params, file.cache)
    }
}

impl From<HandlerFile> for Body {
    fn from(file: HandlerFile) -> Self {
        body!(file, None, None, None, None, None, false)
    }
}

/// A checked body.
pub(super) struct Checked {
    pub(super) action: Action,
    pub(super) retry: Retry,
    pub(super) timeout: Option<Duration>,
    pub(super) cache: bool,
}

/// Where a step is written (`["steps", "score"]`) and what its expressions can see.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) path: [&'a str; 2],
    pub(super) place: Place,
    pub(super) names: &'a Names<'a>,
}

impl<'a> Site<'a> {
    pub(super) fn key(&self, key: &'a str) -> [&'a str; 3] {
        [self.path[0], self.path[1], key]
    }
}

/// The kinds of action and the keys that belong to each alone.
const OWN_KEYS: [(&str, &str, &[&str]); 6] = [
    ("plugin", "plugins", &["with", "command", "limits", "reuse", "allow", "cache"]),
    ("model", "models", &["engine", "inputs"]),
    ("workflow", "steps with `workflow`", &["params"]),
    ("approval", "approvals", &[]),
    ("wait", "steps with `wait`", &[]),
    ("label", "labels", &[]),
];
/// What makes no sense for a step that does nothing itself.
const NOT_FOR_WAITING: [&str; 10] = [
    "foreach",
    "matrix",
    "retry",
    "timeout",
    "requires",
    "mutex",
    "queue_timeout",
    "when_item",
    "max_parallel",
    "on_failure",
];

/// `None` when the body says nothing or too much about what the step does, or an expression does not compile.
pub(super) fn check(mut body: Body, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Checked> {
    let retry = body.retry.take().map_or_else(Retry::default, |retry| retry::check(retry, site, checker));
    if body.timeout.is_some_and(|timeout| timeout.as_millis() == 0) {
        checker.at("TS-0103", &site.key("timeout"), "a timeout of nothing would fail at once", None);
    }
    let said = [
        body.plugin.is_some(),
        body.model.is_some(),
        body.workflow.is_some(),
        body.approval.is_some(),
        body.wait.is_some(),
        body.label.is_some(),
    ];
    let kinds: Vec<&str> = OWN_KEYS.iter().zip(said).filter(|(_, said)| *said).map(|(kind, _)| kind.0).collect();
    match kinds.as_slice() {
        [kind] => foreign_keys(kind, site, checker),
        [] => {
            let (message, help) = if site.path[0] == "finally" {
                ("the handler does nothing: it has no `plugin` and no `model`", "add `plugin: NAME` or `model: NAME`")
            } else {
                (
                    "the step does nothing: it has no `plugin`, `model`, `workflow`, `approval`, `wait` or `label`",
                    "add `plugin: NAME` or `model: NAME`",
                )
            };
            checker.at_key("TS-0102", &site.path, message, Some(help.to_owned()));
            return None;
        }
        [first, .., last] => {
            let help = Some("make two steps of it".to_owned());
            let message = format!("a step has `{first}` or `{last}`, not both");
            checker.at_key("TS-0103", &site.key(last), message, help);
            return None;
        }
    }
    let (timeout, cache) = (body.timeout, body.cache);
    let action = action(body, site, checker)?;
    if cache && let Action::Plugin(call) = &action {
        pure(call, site, checker);
    }
    Some(Checked { action, retry, timeout, cache })
}

/// Keys that belong to other kinds of step.
fn foreign_keys(kind: &str, site: Site<'_>, checker: &mut Checker<'_, '_>) {
    for (_, owner, keys) in OWN_KEYS.iter().filter(|(other, _, _)| *other != kind) {
        for key in keys.iter().filter(|key| checker.root.at(site.key(key)).is_some()).collect::<Vec<_>>() {
            let help = match (kind, *key) {
                ("model", "with") => Some("a model takes its tensors under `inputs`"),
                ("plugin", "inputs") => Some("a plugin takes its input under `with`"),
                ("workflow", "with") => Some("another workflow takes its parameters under `params`"),
                _ => None,
            };
            checker.at_key("TS-0102", &site.key(key), format!("`{key}` is for {owner}"), help.map(str::to_owned));
        }
    }
    let inside = match kind {
        "approval" => "approvals",
        "wait" => "steps with `wait`",
        _ => return,
    };
    for key in NOT_FOR_WAITING {
        if checker.root.at(site.key(key)).is_some() {
            let help = match (key, kind) {
                ("timeout", "approval") => Some("write `deadline` inside of `approval`".to_owned()),
                ("timeout", _) => Some("write `timeout` inside of `wait`, beside `event`".to_owned()),
                _ => None,
            };
            checker.at_key("TS-0102", &site.key(key), format!("`{key}` is not for {inside}"), help);
        }
    }
}

fn action(body: Body, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Action> {
    if let Some(plugin) = body.plugin {
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
        return Some(Action::Plugin(PluginCall {
            plugin,
            with,
            command,
            limits: Box::new(body.limits),
            reuse: body.reuse,
            allow,
        }));
    }
    if let Some(model) = body.model {
        if let Some(reason) = model_problem(&model) {
            checker.at("TS-0103", &site.key("model"), reason, None);
        }
        let Some(inputs) = body.inputs else {
            let help = Some("write inputs: { NAME: \"${steps.ID.tensor}\" }".to_owned());
            checker.at_key("TS-0102", &site.path, "the key `inputs` is missing: what does the model get?", help);
            return None;
        };
        let inputs = document("inputs", &inputs, site, checker)?;
        return Some(Action::Model(ModelCall { model, engine: body.engine, inputs }));
    }
    if let Some(workflow) = body.workflow {
        if !words::is_slug(&workflow) {
            let message = "a workflow's name is made of lower-case letters, digits and `-`, at most 64";
            checker.at("TS-0103", &site.key("workflow"), message, None);
        }
        let params = body.params.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let params = document("params", &params, site, checker)?;
        return Some(Action::Workflow(ChildCall { workflow, params }));
    }
    if let Some(label) = body.label {
        return label::check(label, site, checker).map(Action::Label);
    }
    if let Some(wait) = body.wait {
        return wait::check(wait, site, checker).map(Action::Wait);
    }
    waiting::approval(body.approval?, site, checker).map(Action::Approval)
}

/// A result may only be kept for later where nothing but the input makes it, and where nothing but it is made.
fn pure(call: &PluginCall, site: Site<'_>, checker: &mut Checker<'_, '_>) {
    let allow = &call.allow;
    let given = [
        ("http", !allow.http.is_empty()),
        ("secrets", !allow.secrets.is_empty()),
        ("models", !allow.models.is_empty()),
        ("state", allow.state),
        ("deliver", !allow.deliver.is_empty()),
        ("publish", !allow.publish.is_empty()),
        ("emit", !allow.emit.is_empty()),
        ("clock", allow.clock),
        ("random", allow.random),
    ];
    let given: Vec<String> = given.iter().filter(|(_, given)| *given).map(|(name, _)| format!("`{name}`")).collect();
    if !given.is_empty() {
        let message = format!("only a pure step can be cached, and this one is granted {}", given.join(", "));
        let help = Some("take `cache` out, or those grants".to_owned());
        checker.at("TS-0103", &site.key("cache"), message, help);
    }
}

/// The condition of an ordinary step, or of its items.
pub(super) fn when(key: &str, when: WhenFile, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Expr> {
    condition(&site.key(key), when, site.place, site.names, checker)
}

/// A condition that stands at `path`.
pub(super) fn condition(
    path: &[&str],
    when: WhenFile,
    place: Place,
    names: &Names<'_>,
    checker: &mut Checker<'_, '_>,
) -> Option<Expr> {
    let key = path.last().copied().unwrap_or_default();
    let text = match when {
        WhenFile::Constant(truth) => truth.to_string(),
        WhenFile::Expression(text) => text,
    };
    if text.trim_start().starts_with("${") {
        let bare = text.trim().trim_start_matches("${").trim_end_matches('}').trim();
        let help = Some(format!("write {key}: {bare}"));
        checker.at("TS-0105", path, format!("`{key}` holds the expression itself, without ${{ }}"), help);
        return None;
    }
    match Expr::compile(&text) {
        Ok(expr) => {
            scope::check(&expr, names, place, path, 0, checker);
            Some(expr)
        }
        Err(error) => {
            checker.inside("TS-0105", path, (error.offset.unwrap_or(0), 1), error.message, None);
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
    compile_at(&[site.path[0], site.path[1], key], value, site.place, site.names, checker)
}

/// Compiles what stands at `path` and checks the names in its expressions.
pub(super) fn compile_at(
    path: &[&str],
    value: &Value,
    place: Place,
    names: &Names<'_>,
    checker: &mut Checker<'_, '_>,
) -> Option<Template> {
    match Template::compile(value) {
        Ok(template) => {
            template.each_expression(&mut |way, offset, expr| {
                let full: Vec<&str> = path.iter().copied().chain(way.iter().map(String::as_str)).collect();
                scope::check(expr, names, place, &full, offset, checker);
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
        None if model.ends_with(".onnx") || model.parse::<ModelRef>().is_ok() => None,
        None => {
            let words = "a model is a name of the registry or of [models] in trackside.toml (NAME, NAME@alias, NAME@3), or a path \
                         that ends in .onnx";
            Some(words.to_owned())
        }
    }
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
