//! The whole plugin on the in-memory host, and against the Python package where its vectors are at hand.

use serde_json::{Value, json};
use trackside_sdk::{
    IfPresent, StepError,
    testing::{Finished, TestHost, description_problems},
};

use crate::{
    Plugin,
    catalogue::{Catalogue, ModelConfig},
    identify::{Overwrite, identify},
};

const CONFIG: &str = include_str!("../../../examples/file-intake/models/magika/config.min.json");
const CONTENT_TYPES: &str = include_str!("../../../examples/file-intake/models/magika/content_types_kb.min.json");

fn host(name: &str) -> TestHost {
    TestHost::new()
        .artifact("file", name, "application/octet-stream", "content")
        .artifact("config", "config.min.json", "application/json", CONFIG)
        .artifact("content_types", "content_types_kb.min.json", "application/json", CONTENT_TYPES)
}

fn run(name: &str, input: Value) -> Result<Finished, StepError> {
    host(name).run::<Plugin>(input)
}

/// Scores with one certain label, as a model step gives them.
fn certain(label: &str) -> Value {
    let config: Value = serde_json::from_str(CONFIG).unwrap();
    let labels = config["target_labels_space"].as_array().unwrap();
    json!([labels.iter().map(|known| if known == label { 0.98 } else { 0.0001 }).collect::<Vec<_>>()])
}

#[test]
fn the_description_is_one_the_host_takes() {
    assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
}

#[test]
fn a_true_name_is_accepted_and_delivered_with_its_report() {
    let folders = json!({"accepted": "accepted", "quarantine": "quarantine"});
    let done = run("chart.png", json!({"scores": certain("png"), "deliver": folders})).unwrap();
    let output = done.output();
    assert_eq!(output["verdict"], "accepted");
    assert_eq!(output["reason"], "match");
    assert_eq!(
        (&output["label"], &output["group"], &output["mime_type"]),
        (&json!("png"), &json!("image"), &json!("image/png"))
    );
    assert_eq!(output["delivered"], "accepted/chart.png");
    let paths: Vec<_> = done.delivered.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["accepted/chart.png", "accepted/chart.png.verdict.json"]);
    assert!(done.delivered.iter().all(|file| file.present == IfPresent::Number));
    assert_eq!(&serde_json::from_str::<Value>(done.text("report")).unwrap(), output);
}

#[test]
fn a_false_name_goes_to_quarantine() {
    let folders = json!({"accepted": "in", "quarantine": "out"});
    let done = run("invoice.pdf", json!({"scores": certain("png"), "deliver": folders})).unwrap();
    assert_eq!(done.output()["reason"], "mismatch");
    assert_eq!(done.output()["delivered"], "out/invoice.pdf");
}

#[test]
fn nothing_is_delivered_without_folders() {
    let done = run("chart.png", json!({"scores": certain("png")})).unwrap();
    assert!(done.delivered.is_empty());
    assert_eq!(done.output()["delivered"], Value::Null);
}

#[test]
fn a_label_decided_without_the_model_is_judged_too() {
    let done = run("note.txt", json!({"decided": "txt"})).unwrap();
    assert_eq!(done.output()["verdict"], "accepted");
    assert_eq!(done.output()["model_label"], Value::Null);
    let done = run("nothing.csv", json!({"decided": "empty", "scores": null})).unwrap();
    assert_eq!(done.output()["reason"], "empty");
}

#[test]
fn scores_may_come_as_a_tensor_artifact() {
    let scores: Vec<f32> = serde_json::from_value(certain("gif")[0].clone()).unwrap();
    let header = format!(
        r#"{{"target_label":{{"dtype":"F32","shape":[1,{0}],"data_offsets":[0,{1}]}}}}"#,
        scores.len(),
        scores.len() * 4
    );
    let mut tensor = (header.len() as u64).to_le_bytes().to_vec();
    tensor.extend(header.bytes());
    tensor.extend(scores.iter().flat_map(|score| score.to_le_bytes()));
    let done = host("a.gif")
        .artifact("scores_tensor", "scores.safetensors", "application/vnd.safetensors", tensor)
        .run::<Plugin>(json!({}))
        .unwrap();
    assert_eq!(done.output()["label"], "gif");
}

#[test]
fn only_the_last_part_of_a_name_is_used() {
    let folders = json!({"accepted": "a", "quarantine": "q"});
    let done = run("x", json!({"name": "../../etc/chart.png", "scores": certain("png"), "deliver": folders})).unwrap();
    assert_eq!(done.output()["delivered"], "a/chart.png");
}

#[test]
fn input_that_says_too_much_or_too_little_is_refused() {
    for (input, code) in [
        (json!({}), "bad-input"),
        (json!({"decided": "txt", "scores": certain("png")}), "bad-input"),
        (json!({"decided": "no-such-type"}), "bad-input"),
        (json!({"decided": "txt", "policy": {"denny": []}}), "bad-input"),
        (json!({"scores": [0.5]}), "bad-scores"),
        (json!({"scores": [[0.5], [0.5]]}), "bad-scores"),
        (json!({"scores": []}), "bad-scores"),
    ] {
        assert_eq!(run("a.png", input.clone()).unwrap_err().code(), code, "{input}");
    }
}

#[test]
fn files_that_are_not_magika_s_are_refused() {
    let with = |config: &str, types: &str| {
        TestHost::new()
            .artifact("file", "a.png", "", "content")
            .artifact("config", "c", "", config)
            .artifact("content_types", "t", "", types)
            .run::<Plugin>(json!({"decided": "txt"}))
            .unwrap_err()
    };
    assert_eq!(with("{}", CONTENT_TYPES).code(), "bad-config");
    assert_eq!(with(CONFIG, "[]").code(), "bad-config");
    let error = with(&CONFIG.replace("\"3gp\"", "\"4gp\""), CONTENT_TYPES);
    assert!(error.message().contains("4gp"), "{error}");
}

/// `python compare.py vectors DIR FILE` writes the file: one JSON object a line with the model's scores for a real file
/// and what the package makes of them.
#[test]
fn labels_are_those_of_the_python_package() {
    let Some(vectors) = std::env::var_os("TRACKSIDE_MAGIKA_VECTORS") else {
        let required = std::env::var("TRACKSIDE_TEST_REQUIRE").unwrap_or_default();
        assert!(!required.contains("magika"), "TRACKSIDE_MAGIKA_VECTORS is not set");
        println!("not run: comparison with the Python package (TRACKSIDE_MAGIKA_VECTORS is not set)");
        return;
    };
    let catalogue = Catalogue::from_json(CONTENT_TYPES.as_bytes()).unwrap();
    let config = ModelConfig::from_json(CONFIG.as_bytes(), &catalogue).unwrap();
    let mut count = 0;
    for line in std::fs::read_to_string(vectors).unwrap().lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let Some(scores) = serde_json::from_value::<Option<Vec<f32>>>(vector["scores"].clone()).unwrap() else {
            continue;
        };
        let identity = identify(&scores, &config, &catalogue).unwrap();
        let path = &vector["path"];
        assert_eq!(vector["label"], identity.label, "{path}");
        assert_eq!(vector["model_label"], identity.model_label.unwrap(), "{path}");
        assert_eq!(vector["score"].as_f64().unwrap() as f32, identity.score, "{path}");
        let overwrite = match identity.overwrite {
            Overwrite::None => "none",
            Overwrite::LowConfidence => "low-confidence",
            Overwrite::OverwriteMap => "overwrite-map",
        };
        assert_eq!(vector["overwrite"], overwrite, "{path}");
        count += 1;
    }
    assert!(count >= 200, "only {count} files");
}
