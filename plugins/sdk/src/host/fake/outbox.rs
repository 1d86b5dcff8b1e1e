//! `outbox`. Paths are checked as the real host checks their form; folders are not.

use std::rc::Rc;

use super::{artifacts, with};

/// Why an effect could not be staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxError {
    /// Not granted, and what would grant it.
    Denied(String),
    /// The path, channel or event has no acceptable form.
    BadRequest(String),
    /// A limit is used up, and which.
    QuotaExceeded(String),
}

/// What to do when the target exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfPresent {
    /// The delivery fails.
    Refuse,
    /// The old file stays.
    Keep,
    /// The new file takes its place.
    Replace,
    /// The new file gets a number in its name.
    Number,
}

/// A staged file.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Where to.
    pub path: String,
    /// What to do when it exists.
    pub present: IfPresent,
    /// What.
    pub content: Rc<artifacts::Content>,
}

/// A staged message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The channel's name.
    pub channel: String,
    /// The topic.
    pub topic: String,
    /// The body.
    pub payload: Vec<u8>,
    /// Names and values beside it.
    pub attributes: Vec<(String, String)>,
}

pub fn deliver(source: &artifacts::Artifact, path: &str, present: IfPresent) -> Result<(), OutboxError> {
    let bad = path.split('/').any(|part| matches!(part, "" | "." | "..")) || path.contains(char::is_control);
    if bad {
        return Err(OutboxError::BadRequest(format!("{path:?} is not a path below a folder")));
    }
    let delivered = Delivered { path: path.into(), present, content: Rc::clone(source.content()) };
    with(|world| world.delivered.push(delivered));
    Ok(())
}

pub fn publish(channel: &str, topic: &str, payload: &[u8], attrs: &[(String, String)]) -> Result<(), OutboxError> {
    let published = Published {
        channel: channel.into(),
        topic: topic.into(),
        payload: payload.to_vec(),
        attributes: attrs.to_vec(),
    };
    with(|world| world.published.push(published));
    Ok(())
}

pub fn emit(event: &str, data_json: &str) -> Result<(), OutboxError> {
    with(|world| world.emitted.push((event.into(), data_json.into())));
    Ok(())
}
