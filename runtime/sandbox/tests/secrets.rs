//! A guest uses a secret without seeing it, and cannot get it out where it was shown.

use std::sync::Arc;

use crate::support::{TestHost, call_with, failure, output, run_on};
use trackside_sandbox::{HttpResponse, OutboxEntry, SecretValue, StepCall, StepReport};
use trackside_spec::{HttpGrant, SecretGrant};

const VALUE: &str = "correct-horse-battery-staple";
/// `printf 'x:%s' VALUE | base64`
const IN_BASE64: &str = "eDpjb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcGxl";

fn host(reveal: bool) -> Arc<TestHost> {
    let secret = SecretValue { value: VALUE.as_bytes().to_vec(), hosts: vec!["hooks.example.org".to_owned()], reveal };
    Arc::new(TestHost {
        secrets: [("pw".to_owned(), secret)].into(),
        answer: Some(HttpResponse { status: 204, ..HttpResponse::default() }),
        ..TestHost::new()
    })
}

fn call(mode: &str, target: &str, reveal: bool) -> StepCall {
    let mut call = call_with(serde_json::json!({ "mode": mode, "target": target }));
    call.allow.http = ["https://hooks.example.org", "https://other.example.org"]
        .map(|origin| HttpGrant::parse(origin).unwrap())
        .into();
    call.allow.secrets = vec![SecretGrant { name: "pw".to_owned(), reveal }];
    call.allow.deliver = vec!["out".to_owned()];
    call
}

/// Everything of a report that is kept, as text.
fn kept(report: &StepReport) -> String {
    let StepReport { outcome, logs, metrics, spans, denials, progress, .. } = report;
    format!("{outcome:?} {logs:?} {metrics:?} {spans:?} {denials:?} {progress:?}")
}

#[test]
fn the_value_takes_the_place_of_the_placeholder_on_the_way_out() {
    let host = host(false);
    let report = run_on(call("secret-send", "https://hooks.example.org/x", false), host.clone());
    let placeholder = output(&report)["placeholder"].as_str().unwrap().to_owned();
    assert!(!placeholder.contains(VALUE) && placeholder.len() > 30);
    let requests = host.requests.lock().unwrap();
    let sent = requests[0].headers.iter().find(|(name, _)| name == "authorization").unwrap();
    assert_eq!(sent.1, format!("Bearer {VALUE}"));
    assert_eq!(report.secrets, ["pw to https://hooks.example.org"]);
    assert_eq!(report.reveals, Vec::<String>::new());
    assert!(!kept(&report).contains(VALUE));
}

#[test]
fn a_secret_goes_to_no_other_host_and_into_no_url_or_body() {
    for (mode, target, words) in [
        ("secret-send", "https://other.example.org/x", "names hooks.example.org"),
        ("secret-url", "https://hooks.example.org/x", "URL"),
        ("secret-body", "https://hooks.example.org/x", "body"),
    ] {
        let host = host(false);
        let report = run_on(call(mode, target, false), host.clone());
        failure(&report);
        assert!(report.denials[0].contains(words), "{mode}: {:?}", report.denials);
        assert!(host.requests.lock().unwrap().is_empty() && report.secrets.is_empty(), "{mode}");
        assert!(!kept(&report).contains(VALUE), "{mode}");
    }
}

#[test]
fn a_value_is_shown_only_when_workflow_and_box_both_say_so() {
    for (workflow, node) in [(false, false), (true, false), (false, true)] {
        let report = run_on(call("secret-reveal", "", workflow), host(node));
        failure(&report);
        let wanted = if workflow { "reveal = true" } else { "secrets: [{ name: \"pw\", reveal: true }]" };
        assert!(report.denials[0].contains(wanted), "{:?}", report.denials);
        assert!(report.reveals.is_empty());
    }
    let report = run_on(call("secret-reveal", "", true), host(true));
    assert_eq!(output(&report)["length"], VALUE.len());
    assert_eq!(report.reveals, ["pw"]);
}

#[test]
fn a_value_that_was_shown_is_in_nothing_that_is_kept_but_artifacts() {
    for mode in ["secret-everywhere", "secret-error", "secret-panic", "secret-skip"] {
        let host = host(true);
        let report = run_on(call(mode, "", true), host.clone());
        let text = kept(&report);
        assert!(text.contains("[secret pw]"), "{mode}: {text}");
        for piece in [VALUE, &VALUE[..14], &VALUE[14..], IN_BASE64] {
            assert!(!text.contains(piece), "{mode}: {piece} is in {text}");
        }
        assert_eq!(report.reveals, ["pw"], "{mode}");
        if mode == "secret-everywhere" {
            // The one place that is the plugin's own business: what it writes into an artifact is written.
            let [OutboxEntry::Deliver { artifact, .. }] = report.outbox.as_slice() else {
                panic!("{:?}", report.outbox)
            };
            assert_eq!(std::fs::read_to_string(host.path(&artifact.digest)).unwrap(), VALUE);
        }
    }
}

#[test]
fn a_secret_that_the_box_does_not_have_is_told_as_such() {
    let mut asked = call("secret-reveal", "", false);
    asked.input_json = serde_json::json!({ "mode": "secret-reveal", "secret": "other" }).to_string();
    let report = run_on(asked.clone(), host(false));
    assert!(report.denials[0].ends_with("allow: { secrets: [\"other\"] }"), "{:?}", report.denials);
    asked.allow.secrets.push(SecretGrant { name: "other".to_owned(), reveal: false });
    let report = run_on(asked, host(false));
    assert!(failure(&report).1.contains("no secret `other`"), "{:?}", report.outcome);
}
