//! Effects that the host carries out after the step's result is on disk.

use serde::Serialize;

use crate::{Artifact, IfPresent, Step, StepError, host::outbox};

impl Step {
    /// Has the artifact written to `path` once the step has succeeded: `FOLDER/name`, relative, with `/`, below a
    /// folder that `allow: { deliver: [FOLDER] }` grants.
    ///
    /// # Errors
    /// `denied` without the grant, `bad-request` for a path that leaves the folder.
    pub fn deliver(&self, artifact: &Artifact, path: &str, present: IfPresent) -> Result<(), StepError> {
        outbox::deliver(artifact.host(), path, present).map_err(StepError::from)
    }

    /// Has a message published on a channel of the node's config once the step has succeeded.
    ///
    /// # Errors
    /// `denied` without the grant.
    pub fn publish(&self, channel: &str, topic: &str, payload: &[u8]) -> Result<(), StepError> {
        self.publish_with(channel, topic, payload, &[])
    }

    /// The same, with names and values that travel beside the message: user properties of MQTT 5.
    ///
    /// # Errors
    /// `denied` without the grant, `bad-request` for an attribute that is no text of one line.
    pub fn publish_with(
        &self,
        channel: &str,
        topic: &str,
        payload: &[u8],
        attributes: &[(String, String)],
    ) -> Result<(), StepError> {
        outbox::publish(channel, topic, payload, attributes).map_err(StepError::from)
    }

    /// Has an event emitted that other workflows' triggers can match, once the step has succeeded.
    ///
    /// # Errors
    /// `bad-output` when `data` is no JSON, `denied` without the grant.
    pub fn emit(&self, event: &str, data: &impl Serialize) -> Result<(), StepError> {
        let json = serde_json::to_string(data)?;
        outbox::emit(event, &json).map_err(StepError::from)
    }
}
