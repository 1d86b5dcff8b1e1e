//! Work on what comes from outside, in a process of its own: nobody promises what a hostile file makes a compiler or an engine do,
//! so it does it where memory, time and files are bounded by the kernel and nothing of the node can be reached.
//!
//! - [`Program`]: how such a process is started, which is this program itself
//! - [`ask`]: starts one, feeds it, keeps its time, takes its answer, and says how it ended that gave none
//! - [`Bounds`]: what the process gives up before the first byte from outside is read
//!
//! Whoever has such work may call this room. It knows nothing of what is compiled or read, and reads no file.

mod bounds;
mod parent;

pub use bounds::{Bounds, OVERHEAD};
pub use parent::{Ended, Failure, Order, ask, one_line};

use std::path::PathBuf;

/// How to start a process that works for this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The program: this very one.
    pub program: PathBuf,
    /// What makes that program do such work with the arguments that follow.
    pub arguments: Vec<String>,
    /// Its whole environment, but for these variables it has none.
    pub environment: Vec<(String, String)>,
}
