//! The address for webhooks: open while a workflow has one, and only then.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use trackside_control::Hook;
use trackside_node::{Handle, InForce};

use crate::{error::ServerError, hooks, serve::accept};

/// Opens and closes the address as the definitions want it.
pub(crate) struct HookListener {
    handle: Handle,
    in_force: watch::Receiver<Arc<InForce>>,
    closed: watch::Receiver<bool>,
    open: Option<Open>,
    /// That nothing is configured was told.
    told: bool,
}

struct Open {
    closing: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl HookListener {
    /// Opens the address if a workflow has a webhook now, and goes on to do so. The task ends when `closed` becomes true.
    ///
    /// # Errors
    /// When nobody can listen there. Later that is told in the log, and tried again when definitions change.
    pub(crate) fn start(handle: Handle, closed: watch::Receiver<bool>) -> Result<JoinHandle<()>, ServerError> {
        let mut in_force = handle.in_force();
        in_force.mark_unchanged();
        let mut listener = Self { handle, in_force, closed, open: None, told: false };
        if listener.wanted() {
            listener.open()?;
        }
        Ok(tokio::spawn(listener.work()))
    }

    fn wanted(&self) -> bool {
        Hook::any(&self.in_force.borrow().project)
    }

    async fn work(mut self) {
        loop {
            let changed = tokio::select! {
                changed = self.in_force.changed() => changed.is_ok(),
                _ = self.closed.wait_for(|closed| *closed) => break,
            };
            if !changed {
                // Nothing changes any more: what is open stays so.
                let _ = self.closed.wait_for(|closed| *closed).await;
                break;
            }
            match (self.wanted(), self.open.is_some()) {
                (true, false) => {
                    if let Err(error) = self.open() {
                        tracing::error!("{error}");
                    }
                }
                (false, true) => {
                    self.close().await;
                    tracing::info!("not listening for webhooks any more: no workflow has one");
                }
                _ => {}
            }
        }
        self.close().await;
    }

    fn open(&mut self) -> Result<(), ServerError> {
        let project = self.handle.project();
        let Some(listen) = project.config.http_server.listen.clone() else {
            if !std::mem::replace(&mut self.told, true) {
                tracing::warn!(
                    "a workflow has a webhook, and nothing listens: set listen = \"127.0.0.1:7070\" in [http_server]"
                );
            }
            return Ok(());
        };
        let (listener, address) =
            self.bind(&listen).map_err(|source: io::Error| ServerError::Listen { listen, source })?;
        tracing::info!(%address, "listening for webhooks");
        let (closing, closed) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, hooks::router(self.handle.clone(), closed.clone()), closed));
        self.open = Some(Open { closing, accepting });
        Ok(())
    }

    fn bind(&self, listen: &str) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = std::net::TcpListener::bind(listen)?;
        let address = listener.local_addr()?;
        // Before anybody can be answered there: no step may start runs by it.
        self.handle.workshop().own.add(address);
        listener.set_nonblocking(true)?;
        Ok((TcpListener::from_std(listener)?, address))
    }

    /// Requests under way may end.
    async fn close(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.closing.send_replace(true);
            let _ = (&mut open.accepting).await;
        }
    }
}
