//! `trackside check`: everything that can be known to be wrong before something runs.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use trackside_control::{
    CheckedFile, Checker, Next, check_files, check_keys, check_project, describe_graph, describe_trigger,
    problem_document,
};
use trackside_spec::{Problem, TriggerKind};

use crate::{
    context::{Context, plugins_of},
    failure::Failure,
    output::{count, duration_ms, escape, zoned_time},
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

/// Checks and tells.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = if arguments.files.is_empty() { context.project()? } else { context.any_project()? };
    let mut checked = match arguments.files.as_slice() {
        [] => check_project(&project),
        files => check_files(&project, files),
    };
    // The folder must outlive the plugins.
    let (plugins, _temp) = plugins_of(&project)?;
    let checker = Checker::new(&project, plugins);
    let reader = context.reader_of(&project)?;
    for file in checked.iter_mut().filter(|file| file.plan.is_some()) {
        let what = format!("checking {}, its plugins and models", escape(&file.file));
        telling(context.console, what, || checker.check(file));
        file.look_at_schedules(reader.as_ref(), TIMES)?;
    }
    let config = check_keys(&project);
    tell(context, &config, &checked, &project.root.join(&project.config.node.workflows))
}

fn tell(context: &Context, config: &[Problem], checked: &[CheckedFile], folder: &Path) -> Result<(), Failure> {
    let console = context.console;
    let of_files: usize = checked.iter().map(|file| file.findings.problems.len()).sum();
    let problems = config.len() + of_files;
    if console.json {
        let files: Vec<Value> = checked.iter().map(CheckedFile::document).collect();
        let config: Vec<Value> = config.iter().map(problem_document).collect();
        console.print_json(&json!({ "config": config, "workflows": files, "problems": problems }))?;
    } else {
        for problem in config {
            console.tell(&problem.to_string());
        }
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
        console.warn(format!("there is no workflow file (NAME.yaml) in {}", folder.display()));
    }
    if problems == 0 { Ok(()) } else { Err(Failure::bad()) }
}

/// One line for the workflow and one for each of its schedules.
fn line(file: &CheckedFile, context: &Context) -> String {
    let (paint, glyphs) = (context.console.out, context.console.glyphs);
    let good = file.findings.problems.is_empty();
    let mark = if good { paint.green(glyphs.good) } else { paint.red(glyphs.bad) };
    let mut text = format!("{mark} {}", escape(&file.file));
    let Some(plan) = &file.plan else { return text };
    let steps = count(plan.ordinary_steps() as u64, "step");
    let others = plan.triggers.iter().filter(|trigger| !matches!(trigger.kind, TriggerKind::Cron(_)));
    let others: Vec<String> = others.map(|trigger| escape(&describe_trigger(trigger)).into_owned()).collect();
    let models: Vec<String> = file.models.iter().map(|(name, engine)| format!("{name} on {engine}")).collect();
    let parts = [vec![steps], describe_graph(plan), others, models].concat();
    text.push_str(&format!("  {}  {}", paint.bold(&plan.name), parts.join(", ")));
    for schedule in &file.schedules {
        let times: Vec<String> = schedule.next.times.iter().map(|at| zoned_time(*at, &schedule.zone)).collect();
        let times = if times.is_empty() { "never".to_owned() } else { times.join(", ") };
        let later = remark(&schedule.next);
        text.push_str(&format!("\n    {} {times}{later}", paint.dim(&format!("cron {}:", schedule.text))));
    }
    text
}

/// What is to be said behind the times.
fn remark(next: &Next) -> String {
    let delay = match (next.delay_ms, next.delay_unknown) {
        (_, true) => "; with jitter, which is known when the node has run".to_owned(),
        (0, false) => String::new(),
        (delay, false) => format!("; on this box {} later", duration_ms(delay)),
    };
    format!("{}{delay}", if next.estimated { "; if it began now" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remark_says_what_is_not_certain_about_times() {
        let next = |estimated, delay_ms, delay_unknown| Next { times: Vec::new(), delay_ms, estimated, delay_unknown };
        assert_eq!(remark(&next(false, 0, false)), "");
        assert_eq!(remark(&next(true, 0, false)), "; if it began now");
        assert!(remark(&next(false, 2000, false)).ends_with(" later"));
        assert!(remark(&next(false, 0, true)).contains("jitter"));
    }
}
