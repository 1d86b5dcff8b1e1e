//! The wire without a model: an identity model in furnace, and the least that a hand-written axum handler can do for the same
//! request. Arguments: `axum` or `furnace`, and a port.

use std::net::Ipv4Addr;

use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use furnace::{HostTensor, IoSpec, Model, Server, TensorModel};
use serde::{Deserialize, Serialize};

const HEADER: &str = "inference-header-content-length";

#[derive(Debug)]
struct Identity;

impl TensorModel for Identity {
    fn name(&self) -> &str {
        "identity"
    }

    fn backend(&self) -> &str {
        "cpu"
    }

    // furnace calls these two by its own names, whatever is written here.
    fn inputs(&self) -> Vec<IoSpec> {
        vec![IoSpec::fp32("input", &[12])]
    }

    fn outputs(&self) -> Vec<IoSpec> {
        vec![IoSpec::fp32("output", &[12])]
    }

    fn run(&self, inputs: Vec<HostTensor>) -> furnace::Result<Vec<HostTensor>> {
        Ok(inputs)
    }
}

#[derive(Deserialize)]
struct Asked {
    inputs: Vec<Tensor>,
}

#[derive(Serialize)]
struct Answered {
    model_name: &'static str,
    model_version: &'static str,
    outputs: Vec<Tensor>,
}

#[derive(Deserialize, Serialize)]
struct Tensor {
    name: String,
    datatype: String,
    shape: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    data: Vec<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameters: Option<serde_json::Value>,
}

async fn infer(headers: HeaderMap, body: Bytes) -> Response {
    let length = headers.get(HEADER).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let (head, raw) = match length {
        Some(length) if length <= body.len() => (&body[..length], Some(body.slice(length..))),
        Some(_) => return StatusCode::BAD_REQUEST.into_response(),
        None => (&body[..], None),
    };
    let Ok(mut asked) = serde_json::from_slice::<Asked>(head) else { return StatusCode::BAD_REQUEST.into_response() };
    for tensor in &mut asked.inputs {
        tensor.name = "output".to_owned();
    }
    let answered = Answered { model_name: "identity", model_version: "1", outputs: asked.inputs };
    let Some(raw) = raw else { return Json(answered).into_response() };
    let Ok(mut whole) = serde_json::to_vec(&answered) else { return StatusCode::BAD_REQUEST.into_response() };
    let length = whole.len().to_string();
    whole.extend_from_slice(&raw);
    ([(CONTENT_TYPE, "application/octet-stream".to_owned()), (HEADER.parse().unwrap_or(CONTENT_TYPE), length)], whole)
        .into_response()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().ok_or("axum or furnace?")?;
    let port: u16 = arguments.next().ok_or("no port")?.parse()?;
    let router = match kind.as_str() {
        "furnace" => Server::new().model(Model::custom(Identity)).router()?,
        _ => Router::new()
            .route("/v2/health/ready", get(|| async { StatusCode::OK }))
            .route("/v2/models/identity/infer", post(infer)),
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    axum::serve(listener, router).await?;
    Ok(())
}
