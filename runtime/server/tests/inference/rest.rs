//! The REST form.

use std::sync::atomic::Ordering;

use hyper::Method;
use serde_json::{Value, json};

use super::client::Server;

#[tokio::test]
async fn health_is_json_and_its_status_says_the_same() {
    let server = Server::start();
    assert_eq!(server.get("/v2/health/live").await.json(), json!({"live": true}));
    let ready = server.get("/v2/health/ready").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &json!(true)));
    assert_eq!(server.get("/v2/models/echo/ready").await.json(), json!({"name": "echo", "ready": true}));
    server.models.is_down.store(true, Ordering::Relaxed);
    let ready = server.get("/v2/health/ready").await;
    ready.refused(503);
    assert_eq!(ready.json()["ready"], json!(false));
    let gone = server.get("/v2/models/gone/ready").await;
    gone.refused(503);
    assert_eq!((gone.json()["ready"].clone(), gone.header("retry-after")), (json!(false), ""));
    assert_eq!(server.get("/v2/health/live").await.status, 200);
}

#[tokio::test]
async fn server_and_models_tell_what_they_are() {
    let server = Server::start();
    for path in ["/v2", "/v2/"] {
        let told = server.get(path).await.json();
        assert_eq!(told["name"], json!("trackside"));
        for extension in ["binary_tensor_data", "model_repository", "statistics", "classification"] {
            assert!(told["extensions"].as_array().unwrap().contains(&json!(extension)), "{extension}");
        }
    }
    assert_eq!(server.get("/v2/models").await.json(), json!({"models": ["echo", "one"]}));
    let metadata = json!({
        "name": "one", "versions": ["3"], "platform": "onnx_onnxv1",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
    });
    for path in ["/v2/models/one", "/v2/models/one/versions/3", "/v2/models/one/versions/champion"] {
        assert_eq!(server.get(path).await.json(), metadata);
    }
    let config = server.get("/v2/models/one/config").await.json();
    assert_eq!(config["max_batch_size"], json!(8));
    assert_eq!(config["input"][0]["dims"], json!([2]));
    assert_eq!(config["input"][0]["data_type"], json!("TYPE_FP32"));
    assert_eq!(config["dynamic_batching"]["max_queue_delay_microseconds"], json!(2000));
    let statistics = server.get("/v2/models/one/stats").await.json();
    let of = &statistics["model_stats"][0];
    assert_eq!((&of["name"], &of["inference_count"], &of["execution_count"]), (&json!("one"), &json!(5), &json!(2)));
    for (key, ns) in
        [("success", 50), ("queue", 5), ("compute_input", 7), ("compute_infer", 21), ("compute_output", 11)]
    {
        assert_eq!(of["inference_stats"][key], json!({"count": 2, "ns": ns}), "{key}");
    }
    let batch = &of["batch_stats"][0];
    assert_eq!((&batch["batch_size"], &batch["compute_output"]), (&json!(4), &json!({"count": 1, "ns": 10})));
    assert_eq!(server.get("/v2/models/stats").await.json()["model_stats"][0]["name"], json!("echo"));
}

#[tokio::test]
async fn json_goes_in_and_out() {
    let server = Server::start();
    let body = json!({
        "model_name": "echo", "id": "a1", "unknown": [{"deep": 1}],
        "inputs": [
            {"name": "f", "shape": [1, 2], "datatype": "FP32", "data": [[0.5, "NaN"]]},
            {"data": [9_007_199_254_740_993_i64], "name": "i", "datatype": "INT64", "shape": [1]},
            {"name": "t", "shape": [2], "datatype": "BYTES", "data": ["", "é\0"]},
            {"name": "b", "shape": [2], "datatype": "BOOL", "data": [true, 0]},
        ],
    });
    // No content type, as the protocol's own client.
    let answer = server.post("/v2/models/echo/infer", body.to_string()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(
        answer.json(),
        json!({"model_name": "echo", "model_version": "3", "id": "a1", "outputs": [
            {"name": "f", "datatype": "FP32", "shape": [1, 2], "data": [0.5, "NaN"]},
            {"name": "i", "datatype": "INT64", "shape": [1], "data": [9_007_199_254_740_993_i64]},
            {"name": "t", "datatype": "BYTES", "shape": [2], "data": ["", "é\0"]},
            {"name": "b", "datatype": "BOOL", "shape": [2], "data": [true, false]},
        ]})
    );
}

#[tokio::test]
async fn bytes_go_in_and_out_behind_the_json_in_order() {
    let server = Server::start();
    let json = json!({
        "inputs": [
            {"name": "h", "shape": [2], "datatype": "FP16", "parameters": {"binary_data_size": 4}},
            {"name": "j", "shape": [1], "datatype": "INT32", "data": [7]},
            {"name": "t", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}},
        ],
        "outputs": [{"name": "t"}, {"name": "j", "parameters": {"binary_data": false}}, {"name": "h"}],
        "parameters": {"binary_data_output": true, "priority": 1, "timeout": 5000, "mine": "x"},
    })
    .to_string();
    let body = [json.as_bytes(), &[1, 2, 3, 4], &[2, 0, 0, 0, b'o', b'k']].concat();
    let length = json.len().to_string();
    let headers = [("inference-header-content-length", length.as_str())];
    let answer = server.send(Method::POST, "/v2/models/echo/versions/3/infer", &headers, &body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/octet-stream"));
    let (json, behind) = answer.body.split_at(answer.header("inference-header-content-length").parse().unwrap());
    assert_eq!(behind, [2, 0, 0, 0, b'o', b'k', 1, 2, 3, 4]);
    let json: Value = serde_json::from_slice(json).unwrap();
    assert_eq!(json["outputs"][0]["parameters"], json!({"binary_data_size": 6}));
    assert_eq!(json["outputs"][1]["data"], json!([7]));
    let last = server.models.last.lock().unwrap().take().unwrap();
    assert_eq!((last.priority, last.timeout.unwrap().as_micros(), last.parameters.len()), (1, 5000, 1));

    // Whatever does not add up is refused with what is wrong.
    for (length, body, part) in [
        (length.clone(), &body[..body.len() - 1], "\"t\": binary_data_size says 6 bytes; 5 are left"),
        (length.clone(), &[&body[..], b"x"].concat(), "1 bytes are left behind the inputs"),
        ("9999".to_owned(), &body[..], "says 9999 bytes of JSON; the body has"),
        ("-1".to_owned(), &body[..], "\"-1\""),
        ("99999999999999999999999".to_owned(), &body[..], "99999999999999999999999"),
    ] {
        let headers = [("inference-header-content-length", length.as_str())];
        let text = server.send(Method::POST, "/v2/models/echo/infer", &headers, body).await.refused(400);
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn a_body_without_json_is_the_models_only_input() {
    let server = Server::start();
    let headers = [("inference-header-content-length", "0")];
    let body = [1.0f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes).concat();
    let answer = server.send(Method::POST, "/v2/models/one/infer", &headers, &body).await;
    let (json, behind) = answer.body.split_at(answer.header("inference-header-content-length").parse().unwrap());
    assert_eq!(serde_json::from_slice::<Value>(json).unwrap()["outputs"][0]["shape"], json!([2, 2]));
    assert_eq!(behind, body);
    let text = server.send(Method::POST, "/v2/models/echo/infer", &headers, &body).await.refused(400);
    assert!(text.contains("echo has 2"), "{text}");
}

#[tokio::test]
async fn the_highest_values_come_as_classes() {
    let server = Server::start();
    let body = json!({
        "inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP32", "data": [0.1, 0.7, 0.2, 3, 1, 2]}],
        "outputs": [{"name": "x", "parameters": {"classification": 2}}],
    });
    let answer = server.post("/v2/models/one/infer", body.to_string()).await.json();
    assert_eq!(answer["outputs"][0]["shape"], json!([2, 2]));
    assert_eq!(answer["outputs"][0]["datatype"], json!("BYTES"));
    assert_eq!(answer["outputs"][0]["data"], json!(["0.7:1:dog", "0.2:2", "3:0:cat", "2:2"]));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_in_one_text() {
    let server = Server::start();
    let input = |more: &str| format!("{{\"inputs\": [{{\"name\": \"x\"{more}}}]}}");
    let flat =
        |shape: &str, data: &str| input(&format!(", \"datatype\": \"FP32\", \"shape\": {shape}, \"data\": {data}"));
    for (body, part) in [
        ("".to_owned(), "no JSON at byte 0"),
        ("not json".to_owned(), "no JSON"),
        ("[]".to_owned(), "the request is an array"),
        ("{}".to_owned(), "has no `inputs`"),
        ("{\"inputs\": {}}".to_owned(), "`inputs` is an object"),
        ("{\"inputs\": [1]}".to_owned(), "inputs[0] is a number"),
        ("{\"inputs\": [{}]}".to_owned(), "inputs[0] has no `name`"),
        ("{\"id\": 7, \"inputs\": []}".to_owned(), "`id` is a number"),
        (input(""), "input \"x\" has no `shape`"),
        (input(", \"shape\": [1]"), "input \"x\" has no `datatype`"),
        (input(", \"shape\": [1], \"datatype\": \"FP32\""), "neither `data` nor"),
        (input(", \"shape\": [1], \"datatype\": \"FP31\", \"data\": [1]"), "\"FP31\" is none of BOOL"),
        (input(", \"shape\": [1], \"datatype\": \"FP16\", \"data\": [1]"), "FP16 has no form in JSON"),
        (input(", \"shape\": [1], \"datatype\": \"FP32\", \"parameters\": {\"binary_data_size\": -4}"), "0 or more"),
        (flat("[2]", "[1]"), "FP32[2] needs 2 elements, 1 came"),
        (flat("[-1]", "[1]"), "the size -1"),
        (flat("[1.5]", "[1]"), "1.5"),
        (flat("[4611686018427387904, 4]", "[1]"), "4611686018427387904"),
        (flat("[4294967295, 4294967295, 4294967295]", "[1]"), "more elements than fit"),
        (flat("[4000000000]", "[1]"), "needs 4000000000 elements, 1 came"),
        (flat("[1]", "[1e39]"), "1e39 is no FP32"),
        (flat("[1]", "[1"), "no JSON"),
        (flat("[1]", "[1]") + "x", "something follows"),
        (
            format!("{{\"inputs\": [{0}, {0}]}}", "{\"name\":\"x\",\"shape\":[0],\"datatype\":\"FP32\",\"data\":[]}"),
            "twice",
        ),
        (format!("{{\"x\": {}", "[".repeat(200_000)), "too deep"),
        ("{\"id\": \"1\", \"id\": \"2\", \"inputs\": []}".to_owned(), "the key \"id\" is there twice in the request"),
        ("{\"inputs\": [], \"inputs\": []}".to_owned(), "the key \"inputs\" is there twice in the request"),
        ("{\"own\": 1, \"own\": 1, \"inputs\": []}".to_owned(), "the key \"own\" is there twice in the request"),
        ("{\"inputs\": [], \"parameters\": {\"a\": 1, \"a\": 2}}".to_owned(), "\"a\" is there twice in `parameters`"),
        (input(", \"shape\": [1], \"shape\": [2]"), "the key \"shape\" is there twice in inputs[0]"),
        (input(", \"n\\u0061me\": \"y\""), "the key \"name\" is there twice in inputs[0]"),
        (flat("[1]", "[1], \"data\": [2]"), "the key \"data\" is there twice in inputs[0]"),
        (
            input(
                ", \"shape\": [1], \"datatype\": \"FP32\", \"parameters\": {\"binary_data_size\": 4, \"binary_data_size\": 4}",
            ),
            "the key \"binary_data_size\" is there twice in inputs[0].parameters",
        ),
        (
            "{\"inputs\": [], \"outputs\": [{\"name\": \"x\", \"name\": \"y\"}]}".to_owned(),
            "the key \"name\" is there twice in outputs[0]",
        ),
        (
            format!("{{{}\"inputs\": []}}", (0..65).map(|key| format!("\"{key}\": 0, ")).collect::<String>()),
            "more than 64 keys that have no meaning here",
        ),
    ] {
        let text = server.post("/v2/models/one/infer", &body).await.refused(400);
        assert!(text.starts_with("[TS-0750]") && text.contains(part), "{}: {text}", &body[..body.len().min(200)]);
    }
    let shared = input(", \"shape\": [1], \"datatype\": \"FP32\", \"parameters\": {\"shared_memory_region\": \"r\"}");
    server.post("/v2/models/one/infer", shared).await.refused(501);
    let output = "{\"inputs\": [], \"outputs\": [{\"name\": \"nope\"}]}";
    server.post("/v2/models/one/infer", output).await.refused(400);
}

#[tokio::test]
async fn every_refusal_is_one_text_under_one_key() {
    let server = Server::start();
    server.post("/v2/models/nope/infer", "{\"inputs\": []}").await.refused(404);
    server.post("/v2/models/one/versions/9/infer", "{\"inputs\": []}").await.refused(404);
    server.get("/v2/models/nope").await.refused(404);
    server.get("/v1/models").await.refused(404);
    let unavailable = server.post("/v2/models/gone/infer", "{\"inputs\": []}").await;
    unavailable.refused(503);
    assert_eq!(unavailable.header("retry-after"), "1");
    let wrong = server.get("/v2/models/one/infer").await;
    wrong.refused(405);
    assert_eq!(wrong.header("allow"), "POST");
    server.get("/v2/systemsharedmemory/status").await.refused(501);
    server.post("/v2/models/one/generate", "{}").await.refused(501);
    let headers = [("content-encoding", "br")];
    server.send(Method::POST, "/v2/models/one/infer", &headers, b"x").await.refused(415);
}

#[tokio::test]
async fn a_repository_lists_loads_and_unloads() {
    let server = Server::start();
    let all = server.post("/v2/repository/index", "").await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(all[1], json!({"name": "gone", "version": "3", "state": "UNAVAILABLE", "reason": "it is broken"}));
    assert_eq!(server.post("/v2/repository/index", "{\"ready\": true}").await.json().as_array().unwrap().len(), 1);
    assert_eq!(server.post("/v2/repository/models/echo/load", "{}").await.status, 200);
    let unload = "{\"parameters\": {\"unload_dependents\": false}}";
    assert_eq!(server.post("/v2/repository/models/echo/versions/3/unload", unload).await.status, 200);
    assert_eq!(*server.models.told.lock().unwrap(), ["load echo None", "unload echo Some(\"3\")"]);
    server.post("/v2/repository/models/nope/load", "").await.refused(404);
    let told = server.models.told.lock().unwrap().len();
    for key in ["config", "file:1/model.onnx", "file:"] {
        let body = json!({"parameters": {"other": 1, key: "{}"}}).to_string();
        let text = server.post("/v2/repository/models/echo/load", &body).await.refused(501);
        assert!(text.starts_with("[TS-0756]") && text.contains("trackside model add"), "{text}");
    }
    assert_eq!(server.models.told.lock().unwrap().len(), told, "nobody was asked to load");
    server.post("/v2/repository/index", "[").await.refused(400);
}
