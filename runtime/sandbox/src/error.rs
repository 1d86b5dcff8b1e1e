//! Why the sandbox cannot start, or cannot load a plugin. Errors of a running step are
//! [`StepFailure`](crate::StepFailure)s.

use std::{io, path::PathBuf};

/// Why [`Sandbox::new`](crate::Sandbox::new) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The WebAssembly engine refuses this machine or the settings.
    #[error(
        "[TS-0301] failed to start the WebAssembly engine: {0}; \
         the processor or the kernel may lack what compiled code needs"
    )]
    Engine(String),
    /// The ticker thread did not start.
    #[error("[TS-0302] failed to start the thread that limits plugins' CPU time: {0}; raise the limit of tasks")]
    Thread(io::Error),
    /// The folder of compiled code cannot be made or read.
    #[error("[TS-0303] failed to use {path} for compiled plugins: {source}; it must be a writable folder", path = path.display())]
    CacheFolder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The folder of compiled code, or the key, could be changed by somebody else.
    #[error("[TS-0304] will not use {path}: {reason}", path = path.display())]
    Unsafe {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it and the command that mends it.
        reason: String,
    },
    /// The key file cannot be made or read.
    #[error(
        "[TS-0305] failed to use the key file {path}: {source}; delete it to have a new one made \
         (plugins are then compiled once more)",
        path = path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl SandboxError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Engine(_) => "TS-0301",
            Self::Thread(_) => "TS-0302",
            Self::CacheFolder { .. } => "TS-0303",
            Self::Unsafe { .. } => "TS-0304",
            Self::Key { .. } => "TS-0305",
        }
    }
}

/// Why a file is not a plugin that this node can run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// More bytes than any plugin may have.
    #[error("[TS-0310] plugin `{name}` has {size} bytes; the limit is {limit}: strip its debug sections, or split it")]
    TooLarge {
        /// The plugin.
        name: String,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not WebAssembly at all.
    #[error("[TS-0311] plugin `{name}` is not a WebAssembly component: it is {found}; {remedy}")]
    NotAComponent {
        /// The plugin.
        name: String,
        /// What it looks like.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Valid WebAssembly must compile; this did not.
    #[error("[TS-0312] plugin `{name}` does not compile: {reason}")]
    Compile {
        /// The plugin.
        name: String,
        /// The compiler's words.
        reason: String,
    },
    /// Built for another track of the contract.
    #[error(
        "[TS-0313] plugin `{name}` is built for {found}; this node offers {offered}: \
         rebuild it with the SDK of this version, or update the node"
    )]
    WrongTrack {
        /// The plugin.
        name: String,
        /// What it imports or exports.
        found: String,
        /// What the node has.
        offered: &'static str,
    },
    /// A component, but not of the contract's world.
    #[error(
        "[TS-0314] plugin `{name}` is a component of another world: it does not export {missing}; it exports {exports}. \
         A Trackside plugin targets world `trackside:plugin/plugin@0.1.0`"
    )]
    WrongWorld {
        /// The plugin.
        name: String,
        /// Missing exports.
        missing: String,
        /// What it exports instead.
        exports: String,
    },
    /// It needs imports that no plugin gets.
    #[error(
        "[TS-0315] plugin `{name}` imports what no plugin is given: {imports}. Plugins get `trackside:plugin/*@0.1` and \
         `wasi:*@0.2` up to 0.2.12, of wasi:http the client's half"
    )]
    UnknownImports {
        /// The plugin.
        name: String,
        /// The imports.
        imports: String,
    },
    /// The names fit, the types do not.
    #[error("[TS-0316] plugin `{name}` does not fit the contract: {reason}; rebuild it with the SDK of this version")]
    DoesNotFit {
        /// The plugin.
        name: String,
        /// The linker's words.
        reason: String,
    },
    /// `describe` did not answer.
    #[error("[TS-0317] plugin `{name}` does not describe itself: {reason}")]
    Describe {
        /// The plugin.
        name: String,
        /// What happened.
        reason: String,
    },
    /// `describe` answered with something unusable.
    #[error("[TS-0318] plugin `{name}` describes itself wrongly: {reason}")]
    BadDescriptor {
        /// The plugin.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A core module that is no program.
    #[error("[TS-0320] plugin `{name}` is a core module and cannot be run: {found}; {remedy}")]
    NotACommand {
        /// The plugin.
        name: String,
        /// What is wrong with it.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A program that needs imports that no program gets.
    #[error("[TS-0321] plugin `{name}` is a WASI command and imports what no command is given: {imports}; {remedy}")]
    CommandImports {
        /// The plugin.
        name: String,
        /// The imports.
        imports: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The names fit WASI, the types do not, or it uses a function that preview 1 does not have.
    #[error(
        "[TS-0322] plugin `{name}` is a WASI command and does not fit WASI: {reason}; build it again with a current toolchain"
    )]
    CommandDoesNotFit {
        /// The plugin.
        name: String,
        /// The linker's words.
        reason: String,
    },
    /// Compiling it takes more than a compilation may take.
    #[error(
        "[TS-0328] plugin `{name}` cannot be compiled within {what}; if it is meant to be so large, raise `{key}` in \
         [plugins] of trackside.toml"
    )]
    TooCostly {
        /// The plugin.
        name: String,
        /// The limit that it ran into.
        what: String,
        /// The key that holds it.
        key: &'static str,
    },
    /// The process that compiles broke.
    #[error("[TS-0329] the process that compiles plugin `{name}` broke: {reason}; the plugin is not used")]
    Worker {
        /// The plugin.
        name: String,
        /// How it ended.
        reason: String,
    },
    /// The node's own fault: the contract could not be linked.
    #[error("[TS-0319] failed to prepare the plugin contract: {0}; this is a defect of the node, please report it")]
    Internal(String),
}

impl LoadError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "TS-0310",
            Self::NotAComponent { .. } => "TS-0311",
            Self::Compile { .. } => "TS-0312",
            Self::WrongTrack { .. } => "TS-0313",
            Self::WrongWorld { .. } => "TS-0314",
            Self::UnknownImports { .. } => "TS-0315",
            Self::DoesNotFit { .. } => "TS-0316",
            Self::Describe { .. } => "TS-0317",
            Self::BadDescriptor { .. } => "TS-0318",
            Self::Internal(_) => "TS-0319",
            Self::NotACommand { .. } => "TS-0320",
            Self::CommandImports { .. } => "TS-0321",
            Self::CommandDoesNotFit { .. } => "TS-0322",
            Self::TooCostly { .. } => "TS-0328",
            Self::Worker { .. } => "TS-0329",
        }
    }
}
