//! One request over one connection, with a limit on everything that comes back and a deadline on everything that is
//! waited for.

use std::{sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Body as _, Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::target::Target;
use crate::error::RegistryError;

const CONNECT: Duration = Duration::from_secs(10);
/// For the head of an answer. A registry checks what was pushed before it answers.
const HEAD: Duration = Duration::from_secs(60);
/// Between two pieces of a body.
const PIECE: Duration = Duration::from_secs(30);
/// For a whole body, however slowly it drips.
const WHOLE: Duration = Duration::from_secs(900);
/// Bytes in a second that an upload may not fall below.
const SLOWEST: u64 = 32 << 10;
/// Bytes of an answer's head.
const HEAD_BYTES: usize = 64 << 10;
const HEADERS: usize = 100;

/// An answer whose body is still to come.
pub(super) struct Answer {
    pub(super) head: hyper::http::response::Parts,
    body: Incoming,
    host: String,
    what: String,
    _connection: Connection,
}

/// A connection's own task, ended with this value.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request; `what` is for messages.
pub(super) async fn send(
    target: &Target,
    tls: &Arc<ClientConfig>,
    mut request: Request<Full<Bytes>>,
    what: &str,
) -> Result<Answer, RegistryError> {
    let host = target.origin.authority();
    let malformed = |reason: String| RegistryError::Malformed { host: host.clone(), what: what.to_owned(), reason };
    *request.uri_mut() = target.path.parse().map_err(|_| malformed("its address is none".to_owned()))?;
    let value = host.parse().map_err(|_| malformed("its host is none".to_owned()))?;
    request.headers_mut().insert(header::HOST, value);
    let unreachable = |reason: String| RegistryError::Connect { host: host.clone(), reason };
    let slow = |after| RegistryError::Timeout { host: host.clone(), what: what.to_owned(), after };
    let address = (target.origin.host.as_str(), target.origin.port);
    let stream = timeout(CONNECT, TcpStream::connect(address)).await.map_err(|_| slow(CONNECT))?;
    let stream = stream.map_err(|error| unreachable(error.to_string()))?;
    stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
    let request_bytes = request.body().size_hint().upper().unwrap_or(0);
    let exchange = async {
        if !target.origin.tls {
            return talk(stream, request).await;
        }
        let name = ServerName::try_from(target.origin.host.clone()).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(tls.clone()).connect(name, stream).await.map_err(|error| error.to_string())?;
        talk(stream, request).await
    };
    // A body that is sent takes its time too.
    let patience = HEAD + Duration::from_secs(request_bytes / SLOWEST);
    let (response, connection) = timeout(patience, exchange).await.map_err(|_| slow(patience))?.map_err(unreachable)?;
    let (head, body) = response.into_parts();
    Ok(Answer { head, body, host, what: what.to_owned(), _connection: connection })
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<(Response<Incoming>, Connection), String> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| in_words(&error))?;
    let connection = Connection(tokio::spawn(async move {
        // What goes wrong here reaches the reader of the answer too.
        if let Err(error) = connection.await {
            tracing::debug!("the connection to a registry ended: {error}");
        }
    }));
    let response = sender.send_request(request).await.map_err(|error| in_words(&error))?;
    Ok((response, connection))
}

/// hyper's own words are short; the cause behind them says what happened.
fn in_words(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

impl Answer {
    /// The header `name`, if it is there and readable.
    pub(super) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The whole body, at most `limit` bytes of it.
    pub(super) async fn bytes(self, limit: u64) -> Result<Vec<u8>, RegistryError> {
        let Self { mut body, host, what, _connection, .. } = self;
        let too_large = || RegistryError::TooLarge { host: host.clone(), what: what.clone(), limit };
        let slow = |after| RegistryError::Timeout { host: host.clone(), what: what.clone(), after };
        if body.size_hint().lower() > limit {
            return Err(too_large());
        }
        let collect = async {
            let mut bytes = Vec::new();
            while let Some(frame) = timeout(PIECE, body.frame()).await.map_err(|_| slow(PIECE))? {
                let frame = frame.map_err(|error| RegistryError::Connect {
                    host: host.clone(),
                    reason: format!("{what} broke off after {} bytes: {}", bytes.len(), in_words(&error)),
                })?;
                let Ok(data) = frame.into_data() else { continue };
                if bytes.len() as u64 + data.len() as u64 > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&data);
            }
            Ok(bytes)
        };
        timeout(WHOLE, collect).await.map_err(|_| slow(WHOLE))?
    }
}
