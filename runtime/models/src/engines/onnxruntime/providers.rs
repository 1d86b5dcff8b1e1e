//! What computes besides the processor: execution providers, by name.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProviderDispatch, OpenVINO, QNN, TensorRT, XNNPACK};
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use trackside_spec::config::Provider;

use super::super::panic_text;

/// Those that were wanted and do not compute, each with why.
pub(super) type NotUsed = Vec<(Provider, String)>;

/// With a provider, an error where the library has it not: by itself it would be left out without a word.
pub(super) fn with_provider(builder: SessionBuilder, provider: Provider) -> ort::Result<SessionBuilder> {
    match dispatch(provider) {
        Some(provider) => Ok(builder.with_execution_providers([provider.error_on_failure()])?),
        None => Ok(builder),
    }
}

fn dispatch(provider: Provider) -> Option<ExecutionProviderDispatch> {
    Some(match provider {
        Provider::Cuda => CUDA::default().build(),
        Provider::TensorRt => TensorRT::default().build(),
        Provider::OpenVino => OpenVINO::default().build(),
        Provider::Xnnpack => XNNPACK::default().build(),
        Provider::Qnn => QNN::default().build(),
        Provider::Cpu => return None,
    })
}

/// Which of those that are wanted the library can use, in their order; what stands behind the processor is never asked.
pub(super) fn usable(environment: &Environment, wanted: &[Provider]) -> (Vec<Provider>, NotUsed) {
    let (mut usable, mut not_used) = (Vec::new(), Vec::new());
    for provider in wanted.iter().take_while(|provider| **provider != Provider::Cpu) {
        let tried = || with_provider(Session::builder(environment)?, *provider).map(drop);
        // A provider's own library may be another one than this one knows.
        match catch_unwind(AssertUnwindSafe(tried)) {
            Ok(Ok(())) => usable.push(*provider),
            Ok(Err(error)) => not_used.push((*provider, error.to_string())),
            Err(panic) => not_used.push((*provider, panic_text(&*panic))),
        }
    }
    (usable, not_used)
}
