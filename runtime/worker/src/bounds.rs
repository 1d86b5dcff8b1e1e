//! What a process gives up.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

/// Address space beyond the memory: the program itself, its libraries, stacks that are reserved and not used.
pub const OVERHEAD: u64 = 1 << 30;

/// Bounds of this process, set by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Memory that may be written to, in bytes.
    pub memory: u64,
    /// Computing time, of all threads together.
    pub cpu_seconds: u64,
    /// The largest file that may be written.
    pub file_size: u64,
    /// How many file descriptors, the three standard ones included; none for as many as this process may have.
    pub descriptors: Option<u64>,
}

impl Bounds {
    /// Gives up what lies beyond, and ends with the parent.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set(&self) -> io::Result<()> {
        let set = |resource, limit: u64| {
            let limit = Some(limit);
            rustix::process::setrlimit(resource, Rlimit { current: limit, maximum: limit })
        };
        // Memory that is reserved and not writable costs nothing, so it is the writable that is counted; the address space is
        // bounded besides for whatever is not counted there.
        set(Resource::Data, self.memory)?;
        set(Resource::As, self.memory.saturating_add(OVERHEAD))?;
        // The soft limit ends it with a signal that says why; the hard one is for a signal that is not heeded.
        let cpu = Rlimit { current: Some(self.cpu_seconds), maximum: Some(self.cpu_seconds.saturating_add(5)) };
        rustix::process::setrlimit(Resource::Cpu, cpu)?;
        set(Resource::Core, 0)?;
        set(Resource::Fsize, self.file_size)?;
        if let Some(descriptors) = self.descriptors {
            set(Resource::Nofile, descriptors)?;
        }
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        // The node may be killed; what it waits for must not go on.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(())
    }
}
