//! Emitting an event by hand.

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_engine::RunId;
use trackside_node::Handle;
use trackside_spec::{MAX_EVENT, is_event_name};

use crate::{
    ControlError,
    client::{Client, ClientError},
};

/// `POST /v1/events`: an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmitEvent {
    /// Its name.
    pub name: String,
    /// What it brings.
    #[serde(default)]
    pub data: Value,
}

/// What the event set off. It is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emitted {
    /// The event's name.
    pub name: String,
    /// Runs that it started.
    pub started: Vec<RunId>,
    /// Runs with a step that waited for it.
    pub resumed: Vec<RunId>,
}

/// Emits an event. It is gone when nobody waits for it.
///
/// # Errors
/// [`ControlError::BadEvent`], [`ControlError::Busy`] while there is no room, [`ControlError::Node`] when the node is going
/// down.
pub async fn emit(handle: &Handle, event: EmitEvent) -> Result<Emitted, ControlError> {
    if !is_event_name(&event.name) {
        let reason = "its name is made of letters, digits, `.`, `_` and `-`, at most 64".to_owned();
        return Err(ControlError::BadEvent { reason });
    }
    let size = event.data.to_string().len();
    if size > MAX_EVENT {
        let reason = format!("it brings {size} bytes; the limit is {MAX_EVENT}");
        return Err(ControlError::BadEvent { reason });
    }
    let set_off = handle.emit(&event.name, event.data).await?.ok_or(ControlError::Busy)?;
    Ok(Emitted { name: event.name, started: set_off.started, resumed: set_off.resumed })
}

impl Client {
    /// Has the node emit an event.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn emit(&self, event: &EmitEvent) -> Result<Emitted, ClientError> {
        self.ask(Method::POST, "/v1/events", self.json(event)?).await
    }
}
