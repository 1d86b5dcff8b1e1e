//! A new version beside the one in service: evidence decides, and what is decided survives.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use serde_json::{Value, json};

use crate::{
    Serving,
    onnx::{FLOAT, graph, model, node, value_of_rows},
    support::{Node, wait_until},
    wire::Client,
};

/// Two scores a row: as they come, by way of so many operators.
fn scores(operators: &[&str]) -> Vec<u8> {
    let mut nodes = Vec::new();
    for (place, operator) in operators.iter().enumerate() {
        let (from, to) = (if place == 0 { "x".to_owned() } else { format!("t{place}") }, format!("t{}", place + 1));
        let to = if place + 1 == operators.len() { "y".to_owned() } else { to };
        nodes.push(node("", operator, &[&from], &[&to]));
    }
    model(&graph(&nodes, &[], &[value_of_rows("x", FLOAT, 2)], &[value_of_rows("y", FLOAT, 2)]))
}

/// A box with a model `judge` of which version 1 is in service, and more versions.
fn judge(candidates: &[&[u8]]) -> Serving {
    let serving = Serving::start("");
    let first = scores(&["Identity"]);
    for (place, content) in [first.as_slice()].iter().chain(candidates).enumerate() {
        serving.project.write("judge.onnx", content);
        let mut add = vec!["model", "add", "judge", "judge.onnx"];
        if place == 0 {
            add.extend(["--alias", "champion"]);
        }
        serving.project.run(&add).ok();
    }
    serving.project.run(&["model", "alias", "judge", "champion", "1"]).ok();
    serving
}

/// A request of these two scores.
fn row(a: f64, b: f64) -> Value {
    json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [a, b]}]})
}

/// The version that answers.
fn version(client: &mut Client, a: f64, b: f64) -> String {
    let (status, answer) = client.infer("judge", &row(a, b));
    assert_eq!(status, 200, "{answer}");
    answer["model_version"].as_str().unwrap().to_owned()
}

fn start(serving: &Serving, arguments: &[&str]) -> Value {
    let all = [&["--json", "rollout", "start", "judge", "--candidate", "2", "--bake", "0ms"], arguments].concat();
    serving.project.run(&all).ok().json()
}

fn status(serving: &Serving) -> Value {
    serving.project.run(&["--json", "rollout", "status", "judge"]).ok().json()
}

/// Asks until the rollout stands so.
fn ask_until(serving: &Serving, client: &mut Client, wanted: &str, row: (f64, f64)) -> Value {
    wait_until("the rollout comes to its end", || {
        for _ in 0..100 {
            version(client, row.0, row.1);
        }
        let status = status(serving);
        assert!(status["ended_ms"].is_null() || status["status"] == wanted, "{status}");
        (status["status"] == wanted).then_some(status)
    })
}

#[test]
fn a_candidate_that_is_as_good_takes_over_between_two_requests() {
    let serving = judge(&[&scores(&["Abs", "Identity"])]);
    let mut client = Client::of(&serving);
    assert_eq!(version(&mut client, 0.2, 0.8), "1");
    let started = start(&serving, &["--share", "20,50", "--gate", "errors=+10%", "--evidence", "20"]);
    assert_eq!(
        (&started["rollout"], &started["status"], &started["stable"]),
        (&json!(1), &json!("running"), &json!("1"))
    );
    let ended = ask_until(&serving, &mut client, "promoted", (0.2, 0.8));
    assert_eq!(ended["evidence"]["gates"][0]["verdict"], "pass");
    assert_eq!(version(&mut client, 0.2, 0.8), "2");
    let history = serving.project.run(&["model", "history", "judge"]).ok();
    history.prints(&[
        "rollout 1 promoted",
        "champion moved from version 1 to version 2",
        "rollout 1 gives version 2 50 %",
    ]);
    let told = serving.project.run(&["rollout", "explain", "judge"]).ok();
    told.prints(&["version 2 has taken the place of version 1", "it began", "the candidate took over", "errors=+10%"]);
    // Over for good.
    serving.project.run(&["rollout", "abort", "judge"]).exits(2).says(&["TS-1005"]);
    serving.project.run(&["model", "rollback", "judge"]).ok();
    assert_eq!(version(&mut client, 0.2, 0.8), "1");
}

#[test]
fn a_candidate_that_gives_no_numbers_is_taken_back_and_cools_down() {
    // The root of what is below nothing.
    let serving = judge(&[&scores(&["Sqrt"])]);
    let mut client = Client::of(&serving);
    start(&serving, &["--mode", "ab", "--gate", "errors=+10%"]);
    let ended = ask_until(&serving, &mut client, "rolled-back", (-0.5, 0.5));
    assert!(ended["why"].as_str().unwrap().starts_with("the gate errors=+10% is broken: in service 0 of "), "{ended}");
    for _ in 0..50 {
        assert_eq!(version(&mut client, 0.2, 0.8), "1");
    }
    let again = ["rollout", "start", "judge", "--candidate", "2"];
    serving.project.run(&again).exits(2).says(&["TS-1004", "taken back by rollout 1", "--again"]);
    serving.project.run(&[&again[..], &["--again"]].concat()).ok();
    serving.project.run(&["rollout", "abort", "judge"]).ok().says(&["it was ended, version 1 answers"]);
    let list = serving.project.run(&["--json", "rollout", "status"]).ok().json();
    let states: Vec<_> = list.as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["aborted", "rolled-back"]);
}

#[test]
fn going_back_under_load_refuses_nobody() {
    let serving = judge(&[&scores(&["Sqrt"])]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut seen) = (Client::of(&serving), BTreeMap::<String, u32>::new());
                    while !done.load(Relaxed) {
                        *seen.entry(version(&mut client, -0.5, 0.5)).or_default() += 1;
                    }
                    seen
                })
            })
            .collect();
        start(&serving, &["--mode", "ab", "--gate", "errors=+10%"]);
        wait_until("it is taken back", || (status(&serving)["status"] == "rolled-back").then_some(()));
        // The stable session never left: from here on it answers all.
        let mut client = Client::of(&serving);
        for _ in 0..100 {
            assert_eq!(version(&mut client, -0.5, 0.5), "1");
        }
        done.store(true, Relaxed);
        let seen: Vec<_> = asking.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(seen.iter().any(|seen| seen.contains_key("2")), "{seen:?}");
    });
}

#[test]
fn who_says_a_name_is_answered_by_one_version() {
    let serving = judge(&[&scores(&["Abs"])]);
    start(&serving, &["--mode", "ab", "--gate", "errors=+1%", "--subject", "header:X-User", "--evidence", "100000"]);
    serving.node.wait_said("rollout under way");
    let mut client = Client::of(&serving);
    let mut of = |user: &str| {
        let head = format!("POST /v2/models/judge/infer HTTP/1.1\r\nx-user: {user}");
        let (status, _, body) = client.send(&head, row(0.2, 0.8).to_string().as_bytes());
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, 200, "{answer}");
        answer["model_version"].as_str().unwrap().to_owned()
    };
    let versions: Vec<String> = (0..40).map(|user| of(&format!("user-{user}"))).collect();
    for _ in 0..3 {
        for (user, version) in versions.iter().enumerate() {
            assert_eq!(&of(&format!("user-{user}")), version);
        }
    }
    assert_eq!(versions.iter().collect::<BTreeSet<_>>().len(), 2);
    // Who says no name is drawn each time; that there were some is told.
    let mut client = Client::of(&serving);
    let drawn: BTreeSet<_> = (0..60).map(|_| version(&mut client, 0.2, 0.8)).collect();
    assert_eq!(drawn.len(), 2);
    let subjects = &status(&serving)["evidence"]["subjects"];
    assert_eq!(
        (&subjects["unsaid"], subjects["stable"].as_u64().unwrap() + subjects["candidate"].as_u64().unwrap()),
        (&json!(60), 40)
    );
    // A number, and another alias, mean what they say.
    for _ in 0..20 {
        let (_, answer) = client.infer("judge/versions/1", &row(0.2, 0.8));
        assert_eq!(answer["model_version"], "1");
    }
}

#[test]
fn a_shadow_is_compared_and_never_seen() {
    // The other one of two scores is the greater.
    let serving = judge(&[&scores(&["Neg"])]);
    start(&serving, &["--mode", "shadow", "--gate", "agreement=80%"]);
    let mut client = Client::of(&serving);
    let ended = wait_until("the shadow is taken back", || {
        for _ in 0..50 {
            assert_eq!(version(&mut client, 0.2, 0.8), "1");
        }
        let status = status(&serving);
        (status["status"] == "rolled-back").then_some(status)
    });
    assert!(ended["why"].as_str().unwrap().contains("agreement=80% is broken: the same in 0 % of"), "{ended}");
    let state = serving.project.run(&["--json", "model", "status", "judge"]).ok().json();
    assert!(state[0]["versions"][1]["answered"].as_u64().unwrap() > 0, "{state}");
}

#[test]
fn evidence_survives_the_end_of_the_node_and_a_candidate_that_takes_it_down_is_stopped() {
    let mut serving = judge(&[&scores(&["Abs"])]);
    start(&serving, &["--mode", "ab", "--gate", "errors=+1%", "--evidence", "100000"]);
    let mut client = Client::of(&serving);
    wait_until("the candidate answers", || (version(&mut client, 0.2, 0.8) == "2").then_some(()));
    for _ in 0..200 {
        version(&mut client, 0.2, 0.8);
    }
    let requests = |serving: &Serving| {
        let seen = &status(serving)["evidence"]["requests"];
        seen["stable"].as_u64().unwrap() + seen["candidate"].as_u64().unwrap()
    };
    let before = requests(&serving);
    assert!(before >= 200);
    // An end that was ordered loses nothing.
    serving = again(serving, |node| {
        node.terminate();
    });
    goes_on(&serving, 2);
    assert_eq!(requests(&serving), before);
    // Two that were not: the candidate may be what takes the node down.
    serving = again(serving, Node::kill);
    goes_on(&serving, 3);
    assert_eq!(status(&serving)["status"], "running");
    serving = again(serving, Node::kill);
    goes_on(&serving, 4);
    let stopped = status(&serving);
    assert_eq!(stopped["status"], "stopped");
    assert!(stopped["why"].as_str().unwrap().contains("ended 2 times without being told to"), "{stopped}");
    let mut client = Client::of(&serving);
    for _ in 0..100 {
        assert_eq!(version(&mut client, 0.2, 0.8), "1");
    }
    serving.project.run(&["rollout", "resume", "judge"]).ok();
    wait_until("the candidate answers again", || (version(&mut client, 0.2, 0.8) == "2").then_some(()));
}

/// Waits until a node of the box has taken the rollout up so often.
fn goes_on(serving: &Serving, times: usize) {
    wait_until("the rollout goes on", || {
        (serving.node.said().matches("rollout under way").count() == times).then_some(())
    });
}

/// The same box after its node ended so.
fn again(serving: Serving, end: impl FnOnce(Node)) -> Serving {
    let Serving { node, project, .. } = serving;
    end(node);
    Serving::over(project)
}

#[test]
fn a_person_holds_promotes_and_is_asked() {
    let serving = judge(&[&scores(&["Abs"])]);
    start(&serving, &["--mode", "ab", "--share", "50", "--gate", "errors=+30%", "--evidence", "10", "--ask"]);
    let mut client = Client::of(&serving);
    serving.project.run(&["rollout", "hold", "judge"]).ok().says(&["it is held: version 2 keeps its share"]);
    for _ in 0..300 {
        version(&mut client, 0.2, 0.8);
    }
    assert_eq!(status(&serving)["status"], "held");
    serving.project.run(&["rollout", "resume", "judge"]).ok();
    let asked = wait_until("a person is asked", || Some(status(&serving)).filter(|status| status["status"] == "asks"));
    assert!(asked["why"].as_str().unwrap().contains("all gates are passed"), "{asked}");
    serving.project.run(&["rollout", "status", "judge"]).ok().prints(&["a person is asked", "pass"]);
    serving.project.run(&["rollout", "promote", "judge"]).ok().says(&["version 2 has taken the place of version 1"]);
    assert_eq!(version(&mut client, 0.2, 0.8), "2");
}

#[test]
fn what_can_not_be_rolled_out_is_refused_with_a_sentence() {
    let wide = model(&graph(
        &[node("", "Identity", &["x"], &["y"])],
        &[],
        &[value_of_rows("x", FLOAT, 3)],
        &[value_of_rows("y", FLOAT, 3)],
    ));
    let serving = judge(&[&scores(&["Abs"]), &wide]);
    let project = &serving.project;
    let start = |arguments: &[&str]| project.run(&[&["rollout", "start"], arguments].concat());
    for (arguments, exit, parts) in [
        (&["judge", "--candidate", "3"][..], 2, &["TS-1003", "its input `x` is float32[?, 3], not float32[?, 2]"][..]),
        (&["judge", "--candidate", "1"], 2, &["TS-1002", "in service already"]),
        (&["judge", "--candidate", "9"], 2, &["TS-0552", "the newest is 3"]),
        (&["judge", "--candidate", "next"], 2, &["TS-0552", "no alias `next`"]),
        (&["jugde", "--candidate", "2"], 2, &["TS-0551", "did you mean `judge`"]),
        (&["two", "--candidate", "2"], 2, &["TS-1002", "declares the model `two` with a path"]),
        (&["judge", "--candidate", "2", "--gate", "speed=x2"], 2, &["no such gate", "errors=+4%"]),
        (&["judge", "--candidate", "2", "--gate", "agreement=90%"], 2, &["TS-1001", "of a shadow"]),
        (&["judge", "--candidate", "2", "--share", "100"], 2, &["TS-1001", "`shares`", "at most 95"]),
        (&["judge", "--candidate", "2", "--mode", "slowly"], 2, &["shadow, canary, ab or blue-green"]),
        (&["judge", "--candidate", "2", "--subject", "cookie:x"], 2, &["header:, parameter: or trigger:"]),
    ] {
        start(arguments).exits(exit).says(parts);
    }
    assert_eq!(project.run(&["--json", "rollout", "status"]).ok().json(), json!([]));
    project.run(&["rollout", "status", "judge"]).exits(2).says(&["TS-1005"]);
    start(&["judge", "--candidate", "2"]).ok();
    start(&["judge", "--candidate", "2"]).exits(2).says(&["TS-1007", "rollout 1 of model/judge goes on"]);
    project.run(&["model", "remove", "judge@2"]).exits(2).says(&["TS-1008"]);
    // Whoever moves the alias by hand has decided.
    project.run(&["model", "alias", "judge", "champion", "2"]).ok();
    let ended = wait_until("it ends", || Some(status(&serving)).filter(|status| status["status"] == "aborted"));
    assert!(ended["ended_ms"].is_number());
}

#[test]
fn a_candidate_that_can_not_be_loaded_is_taken_back() {
    let serving = judge(&[&scores(&["Abs"])]);
    // Its files rot on the disk.
    let versions = serving.project.run(&["--json", "model", "list", "judge"]).ok().json();
    let digest = versions.to_string();
    let folder = serving.project.names(".trackside/models").into_iter().find(|name| {
        let folder = format!(".trackside/models/{name}");
        serving.project.names(&folder).iter().any(|file| file.ends_with(".onnx"))
            && std::fs::read(serving.project.path(&format!("{folder}/judge.onnx"))).unwrap() == scores(&["Abs"])
    });
    let folder = folder.unwrap_or_else(|| panic!("{digest}"));
    std::fs::write(serving.project.path(&format!(".trackside/models/{folder}/judge.onnx")), b"rotten").unwrap();
    serving.project.run(&["rollout", "start", "judge", "--candidate", "2"]).ok();
    let ended =
        wait_until("it is taken back", || Some(status(&serving)).filter(|status| !status["ended_ms"].is_null()));
    assert_eq!(ended["status"], "rolled-back");
    serving.project.run(&["rollout", "explain", "judge"]).ok().prints(&["version 2 can not be loaded"]);
    assert_eq!(version(&mut Client::of(&serving), 0.2, 0.8), "1");
}

#[test]
fn one_begins_without_a_node_and_from_a_file() {
    let Serving { node, project, .. } = judge(&[&scores(&["Abs"])]);
    node.terminate();
    project.write(
        "rollouts/judge.yaml",
        "rollout: judge\ncandidate: 2\nmode: blue-green\ngates: [errors=+90%]\nbake: 0ms\nevidence: 20\n",
    );
    project.write("rollouts/wrong.yaml", "rollout: judge\ncandidate: 2\ngate: [errors=+4%]\n");
    project.run(&["rollout", "start", "--file", "rollouts/wrong.yaml"]).exits(1).says(&["wrong.yaml:3:1", "gates"]);
    project.write("rollouts/wrong.yaml", "rollout: judge\ncandidate: 2\nevidence: 0\n");
    project
        .run(&["rollout", "start", "--file", "rollouts/wrong.yaml"])
        .exits(1)
        .says(&["wrong.yaml:3:11", "between 1 and"]);
    project.run(&["rollout", "start", "--file", "rollouts/judge.yaml"]).ok().says(&["it begins when one starts"]);
    project.run(&["rollout", "hold", "judge"]).ok();
    project.run(&["rollout", "status", "judge"]).ok().prints(&["it is held"]);
    project.run(&["rollout", "resume", "judge"]).ok();
    let serving = Serving::over(project);
    let mut client = Client::of(&serving);
    goes_on(&serving, 1);
    let ended = ask_until(&serving, &mut client, "promoted", (0.2, 0.8));
    assert_eq!((&ended["plan"]["mode"], &ended["evidence"]["steps"]), (&json!("blue-green"), &json!(2)));
}

#[test]
fn a_plan_says_how_long_it_takes_and_with_which_power() {
    let project = crate::support::Project::new();
    let plan = |arguments: &[&str]| project.run(&[&["rollout", "plan"], arguments].concat());
    let told = plan(&["--requests", "40/h", "--mode", "ab", "--gate", "errors=+4%"]).ok();
    told.prints(&["errors=+4%", "at least", "worse is here: 5.0 % of requests fail"]);
    let json = project
        .run(&["--json", "rollout", "plan", "--requests", "40/h", "--mode", "ab", "--gate", "errors=+4%"])
        .ok()
        .json();
    let gate = &json["gates"][0];
    assert!(gate["passes"].as_f64().unwrap() > 0.9 && gate["hours"][0].as_f64().unwrap() > 1.0, "{gate}");
    // One request an hour, within a day.
    plan(&["--requests", "1/h", "--ask-after", "1d", "--gate", "errors=+4%"])
        .ok()
        .prints(&["a person would be asked first"]);
    plan(&["--requests", "9/h", "--gate", "accuracy=-3%"]).ok().prints(&["no labels are expected"]);
    plan(&["--requests", "0/h"]).exits(2).says(&["TS-1009", "there is no traffic"]);
    plan(&["--requests", "often"]).exits(2).says(&["is not a rate"]);
}
