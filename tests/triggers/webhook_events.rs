//! What GitHub, Stripe and producers of CloudEvents send.

use std::process::Command;

use serde_json::Value;

use crate::{
    explained,
    support::{Node, Project, optional::not_run, project::step, web::Web},
    webhook::{JSON, address, project, send},
};

/// A node on a project with the secret `hook`.
fn signed(scheme: &str, secret: &str) -> (Project, Node) {
    let project = project(&format!("secret: hook, signature: {scheme}"));
    let config = project.read("trackside.toml");
    project.write("trackside.toml", format!("{config}[secrets.hook]\nenv = \"TRACKSIDE_TEST_HOOK\"\nnode = true\n"));
    let node = Node::launch(project.root(), &[("TRACKSIDE_TEST_HOOK", secret)]);
    node.ready();
    (project, node)
}

/// Both schemes as Python's standard library computes them, for times relative to now. None, said in a line, without Python.
#[track_caller]
fn python(program: &str, arguments: &[&str]) -> Option<String> {
    let head = "import sys, hmac, hashlib, time\na = sys.argv[1:]\n\
                sign = lambda key, text: hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()\n";
    let done = Command::new("python3").arg("-c").arg(format!("{head}{program}")).args(arguments).output();
    let Some(done) = done.ok().filter(|done| done.status.success()) else {
        not_run("python3", "signatures of another implementation", "no python3");
        return None;
    };
    Some(String::from_utf8(done.stdout).unwrap().trim().to_owned())
}

#[test]
fn github_is_believed_by_its_own_example_and_by_the_signature_of_another_implementation() {
    let secret = "It's a Secret to Everybody";
    let (project, node) = signed("github", secret);
    let at = address(&node);
    // From GitHub's documentation on validating deliveries.
    let example = "x-hub-signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\r\n";
    // Believed, and no JSON.
    assert_eq!(send(&at, "/hooks/push", example, "Hello, World!").0, 415);
    for (headers, body, code) in [
        (String::new(), "Hello, World!", "TS-0430"),
        ("x-hub-signature: sha1=7571\r\n".to_owned(), "Hello, World!", "TS-0430"),
        ("x-hub-signature-256: sha1=7571\r\n".to_owned(), "Hello, World!", "TS-0431"),
        (example.to_owned(), "Hello, World?", "TS-0432"),
        (example.to_owned(), "", "TS-0432"),
    ] {
        let (status, answer) = send(&at, "/hooks/push", &headers, body);
        assert!(status == 401 && answer.contains(code), "{headers} {answer}");
    }
    // Nothing of what is not believed is written: nobody knows who sent it.
    assert_eq!(explained(&project, "push/webhook-0").len(), 1);
    let body = r#"{"n": 3, "zen": "Keep it logically awesome. \u00e9"}"#;
    let Some(signature) = python("print(sign(a[0], a[1]))", &[secret, body]) else { return };
    let (status, answer) =
        send(&at, "/hooks/push", &format!("{JSON}X-Hub-Signature-256: sha256={signature}\r\n"), body);
    assert_eq!(status, 202, "{answer}");
    let view = project.wait_end(project.wait_runs(1)[0]["run"].as_str().unwrap());
    assert_eq!(view["outputs"]["look"]["value"], 3, "{view:#}");
    let headers = &view["trigger"]["headers"];
    assert!(headers["x-hub-signature-256"].is_null() && headers["content-type"] == "application/json", "{view:#}");
}

#[test]
fn stripe_is_believed_within_its_tolerance_with_any_of_its_signatures() {
    let secret = "whsec_test_secret";
    let (project, node) = signed("stripe", secret);
    let at = address(&node);
    let body = r#"{"n": 4}"#;
    // The header of Stripe's documentation: well formed, of another secret, and years old.
    let documented = "t=1492774577,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd,\
                      v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39";
    let give = |header: &str| send(&at, "/hooks/push", &format!("{JSON}Stripe-Signature: {header}\r\n"), body);
    let (status, answer) = give(documented);
    assert!(status == 401 && answer.contains("TS-0432"), "{answer}");
    let sign = "t = str(int(time.time()) + int(a[2]))\nprint('t=' + t + ',v1=' + sign(a[0], t + '.' + a[1]))";
    let at_time = |seconds: &str| python(sign, &[secret, body, seconds]);
    let (Some(now), Some(old), Some(early)) = (at_time("0"), at_time("-400"), at_time("400")) else { return };
    for late in [&old, &early] {
        let (status, answer) = give(late);
        assert!(status == 401 && answer.contains("TS-0433"), "{answer}");
    }
    assert_eq!(give("t=1492774577").0, 401);
    assert!(project.runs().is_empty());
    // While a secret is being rolled there are two, in any order.
    let wrong = "0".repeat(64);
    for header in [now.clone(), now.replace(",v1", &format!(",v1={wrong},v1"))] {
        let (status, answer) = give(&header);
        assert_eq!(status, 202, "{answer}");
    }
    assert_eq!(project.wait_runs(2).len(), 2);
    let (time, _) = now.split_once(',').unwrap();
    assert_eq!(give(&format!("{time},v1={wrong}")).0, 401);
}

fn events() -> (Project, Node) {
    let project = project("signature: none, cloudevents: true");
    let node = project.serve();
    (project, node)
}

const STRUCTURED: &str = "Content-Type: application/cloudevents+json; charset=utf-8\r\n";

/// The example of the specification's JSON format, with data that names a parameter.
fn structured(id: &str, data: &str) -> String {
    format!(
        r#"{{"specversion": "1.0", "type": "com.github.pull_request.opened",
            "source": "https://github.com/cloudevents/spec/pull", "subject": "123", "id": "{id}",
            "time": "2018-04-05T17:31:00Z", "comexampleextension1": "value", "comexampleothervalue": 5,
            "datacontenttype": "application/json", "data": {data}}}"#
    )
}

fn binary(id: &str) -> String {
    format!(
        "ce-specversion: 1.0\r\nce-type: com.example.someevent\r\nce-time: 2018-04-05T03:56:24Z\r\n\
         ce-id: {id}\r\nce-source: /mycontext/subcontext\r\nContent-Type: application/json; charset=utf-8\r\n"
    )
}

#[test]
fn an_event_that_is_sent_again_starts_no_second_run_in_either_mode_and_over_a_restart() {
    let (project, node) = events();
    let at = address(&node);
    let (status, answer) = send(&at, "/hooks/push", STRUCTURED, &structured("A234-1234-1234", r#"{"n": 5}"#));
    assert_eq!(status, 202, "{answer}");
    let (status, answer) = send(&at, "/hooks/push", &binary("1234-1234-1234"), r#"{"n": 6}"#);
    assert_eq!(status, 202, "{answer}");
    let again = |at: &str| {
        let (status, answer) = send(at, "/hooks/push", STRUCTURED, &structured("A234-1234-1234", r#"{"n": 5}"#));
        assert!(status == 200 && answer.contains("duplicate"), "{answer}");
        let (status, answer) = send(at, "/hooks/push", &binary("1234-1234-1234"), r#"{"n": 6}"#);
        assert!(status == 200 && answer.contains("duplicate"), "{answer}");
        // The same event is the same in the other mode.
        let crossed =
            binary("A234-1234-1234").replace("/mycontext/subcontext", "https://github.com/cloudevents/spec/pull");
        assert_eq!(send(at, "/hooks/push", &crossed, r#"{"n": 5}"#).0, 200);
    };
    again(&at);
    node.kill();
    std::fs::remove_file(project.path(".trackside-test/log")).unwrap();
    let node = project.serve();
    again(&address(&node));
    let runs = project.wait_runs(2);
    let views: Vec<Value> = runs.iter().map(|run| project.wait_end(run["run"].as_str().unwrap())).collect();
    assert_eq!((&views[0]["outputs"]["look"]["value"], &views[1]["outputs"]["look"]["value"]), (&5.into(), &6.into()));
    let event = &views[0]["trigger"]["event"];
    assert_eq!((&event["comexampleothervalue"], &event["subject"]), (&5.into(), &"123".into()), "{event:#}");
    let told = explained(&project, "push/webhook-0");
    assert_eq!(told.iter().filter(|one| one["decision"] == "started").count(), 2, "{told:#?}");
}

#[test]
fn batches_and_what_is_no_event_are_refused_and_recorded() {
    let (project, node) = events();
    let at = address(&node);
    let batch = "Content-Type: application/cloudevents-batch+json\r\n";
    for (headers, body, code) in [
        (batch.to_owned(), format!("[{}]", structured("1", "{}")), "TS-0441"),
        ("Content-Type: application/cloudevents+avro\r\n".to_owned(), "x".to_owned(), "TS-0441"),
        (JSON.to_owned(), "{\"n\": 1}".to_owned(), "TS-0440"),
        (STRUCTURED.to_owned(), format!("[{}]", structured("1", "{}")), "TS-0442"),
        (STRUCTURED.to_owned(), structured("", "{}"), "TS-0443"),
        (STRUCTURED.to_owned(), structured("1", "{}").replace("\"1.0\"", "\"0.3\""), "TS-0443"),
        (binary("1").replace("ce-source: /mycontext/subcontext\r\n", ""), "{}".to_owned(), "TS-0443"),
        (STRUCTURED.to_owned(), structured("1", r#"{"n": "many"}"#), "TS-0712"),
    ] {
        let (status, answer) = send(&at, "/hooks/push", &headers, &body);
        assert!(status == 400 && answer.contains(code), "{code} {headers} {body}\n{answer}");
    }
    assert!(project.runs().is_empty());
    let told = explained(&project, "push/webhook-0");
    assert_eq!(told.len(), 8, "{told:#?}");
    assert!(told.iter().all(|one| one["decision"] == "blocked" && one["about"] == "/hooks/push"), "{told:#?}");
    // What did not fit is kept with the decision.
    assert!(told[0]["detail"].as_str().unwrap().contains("many"), "{:#}", told[0]);
    project.run(&["explain", "push/webhook-0"]).ok().prints(&["blocked"]);
    // Refused, it has had no run: mended, it may come again.
    assert_eq!(send(&at, "/hooks/push", STRUCTURED, &structured("1", r#"{"n": 2}"#)).0, 202);
}

#[test]
fn a_sender_is_told_to_come_again_while_there_is_no_room_and_while_the_webhook_is_paused() {
    let web = Web::start();
    let origin = web.origin();
    let project = project("signature: none");
    let workflow = project.read("workflows/push.yaml");
    let ask = format!(
        "  ask:\n    plugin: http-request\n    with: {{ url: \"{origin}/x\" }}\n    \
         allow: {{ http: [{{ origin: \"{origin}\", private: true }}] }}\n"
    );
    project.write(
        "workflows/push.yaml",
        format!("{workflow}{ask}")
            .replace("triggers:", "concurrency: { group: one, limit: 1, on_conflict: skip }\ntriggers:"),
    );
    web.hold("/x");
    let node = project.serve();
    let at = address(&node);
    let (status, answer) = send(&at, "/hooks/push", JSON, "{}");
    assert_eq!(status, 202, "{answer}");
    web.wait_requests("/x", 1);
    let (status, answer) = send(&at, "/hooks/push", JSON, "{}");
    assert!(status == 429 && answer.to_lowercase().contains("\r\nretry-after: "), "{answer}");
    project.run(&["trigger", "pause", "push/webhook-0"]).ok();
    let (status, answer) = send(&at, "/hooks/push", JSON, "{}");
    assert!(
        status == 503 && answer.contains("TS-0739") && answer.to_lowercase().contains("\r\nretry-after: "),
        "{answer}"
    );
    project.run(&["trigger", "resume", "push/webhook-0"]).ok();
    web.release();
    let runs = project.wait_runs(1);
    let view = project.wait_end(runs[0]["run"].as_str().unwrap());
    assert_eq!(step(&view, "ask")["state"], "succeeded", "{view:#}");
    assert_eq!(send(&at, "/hooks/push", JSON, "{}").0, 202);
}
