//! `http-request`: one request, its response as the step's output or as an artifact.

mod response;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use trackside_sdk::{ArtifactRef, Port, Step, StepError, Want, http::Request};

use crate::response::Output;

/// The longest wait for a response that an author may ask for.
const MAX_TIMEOUT: Duration = Duration::from_secs(86_400);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A JSON document; a null that is written is one too.
    #[serde(default, deserialize_with = "present")]
    body: Option<Value>,
    text: Option<String>,
    file: Option<ArtifactRef>,
    timeout_ms: Option<u64>,
    #[serde(default)]
    expect: Vec<u16>,
    #[serde(default = "usual_retries")]
    retry_on: Vec<u16>,
    #[serde(default)]
    save: bool,
}

fn get() -> String {
    "GET".into()
}

fn usual_retries() -> Vec<u16> {
    vec![408, 425, 429, 500, 502, 503, 504]
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn run(input: Input, step: &Step) -> Result<Output, StepError> {
    let mut request = Request::new(input.method.to_ascii_uppercase(), &input.url);
    for (name, value) in &input.headers {
        request = request.header(name, secrets_filled(value, step)?);
    }
    if let Some(ms) = input.timeout_ms {
        request = request.timeout(Duration::from_millis(ms).min(MAX_TIMEOUT));
    }
    let sent = match (&input.body, &input.text, &input.file) {
        (None, None, None) => request.send(),
        (Some(body), None, None) => request.json(body)?.send(),
        (None, Some(text), None) => {
            request.default_header("content-type", "text/plain; charset=utf-8").body(text.as_bytes()).send()
        }
        (None, None, Some(_)) => {
            let file = step.input("file")?;
            request.default_header("content-type", file.media_type()).send_artifact(&file)
        }
        _ => return Err(StepError::fatal("bad-input", "give at most one of `body`, `text` and `file`")),
    };
    let what = format!("{} {}", input.method.to_ascii_uppercase(), shown(&input.url));
    let mut response = sent.map_err(|error| StepError::from(error).context(&what))?;

    let status = response.status();
    let expected = if input.expect.is_empty() { (200..300).contains(&status) } else { input.expect.contains(&status) };
    if !expected {
        return Err(response::refused(&what, &mut response, &input.retry_on));
    }
    response::output(response, input.save.then_some(step)).map_err(|error| error.context(&what))
}

/// The value with placeholders where `{{secret:NAME}}` stands; the host puts the secrets there on the way out.
fn secrets_filled(value: &str, step: &Step) -> Result<String, StepError> {
    let mut filled = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("{{secret:") {
        let (name, after) = after
            .split_once("}}")
            .ok_or_else(|| StepError::fatal("bad-input", "a header has `{{secret:` without the `}}` that ends it"))?;
        filled.push_str(before);
        filled.push_str(&step.secret(name.trim())?.placeholder());
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A URL for messages: what stands after `?` may be a secret.
fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

trackside_sdk::plugin! {
    name: "http-request",
    summary: "Makes an HTTP request",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [Port::new("file", "The body, instead of `body` or `text`")],
    outputs: [Port::new("saved", "The response's body, with `save: true`")],
    wants: [
        Want::new("http", "", "the origin of `url`"),
        Want::new("secrets", "", "the names in `{{secret:NAME}}` of `headers`").optional(),
    ],
    deterministic: false,
    run: run,
}

#[cfg(test)]
mod tests;
