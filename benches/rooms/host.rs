//! A host that has nothing.

use std::{fs::File, io, sync::Arc};

use trackside_sandbox::{ArtifactSink, BoxFuture, ModelError, ModelHandle, StateEntry, StateScope, StepHost};
use trackside_spec::ArtifactRef;

pub struct Nothing;

impl StepHost for Nothing {
    fn open_artifact(&self, _: &ArtifactRef) -> io::Result<File> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn create_artifact(&self) -> io::Result<Box<dyn ArtifactSink>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn open_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Arc<dyn ModelHandle>, ModelError>> {
        Box::pin(std::future::ready(Err(ModelError::NotFound(name.to_owned()))))
    }

    fn state_get<'a>(&'a self, _: StateScope, _: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, String>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn state_list<'a>(
        &'a self,
        _: StateScope,
        _: &'a str,
        _: Option<&'a str>,
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn now_ms(&self) -> u64 {
        0
    }
}
