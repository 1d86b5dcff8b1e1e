//! Rollouts that are under way.

use std::time::Duration;

use super::{Part, Tools};
use crate::node::NodeError;

/// Rollouts that are under way.
#[derive(Default)]
pub(super) struct Rollouts {}

impl Part for Rollouts {
    fn round(&mut self, tools: &Tools) -> Result<Option<Duration>, NodeError> {
        let _ = (tools.serving(), tools.now_ms(), tools.handle());
        tools.keep(Vec::new()).map(|()| None)
    }

    fn end(&mut self, tools: &Tools) -> Result<(), NodeError> {
        self.round(tools).map(drop)
    }
}
