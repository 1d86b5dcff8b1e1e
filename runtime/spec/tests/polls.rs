//! Poll triggers: what good ones become, what is said about the others, and what a box refuses them.

use trackside_spec::{
    ByteSize, Duration, Existing, MqttPayload, Plan, PollChange, PollTrigger, PollValue, TriggerKind, check_triggers,
    load_node_config, load_workflow,
};

fn load(poll: &str) -> Result<Plan, String> {
    let text = format!("version: 1\nname: w\ntriggers:\n  - poll: {{ {poll} }}\nsteps:\n  a: {{ plugin: echo }}\n");
    load_workflow("w.yaml", &text).map_err(|error| error.to_string())
}

fn poll(text: &str) -> PollTrigger {
    match &load(text).unwrap_or_else(|error| panic!("{error}")).triggers[0].kind {
        TriggerKind::Poll(poll) => poll.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_url_is_enough_and_grants_itself_for_get_alone() {
    let plain = poll("url: \"https://A.example:443/x/y.json?key=1\"");
    assert_eq!((plain.every, plain.timeout), (Duration::from_millis(300_000), Duration::from_millis(30_000)));
    assert_eq!((&plain.changed, plain.existing, plain.payload), (&PollChange::Auto, Existing::Run, MqttPayload::Json));
    assert_eq!((plain.max_body, plain.headers.len()), (ByteSize::from_mib(1), 0));
    assert_eq!(plain.grants[0].to_string(), "{ origin: \"https://a.example/x/y.json\", methods: [GET] }");
    assert_eq!((plain.shown_url(), plain.key()), ("https://A.example:443/x/y.json", format!("auto of {}", plain.url)));
    let full = poll(
        "url: https://a.example/%41, headers: { X-Key: \"1\", Authorization: { secret: t, prefix: \"Bearer \" } }, changed: \
         \"trigger.payload.a + trigger.payload.b\", redirects: [\"https://cdn.example/x\"]",
    );
    // Two readers could understand the path differently: the grant is for the whole server.
    assert_eq!(full.grants[0].origin.to_string(), "https://a.example");
    assert_eq!(full.grants[1].origin.to_string(), "https://cdn.example/x");
    assert_eq!(full.headers[0].name, "x-key");
    assert_eq!(full.headers[1].value, PollValue::Secret { prefix: "Bearer ".into(), name: "t".into() });
    assert_eq!(full.changed, PollChange::Value("trigger.payload.a + trigger.payload.b".into()));
}

#[test]
fn what_makes_no_sense_is_told() {
    for (text, told) in [
        ("every: 5m", "url"),
        ("url: ftp://a.example/", "https:// or http://"),
        ("url: \"https://user:pw@a.example/\"", "`@` has no place"),
        ("url: \"https://a.example/#x\"", "never sent"),
        ("url: \"https://a.example/${params.x}\"", "it must be fixed"),
        ("url: http://0x7f.1/", "no address"),
        ("url: https://a.example, every: 999ms", "between 1s and 366d"),
        ("url: https://a.example, timeout: 11m", "at most 10m"),
        ("url: https://a.example, max_body: 65MiB", "between 1B and 64MiB"),
        ("url: https://a.example, headers: { \"a b\": x }", "no name of a header"),
        ("url: https://a.example, headers: { If-None-Match: x }", "the node's own"),
        ("url: https://a.example, headers: { X: \"a\\nb\" }", "plain ASCII"),
        ("url: https://a.example, headers: { X: \"${params.a}\" }", "expressions are not possible"),
        ("url: https://a.example, headers: { X: { secret: ../x } }", "a secret's name"),
        ("url: http://a.example, headers: { X: { secret: t } }", "in the open"),
        ("url: https://a.example, changed: sometimes", "no value before there is a run"),
        ("url: https://a.example, changed: trigger.version", "no value before there is a run"),
        ("url: https://a.example, changed: \"1 +\"", "this is no expression"),
        ("url: https://a.example, changed: \"1 + 1\"", "always the same"),
        ("url: https://a.example, changed: trigger.payload, payload: artifact", "needs `payload: json`"),
        ("url: https://a.example, redirects: [a.example]", "this is no origin"),
        ("url: https://a.example, method: POST", "method"),
    ] {
        let error = load(text).expect_err(text);
        assert!(error.contains(told), "{text}: {error}");
    }
}

#[test]
fn a_box_bounds_what_is_asked_and_where_secrets_go() {
    let refused = |poll: &str, config: &str| -> Vec<String> {
        let (plan, config) = (load(poll).unwrap(), load_node_config("t.toml", config).unwrap());
        check_triggers(&[&plan], &config).iter().map(|problem| format!("{} {problem}", problem.key)).collect()
    };
    let with_secret = "url: https://a.example:8443/x, headers: { X: { secret: t } }";
    assert_eq!(refused("url: https://a.example", ""), Vec::<String>::new());
    for (poll, config, key, told) in [
        ("url: https://a.example", "[policy]\nhttp = []\n", "url", "may not be called"),
        ("url: https://a.example/y", "[policy]\nhttp = [\"https://a.example/x\"]\n", "url", "may not be called"),
        ("url: http://10.0.0.1, private: true", "[policy]\nprivate = false\n", "url", "private network"),
        (
            "url: https://a.example, redirects: [\"https://b.example\"]",
            "[policy]\nhttp = [\"https://a.example\"]\n",
            "url",
            "https://b.example",
        ),
        (with_secret, "", "headers", "no secret `t`"),
        (with_secret, "[secrets.t]\nenv = \"T\"\nnode = true\n", "headers", "may not be sent"),
        (with_secret, "[secrets.t]\nenv = \"T\"\nhosts = [\"a.example\"]\n", "headers", "may not be sent"),
        (
            with_secret,
            "[secrets.t]\nenv = \"T\"\nhosts = [\"a.example:8443\"]\n[policy]\nsecrets = []\n",
            "url",
            "secret t",
        ),
    ] {
        let problems = refused(poll, config);
        assert!(problems.len() == 1 && problems[0].contains(told), "{poll}: {problems:?}");
        assert!(problems[0].starts_with(&format!("{key} [TS-0115] trigger w/poll-0:")), "{problems:?}");
    }
    let right =
        "[secrets.t]\nenv = \"T\"\nhosts = [\"A.example:8443\"]\n[policy]\nhttp = [\"https://a.example:8443\"]\n";
    assert_eq!(refused(with_secret, right), Vec::<String>::new());
}
