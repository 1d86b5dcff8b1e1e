//! From a response to the step's output or error.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use serde_json::Value;
use trackside_rows::exact;
use trackside_sdk::{Step, StepError, http::Response};

/// How much of a body goes into the output document; more needs `save: true`.
const MAX_INLINE: usize = 64 * 1_024;

/// How much of a body goes into an error message.
const MAX_EXCERPT: usize = 200;

/// The output document.
#[derive(Serialize)]
pub struct Output {
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    bytes: u64,
}

/// The output of an expected response; with a step, the body becomes its artifact.
///
/// # Errors
/// `too-large` for a body that fits neither, `bad-json` where the server says JSON and it is none, or a reader would lose
/// some of it in silence.
pub fn output(mut response: Response, save: Option<&Step>) -> Result<Output, StepError> {
    let media_type = response.header("content-type").unwrap_or("application/octet-stream").to_owned();
    let mut output =
        Output { status: response.status(), headers: headers(&response), json: None, text: None, bytes: 0 };
    if let Some(step) = save {
        let writer = step.create("saved", "body", &media_type)?;
        output.bytes = response.save_to(&writer)?;
        writer.commit()?;
        return Ok(output);
    }
    let (body, more) = response.bytes(MAX_INLINE)?;
    if more {
        let message = format!("the response has more than {MAX_INLINE} bytes: set `save: true` to get it as a file");
        return Err(StepError::fatal("too-large", message));
    }
    output.bytes = body.len() as u64;
    if body.is_empty() {
        return Ok(output);
    }
    if is_json(&media_type) {
        let json = serde_json::from_slice(&body)
            .map_err(|error| StepError::from(error).context(format_args!("the response says {media_type}")))?;
        if let Some(problem) = exact::problem(&body) {
            let message = format!("the response says {media_type}: {problem}; set `save: true` to get it as a file");
            return Err(StepError::fatal("bad-json", message));
        }
        output.json = Some(json);
    } else {
        output.text = Some(String::from_utf8(body).map_err(|_| {
            StepError::fatal("not-utf8", "the response is no UTF-8 text: set `save: true` to get it as a file")
        })?);
    }
    Ok(output)
}

/// The error for a status that was not expected.
pub fn refused(what: &str, response: &mut Response, retry_on: &[u16]) -> StepError {
    let status = response.status();
    let excerpt = match response.bytes(MAX_EXCERPT) {
        Ok((body, _)) => String::from_utf8_lossy(&body).split_whitespace().collect::<Vec<_>>().join(" "),
        Err(_) => String::new(),
    };
    let message = match excerpt.as_str() {
        "" => format!("{what}: the server answered {status}"),
        excerpt => format!("{what}: the server answered {status}: {excerpt}"),
    };
    let code = format!("http-{status}");
    if !retry_on.contains(&status) {
        return StepError::fatal(code, message);
    }
    let error = StepError::retryable(code, message);
    // The other form of Retry-After is a date; a step has no clock to hold it against.
    match response.header("retry-after").and_then(|text| text.trim().parse().ok()) {
        Some(seconds) => error.retry_after(Duration::from_secs(seconds)),
        None => error,
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// Lower-case names; a header that comes twice is joined by a comma, as HTTP allows for all but cookies.
fn headers(response: &Response) -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, String>::new();
    for (name, value) in response.headers() {
        let name = name.to_ascii_lowercase();
        if name == "set-cookie" {
            continue;
        }
        all.entry(name)
            .and_modify(|old| {
                old.push_str(", ");
                old.push_str(value);
            })
            .or_insert_with(|| value.clone());
    }
    all
}
