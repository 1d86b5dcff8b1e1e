//! What is said while something takes long: nobody should have to wonder whether a silent program still works.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{console::Console, output::duration_ms};

/// What takes less is not spoken of.
const FIRST: Duration = Duration::from_secs(3);
/// Between two lines at most; a log that is kept must not fill up with them.
const LONGEST: Duration = Duration::from_secs(300);

/// Says now and then that work is under way, as long as it is kept. On standard error, on a terminal and elsewhere.
pub struct Progress {
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// `what` is a clause such as `compiling the plugin line-stats`.
    pub fn start(console: Console, what: String) -> Self {
        let (over, waited) = channel();
        let began = Instant::now();
        let work = move || {
            for wait in waits() {
                match waited.recv_timeout(wait) {
                    Err(RecvTimeoutError::Timeout) => console.say(&line(&what, began.elapsed())),
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        // Without a thread for it nothing is said, and the work is done all the same.
        let thread = std::thread::Builder::new().name("progress".into()).spawn(work).ok();
        Self { over: Some(over), thread }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.over.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs work that may take long, and says so.
pub fn telling<T>(console: Console, what: impl Into<String>, work: impl FnOnce() -> T) -> T {
    let _progress = Progress::start(console, what.into());
    work()
}

/// How long to be silent, time after time: twice as long as before.
pub fn waits() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST), |wait| Some((*wait * 2).min(LONGEST)))
}

/// One line.
pub fn line(what: &str, elapsed: Duration) -> String {
    format!("… {what}: {} so far", duration_ms(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_makes_a_few_lines() {
        let mut at = Duration::ZERO;
        let lines = waits().take_while(|wait| {
            at += *wait;
            at < Duration::from_secs(3600)
        });
        assert_eq!(lines.count(), 17);
        assert_eq!(line("compiling", Duration::from_secs(65)), "… compiling: 1 min 5 s so far");
    }
}
