//! The sandbox alone: a fresh instance and one call, without engine and store.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use trackside_sandbox::{BoxFuture, ModelError, ModelHandle, StateEntry, StateScope, StepCall, StepHost};
use trackside_spec::ArtifactRef;

use super::{
    Figure,
    figures::{BenchError, figure, percentile},
    runs::Bench,
};

/// A host that has nothing.
struct Nothing;

impl StepHost for Nothing {
    fn open_artifact(&self, _: &ArtifactRef) -> std::io::Result<std::fs::File> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn create_artifact(&self) -> std::io::Result<Box<dyn trackside_sandbox::ArtifactSink>> {
        Err(std::io::ErrorKind::Unsupported.into())
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

pub async fn calls(bench: &Bench, time: Duration) -> Result<Vec<Figure>, BenchError> {
    let plugin = bench.echo()?;
    let host: Arc<dyn StepHost> = Arc::new(Nothing);
    let mut samples = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time {
        let mut call = StepCall::new("bench", "bench", "echo");
        call.input_json = "{\"value\":1}".to_owned();
        let begun = Instant::now();
        let report = plugin.run(call, host.clone()).await;
        samples.push(begun.elapsed().as_secs_f64() * 1e6);
        report.outcome.map_err(|failure| BenchError::Other(failure.message))?;
    }
    let value = percentile(&mut samples, 0.5);
    Ok(vec![figure("sandbox_call_us_p50", "fresh sandbox and one call of a Rust plugin, median", "µs", value)])
}
