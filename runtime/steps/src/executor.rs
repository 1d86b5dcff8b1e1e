//! Runs attempts: plugins on the sandbox, models on their engines. Owns no state but what is under way.

use std::{
    collections::{BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::runtime::{Handle, Runtime};
use trackside_codes::Coded;
use trackside_engine::{Outcome, RunId, StepError};
use trackside_sandbox::CancelToken;
use trackside_spec::StepIndex;
use trackside_store::Hold;
use trackside_sync::lock;

use crate::{
    attempt_permits::AttemptPermits,
    contracts::{self, Verdict},
    give_back_memory::give_back,
    job::{AttemptKey, Checked, Report, StepJob, StepResult},
    kinds::{self, Attempt, Needed},
    workshop::Workshop,
};

/// How long steps have to stop when the node goes down.
const GRACE: Duration = Duration::from_secs(3);

/// The threads that run steps, and a handle on each attempt.
pub struct Executor {
    runtime: Mutex<Option<Runtime>>,
    /// Set at the end: attempts that are stopped now are not failures, they are made again at the next start.
    closing: Arc<AtomicBool>,
    workshop: Arc<Workshop>,
    permits: Arc<AttemptPermits>,
    under_way: Arc<Mutex<HashMap<AttemptKey, CancelToken>>>,
    tell: Tell,
}

/// Tells whoever handed the jobs over.
type Tell = Arc<dyn Fn(Report) + Send + Sync>;

impl Executor {
    /// Starts the threads, one per core, for `room` attempts at the same time; `tell` is called on them.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        workshop: Arc<Workshop>,
        room: usize,
        tell: impl Fn(Report) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores)
            .thread_name("step")
            .enable_all()
            .build()?;
        Ok(Self {
            runtime: Mutex::new(Some(runtime)),
            closing: Arc::default(),
            workshop,
            permits: Arc::new(AttemptPermits::new(room)),
            under_way: Arc::default(),
            tell: Arc::new(tell),
        })
    }

    /// Starts an attempt.
    pub fn execute(&self, job: Box<StepJob>) {
        if let Some(runtime) = self.handle() {
            runtime.spawn(self.attempt(job));
        }
    }

    /// Starts an attempt on the caller's own thread: for one that will be over in a moment, while nothing else is to be done. Waking
    /// another thread costs more than it does, and then that thread wakes the caller. What it does not do at one go, because it
    /// waits for something or takes longer than a guest may hold a thread, goes on where the others are.
    pub fn execute_here(&self, job: Box<StepJob>) {
        let Some(runtime) = self.handle() else { return };
        let mut attempt = Box::pin(self.attempt(job));
        let _entered = runtime.enter();
        // Polled anew where it goes on: nobody needs to be woken for what becomes ready until then.
        let mut context = Context::from_waker(Waker::noop());
        // A panic has been told by the hook, and its attempt's end by what the attempt leaves behind.
        let polled = catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(&mut context)));
        if matches!(polled, Ok(Poll::Pending)) {
            runtime.spawn(attempt);
        }
    }

    fn handle(&self) -> Option<Handle> {
        lock(&self.runtime).as_ref().map(|runtime| runtime.handle().clone())
    }

    fn attempt(&self, job: Box<StepJob>) -> impl Future<Output = ()> + Send + 'static {
        let key = job.key();
        let cancel = CancelToken::new();
        lock(&self.under_way).insert(key, cancel.clone());
        let (workshop, under_way, tell) = (self.workshop.clone(), self.under_way.clone(), self.tell.clone());
        let (closing, permits) = (self.closing.clone(), self.permits.clone());
        let ends = Ends { key, attempt: job.attempt, under_way, closing, tell: tell.clone() };
        async move {
            let Some(_permit) = permits.take(&job.plan.name, &cancel).await else {
                let error = StepError::fatal("cancelled", "stopped before it began");
                let attempt = job.attempt;
                return ends.with(StepResult::failed(key, attempt, error));
            };
            let hold = Hold::new(&workshop.artifacts);
            match attempt_of(workshop, job, &hold, cancel, tell).await {
                Some(result) => ends.with(StepResult { hold: Some(hold), ..result }),
                None => ends.forget(),
            }
        }
    }

    /// Stops everything under way and ends the threads. What does not stop in time is cut off.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        for cancel in lock(&self.under_way).values() {
            cancel.cancel();
        }
        let runtime = lock(&self.runtime).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_timeout(GRACE);
        }
    }

    /// Asks an attempt to stop.
    pub fn stop(&self, run: RunId, step: StepIndex, item: Option<u32>) {
        if let Some(cancel) = lock(&self.under_way).get(&(run, step, item)) {
            cancel.cancel();
        }
    }

    /// Loads what the given plans will need, in the background, so that their first runs do not wait, then
    /// rests.
    pub fn warm(&self, plans: impl IntoIterator<Item = Arc<trackside_spec::Plan>>) {
        let runtime = lock(&self.runtime);
        let Some(runtime) = &*runtime else { return };
        let plans: Vec<_> = plans.into_iter().collect();
        let steps = plans.iter().flat_map(|plan| &plan.steps);
        let needed: BTreeSet<Needed> = steps.filter_map(|step| kinds::of(&step.action)?.needs()).collect();
        let workshop = self.workshop.clone();
        runtime.spawn_blocking(move || {
            // Where clients are served, too, that waits for them, and tells of its readiness.
            if workshop.config.inference.listen.is_none() {
                for problem in workshop.models.serving().start() {
                    tracing::error!("{}", problem.told());
                }
            }
            for needed in needed {
                if let Some(problem) = needed.load(&workshop) {
                    let name = needed.name();
                    tracing::error!(name, problem, "steps that use it will fail until this is mended");
                }
            }
            give_back();
        });
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reports the end of an attempt, also when the host's own code panics under it: that ends the attempt, not the box.
struct Ends {
    key: AttemptKey,
    attempt: u32,
    under_way: Arc<Mutex<HashMap<AttemptKey, CancelToken>>>,
    closing: Arc<AtomicBool>,
    tell: Tell,
}

impl Ends {
    fn with(self, result: StepResult) {
        self.forget();
        if !(self.closing.load(Ordering::Acquire) && matches!(result.outcome, Outcome::Failed(_))) {
            (self.tell)(Report::Done(Box::new(result)));
        }
    }

    fn forget(&self) {
        lock(&self.under_way).remove(&self.key);
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        // A runtime that is shut down drops its tasks too: those attempts are made again at the next start.
        if std::thread::panicking() {
            self.forget();
            let error = StepError::fatal("internal-error", "the executor panicked; the node's log has the place");
            (self.tell)(Report::Done(Box::new(StepResult::failed(self.key, self.attempt, error))));
        }
    }
}

/// `None` when there is nothing to tell: the core went on by itself.
async fn attempt_of(
    workshop: Arc<Workshop>,
    mut job: Box<StepJob>,
    hold: &Hold,
    cancel: CancelToken,
    tell: Tell,
) -> Option<StepResult> {
    if let Some(inputs) = job.contracts.take() {
        let key = job.key();
        let passed = match contracts::check(&workshop, &job, inputs, hold, &cancel, true).await {
            Verdict::Passed(passed) => *passed,
            Verdict::Stopped(outcome, logs) => {
                return Some(StepResult { logs, ..StepResult::of(&job, outcome) });
            }
        };
        let (reply, given) = tokio::sync::oneshot::channel();
        let reply = Box::new(move |given| drop(reply.send(given)));
        let (run, step, item, attempt) = (job.run, job.step, job.item, job.attempt);
        tell(Report::Checked(Box::new(Checked { run, step, item, attempt, passed, reply })));
        // No attempt is made here: the core goes on with what passed.
        kinds::of(&job.plan.step(job.step).action)?;
        match given.await {
            Ok(Ok((input, command))) => (job.input, job.command) = (input, command),
            Ok(Err(error)) => return Some(StepResult::failed(key, job.attempt, error)),
            // The dispatcher has ended.
            Err(_) => return None,
        }
    }
    Some(kinds::run(Attempt { workshop: &workshop, job: &job, hold, cancel }).await)
}
