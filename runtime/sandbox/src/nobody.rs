//! A host that refuses everything: for a plugin that only describes itself, and for measuring the sandbox alone.

use std::{fs::File, io, sync::Arc};
use trackside_codes::Reason;

use trackside_spec::ArtifactRef;

use crate::{
    host_api::{ArtifactSink, BoxFuture, InferenceFailure, ModelHandle, StateEntry, StepHost},
    report::StateScope,
};

/// Refuses everything. While a plugin describes itself the contract's imports trap before they come here.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

const REASON: &str = "there is no step to act for";

impl StepHost for Nobody {
    fn open_artifact(&self, _: &ArtifactRef) -> io::Result<File> {
        Err(io::Error::other(REASON))
    }

    fn create_artifact(&self) -> io::Result<Box<dyn ArtifactSink>> {
        Err(io::Error::other(REASON))
    }

    fn open_model<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Arc<dyn ModelHandle>, InferenceFailure>> {
        Box::pin(std::future::ready(Err(InferenceFailure::Runtime(REASON.into()))))
    }

    fn state_get<'a>(&'a self, _: StateScope, _: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, Reason>> {
        Box::pin(std::future::ready(Err(REASON.into())))
    }

    fn state_list<'a>(
        &'a self,
        _: StateScope,
        _: &'a str,
        _: Option<&'a str>,
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        Box::pin(std::future::ready(Err(REASON.into())))
    }

    fn now_ms(&self) -> u64 {
        0
    }
}
