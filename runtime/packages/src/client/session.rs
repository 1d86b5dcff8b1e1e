//! Requests to one registry: with the permission that it asked for, and through the redirects of its downloads.

use std::sync::Mutex;
use trackside_codes::{Class, Reason};

use http_body_util::Full;
use hyper::{Method, Request, StatusCode, body::Bytes, header};
use trackside_net::{HttpClient, Tls, Url, UrlError};
use trackside_sync::lock;

use super::{
    access::Access,
    auth::{self, Challenge},
    transport::{self, Answer},
};
use crate::error::{RegistryError, one_line};

/// Redirects of one download.
const REDIRECTS: usize = 5;
/// A token server's answer, and an error's.
const SMALL: u64 = 64 << 10;

/// A client of one registry.
pub struct RegistryClient {
    /// As references and the config name it.
    pub(super) host: String,
    pub(super) root: Url,
    access: Access,
    /// Other hosts that may be spoken to without TLS, as the config names them.
    plain: Vec<String>,
    http: HttpClient,
    /// The header that worked last.
    permission: Mutex<Option<String>>,
}

/// A request before it has its permission.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) target: Url,
    pub(super) headers: Vec<(header::HeaderName, String)>,
    pub(super) body: Bytes,
    /// For messages: `the manifest of a:1`.
    pub(super) what: &'a str,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, target: Url, what: &'a str) -> Self {
        Self { method, target, headers: Vec::new(), body: Bytes::new(), what }
    }

    pub(super) fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }
}

impl RegistryClient {
    /// For the registry `host`. `plain` are all hosts that may be spoken to without TLS.
    ///
    /// # Errors
    /// When the host or the certificates can not be used.
    pub fn new(host: &str, access: Access, plain: Vec<String>) -> Result<Self, RegistryError> {
        let settings = |reason: Reason| RegistryError::Settings { host: host.to_owned(), reason };
        let root = root_of(host, access.plain_http)
            .map_err(|_| settings("this is no host; write it as `registry.example:5000`".into()))?;
        let tls = Tls::loaded(access.ca.clone()).map_err(|failure| settings(Reason::by(Class::Setup, failure)))?;
        Ok(Self {
            host: host.to_owned(),
            root,
            access,
            plain,
            http: HttpClient::new(tls),
            permission: Mutex::new(None),
        })
    }

    /// Sends a request to the registry itself, with its permission, fetched when it asks for one.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, RegistryError> {
        let permission = lock(&self.permission).clone();
        let answer = self.send(ask, permission.as_deref()).await?;
        if answer.head().status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let permission = self.permit(answer, ask.what).await?;
        let answer = self.send(ask, Some(&permission)).await?;
        if answer.head().status == StatusCode::UNAUTHORIZED {
            return Err(self.refused(ask.what, "it does not take the user and password".to_owned()));
        }
        *lock(&self.permission) = Some(permission);
        Ok(answer)
    }

    /// A download: redirects are followed, and no permission goes with them.
    pub(super) async fn download(&self, ask: &Ask<'_>) -> Result<Answer, RegistryError> {
        let mut answer = self.ask(ask).await?;
        let mut from = ask.target.clone();
        for _ in 0..REDIRECTS {
            if !answer.head().status.is_redirection() {
                return Ok(answer);
            }
            let location = answer.header(header::LOCATION).unwrap_or_default().to_owned();
            let refuse = |target: String, reason| RegistryError::Redirect {
                host: self.host.clone(),
                what: ask.what.to_owned(),
                target,
                reason,
            };
            let target =
                from.join(&location).map_err(|_| refuse(one_line(&location), "this is no address of the web"))?;
            if !self.may_speak(&target) {
                return Err(refuse(shown(&target), "it is not encrypted, and no plain_http allows that"));
            }
            let next = Ask::new(Method::GET, target.clone(), ask.what);
            answer = if target.origin() == self.root.origin() {
                self.ask(&next).await?
            } else {
                self.send(&next, None).await?
            };
            from = target;
        }
        if answer.head().status.is_redirection() {
            return Err(RegistryError::Redirect {
                host: self.host.clone(),
                what: ask.what.to_owned(),
                target: shown(&from),
                reason: "there were too many before it",
            });
        }
        Ok(answer)
    }

    /// Makes an error of an answer that is none of the good ones.
    pub(super) async fn failure(&self, answer: Answer, what: &str) -> RegistryError {
        let status = answer.head().status;
        // The reason is worth having, not worth failing for.
        let body = answer.bytes(SMALL).await.unwrap_or_default();
        let reason = reason(&body);
        match status {
            StatusCode::NOT_FOUND => RegistryError::NotFound { host: self.host.clone(), what: what.to_owned() },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                self.refused(what, reason.unwrap_or_else(|| format!("status {}", status.as_u16())))
            }
            _ => RegistryError::Status {
                host: self.host.clone(),
                status: status.as_u16(),
                what: what.to_owned(),
                reason: reason.map(|reason| format!(": {reason}")).unwrap_or_default(),
            },
        }
    }

    pub(super) fn malformed(&self, what: &str, reason: impl Into<Reason>) -> RegistryError {
        RegistryError::Malformed { host: self.host.clone(), what: what.to_owned(), reason: reason.into() }
    }

    fn refused(&self, what: &str, reason: String) -> RegistryError {
        RegistryError::Refused { host: self.host.clone(), what: what.to_owned(), reason }
    }

    /// Whether the config lets us speak to this host as its scheme says.
    fn may_speak(&self, target: &Url) -> bool {
        target.is_https() || target.origin() == self.root.origin() || self.plain.contains(&target.authority())
    }

    async fn send(&self, ask: &Ask<'_>, permission: Option<&str>) -> Result<Answer, RegistryError> {
        let mut request = Request::new(Full::new(ask.body.clone()));
        *request.method_mut() = ask.method.clone();
        let given = ask.headers.iter().map(|(name, value)| (name.clone(), value.as_str()));
        let permission = permission.map(|value| (header::AUTHORIZATION, value));
        for (name, value) in given.chain(permission) {
            let value =
                value.parse().map_err(|_| self.malformed(ask.what, format!("header {name} has no such value")))?;
            request.headers_mut().insert(name, value);
        }
        tracing::debug!(method = %ask.method, url = shown(&ask.target), "asking the registry");
        transport::send(&ask.target, &self.http, request, ask.what).await
    }

    /// Gets what the registry asked for in its answer 401.
    async fn permit(&self, answer: Answer, what: &str) -> Result<String, RegistryError> {
        let challenges = answer.head().headers.get_all(header::WWW_AUTHENTICATE);
        let mut challenges = challenges.iter().filter_map(|value| Challenge::parse(value.to_str().ok()?));
        let first = challenges.next();
        let bearer = challenges.find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        let nobody = || self.refused(what, "it wants a user and a password".to_owned());
        match bearer.or(first) {
            None => Err(self.malformed(what, "it asks for no kind of permission that we know (Basic, Bearer)")),
            Some(Challenge::Basic) => auth::basic(&self.access).ok_or_else(nobody),
            Some(Challenge::Bearer { realm, service, scope }) => {
                let mut target =
                    Url::parse(&realm).map_err(|_| self.malformed(what, "its token server has no address"))?;
                if !self.may_speak(&target) {
                    return Err(RegistryError::Redirect {
                        host: self.host.clone(),
                        what: what.to_owned(),
                        target: shown(&target),
                        reason: "a password is not sent without encryption, and no plain_http allows it",
                    });
                }
                for (key, value) in [("service", service), ("scope", scope)] {
                    if let Some(value) = value {
                        target = target.with_query(key, &value);
                    }
                }
                let what = format!("a token for {what}");
                let ask = Ask::new(Method::GET, target, &what);
                let answer = self.send(&ask, auth::basic(&self.access).as_deref()).await?;
                match answer.head().status {
                    StatusCode::OK => {}
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.access.user.is_none() => {
                        return Err(nobody());
                    }
                    _ => return Err(self.failure(answer, &what).await),
                }
                let body = answer.bytes(SMALL).await?;
                auth::bearer(&body).ok_or_else(|| self.malformed(&what, "there is no token in it"))
            }
        }
    }
}

/// The registry `host`, as a reference names it.
fn root_of(host: &str, plain_http: bool) -> Result<Url, UrlError> {
    // What Docker Hub is called and where it listens are two names.
    let listens = if host == "docker.io" { "registry-1.docker.io" } else { host };
    let scheme = if plain_http { "http" } else { "https" };
    Url::parse(&format!("{scheme}://{listens}/"))
}

/// For messages.
pub(super) fn shown(url: &Url) -> String {
    one_line(&url.to_string())
}

/// The first message of a registry's error document.
fn reason(body: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    let first = document.get("errors")?.get(0)?;
    let text = |key| first.get(key).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    Some(one_line(text("message").or(text("code"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_found_where_they_listen() {
        let at = |host, plain| {
            let root = root_of(host, plain).unwrap();
            (root.is_https(), root.host().to_owned(), root.port())
        };
        assert_eq!(at("ghcr.io", false), (true, "ghcr.io".to_owned(), 443));
        assert_eq!(at("127.0.0.1:5000", true), (false, "127.0.0.1".to_owned(), 5000));
        assert_eq!(at("[::1]:5000", true), (false, "::1".to_owned(), 5000));
        assert_eq!(root_of("[::1]:5000", true).unwrap().authority(), "[::1]:5000");
        assert_eq!(at("docker.io", false).1, "registry-1.docker.io");
    }
}
