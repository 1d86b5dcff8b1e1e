//! Looking for the next request for a moment before the thread goes to sleep.
//!
//! A client that sends its next request as soon as it has an answer is answered sooner by a thread that is awake: on a small or a virtual
//! machine waking one costs as much as a small model. So where such a client came again within a moment, the thread looks for that long before
//! it sleeps. Whoever else has something to do on that core is let by with every look, and all connections of the thread are
//! looked at, so that only time is taken that nobody wants.

use std::{
    cell::Cell,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

thread_local! {
    static HERE: Cell<Option<Rc<BusyPoll>>> = const { Cell::new(None) };
}

/// What one thread knows of the request before.
struct BusyPoll {
    longest: Duration,
    /// When the last answer was ready, and on which connection.
    answered: Cell<Option<(Instant, usize)>>,
    /// Whether the connection's next request came within the moment.
    keen: Cell<bool>,
    until: Cell<Option<Instant>>,
    begin: Notify,
}

fn here() -> Option<Rc<BusyPoll>> {
    HERE.with(|here| {
        let known = here.take();
        here.set(known.clone());
        known
    })
}

/// Looks, on this thread, whenever there is reason to. Ends never.
pub(crate) async fn look(longest: Duration) {
    if longest.is_zero() {
        return std::future::pending().await;
    }
    let busy = Rc::new(BusyPoll {
        longest,
        answered: Cell::new(None),
        keen: Cell::new(false),
        until: Cell::new(None),
        begin: Notify::new(),
    });
    HERE.with(|here| here.set(Some(busy.clone())));
    loop {
        busy.begin.notified().await;
        while busy.until.get().is_some_and(|until| Instant::now() < until) {
            thread::yield_now();
            // The runtime looks at its sockets, without waiting, before this task has its turn again.
            tokio::task::yield_now().await;
        }
    }
}

/// A request came on this connection.
pub(crate) fn came(connection: usize) {
    if let Some(busy) = here() {
        let soon = |(at, on): (Instant, usize)| on == connection && at.elapsed() <= busy.longest;
        busy.keen.set(busy.answered.get().is_some_and(soon));
        busy.until.set(None);
    }
}

/// Its answer is ready.
pub(crate) fn answered(connection: usize) {
    if let Some(busy) = here() {
        let now = Instant::now();
        busy.answered.set(Some((now, connection)));
        if busy.keen.get() {
            busy.until.set(Some(now + busy.longest));
            busy.begin.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this thread looks for the next request of the one that was answered last.
    fn looks() -> bool {
        here().is_some_and(|busy| busy.until.get().is_some())
    }

    fn on_a_thread(longest: Duration, work: impl FnOnce()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = look(longest) => {}
                () = async { work() } => {}
            }
        });
        HERE.with(Cell::take);
    }

    #[test]
    fn a_client_that_comes_again_within_the_moment_is_looked_for() {
        on_a_thread(Duration::from_secs(3600), || {
            came(1);
            answered(1);
            assert!(!looks(), "nobody knows yet that it will come again");
            came(1);
            answered(1);
            assert!(looks());
            came(2);
            assert!(!looks(), "there is something to do");
            answered(2);
            assert!(!looks(), "of several each is waited for by the system");
        });
    }

    #[test]
    fn who_takes_its_time_and_who_forbids_it_is_not_looked_for() {
        on_a_thread(Duration::from_nanos(1), || {
            (0..3).for_each(|_| {
                came(1);
                std::hint::black_box([0; 4096]);
                answered(1);
            });
            assert!(!looks());
        });
        on_a_thread(Duration::ZERO, || {
            came(1);
            answered(1);
            came(1);
            answered(1);
            assert!(!looks());
        });
    }

    #[test]
    fn what_comes_meanwhile_is_heard_at_once() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let work = async {
                (0..2).for_each(|_| {
                    came(1);
                    answered(1);
                });
                let teller = thread::spawn(move || tell.send(5));
                assert_eq!(told.await, Ok(5));
                teller.join().unwrap().unwrap();
            };
            tokio::select! {
                () = look(Duration::from_secs(3600)) => {}
                () = work => {}
            }
        });
        HERE.with(Cell::take);
    }
}
