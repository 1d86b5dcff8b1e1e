//! Triggers: what good ones become, and exactly what is said about the others.

use crate::cases::{Case, check};
use serde_json::json;
use trackside_spec::{
    ByteSize, Claim, CronTimes, DriftTurn, Duration, FileBatch, HookSignature, Misfire, MqttPayload, Overlap, Plan,
    RunEnding, Trigger, TriggerKind, check_triggers, load_node_config, load_workflow,
};

fn load(triggers: &str) -> Plan {
    let text = format!("version: 1\nname: w\ntriggers:\n{triggers}\nsteps:\n  a: {{ plugin: echo }}\n");
    load_workflow("w.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn only(triggers: &str) -> TriggerKind {
    let mut plan = load(triggers);
    let Trigger { kind, .. } = plan.triggers.remove(0);
    kind
}

fn file(keys: &str) -> trackside_spec::FileTrigger {
    let TriggerKind::File(file) = only(&format!("  - file: {{ path: inbox, {keys} }}")) else {
        panic!("a file trigger")
    };
    file
}

#[test]
fn a_file_trigger_takes_patterns_one_by_one_or_in_a_list() {
    let one = file(r#"glob: "*.csv", exclude: "tmp/**""#);
    assert_eq!((one.globs, one.exclude), (vec!["*.csv".to_owned()], vec!["tmp/**".to_owned()]));
    let many = file(r#"glob: ["*.csv", "*.json"], exclude: ["*.part", "~*"]"#);
    assert_eq!((many.globs.len(), many.exclude.len()), (2, 2));
    let default = file("existing: run");
    assert_eq!((default.globs, default.exclude, default.batch), (vec!["*".to_owned()], vec![], None));
    assert_eq!((default.claim, default.max_wait), (Claim::Move, Duration::from_millis(3_600_000)));
}

#[test]
fn a_claimed_file_can_be_sent_elsewhere_and_a_batch_has_two_limits() {
    assert_eq!(file("claim: move, to: done").claim, Claim::MoveTo("done".into()));
    assert_eq!(file("claim: copy, to: /srv/copies").claim, Claim::CopyTo("/srv/copies".into()));
    assert_eq!(file("claim: keep").claim, Claim::Keep);
    // A flat pattern does not reach what lies deeper.
    assert_eq!(file("to: inbox/done").claim, Claim::MoveTo("inbox/done".into()));
    assert_eq!(file(r#"to: inbox/done, glob: "**/*", exclude: "done/**""#).claim, Claim::MoveTo("inbox/done".into()));
    let batch = file("batch: { max_files: 500, max_wait: 30s }").batch;
    assert_eq!(batch, Some(FileBatch { max_files: 500, max_wait: Duration::from_millis(30_000) }));
}

#[test]
fn a_wait_is_never_shorter_than_the_time_to_settle() {
    assert_eq!(file("settle: 5m, max_wait: 1m").max_wait, Duration::from_millis(300_000));
}

#[test]
fn a_cron_trigger_is_a_schedule_or_an_interval_with_its_policies() {
    let TriggerKind::Cron(cron) = only(
        "  - cron: { every: 90s, misfire: all, misfire_window: 6h, misfire_max: 10, jitter: 5m, overlap: cancel-previous }",
    ) else {
        panic!("a cron trigger")
    };
    assert_eq!(cron.times, CronTimes::Every(Duration::from_millis(90_000)));
    assert_eq!((cron.misfire, cron.misfire_max, cron.overlap), (Misfire::All, 10, Overlap::CancelPrevious));
    assert_eq!(cron.misfire_window, Some(Duration::from_millis(21_600_000)));
    assert_eq!(cron.jitter.as_millis(), 300_000);
    let TriggerKind::Cron(plain) = only("  - cron: { schedule: \"@hourly\" }") else { panic!("a cron trigger") };
    assert_eq!((plain.misfire, plain.overlap, plain.jitter.as_millis()), (Misfire::Latest, Overlap::Allow, 0));
}

#[test]
fn webhooks_messages_other_workflows_and_datasets_are_triggers() {
    let plan = load(
        "  - webhook: { name: push, secret: hook, max_body: 2MiB, cloudevents: true }
  - webhook: { name: pay, secret: pay, signature: stripe, tolerance: 10m }
  - webhook: { name: open, signature: none }
  - mqtt: { broker: plant, topic: plant/+/reading, payload: artifact, qos: 0 }
  - workflow: { name: other, on: [succeeded, failed] }
  - dataset: readings
  - drift: pump
  - drift: { name: readings, on: [cleared, cleared] }",
    );
    let ids: Vec<&str> = plan.triggers.iter().map(|trigger| trigger.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "w/webhook-0",
            "w/webhook-1",
            "w/webhook-2",
            "w/mqtt-3",
            "w/workflow-4",
            "w/dataset-5",
            "w/drift-6",
            "w/drift-7"
        ]
    );
    let signatures: Vec<_> = plan
        .triggers
        .iter()
        .filter_map(|trigger| if let TriggerKind::Webhook(hook) = &trigger.kind { Some(&hook.signature) } else { None })
        .collect();
    let tolerance = Duration::from_millis(600_000);
    assert_eq!(
        signatures,
        [
            &HookSignature::Github { secret: "hook".into() },
            &HookSignature::Stripe { secret: "pay".into(), tolerance },
            &HookSignature::None
        ]
    );
    let TriggerKind::Mqtt(mqtt) = &plan.triggers[3].kind else { panic!("mqtt") };
    assert_eq!((mqtt.qos, mqtt.payload, mqtt.max_payload), (0, MqttPayload::Artifact, ByteSize::from_mib(1)));
    let TriggerKind::Workflow(other) = &plan.triggers[4].kind else { panic!("workflow") };
    assert_eq!(other.on, [RunEnding::Succeeded, RunEnding::Failed]);
    let turns = |at: usize| if let TriggerKind::Drift(drift) = &plan.triggers[at].kind { &drift.on[..] } else { &[] };
    assert_eq!((turns(6), turns(7)), (&[DriftTurn::Raised][..], &[DriftTurn::Cleared][..]));
}

#[test]
fn a_payload_gives_the_parameters_that_are_called_like_its_members() {
    let text = "version: 1\nname: w\nparams:\n  pump: { type: string }\n  limit: { type: number, default: 3, maximum: 9 }\n\
                triggers:\n  - webhook: { name: push, secret: hook }\nsteps:\n  a: { plugin: echo }\n";
    let plan = load_workflow("w.yaml", text).unwrap();
    let bound = plan.bind_payload(&json!({ "pump": "p7", "more": [1] })).unwrap();
    assert_eq!(serde_json::Value::from(bound), json!({ "pump": "p7", "limit": 3 }));
    let refused = plan.bind_payload(&json!({ "limit": 10 })).unwrap_err();
    let lines: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0], "parameter `pump`: it is required (the payload is an object with a member `pump`)");
    assert!(lines[1].starts_with("parameter `limit`: 10"), "{}", lines[1]);
    assert!(plan.bind_payload(&json!("text")).is_err());
}

#[test]
fn a_broker_logs_in_with_a_secret_that_is_the_nodes() {
    let text = "[secrets.broker]\nfile = \"pw\"\nnode = true\n\n[mqtt.plant]\nhost = \"mqtt.example\"\ntls = true\n\
                username = \"box\"\npassword = \"broker\"\nversion = \"3.1.1\"\n";
    let config = load_node_config("trackside.toml", text).unwrap();
    assert_eq!((config.mqtt["plant"].port(), config.mqtt["plant"].keep_alive.as_millis()), (8883, 30_000));
    let error = load_node_config("trackside.toml", &text.replace("node = true", "reveal = true")).unwrap_err();
    assert!(error.to_string().contains("this is no secret that the node may use"), "{error}");
}

#[test]
fn triggers_that_do_not_fit_their_project_are_told_with_what_would() {
    let plan = |name: &str, triggers: &str| {
        let text = format!("version: 1\nname: {name}\ntriggers:\n{triggers}\nsteps:\n  a: {{ plugin: echo }}\n");
        load_workflow("w.yaml", &text).unwrap()
    };
    let plans = [
        plan("one", "  - workflow: { name: three }\n  - webhook: { name: push, secret: hook }"),
        plan("two", "  - workflow: { name: one, on: [failed] }\n  - webhook: { name: push, signature: none }"),
        plan("three", "  - workflow: { name: two }\n  - workflow: { name: on }\n  - mqtt: { broker: plnt, topic: a }"),
    ];
    let plans: Vec<&Plan> = plans.iter().collect();
    let config =
        load_node_config("t.toml", "[secrets.hook]\nfile = \"x\"\nreveal = true\n[mqtt.plant]\nhost = \"m\"\n")
            .unwrap();
    let told: Vec<String> = check_triggers(&plans, &config).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "[TS-0104] trigger one/webhook-1: `hook` is no secret that the node may use ([secrets.hook] with node = true \
             in trackside.toml)",
            "[TS-0110] trigger two/webhook-1: the webhook `push` belongs to the trigger one/webhook-1 already (every \
             webhook of a project has a name of its own)",
            "[TS-0104] trigger three/workflow-1: there is no workflow `on` in this project (did you mean `one`?)",
            "[TS-0104] trigger three/mqtt-2: there is no broker `plnt` in trackside.toml (did you mean `plant`?)",
            "[TS-0106] trigger two/workflow-0: workflows start each other without end: one -> two -> three -> one",
        ]
    );
}

#[test]
fn every_broken_trigger_gets_its_message() {
    check(CASES, |text| {
        load_workflow("w.yaml", &format!("version: 1\nname: w\n{text}steps:\n  a: {{ plugin: echo }}\n"))
            .map(drop)
            .map_err(|error| error.to_string())
    });
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        name: "bad_patterns_in_lists",
        text: r##"triggers:
  - file: { path: in, glob: ["*.csv", "[a"], exclude: [/x] }
  - file: { path: in, glob: [] }
"##,
        error: r##"w.yaml:4:39: error[TS-0103]: this is no pattern: unclosed character class; missing ']'
4 |   - file: { path: in, glob: ["*.csv", "[a"], exclude: [/x] }
  |                                       ^^^^
w.yaml:4:56: error[TS-0103]: the pattern is for paths below the folder
4 |   - file: { path: in, glob: ["*.csv", "[a"], exclude: [/x] }
  |                                                        ^^
  = help: put the folder into `path` and a pattern such as "**/*.csv" here
w.yaml:5:23: error[TS-0103]: without a pattern no file counts
5 |   - file: { path: in, glob: [] }
  |                       ^^^^"##,
    },
    Case {
        name: "claims_that_do_not_fit",
        text: r##"triggers:
  - file: { path: in, claim: copy }
  - file: { path: in, claim: keep, to: done }
  - file: { path: in, glob: "**/*.csv", to: in/done }
  - file: { path: ./in, to: in/ }
  - file: { path: in, claim: keep, shared: true }
"##,
        error: r##"w.yaml:4:30: error[TS-0102]: `claim: copy` needs `to`, the folder for the copies
4 |   - file: { path: in, claim: copy }
  |                              ^^^^
  = help: to: done
w.yaml:5:36: error[TS-0110]: `to` is for `claim: move` and `claim: copy`
5 |   - file: { path: in, claim: keep, to: done }
  |                                    ^^
w.yaml:6:45: error[TS-0110]: the trigger would find its own files there
6 |   - file: { path: in, glob: "**/*.csv", to: in/done }
  |                                             ^^^^^^^
  = help: name a folder beside `path`, or leave it out with `exclude`
w.yaml:7:29: error[TS-0110]: the trigger would find its own files there
7 |   - file: { path: ./in, to: in/ }
  |                             ^^^
  = help: name a folder beside `path`, or leave it out with `exclude`
w.yaml:8:36: error[TS-0110]: a file that stays can not be taken by one box only
8 |   - file: { path: in, claim: keep, shared: true }
  |                                    ^^^^^^
  = help: claim: move"##,
    },
    Case {
        name: "batches_out_of_range",
        text: r##"triggers:
  - file: { path: in, batch: { max_files: 0, max_wait: 2h } }
"##,
        error: r##"w.yaml:4:43: error[TS-0103]: between 1 and 1000
4 |   - file: { path: in, batch: { max_files: 0, max_wait: 2h } }
  |                                           ^
w.yaml:4:56: error[TS-0103]: at most 1h
4 |   - file: { path: in, batch: { max_files: 0, max_wait: 2h } }
  |                                                        ^^"##,
    },
    Case {
        name: "times_that_do_not_fit",
        text: r##"triggers:
  - cron: { misfire: skip }
  - cron: { schedule: "@daily", every: 5m }
  - cron: { every: 10ms }
  - cron: { every: 5m, timezone: Europe/Paris }
  - cron: { schedule: "@daily", misfire: skip, misfire_window: 1h }
  - cron: { schedule: "@daily", misfire: all, misfire_max: 0, jitter: 13h }
"##,
        error: r##"w.yaml:4:5: error[TS-0102]: a cron trigger needs `schedule` or `every`
4 |   - cron: { misfire: skip }
  |     ^^^^
  = help: schedule: "30 2 * * *", or every: 90s
w.yaml:5:33: error[TS-0110]: a trigger has `schedule` or `every`, not both
5 |   - cron: { schedule: "@daily", every: 5m }
  |                                 ^^^^^
w.yaml:6:20: error[TS-0103]: between 1s and 366d
6 |   - cron: { every: 10ms }
  |                    ^^^^
w.yaml:7:24: error[TS-0110]: an interval has no time zone: it is for `schedule`
7 |   - cron: { every: 5m, timezone: Europe/Paris }
  |                        ^^^^^^^^
w.yaml:8:48: error[TS-0110]: with `misfire: skip` nothing is made up for
8 |   - cron: { schedule: "@daily", misfire: skip, misfire_window: 1h }
  |                                                ^^^^^^^^^^^^^^
w.yaml:9:60: error[TS-0103]: between 1 and 1000
9 |   - cron: { schedule: "@daily", misfire: all, misfire_max: 0, jitter: 13h }
  |                                                            ^
w.yaml:9:71: error[TS-0103]: at most 12h
9 |   - cron: { schedule: "@daily", misfire: all, misfire_max: 0, jitter: 13h }
  |                                                                       ^^^"##,
    },
    Case {
        name: "webhooks_that_do_not_fit",
        text: r##"triggers:
  - webhook: { name: Push, secret: hook }
  - webhook: { name: push }
  - webhook: { name: push, secret: hook, signature: none }
  - webhook: { name: push, secret: hook, tolerance: 5m }
  - webhook: { name: push, secret: hook, max_body: 1GiB }
"##,
        error: r##"w.yaml:4:22: error[TS-0103]: a webhook's name is made of lower-case letters, digits and `-`, at most 64
4 |   - webhook: { name: Push, secret: hook }
  |                      ^^^^
w.yaml:5:5: error[TS-0102]: a webhook needs the secret that requests are signed with
5 |   - webhook: { name: push }
  |     ^^^^^^^
  = help: secret: NAME, or signature: none to let anybody start runs who reaches the node
w.yaml:6:28: error[TS-0110]: with `signature: none` the secret is not used
6 |   - webhook: { name: push, secret: hook, signature: none }
  |                            ^^^^^^
w.yaml:7:42: error[TS-0110]: only Stripe's signatures have a time
7 |   - webhook: { name: push, secret: hook, tolerance: 5m }
  |                                          ^^^^^^^^^
w.yaml:8:52: error[TS-0103]: between 1B and 64MiB
8 |   - webhook: { name: push, secret: hook, max_body: 1GiB }
  |                                                    ^^^^"##,
    },
    Case {
        name: "messages_workflows_and_datasets_that_do_not_fit",
        text: r##"triggers:
  - mqtt: { broker: "a b", topic: a/#/b, qos: 2 }
  - workflow: { name: w }
  - workflow: { name: other, on: [] }
  - dataset: ../x
  - drift: ../x
  - drift: { name: "", on: [] }
"##,
        error: r##"w.yaml:4:21: error[TS-0103]: a broker's name is made of letters, digits, `.`, `_` and `-`, at most 64
4 |   - mqtt: { broker: "a b", topic: a/#/b, qos: 2 }
  |                     ^^^^^
w.yaml:4:35: error[TS-0103]: this is no topic: `#` stands alone at the end, after a `/`
4 |   - mqtt: { broker: "a b", topic: a/#/b, qos: 2 }
  |                                   ^^^^^
w.yaml:4:47: error[TS-0103]: 0 or 1
4 |   - mqtt: { broker: "a b", topic: a/#/b, qos: 2 }
  |                                               ^
w.yaml:5:23: error[TS-0110]: a workflow that starts itself would never end
5 |   - workflow: { name: w }
  |                       ^
w.yaml:6:30: error[TS-0103]: without an end that counts it starts nothing
6 |   - workflow: { name: other, on: [] }
  |                              ^^
  = help: on: [succeeded]
w.yaml:7:14: error[TS-0103]: a dataset's name is made of letters, digits, `.`, `_` and `-`, at most 64
7 |   - dataset: ../x
  |              ^^^^
w.yaml:8:12: error[TS-0103]: a model's or a dataset's name is made of letters, digits, `.`, `_` and `-`, at most 64
8 |   - drift: ../x
  |            ^^^^
w.yaml:9:20: error[TS-0103]: a model's or a dataset's name is made of letters, digits, `.`, `_` and `-`, at most 64
9 |   - drift: { name: "", on: [] }
  |                    ^^
w.yaml:9:24: error[TS-0103]: without a turn that counts it starts nothing
9 |   - drift: { name: "", on: [] }
  |                        ^^
  = help: on: [raised]"##,
    },
    Case {
        name: "words_that_are_no_choice",
        text: r##"triggers:
  - cron: { schedule: "@daily", overlap: replace }
  - workflow: { name: other, on: [done] }
"##,
        error: r##"w.yaml:4:42: error[TS-0103]: `replace` is not possible here
4 |   - cron: { schedule: "@daily", overlap: replace }
  |                                          ^^^^^^^
  = help: known here: allow, skip, queue, cancel-previous
w.yaml:5:35: error[TS-0103]: `done` is not possible here
5 |   - workflow: { name: other, on: [done] }
  |                                   ^^^^
  = help: known here: succeeded, failed, cancelled"##,
    },
    Case {
        name: "a_parameter_that_nobody_gives",
        text: r##"params:
  pump: { type: string }
triggers:
  - webhook: { name: push, secret: hook }
  - cron: { schedule: "@daily" }
"##,
        error: r##"w.yaml:7:5: error[TS-0110]: a cron trigger gives no parameters, and `pump` has no default
7 |   - cron: { schedule: "@daily" }
  |     ^^^^
  = help: give `params.pump` a default"##,
    },
];
