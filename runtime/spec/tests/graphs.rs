//! Good graphs: what they become.

use serde_json::json;
use trackside_spec::{
    Action, ColumnKind, DEFAULT_PARALLEL, Each, Items, Need, NeedOn, OnConflict, OnFailure, OnTimeout, Plan, Scope,
    Severity, Shape, StepIndex, load_workflow,
};

const GRAPH: &str = r#"
version: 1
name: graph
params:
  files: { type: array }
  line: { type: string, default: a }
concurrency: { group: "line ${params.line}", limit: 3, on_conflict: cancel-running }
queue_timeout: 1h
priority: -5
outputs: { lost: "${steps.each.failed}", all: "${steps}" }
steps:
  first: { plugin: echo, cache: true, allow: { env: { TZ: UTC } } }
  each:
    needs: [first]
    when: size(params.files) > 0
    foreach: "${params.files}"
    when_item: item.size > index
    on_failure: collect
    requires:
      - of: "${item}"
        name: rows
        severity: quarantine
        rows: { minimum: 1 }
        columns:
          id: { type: string, required: true, unique: true, pattern: "^M" }
          value: { type: number, minimum: 0, maximum: 1, max_null_fraction: 0.25, enum: [0, 0.5] }
      - { of: "${steps.first}", name: shape, schema: { type: object }, severity: warn }
    plugin: echo
    with: { rows: "${requires.rows}", n: "${index}" }
    mutex: press
    queue_timeout: 5m
    priority: 7
    retry: { times: 3, never: [quota], give_up_after: 10m }
  grid:
    matrix: { rate: [0.1, 0.2], deep: "${params.files}" }
    exclude: [{ rate: 0.1 }]
    max_parallel: 9
    workflow: other
    params: { rate: "${matrix.rate}", deep: "${item.deep}" }
  ask:
    needs:
      - each
      - { step: grid, on: [skipped, failed] }
    approval: { message: "Go on with ${steps.each.count}?", approvers: [ana], deadline: 2h, on_timeout: fail }
"#;

fn graph() -> Plan {
    load_workflow("graph.yaml", GRAPH).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_workflow_has_its_group_its_priority_and_its_outputs() {
    let plan = graph();
    let concurrency = plan.concurrency.as_ref().unwrap();
    assert_eq!((concurrency.limit, concurrency.on_conflict), (3, OnConflict::CancelRunning));
    let (params, nothing) = (json!({ "line": "b" }), json!({}));
    let scope = Scope::new(&params, &nothing, &nothing, &nothing);
    assert_eq!(concurrency.group.eval(&scope), Ok(json!("line b")));
    assert_eq!(plan.queue_timeout.map(|timeout| timeout.as_millis()), Some(3_600_000));
    assert_eq!((plan.priority, plan.priority_of(StepIndex(0)), plan.priority_of(StepIndex(1))), (-5, -5, 7));
    assert_eq!(plan.outputs.as_ref().and_then(|outputs| outputs.keys()), Some(vec!["lost", "all"]));
}

#[test]
fn needs_have_their_ends() {
    let plan = graph();
    assert_eq!(plan.steps[1].needs, [Need::succeeded(StepIndex(0))]);
    let on = NeedOn { succeeded: false, skipped: true, failed: true };
    assert_eq!(plan.steps[3].needs, [Need::succeeded(StepIndex(1)), Need { step: StepIndex(2), on }]);
}

#[test]
fn a_list_is_run_through_item_by_item() {
    let plan = graph();
    let step = &plan.steps[1];
    let foreach = step.foreach.as_ref().unwrap();
    assert_eq!((foreach.max_parallel, foreach.on_failure), (DEFAULT_PARALLEL, OnFailure::Collect));
    let params = json!({ "files": [{ "size": 0 }, { "size": 9 }] });
    let nothing = json!({});
    let scope = Scope::new(&params, &nothing, &nothing, &nothing);
    let Items::List(list) = &foreach.items else { panic!("a list") };
    let items = list.eval(&scope).unwrap();
    let runs = |index: u32| {
        let each = Some(Each { item: &items[index as usize], index });
        foreach.when.as_ref().unwrap().eval_bool(&Scope { each, ..scope })
    };
    assert_eq!((runs(0), runs(1)), (Ok(false), Ok(true)));
    assert!(foreach.when.as_ref().unwrap().eval_bool(&scope).is_err(), "without an item there is none");
    let Action::Plugin(call) = &step.action else { panic!("a plugin") };
    let (requires, item) = (json!({ "rows": 5 }), json!(1));
    let each = Some(Each { item: &item, index: 3 });
    let input = call.with.eval(&Scope { each, requires: Some(&requires), ..scope });
    assert_eq!(input, Ok(json!({ "rows": 5, "n": 3 })));
    assert_eq!((step.mutex.as_deref(), step.queue_timeout.map(|t| t.as_millis())), (Some("press"), Some(300_000)));
    assert_eq!((step.retry.never.as_slice(), step.retry.only.len()), (&["quota".to_owned()][..], 0));
    assert!(step.retry.applies_to("busy", true) && !step.retry.applies_to("quota", true));
    assert!(plan.steps[0].cache && !step.cache);
}

#[test]
fn contracts_are_ready_to_be_checked() {
    let plan = graph();
    let [rows, shape] = plan.steps[1].requires.as_slice() else { panic!("two contracts") };
    assert_eq!((rows.name.as_str(), rows.severity, rows.rows.minimum), ("rows", Severity::Quarantine, Some(1)));
    let Shape::Table(columns) = &rows.shape else { panic!("a table") };
    let [(id, text), (value, number)] = columns.as_slice() else { panic!("two columns") };
    assert_eq!((id.as_str(), text.kind, text.required, text.unique), ("id", ColumnKind::String, true, true));
    assert!(text.pattern.as_ref().unwrap().is_match("M7") && text.max_null_fraction == 0.0);
    assert_eq!(
        (value.as_str(), number.minimum.as_ref().and_then(serde_json::Number::as_f64), number.max_null_fraction),
        ("value", Some(0.0), 0.25)
    );
    assert_eq!((number.choices.len(), number.required), (2, false));
    let Shape::Json { schema, source } = &shape.shape else { panic!("a schema") };
    assert!(schema.problem(&json!([])).is_some() && *source == json!({ "type": "object" }));
    assert_eq!(shape.severity, Severity::Warn);
}

#[test]
fn a_matrix_starts_a_workflow_for_each_combination() {
    let plan = graph();
    let step = &plan.steps[2];
    let foreach = step.foreach.as_ref().unwrap();
    assert_eq!((foreach.max_parallel, foreach.on_failure), (9, OnFailure::FailFast));
    let Items::Matrix(matrix) = &foreach.items else { panic!("a matrix") };
    let items = matrix.combine(&[vec![json!(0.1), json!(0.2)], vec![json!("x")]]).unwrap();
    assert_eq!(items, [json!({ "rate": 0.2, "deep": "x" })]);
    let Action::Workflow(call) = &step.action else { panic!("a workflow") };
    let nothing = json!({});
    let each = Some(Each { item: &items[0], index: 0 });
    let params = call.params.eval(&Scope { each, ..Scope::new(&nothing, &nothing, &nothing, &nothing) });
    assert_eq!((call.workflow.as_str(), params), ("other", Ok(json!({ "rate": 0.2, "deep": "x" }))));
}

#[test]
fn an_approval_has_its_people_and_its_deadline() {
    let plan = graph();
    let Action::Approval(approval) = &plan.steps[3].action else { panic!("an approval") };
    let (steps, nothing) = (json!({ "each": { "count": 2 } }), json!({}));
    let message = approval.message.eval(&Scope::new(&nothing, &nothing, &steps, &nothing));
    assert_eq!(message, Ok(json!("Go on with 2?")));
    assert_eq!((approval.approvers.as_slice(), approval.on_timeout), (&["ana".to_owned()][..], OnTimeout::Fail));
    assert_eq!(approval.deadline.map(|deadline| deadline.as_millis()), Some(7_200_000));
}
