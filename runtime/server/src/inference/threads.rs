//! The threads that speak with clients. A connection stays on one of them.
//!
//! One runtime for all threads moves a connection to whichever is free, and wakes another one to look for work whenever a task wakes itself,
//! as HTTP's does for each body: two threads then took turns at the requests of a single client. Here nobody is woken but by the
//! system. What takes long goes to threads for blocking work, so that none of those who share a thread waits for it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
    sync::watch,
};

use super::busy_poll;

/// All of them; they end when it is dropped, and what they work on is dropped with them.
pub(crate) struct Threads {
    all: Vec<One>,
    ended: watch::Sender<bool>,
}

struct One {
    runtime: Handle,
    /// Connections on it.
    open: Arc<AtomicUsize>,
}

impl Threads {
    /// Starts so many, at least one.
    pub(crate) fn start(many: usize, busy_poll: Duration) -> io::Result<Self> {
        let (ended, until) = watch::channel(false);
        let start = |_| {
            let runtime = Builder::new_current_thread().enable_all().thread_name("inference-run").build()?;
            let (handle, mut until) = (runtime.handle().clone(), until.clone());
            let work = move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = busy_poll::look(busy_poll) => {}
                        // The sender is gone, or it says so.
                        _ = until.wait_for(|ended| *ended) => {}
                    }
                });
                // In whatever state: it waits for nothing.
                runtime.shutdown_background();
            };
            thread::Builder::new().name("inference".to_owned()).spawn(work)?;
            Ok(One { runtime: handle, open: Arc::default() })
        };
        let all = (0..many.max(1)).map(start).collect::<io::Result<_>>()?;
        Ok(Self { all, ended })
    }

    /// The first one, for what is no connection.
    pub(crate) fn first(&self) -> &Handle {
        &self.all[0].runtime
    }

    /// Has a connection served by the thread that has the fewest.
    pub(crate) fn serve<F: Future<Output = ()> + Send + 'static>(
        &self,
        stream: TcpStream,
        with: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) -> io::Result<()> {
        // It was registered with the runtime that accepted it.
        let stream = stream.into_std()?;
        let Some(one) = self.all.iter().min_by_key(|one| one.open.load(Relaxed)) else { return Ok(()) };
        let counted = Counted::one(&one.open);
        one.runtime.spawn(async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => with(stream).await,
                Err(error) => tracing::warn!(%error, "cannot serve a connection"),
            }
            drop(counted);
        });
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.ended.send_replace(true);
    }
}

/// A connection, until it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn one(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Relaxed);
        Self(open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
