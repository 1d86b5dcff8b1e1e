//! The one way out of the sandbox: every request of every interface goes through [`Egress::check`] and
//! [`Outgoing::send`], which hold it against the grants, the policy and the limits of the call.

use std::{
    collections::BTreeSet,
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response,
    body::Body,
    header::{HeaderName, HeaderValue},
    http::request,
};
use trackside_codes::{Class, Reason};
use trackside_net::{Connection, Failure as NetFailure, FailureClass, Reach, Url, reach};

use super::{
    Net,
    body::ResponseBody,
    client::{self, Failure},
    headers, scripted,
};
use crate::{
    call::CallLimits,
    grants::{
        decide::{Grants, Refused},
        url,
    },
    host::secrets::{Misuse, Secrets},
    host_api::StepHost,
    wasi::SharedRecorder,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Why a request was not sent, or has no answer: the cases of the contract, which gets the words, with their causes.
#[derive(Debug)]
pub(crate) enum Trouble {
    Denied(String),
    BadRequest(Reason),
    Dns(Reason),
    Connect(Reason),
    Tls(Reason),
    Timeout,
    TooLarge(Reason),
    Protocol(Reason),
}

/// What the requests of one call share.
pub(crate) struct Egress {
    denier: Denier,
    host: Arc<dyn StepHost>,
    net: Net,
    limits: CallLimits,
    end: Instant,
    key: String,
    keyed: u32,
    /// Requests that were let through.
    pub(crate) requests: u32,
    /// Bytes of all bodies.
    pub(crate) traffic: Traffic,
    /// The secrets that the call has opened.
    pub(crate) secrets: Secrets,
    /// Secrets that left the box, `NAME to ORIGIN`.
    pub(crate) sent: BTreeSet<String>,
}

/// Bytes of all bodies of a call, against the limits. Clones share the count.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    total: Arc<AtomicU64>,
    limit: u64,
    /// Of one body.
    pub(crate) body_limit: u64,
}

impl Traffic {
    fn new(limits: &CallLimits) -> Self {
        Self { total: Arc::default(), limit: limits.http_total_bytes, body_limit: limits.http_body_bytes }
    }

    /// Books bytes of a body that has `so_far` with them.
    pub(crate) fn book(&self, bytes: u64, so_far: u64) -> Result<(), Reason> {
        if so_far > self.body_limit {
            let words = format!("a body has more than {} bytes: that is the limit http_body", self.body_limit);
            return Err(Reason::new(Class::TooLarge, words));
        }
        let total = self.total.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if total > self.limit {
            let words =
                format!("the bodies have more than {} bytes together: that is the limit http_total", self.limit);
            return Err(Reason::new(Class::TooLarge, words));
        }
        Ok(())
    }

    /// All bytes so far.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

/// A request as a guest asks for it.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) headers: Vec<(String, String)>,
    /// The body, where it is in memory; a secret has no place in it.
    pub(crate) body: &'a [u8],
    /// The length of the body, where it is known.
    pub(crate) length: Option<u64>,
    pub(crate) timeout: Option<Duration>,
}

/// A request that may be sent, as far as can be told before its host's name is looked up.
pub(crate) struct Outgoing {
    pub(crate) head: request::Parts,
    /// As the guest wrote it.
    url: String,
    pub(crate) target: Url,
    pub(crate) timeout: Duration,
    private: Result<(), Refused>,
    /// It carries these secrets without TLS: only to a private address.
    exposed: Vec<String>,
    header_bytes: usize,
    host: Arc<dyn StepHost>,
    net: Net,
    denier: Denier,
}

/// Refuses in the name of a step. Every refusal is kept for the report.
#[derive(Clone)]
pub(crate) struct Denier {
    pub(crate) step: String,
    pub(crate) grants: Arc<Grants>,
    pub(crate) recorder: SharedRecorder,
}

impl Denier {
    /// Refuses something for want of a grant: the text for the guest.
    pub(crate) fn refuse(&self, what: &str, refused: Refused) -> String {
        let (step, plugin) = (&self.step, self.grants.plugin());
        self.recorder.lock().keep_denial(match refused {
            Refused::Workflow(grant) => {
                format!("step `{step}` may not {what}: add to the step:\n  allow: {{ {grant} }}")
            }
            Refused::Plugin(kind) => format!(
                "step `{step}` may not {what}: its plugin `{plugin}` does not ask for that; its author must add `{kind}` \
                 to the `wants` of the plugin's description"
            ),
            Refused::Node(key) => format!(
                "step `{step}` may not {what}: this box does not permit it; whoever runs the box can change \
                 [policy] {key} in trackside.toml"
            ),
        })
    }

    /// Refuses something that no grant would allow.
    pub(crate) fn refuse_always(&self, what: &str, why: &str) -> String {
        let step = &self.step;
        self.recorder.lock().keep_denial(format!("step `{step}` may not {what}: {why}"))
    }
}

impl Egress {
    pub(crate) fn new(
        denier: &Denier,
        (host, net): (Arc<dyn StepHost>, Net),
        limits: &CallLimits,
        begin: Instant,
        key: String,
    ) -> Self {
        Self {
            denier: denier.clone(),
            host,
            net,
            limits: *limits,
            end: begin.checked_add(limits.wall).unwrap_or(begin),
            key,
            keyed: 0,
            requests: 0,
            traffic: Traffic::new(limits),
            secrets: Secrets::default(),
            sent: BTreeSet::new(),
        }
    }

    /// What requests go out through.
    pub(crate) fn net(&self) -> Net {
        self.net.clone()
    }

    /// The longest wait for the next sign of a server.
    pub(crate) fn patience(&self) -> Duration {
        self.limits.http_timeout.min(self.end.saturating_duration_since(Instant::now()))
    }

    /// Holds a request against everything that is known before its host's name is looked up.
    pub(crate) fn check(&mut self, asked: Asked<'_>) -> Result<Outgoing, Trouble> {
        let denier = self.denier.clone();
        let target = url::parse(asked.url).map_err(Trouble::BadRequest)?;
        let method = method(asked.method)?;
        let what = format!("{method} to {}", target.origin());
        let permit = denier.grants.http(&target, method.as_str());
        let permit = permit.map_err(|refused| Trouble::Denied(denier.refuse(&what, refused)))?;
        self.count(asked.length.unwrap_or(0))?;
        for (place, bytes) in [("URL", asked.url.as_bytes()), ("body", asked.body)] {
            if let Some(name) = self.secrets.placed_in(bytes) {
                let what = format!("put the secret `{name}` into the {place} of a request");
                let text = denier.refuse_always(&what, "a secret is sent in a header");
                return Err(Trouble::Denied(text));
            }
        }
        let mut list = asked.headers;
        let secrets = self.secrets.fill(&mut list, &target).map_err(|misuse| match misuse {
            Misuse::WrongHost { name, hosts } => {
                let what = format!("send the secret `{name}` to {}", target.origin());
                let why = format!("[secrets.{name}] in trackside.toml names {}", hosts.join(", "));
                Trouble::Denied(denier.refuse_always(&what, &why))
            }
            Misuse::NotForHeaders { name } => {
                Trouble::BadRequest(format!("the secret `{name}` has bytes that a header cannot carry").into())
            }
        })?;
        let mut fields = headers::outgoing(&list, self.limits.http_header_bytes).map_err(Trouble::BadRequest)?;
        if !method.is_safe() && !fields.contains_key(IDEMPOTENCY_KEY) {
            fields.insert(IDEMPOTENCY_KEY, self.next_key()?);
        }
        let exposed = if target.is_https() { Vec::new() } else { secrets.clone() };
        self.sent.extend(secrets.iter().map(|name| format!("{name} to {}", target.origin())));
        let (mut head, ()) = Request::new(()).into_parts();
        (head.method, head.headers) = (method, fields);
        self.requests += 1;
        Ok(Outgoing {
            head,
            url: asked.url.to_owned(),
            timeout: asked.timeout.unwrap_or(Duration::MAX).max(Duration::from_millis(1)).min(self.patience()),
            target,
            private: permit.private,
            exposed,
            header_bytes: self.limits.http_header_bytes,
            host: self.host.clone(),
            net: self.net.clone(),
            denier,
        })
    }

    fn count(&self, length: u64) -> Result<(), Trouble> {
        let limit = self.limits.http_requests;
        if self.requests >= limit {
            let words = format!("a step sends at most {limit} requests: that is the limit http_requests");
            return Err(Trouble::TooLarge(Reason::new(Class::TooLarge, words)));
        }
        self.traffic.book(length, length).map_err(Trouble::TooLarge)
    }

    /// The key of the next request that changes something: the same in every attempt of the step, another one for
    /// every request of an attempt, so that a server does not take the second for a repeat of the first.
    fn next_key(&mut self) -> Result<HeaderValue, Trouble> {
        self.keyed += 1;
        let text = match self.keyed {
            1 => self.key.clone(),
            number => format!("{}-{number}", self.key),
        };
        HeaderValue::from_str(&text)
            .map_err(|_| Trouble::BadRequest("the run's idempotency key is no header value".into()))
    }
}

impl Outgoing {
    /// Looks the host up, checks its addresses, connects to one of them, and waits for the head of the response.
    ///
    /// A host that plays the world outside is asked instead. The connection must be held while the body is read.
    pub(crate) async fn send<B>(self, body: B) -> Result<(Response<ResponseBody>, Option<Connection>), Trouble>
    where
        B: Body<Data = Bytes, Error = io::Error> + Send + 'static,
    {
        if self.host.plays_http() {
            return Ok((scripted::answer(&*self.host, &self.head, self.url, body).await?, None));
        }
        let Self { head, url: _, target, timeout, private, exposed, header_bytes, host, net, denier } = self;
        let exchange = async {
            let own = |address| host.is_own_address(address);
            let addresses = client::resolve(&*net.resolver, &target, private.is_ok(), own).await?;
            let public = |address: &IpAddr| reach(*address) == Reach::Public;
            if let (Some(name), Some(address)) =
                (exposed.first(), addresses.iter().map(|address| address.ip()).find(public))
            {
                return Err(Failure::Exposed { secret: name.clone(), address });
            }
            client::exchange(&target, &addresses, &net.tls, (head, body), header_bytes).await
        };
        match tokio::time::timeout(timeout, exchange).await {
            Err(_) => Err(Trouble::Timeout),
            Ok(Err(failure)) => Err(explain(failure, &target, private, &denier)),
            Ok(Ok((response, connection))) => Ok((response.map(BodyExt::boxed_unsync), Some(connection))),
        }
    }
}

fn explain(failure: Failure, target: &Url, private: Result<(), Refused>, denier: &Denier) -> Trouble {
    let origin = target.origin();
    match failure {
        Failure::Private(address) => {
            let what = format!("call {origin}, which is {address} in a private network");
            Trouble::Denied(match private {
                Err(refused) => denier.refuse(&what, refused),
                Ok(()) => denier.refuse_always(&what, "its address is not one that may be called"),
            })
        }
        Failure::Never(address) => Trouble::Denied(denier.refuse_always(
            &format!("call {origin}"),
            &format!("{address} is the node itself or no host's address, and no grant allows it"),
        )),
        Failure::Exposed { secret, address } => Trouble::Denied(denier.refuse_always(
            &format!("send the secret `{secret}` to {origin}"),
            &format!("{address} is reached through the internet, and http:// would show it to everybody: use https://"),
        )),
        Failure::Net(failure) => unreached(failure, &origin.to_string()),
    }
}

/// What the network says about a request that was let through.
fn unreached(failure: NetFailure, origin: &str) -> Trouble {
    let unavailable = |words: String, failure| Reason::because(Class::Unavailable, words, failure);
    match &failure {
        NetFailure::Connect { source } => Trouble::Connect(unavailable(format!("{origin}: {source}"), failure)),
        NetFailure::Timeout { .. } => {
            Trouble::Connect(unavailable(format!("{origin}: no answer to the connection request"), failure))
        }
        NetFailure::Tls { source } => Trouble::Tls(unavailable(format!("{origin}: {source}"), failure)),
        NetFailure::Certificates { reason } => {
            let words = format!("{origin}: [http] in trackside.toml: {reason}");
            Trouble::Tls(Reason::because(Class::Setup, words, failure))
        }
        other if other.class() == FailureClass::Dns => Trouble::Dns(Reason::by(Class::Unavailable, failure)),
        _ => Trouble::Protocol(Reason::by(Class::Unavailable, failure)),
    }
}

/// The method, unless it would turn the connection into something else.
fn method(name: &str) -> Result<Method, Trouble> {
    let upper = name.to_ascii_uppercase();
    match Method::from_bytes(upper.as_bytes()) {
        Ok(Method::CONNECT | Method::TRACE) | Err(_) => {
            let shown = crate::recorder::one_line(&name.chars().take(40).collect::<String>());
            Err(Trouble::BadRequest(format!("`{shown}` is no method that a step may use").into()))
        }
        Ok(method) if upper.len() <= 32 => Ok(method),
        Ok(_) => Err(Trouble::BadRequest("the method is too long".into())),
    }
}
