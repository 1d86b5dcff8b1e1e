//! `context`.

use super::with;

/// Where and why the step runs.
#[derive(Debug, Clone)]
pub struct Info {
    pub workflow: String,
    pub run_id: String,
    pub step: String,
    pub attempt: u32,
    pub idempotency_key: String,
    pub logical_time_unix_ms: u64,
    pub trigger_kind: String,
    pub trigger: Vec<(String, String)>,
}

impl Default for Info {
    fn default() -> Self {
        Self {
            workflow: "test".into(),
            run_id: "run-1".into(),
            step: "step".into(),
            attempt: 1,
            idempotency_key: "run-1/step".into(),
            logical_time_unix_ms: 1_700_000_000_000,
            trigger_kind: "manual".into(),
            trigger: Vec::new(),
        }
    }
}

pub fn get() -> Info {
    with(|world| world.info.clone())
}

pub fn input_json() -> String {
    with(|world| world.input_json.clone())
}

pub fn remaining_ms() -> Option<u64> {
    None
}

pub fn cancelled() -> bool {
    with(|world| world.cancelled)
}
