//! Workflow files, checked one by one.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use serde_json::{Value, json};
use trackside_codes::Reason;
use trackside_node::{Project, WorkflowReason, load_definition, rfc3339};
use trackside_spec::{Digest, Plan, Problem};
use trackside_store::{Reader, StoreError};

use super::{
    place,
    triggers::{self, Schedule, describe_graph, describe_trigger},
};

/// One workflow file.
pub struct CheckedFile {
    /// Relative to the project, or as it was named.
    pub file: String,
    /// The workflow, unless its file is wrong in itself.
    pub plan: Option<Arc<Plan>>,
    /// What was found.
    pub findings: Findings,
    /// Name and engine of the models that loaded.
    pub models: Vec<(String, String)>,
    /// When its schedules come.
    pub schedules: Vec<Schedule>,
}

/// What was found in one file.
#[derive(Default)]
pub struct Findings {
    /// It will not run, or a step of it can not.
    pub problems: Vec<Problem>,
    /// It runs, and will most likely not do what is wanted.
    pub warnings: Vec<Problem>,
}

/// The project's workflows, broken ones too, by file.
#[must_use]
pub fn check_project(project: &Project) -> Vec<CheckedFile> {
    let files = files_by_digest(project);
    let mut checked: Vec<CheckedFile> = project
        .workflows
        .values()
        .map(|plan| {
            let file = files.get(&plan.digest).cloned().unwrap_or_else(|| plan.name.clone());
            CheckedFile {
                file,
                plan: Some(plan.clone()),
                findings: Findings::default(),
                models: Vec::new(),
                schedules: Vec::new(),
            }
        })
        .collect();
    for broken in project.problems.iter() {
        let file = broken.file.display().to_string();
        let problems = match &broken.reason {
            WorkflowReason::Spec(error) => error.problems.clone(),
            WorkflowReason::Trigger { problem, .. } => vec![Problem::clone(problem)],
            reason => vec![place::of_file(&file, reason)],
        };
        checked.push(CheckedFile {
            file,
            plan: None,
            findings: Findings { problems, warnings: Vec::new() },
            models: Vec::new(),
            schedules: Vec::new(),
        });
    }
    checked.sort_by(|a, b| a.file.cmp(&b.file));
    checked
}

/// Which file, relative to the project, has which text.
fn files_by_digest(project: &Project) -> HashMap<Digest, String> {
    let folder = project.root.join(&project.config.node.workflows);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let path = entry.path();
            let text = fs::read(&path).ok()?;
            let file = path.strip_prefix(&project.root).unwrap_or(&path).display().to_string();
            Some((Digest::of(&text), file))
        })
        .collect()
}

/// Files that were named, and their triggers beside those of the project.
pub fn check_files(project: &Project, files: &[impl AsRef<Path>]) -> Vec<CheckedFile> {
    let mut checked: Vec<CheckedFile> = files.iter().map(|file| one(file.as_ref())).collect();
    triggers::check(project, &mut checked);
    checked
}

/// A file that was named.
fn one(path: &Path) -> CheckedFile {
    let file = path.display().to_string();
    let mut findings = Findings::default();
    let plan = match fs::read_to_string(path) {
        Err(error) => {
            findings.problems.push(place::of_file(&file, &WorkflowReason::Unreadable(Reason::disk(error))));
            None
        }
        Ok(text) => match load_definition(&file, &text) {
            Ok(plan) => Some(Arc::new(plan)),
            Err(error) => {
                findings.problems = error.problems;
                None
            }
        },
    };
    CheckedFile { file, plan, findings, models: Vec::new(), schedules: Vec::new() }
}

/// What `check --json` prints of a problem.
#[must_use]
pub fn problem_document(problem: &Problem) -> Value {
    json!({
        "code": problem.code.to_string(),
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "help": problem.help,
    })
}

impl CheckedFile {
    /// Looks when its schedules come, `count` times of each.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn look_at_schedules(&mut self, reader: Option<&Reader>, count: usize) -> Result<(), StoreError> {
        if let Some(plan) = &self.plan {
            self.schedules = triggers::schedules(plan, reader, count)?;
        }
        Ok(())
    }

    /// What `check --json` prints of it.
    #[must_use]
    pub fn document(&self) -> Value {
        let file = self;
        let problem = problem_document;
        let mut document = json!({
            "file": file.file,
            "problems": file.findings.problems.iter().map(problem).collect::<Vec<_>>(),
            "warnings": file.findings.warnings.iter().map(problem).collect::<Vec<_>>(),
        });
        if let Some(plan) = &file.plan {
            document["name"] = plan.name.as_str().into();
            document["digest"] = json!(plan.digest);
            document["steps"] = plan.ordinary_steps().into();
            document["schedules"] = file
                .schedules
                .iter()
                .map(|schedule| {
                    let times: Vec<String> = schedule.next.times.iter().map(|at| rfc3339(*at)).collect();
                    json!({
                        "trigger": schedule.trigger,
                        "schedule": schedule.text,
                        "timezone": schedule.zone,
                        "next": times,
                        "delayed_by_ms": schedule.next.delay_ms,
                        "estimated": schedule.next.estimated,
                    })
                })
                .collect();
            document["triggers"] = plan
            .triggers
            .iter()
            .map(
                |trigger| json!({ "id": trigger.id, "kind": trigger.kind.name(), "what": describe_trigger(trigger) }),
            )
            .collect();
            document["graph"] = describe_graph(plan).into();
            document["models"] =
                file.models.iter().map(|(name, engine)| json!({ "name": name, "engine": engine })).collect();
        }
        document
    }
}
