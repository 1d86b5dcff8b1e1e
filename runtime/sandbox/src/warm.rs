//! Warm instances: those of steps with `reuse`, waiting for the next attempt of the same step.
//!
//! What is kept is the guest's own memory, with the text streams that its runtime holds. Everything that the host keeps
//! for a call is made anew for the next one. An instance is only kept after a call that ended well, was shown no secret
//! and holds nothing of the host any more.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use trackside_spec::{Allow, Digest, Policy};
use trackside_sync::lock;
use wasmtime::Store;

use crate::{
    bindings,
    call::{CallLimits, Reuse, StepCall},
    store_data::CallData,
};

/// Whose an instance is. Only a call with the same key gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    digest: Digest,
    workflow: String,
    step: String,
    allow: Allow,
    policy: Policy,
    limits: CallLimits,
    fuel: Option<u64>,
    counts: bool,
    reuse: Reuse,
}

impl Key {
    /// Of a call, when its instance is to be kept. `counts` says whether the code counts instructions.
    pub(crate) fn of(call: &StepCall, digest: Digest, counts: bool) -> Option<Self> {
        Some(Self {
            digest,
            workflow: call.workflow.clone(),
            step: call.step.clone(),
            allow: call.allow.clone(),
            policy: call.policy.clone(),
            limits: call.limits,
            fuel: call.fuel,
            counts,
            reuse: call.reuse?,
        })
    }
}

/// An instance between two calls, or in one.
pub(crate) struct Instance {
    pub(crate) store: Store<CallData>,
    pub(crate) exports: bindings::Plugin,
    /// Calls that it has served.
    pub(crate) calls: u32,
}

struct Waiting {
    key: Key,
    instance: Instance,
    memory: u64,
    until: Instant,
}

/// The instances that wait, at most so many and so large.
pub(crate) struct WarmPool {
    most: usize,
    memory: u64,
    /// The one that waits longest first.
    waiting: Arc<Mutex<Waiters>>,
}

#[derive(Default)]
struct Waiters {
    instances: VecDeque<Waiting>,
    /// What the timer that drops idle ones waits for; `None` while there is no timer.
    timer: Option<Instant>,
    /// Tells the timer that something ends earlier than that.
    earlier: Arc<Notify>,
}

impl WarmPool {
    pub(crate) fn new(most: usize, memory: u64) -> Self {
        Self { most, memory, waiting: Arc::default() }
    }

    /// An instance for a call, the one that was used last.
    pub(crate) fn take(&self, key: &Key) -> Option<Instance> {
        let mut waiters = lock(&self.waiting);
        let gone = waiters.take_expired(Instant::now());
        let place = waiters.instances.iter().rposition(|waiting| waiting.key == *key);
        let found = place.and_then(|place| waiters.instances.remove(place));
        drop(waiters);
        // Only now: to free an instance takes longer than anybody should wait for the lock.
        drop(gone);
        found.map(|waiting| waiting.instance)
    }

    /// Keeps an instance whose call has ended well. Must be called within a tokio runtime.
    pub(crate) fn put(&self, key: Key, mut instance: Instance) {
        if instance.calls >= key.reuse.runs || self.most == 0 {
            return;
        }
        let memory = instance.store.data_mut().rest();
        if memory > self.memory {
            return;
        }
        let until = Instant::now() + key.reuse.idle;
        let mut gone = Vec::new();
        let mut waiters = lock(&self.waiting);
        waiters.instances.push_back(Waiting { key, instance, memory, until });
        let mut sum: u64 = waiters.instances.iter().map(|waiting| waiting.memory).sum();
        while waiters.instances.len() > self.most || sum > self.memory {
            let Some(longest) = waiters.instances.pop_front() else { break };
            sum -= longest.memory;
            gone.push(longest);
        }
        match waiters.timer {
            None => {
                waiters.timer = Some(until);
                tokio::spawn(drop_idle(Timer { waiting: Arc::downgrade(&self.waiting), until }));
            }
            Some(at) if until < at => waiters.earlier.notify_one(),
            Some(_) => {}
        }
        drop(waiters);
        drop(gone);
    }

    /// Drops the instances of a component.
    pub(crate) fn forget(&self, digest: &Digest) {
        let gone = lock(&self.waiting).take(|waiting| waiting.key.digest == *digest);
        drop(gone);
    }
}

impl Waiters {
    fn take_expired(&mut self, now: Instant) -> Vec<Waiting> {
        self.take(|waiting| waiting.until <= now)
    }

    fn take(&mut self, is_wanted: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        if !self.instances.iter().any(&is_wanted) {
            return Vec::new();
        }
        let (taken, kept) = std::mem::take(&mut self.instances).into_iter().partition(is_wanted);
        self.instances = kept;
        taken.into_iter().collect()
    }
}

/// The timer's own record; when the task ends in any way, the next instance starts another.
struct Timer {
    waiting: Weak<Mutex<Waiters>>,
    until: Instant,
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.upgrade() {
            lock(&waiting).timer = None;
        }
    }
}

/// Drops instances when their time is over, and ends with the last: a box without warm instances is not woken up.
async fn drop_idle(mut timer: Timer) {
    loop {
        let Some(earlier) = timer.waiting.upgrade().map(|waiting| lock(&waiting).earlier.clone()) else { return };
        tokio::select! {
            () = tokio::time::sleep_until(timer.until.into()) => {}
            () = earlier.notified() => {}
        }
        let Some(waiting) = timer.waiting.upgrade() else { return };
        let mut waiters = lock(&waiting);
        let gone = waiters.take_expired(Instant::now());
        let next = waiters.instances.iter().map(|waiting| waiting.until).min();
        waiters.timer = next;
        drop(waiters);
        drop(gone);
        match next {
            Some(next) => timer.until = next,
            None => {
                // Another may have been started since: its record stays.
                timer.waiting = Weak::new();
                return;
            }
        }
    }
}

impl Reuse {
    /// The same within what the host can bear.
    pub(crate) fn clamped(self) -> Self {
        Self { idle: self.idle.min(Duration::from_secs(86_400)), ..self }
    }
}
