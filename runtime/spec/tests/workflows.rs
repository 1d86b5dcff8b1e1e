//! Good files: what they become.

use serde_json::{Map, Value, json};
use trackside_codes::code;
use trackside_spec::{
    Action, Claim, CronTimes, Digest, Existing, FinallyOn, Identity, Jitter, Misfire, Need, NodeConfig, ParamKind,
    Plan, Scope, StepIndex, TriggerKind,
    config::{Durability, EngineChoice, LogLevel},
    load_node_config, load_workflow, node_schema, parse_param, reference_markdown, scaffold_workflow, workflow_schema,
};

const PUMP_WATCH: &str = r#"
version: 1
name: pump-watch
description: Score each CSV that the PLC drops; alert when the anomaly score is high.
params:
  threshold: { type: number, default: 0.85, minimum: 0, maximum: 1 }
  mode: { type: string, default: fast, choices: [fast, safe] }
  retries: { type: integer, default: 0 }
triggers:
  - file:
      path: inbox
      glob: "**/*.csv"
      settle: 500ms
      identity: stat
      existing: ignore
      claim: keep
  - cron: { schedule: "30 2 * * *", timezone: Europe/Paris, misfire: skip }
timeout: 2m
steps:
  validate:
    plugin: csv-check
    with: { file: "${trigger.file}", schema: schemas/reading.json }
  features:
    needs: [validate]
    plugin: plugins/window.wasm
    with: { rows: "${steps.validate.rows}", window: 64 }
    limits: { memory: 64MiB, cpu: 5s, wall: 10s }
  score:
    needs: [features]
    model: pump-anomaly
    inputs: { x: "${steps.features.tensor}" }
    retry: { times: 3, wait: 200ms, factor: 1.5, max: 5s, jitter: none }
    timeout: 30s
  alert:
    needs: [score]
    when: steps.score.outputs.score[0] > params.threshold && has(steps.validate.rows)
    plugin: http-request
    with: { method: POST, url: "https://hooks.example.org/pump", body: { file: "${trigger.file.name}" } }
    limits: { log_lines: 5, fuel: 1000000 }
    allow:
      http: ["https://hooks.example.org/x", { origin: "http://192.168.0.10", methods: [get], path: /v1, private: true }]
      secrets: [hook, { name: key, reveal: true }]
      models: [m.onnx]
      state: true
      env: { TZ: Europe/Paris }
      deliver: [out]
      publish: [site/+/alarm]
      clock: true
      random: true
finally:
  failed: { plugin: echo, with: { text: "${run.id} failed at ${run.failed_step}: ${run.error}" } }
  always: { plugin: echo, with: "${{'all': steps, 'score': steps.score}}" }
"#;

fn pump_watch() -> Plan {
    load_workflow("pump-watch.yaml", PUMP_WATCH).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_workflow_becomes_a_plan() {
    let plan = pump_watch();
    assert_eq!((plan.name.as_str(), plan.digest), ("pump-watch", Digest::of(PUMP_WATCH.as_bytes())));
    assert_eq!(plan.timeout.map(|timeout| timeout.as_millis()), Some(120_000));
    assert_eq!(plan.source, PUMP_WATCH);
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["validate", "features", "score", "alert", "finally.failed", "finally.always"]);
    assert_eq!(plan.ordinary_steps(), 4);
    assert_eq!(plan.index_of("score"), Some(StepIndex(2)));
    assert_eq!(plan.step(StepIndex(3)).needs, [Need::succeeded(StepIndex(2))]);
    assert!(plan.step(StepIndex(4)).needs.is_empty());
    let finally: Vec<_> = plan.finally.iter().map(|finally| (finally.on, finally.step)).collect();
    assert_eq!(finally, [(FinallyOn::Failed, StepIndex(4)), (FinallyOn::Always, StepIndex(5))]);
}

#[test]
fn triggers_keep_their_place_in_their_id() {
    let plan = pump_watch();
    let ids: Vec<&str> = plan.triggers.iter().map(|trigger| trigger.id.as_str()).collect();
    assert_eq!(ids, ["pump-watch/file-0", "pump-watch/cron-1"]);
    let TriggerKind::File(file) = &plan.triggers[0].kind else { panic!("a file trigger") };
    assert_eq!(
        (file.path.as_str(), file.globs.as_slice(), file.settle.as_millis()),
        ("inbox", &["**/*.csv".to_owned()][..], 500)
    );
    assert_eq!((file.identity, file.existing, &file.claim), (Identity::Stat, Existing::Ignore, &Claim::Keep));
    let TriggerKind::Cron(cron) = &plan.triggers[1].kind else { panic!("a cron trigger") };
    let times = CronTimes::Schedule { text: "30 2 * * *".into(), timezone: "Europe/Paris".into() };
    assert_eq!(cron.times, times);
    // Positions of older databases are kept under this text.
    assert_eq!(cron.times.key(), "30 2 * * * Europe/Paris");
    assert_eq!(cron.misfire, Misfire::Skip);
}

#[test]
fn steps_have_what_is_written_and_defaults_for_the_rest() {
    let plan = pump_watch();
    let Action::Plugin(features) = &plan.steps[1].action else { panic!("a plugin") };
    assert_eq!(features.plugin, "plugins/window.wasm");
    assert_eq!(features.limits.memory.map(|memory| memory.as_bytes()), Some(64 << 20));
    assert_eq!(features.with.constant_at(&["window"]), Some(&json!(64)));
    assert!(!features.allow.has_direct_effects());
    assert_eq!(plan.steps[1].retry.times, 0);
    let score = &plan.steps[2];
    assert_eq!((score.retry.times, score.retry.factor, score.retry.jitter), (3, 1.5, Jitter::None));
    assert_eq!(score.timeout.map(|timeout| timeout.as_millis()), Some(30_000));
    let Action::Plugin(alert) = &plan.steps[3].action else { panic!("a plugin") };
    let grants: Vec<String> = alert.allow.http.iter().map(ToString::to_string).collect();
    let full = "{ origin: \"http://192.168.0.10/v1\", methods: [GET], private: true }";
    assert_eq!(grants, ["\"https://hooks.example.org/x\"", full]);
    let secrets: Vec<_> = alert.allow.secrets.iter().map(|secret| (secret.name.as_str(), secret.reveal)).collect();
    assert_eq!(secrets, [("hook", false), ("key", true)]);
    assert_eq!(alert.allow.env["TZ"], "Europe/Paris");
    assert_eq!(
        (alert.allow.publish.as_slice(), alert.limits.fuel),
        (&["site/+/alarm".to_owned()][..], Some(1_000_000))
    );
    assert!(alert.allow.clock && alert.allow.random && alert.allow.state && alert.allow.has_direct_effects());
    assert!(!alert.allow.is_deterministic() && features.allow.is_deterministic());
    let bare = load_workflow("b.yaml", "version: 1\nname: b\nsteps:\n  a: { plugin: echo }\n").unwrap();
    let Action::Plugin(echo) = &bare.steps[0].action else { panic!("a plugin") };
    assert_eq!(echo.with.constant_at(&[]), Some(&json!({})));
}

#[test]
fn conditions_and_inputs_are_evaluated_in_the_scope_of_a_run() {
    let plan = pump_watch();
    let (params, trigger) = (json!({"threshold": 0.85}), json!({"file": {"name": "a.csv"}}));
    let steps = json!({"score": {"outputs": {"score": [0.9]}}, "validate": {"rows": 3}});
    let run = json!({"id": "r", "failed_step": "score", "error": "no model"});
    let scope = Scope::new(&params, &trigger, &steps, &run);
    assert_eq!(plan.steps[3].when.as_ref().map(|when| when.eval_bool(&scope)), Some(Ok(true)));
    let Action::Plugin(alert) = &plan.steps[3].action else { panic!("a plugin") };
    assert_eq!(alert.with.eval(&scope).unwrap()["body"], json!({"file": "a.csv"}));
    let Action::Plugin(failed) = &plan.steps[4].action else { panic!("a plugin") };
    assert_eq!(failed.with.eval(&scope).unwrap(), json!({"text": "r failed at score: no model"}));
    let nothing = json!({});
    let Action::Plugin(always) = &plan.steps[5].action else { panic!("a plugin") };
    let empty = Scope { steps: &nothing, ..scope };
    assert_eq!(always.with.eval(&empty).unwrap(), json!({"all": {}, "score": null}));
}

fn given(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[test]
fn parameters_are_bound_with_defaults() {
    let plan = pump_watch();
    let bound = plan.bind_params(&given(json!({"retries": 2.0, "threshold": 1}))).unwrap();
    assert_eq!(Value::Object(bound), json!({"threshold": 1, "mode": "fast", "retries": 2.0}));
}

#[test]
fn every_wrong_parameter_is_reported() {
    // A trigger could not start a workflow that requires a parameter.
    let manual = PUMP_WATCH.replace("integer, default: 0", "integer").replace("triggers:\n", "triggers: []\n");
    let (head, rest) = manual.split_once("  - file:").unwrap();
    let (_, rest) = rest.split_once("timeout:").unwrap();
    let plan = load_workflow("w.yaml", &format!("{head}timeout:{rest}")).unwrap();
    let problems = plan.bind_params(&given(json!({"treshold": 1, "threshold": 1.5, "mode": "slow"}))).unwrap_err();
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "parameter `treshold`: workflow `pump-watch` has no such parameter (did you mean `threshold`?)",
            "parameter `threshold`: 1.5 is above the maximum 1",
            "parameter `mode`: \"slow\" is not one of \"fast\", \"safe\"",
            "parameter `retries`: it is required (give it with -p retries=VALUE)",
        ]
    );
}

#[test]
fn parameters_on_the_command_line_are_read_by_their_type() {
    let plan = pump_watch();
    let read = |name: usize, text: &str| parse_param(&plan.params[name], text).map_err(|problem| problem.message);
    assert_eq!(read(0, "0.5"), Ok(json!(0.5)));
    assert_eq!(read(1, "safe"), Ok(json!("safe")));
    assert_eq!(read(2, "7"), Ok(json!(7)));
    assert_eq!(read(0, "half"), Err("\"half\" is not a number".to_owned()));
    assert_eq!(read(0, "\"1\""), Err("\"1\" is not a number".to_owned()));
    assert_eq!(read(2, "7.5"), Err("7.5 is not an integer".to_owned()));
    let mut param = plan.params[1].clone();
    param.choices.clear();
    assert_eq!(parse_param(&param, "12").unwrap(), json!("12"));
    param.kind = ParamKind::Array;
    assert_eq!(parse_param(&param, "[1, {\"a\": null}]").unwrap(), json!([1, {"a": null}]));
    param.kind = ParamKind::Object;
    assert!(parse_param(&param, "[1]").is_err());
    param.kind = ParamKind::Boolean;
    assert_eq!(parse_param(&param, "true").unwrap(), json!(true));
}

#[test]
fn an_empty_config_is_a_complete_one() {
    let config = load_node_config("trackside.toml", "").unwrap();
    assert_eq!(config, NodeConfig::default());
    assert_eq!(
        (config.node.data.as_str(), config.node.durability, config.node.log),
        (".trackside", Durability::Full, LogLevel::Info)
    );
    assert_eq!(config.limits.memory.as_bytes(), 64 << 20);
    assert_eq!((config.limits.artifacts, config.limits.http_requests), (1000, 100));
    assert_eq!(config.policy.http, None);
}

#[test]
fn a_config_is_read_and_written_back_the_same() {
    let text = "[node]\nname = \"box-1\"\ndurability = \"relaxed\"\nlog = \"debug\"\nmax_steps = 8\n\n[limits]\nmemory = \"128MiB\"\ncpu = \
                \"1m\"\n\n[engine]\nonnxruntime = \"/opt/libonnxruntime.so\"\nprefer = \"onnxruntime\"\n\n[models.pump]\npath = \
                \"models/pump.onnx\"\nengine = \"rten\"\nselftest = \"models/pump.safetensors\"\n\n[policy]\nhttp = []\ndeliver = \
                [\"/srv/out\"]\nprivate = false\nsecrets = [\"hook\"]\n\n[http]\nca_file = \"ca.pem\"\n\n[secrets.hook]\nfile = \
                \"hook.txt\"\nhosts = [\"hooks.example.org\", \"10.0.0.1:8443\"]\n\n[secrets.key]\ncredential = \
                \"key\"\nreveal = true\n";
    let config = load_node_config("trackside.toml", text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.engine.prefer, EngineChoice::OnnxRuntime);
    assert_eq!(config.models["pump"].selftest.as_deref(), Some("models/pump.safetensors"));
    assert_eq!(config.policy.http, Some(Vec::new()));
    let again = load_node_config("again.toml", &toml::to_string(&config).unwrap()).unwrap();
    assert_eq!(again, config);
}

#[test]
fn scaffolds_load_as_they_are() {
    for name in ["my-flow", "", "Ünï çødé", "a b/c", &"x".repeat(200), "---"] {
        let text = scaffold_workflow(name);
        let plan = load_workflow("scaffold.yaml", &text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(plan.ordinary_steps(), 2);
    }
    assert!(load_workflow("s.yaml", &scaffold_workflow("my-flow")).unwrap().name == "my-flow");
}

#[test]
fn schemas_are_strict_and_described() {
    for (schema, id) in
        [(workflow_schema(), "urn:trackside:schema:workflow:1"), (node_schema(), "urn:trackside:schema:node:1")]
    {
        assert_eq!(schema["$id"], id);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(schema["title"].is_string());
        let definitions = schema["$defs"].as_object().unwrap();
        for (name, object) in definitions.iter().map(|(name, object)| (name.as_str(), object)).chain([("", &schema)]) {
            assert!(object["description"].is_string(), "{name} has no description");
            let Some(properties) = object["properties"].as_object() else { continue };
            assert_eq!(object["additionalProperties"], false, "{name} takes unknown keys");
            for (key, value) in properties {
                assert!(value["description"].is_string(), "{name}.{key} has no description");
            }
        }
        let text = schema.to_string();
        assert!(!text.contains("\"null\""), "an absent key is not null: {text}");
    }
}

/// Every key that the example uses is in the schema, and the reference page lists every key of the schemas.
#[test]
fn the_reference_lists_every_key() {
    let page = reference_markdown();
    for schema in [workflow_schema(), node_schema()] {
        let definitions = schema["$defs"].as_object().unwrap();
        for object in definitions.values().chain([&schema]) {
            for key in object["properties"].as_object().into_iter().flatten().map(|(key, _)| key) {
                assert!(page.contains(&format!("| `{key}` |")), "{key}");
            }
        }
    }
    for part in
        ["## FileTrigger", "`content`, `stat`", "| `settle` | duration | `\"2s\"` |", "## Expressions", "## NodeLimits"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("|  |  |  |"), "an empty row");
}

#[test]
fn a_workflow_with_the_most_steps_loads() {
    let steps: String = (0..256)
        .map(|n| {
            if n == 0 {
                "  s0: { plugin: echo }\n".to_owned()
            } else {
                format!("  s{n}: {{ plugin: echo, needs: [s{}], with: {{ x: \"${{steps.s0.x}}\" }} }}\n", n - 1)
            }
        })
        .collect();
    let text = format!("version: 1\nname: w\nsteps:\n{steps}");
    assert_eq!(load_workflow("w.yaml", &text).unwrap_or_else(|error| panic!("{error}")).ordinary_steps(), 256);
    let error = load_workflow("w.yaml", &format!("{text}  more: {{ plugin: echo }}\n")).unwrap_err();
    assert_eq!((error.problems.len(), error.problems[0].code), (1, code!("TS-0108")));
}
