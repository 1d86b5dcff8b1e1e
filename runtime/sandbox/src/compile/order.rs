//! What the parent tells the worker, on its command line. Both are the same program, so the form is nobody else's
//! business.

use std::time::Duration;

use crate::engine::Layout;

/// How to start a process that compiles: `arguments` make the program call [`compile_worker`](crate::compile_worker) with those
/// that follow. The program is this very one, or what it compiles is of no use here.
pub type CompileProgram = trackside_worker::Program;

/// A process that compiles, and what it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileWorker {
    /// How to start it.
    pub program: CompileProgram,
    /// Memory of one compilation, in bytes.
    pub memory: u64,
    /// Time of one compilation.
    pub time: Duration,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) layout: Layout,
    pub(super) threads: usize,
    pub(super) is_module: bool,
    /// Whether the code counts instructions.
    pub(super) counts: bool,
    pub(super) memory: u64,
    /// Computing time, of all threads together.
    pub(super) cpu_seconds: u64,
}

impl Order {
    pub(super) fn new(worker: &CompileWorker, layout: Layout, counts: bool, threads: usize, is_module: bool) -> Self {
        let seconds = worker.time.as_secs().saturating_add(1);
        let cpu_seconds = seconds.saturating_mul(threads as u64);
        Self { layout, threads, is_module, counts, memory: worker.memory, cpu_seconds }
    }

    pub(super) fn to_arguments(&self) -> [String; 6] {
        let layout = match self.layout {
            Layout::Pooled => "pooled",
            Layout::Large => "large",
            Layout::Small => "small",
        };
        let kind = if self.is_module { "module" } else { "component" };
        let code = if self.counts { "counting" } else { "plain" };
        let numbers = [self.threads as u64, self.memory, self.cpu_seconds].map(|number| number.to_string());
        let [threads, memory, seconds] = numbers;
        [kind.to_owned(), code.to_owned(), layout.to_owned(), threads, memory, seconds]
    }

    pub(super) fn from_arguments(arguments: &[String]) -> Option<Self> {
        let [kind, code, layout, threads, memory, cpu_seconds] = arguments else { return None };
        let layout = match layout.as_str() {
            "pooled" => Layout::Pooled,
            "large" => Layout::Large,
            "small" => Layout::Small,
            _ => return None,
        };
        let is_module = match kind.as_str() {
            "module" => true,
            "component" => false,
            _ => return None,
        };
        let counts = match code.as_str() {
            "counting" => true,
            "plain" => false,
            _ => return None,
        };
        let threads = threads.parse().ok().filter(|threads| (1..=64).contains(threads))?;
        Some(Self {
            layout,
            threads,
            is_module,
            counts,
            memory: memory.parse().ok()?,
            cpu_seconds: cpu_seconds.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_arrives_as_it_was_given() {
        let worker = CompileWorker { program: CompileProgram::default(), memory: 5, time: Duration::from_secs(3) };
        for layout in [Layout::Pooled, Layout::Large, Layout::Small] {
            for is_module in [true, false] {
                let order = Order::new(&worker, layout, !is_module, 2, is_module);
                assert_eq!(Order::from_arguments(&order.to_arguments()), Some(order));
            }
        }
        assert_eq!(Order::from_arguments(&["component".to_owned()]), None);
        let endless = ["component", "plain", "pooled", "1000000", "1", "1"].map(str::to_owned);
        assert_eq!(Order::from_arguments(&endless), None);
    }
}
