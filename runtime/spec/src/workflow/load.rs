//! Reads a workflow file.

use super::{
    checker::Checker,
    contract,
    file::{FinallyFile, StepFile, WorkflowFile},
    foreach::{self, ForeachKeys, ItemNames},
    graph,
    needs::NeedFile,
    params,
    scope::{Makes, Names, Place, StepNames},
    steps::{self, Body, Site},
    triggers, waiting, words,
};
use crate::{
    artifact::Digest,
    expr::Template,
    ordered::Ordered,
    plan::{Finally, FinallyOn, Plan, Severity, Step, StepIndex},
    retention::Retention,
    spec_error::{Report, SpecError},
    tree,
};

const MAX_STEPS: usize = 256;
const MAX_DESCRIPTION: usize = 2_000;

/// Reads and checks the workflow in `text`. `file_name` is only used in messages.
///
/// # Errors
/// Every problem that can be seen in one go; see [`Problem`](crate::Problem) for the codes.
pub fn load_workflow(file_name: &str, text: &str) -> Result<Plan, SpecError> {
    let mut report = Report::new(file_name, text);
    let plan = read(text, &mut report);
    match (plan, report.finish()) {
        (_, Err(error)) => Err(error),
        (Some(plan), Ok(())) => Ok(plan),
        (None, Ok(())) => Err(SpecError::unexplained(file_name)),
    }
}

fn read(text: &str, report: &mut Report<'_>) -> Option<Plan> {
    let root = tree::parse_yaml(text, report)?;
    let file: WorkflowFile = tree::read(&root, report)?;
    build(file, text, &mut Checker { root: &root, report })
}

fn build(file: WorkflowFile, text: &str, checker: &mut Checker<'_, '_>) -> Option<Plan> {
    head(&file, checker);
    let params = params::check(file.params, checker);
    let triggers = triggers::check(&file.name, file.triggers, checker);
    triggers::check_params(&triggers, &params, checker);
    if !step_ids(&file.steps, checker) {
        return None;
    }
    let ids: Vec<String> = file.steps.0.iter().map(|(id, _)| id.clone()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let written = |step: &StepFile| step.needs.iter().map(|need| need.0.clone()).collect();
    let needs: Vec<Vec<NeedFile>> = file.steps.0.iter().map(|(_, step)| written(step)).collect();
    let graph = graph::check(&ids, &needs, checker);
    let names = Names {
        params: params.iter().map(|param| (param.name.as_str(), param.kind)).collect(),
        steps: ids.iter().zip(&file.steps.0).map(|(id, (_, step))| step_names(id, step)).collect(),
        graph: &graph,
        triggers: &triggers,
    };
    let priority = waiting::priority(file.priority, &["priority"], checker);
    let concurrency = file.concurrency.and_then(|file| waiting::concurrency(file, &names, checker));
    let outputs = file.outputs.as_ref().and_then(|outputs| self::outputs(outputs, &names, checker));
    let mut steps = ordinary(file.steps, &names, checker);
    let finally = handlers(file.finally, &names, &mut steps, checker);
    // A step that could not be built has left a problem, and the caller throws the plan away.
    Some(Plan {
        name: file.name,
        description: file.description,
        digest: Digest::of(text.as_bytes()),
        source: text.to_owned(),
        params,
        triggers,
        timeout: file.timeout,
        concurrency,
        queue_timeout: file.queue_timeout,
        priority,
        retention: file.retention.unwrap_or_default(),
        outputs,
        steps,
        finally,
    })
}

fn step_names<'a>(id: &'a str, step: &StepFile) -> StepNames<'a> {
    let makes = match (&step.workflow, &step.approval, &step.wait, &step.model) {
        (Some(_), ..) => Makes::Child,
        (None, Some(_), ..) => Makes::Approval,
        (None, None, Some(_), _) => Makes::Wait,
        (None, None, None, Some(_)) => Makes::Model,
        (None, None, None, None) => Makes::Anything,
    };
    let contracts = step.requires.iter().map(|contract| contract.name.clone()).collect();
    let split = step.requires.iter().filter(|contract| contract.severity == Severity::Quarantine);
    let quarantines = split.map(|contract| contract.name.clone()).collect();
    StepNames { id, makes, items: ItemNames::of(step), contracts, quarantines }
}

fn outputs(written: &serde_json::Value, names: &Names<'_>, checker: &mut Checker<'_, '_>) -> Option<Template> {
    let template = steps::compile_at(&["outputs"], written, Place::OUTPUTS, names, checker)?;
    if !written.is_object() {
        checker.at("TS-0103", &["outputs"], "`outputs` is a mapping of names to values", None);
    }
    Some(template)
}

fn head(file: &WorkflowFile, checker: &mut Checker<'_, '_>) {
    if file.version != 1 {
        let message = format!("version {} is not known to this program", file.version);
        checker.at("TS-0103", &["version"], message, Some("write version: 1".to_owned()));
    }
    if !words::is_slug(&file.name) {
        let message = "a workflow's name is made of lower-case letters, digits and `-`, at most 64";
        checker.at("TS-0103", &["name"], message, None);
    }
    if file.description.as_ref().is_some_and(|description| description.len() > MAX_DESCRIPTION) {
        checker.at("TS-0108", &["description"], format!("at most {MAX_DESCRIPTION} bytes"), None);
    }
    if file.timeout.is_some_and(|timeout| timeout.as_millis() == 0) {
        checker.at("TS-0103", &["timeout"], "a timeout of nothing would fail at once", None);
    }
    if file.queue_timeout.is_some_and(|timeout| timeout.as_millis() == 0) {
        checker.at("TS-0103", &["queue_timeout"], "a timeout of nothing would fail at once", None);
    }
    for (key, reason) in file.retention.iter().flat_map(Retention::problems) {
        checker.at("TS-0103", &["retention", key], reason, None);
    }
    if file.queue_timeout.is_some() && file.concurrency.is_none() {
        let help = Some("for the run as a whole there is `timeout`".to_owned());
        checker.at_key("TS-0102", &["queue_timeout"], "a workflow without `concurrency` waits in no queue", help);
    }
}

fn step_ids(steps: &Ordered<StepFile>, checker: &mut Checker<'_, '_>) -> bool {
    if steps.0.is_empty() {
        checker.at_key("TS-0102", &["steps"], "a workflow needs at least one step", None);
    }
    if steps.0.len() > MAX_STEPS {
        let message = format!("{} steps; the limit is {MAX_STEPS}", steps.0.len());
        checker.at_key("TS-0108", &["steps"], message, None);
        return false;
    }
    for (id, _) in &steps.0 {
        if let Err((message, help)) = words::identifier(id) {
            checker.at_key("TS-0103", &["steps", id], message, help);
        }
    }
    true
}

fn ordinary(files: Ordered<StepFile>, names: &Names<'_>, checker: &mut Checker<'_, '_>) -> Vec<Step> {
    let mut steps = Vec::with_capacity(files.0.len());
    for (index, (id, file)) in files.0.into_iter().enumerate() {
        steps.extend(step(index, &id, file, names, checker));
    }
    steps
}

fn step(index: usize, id: &str, mut file: StepFile, names: &Names<'_>, checker: &mut Checker<'_, '_>) -> Option<Step> {
    let site = Site { path: ["steps", id], place: Place::step(index), names };
    let when = file.when.take().and_then(|when| steps::when("when", when, site, checker));
    let each = names.steps.get(index).is_some_and(|step| step.items != ItemNames::None);
    let foreach = foreach::check(ForeachKeys::take(&mut file), site, checker);
    let of_item = site.place.with_item(each);
    let requires = contract::check(std::mem::take(&mut file.requires), of_item, site, checker);
    let (mutex, queue_timeout) = (file.mutex.take(), file.queue_timeout.take());
    waiting::mutex(mutex.as_deref(), queue_timeout, site, checker);
    let priority = file.priority.take().map(|priority| waiting::priority(priority, &site.key("priority"), checker));
    let checks = names.steps.get(index).is_some_and(|step| !step.contracts.is_empty());
    let body = Site { place: of_item.with_requires(checks), ..site };
    let checked = steps::check(Body::from(file), body, checker)?;
    Some(Step {
        id: id.to_owned(),
        needs: names.graph.needs.get(index).cloned().unwrap_or_default(),
        when,
        foreach: foreach.map(Box::new),
        requires,
        action: checked.action,
        retry: checked.retry,
        timeout: checked.timeout,
        mutex,
        queue_timeout,
        priority,
        cache: checked.cache,
    })
}

/// Appends the handlers to `steps`.
fn handlers(
    file: FinallyFile,
    names: &Names<'_>,
    steps: &mut Vec<Step>,
    checker: &mut Checker<'_, '_>,
) -> Vec<Finally> {
    let written = [
        ("succeeded", FinallyOn::Succeeded, file.succeeded),
        ("failed", FinallyOn::Failed, file.failed),
        ("cancelled", FinallyOn::Cancelled, file.cancelled),
        ("always", FinallyOn::Always, file.always),
    ];
    let mut finally = Vec::new();
    for (name, on, handler) in written {
        let Some(handler) = handler else { continue };
        let site = Site { path: ["finally", name], place: Place::FINALLY, names };
        let Some(checked) = steps::check(Body::from(handler), site, checker) else { continue };
        let Ok(index) = u16::try_from(steps.len()) else { continue };
        finally.push(Finally { on, step: StepIndex(index) });
        steps.push(Step {
            id: format!("finally.{name}"),
            needs: Vec::new(),
            when: None,
            foreach: None,
            requires: Vec::new(),
            action: checked.action,
            retry: checked.retry,
            timeout: checked.timeout,
            mutex: None,
            queue_timeout: None,
            priority: None,
            cache: false,
        });
    }
    finally
}
