//! `trackside check`: everything that can be known to be wrong before something runs.

mod command;
mod outputs;
mod place;
mod rehearsal;
mod schema;
pub mod triggers;
mod workflow;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use serde_json::{Value, json};
use trackside_node::{Project, WorkflowReason, load_definition};
use trackside_spec::{Digest, Plan, Problem, TriggerKind};

use crate::{
    context::Context,
    failure::Failure,
    output::{count, escape, zoned_time},
    progress::telling,
};

/// Check config, workflows, plugins and models without running a workflow
///
/// Nothing is sent anywhere. Plugins are compiled and their descriptions compared with what the workflows give them; bundled plugins are asked
/// what they say of the settings that stand in a step; models are loaded and self-tested on the engine that they would run on.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Workflow files; without one all of the project's
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Schedule times that are shown.
const TIMES: usize = 3;

/// One workflow file.
struct Checked {
    file: String,
    plan: Option<Arc<Plan>>,
    findings: Findings,
    /// Name and engine of the models that loaded.
    models: Vec<(String, String)>,
    /// When its schedules come.
    schedules: Vec<triggers::Schedule>,
}

/// What was found in one file.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    /// It runs, and will most likely not do what is wanted.
    warnings: Vec<Problem>,
}

/// Checks and tells.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = if arguments.files.is_empty() { context.project()? } else { context.any_project()? };
    let mut checked =
        if arguments.files.is_empty() { all(&project) } else { arguments.files.iter().map(|file| one(file)).collect() };
    let workshop = workflow::Workshop::open(&project)?;
    if !arguments.files.is_empty() {
        triggers::check(&project, &mut checked);
    }
    let reader = context.reader_of(&project)?;
    for file in &mut checked {
        if let Some(plan) = &file.plan {
            let what = format!("checking {}, its plugins and models", escape(&file.file));
            file.models = telling(context.console, what, || workshop.check(plan, &file.file, &mut file.findings));
            file.schedules = triggers::schedules(plan, reader.as_ref(), TIMES)?;
        }
    }
    tell(context, &checked, &project.root.join(&project.config.node.workflows))
}

/// The project's workflows, broken ones too, by file.
fn all(project: &Project) -> Vec<Checked> {
    let files = files_by_digest(project);
    let mut checked: Vec<Checked> = project
        .workflows
        .values()
        .map(|plan| {
            let file = files.get(&plan.digest).cloned().unwrap_or_else(|| plan.name.clone());
            Checked {
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
            reason => vec![place::of_file(&file, &reason.to_string())],
        };
        checked.push(Checked {
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

/// A file that was named.
fn one(path: &Path) -> Checked {
    let file = path.display().to_string();
    let mut findings = Findings::default();
    let plan = match fs::read_to_string(path) {
        Err(error) => {
            findings.problems.push(place::of_file(&file, &format!("[TS-0622] cannot be read: {error}")));
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
    Checked { file, plan, findings, models: Vec::new(), schedules: Vec::new() }
}

fn tell(context: &Context, checked: &[Checked], folder: &Path) -> Result<(), Failure> {
    let console = context.console;
    let problems: usize = checked.iter().map(|file| file.findings.problems.len()).sum();
    if console.json {
        let files: Vec<Value> = checked.iter().map(document).collect();
        console.print_json(&json!({ "workflows": files, "problems": problems }))?;
    } else {
        for file in checked {
            for problem in &file.findings.problems {
                console.tell(&problem.to_string());
            }
            for warning in &file.findings.warnings {
                console.say(&warning.to_string().replacen(": error[", ": warning[", 1));
            }
            console.print(&line(file, context))?;
        }
    }
    let found = if problems == 0 { "no problems".to_owned() } else { count(problems as u64, "problem") };
    console.say(&format!("{} checked, {found}", count(checked.len() as u64, "workflow")));
    if checked.is_empty() {
        console.warn(&format!("there is no workflow file (NAME.yaml) in {}", folder.display()));
    }
    if problems == 0 { Ok(()) } else { Err(Failure::bad()) }
}

/// One line for the workflow and one for each of its schedules.
fn line(file: &Checked, context: &Context) -> String {
    let (paint, glyphs) = (context.console.out, context.console.glyphs);
    let good = file.findings.problems.is_empty();
    let mark = if good { paint.green(glyphs.good) } else { paint.red(glyphs.bad) };
    let mut text = format!("{mark} {}", escape(&file.file));
    let Some(plan) = &file.plan else { return text };
    let steps = count(plan.ordinary_steps() as u64, "step");
    let others = plan.triggers.iter().filter(|trigger| !matches!(trigger.kind, TriggerKind::Cron(_)));
    let others: Vec<String> = others.map(|trigger| escape(&triggers::describe(trigger)).into_owned()).collect();
    let models: Vec<String> = file.models.iter().map(|(name, engine)| format!("{name} on {engine}")).collect();
    let parts = [vec![steps], triggers::graph(plan), others, models].concat();
    text.push_str(&format!("  {}  {}", paint.bold(&plan.name), parts.join(", ")));
    for schedule in &file.schedules {
        let times: Vec<String> = schedule.next.times.iter().map(|at| zoned_time(*at, &schedule.zone)).collect();
        let times = if times.is_empty() { "never".to_owned() } else { times.join(", ") };
        let later = schedule.next.remark();
        text.push_str(&format!("\n    {} {times}{later}", paint.dim(&format!("cron {}:", schedule.text))));
    }
    text
}

fn document(file: &Checked) -> Value {
    let problem = |problem: &Problem| {
        json!({
            "code": problem.code,
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "message": problem.message,
            "help": problem.help,
        })
    };
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
                let times: Vec<String> = schedule.next.times.iter().map(|at| trackside_node::rfc3339(*at)).collect();
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
                |trigger| json!({ "id": trigger.id, "kind": trigger.kind.name(), "what": triggers::describe(trigger) }),
            )
            .collect();
        document["graph"] = triggers::graph(plan).into();
        document["models"] =
            file.models.iter().map(|(name, engine)| json!({ "name": name, "engine": engine })).collect();
    }
    document
}
