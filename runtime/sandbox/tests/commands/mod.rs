//! WASI commands: programs as steps.

mod calls;
mod files;
mod kinds;
mod programs;

use std::{sync::Arc, time::Duration};

use crate::support::{Bench, TestHost, runtime};
use trackside_sandbox::{CommandCall, StepCall, StepReport};
use trackside_spec::{ArtifactRef, CommandStdout, Digest};

fn call(command: CommandCall) -> StepCall {
    let mut call = StepCall::new("flow", "run-1", "tool");
    call.command = Some(command);
    call.limits.memory = 64 << 20;
    call.limits.cpu = Duration::from_secs(20);
    call.limits.wall = Duration::from_secs(60);
    call
}

fn text() -> CommandCall {
    CommandCall { stdout: CommandStdout::Text, ..CommandCall::default() }
}

fn run_on(bytes: &[u8], call: StepCall, host: &Arc<TestHost>) -> StepReport {
    let plugin = Bench::new().sandbox.load(bytes, "tool").unwrap();
    runtime().block_on(plugin.run(call, host.clone()))
}

fn run(bytes: &[u8], command: CommandCall) -> StepReport {
    run_on(bytes, call(command), &Arc::new(TestHost::new()))
}

/// Puts an artifact with this content.
fn put(host: &TestHost, content: &[u8]) -> ArtifactRef {
    let digest = Digest::of(content);
    std::fs::write(host.path(&digest), content).unwrap();
    ArtifactRef { digest, name: "a.txt".into(), media_type: "text/plain".into(), size: content.len() as u64 }
}
