//! The form of gRPC.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use prost::Message;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use trackside_server::inference::{InferenceSettings, proto::*};

use super::client::Server;

fn request(model: &str, inputs: Vec<(&str, &str, &[i64])>, raws: &[&[u8]]) -> ModelInferRequest {
    let one = |(name, datatype, shape): (&str, &str, &[i64])| model_infer_request::InferInputTensor {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: shape.to_vec(),
        ..Default::default()
    };
    ModelInferRequest {
        model_name: model.to_owned(),
        id: "a1".to_owned(),
        inputs: inputs.into_iter().map(one).collect(),
        raw_input_contents: raws.iter().map(|raw| raw.to_vec()).collect(),
        ..Default::default()
    }
}

#[tokio::test]
async fn server_and_models_tell_what_they_are() {
    let server = Server::start();
    assert!(server.ask::<ServerLiveResponse>("ServerLive", &ServerLiveRequest {}).await.live);
    assert!(server.ask::<ServerReadyResponse>("ServerReady", &ServerReadyRequest {}).await.ready);
    let told: ServerMetadataResponse = server.ask("ServerMetadata", &ServerMetadataRequest {}).await;
    assert!(told.extensions.contains(&"statistics".to_owned()));
    let named = |name: &str| (name.to_owned(), String::new());
    let (name, version) = named("one");
    let told: ModelMetadataResponse = server.ask("ModelMetadata", &ModelMetadataRequest { name, version }).await;
    assert_eq!((told.inputs[0].datatype.as_str(), told.inputs[0].shape.as_slice()), ("FP32", &[-1, 2][..]));
    let (name, version) = named("one");
    let told: ModelConfigResponse = server.ask("ModelConfig", &ModelConfigRequest { name, version }).await;
    assert_eq!(
        (told.config.as_ref().unwrap().max_batch_size, told.config.unwrap().input[0].dims.clone()),
        (8, vec![2])
    );
    let (name, version) = named("");
    let told: ModelStatisticsResponse = server.ask("ModelStatistics", &ModelStatisticsRequest { name, version }).await;
    let stats = told.model_stats[0].inference_stats.unwrap();
    let times = [stats.success, stats.queue, stats.compute_input, stats.compute_infer, stats.compute_output];
    assert_eq!(times, [50, 5, 7, 21, 11].map(|ns| Some(StatisticDuration { count: 2, ns })));
    let batch = &told.model_stats[0].batch_stats[0];
    let times = [batch.compute_input, batch.compute_infer, batch.compute_output];
    assert_eq!((batch.batch_size, times), (4, [6, 20, 10].map(|ns| Some(StatisticDuration { count: 1, ns }))));
    let index = RepositoryIndexRequest { ready: true, ..Default::default() };
    assert_eq!(server.ask::<RepositoryIndexResponse>("RepositoryIndex", &index).await.models.len(), 1);
    let load = RepositoryModelLoadRequest { model_name: "echo".to_owned(), ..Default::default() };
    server.ask::<RepositoryModelLoadResponse>("RepositoryModelLoad", &load).await;
    assert_eq!(*server.models.told.lock().unwrap(), ["load echo None"]);
}

#[tokio::test]
async fn tensors_go_in_and_out() {
    let server = Server::start();
    let asked = request("echo", vec![("h", "FP16", &[2]), ("t", "BYTES", &[1])], &[&[1, 2, 3, 4], &[1, 0, 0, 0, b'x']]);
    let told: ModelInferResponse = server.ask("ModelInfer", &asked).await;
    assert_eq!((told.model_name.as_str(), told.model_version.as_str(), told.id.as_str()), ("echo", "3", "a1"));
    assert_eq!(told.raw_output_contents, [vec![1, 2, 3, 4], vec![1, 0, 0, 0, b'x']]);
    assert_eq!((told.outputs[1].name.as_str(), told.outputs[1].datatype.as_str()), ("t", "BYTES"));
}

#[tokio::test]
async fn an_answer_is_not_compressed_for_who_could_read_that() {
    let server = Server::start();
    let asked = request("echo", vec![("x", "UINT8", &[5000])], &[&[7; 5000]]).encode_to_vec();
    let could = [("grpc-accept-encoding", "identity, deflate, gzip")];
    let (status, _, answers) = server.call("ModelInfer", &could, &[asked]).await;
    assert_eq!((status, answers[0].len() > 5000), (0, true));
}

#[tokio::test]
async fn what_is_wrong_has_the_status_that_clients_know() {
    let server = Server::start();
    let good = request("one", vec![("x", "FP32", &[1, 2])], &[&[0; 8]]);
    for (method, message, status, part) in [
        ("ModelInfer", request("one", vec![("x", "FP32", &[1, 2])], &[&[0; 7]]), 3, "needs 8 bytes, 7 came"),
        ("ModelInfer", request("", vec![], &[]), 3, "names no model"),
        ("ModelInfer", request("nope", vec![], &[]), 5, "no model `nope`"),
        ("ModelInfer", request("gone", vec![], &[]), 14, "the engine refuses"),
        ("ModelInfer", request("late", vec![], &[]), 4, "its time is over"),
        ("SystemSharedMemoryStatus", good.clone(), 12, "shared memory"),
        ("TraceSetting", good.clone(), 12, "traces"),
        ("NoSuchMethod", good.clone(), 12, ""),
        ("no.such.Service/Method", good.clone(), 12, "there is no method"),
    ] {
        let (found, text, answers) = server.call(method, &[], &[message.encode_to_vec()]).await;
        assert_eq!(found, status, "{method}: {text}");
        let text = percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned();
        assert!(text.contains(part) && answers.is_empty(), "{text}");
    }
    for method in ["ModelInfer", "ModelReady", "RepositoryIndex", "ModelStreamInfer"] {
        let (status, text, _) = server.call(method, &[], &[b"\xff\xff".to_vec()]).await;
        assert!(status == 3 && text.starts_with("[TS-0750]"), "{method}: {status} {text}");
    }
    // Said to be compressed, and is not.
    let packed = [("grpc-encoding", "gzip")];
    let (status, text) = server.call_compressed("ModelInfer", &packed, b"no gzip").await;
    assert!(status == 3 && text.starts_with("[TS-0750]"), "{status} {text}");
    let (status, text) = server.call_compressed("ModelInfer", &[], b"no gzip").await;
    assert!(status == 3 && text.starts_with("[TS-0750]"), "{status} {text}");
}

#[tokio::test]
async fn a_request_to_load_brings_no_configuration_and_no_file() {
    let server = Server::start();
    for key in ["config", "file:1/model.onnx", "file:"] {
        let parameters = [("other".to_owned(), Default::default()), (key.to_owned(), Default::default())].into();
        let load = RepositoryModelLoadRequest { model_name: "echo".to_owned(), parameters, ..Default::default() };
        let (status, text, _) = server.call("RepositoryModelLoad", &[], &[load.encode_to_vec()]).await;
        let text = percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned();
        assert_eq!(status, 12, "{text}");
        assert!(text.starts_with("[TS-0756]") && text.contains("trackside model add"), "{text}");
    }
    assert!(server.models.told.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_message_over_the_limit_is_told_as_too_much() {
    let server = Server::with(InferenceSettings { max_body: 5000, ..Default::default() });
    let asked =
        |bytes: usize| request("echo", vec![("x", "UINT8", &[bytes as i64])], &[&vec![1; bytes]]).encode_to_vec();
    assert_eq!(server.call("ModelInfer", &[], &[asked(4900)]).await.0, 0);
    for method in ["ModelInfer", "ModelStreamInfer"] {
        let (status, text, _) = server.call(method, &[], &[asked(5000)]).await;
        assert!(status == 8 && text.starts_with("[TS-0753]"), "{method}: {status} {text}");
    }
    // Small as it came, and too much.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&asked(50_000)).unwrap();
    let packed = gzip.finish().unwrap();
    let (status, text) = server.call_compressed("ModelInfer", &[("grpc-encoding", "gzip")], &packed).await;
    assert!(status == 8 && text.starts_with("[TS-0753]"), "{status} {text}");
}

#[tokio::test]
async fn a_stream_is_answered_in_order_and_tells_what_is_wrong_inside() {
    let server = Server::start();
    let good = request("echo", vec![("x", "UINT8", &[1])], &[&[7]]);
    let bad = request("echo", vec![("x", "UINT8", &[2])], &[&[7]]);
    let messages = [&good, &bad, &good].map(Message::encode_to_vec);
    let (status, _, answers) = server.call("ModelStreamInfer", &[], &messages).await;
    assert_eq!((status, answers.len()), (0, 3));
    let told: Vec<_> = answers.iter().map(|one| ModelStreamInferResponse::decode(one.as_slice()).unwrap()).collect();
    assert!(told[0].error_message.is_empty() && told[2].error_message.is_empty());
    assert!(told[1].error_message.contains("needs 2 bytes, 1 came"));
    assert_eq!(told[1].infer_response.as_ref().unwrap().id, "a1");
    assert_eq!(told[2].infer_response.as_ref().unwrap().raw_output_contents, [vec![7]]);
}

#[tokio::test]
async fn health_knows_the_server_and_each_model() {
    let server = Server::start();
    for (service, status) in [("", 1), ("inference.GRPCInferenceService", 1), ("echo", 1), ("gone", 2)] {
        let asked = HealthCheckRequest { service: service.to_owned() };
        let told: HealthCheckResponse = server.ask("grpc.health.v1.Health/Check", &asked).await;
        assert_eq!(told.status, status, "{service}");
    }
    let asked = HealthCheckRequest { service: "nope".to_owned() }.encode_to_vec();
    assert_eq!(server.call("grpc.health.v1.Health/Check", &[], &[asked]).await.0, 5);
}

#[tokio::test]
async fn a_deadline_of_the_call_reaches_the_model() {
    let server = Server::start();
    let asked = request("echo", vec![], &[]).encode_to_vec();
    server.call("ModelInfer", &[("grpc-timeout", "250m")], &[asked]).await;
    let timeout = server.models.last.lock().unwrap().take().unwrap().timeout;
    assert_eq!(timeout.unwrap().as_millis(), 250);
}
