//! The engine: which WebAssembly is accepted, how memory is laid out, and the parts that all plugins share.

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
};

use trackside_codes::{Class, Reason};
use trackside_net::Resolve;
use trackside_sync::lock;
use wasmtime::{Config, Engine, Memory, MemoryType, Store, WasmBacktraceDetails, component::Linker};

use crate::{
    cache::CodeCache,
    command,
    compile::CompileWorker,
    error::{LoadError, SandboxError, defect},
    host,
    net::Net,
    plugin::Plugin,
    slots::{self, Slots},
    store_data::CallData,
    ticker::Ticker,
    warm::WarmPool,
};

/// For address spaces of 39 bits and for `overcommit_memory = 2`, where the large reservation fails.
const SMALL_RESERVATION: u64 = 64 << 20;
/// So many memories at once must fit for the large reservation to be used.
const PROBED_MEMORIES: usize = 16;

/// Where the sandbox keeps compiled code and how it compiles.
#[derive(Clone, Debug)]
pub struct SandboxSettings {
    /// Folder of compiled code; made with mode 0700 when missing.
    pub cache_dir: PathBuf,
    /// The key that authenticates compiled code; made with mode 0600 when missing. Keep it out of backups that others
    /// can read: who has it can have code executed.
    pub key_file: PathBuf,
    /// Threads of one compilation, at least 1. They end with it.
    pub compile_threads: usize,
    /// How to start a process that compiles. Without one, this process does it, and a component that is made to take
    /// memory and time takes them here.
    pub worker: Option<CompileWorker>,
    /// The folder is kept below this many bytes; the entries that were not used for the longest time go first.
    pub cache_bytes: u64,
    /// Calls that run at the same time, at least 1; more wait for one of them to end.
    pub concurrent_calls: usize,
    /// Instances that wait for the next call of their step, at most ([`StepCall::reuse`](crate::StepCall::reuse)).
    pub warm_instances: usize,
    /// Memory of those together, in bytes.
    pub warm_bytes: u64,
    /// How instances get their memory.
    pub layout: Layout,
    /// A PEM file with the certificates of the authorities that servers are trusted by, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Looks host names up instead of the system.
    pub resolver: Option<Arc<dyn Resolve>>,
}

/// How instances get their memory. The sandbox begins with the one that it is told and goes on down the list where the
/// machine does not grant its address space (boards with 39-bit addresses, `ulimit -v`, `vm.overcommit_memory = 2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// Slots of 4 GiB, reserved once and used again after they were wiped: an instance costs no system call.
    Pooled,
    /// 4 GiB reserved for each instance and given back at its end.
    Large,
    /// 64 MiB reserved for each instance; code checks its bounds itself.
    Small,
}

impl SandboxSettings {
    /// One compile thread, 512 MiB of compiled code, calls for every core twice, 8 warm instances in 256 MiB.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>, key_file: impl Into<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            key_file: key_file.into(),
            compile_threads: 1,
            worker: None,
            cache_bytes: 512 << 20,
            concurrent_calls: 2 * std::thread::available_parallelism().map_or(1, usize::from),
            warm_instances: 8,
            warm_bytes: 256 << 20,
            layout: Layout::Pooled,
            ca_file: None,
            resolver: None,
        }
    }
}

/// Loads and runs plugins. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
    /// The same with instructions counted; made when it is first needed.
    counting: Arc<Mutex<Option<Arc<Shared>>>>,
    settings: Arc<SandboxSettings>,
}

/// What all plugins of a sandbox share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) cache: CodeCache,
    pub(crate) compile_threads: usize,
    pub(crate) worker: Option<CompileWorker>,
    pub(crate) net: Net,
    pub(crate) slots: Arc<Slots>,
    pub(crate) warm: Arc<WarmPool>,
    /// Whether its code counts instructions.
    pub(crate) counts: bool,
    pub(crate) layout: Layout,
    /// Made on the first load: a node without plugin steps never pays for it.
    linker: OnceLock<Linker<CallData>>,
    pub(crate) command_linkers: command::Linkers,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("layout", &self.shared.layout).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Prepares the engine, the cache folder and its key. Compiles nothing.
    ///
    /// # Errors
    /// When the engine does not start here, or the folder or the key cannot be trusted.
    pub fn new(settings: SandboxSettings) -> Result<Self, SandboxError> {
        let slots = Arc::new(Slots::new(settings.concurrent_calls, settings.warm_instances));
        let warm = Arc::new(WarmPool::new(settings.warm_instances, settings.warm_bytes));
        let net = Net::new(settings.ca_file.clone(), settings.resolver.clone());
        let shared = Arc::new(Shared::new(&settings, slots, warm, net, false)?);
        Ok(Self { shared, counting: Arc::default(), settings: Arc::new(settings) })
    }

    /// Makes a plugin of a component's bytes; `name` is for messages. Compiles it, or takes the compiled code of an
    /// earlier time from the cache. Blocks for seconds when it compiles: keep it off the async threads.
    ///
    /// # Errors
    /// When the bytes are no component of the contract's world, or it does not describe itself well.
    pub fn load(&self, bytes: &[u8], name: &str) -> Result<Arc<Plugin>, LoadError> {
        Plugin::load(&self.shared, bytes, name).map(Arc::new)
    }

    /// The same for a plugin whose instructions are counted: it keeps to [`StepCall::fuel`](crate::StepCall::fuel) and
    /// tells [`CallUsage::fuel`](crate::CallUsage::fuel). Counting makes its code slower, and it is compiled a second time.
    ///
    /// # Errors
    /// As [`load`](Self::load), and when the second engine does not start.
    pub fn load_counting(&self, bytes: &[u8], name: &str) -> Result<Arc<Plugin>, LoadError> {
        let shared = {
            let mut counting = lock(&self.counting);
            match &*counting {
                Some(shared) => shared.clone(),
                None => {
                    let (slots, net) = (self.shared.slots.clone(), self.shared.net.clone());
                    let made = Shared::new(&self.settings, slots, self.shared.warm.clone(), net, true);
                    let made = Arc::new(made.map_err(|error| LoadError::Internal(Reason::of(error)))?);
                    counting.insert(made).clone()
                }
            }
        };
        Plugin::load(&shared, bytes, name).map(Arc::new)
    }

    /// How instances get their memory on this machine.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.shared.layout
    }

    /// Epoch ticks since the start. They stand still while no guest code runs.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.shared.ticker.ticks()
    }
}

impl Shared {
    fn new(
        settings: &SandboxSettings,
        slots: Arc<Slots>,
        warm: Arc<WarmPool>,
        net: Net,
        counts: bool,
    ) -> Result<Self, SandboxError> {
        let (engine, layout) = engine(settings, &slots, counts)?;
        let cache = CodeCache::open(&engine, &settings.cache_dir, &settings.key_file, settings.cache_bytes)?;
        let ticker = Ticker::start(&engine).map_err(SandboxError::Thread)?;
        Ok(Self {
            engine,
            ticker,
            cache,
            compile_threads: settings.compile_threads.max(1),
            worker: settings.worker.clone(),
            net,
            slots,
            warm,
            counts,
            layout,
            linker: OnceLock::new(),
            command_linkers: command::Linkers::default(),
        })
    }

    /// The linker with WASI and the contract in it.
    pub(crate) fn linker(&self) -> Result<&Linker<CallData>, LoadError> {
        if let Some(linker) = self.linker.get() {
            return Ok(linker);
        }
        let linker = host::linker(&self.engine).map_err(|error| LoadError::Internal(defect(error)))?;
        Ok(self.linker.get_or_init(|| linker))
    }
}

/// An engine with the best layout that this machine grants.
fn engine(settings: &SandboxSettings, slots: &Slots, counts: bool) -> Result<(Engine, Layout), SandboxError> {
    let with = |layout| {
        let mut config = config(layout, settings.compile_threads > 1, counts);
        if layout == Layout::Pooled {
            let kept = Engine::new(config.allocation_strategy(slots.pool(true)));
            return kept.or_else(|_| Engine::new(config.allocation_strategy(slots.pool(false))));
        }
        let engine = Engine::new(&config)?;
        let mut store = Store::new(&engine, ());
        for _ in 0..PROBED_MEMORIES {
            Memory::new(&mut store, MemoryType::new(1, None))?;
        }
        Ok::<_, wasmtime::Error>(engine)
    };
    let mut refused: Option<Reason> = None;
    for layout in [Layout::Pooled, Layout::Large, Layout::Small] {
        // A second pool would reserve its address space a second time, for plugins that are seldom run.
        if layout < settings.layout || (counts && layout == Layout::Pooled) {
            continue;
        }
        match with(layout) {
            Ok(engine) => {
                if let Some(refused) = refused {
                    tracing::info!("plugins run a little slower here, in the layout {layout:?}: {refused}");
                }
                return Ok((engine, layout));
            }
            Err(error) => refused = Some(Reason::because(Class::Setup, format!("{error:#}"), error)),
        }
    }
    Err(SandboxError::Engine(refused.unwrap_or_else(|| Reason::new(Class::Bug, "no layout was tried"))))
}

/// What compiled code depends on is the same for every process that is given the same three values.
pub(crate) fn config(layout: Layout, parallel: bool, counts: bool) -> Config {
    let mut config = Config::new();
    config.consume_fuel(counts);
    // Interruption and stacks.
    config
        .epoch_interruption(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(slots::STACK)
        // A guest can not read its native stack.
        .async_stack_zeroing(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(64))
        // Only native debuggers and profilers need it, and registering it slows every load.
        .native_unwind_info(false)
        .parallel_compilation(parallel);
    // The same bytes in give the same bytes out, on every machine: the bits of a NaN are the one thing that the
    // accepted proposals leave open.
    config.cranelift_nan_canonicalization(true);
    // Memory.
    if layout == Layout::Small {
        config.memory_reservation(SMALL_RESERVATION).memory_guard_size(2 << 20).memory_reservation_for_growth(16 << 20);
    } else {
        config.memory_reservation(slots::RESERVATION);
    }
    // Proposals that no supported guest language needs are off; each was the subject of advisories.
    config
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_threads(false)
        .wasm_memory64(false)
        // QuickJS is built with it.
        .wasm_tail_call(true)
        .wasm_relaxed_simd(false)
        // Not for guests, whose modules may have one memory each: the code that wasmtime makes to connect the parts of a
        // component has several, and without this its compiler panics.
        .wasm_multi_memory(true)
        .wasm_stack_switching(false)
        .concurrency_support(false)
        .shared_memory(false);
    config
}
