//! A workflow against the plugins, models and files that it names, and the policy of the box.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use trackside_codes::{Code, Coded, code};
use trackside_models::{
    EngineChoice, ModelError, ModelInfo, ModelSource, Port as ModelPort, takes, tensor_io::from_json_for,
};
use trackside_node::{Models, NotStaged, PluginOrigin, Plugins, Project, project_models};
use trackside_sandbox::{ArtifactPort, Descriptor, Foreseen, Foresight, Plugin, useless_grant};
use trackside_spec::{
    Action, Allow, ArtifactRef, ModelCall, Plan, PluginCall, Policy, Problem, Step, nearest, plan::ROWS_KEYS,
};

use super::{
    checked::{CheckedFile, Findings},
    command, grants,
    outputs::{self, Described, Given},
    place::Places,
    rehearsal, schema,
};
use crate::escape;

/// What a workflow's steps are checked against. Blocks where it loads; not for a thread of an asynchronous runtime.
pub struct Checker<'p> {
    project: &'p Project,
    root: PathBuf,
    plugins: Plugins,
    models: Models,
    /// Models that steps named so far.
    looked_at: RefCell<HashMap<(String, EngineChoice), Result<ModelInfo, ModelError>>>,
}

/// Collects what is wrong with one step.
pub(super) struct Report<'a> {
    places: &'a Places<'a>,
    file: &'a str,
    step: &'a Step,
    findings: &'a mut Findings,
    /// Problems of what came before the step.
    before: usize,
}

impl Report<'_> {
    fn at(&self, code: Code, key: &str, message: String, help: Option<String>) -> Problem {
        let message = escape(&message).into_owned();
        let problem = self.places.problem(self.file, code, &self.step.id, key, &message);
        Problem { help: help.map(|help| escape(&help).into_owned()), ..problem }
    }

    /// Whether nothing was found wrong with the step yet.
    fn fits_so_far(&self) -> bool {
        self.findings.problems.len() == self.before
    }

    pub(super) fn problem(&mut self, code: Code, key: &str, message: String, help: Option<String>) {
        let problem = self.at(code, key, message, help);
        self.findings.problems.push(problem);
    }

    pub(super) fn warning(&mut self, code: Code, key: &str, message: String, help: Option<String>) {
        let warning = self.at(code, key, message, help);
        self.findings.warnings.push(warning);
    }
}

impl<'p> Checker<'p> {
    /// With the plugins and models of a project.
    #[must_use]
    pub fn new(project: &'p Project, plugins: Plugins) -> Self {
        let models = project_models(project);
        let root = project.root.clone();
        Self { project, root, plugins, models, looked_at: RefCell::default() }
    }

    /// Checks what a workflow file names. Nothing is found in one that could not be read.
    pub fn check(&self, file: &mut CheckedFile) {
        if let Some(plan) = file.plan.clone() {
            file.models = self.steps(&plan, &file.file, &mut file.findings);
        }
    }

    /// Gives the models that loaded and what they loaded on.
    fn steps(&self, plan: &Plan, file: &str, findings: &mut Findings) -> Vec<(String, String)> {
        let places = Places::of(&plan.source);
        let (mut loaded, mut given, mut described) = (Vec::new(), Vec::new(), Vec::new());
        for step in &plan.steps {
            let before = findings.problems.len();
            let mut report = Report { places: &places, file, step, findings, before };
            match &step.action {
                Action::Plugin(call) => {
                    let plugin = self.plugin(call, &mut report).filter(|plugin| !plugin.is_command());
                    described.extend(plugin.and_then(|plugin| Described::of(step, plugin.descriptor())));
                }
                Action::Model(call) => {
                    let Some(info) = self.model(call, &mut report) else { continue };
                    given.push(Given::of(step, &info));
                    let model = (call.model.clone(), info.engine.to_string());
                    if !loaded.contains(&model) {
                        loaded.push(model);
                    }
                }
                // What can be said of the others was said when the project was read.
                _ => {}
            }
        }
        outputs::check(plan, file, (&given, &described), &places, findings);
        loaded
    }

    /// Checks a step of a plugin, and gives the plugin if it can be loaded.
    fn plugin(&self, call: &PluginCall, report: &mut Report<'_>) -> Option<Arc<Plugin>> {
        for refusal in self.project.config.policy.refusals(&call.allow) {
            report.problem(code!("TS-0865"), "allow", refusal, Some(policy_help(&self.project.config.policy)));
        }
        for secret in call.allow.secrets.iter().filter(|secret| !self.project.config.secrets.contains_key(&secret.name))
        {
            let message = format!("this box has no secret `{}`", secret.name);
            let help = format!("add [secrets.{}] to trackside.toml", secret.name);
            report.warning(code!("TS-0661"), "secrets", message, Some(help));
        }
        for model in &call.allow.models {
            if let Err(problem) = self.models.source(model, None) {
                report.problem(problem.code(), "models", problem.message(), None);
            }
        }
        let plugin = match self.plugins.get(&call.plugin) {
            Ok(plugin) => plugin,
            Err(problem) => {
                report.problem(problem.code(), "plugin", problem.message(), None);
                return None;
            }
        };
        let about = plugin.descriptor();
        let ports: Vec<(&str, bool)> = about.inputs.iter().map(|port| (port.name.as_str(), port.required)).collect();
        let given = report.places.keys(&report.step.id, "with");
        for wrong in schema::check_keys(&call.with, &given, &about.input_schema, &ports) {
            report.problem(code!("TS-0862"), &wrong.key, wrong.message, wrong.help);
        }
        self.staged_files(call, &about.inputs, report);
        command::check(&self.root, call, &plugin, report);
        if plugin.is_command() {
            return Some(plugin);
        }
        // What the box refuses is told as that, with another remedy.
        let permitted = self.project.config.policy.refusals(&call.allow).is_empty();
        let (fits, bundled) = (report.fits_so_far(), self.is_bundled(&call.plugin));
        let refused = permitted
            && (self.refused_anyway(call, about, bundled, report)
                || (fits && bundled && self.refuses_its_settings(call, &plugin, report)));
        if !refused {
            grants_against_wants(about, &call.allow, report);
        }
        Some(plugin)
    }

    /// Whether the grants refuse something whenever the step runs, as far as constants tell.
    fn refused_anyway(&self, call: &PluginCall, about: &Descriptor, bundled: bool, report: &mut Report<'_>) -> bool {
        let useless: Vec<Foreseen> = call.allow.http.iter().filter_map(useless_grant).collect();
        let any = !useless.is_empty();
        for foreseen in useless {
            report.problem(code!("TS-0873"), "http", foreseen.reason, foreseen.remedy);
        }
        if any || !bundled {
            return any;
        }
        // Of the bundled plugins it is known what they do with their input.
        let text = |key: &str| call.with.constant_at(&[key]).and_then(Value::as_str);
        let foresight = Foresight::new(about, &call.allow, &self.project.config.policy);
        let foreseen = match call.plugin.as_str() {
            "http-request" => text("url").and_then(|url| {
                let foreseen = foresight.request(text("method").unwrap_or("GET"), url)?;
                Some(("url", foreseen))
            }),
            "deliver-file" => text("to").and_then(|to| Some(("to", foresight.delivery(to)?))),
            _ => None,
        };
        let Some((key, foreseen)) = foreseen else { return false };
        report.problem(code!("TS-0873"), key, foreseen.reason, foreseen.remedy);
        true
    }

    /// Whether a bundled plugin itself says that it can not run with what the step gives it.
    fn refuses_its_settings(&self, call: &PluginCall, plugin: &Plugin, report: &mut Report<'_>) -> bool {
        let keys = report.places.keys(&report.step.id, "with");
        // Where there is no room to ask, nothing is known; the run will tell.
        let asked =
            rehearsal::refusal(plugin, &report.step.id, call, &keys, (self.root.as_path(), &*self.project.config));
        let Some(refusal) = asked else { return false };
        let names = |key: &&String| {
            let own = refusal.reason.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with([':', ' ']));
            own || refusal.reason.contains(&format!("`{key}`"))
        };
        let key = keys.iter().find(names).map_or("with", String::as_str);
        let code = if refusal.denied { code!("TS-0873") } else { code!("TS-0874") };
        report.problem(code, key, refusal.reason, refusal.remedy);
        true
    }

    fn is_bundled(&self, plugin: &str) -> bool {
        let names = self.plugins.names().unwrap_or_default();
        names.iter().any(|(name, origin)| name == plugin && *origin == PluginOrigin::Bundled)
    }

    /// Files of the project that stand in `with` where an artifact is meant.
    fn staged_files(&self, call: &PluginCall, ports: &[ArtifactPort], report: &mut Report<'_>) {
        for port in ports {
            let Some(path) = call.with.constant_at(&[port.name.as_str()]).and_then(Value::as_str) else { continue };
            if let Err(reason) = inside(&self.root, path) {
                let message = format!("`{}` names the file {path:?} of the project: {reason}", port.name);
                report.problem(code!("TS-0863"), &port.name, message, None);
            }
        }
    }

    /// Loads a step's model on the engine that the step would run it on, and looks at what it is given.
    fn model(&self, call: &ModelCall, report: &mut Report<'_>) -> Option<ModelInfo> {
        let source = match self.models.source(&call.model, call.engine) {
            Ok(source) => ModelSource { sessions: 1, ..source },
            Err(problem) => {
                report.problem(problem.code(), "model", problem.message(), None);
                return None;
            }
        };
        let key = (call.model.clone(), source.choice);
        let mut looked_at = self.looked_at.borrow_mut();
        // Loading and testing takes its time, and often several steps use one model.
        let looked = looked_at
            .entry(key)
            .or_insert_with(|| self.models.engines().load(&source).map(|model| model.info().clone()));
        let info = match looked {
            Ok(info) => info,
            Err(error) => {
                let key = if call.engine.is_some() && is_of_engine(error) { "engine" } else { "model" };
                report.problem(error.code(), key, error.to_string(), None);
                return None;
            }
        };
        inputs(&info.inputs, call, report);
        for warning in &info.warnings {
            report.warning(warning.code, "model", warning.text.clone(), None);
        }
        Some(info.clone())
    }
}

/// Whether another engine might do.
const fn is_of_engine(error: &ModelError) -> bool {
    matches!(
        error,
        ModelError::NoOnnxRuntime { .. }
            | ModelError::OtherRuntimeLoaded { .. }
            | ModelError::Unsupported { .. }
            | ModelError::Load { .. }
    )
}

/// The names in `inputs` against those of the model.
fn inputs(ports: &[ModelPort], call: &ModelCall, report: &mut Report<'_>) {
    // One expression that makes the whole: its keys are known when it runs.
    if call.inputs.keys().is_none() {
        return;
    }
    let known: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    let given = report.places.keys(&report.step.id, "inputs");
    let odd = |keys: &[&str]| keys.iter().find(|key| !ROWS_KEYS.contains(key)).map(|key| (*key).to_owned());
    let other = |key: &str| {
        let help = nearest(key, ROWS_KEYS).map(|near| format!("did you mean `{near}`?"));
        (format!("beside `rows` there may be columns, fill, nulls and keep, not `{key}`"), help)
    };
    if given.iter().any(|name| name == "rows") && !known.contains(&"rows") {
        // One table for all inputs: which columns it has is known when it is read.
        if let Some(key) = odd(&given.iter().map(String::as_str).collect::<Vec<_>>()) {
            let (message, help) = other(&key);
            report.problem(code!("TS-0864"), &key, message, help);
        }
        for name in call.inputs.keys_under("columns").into_iter().filter(|name| !known.contains(name)) {
            let help = nearest(name, known.iter().copied())
                .map_or_else(|| format!("it takes {}", takes(ports)), |near| format!("did you mean `{near}`?"));
            report.problem(code!("TS-0864"), "columns", format!("the model has no input `{name}`"), Some(help));
        }
        return;
    }
    for name in given.iter().filter(|name| !known.contains(&name.as_str())) {
        let help = nearest(name, known.iter().copied())
            .map_or_else(|| format!("it takes {}", takes(ports)), |near| format!("did you mean `{near}`?"));
        report.problem(code!("TS-0864"), name, format!("the model has no input `{name}`"), Some(help));
    }
    for port in ports.iter().filter(|port| !port.optional && !given.contains(&port.name)) {
        let message = format!("the model needs the input `{}` ({})", port.name, port.signature());
        report.problem(code!("TS-0864"), "inputs", message, None);
    }
    for port in ports {
        let keys = call.inputs.keys_under(&port.name);
        if keys.contains(&"rows") {
            if let Some((message, help)) = odd(&keys).map(|key| other(&key)) {
                report.problem(code!("TS-0864"), &port.name, format!("the input `{}`: {message}", port.name), help);
            }
            continue;
        }
        let Some(value) = call.inputs.constant_at(&[port.name.as_str()]) else { continue };
        let rows = value.as_array().and_then(|items| items.first()).is_some_and(Value::is_object);
        if rows || ArtifactRef::from_json(value).is_some() {
            continue;
        }
        let wrong = match from_json_for(port, value) {
            Ok(tensor) => port.mismatch(&tensor),
            Err(error) => Some(error.to_string()),
        };
        if let Some(wrong) = wrong {
            report.problem(code!("TS-0864"), &port.name, format!("the input `{}`: {wrong}", port.name), None);
        }
    }
}

/// What a plugin says that it needs and the step does not allow. It may be right: the plugin may not need it for this.
fn grants_against_wants(about: &Descriptor, allow: &Allow, report: &mut Report<'_>) {
    for kind in grants::GRANT_KINDS {
        let granted = !grants::granted(allow, kind).is_empty();
        let mut wants = grants::wanted(about, kind).peekable();
        if granted && wants.peek().is_none() {
            let message = format!("the plugin never asks for `{kind}`: it is refused whatever is allowed here");
            report.warning(code!("TS-0869"), kind, message, Some(format!("take `{kind}` out of `allow`")));
        }
        if granted {
            continue;
        }
        let example = match kind {
            "http" => "[\"https://host.example\"]",
            "deliver" => "[folder]",
            "publish" => "[topic]",
            "emit" => "[event]",
            "env" => "{ NAME: value }",
            "secrets" | "models" => "[name]",
            _ => "true",
        };
        for want in wants.filter(|want| !want.optional) {
            let message = format!("the plugin wants {kind} ({}), which the step does not allow", want.reason);
            report.warning(
                code!("TS-0866"),
                "allow",
                message,
                Some(format!("allow: {{ {kind}: {example} }} would grant it")),
            );
        }
    }
}

fn policy_help(policy: &Policy) -> String {
    let verb = if *policy == Policy::default() { "add" } else { "change" };
    format!("take it out of `allow`, or {verb} [policy] in trackside.toml")
}

/// Why a path does not lead to a file of the project.
pub(super) fn inside(root: &Path, path: &str) -> Result<(), NotStaged> {
    trackside_node::project_file(root, path).map(drop)
}

#[cfg(test)]
mod tests {
    use trackside_codes::Coded;
    use trackside_node::PluginProblem;
    use trackside_sandbox::SandboxError;

    #[test]
    fn the_code_of_what_a_plugin_can_not_be_loaded_for_goes_into_the_heading() {
        let source = SandboxError::Thread(std::io::Error::other("why"));
        let reason = source.message();
        let problem = PluginProblem::NoSandbox { name: "echo".to_owned(), source: source.into() };
        assert!(problem.to_string().contains("cannot be loaded: [TS-0302] "), "{problem}");
        assert_eq!(problem.code(), "TS-0302");
        assert_eq!(problem.message(), format!("plugin `echo` cannot be loaded: {reason}"));
    }
}
