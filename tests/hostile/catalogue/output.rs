//! Guests whose results and descriptions are traps.

use super::{
    attack::{Attack, Attacks},
    guest::{Guest, RET},
    sections::custom,
};

/// Returns this text.
fn returns(text: &str) -> Attack {
    let mut guest = Guest::new();
    let text = guest.text(text);
    Attack::guest(guest.run(format!("(return (call $done {text}))")))
}

#[test]
fn h46_describes_itself_with_a_trap() {
    let described = |input: &str, output: &str, result: &str| {
        let mut guest = Guest::new();
        let result = guest.text(result);
        Attack::guest(guest.schemas(input, output).run(format!("(return (call $done {result}))")))
    };
    // Each definition asks for the next one twice: 2^40 looks.
    let doubling = (0..40).fold("{\"$defs\":{".to_owned(), |text, level| {
        let next = level + 1;
        text + &format!(
            "\"d{level}\":{{\"allOf\":[{{\"$ref\":\"#/$defs/d{next}\"}},{{\"$ref\":\"#/$defs/d{next}\"}}]}},"
        )
    }) + "\"d40\":{\"type\":\"object\"}},\"$ref\":\"#/$defs/d0\"}";
    let slow = r#"{"properties":{"x":{"type":"string","pattern":"^(a|a)*(a+)+$"}}}"#;
    let behind = r#"{"properties":{"x":{"type":"string","pattern":"^(?=(a+)+$)a"}}}"#;
    let many = format!("{{\"x\":\"{}!\"}}", "a".repeat(50_000));
    let huge_pattern = r#"{"properties":{"x":{"pattern":"((a{100}){100}){100}"}}}"#;
    let deep = format!("{}{}{}", "{\"not\":".repeat(5_000), "{}", "}".repeat(5_000));
    let wide = format!("{{\"enum\":[\"{}\"]}}", "x".repeat(3 << 20));
    let itself = [
        r##"{"$ref":"#"}"##,
        r##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}"##,
        r##"{"allOf":[{"$ref":"#"}]}"##,
        r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##,
        r##"{"$dynamicAnchor":"a","not":{"$dynamicRef":"#a"}}"##,
    ];
    let refused = [
        "no schema",
        "[]",
        "7",
        "{\"type\":\"nothing\"}",
        r#"{"$ref":"https://169.254.169.254/schema"}"#,
        r#"{"$ref":"file:///etc/passwd"}"#,
        r##"{"$ref":"#/nowhere"}"##,
        huge_pattern,
        &deep,
        &wide,
        &doubling,
    ];
    let mut attacks = Attacks::of(46, 64);
    for schema in refused.iter().chain(&itself) {
        attacks = attacks.attack(described("{}", schema, "{}").refused("TS-0318", &["output-schema"]));
    }
    attacks = attacks
        .attack(described(&doubling, "{}", "{}").refused("TS-0318", &["input-schema"]))
        .attack(described("{}", behind, "{}").refused("TS-0318", &["output-schema"]))
        .attack(described("{}", slow, &many).ends("bad-output", &["schema"]));
    // Sections that nobody reads.
    let good = Guest::new().build();
    for section in [
        custom("describe", b"{\"name\":\"another\",\"wants\":[]}"),
        custom("name", &[0xff; 100]),
        custom("producers", &vec![0x80; 4 << 20]),
    ] {
        let plugin = [good.clone(), section].concat();
        attacks = attacks.attack(Attack::new(plugin).look(|seen| {
            let name = seen.view["steps"][0]["plugin"].as_str().unwrap_or("bad").to_owned();
            assert!(!name.contains("another"), "{name}");
        }));
    }
    attacks.run();
}

#[test]
fn h47_returns_rubbish() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let schema = r#"{"type":"object","required":["rows"],"properties":{"rows":{"type":"integer","minimum":0}}}"#;
    let against = |result: &str| {
        let mut guest = Guest::new();
        let result = guest.text(result);
        Attack::guest(guest.schemas("{}", schema).run(format!("(return (call $done {result}))")))
    };
    // A gigabyte that is all zeros, and one that lies outside of memory.
    let long = |pages: u32, length: u32| {
        let mut guest = Guest::new();
        guest.pages(pages).run(format!("(return (call $done (i32.const 65536) (i32.const {length})))"));
        Attack::guest(&guest).limits("memory: 1200MiB")
    };
    let outside = {
        let mut guest = Guest::new();
        guest.run(format!("(return (call $done (i32.const -16) (i32.const {RET})))"));
        Attack::guest(&guest)
    };
    let mut attacks = Attacks::of(47, 48)
        .attack(long(2_000, 100_000_000).ends("output-too-large", &["1048576", "artifacts"]))
        .attack(long(40, 2_000_000).ends("output-too-large", &["1048576"]))
        .attack(returns(&deep).ends("bad-output", &["deeper"]))
        .attack(outside.ends("trap", &["out of bounds"]));
    for rubbish in ["", "}{", "NaN", "{\"a\":NaN}", "{\"a\":1e999}", "{} {}", "\u{1b}[2J", "{'a':1}", "\"\\ud800\""] {
        attacks = attacks.attack(returns(rubbish).ends("bad-output", &["JSON"]));
    }
    for misfit in ["{}", "[]", "{\"rows\":-1}", "{\"rows\":\"3\"}"] {
        attacks = attacks.attack(against(misfit).ends("bad-output", &["output schema"]));
    }
    // Whoever comes later would see one of the two, and nobody says which.
    attacks.attack(returns("{\"a\":1,\"a\":2}").ends("bad-output", &["the name \"a\" stands twice"])).run();
}
