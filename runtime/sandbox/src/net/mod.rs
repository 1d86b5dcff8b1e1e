//! Requests to the outside, over connections that this crate opens itself so that the address that was checked is the
//! address that is called.

pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod egress;
pub(crate) mod headers;
pub(crate) mod resolver;
mod scripted;
pub(crate) mod tls;

use std::sync::Arc;

/// What all requests of a sandbox share.
#[derive(Clone)]
pub(crate) struct Net {
    pub(crate) tls: tls::Tls,
    pub(crate) resolver: Arc<dyn resolver::Resolve>,
}

impl Net {
    /// The system's resolver, and the certificates of `ca_file` or the system's.
    pub(crate) fn new(ca_file: Option<std::path::PathBuf>, resolver: Option<Arc<dyn resolver::Resolve>>) -> Self {
        Self { tls: tls::Tls::new(ca_file), resolver: resolver.unwrap_or_else(|| Arc::new(resolver::System)) }
    }
}
