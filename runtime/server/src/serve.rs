//! The server: accepts connections until it is told to stop.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use trackside_control::{TokenBook, socket_path};
use trackside_node::Node;
use trackside_spec::Role;

use crate::{
    api::{Peer, Shared, router},
    error::ServerError,
    hook_listener::HookListener,
    inference::{Hidden, InferenceServer, InferenceSettings, Models, TlsFiles, Tokens},
    places::{Place, Places},
    prompt::{MoreToCome, Prompt},
    socket::listen,
    unread::Unread,
};

/// Models that may be on their way into the registry at one time: each has a thread for as long as that takes.
const ADDING: usize = 2;
/// How long a request's headers may take, and how long a connection may idle between two.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Bytes of a request's headers that are kept.
const MAX_HEADERS: usize = 16 << 10;
/// How long requests under way have when the server stops.
const GRACE: Duration = Duration::from_secs(2);
/// Accepting fails when the process has no file left; it is tried again after this time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A running server. Dropping it stops accepting at once; [`Server::stop`] lets requests under way end.
pub struct Server {
    path: PathBuf,
    closing: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    hooks: JoinHandle<()>,
    inference: Option<InferenceServer>,
}

impl Server {
    /// Listens on the socket in the data folder of the project that `node` runs. Needs a tokio runtime.
    ///
    /// The running node is what proves that this process holds the data folder's lock, and so that a socket lying
    /// there is nobody's.
    ///
    /// # Errors
    /// When the socket can not be made.
    pub fn start(node: &Node) -> Result<Self, ServerError> {
        let data_dir = node.handle().project().data_dir();
        let listener = listen(&data_dir)?;
        let (closing, closed) = watch::channel(false);
        let hooks = HookListener::start(node.handle(), closed.clone())?;
        let inference = inference(node)?;
        let adding = Arc::new(Semaphore::new(ADDING));
        let shared = Shared { handle: node.handle(), started: Instant::now(), adding, closing: closed.clone() };
        let accepting = tokio::spawn(accept(listener, router(Arc::new(shared)), closed));
        Ok(Self { path: socket_path(&data_dir), closing, accepting, hooks, inference })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where clients of the Open Inference Protocol are answered, if they are.
    #[must_use]
    pub fn inference(&self) -> &[SocketAddr] {
        self.inference.as_ref().map_or(&[], InferenceServer::addresses)
    }

    /// Takes no new connections, ends event streams, lets requests under way end within two seconds, and removes the
    /// socket. To be called while the node still runs.
    pub async fn stop(mut self) {
        self.remove();
        self.closing.send_replace(true);
        let inference = self.inference.take();
        let stopped = async {
            if let Some(inference) = inference {
                inference.stop().await;
            }
        };
        // They wait no longer than their grace, all at once; they end in any case.
        let _ = tokio::join!(&mut self.accepting, &mut self.hooks, stopped);
    }

    fn remove(&self) {
        // When it is gone already, all the better.
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.accepting.is_finished() {
            self.remove();
            self.accepting.abort();
        }
        self.hooks.abort();
    }
}

/// The inference server, where `[inference]` names an address.
fn inference(node: &Node) -> Result<Option<InferenceServer>, ServerError> {
    let handle = node.handle();
    let project = handle.project();
    let config = &project.config.inference;
    let Some(listen) = &config.listen else { return Ok(None) };
    let address = listen.parse().map_err(|error| ServerError::InferenceListen {
        listen: listen.clone(),
        source: io::Error::new(io::ErrorKind::InvalidInput, error),
    })?;
    let tokens = TokenBook::new(handle.readers().clone(), handle.workshop().clock.clone());
    let tls = config.certificate.as_ref().zip(config.key.as_ref());
    let settings = InferenceSettings {
        listen: vec![address],
        tls: tls.map(|(certificate, key)| TlsFiles {
            certificate: project.root.join(certificate),
            key: project.root.join(key),
        }),
        tokens: config.needs_token().then(|| Arc::new(Stored(tokens)) as Arc<dyn Tokens>),
        max_body: usize::try_from(config.body.as_bytes()).unwrap_or(usize::MAX),
        connections: config.connections as usize,
        threads: config.threads as usize,
        busy_poll: if config.busy_poll { InferenceSettings::BUSY_POLL } else { Duration::ZERO },
        body_time: config.patience.to_std(),
        ..InferenceSettings::default()
    };
    let models = Models::start(handle.clone(), Hidden::of(&project));
    let server = InferenceServer::start(&settings, models)?;
    for address in server.addresses() {
        tracing::info!(%address, "answering requests for inference");
    }
    Ok(Some(server))
}

/// The tokens of the node's database.
struct Stored(TokenBook);

impl Tokens for Stored {
    fn role(&self, token: &str) -> Option<Role> {
        self.0.role(token)
    }
}

/// Something that connections come from.
pub(crate) trait Listener: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and who is at its other end.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;
}

impl Listener for UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn next(&self) -> io::Result<(Self::Stream, Peer)> {
        let (stream, _) = self.accept().await?;
        let uid = stream.peer_cred().ok().map(|peer| peer.uid());
        Ok((stream, Peer { uid, more: MoreToCome::default() }))
    }
}

impl Listener for TcpListener {
    type Stream = Prompt;

    async fn next(&self) -> io::Result<(Self::Stream, Peer)> {
        let (stream, more) = Prompt::new(self.accept().await?.0)?;
        // Who is behind an address, the kernel does not say.
        Ok((stream, Peer { uid: None, more }))
    }
}

pub(crate) async fn accept<L: Listener>(listener: L, router: Router, mut closing: watch::Receiver<bool>) {
    let places = Places::default();
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let place = places.next().await?;
            Some((listener.next().await, place))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        let Some((accepted, place)) = accepted else { break };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(&graceful, stream, (peer, place), &router);
                tokio::spawn(async move {
                    // A client that breaks off is its own affair.
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection ended early");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were cut off");
    }
}

fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    graceful: &GracefulShutdown,
    stream: S,
    (peer, place): (Peer, Place),
    router: &Router,
) -> impl Future<Output = hyper::Result<()>> + use<S> {
    let service = Introduced { pages: TowerToHyperService::new(router.clone()), peer, place };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    graceful.watch(connection)
}

/// The pages, told with each request whose connection it came on. (A layer on them would be made anew for each connection.)
struct Introduced<S> {
    pages: S,
    peer: Peer,
    place: Place,
}

impl<S: Service<Request<Unread>>> Service<Request<Incoming>> for Introduced<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: Request<Incoming>) -> S::Future {
        let mut request = Unread::of(request);
        let known = request.extensions_mut();
        known.insert(self.peer.clone());
        known.insert(self.place.clone());
        self.pages.call(request)
    }
}
