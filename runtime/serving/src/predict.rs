//! A request's way: rate, circuit, queue, engine, answer.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use trackside_codes::{Class, Reason};
use trackside_models::{Model, ModelError, ModelInfo, Output, Spent};
use trackside_spec::Tensor;
use trackside_sync::lock;

use crate::{
    batch,
    error::ServeError,
    gcra::Meter,
    here::wait_here,
    lane::{Entered, Ticket},
    measure,
    request::{Answer, Job, Request},
    rollout::{
        Part,
        shadow::{self, Shadow, Shadowed},
    },
    serving::Inner,
    slot::{Permit, Slot, Turn, Waiter},
    statistics::Times,
    watch::Seen,
};

/// A version that is loaded, for as long as somebody holds this: a caller that asks twice is answered by the same version twice.
#[derive(Clone)]
pub struct Served {
    pub(crate) inner: Arc<Inner>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) model: Arc<Model>,
    pub(crate) meter: Arc<Mutex<Meter>>,
    /// The rollout that it answers in.
    pub(crate) part: Option<Part>,
}

/// A request that is asked twice.
struct Again {
    inputs: Vec<(String, Tensor)>,
    outputs: Vec<String>,
    id: Option<String>,
}

/// What was seen of a request before it ran.
struct Looked {
    seen: Seen,
    /// What the candidate of a shadow is asked, too.
    again: Option<Again>,
}

/// What is to be done after the first look at a request.
enum Begun {
    Run(Box<Job>, Permit),
    Wait(oneshot::Receiver<Turn>, Ticket, Instant),
}

impl Served {
    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.slot.name
    }

    /// The version's number.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.slot.number
    }

    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        self.model.info()
    }

    /// Labels for the places of an output.
    #[must_use]
    pub fn labels(&self, output: &str) -> &[String] {
        let labels = &self.slot.version.labels;
        labels.get(output).or_else(|| labels.get("")).map_or(&[], Vec::as_slice)
    }

    /// Asks it. A model that takes a moment runs on this thread, so that nobody has to be woken; a longer one on a thread for
    /// blocking work of the runtime that this is called in.
    ///
    /// # Errors
    /// Any [`ServeError`] of a request.
    pub async fn predict(&self, request: Request) -> Result<Answer, ServeError> {
        if request.beside {
            return self.answer(request).await;
        }
        let looked = self.look(&request);
        let answer = self.answer(request).await;
        self.learn(looked, &answer);
        answer
    }

    async fn answer(&self, request: Request) -> Result<Answer, ServeError> {
        let (job, permit) = match self.begin(request)? {
            Begun::Run(job, permit) => (job, permit),
            Begun::Wait(turn, ticket, deadline) => {
                let waiting = Waiting { slot: &self.slot, ticket };
                let turn = tokio::time::timeout_at(deadline.into(), turn).await;
                drop(waiting);
                match turn {
                    Ok(Ok(Turn::Go(job, permit))) => (Box::new(job), permit),
                    Ok(Ok(Turn::Done(done))) => return *done,
                    Ok(Err(_)) => return Err(self.lost()),
                    Err(_) => return Err(self.late(self.slot.settings.timeout)),
                }
            }
        };
        self.gather(&job).await;
        if self.is_brief(measure::elements(&job.request.inputs)) {
            return self.run(*job, permit);
        }
        let (served, cancel) = (self.clone(), job.request.cancel.clone());
        let stop = StopOnDrop(Some(cancel));
        let answer = tokio::task::spawn_blocking(move || served.run(*job, permit)).await;
        stop.disarm();
        answer.unwrap_or_else(|error| {
            let reason = Reason::by(Class::Bug, error);
            Err(ServeError::Lost { name: self.slot.name.clone(), reason })
        })
    }

    /// The same for a caller whose thread may be blocked: it runs there.
    ///
    /// # Errors
    /// Any [`ServeError`] of a request.
    pub fn predict_here(&self, request: Request) -> Result<Answer, ServeError> {
        if request.beside {
            return self.answer_here(request);
        }
        let looked = self.look(&request);
        let answer = self.answer_here(request);
        self.learn(looked, &answer);
        answer
    }

    fn answer_here(&self, request: Request) -> Result<Answer, ServeError> {
        let cancel = request.cancel.clone();
        match self.begin(request)? {
            Begun::Run(job, permit) => self.run(*job, permit),
            Begun::Wait(turn, ticket, deadline) => {
                let waiting = Waiting { slot: &self.slot, ticket };
                let turn = async {
                    tokio::select! {
                        turn = turn => Some(turn),
                        () = cancel.cancelled() => None,
                    }
                };
                let turn = wait_here(turn, Some(deadline));
                drop(waiting);
                match turn {
                    Some(Some(Ok(Turn::Go(job, permit)))) => self.run(job, permit),
                    Some(Some(Ok(Turn::Done(done)))) => *done,
                    Some(Some(Err(_))) => Err(self.lost()),
                    Some(None) => Err(ServeError::Cancelled { name: self.slot.name.clone() }),
                    None => Err(self.late(self.slot.settings.timeout)),
                }
            }
        }
    }

    /// Looks at a request before it takes its tensors away.
    fn look(&self, request: &Request) -> Looked {
        let again = self
            .part
            .as_ref()
            .filter(|part| part.trial.is_shadowed() && self.inner.shadow.has_room(shadow::size(&request.inputs)));
        let again = again.map(|_| Again {
            inputs: request.inputs.clone(),
            outputs: request.outputs.clone(),
            id: request.id.clone(),
        });
        Looked { seen: self.slot.watch.asked(&self.model, request), again }
    }

    /// Learns from what came of it.
    fn learn(&self, looked: Looked, answer: &Result<Answer, ServeError>) {
        let took = self.slot.watch.answered(looked.seen, answer);
        let Some(part) = &self.part else { return };
        match looked.again {
            Some(Again { inputs, outputs, id }) => {
                let answer = answer.as_ref().map(|answer| (answer.outputs.clone(), answer.times.infer.as_secs_f64()));
                let seconds = answer.as_ref().map_or(0.0, |(_, seconds)| *seconds);
                let answer = answer.map(|(outputs, _)| outputs).map_err(Clone::clone);
                let trial = part.trial.clone();
                Shadow::send(&self.inner, Box::new(Shadowed { trial, inputs, outputs, id, answer, seconds }));
            }
            None => part.tell(answer, took),
        }
    }

    fn begin(&self, request: Request) -> Result<Begun, ServeError> {
        let (slot, came) = (&self.slot, Instant::now());
        let begun = self.admit(request, came);
        if let Err(error) = &begun
            && !matches!(error, ServeError::Cancelled { .. })
        {
            slot.counts.rejected(came.elapsed());
        }
        begun
    }

    fn admit(&self, request: Request, came: Instant) -> Result<Begun, ServeError> {
        let (slot, now) = (&self.slot, self.inner.clock.running());
        if let Some(rate) = slot.settings.rate.filter(|_| !request.beside) {
            let passed = lock(&self.meter).pass(rate, now);
            passed.map_err(|again_in| ServeError::TooOften { name: slot.name.clone(), again_in })?;
        }
        let pass = slot.pass(now)?;
        let limit = came + slot.settings.timeout;
        let deadline = request.deadline.map_or(limit, |deadline| deadline.min(limit));
        if deadline <= came {
            return Err(self.late(Duration::ZERO));
        }
        let may_join = slot.settings.batching.rows > 1 && !request.alone;
        let rows = if may_join { batch::rows(&request.inputs) } else { None };
        let priority = request.priority;
        let job = Job { request, model: self.model.clone(), pass, came, deadline, rows };
        let mut lane = lock(&slot.lane);
        if lane.try_run() {
            drop(lane);
            return Ok(Begun::Run(Box::new(job), Permit::of(slot)));
        }
        let (reply, turn) = oneshot::channel();
        let entered = lane.enter(priority, Waiter { job, reply });
        let waiting = lane.waiting();
        drop(lane);
        match entered {
            Entered::Run(Waiter { job, .. }) => Ok(Begun::Run(Box::new(job), Permit::of(slot))),
            Entered::Waits(ticket) => Ok(Begun::Wait(turn, ticket, deadline)),
            Entered::Instead(ticket, shed) => {
                slot.counts.rejected(shed.job.came.elapsed());
                let error = ServeError::Shed { name: slot.name.clone() };
                // Who is gone need not be told.
                let _ = shed.reply.send(Turn::Done(Box::new(Err(error))));
                Ok(Begun::Wait(turn, ticket, deadline))
            }
            Entered::Full(_) => Err(ServeError::QueueFull { name: slot.name.clone(), waiting }),
        }
    }

    /// Whether a request of so many elements takes about as long as waking another thread would. One that is larger than the last ones is
    /// taken to take longer by the square, as attention does; how long a loop takes is not seen from outside.
    fn is_brief(&self, elements: u64) -> bool {
        let (lately, of) = (self.slot.lately.load(Relaxed), self.slot.lately_of.load(Relaxed));
        let larger = u128::from(elements.div_ceil(of.max(1)).max(1));
        lately != 0
            && !self.model.info().has_loops
            && u128::from(lately) * larger * larger <= self.inner.settings.brief.as_nanos()
            // Others would not get into the queue to be run together while this thread is busy.
            && (self.slot.settings.batching.rows <= 1 || lock(&self.slot.lane).running() <= 1)
    }

    /// Waits for others to be run together with, when there are any about.
    async fn gather(&self, job: &Job) {
        let delay = self.slot.settings.batching.delay;
        if delay.is_zero() || job.rows.is_none() {
            return;
        }
        let now = u64::try_from(self.inner.clock.running().as_nanos()).unwrap_or(u64::MAX);
        let last = self.slot.last_arrival.swap(now, Relaxed);
        let is_alone = last == 0 || Duration::from_nanos(now.saturating_sub(last)) > delay;
        if !is_alone && lock(&self.slot.lane).waiting() == 0 {
            tokio::time::sleep_until((job.came + delay).min(job.deadline).into()).await;
        }
    }

    /// Runs a request whose turn it is, and others with it that may be.
    fn run(&self, job: Job, permit: Permit) -> Result<Answer, ServeError> {
        let slot = &self.slot;
        let mut jobs = vec![(job, None)];
        if let Some(rows) = jobs[0].0.rows {
            let mut room = slot.settings.batching.rows.saturating_sub(rows);
            let first = &jobs[0].0;
            let along = lock(&slot.lane).along(usize::MAX, |waiter| {
                let fits = waiter.job.rows.is_some_and(|rows| rows <= room)
                    && waiter.job.request.outputs == first.request.outputs
                    && Arc::ptr_eq(&waiter.job.model, &first.model)
                    && batch::alike(&first.request.inputs, &waiter.job.request.inputs);
                room = if fits { room - waiter.job.rows.unwrap_or(0) } else { room };
                fits
            });
            jobs.extend(along.into_iter().map(|waiter| (waiter.job, Some(waiter.reply))));
        }
        let own = if jobs.len() > 1 { self.run_together(jobs) } else { jobs.pop().map(|(job, _)| self.run_alone(job)) };
        // Only now: who is next must find this one's end counted.
        drop(permit);
        own.unwrap_or_else(|| Err(self.lost()))
    }

    /// Runs several; each of the others is told of its own, and the first's is given back.
    fn run_together(&self, jobs: Vec<(Job, Option<oneshot::Sender<Turn>>)>) -> Option<Result<Answer, ServeError>> {
        let slot = &self.slot;
        let (now, began) = (Instant::now(), Instant::now());
        let rows: Vec<u32> = jobs.iter().map(|(job, _)| job.rows.unwrap_or(0)).collect();
        let inputs: Vec<_> = jobs.iter().map(|(job, _)| &job.request.inputs).collect();
        let joined = batch::join(&inputs);
        let input = began.elapsed();
        let deadline = jobs.iter().map(|(job, _)| job.deadline).min().unwrap_or(now);
        let (first, all) = (&jobs.first()?.0, rows.iter().sum());
        let began = Instant::now();
        // Nobody's going ends what others wait for.
        let mut ran = joined.and_then(|inputs| {
            let cancel = trackside_sync::CancelToken::new();
            first.model.run(inputs, &first.request.outputs, Some(deadline), &cancel).ok()
        });
        let took = began.elapsed();
        let began = Instant::now();
        let outputs = ran.as_mut().map(|ran| std::mem::take(&mut ran.outputs));
        let parts = outputs.and_then(|outputs| {
            let outputs = outputs.into_iter().map(|(name, output)| {
                let parts = batch::split(&output, &rows)?;
                Some((name, parts))
            });
            outputs.collect::<Option<Vec<_>>>()
        });
        let split = began.elapsed();
        let (Some(parts), Some(ran)) = (parts, ran) else {
            // One of them, or running them together, is at fault: each alone tells which.
            let mut own = None;
            for (job, reply) in jobs {
                let answer = self.run_alone(job);
                tell(reply, answer, &mut own);
            }
            return own;
        };
        let shared = Times {
            queue: ran.queued,
            input: input + ran.spent.input,
            infer: ran.spent.infer,
            output: ran.spent.output + split,
        };
        slot.counts.ran(shared, all);
        self.note_time(took, jobs.iter().map(|(job, _)| measure::elements(&job.request.inputs)).sum());
        let together = jobs.len();
        let mut parts: Vec<(String, std::vec::IntoIter<Output>)> =
            parts.into_iter().map(|(name, parts)| (name, parts.into_iter())).collect();
        let mut own = None;
        for ((job, reply), rows) in jobs.into_iter().zip(rows) {
            let outputs = parts.iter_mut().filter_map(|(name, parts)| Some((name.clone(), parts.next()?))).collect();
            let times = Times { queue: now.saturating_duration_since(job.came) + shared.queue, ..shared };
            slot.counts.answered(times, job.came.elapsed(), rows, self.inner.now_ms());
            job.pass.tell(Some(true));
            let answer = Answer { outputs, version: slot.number, model: job.model, times, together };
            tell(reply, Ok(answer), &mut own);
        }
        slot.is_worn(true);
        own
    }

    fn run_alone(&self, job: Job) -> Result<Answer, ServeError> {
        let slot = &self.slot;
        let Job { request, model, pass, came, deadline, .. } = job;
        let now = Instant::now();
        let queue = now.saturating_duration_since(came);
        if now >= deadline {
            slot.counts.rejected(queue);
            return Err(self.late(queue));
        }
        let rows = request.inputs.first().and_then(|(_, tensor)| tensor.shape().first().copied()).unwrap_or(1);
        let elements = measure::elements(&request.inputs);
        let ran = model.run(request.inputs, &request.outputs, Some(deadline), &request.cancel);
        let took = now.elapsed();
        match ran {
            Ok(ran) => {
                let Spent { input, infer, output } = ran.spent;
                let times = Times { queue: queue + ran.queued, input, infer, output };
                slot.counts.ran(times, rows);
                slot.counts.answered(times, queue + took, rows, self.inner.now_ms());
                self.note_time(took, elements);
                pass.tell(Some(true));
                slot.is_worn(true);
                Ok(Answer { outputs: ran.outputs, version: slot.number, model, times, together: 1 })
            }
            Err(error) => {
                slot.counts.failed(came.elapsed());
                let says_nothing = matches!(
                    error,
                    ModelError::Input { .. } | ModelError::Output { .. } | ModelError::Cancelled { .. }
                );
                let is_excused = says_nothing || slot.settings.judged && slot.passes_its_test(&model);
                let fails = !is_excused;
                pass.tell(fails.then_some(false));
                let is_of_engine = matches!(error, ModelError::Run { .. });
                if fails && is_of_engine && slot.is_worn(false) {
                    self.inner.rebuild(slot.clone());
                }
                let error = Arc::new(error);
                Err(if is_of_engine && !fails {
                    ServeError::Unfit { name: slot.name.clone(), error }
                } else {
                    ServeError::Run(error)
                })
            }
        }
    }

    /// Of the last runs, the later the more.
    fn note_time(&self, took: Duration, elements: u64) {
        let mean = |of: &AtomicU64, now: u64| {
            let before = of.load(Relaxed);
            let next = if before == 0 { now } else { before - before / 8 + now / 8 };
            of.store(next.max(1), Relaxed);
        };
        mean(&self.slot.lately, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1));
        mean(&self.slot.lately_of, elements);
    }

    fn late(&self, waited: Duration) -> ServeError {
        ServeError::Late { name: self.slot.name.clone(), waited }
    }

    fn lost(&self) -> ServeError {
        let reason = Reason::new(Class::Bug, "nobody answered it");
        ServeError::Lost { name: self.slot.name.clone(), reason }
    }
}

/// Tells whoever waits, or keeps the first's own.
fn tell(
    reply: Option<oneshot::Sender<Turn>>,
    answer: Result<Answer, ServeError>,
    own: &mut Option<Result<Answer, ServeError>>,
) {
    match reply {
        // Who is gone need not be told.
        Some(reply) => drop(reply.send(Turn::Done(Box::new(answer)))),
        None => *own = Some(answer),
    }
}

/// Leaves the queue when it is dropped.
struct Waiting<'a> {
    slot: &'a Slot,
    ticket: Ticket,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let left = lock(&self.slot.lane).withdraw(self.ticket);
        if let Some(waiter) = left {
            self.slot.counts.rejected(waiter.job.came.elapsed());
        }
    }
}

/// A caller that goes drops its future; the run must stop with it.
struct StopOnDrop(Option<trackside_sync::CancelToken>);

impl StopOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(cancel) = &self.0 {
            cancel.cancel();
        }
    }
}
