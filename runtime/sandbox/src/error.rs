//! Why the sandbox cannot start, or cannot load a plugin. Errors of a running step are
//! [`StepFailure`](crate::StepFailure)s.

use std::{io, path::PathBuf};
use trackside_codes::{Class, Code, Coded, Reason, code};

/// Why [`Sandbox::new`](crate::Sandbox::new) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The WebAssembly engine refuses this machine or the settings.
    #[error(
        "[{code}] failed to start the WebAssembly engine: {0}; \
         the processor or the kernel may lack what compiled code needs",
        code = self.code()
    )]
    Engine(#[source] Reason),
    /// The ticker thread did not start.
    #[error(
        "[{code}] failed to start the thread that limits plugins' CPU time: {0}; raise the limit of tasks",
        code = self.code()
    )]
    Thread(#[source] io::Error),
    /// The folder of compiled code cannot be made or read.
    #[error(
        "[{code}] failed to use {path} for compiled plugins: {source}; it must be a writable folder", path = path.display(),
        code = self.code()
    )]
    CacheFolder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The folder of compiled code, or the key, could be changed by somebody else.
    #[error("[{code}] will not use {path}: {reason}", path = path.display(), code = self.code())]
    Unsafe {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it and the command that mends it.
        reason: String,
    },
    /// The key file cannot be made or read.
    #[error(
        "[{code}] failed to use the key file {path}: {source}; delete it to have a new one made \
         (plugins are then compiled once more)",
        path = path.display(),
        code = self.code()
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Coded for SandboxError {
    fn code(&self) -> Code {
        match self {
            Self::Engine(_) => code!("TS-0301"),
            Self::Thread(_) => code!("TS-0302"),
            Self::CacheFolder { .. } => code!("TS-0303"),
            Self::Unsafe { .. } => code!("TS-0304"),
            Self::Key { .. } => code!("TS-0305"),
        }
    }
}

/// The engine's words about a file that it does not take.
pub(crate) fn refused(error: wasmtime::Error) -> Reason {
    Reason::because(Class::Unusable, crate::recorder::in_words(&error), error)
}

/// The engine's words about what must work.
pub(crate) fn defect(error: wasmtime::Error) -> Reason {
    Reason::because(Class::Bug, format!("{error:#}"), error)
}

/// Why a file is not a plugin that this node can run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// More bytes than any plugin may have.
    #[error(
        "[{code}] plugin `{name}` has {size} bytes; the limit is {limit}: strip its debug sections, or split it",
        code = self.code()
    )]
    TooLarge {
        /// The plugin.
        name: String,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not WebAssembly at all.
    #[error("[{code}] plugin `{name}` is not a WebAssembly component: it is {found}; {remedy}", code = self.code())]
    NotAComponent {
        /// The plugin.
        name: String,
        /// What it looks like.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Valid WebAssembly must compile; this did not.
    #[error("[{code}] plugin `{name}` does not compile: {reason}", code = self.code())]
    Compile {
        /// The plugin.
        name: String,
        /// The compiler's words.
        #[source]
        reason: Reason,
    },
    /// Built for another track of the contract.
    #[error(
        "[{code}] plugin `{name}` is built for {found}; this node offers {offered}: \
         rebuild it with the SDK of this version, or update the node",
        code = self.code()
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
        "[{code}] plugin `{name}` is a component of another world: it does not export {missing}; it exports {exports}. \
         A Trackside plugin targets world `trackside:plugin/plugin@0.1.0`",
        code = self.code()
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
        "[{code}] plugin `{name}` imports what no plugin is given: {imports}. Plugins get `trackside:plugin/*@0.1` and \
         `wasi:*@0.2` up to 0.2.12, of wasi:http the client's half",
        code = self.code()
    )]
    UnknownImports {
        /// The plugin.
        name: String,
        /// The imports.
        imports: String,
    },
    /// The names fit, the types do not.
    #[error(
        "[{code}] plugin `{name}` does not fit the contract: {reason}; rebuild it with the SDK of this version",
        code = self.code()
    )]
    DoesNotFit {
        /// The plugin.
        name: String,
        /// The linker's words.
        #[source]
        reason: Reason,
    },
    /// `describe` did not answer.
    #[error("[{code}] plugin `{name}` does not describe itself: {reason}", code = self.code())]
    Describe {
        /// The plugin.
        name: String,
        /// What happened.
        #[source]
        reason: Reason,
    },
    /// `describe` answered with something unusable.
    #[error("[{code}] plugin `{name}` describes itself wrongly: {reason}", code = self.code())]
    BadDescriptor {
        /// The plugin.
        name: String,
        /// What is wrong.
        #[source]
        reason: Reason,
    },
    /// A core module that is no program.
    #[error("[{code}] plugin `{name}` is a core module and cannot be run: {found}; {remedy}", code = self.code())]
    NotACommand {
        /// The plugin.
        name: String,
        /// What is wrong with it.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A program that needs imports that no program gets.
    #[error(
        "[{code}] plugin `{name}` is a WASI command and imports what no command is given: {imports}; {remedy}",
        code = self.code()
    )]
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
        "[{code}] plugin `{name}` is a WASI command and does not fit WASI: {reason}; build it again with a current toolchain",
        code = self.code()
    )]
    CommandDoesNotFit {
        /// The plugin.
        name: String,
        /// The linker's words.
        #[source]
        reason: Reason,
    },
    /// Compiling it takes more than a compilation may take.
    #[error(
        "[{code}] plugin `{name}` cannot be compiled within {what}; if it is meant to be so large, raise `{key}` in \
         [plugins] of trackside.toml",
        code = self.code()
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
    #[error(
        "[{code}] the process that compiles plugin `{name}` broke: {reason}; the plugin is not used",
        code = self.code()
    )]
    Worker {
        /// The plugin.
        name: String,
        /// How it ended.
        #[source]
        reason: Reason,
    },
    /// The node's own fault: the contract could not be linked.
    #[error(
        "[{code}] failed to prepare the plugin contract: {0}; this is a defect of the node, please report it",
        code = self.code()
    )]
    Internal(#[source] Reason),
}

impl Coded for LoadError {
    fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. } => code!("TS-0310"),
            Self::NotAComponent { .. } => code!("TS-0311"),
            Self::Compile { .. } => code!("TS-0312"),
            Self::WrongTrack { .. } => code!("TS-0313"),
            Self::WrongWorld { .. } => code!("TS-0314"),
            Self::UnknownImports { .. } => code!("TS-0315"),
            Self::DoesNotFit { .. } => code!("TS-0316"),
            Self::Describe { .. } => code!("TS-0317"),
            Self::BadDescriptor { .. } => code!("TS-0318"),
            Self::NotACommand { .. } => code!("TS-0320"),
            Self::CommandImports { .. } => code!("TS-0321"),
            Self::CommandDoesNotFit { .. } => code!("TS-0322"),
            Self::TooCostly { .. } => code!("TS-0328"),
            Self::Worker { .. } => code!("TS-0329"),
            Self::Internal(_) => code!("TS-0319"),
        }
    }
}
