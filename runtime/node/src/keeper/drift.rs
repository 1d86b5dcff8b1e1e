//! Windows of drift that have closed.

use std::time::Duration;

use super::{Part, Tools};
use crate::node::NodeError;

/// Windows of drift that have closed.
#[derive(Default)]
pub(super) struct Windows {}

impl Part for Windows {
    fn round(&mut self, tools: &Tools) -> Result<Option<Duration>, NodeError> {
        let _ = (tools.serving(), tools.now_ms(), tools.handle());
        tools.keep(Vec::new()).map(|()| None)
    }

    fn end(&mut self, tools: &Tools) -> Result<(), NodeError> {
        self.round(tools).map(drop)
    }
}
