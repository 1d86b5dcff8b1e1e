//! The modes that try to get a secret out.

use std::io::Write;

use serde_json::{Value, json};
use trackside_sdk::{IfPresent, Outcome, Step, StepError, http::Request, telemetry};

/// Does what `mode` says with the secret `name`; requests go to `target`.
pub fn run(mode: &str, name: &str, target: &str, step: &Step) -> Result<Outcome<Value>, StepError> {
    let secret = step.secret(name)?;
    let placeholder = secret.placeholder();
    let value = || -> Result<String, StepError> { Ok(String::from_utf8_lossy(&secret.reveal()?).into_owned()) };
    let mut output = json!({ "mode": mode, "placeholder": placeholder });
    match mode {
        "secret-send" => {
            let sent = Request::get(target).header("authorization", format!("Bearer {placeholder}")).send()?;
            output["status"] = sent.status().into();
        }
        "secret-url" => {
            Request::get(format!("{target}?key={placeholder}")).send()?;
        }
        "secret-body" => {
            Request::post(target).body(format!("key={placeholder}")).send()?;
        }
        "secret-reveal" => output["length"] = value()?.len().into(),
        "secret-everywhere" => everywhere(&value()?, step, &mut output)?,
        "secret-error" => {
            let mut error = StepError::fatal("leak", format!("the value is {}", value()?));
            error = error.with("extra", value()?);
            return Err(error);
        }
        "secret-panic" => panic!("the value is {}", value()?),
        "secret-skip" => return Ok(Outcome::skipped(format!("the value is {}", value()?))),
        _ => return Err(StepError::fatal("bad-input", format!("there is no mode `{mode}`"))),
    }
    Ok(Outcome::Done(output))
}

/// Logs, standard output and error in pieces, measurements, the result, an artifact and a delivery.
fn everywhere(value: &str, step: &Step, output: &mut Value) -> Result<(), StepError> {
    let middle = value.len() / 2;
    trackside_sdk::warn!("logged {value}");
    telemetry::log(telemetry::Level::Info, "with an attribute", &[("attribute", value)]);
    println!("printed {value}");
    for piece in [&value[..middle], &value[middle..], "\n"] {
        eprint!("{piece}");
        std::io::stderr().flush()?;
    }
    telemetry::gauge("leak", 1.0, &[("label", value)]);
    output["value"] = value.into();
    output[value] = json!([value, { "deep": format!("<{value}>") }]);
    let artifact = step.create_with("out", "leak.txt", "text/plain", value.as_bytes())?;
    step.deliver(&artifact, "out/leak.txt", IfPresent::Replace)
}
