//! An exchange from a URL to the bytes of its answer, for whoever asks a server that the config names.

use std::{sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::Bytes,
    header::{HeaderName, HeaderValue, USER_AGENT},
};
use tokio::time::timeout;

use crate::{
    connect::Tls,
    failure::Failure,
    http::{Answer, Deadlines, send},
    resolve::{Resolve, SystemResolver, resolve},
    url::Url,
};

/// Bytes of an answer's head.
const HEAD_BYTES: usize = 64 << 10;
/// What a server learns of us.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("trackside/", env!("CARGO_PKG_VERSION")));

/// Asks servers of the operator's choice. Every request has a connection of its own. Clones share the certificates.
#[derive(Debug, Clone)]
pub struct HttpClient {
    tls: Tls,
    resolver: Arc<dyn Resolve>,
}

/// One request, with a limit on what comes back and on how long that takes.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// `GET` for most.
    pub method: &'a Method,
    /// Absolute, http or https.
    pub url: &'a str,
    /// Names and values; `Host` and `Content-Length` are made here.
    pub headers: &'a [(HeaderName, String)],
    /// Empty for none.
    pub body: &'a Bytes,
    /// For all of it: name, connection, request, answer.
    pub deadline: Duration,
    /// Bytes of the answer's body.
    pub max_body: u64,
}

/// A server's answer, whole.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status, whatever it is: a refusal is an answer.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// At most as long as was asked for.
    pub body: Vec<u8>,
}

impl HttpClient {
    /// With the system's resolver.
    #[must_use]
    pub fn new(tls: Tls) -> Self {
        Self::with_resolver(tls, Arc::new(SystemResolver))
    }

    /// With a resolver of its own.
    #[must_use]
    pub fn with_resolver(tls: Tls, resolver: Arc<dyn Resolve>) -> Self {
        Self { tls, resolver }
    }

    /// Does one exchange. Nothing is sent twice, no redirect is followed.
    ///
    /// # Errors
    /// Any [`Failure`]; its [`Failure::class`] says whether to try again.
    pub async fn exchange(&self, exchange: Exchange<'_>) -> Result<Reply, Failure> {
        let Exchange { method, url, headers, body, deadline, max_body } = exchange;
        let url = Url::parse(url)?;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|_| Failure::Header { name: name.to_string() })?;
            request.headers_mut().append(name, value);
        }
        let deadlines = Deadlines { connect: deadline, head: deadline, piece: deadline, whole: deadline };
        let all = async {
            let answer = self.open(&url, request, &deadlines).await?;
            let (status, headers) = (answer.head.status, answer.head.headers.clone());
            Ok(Reply { status, headers, body: answer.bytes(max_body).await? })
        };
        timeout(deadline, all).await.unwrap_or(Err(Failure::Timeout { doing: "answer", after: deadline }))
    }

    /// Sends a request and waits for the head of the answer; the body is still to be read.
    ///
    /// # Errors
    /// Any [`Failure`] but those of a body.
    pub async fn open(
        &self,
        url: &Url,
        mut request: Request<Full<Bytes>>,
        deadlines: &Deadlines,
    ) -> Result<Answer, Failure> {
        request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
        let Deadlines { connect, head, .. } = *deadlines;
        let slow = |doing, after| move |_| Failure::Timeout { doing, after };
        let addresses = timeout(connect, resolve(&*self.resolver, url)).await.map_err(slow("connect", connect))??;
        if addresses.is_empty() {
            return Err(Failure::NoAddress { host: url.host().to_owned() });
        }
        let exchange = send(url, (&addresses, connect), &self.tls, request, HEAD_BYTES);
        let (response, connection) = timeout(head, exchange).await.map_err(slow("answer", head))??;
        Ok(Answer::new(response, connection, deadlines))
    }
}
