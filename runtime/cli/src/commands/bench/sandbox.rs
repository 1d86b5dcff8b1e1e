//! The sandbox alone: a fresh instance and one call, without engine and store.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use trackside_sandbox::{Nobody, StepCall, StepHost};

use super::{
    Figure,
    figures::{BenchError, figure, percentile},
    runs::Bench,
};

pub async fn calls(bench: &Bench, time: Duration) -> Result<Vec<Figure>, BenchError> {
    let plugin = bench.echo()?;
    let host: Arc<dyn StepHost> = Arc::new(Nobody);
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
