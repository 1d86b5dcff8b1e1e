//! What an author can do with a step, on the in-memory host.

use std::io::{BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trackside_sdk::{
    Artifact, IfPresent, Outcome, Port, Step, StepError,
    http::Request,
    model::{ElementType, Model, Tensor},
    tensor::{self, TensorWriter},
    testing::{HttpResponse, TensorContent, TestHost, description_problems},
};

#[derive(Deserialize)]
struct Input {
    act: String,
}

#[derive(Serialize)]
struct Output {
    found: Value,
}

fn run(input: Input, step: &Step) -> Result<Outcome<Output>, StepError> {
    let found = match input.act.as_str() {
        "skip" => return Ok(Outcome::skipped("nothing new")),
        "lines" => json!(step.input("in")?.reader()?.lines().collect::<Result<Vec<_>, _>>()?),
        "all" => json!(step.inputs("in")?.iter().map(Artifact::name).collect::<Vec<_>>()),
        "copy" => {
            let source = step.input("in")?;
            let mut target = step.create("out", "copy", source.media_type())?;
            std::io::copy(&mut source.reader()?, &mut target)?;
            target.splice(&source, 1, Some(2))?;
            json!({"written": target.written(), "size": target.commit()?.size()})
        }
        "limits" => {
            let source = step.input("in")?;
            let mut part = String::new();
            source.range(1, Some(3))?.read_to_string(&mut part)?;
            json!([part, source.read_at(2, 2)?, source.bytes(1).err().map(|error| error.code().to_owned())])
        }
        "forget" => {
            let mut writer = step.create("out", "lost", "text/plain")?;
            writer.write_all(b"lost")?;
            writer.flush()?;
            json!(null)
        }
        "undeclared" => json!(step.create_with("elsewhere", "a", "text/plain", b"a")?.size()),
        "state" => {
            let state = step.state();
            state.set("plain", &[1, 2])?;
            state.update("count", |count: &mut u32| {
                *count += 1;
                Ok(())
            })?;
            step.workflow_state().set_bytes("other", b"x")?;
            json!({"plain": state.get::<Vec<u8>>("plain")?, "count": state.get::<u32>("count")?, "keys": state.keys("")?})
        }
        "many-keys" => {
            let state = step.state();
            (0..600).try_for_each(|n| state.set(&format!("k{n:03}"), &n))?;
            json!(state.keys("k")?.len())
        }
        "effects" => {
            let file = step.create_with("out", "a.txt", "text/plain", b"a")?;
            step.deliver(&file, "folder/a.txt", IfPresent::Replace)?;
            step.publish("mqtt", "pump/1", b"hot")?;
            step.emit("hot", &json!({"pump": 1}))?;
            json!(null)
        }
        "http" => {
            let mut response = Request::post("https://a.example").json(&json!({"n": 1}))?.send()?;
            response.json::<Value>(1_000)?
        }
        "model" => {
            let x = Tensor::from_f32(&[1, 2], &[1.0, 2.0])?;
            let outputs = Model::open("double")?.run(&[("x", &x)])?;
            json!([outputs[0].0, outputs[0].1.shape(), outputs[0].1.to_f32()?, outputs[0].1.top_k(1)?])
        }
        "tensor" => {
            let file = step.create("out", "x.safetensors", tensor::MEDIA_TYPE)?;
            let mut writer = TensorWriter::f32(file, "x", &[2, 2])?;
            writer.write_f32(&[1.0, 2.0, 3.0])?;
            writer.write_f32(&[4.0])?;
            let back = tensor::read(&writer.commit()?, None, 100)?;
            json!([back.name, back.shape, back.values])
        }
        "short-tensor" => {
            let file = step.create("out", "x.safetensors", tensor::MEDIA_TYPE)?;
            let mut writer = TensorWriter::i64(file, "x", &[2])?;
            writer.write_bytes(&[0; 8])?;
            json!(writer.commit()?.size())
        }
        "read-tensor" => json!(tensor::read(&step.input("in")?, None, 100)?.values),
        "secret" => json!(step.secret("token")?.placeholder()),
        "log" => {
            trackside_sdk::info!("{} of {}", 1, 2);
            step.progress(0.5, "half");
            json!(null)
        }
        other => return Err(StepError::fatal("bad-input", other)),
    };
    Ok(Outcome::Done(Output { found }))
}

trackside_sdk::plugin! {
    name: "author",
    summary: "Does everything once",
    docs: "# author\n",
    input_schema: "{}",
    output_schema: "{}",
    inputs: [Port::new("in", "read").many()],
    outputs: [Port::new("out", "written")],
    deterministic: false,
    run: run,
}

fn found(host: &mut TestHost, act: &str) -> Result<Value, StepError> {
    host.run::<Plugin>(json!({"act": act})).map(|done| done.output()["found"].clone())
}

fn with_input(bytes: impl Into<Vec<u8>>) -> TestHost {
    TestHost::new().artifact("in", "in.txt", "text/plain", bytes)
}

#[test]
fn a_description_is_checked() {
    assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
}

#[test]
fn a_step_may_be_skipped() {
    let done = TestHost::new().run::<Plugin>(json!({"act": "skip"})).unwrap();
    assert_eq!(done.skipped(), Some("nothing new"));
}

#[test]
fn artifacts_are_read_like_files() {
    assert_eq!(found(&mut with_input("a\nb"), "lines").unwrap(), json!(["a", "b"]));
    assert_eq!(found(&mut with_input("abcdef"), "limits").unwrap(), json!(["bcd", [99, 100], "too-large"]));
    assert_eq!(found(&mut TestHost::new(), "lines").unwrap_err().code(), "missing-input");
    let mut two = with_input("a").artifact("in", "second", "text/plain", "b");
    assert_eq!(found(&mut two, "lines").unwrap_err().code(), "too-many-inputs");
    assert_eq!(found(&mut two, "all").unwrap(), json!(["in.txt", "second"]));
}

#[test]
fn artifacts_are_written_like_files() {
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
    let done = with_input(bytes.clone()).run::<Plugin>(json!({"act": "copy"})).unwrap();
    assert_eq!(done.output()["found"], json!({"written": 3_000_002, "size": 3_000_002}));
    assert_eq!(done.artifact("out").unwrap().bytes, [bytes.as_slice(), &[1, 2]].concat());
}

#[test]
fn what_is_not_committed_does_not_exist() {
    let done = TestHost::new().run::<Plugin>(json!({"act": "forget"})).unwrap();
    assert!(done.artifact("out").is_none());
    assert_eq!(found(&mut TestHost::new(), "undeclared").unwrap_err().code(), "denied");
}

#[test]
fn state_outlives_a_run() {
    let mut host = TestHost::new().with_state();
    assert_eq!(found(&mut host, "state").unwrap()["count"], 1);
    assert_eq!(found(&mut host, "state").unwrap(), json!({"plain": [1, 2], "count": 2, "keys": ["count", "plain"]}));
    assert_eq!(found(&mut host, "many-keys").unwrap(), 600);
    assert_eq!(found(&mut TestHost::new(), "state").unwrap_err().code(), "denied");
}

#[test]
fn effects_are_staged() {
    let done = TestHost::new().run::<Plugin>(json!({"act": "effects"})).unwrap();
    assert_eq!(done.delivered[0].path, "folder/a.txt");
    assert_eq!(done.published[0].topic, "pump/1");
    assert_eq!(done.emitted, [("hot".to_owned(), "{\"pump\":1}".to_owned())]);
}

#[test]
fn http_and_models_answer() {
    let mut host =
        TestHost::new().with_http(|_, body| Ok(HttpResponse { status: 200, headers: Vec::new(), body: body.to_vec() }));
    assert_eq!(found(&mut host, "http").unwrap(), json!({"n": 1}));
    let mut host = TestHost::new().with_model("double", |inputs| {
        let doubled =
            inputs[0].1.bytes.as_chunks::<4>().0.iter().flat_map(|b| (f32::from_le_bytes(*b) * 2.0).to_le_bytes());
        let output = TensorContent { element: ElementType::Float32, bytes: doubled.collect(), ..inputs[0].1.clone() };
        Ok(vec![("y".into(), output)])
    });
    assert_eq!(found(&mut host, "model").unwrap(), json!(["y", [1, 2], [2.0, 4.0], [[1, 4.0]]]));
    assert_eq!(found(&mut TestHost::new(), "model").unwrap_err().code(), "denied");
}

#[test]
fn tensors_survive_their_own_file() {
    assert_eq!(found(&mut TestHost::new(), "tensor").unwrap(), json!(["x", [2, 2], [1.0, 2.0, 3.0, 4.0]]));
    assert_eq!(found(&mut TestHost::new(), "short-tensor").unwrap_err().code(), "bad-tensor");
}

#[test]
fn no_bytes_are_taken_for_a_tensor_that_are_none() {
    let file = |header: &str, data: &[u8]| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(data);
        bytes
    };
    let good = file(r#"{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, &[3, 4]);
    assert_eq!(found(&mut with_input(good), "read-tensor").unwrap(), json!([3.0, 4.0]));
    // Floats of 16 bits: 1, the largest, one with less than all of its bits, minus two.
    let halves = file(
        r#"{"x":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#,
        &[0x00, 0x3c, 0xff, 0x7b, 0x00, 0x02, 0x00, 0xc0],
    );
    let right = json!([1.0, 65_504.0, 2.0f64.powi(-15), -2.0]);
    assert_eq!(found(&mut with_input(halves), "read-tensor").unwrap(), right);
    let brains = file(r#"{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#, &[0x80, 0x3f, 0x00, 0xc0]);
    assert_eq!(found(&mut with_input(brains), "read-tensor").unwrap(), json!([1.0, -2.0]));
    for bytes in [
        Vec::new(),
        vec![255; 64],
        file("[]", &[]),
        file("{}", &[]),
        file(r#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, &[0; 4]),
        file(r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, &[0; 4]),
        file(
            r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615]}}"#,
            &[0; 4],
        ),
        file(r#"{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, &[]),
        file(r#"{"x":{"dtype":"U8","shape":[101],"data_offsets":[0,101]}}"#, &[0; 101]),
        file(r#"{"x":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]}}"#, &[0; 2]),
    ] {
        assert_eq!(found(&mut with_input(bytes.clone()), "read-tensor").unwrap_err().code(), "bad-tensor", "{bytes:?}");
    }
}

#[test]
fn secrets_and_logs_reach_the_host() {
    let mut host = TestHost::new().with_secret("token", b"s3cret");
    assert_eq!(found(&mut host, "secret").unwrap(), "secret-placeholder-token");
    let done = host.run::<Plugin>(json!({"act": "log"})).unwrap();
    assert_eq!(done.log[0].1, "1 of 2");
}

#[test]
fn input_of_another_form_is_refused() {
    let error = TestHost::new().run::<Plugin>(json!({"acts": 1})).unwrap_err();
    assert_eq!(error.code(), "bad-input");
    assert!(error.message().contains("missing field `act`"), "{error}");
}
