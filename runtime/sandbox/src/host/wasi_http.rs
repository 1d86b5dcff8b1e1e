//! `wasi:http/outgoing-handler`, for client libraries that speak it. Requests take the same way out as those of the
//! contract's own interface.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request, Response,
    body::{Body, Frame, SizeHint},
    header,
};
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::{
    net::{
        egress::{Asked, Egress, Traffic, Trouble},
        headers,
    },
    store_data::CallData,
};

impl WasiHttpView for CallData {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.egress, table: &mut self.table, ctx: &mut self.wasi_http }
    }
}

type Sending = Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send>;
type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Egress {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sending {
        let (parts, body) = request.into_parts();
        let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let list = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        // The library has made sure that the body is as long as a guest says.
        let told = parts.headers.get(header::CONTENT_LENGTH).cloned();
        let options = options.unwrap_or_default();
        let wishes = [options.connect_timeout, options.first_byte_timeout];
        let asked = Asked {
            method: parts.method.as_str(),
            url: &parts.uri.to_string(),
            headers: list.collect(),
            body: &[],
            length: None,
            timeout: wishes.into_iter().flatten().reduce(Duration::saturating_add),
        };
        let checked = self.check(asked);
        let idle = options.between_bytes_timeout.unwrap_or(Duration::MAX).min(self.patience());
        let traffic = self.traffic.clone();
        Box::new(async move {
            let mut outgoing = checked.map_err(error)?;
            if let Some(length) = told {
                outgoing.head.headers.insert(header::CONTENT_LENGTH, length);
            }
            let body = Counted::new(body.map_err(io::Error::other), traffic.clone(), idle);
            let (response, connection) = outgoing.send(body).await.map_err(error)?;
            let (mut parts, body) = response.into_parts();
            headers::strip(&mut parts.headers);
            let body = Counted::new(body.map_err(io::Error::other), traffic, idle);
            let body = body.map_err(|error| match error.kind() {
                io::ErrorKind::TimedOut => Error::HttpResponseTimeout,
                io::ErrorKind::FileTooLarge => Error::HttpResponseBodySize(None),
                _ => Error::HttpResponseIncomplete,
            });
            // The connection lives until the guest drops the response; then the task of this future is dropped.
            let io: Io = Box::new(async move {
                let _connection = connection;
                std::future::pending().await
            });
            Ok((Response::from_parts(parts, body.boxed_unsync()), io))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 << 10
    }
}

fn error(trouble: Trouble) -> Error {
    match trouble {
        Trouble::Denied(_) => Error::HttpRequestDenied,
        Trouble::BadRequest(_) => Error::HttpRequestUriInvalid,
        Trouble::Dns(reason) => Error::DnsError { rcode: Some(reason.to_string()), info_code: None },
        Trouble::Connect(_) => Error::ConnectionRefused,
        Trouble::Tls(_) => Error::TlsProtocolError,
        Trouble::Timeout => Error::ConnectionTimeout,
        Trouble::TooLarge(reason) => Error::InternalError(Some(reason.to_string())),
        Trouble::Protocol(_) => Error::HttpProtocolError,
    }
}

/// A body whose bytes are booked, whose empty frames and trailers are left out, and that may not pause for too long.
struct Counted<B> {
    inner: B,
    traffic: Traffic,
    passed: u64,
    idle: Duration,
    pause: Pin<Box<Sleep>>,
}

impl<B> Counted<B> {
    fn new(inner: B, traffic: Traffic, idle: Duration) -> Self {
        Self { inner, traffic, passed: 0, idle, pause: Box::pin(tokio::time::sleep(idle)) }
    }
}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let body = self.get_mut();
        loop {
            match Pin::new(&mut body.inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    body.pause.as_mut().reset(Instant::now() + body.idle.min(FAR));
                    let data = match frame.into_data() {
                        Ok(data) if !data.is_empty() => data,
                        _ => continue,
                    };
                    let length = data.len() as u64;
                    body.passed = body.passed.saturating_add(length);
                    let booked = body.traffic.book(length, body.passed);
                    return Poll::Ready(Some(match booked {
                        Ok(()) => Ok(Frame::data(data)),
                        Err(reason) => Err(io::Error::new(io::ErrorKind::FileTooLarge, reason)),
                    }));
                }
                Poll::Ready(other) => return Poll::Ready(other),
                Poll::Pending => {
                    std::task::ready!(body.pause.as_mut().poll(context));
                    return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Sums of instants cannot overflow below this.
const FAR: Duration = Duration::from_secs(100 * 366 * 86_400);
