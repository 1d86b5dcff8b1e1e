//! Secrets of the box: used without being seen, sent nowhere else, found in no record.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;

use crate::support::{Project, project::step, web::Web};

const VALUE: &str = "correct-horse-battery-staple";
/// `printf 'x:%s' VALUE | base64`
const IN_BASE64: &str = "eDpjb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcGxl";

/// A project with the secret `pw` in a file, sent to `host` only.
fn project(host: &str, more: &str) -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    secret_file(&project, 0o600);
    let config = format!("[secrets.pw]\nfile = \"pw.txt\"\nhosts = [\"{host}\"]\n{more}");
    project.write("trackside.toml", config);
    project
}

fn secret_file(project: &Project, mode: u32) {
    project.write("pw.txt", format!("{VALUE}\n"));
    fs::set_permissions(project.path("pw.txt"), fs::Permissions::from_mode(mode)).unwrap();
}

fn host(web: &Web) -> String {
    web.origin().replace("http://", "")
}

/// A workflow `ask` whose only step runs this mode.
fn ask(project: &Project, mode: &str, target: &str, secret: &str) {
    let origin = target.rsplit_once('/').map_or(target, |(origin, _)| origin);
    project.workflow(
        "ask",
        &format!(
            "steps:\n  bad:\n    plugin: misbehave\n    with: {{ mode: {mode}, target: {target:?} }}\n    allow:\n      http: [{{ \
             origin: {origin:?}, private: true }}]\n      secrets: [{secret}]\n      deliver: [out]\n"
        ),
    );
}

/// Every file below a folder in which the value stands, in any dress, elsewhere than in these texts.
fn places(folder: &Path, own: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                todo.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let text = own.iter().filter(|own| !own.is_empty()).fold(text, |text, own| text.replace(own, ""));
                if text.contains(VALUE) || text.contains(IN_BASE64) {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    found
}

#[test]
fn a_secret_reaches_its_host_and_no_record_of_the_run() {
    let web = Web::start();
    let project = project(&host(&web), "");
    ask(&project, "secret-send", &format!("{}/x", web.origin()), "pw");
    project.run(&["run", "ask"]).ok();
    let requests = web.requests("/x");
    assert_eq!(requests[0].authorization.as_deref(), Some(format!("Bearer {VALUE}").as_str()));
    let view = project.show("last");
    let sent = &step(&view, "bad")["report"]["secrets_sent"];
    assert_eq!(sent, &serde_json::json!([format!("pw to {}", web.origin())]), "{view:#}");
    project.run(&["runs", "show", "last"]).ok().prints(&["Secrets", "sent pw to"]);
    assert_eq!(places(&project.path(".trackside"), &[]), Vec::<String>::new());
}

#[test]
fn a_secret_is_not_sent_to_another_host_and_not_in_a_url_or_a_body() {
    let (web, other) = (Web::start(), Web::start());
    let project = project(&host(&web), "");
    for (mode, target, words) in [
        ("secret-send", format!("{}/x", other.origin()), "[secrets.pw]"),
        ("secret-url", format!("{}/x", web.origin()), "URL"),
        ("secret-body", format!("{}/x", web.origin()), "body"),
    ] {
        ask(&project, mode, &target, "pw");
        project.run(&["run", "ask"]).exits(1).says(&["denied", words]);
    }
    assert!(web.requests("/x").is_empty() && other.requests("/x").is_empty());
}

#[test]
fn a_value_is_revealed_only_when_workflow_and_box_say_so_and_the_journal_tells() {
    let web = Web::start();
    let project = project(&host(&web), "");
    let target = format!("{}/x", web.origin());
    ask(&project, "secret-reveal", &target, "pw");
    project.run(&["run", "ask"]).exits(1).says(&["denied", "reveal: true"]);
    ask(&project, "secret-reveal", &target, "{ name: pw, reveal: true }");
    project.run(&["run", "ask"]).exits(1).says(&["denied", "reveal = true"]);
    let config = project.read("trackside.toml");
    project.write("trackside.toml", format!("{config}reveal = true\n"));
    project.run(&["run", "ask"]).ok();
    let view = project.show("last");
    assert_eq!(step(&view, "bad")["report"]["secrets_revealed"], serde_json::json!(["pw"]), "{view:#}");
    project.run(&["runs", "show", "last"]).ok().prints(&["was shown the value of pw"]);
}

#[test]
fn a_revealed_value_is_in_no_log_error_or_output() {
    let web = Web::start();
    let project = project(&host(&web), "reveal = true\n");
    for (mode, code) in [("secret-everywhere", 0), ("secret-error", 1), ("secret-panic", 1), ("secret-skip", 0)] {
        ask(&project, mode, &format!("{}/x", web.origin()), "{ name: pw, reveal: true }");
        let ran = project.run(&["run", "ask"]).exits(code);
        let shown = project.run(&["runs", "show", "last"]).ok();
        let json = project.run(&["runs", "show", "last", "--json"]).ok();
        let logs = project.run(&["runs", "logs", "last"]).ok();
        for text in [&ran.stdout, &ran.stderr, &shown.stdout, &json.stdout, &logs.stdout] {
            for piece in [VALUE, &VALUE[..14], &VALUE[14..], IN_BASE64] {
                assert!(!text.contains(piece), "{mode}: {piece} in {text}");
            }
        }
    }
    // What a plugin that was shown a value writes into an artifact is written: that is what `reveal` means.
    // Small ones stand in the database.
    let own: Vec<String> = project.artifacts().iter().map(|digest| project.artifact(digest)).collect();
    assert!(own.iter().any(|content| content.contains(VALUE)), "{own:?}");
    let places = places(&project.path(".trackside"), &own);
    assert!(places.iter().all(|place| place.contains("/artifacts/")), "{places:?}");
    assert_eq!(project.read("out/leak.txt"), VALUE);
}

#[test]
fn a_secret_that_others_can_read_is_not_used_and_the_remedy_is_printed() {
    let web = Web::start();
    let project = project(&host(&web), "");
    secret_file(&project, 0o644);
    ask(&project, "secret-send", &format!("{}/x", web.origin()), "pw");
    project.run(&["run", "ask"]).exits(1).says(&["TS-0663", "chmod 600", "pw.txt"]);
    secret_file(&project, 0o600);
    project.run(&["run", "ask"]).ok();
    // The value is read when it is used: a new one needs no restart.
    let node = project.serve();
    project.write("pw.txt", "another-value-altogether\n");
    let run = node.start_run("ask");
    let view: Value = project.wait_end(&run);
    assert_eq!(view["state"], "succeeded", "{view:#}");
    assert_eq!(web.requests("/x")[1].authorization.as_deref(), Some("Bearer another-value-altogether"));
}

#[test]
fn a_secret_in_a_header_of_the_bundled_http_request_is_filled_in() {
    let web = Web::start();
    let project = project(&host(&web), "");
    let origin = web.origin();
    project.workflow(
        "call",
        &format!(
            "steps:\n  call:\n    plugin: http-request\n    with: {{ url: \"{origin}/x\", headers: {{ authorization: \"Bearer \
             {{{{secret:pw}}}}\" }} }}\n    allow: {{ http: [{{ origin: \"{origin}\", private: true }}], secrets: [pw] }}\n"
        ),
    );
    project.run(&["run", "call"]).ok();
    assert_eq!(web.requests("/x")[0].authorization.as_deref(), Some(format!("Bearer {VALUE}").as_str()));
}
