//! `wait` steps and `event` triggers: what is refused, with the words that help.

use trackside_spec::{Action, OnMissing, TriggerKind, Wait, load_workflow};

/// The problems of a workflow.
fn problems(rest: &str) -> String {
    match load_workflow("w.yaml", &format!("version: 1\nname: w\n{rest}")) {
        Ok(_) => "none".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_a_step_can_not_wait_for_is_refused_where_it_stands() {
    for (wait, code, words) in [
        ("{}", "TS-0102", "what does the step wait for?"),
        ("{ for: 10m, event: e }", "TS-0102", "one of `for: 10m`"),
        ("{ for: soon }", "TS-0103", "soon"),
        ("{ for: 10m, timeout: 1m }", "TS-0102", "`timeout` is for events"),
        ("{ until: true }", "TS-0103", "2026-12-24T18:00:00Z"),
        ("{ until: \"${steps.b.at}\" }", "TS-0104", "there is no step `b`"),
        ("{ event: a b }", "TS-0103", "letters, digits"),
        ("{ event: e, timeout: 0s }", "TS-0103", "would pass at once"),
        ("{ event: e, on_timeout: continue }", "TS-0102", "waits for ever"),
        ("{ event: e, where: event.datta == 1 }", "TS-0104", "did you mean `data`?"),
        ("{ event: e, where: \"${event.data}\" }", "TS-0105", "without ${ }"),
        ("{ event: e, where: event.data == }", "TS-0105", "w.yaml:"),
    ] {
        let found = problems(&format!("steps:\n  a: {{ wait: {wait} }}\n"));
        assert!(found.contains(code) && found.contains(words), "{wait}: {found}");
    }
    for (keys, words) in [
        ("foreach: [1], ", "`foreach` is not for steps with `wait`"),
        ("timeout: 1m, ", "write `timeout` inside of `wait`"),
        ("plugin: echo, ", "not both"),
        ("cache: true, ", "`cache` is for plugins"),
    ] {
        let found = problems(&format!("steps:\n  a: {{ {keys}wait: {{ for: 1m }} }}\n"));
        assert!(found.contains(words), "{keys}: {found}");
    }
}

#[test]
fn an_event_is_in_sight_only_where_one_is_looked_at() {
    let found = problems("steps:\n  a: { plugin: echo, with: { value: \"${event.data}\" } }\n");
    assert!(found.contains("TS-0104") && found.contains("nothing called `event`"), "{found}");
    let found = problems(
        "steps:\n  a: { wait: { for: 1s } }\n  b: { plugin: echo, needs: [a], with: { v: \"${steps.a.evnt}\" } }\n",
    );
    assert!(found.contains("TS-0104") && found.contains("did you mean `event`?"), "{found}");
    for (trigger, code, words) in [
        ("a b", "TS-0103", "letters, digits"),
        ("{ name: e, where: params.x == 1 }", "TS-0104", "event.data.NAME"),
        ("{ name: e, where: event.nme == 1 }", "TS-0104", "did you mean `name`?"),
        ("{ name: e, where: '((' }", "TS-0105", "w.yaml:"),
        ("{ where: event.data }", "TS-0102", "name"),
    ] {
        let found = problems(&format!("triggers: [{{ event: {trigger} }}]\nsteps:\n  a: {{ plugin: echo }}\n"));
        assert!(found.contains(code) && found.contains(words), "{trigger}: {found}");
    }
    let found = problems("params: { n: { type: integer } }\ntriggers: [{ event: e }]\nsteps:\n  a: { plugin: echo }\n");
    assert!(found.contains("TS-0110"), "{found}");
}

#[test]
fn both_forms_of_an_event_trigger_and_all_of_a_wait_are_read() {
    let text = "version: 1\nname: w\ntriggers:\n  - event: e\n  - event: { name: e, where: event.data.n > 1 }\nsteps:\n  \
                a: { wait: { event: e, where: true, timeout: 1h, on_timeout: continue } }\n";
    let plan = load_workflow("w.yaml", text).unwrap();
    let conditions: Vec<Option<&str>> = plan
        .triggers
        .iter()
        .map(|trigger| match &trigger.kind {
            TriggerKind::Event(event) if event.name == "e" => {
                event.condition.as_ref().map(|condition| condition.text())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(conditions, [None, Some("event.data.n > 1")]);
    assert_eq!(plan.triggers[1].id, "w/event-1");
    let Action::Wait(Wait::Event(awaited)) = &plan.steps[0].action else { panic!("a wait") };
    assert_eq!((awaited.name.as_str(), awaited.on_timeout), ("e", OnMissing::Continue));
    assert_eq!((awaited.condition.is_some(), awaited.timeout.unwrap().as_millis()), (true, 3_600_000));
}
