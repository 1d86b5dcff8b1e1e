//! The parent: has a worker compile, and says what it means when that gives no code.

use std::io::{self, Read};

use trackside_codes::{Class, Reason};
use trackside_spec::{ByteSize, Duration};
use trackside_worker::{Ended, ask};

use super::order::{CompileWorker, Order};
use crate::{
    cache::{self, CODE_LIMIT, Code},
    error::LoadError,
};

/// Why there is no code.
pub(super) enum Failure {
    /// There is no worker.
    NotStarted(io::Error),
    /// The plugin is not used.
    Load(LoadError),
}

/// Has a worker compile. Blocks for as long as that takes, at most the worker's time.
pub(super) fn compile(worker: &CompileWorker, order: &Order, wasm: &[u8], name: &str) -> Result<Code, Failure> {
    let arguments = order.to_arguments();
    let order = trackside_worker::Order { arguments: &arguments, input: wasm, time: worker.time, name: "compile" };
    ask(&worker.program, &order, take).map_err(|failure| match failure {
        trackside_worker::Failure::NotStarted(error) => Failure::NotStarted(error),
        trackside_worker::Failure::Lost(error) => {
            Failure::Load(LoadError::Worker { name: name.to_owned(), reason: Reason::by(Class::Setup, error) })
        }
        trackside_worker::Failure::Ended(ended) => Failure::Load(judge(&ended, worker, name)),
    })
}

/// Takes the code: its length, then as many bytes.
fn take(stdout: &mut impl Read) -> io::Result<Code> {
    let mut length = [0; 8];
    stdout.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > CODE_LIMIT {
        return Err(io::Error::other("too much code"));
    }
    cache::trust_worker(stdout, length)
}

/// What it means that a worker gave no code.
fn judge(ended: &Ended, worker: &CompileWorker, name: &str) -> LoadError {
    let name = name.to_owned();
    let costly = |what: String, key| LoadError::TooCostly { name: name.clone(), what, key };
    if ended.is_out_of_time() {
        let time = Duration::from_millis(u64::try_from(worker.time.as_millis()).unwrap_or(u64::MAX));
        return costly(time.to_string(), "compile_time");
    }
    if ended.is_out_of_memory() {
        return costly(format!("{} of memory", ByteSize::from_bytes(worker.memory)), "compile_memory");
    }
    match ended.refusal() {
        Some(words) => LoadError::Compile { name, reason: words.into() },
        None => LoadError::Worker { name, reason: ended.told().into() },
    }
}
