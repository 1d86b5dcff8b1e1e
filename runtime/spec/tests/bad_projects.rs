//! Workflows that are right by themselves and do not fit together, and exactly what is said about them.

use trackside_spec::{Plan, check_project, load_workflow};

fn problems(texts: &[&str]) -> String {
    let plans: Vec<(String, Plan)> = texts
        .iter()
        .map(|text| {
            let plan =
                load_workflow("w.yaml", &format!("version: 1\n{text}")).unwrap_or_else(|error| panic!("{error}"));
            (format!("{}.yaml", plan.name), plan)
        })
        .collect();
    let plans: Vec<(&str, &Plan)> = plans.iter().map(|(file, plan)| (file.as_str(), plan)).collect();
    check_project(&plans).values().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn workflows_that_fit_together_are_no_problem() {
    let child = "name: child\nparams: { n: { type: integer, minimum: 1 }, t: { type: string, default: x } }\nconcurrency: { group: g, \
                 limit: 2 }\nsteps:\n  a: { plugin: echo, mutex: m }\n";
    let parent = "name: parent\nconcurrency: { group: g, limit: 2 }\nsteps:\n  a: { workflow: child, params: { n: 3 } }\n  b: { \
                  workflow: child, params: { n: \"${run.started_ms}\" }, mutex: k }\n  c: { workflow: child, params: \"${{'n': \
                  1}}\" }\n";
    assert_eq!(problems(&[child, parent]), "");
}

#[test]
fn what_does_not_fit_is_told_where_it_is_written() {
    let child = "name: clean-up\nparams: { n: { type: integer, minimum: 1 }, t: { type: string } }\nsteps:\n  a: { plugin: echo }\n";
    let parent =
        "name: b\nsteps:\n  a: { workflow: clean-upp }\n  c: { workflow: clean-up, params: { n: 0, tt: 1 } }\n";
    assert_eq!(
        problems(&[child, parent]),
        r#"b.yaml:4:18: error[TS-0112]: the project has no usable workflow `clean-upp`
4 |   a: { workflow: clean-upp }
  |                  ^^^^^^^^^
  = help: did you mean `clean-up`?
b.yaml:5:28: error[TS-0112]: workflow `clean-up` requires the parameter `t`
5 |   c: { workflow: clean-up, params: { n: 0, tt: 1 } }
  |                            ^^^^^^
  = help: add it under `params`: a string
b.yaml:5:41: error[TS-0112]: the parameter `n` of `clean-up` does not fit: 0 is below the minimum 1
5 |   c: { workflow: clean-up, params: { n: 0, tt: 1 } }
  |                                         ^
b.yaml:5:44: error[TS-0112]: workflow `clean-up` has no parameter `tt`
5 |   c: { workflow: clean-up, params: { n: 0, tt: 1 } }
  |                                            ^^
  = help: did you mean `t`?"#
    );
}

#[test]
fn workflows_that_start_each_other_are_printed_as_a_circle() {
    let start = |name: &str, other: &str| format!("name: {name}\nsteps:\n  s: {{ workflow: {other} }}\n");
    let (a, b, c) = (start("a", "b"), start("b", "c"), start("c", "a"));
    let own = start("d", "d");
    assert_eq!(
        problems(&[&a, &b, &c, &own]),
        r#"a.yaml:4:18: error[TS-0112]: these workflows start each other: a -> b -> c -> a
4 |   s: { workflow: b }
  |                  ^
b.yaml:4:18: error[TS-0112]: these workflows start each other: b -> c -> a -> b
4 |   s: { workflow: c }
  |                  ^
c.yaml:4:18: error[TS-0112]: these workflows start each other: c -> a -> b -> c
4 |   s: { workflow: a }
  |                  ^
d.yaml:4:18: error[TS-0112]: these workflows start each other: d -> d
4 |   s: { workflow: d }
  |                  ^"#
    );
}

#[test]
fn runs_more_than_eight_deep_are_refused() {
    let names: Vec<String> = (0..11).map(|n| format!("w{n}")).collect();
    let chain = |names: &[String]| -> Vec<String> {
        let last = format!("name: {}\nsteps:\n  s: {{ plugin: echo }}\n", names[names.len() - 1]);
        let starts =
            names.windows(2).map(|pair| format!("name: {}\nsteps:\n  s: {{ workflow: {} }}\n", pair[0], pair[1]));
        starts.chain([last]).collect()
    };
    let texts = |count: usize| chain(&names[..count]);
    let nine = texts(9);
    assert_eq!(problems(&nine.iter().map(String::as_str).collect::<Vec<_>>()), "");
    let ten = texts(10);
    assert_eq!(
        problems(&ten.iter().map(String::as_str).collect::<Vec<_>>()),
        r#"w0.yaml:4:18: error[TS-0112]: runs of `w0` would start runs more than 8 deep, through `w1`
4 |   s: { workflow: w1 }
  |                  ^^
  = help: start some of them from the same workflow"#
    );
}

#[test]
fn a_step_that_would_wait_for_what_it_holds_is_refused() {
    let child = "name: child\nconcurrency: { group: press }\nsteps:\n  a: { plugin: echo, mutex: m }\n";
    let middle = "name: middle\nsteps:\n  a: { workflow: child }\n";
    let group = "name: one\nconcurrency: { group: press, limit: 3 }\nsteps:\n  a: { workflow: middle }\n";
    let mutex = "name: two\nsteps:\n  a: { workflow: middle, mutex: m }\n";
    assert_eq!(
        problems(&[child, middle, group, mutex]),
        r#"one.yaml:5:18: error[TS-0112]: the run is in the concurrency group `press` while it waits for `child`, which needs a place in the same group
5 |   a: { workflow: middle }
  |                  ^^^^^^
  = help: give one of them another group, or the group a limit above 1
two.yaml:4:33: error[TS-0112]: the step holds the mutex `m` while it waits for `child`, which has a step that waits for it
4 |   a: { workflow: middle, mutex: m }
  |                                 ^"#
    );
}
