//! The server: its addresses, its threads, its end.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinHandle,
};

use super::{
    backend::Backend,
    connection,
    gate::{Gate, Tokens},
    grpc::Services,
    patience::Waits,
    room::Room,
    threads::Threads,
    tls::{Tls, TlsFiles},
};
use crate::error::ServerError;

/// How long requests under way have when the server stops.
const GRACE: Duration = Duration::from_secs(2);
/// Accepting fails when the process has no file left; it is tried again after this time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Largest bodies that may be in memory at one time, unless one may be larger than all of them.
const BODIES: usize = 256 << 20;

/// Where the server listens, and for whom.
#[derive(Clone)]
pub struct InferenceSettings {
    /// Its addresses.
    pub listen: Vec<SocketAddr>,
    /// Its certificate; without one it speaks in the clear, on loopback only.
    pub tls: Option<TlsFiles>,
    /// Who knows the tokens; without it everybody may ask, on loopback only.
    pub tokens: Option<Arc<dyn Tokens>>,
    /// The largest body, compressed or not, and the largest message of gRPC.
    pub max_body: usize,
    /// Most connections; one more waits until another ends.
    pub connections: usize,
    /// Threads that speak with clients, and run models that take a moment; 0 is one for each core. A connection stays on one.
    pub threads: usize,
    /// How long a thread looks for the next request of a client that sends one after the other before it sleeps; zero: not at all.
    pub busy_poll: Duration,
    /// How long a body may take to arrive, and how long a client may take nothing of an answer.
    pub body_time: Duration,
    /// How long the head of a request may take.
    pub head_time: Duration,
    /// How long a connection may be idle between two requests.
    pub idle_time: Duration,
}

impl InferenceSettings {
    /// Longer than an answer takes to a client on the same machine and its next request back, where threads have to be woken for both.
    pub const BUSY_POLL: Duration = Duration::from_micros(150);
}

impl Default for InferenceSettings {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            tls: None,
            tokens: None,
            max_body: 64 << 20,
            connections: 256,
            threads: 0,
            busy_poll: Self::BUSY_POLL,
            body_time: Duration::from_secs(30),
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(300),
        }
    }
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) grpc: Services,
    pub(crate) gate: Gate,
    pub(crate) room: Room,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Tls>,
}

/// Limits on what clients send.
pub(crate) struct Limits {
    pub(crate) max_body: usize,
    pub(crate) body_time: Duration,
    pub(crate) waits: Waits,
}

/// A running inference server. Dropping it ends it at once; [`InferenceServer::stop`] lets requests under way end.
pub struct InferenceServer {
    addresses: Vec<SocketAddr>,
    closing: watch::Sender<bool>,
    accepting: Vec<JoinHandle<()>>,
    /// They end with it.
    _threads: Arc<Threads>,
}

impl InferenceServer {
    /// Listens, and answers over `backend`, on threads of its own.
    ///
    /// # Errors
    /// When it would be open to others without TLS and a token, when its files are of no use, and when nobody can listen there.
    pub fn start(settings: &InferenceSettings, backend: Arc<dyn Backend>) -> Result<Self, ServerError> {
        let exposed = settings.listen.iter().find(|address| !is_loopback(address.ip()));
        if let Some(address) = exposed.filter(|_| settings.tls.is_none() || settings.tokens.is_none()) {
            return Err(ServerError::InferenceOpen { listen: address.to_string() });
        }
        let tls = settings.tls.clone().map(Tls::read).transpose().map_err(ServerError::InferenceTls)?;
        let listeners = settings
            .listen
            .iter()
            .map(|address| bind(*address).map_err(|source| (address.to_string(), source)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|(listen, source)| ServerError::InferenceListen { listen, source })?;
        let shared = Arc::new(Shared {
            grpc: Services::new(backend.clone(), settings.max_body),
            backend,
            gate: Gate { tokens: settings.tokens.clone() },
            room: Room::new(BODIES.max(settings.max_body)),
            limits: Limits {
                max_body: settings.max_body,
                body_time: settings.body_time,
                waits: Waits { head: settings.head_time, idle: settings.idle_time, taken: settings.body_time },
            },
            tls,
        });
        let threads = match settings.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            some => some,
        };
        let threads = Threads::start(threads, settings.busy_poll)
            .map(Arc::new)
            .map_err(|source| ServerError::InferenceListen { listen: "threads".to_owned(), source })?;
        let (closing, closed) = watch::channel(false);
        let places = Arc::new(Semaphore::new(settings.connections.max(1)));
        let (mut addresses, mut accepting) = (Vec::new(), Vec::new());
        for (listener, address) in listeners {
            let first = threads.first();
            let _entered = first.enter();
            let listener = TcpListener::from_std(listener)
                .map_err(|source| ServerError::InferenceListen { listen: address.to_string(), source })?;
            addresses.push(address);
            let (threads, places) = (Arc::downgrade(&threads), places.clone());
            accepting.push(first.spawn(accept(listener, shared.clone(), threads, places, closed.clone())));
        }
        Ok(Self { addresses, closing, accepting, _threads: threads })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no new connections, and lets requests under way end within two seconds.
    pub async fn stop(mut self) {
        self.closing.send_replace(true);
        for accepting in std::mem::take(&mut self.accepting) {
            // They wait no longer than their grace.
            let _ = accepting.await;
        }
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn bind(address: SocketAddr) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    threads: Weak<Threads>,
    places: Arc<Semaphore>,
    mut closed: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = closed.wait_for(|closed| *closed) => break,
        };
        let Some((accepted, place)) = accepted else { break };
        match accepted {
            Ok((stream, _)) => {
                // Without threads nobody serves any more.
                let Some(threads) = threads.upgrade() else { break };
                let (shared, watcher) = (shared.clone(), graceful.watcher());
                let served = threads.serve(stream, move |stream| async move {
                    // A client that breaks off is its own affair.
                    if let Err(error) = connection::serve(shared, stream, watcher).await {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    drop(place);
                });
                if let Err(error) = served {
                    tracing::warn!(%error, "cannot serve a connection");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests for inference were cut off");
    }
}
