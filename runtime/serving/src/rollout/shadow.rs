//! Requests that the candidate answers, too, behind everybody's back: on one thread, below all others, and only as many as fit.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use trackside_models::Output;
use trackside_spec::{ModelVersion, Tensor};
use trackside_sync::lock;

use super::{Told, Trial, trial::failed};
use crate::{
    error::ServeError,
    request::Request,
    serving::{Inner, Serving},
};

/// Requests that wait for the candidate, and bytes of their inputs.
const WAITING: usize = 64;
const BYTES: usize = 64 << 20;
/// Below all requests.
const LOWEST: u32 = u32::MAX;

/// A request that the version in service has answered.
pub(crate) struct Shadowed {
    pub(crate) trial: Arc<Trial>,
    pub(crate) inputs: Vec<(String, Tensor)>,
    pub(crate) outputs: Vec<String>,
    /// What it is called.
    pub(crate) id: Option<String>,
    pub(crate) answer: Result<Vec<(String, Output)>, ServeError>,
    pub(crate) seconds: f64,
}

/// The way to the thread.
#[derive(Default)]
pub(crate) struct Shadow {
    sender: Mutex<Option<SyncSender<Box<Shadowed>>>>,
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

impl Shadow {
    /// Whether there is room for inputs of so many bytes.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let fits = self.bytes.load(Relaxed).saturating_add(bytes) <= BYTES;
        if !fits {
            self.dropped.fetch_add(1, Relaxed);
        }
        fits
    }

    /// Requests that were not run twice because there was no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Hands one over; it is dropped where others wait already.
    pub(crate) fn send(inner: &Arc<Inner>, shadowed: Box<Shadowed>) {
        let shadow = &inner.shadow;
        let bytes = size(&shadowed.inputs);
        let mut sender = lock(&shadow.sender);
        if sender.is_none() {
            *sender = start(inner);
        }
        shadow.bytes.fetch_add(bytes, Relaxed);
        let sent = sender.as_ref().map(|sender| sender.try_send(shadowed));
        if !matches!(sent, Some(Ok(()))) {
            shadow.bytes.fetch_sub(bytes, Relaxed);
            shadow.dropped.fetch_add(1, Relaxed);
            if matches!(sent, Some(Err(TrySendError::Disconnected(_)))) {
                *sender = None;
            }
        }
    }
}

/// Bytes of tensors.
pub(crate) fn size(inputs: &[(String, Tensor)]) -> usize {
    inputs.iter().map(|(_, tensor)| tensor.data().len() + tensor.text().iter().map(String::len).sum::<usize>()).sum()
}

fn start(inner: &Arc<Inner>) -> Option<SyncSender<Box<Shadowed>>> {
    let (sender, waiting) = sync_channel(WAITING);
    // It ends with the models in service.
    let inner = Arc::downgrade(inner);
    let work = move || {
        // Where the system refuses, it is as important as others.
        let _ = rustix::process::setpriority_process(None, 19);
        work(&inner, &waiting);
    };
    match thread::Builder::new().name("model-shadow".to_owned()).spawn(work) {
        Ok(_) => Some(sender),
        Err(error) => {
            tracing::error!("failed to start the thread that runs requests twice: {error}");
            None
        }
    }
}

fn work(inner: &std::sync::Weak<Inner>, waiting: &Receiver<Box<Shadowed>>) {
    while let Ok(shadowed) = waiting.recv() {
        let Some(inner) = inner.upgrade() else { break };
        let bytes = size(&shadowed.inputs);
        run(&Serving(inner.clone()), *shadowed);
        inner.shadow.bytes.fetch_sub(bytes, Relaxed);
    }
}

fn run(serving: &Serving, shadowed: Shadowed) {
    let Shadowed { trial, inputs, outputs, id, answer, seconds } = shadowed;
    let version = ModelVersion::Number(trial.candidate);
    let served = serving.open_here(&trial.model, &version, None);
    let slot = served.as_ref().ok().map(|served| served.slot.clone());
    let held = slot.as_ref().and_then(|slot| slot.watch.feedback.hold(&inputs));
    let request = Request { inputs, outputs, priority: LOWEST, beside: true, ..Request::default() };
    let other = served.and_then(|served| {
        let other = served.predict_here(request);
        served.slot.watch.feedback.beside(id.as_deref(), &other);
        other
    });
    let took = other.as_ref().map_or(0.0, |answer| answer.times.infer.as_secs_f64());
    let other = other.map(|answer| answer.outputs);
    let (Some(stable), Some(candidate)) = (failed(&answer), failed(&other)) else { return };
    let both = if let (Ok(one), Ok(other)) = (&answer, &other) { Some((one, other)) } else { None };
    let agreed = match both {
        Some((one, other)) => trial.compared.agreed(one, other),
        // Where one has an answer and the other has none.
        None if stable != candidate => Some(0.0),
        None => None,
    };
    if let (Some(slot), Some(held), Some((one, other)), Some(..1.0)) = (slot, held, both, agreed) {
        slot.watch.feedback.disagreed(held, id, one, other);
    }
    let score = |outputs| trial.compared.score(outputs);
    let scores = both.and_then(|(one, other)| score(one).zip(score(other)));
    trial.tell(&Told::Pair { failed: (stable, candidate), seconds: (seconds, took), agreed, scores });
}
