//! Grants, kind by kind: what a plugin asks for, and what a step allows.

use trackside_sandbox::{Descriptor, Want};
use trackside_spec::Allow;

/// Every kind of grant, in the order of the book.
pub const GRANT_KINDS: [&str; 10] =
    ["http", "secrets", "models", "state", "env", "deliver", "publish", "emit", "clock", "random"];

/// What `allow` says of a kind, in the words of a workflow; nothing when it says nothing.
#[must_use]
pub fn granted(allow: &Allow, kind: &str) -> Vec<String> {
    let flag = |granted: bool| if granted { vec!["true".to_owned()] } else { Vec::new() };
    match kind {
        "http" => allow.http.iter().map(ToString::to_string).collect(),
        "secrets" => {
            let name = |reveal: bool, name: &str| if reveal { format!("{name} (revealed)") } else { name.to_owned() };
            allow.secrets.iter().map(|secret| name(secret.reveal, &secret.name)).collect()
        }
        "models" => allow.models.clone(),
        "state" => flag(allow.state),
        "env" => allow.env.keys().cloned().collect(),
        "deliver" => allow.deliver.clone(),
        "publish" => allow.publish.clone(),
        "emit" => allow.emit.clone(),
        "clock" => flag(allow.clock),
        "random" => flag(allow.random),
        _ => Vec::new(),
    }
}

/// What a plugin asks for of a kind.
pub fn wanted<'d>(about: &'d Descriptor, kind: &'d str) -> impl Iterator<Item = &'d Want> {
    // `model` was the first name of the kind.
    about.wants.iter().filter(move |want| want.kind == kind || (kind == "models" && want.kind == "model"))
}
