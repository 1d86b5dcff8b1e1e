//! One look: a conditional request, the redirects that may be followed, an answer within its limits.

use std::{sync::Arc, time::Duration};

use hyper::{
    Method, StatusCode,
    body::Bytes,
    header::{self, HeaderMap, HeaderName},
};
use tokio::time::timeout;
use trackside_codes::{Class, Code, Coded, Reason, code};
use trackside_facts::PollState;
use trackside_net::{Exchange, Failure, HttpClient, Reply, SecretProblem, Tls, Url, UrlError};
use trackside_spec::{PollChange, PollTrigger, PollValue};

use super::{guard::Guard, wait};
use crate::tools::{Tools, blocking};

/// A chain of redirects that is longer leads nowhere.
const MOST_REDIRECTS: u32 = 5;
/// A longer ETag or date is not remembered.
const LONGEST_VALIDATOR: usize = 1024;

/// What a server gave.
pub(super) enum Looked {
    /// It says that nothing has changed.
    Same,
    /// It.
    Answer(Answer),
}

/// What there is now.
pub(super) struct Answer {
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Why a look saw nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error(transparent)]
    Net(#[from] Failure),
    #[error("there was no whole answer within {0:?}")]
    Slow(Duration),
    #[error("the server answers {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
    #[error("the server redirects {0}")]
    Redirect(#[source] Reason),
    #[error("the server sends no {0}, by which `changed` tells versions: write `changed: auto`")]
    NoValidator(&'static str),
    #[error(transparent)]
    Unreadable(Reason),
    #[error(transparent)]
    Secret(#[from] SecretProblem),
    #[error(transparent)]
    SecretUnread(Reason),
}

impl Coded for LookError {
    fn code(&self) -> Code {
        match self {
            Self::Net(_) | Self::Slow(_) => code!("TS-0460"),
            Self::Status { .. } => code!("TS-0461"),
            Self::Redirect(_) => code!("TS-0462"),
            Self::NoValidator(_) => code!("TS-0463"),
            Self::Unreadable(_) => code!("TS-0464"),
            Self::Secret(problem) => problem.code(),
            Self::SecretUnread(_) => code!("TS-0662"),
        }
    }
}

impl LookError {
    /// How long the server wants to be left alone.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<UrlError> for LookError {
    fn from(error: UrlError) -> Self {
        Self::Net(error.into())
    }
}

/// Looks for one trigger.
pub(super) struct Looker {
    tools: Tools,
    settings: PollTrigger,
    client: HttpClient,
}

impl Looker {
    pub(super) fn new(tools: &Tools, settings: PollTrigger) -> Self {
        let ca_file = tools.config.http.ca_file.as_ref().map(|file| tools.project.join(file));
        let only_private = settings.secrets().next().is_some() && !settings.url.starts_with("https://");
        let guard = Guard { own: tools.own.clone(), private: settings.is_private(), only_private };
        let client = HttpClient::with_resolver(Tls::new(ca_file), Arc::new(guard));
        Self { tools: tools.clone(), settings, client }
    }

    /// Looks once.
    ///
    /// # Errors
    /// Why nothing was seen.
    pub(super) async fn look(&self, known: &PollState) -> Result<Looked, LookError> {
        let all = self.settings.timeout.to_std();
        timeout(all, self.follow_to_the_end(known)).await.unwrap_or(Err(LookError::Slow(all)))
    }

    async fn follow_to_the_end(&self, known: &PollState) -> Result<Looked, LookError> {
        let own = Url::parse(&self.settings.url)?;
        let (given, conditions) = (self.headers().await?, self.conditions(known));
        let (mut url, empty) = (own.clone(), Bytes::new());
        for _ in 0..=MOST_REDIRECTS {
            let mut headers = conditions.clone();
            if url.is_at(own.origin()) {
                headers.extend(given.iter().cloned());
            }
            let text = url.whole();
            let exchange = Exchange {
                method: &Method::GET,
                url: &text,
                headers: &headers,
                body: &empty,
                // The look as a whole ends before: its text is the same each time.
                deadline: self.settings.timeout.to_std() * 2,
                max_body: self.settings.max_body.as_bytes(),
            };
            let reply = self.client.exchange(exchange).await?;
            match reply.status {
                StatusCode::NOT_MODIFIED if !conditions.is_empty() => return Ok(Looked::Same),
                StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION | StatusCode::NO_CONTENT => {
                    return Ok(Looked::Answer(answer(reply)));
                }
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => url = self.follow(&own, &url, &reply)?,
                status => {
                    let asked = text_of(&reply.headers, &header::RETRY_AFTER);
                    let server_time = text_of(&reply.headers, &header::DATE);
                    let retry_after = asked.and_then(|asked| wait::retry_after(&asked, server_time.as_deref()));
                    return Err(LookError::Status { status, retry_after });
                }
            }
        }
        Err(LookError::Redirect(format!("more than {MOST_REDIRECTS} times").into()))
    }

    fn follow(&self, own: &Url, from: &Url, reply: &Reply) -> Result<Url, LookError> {
        let refused = |words: String| LookError::Redirect(words.into());
        let location = text_of(&reply.headers, &header::LOCATION);
        let location = location.ok_or_else(|| refused("and does not say where to".to_owned()))?;
        let next = from.join(&location).map_err(|error| {
            let words = format!("to nothing that can be asked: {error}");
            LookError::Redirect(Reason::because(Class::Unavailable, words, error))
        })?;
        let others = self.settings.grants.iter().skip(1);
        if next.is_at(own.origin()) || others.map(|grant| &grant.origin).any(|origin| next.is_below(origin)) {
            return Ok(next);
        }
        Err(refused(format!("to {next}, which `redirects` does not list")))
    }

    /// The trigger's own headers, with the secrets as they are now.
    async fn headers(&self) -> Result<Vec<(HeaderName, String)>, LookError> {
        let mut headers = Vec::new();
        for given in &self.settings.headers {
            let value = match &given.value {
                PollValue::Text(text) => text.clone(),
                PollValue::Secret { prefix, name } => {
                    let (tools, wanted) = (self.tools.clone(), name.clone());
                    let read = blocking(move || tools.secret(&wanted)).await.map_err(LookError::SecretUnread)??;
                    let no_text = |_| LookError::SecretUnread(format!("the secret `{name}` is no UTF-8 text").into());
                    let text = String::from_utf8(read).map_err(no_text)?;
                    format!("{prefix}{text}")
                }
            };
            let name = HeaderName::try_from(given.name.as_str());
            let name = name.map_err(|_| Failure::Header { name: given.name.clone() })?;
            headers.push((name, value));
        }
        Ok(headers)
    }

    /// What the server need not send again.
    fn conditions(&self, known: &PollState) -> Vec<(HeaderName, String)> {
        let (etag, date) = match self.settings.changed {
            PollChange::Digest => (None, None),
            PollChange::Etag => (known.etag.clone(), None),
            PollChange::LastModified => (None, known.last_modified.clone()),
            PollChange::Auto | PollChange::Value(_) => (known.etag.clone(), known.last_modified.clone()),
        };
        let etag = etag.map(|etag| (header::IF_NONE_MATCH, etag));
        etag.into_iter().chain(date.map(|date| (header::IF_MODIFIED_SINCE, date))).collect()
    }
}

fn answer(reply: Reply) -> Answer {
    let validator = |name| text_of(&reply.headers, name).filter(|text| text.len() <= LONGEST_VALIDATOR);
    Answer { etag: validator(&header::ETAG), last_modified: validator(&header::LAST_MODIFIED), body: reply.body }
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
