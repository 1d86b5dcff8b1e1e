//! One request over one connection, with a limit on everything that comes back and a deadline on everything that is
//! waited for.

use std::{error::Error, net::SocketAddr, time::Duration};

use http_body_util::BodyExt;
use hyper::{
    Request, Response, Uri,
    body::{Body, Bytes, Incoming},
    client::conn::http1,
    header::{self, HeaderValue},
    http::response,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    connect::{Tls, connect},
    failure::Failure,
    url::{Url, UrlError},
};

/// Headers of one message.
pub const HEADERS: usize = 100;

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For a connection.
    pub connect: Duration,
    /// For the head of an answer, the connection and the sending of the request included.
    pub head: Duration,
    /// Between two pieces of a body.
    pub piece: Duration,
    /// For a whole body, however slowly it drips.
    pub whole: Duration,
}

/// A connection's own task, ended with this value: hold it while the body is read.
#[derive(Debug)]
pub struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request to the first of `addresses` that answers, each waited for `patience` long, and waits for the head of
/// the answer, which has at most `head_bytes`. The request's URI and `Host` come from `url`.
///
/// # Errors
/// Any [`Failure`] but those of a body.
pub async fn send<B>(
    url: &Url,
    (addresses, patience): (&[SocketAddr], Duration),
    tls: &Tls,
    mut request: Request<B>,
    head_bytes: usize,
) -> Result<(Response<Incoming>, Connection), Failure>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let unfit = || UrlError::malformed("it is nothing that HTTP can carry");
    *request.uri_mut() = url.path.parse::<Uri>().map_err(|_| unfit())?;
    let host = HeaderValue::from_str(&url.authority()).map_err(|_| unfit())?;
    request.headers_mut().insert(header::HOST, host);
    let stream = connect(addresses, patience).await?;
    if url.is_https() {
        talk(tls.connect(url.host(), stream).await?, request, head_bytes).await
    } else {
        talk(stream, request, head_bytes).await
    }
}

async fn talk<S, B>(
    stream: S,
    request: Request<B>,
    head_bytes: usize,
) -> Result<(Response<Incoming>, Connection), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let protocol = |source| Failure::Protocol { source };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(head_bytes)
        .max_headers(HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(protocol)?;
    let connection = Connection(tokio::spawn(async move {
        // What goes wrong here reaches the reader of the answer too.
        if let Err(error) = connection.await {
            tracing::debug!("a connection to the outside ended: {error}");
        }
    }));
    let response = sender.send_request(request).await.map_err(protocol)?;
    Ok((response, connection))
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub struct Answer {
    /// Status and headers.
    pub head: response::Parts,
    body: Incoming,
    piece: Duration,
    whole: Duration,
    _connection: Connection,
}

impl Answer {
    pub(crate) fn new(response: Response<Incoming>, connection: Connection, deadlines: &Deadlines) -> Self {
        let (head, body) = response.into_parts();
        Self { head, body, piece: deadlines.piece, whole: deadlines.whole, _connection: connection }
    }

    /// The header `name`, if it is there and readable.
    #[must_use]
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// With another time for the whole body.
    #[must_use]
    pub fn within(self, whole: Duration) -> Self {
        Self { whole, ..self }
    }

    /// The whole body, at most `limit` bytes of it.
    ///
    /// # Errors
    /// [`Failure::TooLarge`], [`Failure::Timeout`] or [`Failure::BrokenOff`].
    pub async fn bytes(self, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.each(limit, |piece| {
            bytes.extend_from_slice(piece);
            Ok::<_, Failure>(())
        })
        .await?;
        Ok(bytes)
    }

    /// The whole body, at most `limit` bytes of it, piece by piece: of what is large nothing is kept in memory.
    ///
    /// # Errors
    /// As [`Answer::bytes`], and whatever `take` has.
    pub async fn each<E: From<Failure>>(
        self,
        limit: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { mut body, piece, whole, _connection, .. } = self;
        if body.size_hint().lower() > limit {
            return Err(Failure::TooLarge { limit }.into());
        }
        let slow = |doing, after| move |_| Failure::Timeout { doing, after };
        let all = async {
            let mut got = 0;
            while let Some(frame) = timeout(piece, body.frame()).await.map_err(slow("go on", piece))? {
                let frame = frame.map_err(|source| Failure::BrokenOff { got, source })?;
                let Ok(data) = frame.into_data() else { continue };
                got += data.len() as u64;
                if got > limit {
                    return Err(Failure::TooLarge { limit }.into());
                }
                take(&data)?;
            }
            Ok(())
        };
        timeout(whole, all).await.map_err(slow("end", whole))?
    }
}
