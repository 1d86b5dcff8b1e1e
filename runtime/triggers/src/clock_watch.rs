//! Tells when somebody sets the wall clock: time synchronisation after boot, an operator, a resume with another clock.
//!
//! A timer that never expires is armed on the wall clock with "cancel on set". A thread blocks on it in the kernel and is
//! woken by nothing else.

use std::{
    fmt, io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    thread::{Builder, JoinHandle},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    io::Errno,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime},
};

/// Watches the wall clock until it is dropped.
pub struct ClockWatch {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl ClockWatch {
    /// Calls `on_set` after every setting of the wall clock, on a thread of its own. Gradual adjustment is no setting.
    ///
    /// # Errors
    /// When the kernel has no timer, descriptor or thread to give.
    pub fn start(on_set: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        arm(&timer)?;
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let theirs = Arc::clone(&stop);
        let run = move || watch(&timer, &theirs, on_set);
        let thread = Builder::new().name("clock-watch".to_owned()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for ClockWatch {
    fn drop(&mut self) {
        // Writing 1 to a fresh eventfd cannot fail; if it did, joining would wait for ever.
        if rustix::io::write(&*self.stop, &1u64.to_ne_bytes()).is_ok()
            && let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("TS-0422: the clock watch had panicked; clock changes were not noticed since");
        }
    }
}

impl fmt::Debug for ClockWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClockWatch")
    }
}

fn watch(timer: &OwnedFd, stop: &OwnedFd, mut on_set: impl FnMut()) {
    loop {
        let mut waiting = [PollFd::new(timer, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return tracing::error!("TS-0422: the clock watch cannot wait: {error}"),
        }
        if !waiting[1].revents().is_empty() {
            return;
        }
        let mut expirations = [0; 8];
        let cancelled = rustix::io::read(timer.as_fd(), &mut expirations) == Err(Errno::CANCELED);
        // Armed before the call, so that a clock set again during it is not missed.
        if let Err(error) = arm(timer) {
            return tracing::error!("TS-0422: the clock watch cannot be armed again: {error}");
        }
        if cancelled {
            on_set();
        }
    }
}

/// Arms the timer for a day that no run of this program will see.
fn arm(timer: &OwnedFd) -> io::Result<()> {
    const YEAR_2200: i64 = 7_258_118_400;
    let never = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec { tv_sec: YEAR_2200, tv_nsec: 0 },
    };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    match timerfd_settime(timer, flags, &never) {
        // The clock was set since the last call: the kernel says so once, and has armed the timer all the same.
        Err(Errno::CANCELED) => Ok(()),
        armed => armed.map(drop).map_err(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn dropping_it_ends_the_thread_and_an_unset_clock_calls_nobody() {
        let (sender, calls) = mpsc::channel();
        let watch = ClockWatch::start(move || sender.send(()).unwrap()).unwrap();
        drop(watch);
        // The thread is joined and its sender gone: the channel is closed and empty.
        assert_eq!(calls.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}
