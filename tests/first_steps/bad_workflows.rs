//! Workflow files and plugins that are wrong.

use crate::support::Project;

struct Case {
    what: &'static str,
    /// The file below its name.
    rest: &'static str,
    code: &'static str,
    /// The line that the message points at; 1 is `version: 1`.
    line: usize,
    /// Cause and remedy.
    words: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        what: "a key that there is not",
        rest: "stpes:\n  a: { plugin: echo, with: { value: 1 } }\n",
        code: "TS-0102",
        line: 3,
        words: &["stpes", "did you mean `steps`?"],
    },
    Case {
        what: "YAML that is none",
        rest: "steps:\n  a: { plugin: echo, with: { value: 1 }\n",
        code: "TS-0101",
        line: 0,
        words: &[],
    },
    Case {
        what: "a plugin that there is not",
        rest: "steps:\n  a:\n    plugin: ecko\n",
        code: "TS-0601",
        line: 5,
        words: &["ecko", "did you mean `echo`?"],
    },
    Case {
        what: "a model that there is not",
        rest: "steps:\n  a:\n    model: ghost\n    inputs: { x: [1] }\n",
        code: "TS-0611",
        line: 5,
        words: &["ghost", "[models.ghost]"],
    },
    Case {
        what: "an input that the plugin does not know",
        rest: "steps:\n  a:\n    plugin: csv-check\n    with:\n      file: \"${trigger.file}\"\n      delimitr: \";\"\n",
        code: "TS-0862",
        line: 8,
        words: &["delimitr", "did you mean `delimiter`?"],
    },
    Case {
        what: "a file of the project that is not there",
        rest: "steps:\n  a:\n    plugin: csv-check\n    with:\n      file: \"${trigger.file}\"\n      schema: schemas/none.json\n",
        code: "TS-0863",
        line: 8,
        words: &["schemas/none.json"],
    },
    Case {
        what: "a step that needs one that there is not",
        rest: "steps:\n  a:\n    needs: [bb]\n    plugin: echo\n    with: { value: 1 }\n",
        code: "TS-010",
        line: 5,
        words: &["bb"],
    },
    Case {
        what: "steps that need each other",
        rest: "steps:\n  a: { needs: [b], plugin: echo, with: { value: 1 } }\n  b: { needs: [a], plugin: echo, with: { value: 1 } }\n",
        code: "TS-010",
        line: 0,
        words: &["a", "b"],
    },
    Case {
        what: "a name in an expression that there is not",
        rest: "steps:\n  a:\n    plugin: echo\n    with: { value: \"${prams.x}\" }\n",
        code: "TS-010",
        line: 6,
        words: &["prams", "params"],
    },
    Case {
        what: "an expression that does not end",
        rest: "steps:\n  a:\n    plugin: echo\n    with: { value: \"${1 +}\" }\n",
        code: "TS-010",
        line: 6,
        words: &[],
    },
    Case {
        what: "a duration without a unit",
        rest: "timeout: 5\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n",
        code: "TS-010",
        line: 3,
        words: &["5"],
    },
    Case {
        what: "a schedule that no calendar knows",
        rest: "triggers:\n  - cron: { schedule: \"61 * * * *\" }\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n",
        code: "TS-",
        line: 0,
        words: &["61", "minute"],
    },
    Case {
        what: "a time zone that there is not",
        rest: "triggers:\n  - cron: { schedule: \"1 * * * *\", timezone: Europe/Pariss }\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n",
        code: "TS-0404",
        line: 4,
        words: &["Europe/Pariss", "did you mean Europe/Paris?"],
    },
    Case {
        what: "a delivery beyond the project",
        rest: "steps:\n  a:\n    plugin: deliver-file\n    with: { to: \"/etc/x\", text: x }\n    allow: { deliver: [/etc] }\n",
        code: "TS-0865",
        line: 7,
        words: &["/etc", "[policy]"],
    },
];

/// What is wrong with how `check` tells of a case; nothing when all is well.
fn objections(case: &Case) -> Vec<String> {
    let project = Project::new();
    project.workflow("good", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project.workflow("bad", case.rest);
    let ran = project.run(&["check"]);
    let place = match case.line {
        0 => "workflows/bad.yaml:".to_owned(),
        line => format!("workflows/bad.yaml:{line}:"),
    };
    let code = format!("error[{}", case.code);
    let mut objections = Vec::new();
    let mut object = |is_wrong: bool, objection: String| objections.extend(is_wrong.then_some(objection));
    object(ran.code() != 1, format!("exit code {}", ran.code()));
    for word in case.words.iter().copied().chain([place.as_str(), &code]) {
        object(!ran.stderr.contains(word), format!("{word:?} was not said"));
    }
    let messages = ran.stderr.matches("error[").count();
    object(messages != 1, format!("{messages} messages"));
    object(!ran.stdout.contains("good"), "the other workflow is not told of".to_owned());
    object(project.path(".trackside").exists(), "looking at it left data".to_owned());
    if !objections.is_empty() {
        objections.push(ran.to_string());
    }
    objections
}

#[test]
fn what_is_wrong_with_a_workflow_is_told_once_with_code_place_cause_and_remedy() {
    let told = CASES.iter().map(|case| (case.what, objections(case))).filter(|(_, objections)| !objections.is_empty());
    let told: Vec<String> = told.map(|(what, objections)| format!("=== {what}: {}", objections.join("; "))).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn check_tells_problems_as_json_with_line_and_column() {
    let project = Project::new();
    project.workflow("bad", CASES[0].rest);
    let told = project.run(&["check", "--json"]).exits(1).json();
    let problem = &told["workflows"][0]["problems"][0];
    assert_eq!(told["problems"], 1);
    assert_eq!(
        (&problem["file"], &problem["line"], &problem["column"]),
        (&"workflows/bad.yaml".into(), &3.into(), &1.into())
    );
}

#[test]
fn a_broken_workflow_can_not_be_run_and_leaves_no_row() {
    let project = Project::new();
    project.workflow("bad", CASES[0].rest);
    project.run(&["run", "bad"]).exits(2).says(&["workflows/bad.yaml:3:1", "error[TS-0102]", "steps"]);
    assert!(!project.path(".trackside").exists());
}

#[test]
fn two_workflows_of_one_name_are_told_with_both_files() {
    let project = Project::new();
    project.workflow("one", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    let text = project.read("workflows/one.yaml");
    project.write("workflows/two.yaml", text);
    project.run(&["check"]).exits(1).says(&["TS-0623", "workflows/two.yaml", "workflows/one.yaml", "rename"]);
}

#[test]
fn a_plugin_that_is_none_is_told_with_what_it_is_and_the_rest_works() {
    let bundled = std::fs::read(crate::support::repository::component("echo.wasm")).unwrap();
    for (what, bytes, code, words) in [
        ("text", b"not wasm at all".to_vec(), "TS-0311", &["not a WebAssembly component"][..]),
        ("a core module", b"\0asm\x01\0\0\0".to_vec(), "TS-0320", &["module", "_start"]),
        ("nothing", Vec::new(), "TS-0311", &["empty"]),
        ("half a component", bundled[..bundled.len() / 2].to_vec(), "TS-0312", &["does not compile"]),
    ] {
        let project = Project::new();
        project.write("plugins/broken.wasm", &bytes);
        project.workflow("bad", "steps:\n  a: { plugin: broken, with: { value: 1 } }\n");
        project.workflow("good", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
        project.run(&["check"]).exits(1).says(&[code, "broken", "workflows/bad.yaml:4:"]).says(words);
        let view = project.run(&["run", "bad", "--json"]).exits(1).json();
        assert_eq!(view["error"]["code"], "plugin-unavailable", "{what}: {view:#}");
        assert!(view["error"]["message"].as_str().unwrap().contains(code), "{what}: {view:#}");
        project.run(&["run", "good"]).ok();
        project.run(&["plugin", "list"]).exits(1).says(&[code]).prints(&["broken", "echo"]);
        project.run(&["plugin", "inspect", "plugins/broken.wasm"]).exits(1).says(&[code]);
    }
}

#[test]
fn what_the_calendar_and_the_project_say_of_a_trigger_is_told_where_it_stands() {
    let project = Project::new();
    let step = "steps:\n  a: { plugin: echo, with: { value: 1 } }\n";
    let cases = [
        ("never", "cron: { schedule: \"0 0 30 2 *\" }", "4:23", "TS-0405", "never comes"),
        (
            "zone",
            "cron: { schedule: \"@daily\", timezone: Europe/Berln }",
            "4:43",
            "TS-0404",
            "did you mean Europe/Berlin?",
        ),
        ("range", "cron: { schedule: \"61 * * * *\" }", "4:23", "TS-0403", "61"),
        ("follow", "workflow: { name: brokr, on: [succeeded] }", "4:23", "TS-0104", "did you mean `broker`?"),
        ("broker", "mqtt: { broker: plant, topic: a }", "4:21", "TS-0104", "[mqtt.plant]"),
    ];
    for (name, trigger, ..) in cases {
        project.workflow(name, &format!("triggers:\n  - {trigger}\n{step}"));
    }
    let checked = project.run(&["check"]).exits(1);
    for (name, _, place, code, words) in cases {
        let told = format!("workflows/{name}.yaml:{place}: error[{code}]");
        assert!(checked.stderr.contains(&told) && checked.stderr.contains(words), "{told} {words}: {checked}");
        // One file alone is told the same.
        let file = format!("workflows/{name}.yaml");
        project.run(&["check", &file]).exits(1).says(&[&told, words]);
    }
}

#[test]
fn what_the_grants_refuse_whenever_it_runs_is_told_by_check() {
    let project = Project::new();
    let cases = [
        (
            "http-request, with: { url: \"http://127.0.0.1:9/x\" }, allow: { http: [\"http://127.0.0.1:9\"] }",
            "private: true",
        ),
        (
            "http-request, with: { url: \"http://localhost/x\" }, allow: { http: [\"http://localhost\"] }",
            "private: true",
        ),
        (
            "http-request, with: { url: \"https://b.example/x\" }, allow: { http: [\"https://a.example\"] }",
            "http: [\"https://b.example\"]",
        ),
        ("deliver-file, with: { to: \"b/x\", text: a }, allow: { deliver: [a] }", "deliver: [\"b\"]"),
        ("deliver-file, with: { to: \"a/../x\", text: a }, allow: { deliver: [a] }", "`..`"),
    ];
    for (step, words) in cases {
        project.workflow("w", &format!("steps:\n  a: {{ plugin: {step} }}\n"));
        project.run(&["check"]).exits(1).says(&["TS-0873", words, "1 problem"]);
        // It is true, for the same reason.
        project.run(&["run", "w"]).exits(1).says(&["failed at step `a`", words]);
    }
    let good = "http-request, with: { url: \"http://127.0.0.1:9/x\" }, allow: { http: [{ origin: \"http://127.0.0.1:9\", private: true }] }";
    project.workflow("w", &format!("steps:\n  a: {{ plugin: {good} }}\n"));
    project.run(&["check"]).ok();
    project.workflow("w", "steps:\n  a: { plugin: csv-check, with: { unrelated: 1 } }\n");
    let told = project.run(&["check"]).exits(1).says(&["it takes file,"]);
    assert_eq!(told.stderr.matches("it takes").next().map(|_| told.stderr.matches("file,").count()), Some(1), "{told}");
}
