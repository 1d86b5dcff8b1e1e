//! Loading a plugin: from bytes to something that can be run at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde::{Deserialize, Serialize};
use trackside_codes::{Class, Reason};
use trackside_spec::{Digest, JsonSchema};
use wasmtime::{Engine, Module, component::Component};

use crate::{
    bindings::PluginPre,
    cache::{self, Lookup},
    call::StepCall,
    command::{self, Form, about::about, kind, preview},
    compile,
    descriptor::Descriptor,
    engine::Shared,
    error::{LoadError, refused},
    host_api::StepHost,
    interfaces,
    report::StepReport,
    run, schema_cost,
    store_data::CallData,
    surface::{self, ComponentSurface, SurfaceError},
};

/// Largest component. Python plugins with their interpreter have about 35 MB.
const SIZE: usize = 64 << 20;

/// A plugin that is compiled, checked and ready. It keeps no state between calls, unless they ask for it
/// ([`StepCall::reuse`]).
pub struct Plugin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) program: Program,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) schemas: Schemas,
    name: String,
    digest: Digest,
    imports: Vec<String>,
    cache: CacheOutcome,
    retired: AtomicBool,
}

/// The kinds of code that a step can be.
pub(crate) enum Program {
    /// A component of the contract's world.
    Plugin(PluginPre<CallData>),
    /// A WASI command.
    Command(command::Program),
}

/// Where a plugin's native code came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// From the cache, verified.
    Hit,
    /// Compiled just now.
    Compiled,
    /// Compiled just now, because the cached file must not be used.
    Recompiled {
        /// What was wrong with the file.
        reason: String,
    },
}

/// The schemas of a descriptor, compiled.
pub(crate) struct Schemas {
    pub(crate) input: JsonSchema,
    pub(crate) output: JsonSchema,
}

impl Schemas {
    fn compile(descriptor: &Descriptor) -> Result<Self, Reason> {
        let compile = |what: &str, schema| {
            if let Some(problem) = schema_cost::problem(schema) {
                return Err(Reason::from(format!("its {what} cannot be used: {problem}")));
            }
            JsonSchema::compile(schema)
                .map_err(|reason| reason.told(|problem| format!("its {what} is no JSON Schema: {problem}")))
        };
        Ok(Self {
            input: compile("input-schema", &descriptor.input_schema)?,
            output: compile("output-schema", &descriptor.output_schema)?,
        })
    }
}

/// What is kept beside the code, under the same MAC, so that a plugin from the cache runs no code to be loaded.
#[derive(Serialize, Deserialize)]
struct Notes {
    /// What a plugin of the contract said of itself.
    descriptor: Option<Descriptor>,
    /// Which form a WASI command has.
    command: Option<Form>,
    imports: Vec<String>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Plugin {
    pub(crate) fn load(shared: &Arc<Shared>, bytes: &[u8], name: &str) -> Result<Self, LoadError> {
        let is_module = sniff(bytes, name)?;
        let digest = Digest::of(bytes);
        let outcome = match shared.cache.get(&digest) {
            Lookup::Hit { code, notes } => match Self::from_cache(shared, code, &notes, name, digest) {
                Ok(plugin) => return Ok(plugin),
                Err(reason) => CacheOutcome::Recompiled { reason: reason.to_string() },
            },
            Lookup::Absent => CacheOutcome::Compiled,
            Lookup::Refused(reason) => CacheOutcome::Recompiled { reason: reason.to_string() },
        };
        if let CacheOutcome::Recompiled { reason } = &outcome {
            tracing::warn!(plugin = name, "the compiled code in the cache is not used: {reason}; compiling again");
        }
        Self::compile(shared, bytes, is_module, name, digest, outcome)
    }

    fn from_cache(
        shared: &Arc<Shared>,
        code: cache::Code,
        notes: &[u8],
        name: &str,
        digest: Digest,
    ) -> Result<Self, Reason> {
        let notes: Notes = serde_json::from_slice(notes).map_err(|error| Reason::by(Class::Damaged, error))?;
        let unusable = |error: wasmtime::Error| Reason::because(Class::Unusable, format!("{error:#}"), error);
        let (linkers, engine) = (&shared.command_linkers, &shared.engine);
        let (program, descriptor) = match (notes.command, notes.descriptor) {
            (Some(form), _) => {
                let command = match form {
                    Form::Module => {
                        let module = cache::load(engine, &code).map_err(unusable)?;
                        command::Program::module(linkers, engine, &module, name)
                    }
                    Form::Component => {
                        let component = cache::load(engine, &code).map_err(unusable)?;
                        command::Program::component(linkers, engine, &component, name)
                    }
                };
                (Program::Command(command.map_err(Reason::of)?), about(name, form, digest))
            }
            (None, Some(descriptor)) => {
                let component = cache::load(engine, &code).map_err(unusable)?;
                let linker = shared.linker().map_err(Reason::of)?;
                let pre = linker.instantiate_pre(&component).and_then(PluginPre::new).map_err(unusable)?;
                (Program::Plugin(pre), descriptor)
            }
            (None, None) => return Err("its notes say nothing of what it is".into()),
        };
        Ok(Self {
            shared: shared.clone(),
            program,
            schemas: Schemas::compile(&descriptor)?,
            descriptor: Arc::new(descriptor),
            name: name.to_owned(),
            digest,
            imports: notes.imports,
            cache: CacheOutcome::Hit,
            retired: AtomicBool::new(false),
        })
    }

    fn compile(
        shared: &Arc<Shared>,
        bytes: &[u8],
        is_module: bool,
        name: &str,
        digest: Digest,
        outcome: CacheOutcome,
    ) -> Result<Self, LoadError> {
        let begin = Instant::now();
        let failed = |error| LoadError::Compile { name: name.to_owned(), reason: refused(error) };
        let outside = Outside::look(shared, bytes, is_module, name)?;
        let code = compile::compile(shared, bytes, is_module, name)?;
        tracing::debug!(plugin = name, bytes = bytes.len(), took = ?begin.elapsed(), "compiled");

        let (linkers, engine) = (&shared.command_linkers, &shared.engine);
        let (program, described, imports) = match outside {
            // What the compiler takes can be read.
            Err(error) => {
                let reason = Reason::by(Class::Unusable, error);
                return Err(LoadError::Compile { name: name.to_owned(), reason });
            }
            Ok(Outside { imports, kind: Kind::Module }) => {
                let module: Module = cache::load(engine, &code).map_err(failed)?;
                (Program::Command(command::Program::module(linkers, engine, &module, name)?), None, imports)
            }
            Ok(Outside { imports, kind: Kind::Command }) => {
                let component = cache::load(engine, &code).map_err(failed)?;
                (Program::Command(command::Program::component(linkers, engine, &component, name)?), None, imports)
            }
            Ok(Outside { imports, kind: Kind::Plugin }) => {
                let component = cache::load(engine, &code).map_err(failed)?;
                let (pre, descriptor) = contracted(shared, &component, name)?;
                (Program::Plugin(pre), Some(descriptor), imports)
            }
        };
        let form = program.command_form();
        let descriptor = match (&described, form) {
            (None, Some(form)) => about(name, form, digest),
            (Some(descriptor), _) => descriptor.clone(),
            (None, None) => return Err(LoadError::Internal(Reason::new(Class::Bug, "a plugin without a description"))),
        };
        let bad = |reason| LoadError::BadDescriptor { name: name.to_owned(), reason };
        let schemas = Schemas::compile(&descriptor).map_err(bad)?;

        let notes = Notes { descriptor: described, command: form, imports };
        // A cache that cannot be written costs time at the next start, nothing else.
        let kept = serde_json::to_vec(&notes)
            .map_err(std::io::Error::other)
            .and_then(|notes| shared.cache.put(&digest, &notes, &code));
        if let Err(error) = kept {
            tracing::warn!(plugin = name, "failed to keep the compiled code: {error}");
        }
        Ok(Self {
            shared: shared.clone(),
            program,
            schemas,
            descriptor: Arc::new(descriptor),
            name: name.to_owned(),
            digest,
            imports: notes.imports,
            cache: outcome,
            retired: AtomicBool::new(false),
        })
    }

    /// The name that it was loaded under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a WASI command, which is called with [`StepCall::command`].
    #[must_use]
    pub const fn is_command(&self) -> bool {
        matches!(self.program, Program::Command(_))
    }

    /// Digest of the component or module.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What it says about itself; of a WASI command, what can be said of any.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The interfaces that it imports, sorted; of a core module, its functions.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Where its native code came from.
    #[must_use]
    pub fn cache(&self) -> &CacheOutcome {
        &self.cache
    }

    /// Says that another component has taken its place. Calls under way end on this one; its warm instances are dropped,
    /// and no more are kept.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.shared.warm.forget(&self.digest);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Runs one attempt of a step, in an instance of its own unless [`StepCall::reuse`] says otherwise. Whatever the guest does, the report comes, at the latest
    /// a moment after the wall limit. Must be called within a tokio runtime with timers.
    pub async fn run(&self, call: StepCall, host: Arc<dyn StepHost>) -> StepReport {
        match &self.program {
            Program::Plugin(pre) => run::run(self, pre, call, host).await,
            Program::Command(program) => command::run::run(self, program, call, host).await,
        }
    }
}

impl Program {
    const fn command_form(&self) -> Option<Form> {
        match self {
            Self::Plugin(_) => None,
            Self::Command(program) => Some(program.form()),
        }
    }
}

/// Links a component of the contract's world and asks it who it is.
fn contracted(
    shared: &Arc<Shared>,
    component: &Component,
    name: &str,
) -> Result<(PluginPre<CallData>, Descriptor), LoadError> {
    let misfit = |error| LoadError::DoesNotFit { name: name.to_owned(), reason: refused(error) };
    let pre = shared.linker()?.instantiate_pre(component).and_then(PluginPre::new).map_err(misfit)?;
    let raw = run::describe(shared, &pre).map_err(|reason| LoadError::Describe { name: name.to_owned(), reason })?;
    let checked = Descriptor::check(raw);
    let descriptor = checked.map_err(|reason| LoadError::BadDescriptor { name: name.to_owned(), reason })?;
    Ok((pre, descriptor))
}

/// Tells what `bytes` are, unless they are a core module (true) or a component (false).
fn sniff(bytes: &[u8], name: &str) -> Result<bool, LoadError> {
    if bytes.len() > SIZE {
        return Err(LoadError::TooLarge { name: name.to_owned(), size: bytes.len(), limit: SIZE });
    }
    let (found, remedy) = if bytes.is_empty() {
        ("an empty file", "was it copied completely?")
    } else if Engine::detect_precompiled(bytes).is_some() {
        // Native code from outside would run unsandboxed.
        ("native code that some engine compiled before", "give the .wasm file that it was made of")
    } else {
        match bytes {
            [0, b'a', b's', b'm', _, _, 1, 0, ..] => return Ok(false),
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => return Ok(true),
            [0, b'a', b's', b'm', ..] => ("WebAssembly of an unknown version", "update the node"),
            [0x7f, b'E', b'L', b'F', ..] => ("an ELF file for some operating system", "build for target wasm32-wasip2"),
            _ if bytes.trim_ascii_start().starts_with(b"(") => {
                ("WebAssembly text", "turn it into a binary with `wasm-tools parse`")
            }
            _ => ("something else", "give a file built for target wasm32-wasip2"),
        }
    };
    Err(LoadError::NotAComponent { name: name.to_owned(), found, remedy })
}

/// What a file is by the names of its imports and exports.
struct Outside {
    imports: Vec<String>,
    kind: Kind,
}

enum Kind {
    Module,
    Command,
    Plugin,
}

impl Outside {
    /// Refuses what cannot run here, before anything is compiled. `Ok(Err)`: it cannot be read, which the compiler will say in
    /// its own words.
    fn look(
        shared: &Shared,
        bytes: &[u8],
        is_module: bool,
        name: &str,
    ) -> Result<Result<Self, SurfaceError>, LoadError> {
        if is_module {
            let module = match surface::module(bytes) {
                Ok(module) => module,
                Err(reason) => return Ok(Err(reason)),
            };
            kind::check_module(name, &module)?;
            preview::check(&shared.command_linkers, &shared.engine, bytes, &module, name)?;
            return Ok(Ok(Self { imports: kind::module_imports(&module), kind: Kind::Module }));
        }
        let ComponentSurface { imports, exports } = match surface::component(bytes) {
            Ok(component) => component,
            Err(reason) => return Ok(Err(reason)),
        };
        let kind = if kind::is_command(&exports) {
            kind::check_component(name, &imports)?;
            Kind::Command
        } else {
            interfaces::check(name, &imports, &exports)?;
            Kind::Plugin
        };
        Ok(Ok(Self { imports, kind }))
    }
}
