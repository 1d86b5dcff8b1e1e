//! The same wire without a library: a socket and what is written on it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::{Serving, support::optional};

/// One connection, kept.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn of(serving: &Serving) -> Self {
        Self(BufReader::new(TcpStream::connect(&serving.address).unwrap()))
    }

    /// Status, and headers in small letters, and body.
    pub fn send(&mut self, head: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let request = format!("{head}\r\nhost: box\r\ncontent-length: {}\r\n\r\n", body.len());
        self.0.get_mut().write_all(&[request.as_bytes(), body].concat()).unwrap();
        let (mut headers, mut line) = (String::new(), String::new());
        while self.0.read_line(&mut line).unwrap() > 2 {
            headers.push_str(&line.to_lowercase());
            line.clear();
        }
        let length = headers.split_once("content-length: ").unwrap().1.lines().next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (headers.split(' ').nth(1).unwrap().parse().unwrap(), headers, body)
    }

    pub fn get(&mut self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.send(&format!("GET {path} HTTP/1.1"), b"");
        (status, serde_json::from_slice(&body).unwrap())
    }

    pub fn infer(&mut self, model: &str, body: &Value) -> (u16, Value) {
        let (status, _, body) =
            self.send(&format!("POST /v2/models/{model}/infer HTTP/1.1"), body.to_string().as_bytes());
        (status, serde_json::from_slice(&body).unwrap())
    }
}

fn pair(a: &Value, b: &Value) -> Value {
    let one = |name: &str, data: &Value| json!({"name": name, "datatype": "FP32", "shape": [1, 2], "data": data});
    json!({"id": "7", "inputs": [one("a", a), one("b", b)]})
}

#[test]
fn a_model_answers_with_its_numbers_its_version_and_the_id() {
    let serving = Serving::start("");
    let mut client = Client::of(&serving);
    let (status, answer) = client.infer("two", &pair(&json!([1, 2.5]), &json!([[0.5, -1]])));
    let output = |name: &str, data: Value| json!({"name": name, "datatype": "FP32", "shape": [1, 2], "data": data});
    let outputs = [output("sum", json!([1.5, 1.5])), output("difference", json!([0.5, 3.5]))];
    assert_eq!(
        (status, answer),
        (200, json!({"model_name": "two", "model_version": "1", "id": "7", "outputs": outputs}))
    );
    for name in ["two@champion", "two@1", "two/versions/champion", "two/versions/1"] {
        assert_eq!(client.infer(name, &pair(&json!([1, 2]), &json!([3, 4]))).0, 200, "{name}");
    }
    let (status, statistics) = client.get("/v2/models/two/stats");
    assert_eq!((status, &statistics["model_stats"][0]["inference_count"]), (200, &json!(5)));
}

#[test]
fn statistics_say_where_the_time_of_a_request_went_on_both_engines() {
    let library = optional::onnxruntime("statistics on ONNX Runtime");
    let library = library.map(|path| format!("[engine]\nonnxruntime = {:?}\n", path.display().to_string()));
    for engine in ["[engine]\nprefer = \"rten\"\n".to_owned()].into_iter().chain(library) {
        let serving = Serving::start(&engine);
        let mut client = Client::of(&serving);
        for asked in 1..=2 {
            assert_eq!(client.infer("two", &pair(&json!([1, 2]), &json!([3, 4]))).0, 200);
            let told = client.get("/v2/models/two/stats").1["model_stats"][0]["inference_stats"].clone();
            let parts = ["queue", "compute_input", "compute_infer", "compute_output"].map(|key| {
                assert_eq!(told[key]["count"], json!(asked), "{told:#}");
                told[key]["ns"].as_u64().unwrap()
            });
            let whole = told["success"]["ns"].as_u64().unwrap();
            assert!(parts.iter().all(|ns| *ns > 0) && parts.iter().sum::<u64>() <= whole, "{told:#}");
        }
    }
}

#[test]
fn a_request_to_load_that_brings_a_configuration_or_a_file_is_refused_and_changes_nothing() {
    let serving = Serving::start("");
    let mut client = Client::of(&serving);
    let good = pair(&json!([1, 2]), &json!([3, 4]));
    let path = "POST /v2/repository/models/two/load HTTP/1.1";
    for parameters in [
        json!({"config": "{\"max_batch_size\": 4}"}),
        json!({"config": null}),
        json!({"file:1/model.onnx": "AAAA"}),
        json!({"config": "{}", "file:1/model.onnx": "AAAA"}),
        json!({"other": 1, "file:": ""}),
    ] {
        let (status, _, body) = client.send(path, json!({"parameters": parameters}).to_string().as_bytes());
        let told: Value = serde_json::from_slice(&body).unwrap();
        let text = told["error"].as_str().unwrap();
        assert_eq!(status, 501, "{text}");
        assert!(text.starts_with("[TS-0756]") && text.contains("trackside model add"), "{text}");
        assert_eq!(client.infer("two", &good).0, 200);
    }
    // What has no meaning here is passed over, as in other requests.
    assert_eq!(client.send(path, b"{\"parameters\": {\"unload_dependents\": false}}").0, 200);
    assert_eq!(client.send(path, b"").0, 200);
}

#[test]
fn what_is_wrong_is_told_with_what_is_right() {
    let serving = Serving::start("");
    let mut client = Client::of(&serving);
    let good = pair(&json!([1, 2]), &json!([3, 4]));
    let with = |index: usize, key: &str, value: Value| {
        let mut body = good.clone();
        body["inputs"][index][key] = value;
        body
    };
    for (model, body, status, parts) in [
        ("two", with(0, "datatype", json!("INT32")), 400, &["a", "float32", "int32"][..]),
        ("two", with(1, "shape", json!([2])), 400, &["b", "float32[?,?]", "float32[2]"]),
        ("two", with(1, "name", json!("c")), 400, &["b", "missing"]),
        ("two", with(1, "shape", json!([1, 3])), 400, &["b", "needs 3 elements, 2 came"]),
        ("towo", good.clone(), 404, &["towo", "two"]),
        ("two@champoin", good.clone(), 404, &["champoin", "champion"]),
        ("two@9", good.clone(), 404, &["two", "9", "1"]),
        ("broken", good.clone(), 503, &["broken"]),
    ] {
        let (found, answer) = client.infer(model, &body);
        let text = answer["error"].as_str().unwrap();
        assert_eq!(found, status, "{text}");
        assert!(text.starts_with("[TS-0"), "{text}");
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }
    // The connection is still good, and so is the server.
    assert_eq!(client.infer("two", &good).0, 200);
}

#[test]
fn a_wait_that_ends_at_its_deadline_is_told_as_that() {
    let serving = Serving::start("");
    let mut client = Client::of(&serving);
    let mut body = pair(&json!([1, 2]), &json!([3, 4]));
    assert_eq!(client.infer("two", &body).0, 200);
    body["parameters"] = json!({"timeout": 1});
    let (status, answer) = client.infer("two", &body);
    let text = answer["error"].as_str().unwrap();
    assert!(status == 504 && (text.starts_with("[TS-0579]") || text.starts_with("[TS-0512]")), "{status} {text}");
}

#[test]
fn nothing_listens_unless_it_is_asked_for() {
    let project = crate::support::Project::new();
    let node = crate::support::Node::start(project.root());
    assert!(!node.said().contains("inference"), "{}", node.said());
}
