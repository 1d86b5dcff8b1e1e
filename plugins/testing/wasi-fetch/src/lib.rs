//! `wasi-fetch`: one request through wasi:http, as client libraries make it. See README.md.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use trackside_sdk::{Step, StepError, Want};

#[derive(Deserialize)]
struct Input {
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// A secret whose placeholder goes into the header `authorization`.
    secret: Option<String>,
}

fn get() -> String {
    "GET".into()
}

fn run(mut input: Input, step: &Step) -> Result<Value, StepError> {
    if let Some(secret) = &input.secret {
        let placeholder = step.secret(secret)?.placeholder();
        input.headers.insert("authorization".into(), format!("Bearer {placeholder}"));
    }
    Ok(match fetch(&input) {
        Ok((status, bytes)) => json!({ "status": status, "bytes": bytes }),
        Err(error) => json!({ "error": error }),
    })
}

/// Status and length of the response's body, or the error's name.
#[cfg(target_arch = "wasm32")]
fn fetch(input: &Input) -> Result<(u16, usize), String> {
    use wasip2::http::{
        outgoing_handler::handle,
        types::{Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, Scheme},
    };

    let (scheme, rest) = input.url.split_once("://").ok_or("no scheme")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let headers = Fields::new();
    for (name, value) in &input.headers {
        headers.append(name, value.as_bytes()).map_err(|error| format!("{error:?}"))?;
    }
    let request = OutgoingRequest::new(headers);
    let method = match input.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    let wrong = |()| "the request cannot be made".to_owned();
    request.set_method(&method).map_err(wrong)?;
    request.set_scheme(Some(&scheme)).map_err(wrong)?;
    request.set_authority(Some(authority)).map_err(wrong)?;
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).map_err(wrong)?;
    let body = request.body().map_err(wrong)?;
    let named = |error: wasip2::http::types::ErrorCode| format!("{error:?}");
    let answer = handle(request, None).map_err(named)?;
    {
        let stream = body.write().map_err(wrong)?;
        for piece in input.body.as_bytes().chunks(4096) {
            stream.blocking_write_and_flush(piece).map_err(|error| format!("{error:?}"))?;
        }
    }
    OutgoingBody::finish(body, None).map_err(named)?;
    answer.subscribe().block();
    let response = answer.get().ok_or("no answer")?.map_err(|()| "taken twice")?.map_err(named)?;
    let status = response.status();
    let body = response.consume().map_err(wrong)?;
    let mut bytes = 0;
    {
        let stream = body.stream().map_err(wrong)?;
        loop {
            match stream.blocking_read(64 << 10) {
                Ok(piece) => bytes += piece.len(),
                Err(wasip2::io::streams::StreamError::Closed) => break,
                Err(error) => return Err(format!("{error:?}")),
            }
        }
    }
    drop(IncomingBody::finish(body));
    Ok((status, bytes))
}

#[cfg(not(target_arch = "wasm32"))]
fn fetch(input: &Input) -> Result<(u16, usize), String> {
    Err(format!("only a component can call {} {} with {}", input.method, input.url, input.body))
}

trackside_sdk::plugin! {
    name: "wasi-fetch",
    summary: "Makes a request through wasi:http",
    docs: include_str!("../README.md"),
    input_schema: r#"{"type": "object", "properties": {
        "url": {"type": "string"}, "method": {"type": "string"}, "body": {"type": "string"},
        "headers": {"type": "object"}, "secret": {"type": "string"}}, "required": ["url"]}"#,
    output_schema: r#"{"type": "object"}"#,
    wants: [
        Want::new("http", "", "the origin of `url`"),
        Want::new("secrets", "", "the name in `secret`").optional(),
    ],
    deterministic: false,
    run: run,
}

#[cfg(test)]
mod tests {
    use trackside_sdk::testing::description_problems;

    use super::*;

    #[test]
    fn it_is_well_described() {
        assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
    }
}
