//! Why an exchange with the outside came to nothing.

use std::{io, time::Duration};

use trackside_codes::Reason;

use crate::url::UrlError;

/// What failed, with its cause. Whoever asked knows what for, and says it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The URL is none that can be called.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A header that cannot be sent.
    #[error("the header `{name}` has no such value")]
    Header {
        /// Its name.
        name: String,
    },
    /// The name leads nowhere.
    #[error("failed to look up `{host}`: {source}")]
    Dns {
        /// The name.
        host: String,
        /// The resolver's words.
        source: io::Error,
    },
    /// The name has no address that may be called.
    #[error("`{host}` has no address")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// No address lets us connect; the last one's reason.
    #[error("failed to connect: {source}")]
    Connect {
        /// The system's words.
        source: io::Error,
    },
    /// The certificates to go by cannot be used.
    #[error("cannot use the root certificates: {reason}")]
    Certificates {
        /// Which file, and what is wrong with it.
        #[source]
        reason: Reason,
    },
    /// No agreement on encryption, or a certificate that is not believed.
    #[error("TLS failed: {source}")]
    Tls {
        /// The TLS library's words.
        source: io::Error,
    },
    /// No sign for too long.
    #[error("it did not {doing} within {after:?}")]
    Timeout {
        /// What was waited for: `connect`, `answer`, `go on`, `end`.
        doing: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// More bytes than are taken.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// It speaks something else than HTTP/1.1, or stopped in its midst.
    #[error("{}", in_words(source))]
    Protocol {
        /// What does not fit.
        source: hyper::Error,
    },
    /// The body ended before its end.
    #[error("broke off after {got} bytes: {}", in_words(source))]
    BrokenOff {
        /// Bytes that had come.
        got: u64,
        /// What happened.
        source: hyper::Error,
    },
}

/// What kind of failure it is, for who has to decide whether to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureClass {
    /// What was asked cannot be asked: no use in trying again.
    Request,
    /// The name could not be looked up.
    Dns,
    /// Nobody listens there, or nobody can get there.
    Connect,
    /// Whoever listens is not believed.
    Tls,
    /// Too slow.
    Timeout,
    /// Too much.
    TooLarge,
    /// No HTTP, or broken off.
    Protocol,
}

impl Failure {
    /// Its kind.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Url(_) | Self::Header { .. } => FailureClass::Request,
            Self::Dns { .. } | Self::NoAddress { .. } => FailureClass::Dns,
            Self::Connect { .. } => FailureClass::Connect,
            Self::Certificates { .. } | Self::Tls { .. } => FailureClass::Tls,
            Self::Timeout { .. } => FailureClass::Timeout,
            Self::TooLarge { .. } => FailureClass::TooLarge,
            Self::Protocol { .. } | Self::BrokenOff { .. } => FailureClass::Protocol,
        }
    }
}

/// hyper's own words are short; the cause behind them says what happened.
fn in_words(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
