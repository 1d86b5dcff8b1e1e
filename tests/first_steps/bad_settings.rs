//! Constants of a step that its plugin can not run with: `check` tells them, and they are true.

use crate::support::Project;

/// Step, code, words.
const REFUSED: &[(&str, &str, &str)] = &[
    // What grants and the box say.
    ("publish, with: { broker: plant, topic: a/b }", "TS-0873", "publish: [\"a/b\"]"),
    (
        "publish, with: { broker: plant, topic: a/b, text: \"${params.x}\" }, allow: { publish: [\"b/#\"] }",
        "TS-0873",
        "publish: [\"a/b\"]",
    ),
    ("publish, with: { broker: plnat, topic: a/b }, allow: { publish: [\"a/#\"] }", "TS-0873", "did you mean `plant`?"),
    ("publish, with: { broker: plnat, topic: \"a/${params.x}\" }, allow: { publish: [\"a/#\"] }", "TS-0873", "plnat"),
    ("publish, with: { broker: plant, topic: \"a/+\" }, allow: { publish: [\"a/#\"] }", "TS-0874", "no topic"),
    (
        "publish, with: { broker: plant, topic: \"$SYS/a\" }, allow: { publish: [\"$SYS/#\"] }",
        "TS-0874",
        "broker's own",
    ),
    ("publish, with: { broker: plant, topic: a, text: b, json: 1 }, allow: { publish: [a] }", "TS-0874", "one of"),
    (
        "publish, with: { broker: plant, topic: a, attributes: { \"\": x } }, allow: { publish: [a] }",
        "TS-0874",
        "attribute",
    ),
    ("deliver-file, with: { to: out/x, text: a }", "TS-0873", "deliver: [\"out\"]"),
    ("deliver-file, with: { to: out/x }, allow: { deliver: [out] }", "TS-0874", "one of"),
    ("deliver-file, with: { to: out/x, text: a, json: 1 }, allow: { deliver: [out] }", "TS-0874", "one of"),
    ("deliver-file, with: { to: out/x, text: a, if_present: ask }, allow: { deliver: [out] }", "TS-0862", "replace"),
    ("tally, with: { mode: record, values: { a: 1 } }", "TS-0873", "state: true"),
    ("threshold, with: { values: \"${params.x}\", above: 3, for: 2 }", "TS-0873", "state: true"),
    // Requests.
    ("http-request, with: { url: \"https://a.example\" }", "TS-0873", "http: [\"https://a.example\"]"),
    (
        "http-request, with: { url: \"https://a.example\", method: \"GE T\" }, allow: { http: [\"https://a.example\"] }",
        "TS-0874",
        "no method",
    ),
    (
        "http-request, with: { url: \"https://a.example\", method: connect }, allow: { http: [\"https://a.example\"] }",
        "TS-0874",
        "no method",
    ),
    (
        "http-request, with: { url: \"https://a.example/${params.x}\", method: \"GE T\" }, allow: { http: [\"https://a.example\"] }",
        "TS-0874",
        "no method",
    ),
    (
        "http-request, with: { url: \"${params.x}\", method: POST }, allow: { http: [{ origin: \"https://a.example\", methods: [GET] }] }",
        "TS-0873",
        "POST",
    ),
    (
        "http-request, with: { url: \"https://a.example\", headers: { \"a b\": x } }, allow: { http: [\"https://a.example\"] }",
        "TS-0874",
        "header name",
    ),
    (
        "http-request, with: { url: \"https://a.example\", body: 1, text: a }, allow: { http: [\"https://a.example\"] }",
        "TS-0874",
        "at most one",
    ),
    (
        "http-request, with: { url: \"https://a.example\", expect: [ok] }, allow: { http: [\"https://a.example\"] }",
        "TS-0862",
        "/expect/0",
    ),
    (
        "http-request, with: { url: \"https://a.example\", timeout_ms: 0 }, allow: { http: [\"https://a.example\"] }",
        "TS-0862",
        "/timeout_ms",
    ),
    (
        "http-request, with: { url: \"https://a.example\", headers: { h: \"{{secret:hook}}\" } }, allow: { http: [\"https://a.example\"] }",
        "TS-0873",
        "secrets: [\"hook\"]",
    ),
    (
        "http-request, with: { url: \"https://a.example\", headers: { h: \"{{secret:hook\" } }, allow: { http: [\"https://a.example\"], secrets: [hook] }",
        "TS-0874",
        "ends it",
    ),
    (
        "http-request, with: { url: \"https://a.example\", headers: { h: \"{{secret:hook}}\" } }, allow: { http: [\"https://a.example\"], secrets: [hook] }",
        "TS-0873",
        "b.example",
    ),
    // Filters, contracts, windows, bounds.
    ("json-transform, with: { filter: \".a |\", input: \"${params.x}\" }", "TS-0874", "after `|`"),
    ("json-transform, with: { filter: \"nosuch(1)\" }", "TS-0874", "nosuch"),
    ("json-transform, with: { filter: \"$b\", args: { a: \"${params.x}\" } }", "TS-0874", "$b"),
    ("json-transform, with: { filter: \"1\", args: { \"no good\": 1 } }", "TS-0874", "no good"),
    ("json-transform, with: { filter: \"1\", input: 1, max_outputs: -1 }", "TS-0862", "/max_outputs"),
    (
        "csv-check, with: { file: \"${trigger.file}\", contract: { columns: { v: { type: number, min: 2, max: 1 } } } }",
        "TS-0874",
        "above max",
    ),
    (
        "csv-check, with: { file: \"${trigger.file}\", contract: { columns: { v: { min: x } } } }",
        "TS-0862",
        "/contract",
    ),
    ("csv-check, with: { file: \"${trigger.file}\", schema: twice.json }", "TS-0874", "`v` twice"),
    ("csv-check, with: { file: \"${trigger.file}\", schema: broken.json }", "TS-0874", "contract"),
    ("csv-check, with: { file: \"${trigger.file}\", delimiter: \";;\" }", "TS-0874", "ASCII"),
    ("window-features, with: { rows: \"${trigger.file}\", columns: [v], window: 0 }", "TS-0862", "/window"),
    (
        "window-features, with: { rows: \"${trigger.file}\", columns: [v], window: 2, features: [meen] }",
        "TS-0862",
        "meen",
    ),
    (
        "window-features, with: { rows: \"${trigger.file}\", columns: [v], window: 2, features: [lag-7] }",
        "TS-0874",
        "lag-7",
    ),
    ("window-features, with: { rows: \"${trigger.file}\", columns: [v], window: 2, every: 1h }", "TS-0874", "`time`"),
    (
        "window-features, with: { rows: \"${trigger.file}\", columns: [v], window: 2, every: hour, time: t }",
        "TS-0874",
        "every",
    ),
    (
        "window-features, with: { rows: \"${trigger.file}\", columns: [v], window: 2, normalise: { w: {} } }",
        "TS-0874",
        "`w`",
    ),
    ("threshold, with: { values: \"${params.x}\" }", "TS-0862", "above"),
    ("threshold, with: { values: \"${params.x}\", above: 3, clear_above: 4 }", "TS-0874", "clear_above"),
    ("threshold, with: { values: \"${params.x}\", above: 1, below: 2 }", "TS-0874", "larger than"),
    ("tally, with: { mode: record }, allow: { state: true }", "TS-0874", "at least one"),
    ("tally, with: { mode: record, values: { a: 1 }, keep: 101 }, allow: { state: true }", "TS-0862", "/keep"),
    (
        "file-verdict, with: { file: \"${trigger.file}\", config: twice.json, content_types: twice.json, policy: { deny: [1] } }",
        "TS-0862",
        "/policy/deny/0",
    ),
];

/// Expressions that depend on nothing.
const NEVER: &[(&str, &str, &str)] = &[
    ("echo, with: { value: \"${1 / 0}\" }", "TS-0875", "1 / 0"),
    ("echo, with: { value: 1 }, when: \"1 + 1\"", "TS-0875", "true or false"),
    ("echo, with: { value: 1 }, foreach: \"${[1][1]}\"", "TS-0875", "[1][1]"),
];

/// The same with what is right, or not known before it runs.
const POSSIBLE: &[&str] = &[
    "publish, with: { broker: plant, topic: a/b, json: { x: \"${params.x}\" } }, allow: { publish: [\"a/#\"] }",
    "publish, with: { broker: plant, topic: \"${params.x}\", file: \"${trigger.file}\" }, allow: { publish: [\"a/#\"] }",
    "publish, with: { broker: \"${params.x}\", topic: a, attributes: { a: \"${params.x}\" } }, allow: { publish: [a] }",
    "deliver-file, with: { to: out/x, file: \"${trigger.file}\" }, allow: { deliver: [out] }",
    "deliver-file, with: { to: \"out/${params.x}\", text: \"${params.x}\", json: \"${params.x}\" }, allow: { deliver: [out] }",
    "deliver-file, with: { to: out/x, text: \"${params.x}\", file: \"${trigger.file}\" }, allow: { deliver: [out] }",
    "http-request, with: { url: \"https://a.example/${params.x}\", method: patch, text: \"${params.x}\" }, allow: { http: [\"https://a.example\"] }",
    "http-request, with: { url: \"https://b.example/x\", headers: { h: \"{{secret:hook}}\" } }, allow: { http: [\"https://b.example\"], secrets: [hook] }",
    "http-request, with: { url: \"${params.x}\", headers: { h: \"{{secret:hook}}\" } }, allow: { http: [\"https://a.example\", \"https://b.example\"], secrets: [hook] }",
    "http-request, with: { url: \"${params.x}\", method: \"${params.x}\" }, allow: { http: [{ origin: \"https://a.example\", methods: [PUT] }] }",
    "json-transform, with: { filter: \".a.b | error\", input: \"${params.x}\" }",
    "json-transform, with: { filter: \"[range(1e12)]\", input: \"${params.x}\" }",
    "json-transform, with: { filter: \"${params.x}\" }",
    "json-transform, with: { filter: \"$a + $b\", file: \"${trigger.file}\", args: { a: 1, b: \"${params.x}\" } }",
    "csv-check, with: { file: \"${trigger.file}\", schema: right.json, delimiter: tab }",
    "csv-check, with: { file: \"${trigger.file}\", contract: { columns: { v: { type: number, min: 1 } } } }",
    "window-features, with: { rows: \"${trigger.file}\", columns: [v], window: 40000, features: \"${[params.x]}\" }",
    "window-features, with: { rows: \"${trigger.file}\", columns: [v], window: 2, every: 1h, time: \"${params.x}\" }",
    "threshold, with: { values: \"${params.x}\", above: \"${1}\" }",
    "threshold, with: { values: \"${params.x}\", above: 3, for: 2 }, allow: { state: true }",
    "tally, with: { mode: record, values: { a: \"${params.x}\" } }, allow: { state: true }",
    "tally, with: { mode: \"${params.x}\" }, allow: { state: true }",
    "echo, with: { value: \"${params.x}\" }",
    "echo, with: { value: \"${'a' + 'b'}\" }, when: \"false\"",
];

fn project() -> Project {
    let project = Project::new();
    let config = format!(
        "{}\n[mqtt.plant]\nhost = \"127.0.0.1\"\n\n[secrets.hook]\nenv = \"HOOK\"\nhosts = [\"b.example\"]\n",
        project.read("trackside.toml")
    );
    project.write("trackside.toml", config);
    project.write("right.json", "{ \"columns\": [{ \"name\": \"v\", \"type\": \"number\" }] }");
    project.write("twice.json", "{ \"columns\": [{ \"name\": \"v\" }, { \"name\": \"v\" }] }");
    project.write("broken.json", "{ \"columns\": [");
    project
}

fn workflow(number: usize, step: &str) -> (String, String) {
    let head = "params: { x: { type: string, default: x } }\ntriggers: [{ file: { path: inbox } }]\n";
    (format!("w{number:02}"), format!("{head}steps:\n  a: {{ plugin: {step} }}\n"))
}

#[test]
fn what_a_plugin_says_of_its_settings_is_told_by_check() {
    all_are_told(REFUSED);
}

#[test]
fn an_expression_that_never_has_a_value_is_told_by_check() {
    all_are_told(NEVER);
}

#[test]
fn an_output_that_no_plugin_describes_is_warned_of() {
    let project = project();
    let second = |name: &str| {
        let step = "csv-check, with: { file: \"${trigger.file}\" }";
        let rest = workflow(0, step).1;
        format!("{rest}  b: {{ plugin: echo, needs: [a], with: {{ value: \"${{steps.a.{name}}}\" }} }}\n")
    };
    project.workflow("w", &second("row_cuont"));
    project.run(&["check"]).ok().says(&["warning[TS-0876]", "row_cuont", "did you mean `row_count`?"]);
    for known in ["row_count", "rows", "quarantine.c"] {
        project.workflow("w", &second(known));
        let told = project.run(&["check"]).ok();
        assert!(!told.stderr.contains("TS-0876"), "{told}");
    }
}

#[track_caller]
fn all_are_told(cases: &[(&str, &str, &str)]) {
    let project = project();
    for (number, (step, ..)) in cases.iter().enumerate() {
        let (name, rest) = workflow(number, step);
        project.workflow(&name, &rest);
    }
    let checked = project.run(&["check", "--json"]).exits(1).json();
    let mut wrong = Vec::new();
    for (number, (step, code, words)) in cases.iter().enumerate() {
        let files = checked["workflows"].as_array().unwrap();
        let file = files.iter().find(|file| file["name"] == format!("w{number:02}")).unwrap();
        let problems = file["problems"].as_array().unwrap();
        let told = |problem: &serde_json::Value| {
            problem["code"] == *code
                && problem["line"] == 6
                && format!("{} {}", problem["message"], problem["help"]).replace("\\\"", "\"").contains(words)
        };
        if problems.len() != 1 || !told(&problems[0]) {
            wrong.push(format!("{step}\n  wants {code} {words}\n  {problems:?} {}", file["warnings"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_may_be_right_is_not_refused_by_check() {
    let project = project();
    for (number, step) in POSSIBLE.iter().enumerate() {
        let (name, rest) = workflow(number, step);
        project.workflow(&name, &rest);
    }
    project.run(&["check"]).ok();
}
