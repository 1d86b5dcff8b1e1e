//! The parent: asks, and says what it means when there is no answer.

use std::{
    io::{self, Read},
    path::Path,
    time::Duration,
};

use trackside_codes::{Code, Coded, code};
use trackside_spec::{ByteSize, config::ModelLimitsConfig};
use trackside_worker::{Ended, Failure, Program, ask, one_line};

use crate::file::ModelLimits;

use super::order::{Answer, Order, Probe, ProbeSettings};

/// Largest answer.
const MAX_ANSWER: u64 = 16 << 20;
/// Most memory by default, however large the box is.
const MOST_MEMORY: u64 = 4 << 30;
/// What is enough for the engine alone, however small the box is.
const LEAST_MEMORY: u64 = 256 << 20;
/// Time besides that of a run.
const LOADING: Duration = Duration::from_secs(120);

/// What looking at one model may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeLimits {
    /// Memory, in bytes.
    pub memory: u64,
    /// Computing time, of all threads together.
    pub cpu: Duration,
    /// Time.
    pub time: Duration,
}

impl ProbeLimits {
    /// What the config says, and where it says nothing: half of the box's memory and 4 GiB at most; two minutes and what a run may take;
    /// that time on each core.
    #[must_use]
    pub fn of(config: &ModelLimitsConfig, run: Duration) -> Self {
        let memory = config.memory.map_or_else(usual_memory, ByteSize::as_bytes);
        let time = config.wall.map_or_else(|| LOADING.saturating_add(run), trackside_spec::Duration::to_std);
        let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u32);
        // The clock is to be first where nobody says otherwise: its end is the plainer one.
        let all = || time.saturating_add(Duration::from_secs(1)).saturating_mul(threads);
        Self { memory, cpu: config.cpu.map_or_else(all, trackside_spec::Duration::to_std), time }
    }

    /// That of a box whose config says nothing.
    #[must_use]
    pub fn of_this_box(run: Duration) -> Self {
        Self::of(&ModelLimitsConfig::default(), run)
    }
}

fn usual_memory() -> u64 {
    crate::memory::half_of_box().unwrap_or(MOST_MEMORY).clamp(LEAST_MEMORY, MOST_MEMORY)
}

/// Looks at models, each time in a process of its own.
#[derive(Clone, Debug)]
pub struct Prober {
    /// How that is started.
    pub program: Program,
    /// What it may cost.
    pub limits: ProbeLimits,
}

/// Why a model is not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProbeError {
    /// It can not be used, for a reason that has a code of its own.
    #[error("[{code}] {text}")]
    Refused {
        /// The code.
        code: Code,
        /// The reason.
        text: String,
    },
    /// It takes more than it may.
    #[error(
        "[{code}] reading or testing the model took more than {limit}, which is what a model may take that nobody knows yet; it \
         was stopped, and nothing else is touched by it; if it is meant to take so much, raise `{key}` in [model_limits]",
        code = self.code()
    )]
    Costly {
        /// Which limit.
        limit: String,
        /// Its key.
        key: &'static str,
    },
    /// The process ended without an answer.
    #[error(
        "[{code}] the process that looked at the model gave no answer: {how}; the file may be damaged, or made to break what \
         reads it", code = self.code()
    )]
    Crashed {
        /// How it ended.
        how: String,
    },
    /// There is no process.
    #[error("[{code}] cannot start the process that looks at models: {reason}", code = self.code())]
    NotStarted {
        /// Why.
        reason: String,
    },
}

impl Coded for ProbeError {
    fn code(&self) -> Code {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Costly { .. } => code!("TS-0559"),
            Self::Crashed { .. } => code!("TS-0558"),
            Self::NotStarted { .. } => code!("TS-0563"),
        }
    }
}

impl Prober {
    /// What the model in this file is, and how it does on the engine that would be chosen. Blocks for as long as that takes, at
    /// most the limit's time.
    ///
    /// # Errors
    /// Any [`ProbeError`].
    pub fn probe(&self, path: &Path, settings: &ProbeSettings) -> Result<Probe, ProbeError> {
        match self.ask(&Order::Probe(absolute(path)?, settings.clone()))? {
            Answer::Probe(probe) => Ok(*probe),
            answer => Err(not_understood(&answer)),
        }
    }

    /// The names of the weight files that the model in this file wants beside it.
    ///
    /// # Errors
    /// Any [`ProbeError`].
    pub fn weights(&self, path: &Path, limits: ModelLimits) -> Result<Vec<String>, ProbeError> {
        match self.ask(&Order::Weights(absolute(path)?, limits))? {
            Answer::Weights(names) => Ok(names),
            answer => Err(not_understood(&answer)),
        }
    }

    fn ask(&self, order: &Order) -> Result<Answer, ProbeError> {
        let input = serde_json::to_vec(order).map_err(|error| ProbeError::NotStarted { reason: error.to_string() })?;
        // The kernel counts whole seconds.
        let seconds = self.limits.cpu.as_secs() + u64::from(self.limits.cpu.subsec_nanos() > 0);
        let arguments = [self.limits.memory, seconds].map(|number| number.to_string());
        let time = self.limits.time;
        let order = trackside_worker::Order { arguments: &arguments, input: &input, time, name: "model" };
        let answer = ask(&self.program, &order, |stdout| {
            let mut answer = Vec::new();
            stdout.take(MAX_ANSWER + 1).read_to_end(&mut answer)?;
            if answer.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            Ok(answer)
        });
        let answer = answer.map_err(|failure| self.judge(failure))?;
        match serde_json::from_slice(&answer) {
            Ok(Answer::Refused(code, text)) => {
                // An allocation that an engine catches itself and reports in its own words.
                if text.contains("bad_alloc") || text.contains("there is no memory for") {
                    return Err(self.too_much_memory());
                }
                match Code::parse(&code).filter(|code| code.is_known()) {
                    Some(code) => Err(ProbeError::Refused { code, text }),
                    None => Err(ProbeError::Crashed { how: format!("it ended with {}", one_line(&code)) }),
                }
            }
            Ok(answer) => Ok(answer),
            Err(error) => Err(ProbeError::Crashed { how: format!("what it said is no answer ({error})") }),
        }
    }

    fn too_much_memory(&self) -> ProbeError {
        // A share of a box's memory is no round number.
        let memory = self.limits.memory & !((1 << 20) - 1);
        let memory = ByteSize::from_bytes(if memory == 0 { self.limits.memory } else { memory });
        ProbeError::Costly { limit: format!("{memory} of memory"), key: "memory" }
    }

    fn judge(&self, failure: Failure) -> ProbeError {
        match failure {
            Failure::NotStarted(error) | Failure::Lost(error) => ProbeError::NotStarted { reason: error.to_string() },
            Failure::Ended(ended) if ended.is_out_of_computing_time() => {
                ProbeError::Costly { limit: format!("{} s of computing", self.limits.cpu.as_secs()), key: "cpu" }
            }
            Failure::Ended(ended) if ended.is_out_of_time() => {
                ProbeError::Costly { limit: format!("{} s", self.limits.time.as_secs()), key: "wall" }
            }
            Failure::Ended(ended) if ended.is_out_of_memory() => self.too_much_memory(),
            Failure::Ended(ended) => ProbeError::Crashed { how: Ended::told(&ended) },
        }
    }
}

/// The other process works in another folder.
fn absolute(path: &Path) -> Result<std::path::PathBuf, ProbeError> {
    std::path::absolute(path).map_err(|error| ProbeError::NotStarted { reason: error.to_string() })
}

fn not_understood(answer: &Answer) -> ProbeError {
    let what = match answer {
        Answer::Weights(_) => "names of weight files",
        Answer::Probe(_) => "a model",
        Answer::Refused(..) => "a refusal",
    };
    ProbeError::Crashed { how: format!("it told of {what}, which nobody had asked for") }
}
