//! Why a step failed, in words that help: from traps, exits, panics and the guest's own errors.

use wasmtime::{Error, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::{
    bindings::exports::trackside::plugin::step::StepError,
    bindings::trackside::plugin::common::ErrorKind,
    call::CallLimits,
    limiter::Refused,
    recorder::{clip, clip_attrs, one_line, sentence},
};

const MESSAGE: usize = 1_024;
const FRAMES: usize = 64;
const STACK: &str = "the call stack is full: the recursion is too deep, or it never ends";

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFailure {
    /// Stable, kebab-case. The sandbox's own: `trap`, `panic`, `out-of-memory`, `stack-overflow`, `cpu-limit`,
    /// `wall-limit`, `fuel-limit`, `host-limit`, `exit`, `bad-output`, `output-too-large`, `bad-input`, `missing-output`,
    /// `cancelled`, `host-error`, `exit-code` (a WASI command's). Everything else is the guest's.
    pub code: String,
    /// Whether trying again can help.
    pub retryable: bool,
    /// One line for people, without control characters.
    pub message: String,
    /// How long the guest asks to wait before a retry.
    pub retry_after_ms: Option<u32>,
    /// The step itself returned this error; otherwise the sandbox found it.
    pub from_guest: bool,
    /// Names and values that the guest added.
    pub extra: Vec<(String, String)>,
    /// Guest frames, innermost first, with file and line where the plugin carries debug information.
    pub backtrace: Vec<String>,
    /// The end of what the guest wrote to standard error. Raw: escape it where it is shown.
    pub stderr_tail: String,
}

impl std::fmt::Display for StepFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for StepFailure {}

impl StepFailure {
    /// A failure that the sandbox found.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            retryable: false,
            message: clip(sentence(&message.into()), MESSAGE),
            retry_after_ms: None,
            from_guest: false,
            extra: Vec::new(),
            backtrace: Vec::new(),
            stderr_tail: String::new(),
        }
    }

    /// More instructions than the call may execute.
    pub(crate) fn out_of_fuel(limit: Option<u64>) -> Self {
        let limit = limit.unwrap_or_default();
        Self::new("fuel-limit", format!("executed its {limit} instructions; raise limits.fuel if it needs more"))
    }

    pub(crate) fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// The error that a step returned.
    pub(crate) fn from_guest(error: StepError) -> Self {
        let retryable = matches!(error.kind, ErrorKind::Retryable);
        let kebab = !error.code.is_empty()
            && error.code.len() <= 64
            && error.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let code = if kebab { error.code.as_str() } else { "guest-error" };
        Self {
            retryable,
            retry_after_ms: error.retry_after_ms.filter(|_| retryable),
            from_guest: true,
            extra: clip_attrs(error.extra),
            ..Self::new(code, error.message)
        }
    }
}

/// A reason that ended a call from within the host. It travels through the guest's stack as an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("the CPU limit was reached")]
    Cpu,
}

/// What is known besides the error itself.
pub(crate) struct Circumstances {
    /// The last growth of memory that was refused.
    pub(crate) refused: Option<Refused>,
    /// The last growth of a table that was refused.
    pub(crate) table_refused: Option<Refused>,
    pub(crate) stderr_tail: String,
    pub(crate) limits: CallLimits,
    pub(crate) fuel_limit: Option<u64>,
}

/// Explains an error that came out of the guest.
pub(crate) fn explain(error: &Error, circumstances: Circumstances) -> StepFailure {
    let Circumstances { fuel_limit, limits, .. } = circumstances;
    let trace = error.downcast_ref::<WasmBacktrace>();
    let backtrace = trace.map(frames).unwrap_or_default();
    let failure = if error.downcast_ref::<Stopped>().is_some() {
        StepFailure::new(
            "cpu-limit",
            format!("used its {} of CPU time; raise limits.cpu if it needs more", crate::run::show(limits.cpu)),
        )
    } else if matches!(error.downcast_ref::<Trap>(), Some(Trap::OutOfFuel)) {
        StepFailure::out_of_fuel(fuel_limit)
    } else if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        StepFailure::new("exit", format!("called exit({status}) instead of returning a result"))
    } else if is_bounds(error) && trace.is_some_and(is_recursion) {
        // Compilers keep part of the stack in linear memory, below all data: its end is the end of that memory.
        StepFailure::new("stack-overflow", STACK)
    } else {
        trap(error, &circumstances)
    };
    StepFailure { backtrace, stderr_tail: circumstances.stderr_tail, ..failure }
}

fn trap(error: &Error, circumstances: &Circumstances) -> StepFailure {
    let Circumstances { refused, table_refused, stderr_tail, limits, .. } = circumstances;
    let (refused, stderr) = (*refused, stderr_tail.as_str());
    let panic = panic_message(stderr);
    let trap = error.downcast_ref::<Trap>().copied();
    if let (Some(refused), None) = (refused, &panic)
        && trap.is_none_or(|trap| matches!(trap, Trap::UnreachableCodeReached | Trap::AllocationTooLarge))
    {
        return StepFailure::new("out-of-memory", out_of_memory(refused));
    }
    match trap {
        Some(Trap::StackOverflow) => StepFailure::new("stack-overflow", STACK),
        Some(Trap::Interrupt) => StepFailure::new("cpu-limit", "was interrupted"),
        Some(Trap::UnreachableCodeReached) => match (panic, last_line(stderr)) {
            (Some(panic), _) => {
                let memory = refused.map(|refused| format!(" (before that, it {})", out_of_memory(refused)));
                StepFailure::new("panic", panic + &memory.unwrap_or_default())
            }
            (None, Some(line)) => StepFailure::new("trap", format!("aborted: {line}")),
            (None, None) if let Some(Refused { wanted, limit }) = table_refused => StepFailure::new(
                "host-limit",
                format!(
                    "needed {wanted} elements of tables and its limit is {limit}; raise limits.table if it needs more"
                ),
            ),
            (None, None) => StepFailure::new(
                "trap",
                "aborted without a message (an `unreachable` instruction: a panic without hook, abort(), or an \
                 uncaught exception)",
            ),
        },
        Some(trap) => StepFailure::new("trap", trap.to_string()),
        None => host(error, limits),
    }
}

fn is_bounds(error: &Error) -> bool {
    matches!(error.downcast_ref::<Trap>(), Some(Trap::MemoryOutOfBounds))
}

/// Whether a few functions fill the whole trace.
fn is_recursion(trace: &WasmBacktrace) -> bool {
    let mut functions = trace.frames().iter().map(|frame| frame.func_index()).collect::<Vec<_>>();
    let depth = functions.len();
    functions.sort_unstable();
    functions.dedup();
    depth >= FRAMES && functions.len() <= depth / 4
}

/// An error that is no trap of the guest's code: a bound of the host, or the host's own failure.
fn host(error: &Error, limits: &CallLimits) -> StepFailure {
    let root = error.root_cause().to_string();
    // wasmtime has no types for these.
    let says = |texts: &[&str]| texts.iter().any(|text| root.contains(text));
    let over = |text: String| StepFailure::new("host-limit", text);
    if says(&["fuel allocated for hostcalls"]) {
        let limit = limits.host_call_bytes;
        over(format!(
            "passed more than {limit} bytes to the host in one call; pass it in pieces, or raise limits.host_call"
        ))
    } else if says(&["table has no free keys", "handle"]) {
        let limit = limits.handles;
        over(format!(
            "held more than {limit} things of the host (readers, tensors, spans, timers); drop what is done with, or raise \
             limits.handles: {root}"
        ))
    } else if says(&["exceeds limit", "max_size", "limit exceeded", "table limits"]) {
        over(format!("asked the host for more than one plugin may have: {root}"))
    } else {
        StepFailure::new("trap", root)
    }
}

fn out_of_memory(refused: Refused) -> String {
    let mib = |bytes: usize| bytes.div_ceil(1 << 20);
    format!(
        "needed {} MiB of memory and its limit is {} MiB; raise limits.memory if it needs more",
        mib(refused.wanted),
        mib(refused.limit)
    )
}

/// The message of a Rust panic at the end of standard error: `thread 'main' panicked at src/lib.rs:1:2:` and then the
/// text, up to the note about backtraces.
fn panic_message(stderr: &str) -> Option<String> {
    const MARK: &str = "panicked at ";
    let start = stderr.rfind(MARK)?;
    let (place, rest) = stderr[start + MARK.len()..].split_once('\n')?;
    let text = rest.lines().take_while(|line| !line.starts_with("note: run with")).collect::<Vec<_>>().join(" ");
    Some(format!("panicked at {} {}", place.trim(), text.trim()))
}

fn last_line(stderr: &str) -> Option<&str> {
    stderr.lines().rev().map(str::trim).find(|line| !line.is_empty())
}

/// Frames as lines, innermost first: `module!function at file:line:column`, inlined functions on lines of their own.
fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let mut lines = Vec::new();
    for frame in backtrace.frames() {
        let raw = frame.func_name().map_or_else(|| format!("<function {}>", frame.func_index()), demangle);
        if frame.symbols().is_empty() {
            lines.push(raw);
        } else {
            for (index, symbol) in frame.symbols().iter().enumerate() {
                let name = symbol.name().map(demangle);
                let name = name.unwrap_or_else(|| if index == 0 { raw.clone() } else { "<inlined>".to_owned() });
                lines.push(match (symbol.file(), symbol.line()) {
                    (Some(file), Some(line)) => format!("{name} at {}:{line}", one_line(file)),
                    _ => name,
                });
            }
        }
        if lines.len() >= FRAMES {
            lines.truncate(FRAMES);
            break;
        }
    }
    lines
}

fn demangle(name: &str) -> String {
    // The alternate form leaves the hash out.
    let readable = rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}"));
    clip(one_line(&readable), 512)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circumstances(stderr: &str, refused: Option<Refused>) -> Circumstances {
        Circumstances {
            refused,
            table_refused: None,
            stderr_tail: stderr.to_owned(),
            limits: CallLimits::default(),
            fuel_limit: None,
        }
    }

    #[test]
    fn a_panic_is_read_from_standard_error() {
        let stderr = "noise\n\nthread 'main' panicked at src/lib.rs:10:5:\nindex out of bounds\nnote: run with `RUST_BACKTRACE=1`\n";
        let failure = explain(&Trap::UnreachableCodeReached.into(), circumstances(stderr, None));
        assert_eq!(failure.code, "panic");
        assert_eq!(failure.message, "panicked at src/lib.rs:10:5: index out of bounds");
    }

    #[test]
    fn an_abort_after_a_refused_growth_is_out_of_memory() {
        let refused = Some(Refused { wanted: 70 << 20, limit: 64 << 20 });
        let failure = explain(&Trap::UnreachableCodeReached.into(), circumstances("memory allocation failed", refused));
        assert_eq!(failure.code, "out-of-memory");
        assert!(failure.message.contains("70 MiB") && failure.message.contains("64 MiB"), "{failure}");
    }

    #[test]
    fn a_guests_code_must_be_kebab_case() {
        let error = |code: &str| StepError {
            kind: ErrorKind::Fatal,
            code: code.to_owned(),
            message: "a\nb\u{1b}[0m".to_owned(),
            retry_after_ms: Some(5),
            extra: Vec::new(),
        };
        let failure = StepFailure::from_guest(error("bad-input"));
        assert_eq!((failure.code.as_str(), failure.from_guest, failure.retry_after_ms), ("bad-input", true, None));
        assert_eq!(failure.message, "a b\\u{1b}[0m");
        for bad in ["", "Bad Input", "x\n", &"x".repeat(65)] {
            assert_eq!(StepFailure::from_guest(error(bad)).code, "guest-error");
        }
    }
}
