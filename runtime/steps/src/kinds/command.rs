//! What a step that is a WASI command is called with: its words evaluated, its files staged.

use std::sync::Arc;

use serde_json::Value;
use trackside_engine::StepError;
use trackside_sandbox::CommandCall;
use trackside_spec::PluginCall;
use trackside_store::Hold;

use crate::{job::StepJob, staging::stage, workshop::Workshop};

/// The call that the workflow describes; `None` when it says nothing of one.
pub async fn given(
    workshop: &Arc<Workshop>,
    call: &PluginCall,
    job: &StepJob,
    hold: &Hold,
) -> Result<Option<CommandCall>, StepError> {
    let (Some(command), Some(given)) = (&call.command, &job.command) else { return Ok(None) };
    let mut given = given.clone();
    if let Some(files) = given.get_mut("files").and_then(Value::as_object_mut) {
        for (name, value) in files {
            // A path of the project that is fixed in the workflow. One that an expression made is not taken: it may
            // come from outside.
            let fixed = command.given.constant_at(&["files", name.as_str()]).and_then(Value::as_str);
            if let Some(path) = fixed {
                *value = stage(workshop, hold, path).await?.to_json();
            }
        }
    }
    let read = CommandCall::read(&given, command.stdout, command.exit.clone());
    read.map(Some).map_err(|reason| StepError::fatal("bad-input", reason.to_string()))
}
