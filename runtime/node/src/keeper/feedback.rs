//! Predictions that wait for their truth.

use std::time::Duration;

use super::{Part, Tools};
use crate::node::NodeError;

/// Predictions that wait for their truth.
#[derive(Default)]
pub(super) struct Predictions {}

impl Part for Predictions {
    fn round(&mut self, tools: &Tools) -> Result<Option<Duration>, NodeError> {
        let _ = (tools.serving(), tools.now_ms(), tools.handle());
        tools.keep(Vec::new()).map(|()| None)
    }

    fn end(&mut self, tools: &Tools) -> Result<(), NodeError> {
        self.round(tools).map(drop)
    }
}
