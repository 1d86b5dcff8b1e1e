//! One connection: which protocol it speaks, and its requests.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use hyper::{
    Request, Response, Version,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderMap},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::Watcher,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use trackside_spec::Right;

use super::{
    body::{Answer, Counted},
    busy_poll, grpc,
    patience::{Busy, Patient, UnderWay},
    rest,
    serve::Shared,
};
use crate::prompt::{MoreToCome, Prompt};

/// What a client that speaks HTTP/2 without having agreed on it sends first.
const PREFACE: &[u8] = b"PRI ";
/// How long is waited before it is looked again whether the rest of these bytes came.
const AGAIN: Duration = Duration::from_millis(5);
/// Bytes of a request's head that are kept.
const MAX_HEAD: usize = 16 << 10;
/// Calls that one connection of HTTP/2 has under way at one time.
const MAX_STREAMS: u32 = 128;
/// Bytes that one call, and one connection, may have on their way unread.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// How often a connection of HTTP/2 is asked whether it is still there.
const PING: Duration = Duration::from_secs(60);
const PONG: Duration = Duration::from_secs(20);

/// Serves a connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream, watcher: Watcher) -> io::Result<()> {
    let Some(tls) = &shared.tls else {
        let is_http2 = timeout(shared.limits.waits.idle, begins_with_preface(&stream)).await??;
        let (stream, more) = Prompt::new(stream)?;
        return speak(shared, stream, more, is_http2, watcher).await;
    };
    let acceptor = TlsAcceptor::from(tls.config());
    let (stream, more) = Prompt::new(stream)?;
    let stream = timeout(shared.limits.waits.head, acceptor.accept(stream)).await??;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    speak(shared, stream, more, is_http2, watcher).await
}

/// Looks at the first bytes without taking them.
async fn begins_with_preface(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let came = stream.peek(&mut first).await?;
        if came == 0 || !PREFACE.starts_with(&first[..came]) {
            return Ok(false);
        }
        if came == PREFACE.len() {
            return Ok(true);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    shared: Arc<Shared>,
    stream: S,
    more: MoreToCome,
    is_http2: bool,
    watcher: Watcher,
) -> io::Result<()> {
    let (stream, under_way) = Patient::new(stream, shared.limits.waits, !is_http2);
    let service = service_fn(move |request| answer(shared.clone(), request, more.clone(), under_way.clone()));
    let stream = TokioIo::new(stream);
    let served = if is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD as u32)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG);
        watcher.watch(builder.serve_connection(stream, service)).await
    } else {
        let connection = http1::Builder::new().max_buf_size(MAX_HEAD).serve_connection(stream, service);
        watcher.watch(connection).await
    };
    served.map_err(io::Error::other)
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    more: MoreToCome,
    under_way: UnderWay,
) -> Result<Response<Answer>, Infallible> {
    let busy = under_way.one();
    let connection = under_way.id();
    busy_poll::came(connection);
    let answer = answered(&shared, request, &more, busy).await;
    busy_poll::answered(connection);
    Ok(answer)
}

async fn answered(shared: &Arc<Shared>, request: Request<Incoming>, more: &MoreToCome, busy: Busy) -> Response<Answer> {
    if request.version() != Version::HTTP_2 || !is_grpc(request.headers()) {
        return rest::answer(shared, request, more).await;
    }
    let right = if grpc::is_operation(request.uri().path()) { Right::Operate } else { Right::Infer };
    if let Err(failure) = shared.gate.check(request.headers(), right) {
        let refused: Response<tonic::body::Body> = tonic::Status::from(failure).into_http();
        return refused.map(|body| Answer::Grpc { body, _busy: None });
    }
    let (head, body) = request.into_parts();
    let time = (!grpc::stays_open(head.uri.path())).then_some(shared.limits.body_time);
    let (body, held) = Counted::new(body, &shared.room, time);
    let mut request = Request::from_parts(head, body);
    request.extensions_mut().insert(held.clone());
    let answer = shared.grpc.answer(request).await;
    drop(held);
    answer.map(|body| Answer::Grpc { body, _busy: Some(busy) })
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}
