//! What may not be loaded does not answer, and what answers goes on to.

use serde_json::{Value, json};

use crate::{
    Serving,
    support::{Project, wait_until},
    wire::Client,
};

const POLICY: &str = "[policy]\nsigned_models = true\nmodel_keys = [\"ops.pub\"]\n";

/// Status, and the text of the error or the version that answered.
fn ask(client: &mut Client, model: &str) -> (u16, String) {
    let input = |name: &str| json!({"name": name, "datatype": "FP32", "shape": [1, 2], "data": [1, 2]});
    let (status, answer) = client.infer(model, &json!({"inputs": [input("a"), input("b")]}));
    let text = if status == 200 { &answer["model_version"] } else { &answer["error"] };
    (status, text.as_str().unwrap().to_owned())
}

fn sign(project: &Project, file: &str, key: &str) {
    project.run(&["model", "sign", file, "--key", key]).ok();
}

/// How a version stands, and why.
fn stands(project: &Project, model: &str, version: u64) -> String {
    let models = project.run(&["--json", "model", "status", model]).ok().json();
    let versions: &Vec<Value> = models[0]["versions"].as_array().unwrap();
    versions.iter().find(|one| one["version"] == version).unwrap().to_string()
}

#[test]
fn a_file_that_is_not_signed_does_not_answer_and_a_changed_one_does_not_take_over() {
    let serving = Serving::start(POLICY);
    let project = &serving.project;
    for name in ["ops", "other"] {
        project.run(&["plugin", "keygen", name, "--algorithm", "p256"]).ok();
    }
    let mut client = Client::of(&serving);
    let (status, text) = ask(&mut client, "two");
    assert!(status == 503 && text.contains("TS-0595"), "{status} {text}");
    // Who asks over the network is not told where the box keeps its files.
    let (status, _, index) = client.send("POST /v2/repository/index HTTP/1.1", b"");
    let index = String::from_utf8(index).unwrap();
    assert!(status == 200 && index.contains("not signed"), "{status} {index}");
    for told in [&text, &index] {
        let root = project.root().display().to_string();
        assert!(told.contains("two.onnx.sig nor model.sig") && !told.contains(&root), "{told}");
    }
    let mut answers = |code: &str| {
        wait_until("the file is looked at again", || {
            let (status, text) = ask(&mut client, "two");
            (if code.is_empty() { status == 200 } else { text.contains(code) }).then_some(())
        });
    };
    sign(project, "two.onnx", "other.key");
    answers("TS-0592");
    sign(project, "two.onnx", "ops.key");
    answers("");
    // Another file in its place, which nobody has signed: the one that was loaded answers.
    let scores = std::fs::read(project.path("scores.onnx")).unwrap();
    let two = std::fs::read(project.path("two.onnx")).unwrap();
    project.write("two.onnx", scores);
    let mut client = Client::of(&serving);
    wait_until("the other file is refused", || {
        assert_eq!(ask(&mut client, "two").0, 200, "{}", serving.node.said());
        serving.node.said().contains("two.onnx is not what the model's signature names").then_some(())
    });
    assert_eq!(ask(&mut client, "two").0, 200);
    project.write("two.onnx", two);
}

#[test]
fn a_version_that_is_not_signed_leaves_the_one_before_in_service() {
    let serving = Serving::start(POLICY);
    let project = &serving.project;
    project.run(&["plugin", "keygen", "ops", "--algorithm", "p256"]).ok();
    sign(project, "two.onnx", "ops.key");
    let add = |words: &str| project.run(&["model", "add", "kept", "two.onnx", "--description", words]).ok();
    add("the first");
    let first = project.names(".trackside/models");
    add("the second");
    let second = project.names(".trackside/models").into_iter().find(|name| !first.contains(name)).unwrap();
    let signatures = project.path(&format!(".trackside/models/{second}/signatures.json"));
    std::fs::remove_file(&signatures).unwrap();
    let mut client = Client::of(&serving);
    assert_eq!(ask(&mut client, "kept"), (200, "1".to_owned()));
    project.run(&["model", "alias", "kept", "champion", "2"]).ok();
    serving.node.wait_said("the model kept@2 is not signed");
    let said = serving.node.said();
    let line = said.lines().find(|line| line.contains("goes on to answer")).unwrap();
    assert!(line.contains("TS-0595"), "{line}");
    assert_eq!(ask(&mut client, "kept"), (200, "1".to_owned()));
    let (status, text) = ask(&mut client, "kept/versions/2");
    assert!(status == 503 && text.contains("TS-0595"), "{status} {text}");
    assert!(stands(project, "kept", 2).contains("not signed"));
    // Signed once more it takes over, without a restart.
    project
        .run(&["model", "add", "kept", "two.onnx", "--description", "the second"])
        .ok()
        .says(&["kept@2 was there already"]);
    wait_until("the second version answers", || (ask(&mut client, "kept").1 == "2").then_some(()));
    // And so does what somebody has mended by hand, when it is loaded by hand.
    project.run(&["model", "rollback", "kept"]).ok();
    wait_until("the first version answers", || (ask(&mut client, "kept").1 == "1").then_some(()));
    add("the third");
    let known: Vec<String> = first.iter().cloned().chain([second]).collect();
    let third = project.names(".trackside/models").into_iter().find(|name| !known.contains(name)).unwrap();
    let signatures = project.path(&format!(".trackside/models/{third}/signatures.json"));
    let kept = std::fs::read(&signatures).unwrap();
    std::fs::remove_file(&signatures).unwrap();
    project.run(&["model", "alias", "kept", "champion", "3"]).ok();
    serving.node.wait_said("the model kept@3 is not signed");
    std::fs::write(&signatures, kept).unwrap();
    project.run(&["model", "load", "kept@3"]).ok();
    wait_until("the third version answers", || (ask(&mut client, "kept").1 == "3").then_some(()));
}
