//! Requests to the outside: the address that was checked is the address that is called.

pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod egress;
pub(crate) mod headers;
mod scripted;

use std::sync::Arc;

use trackside_net::{Resolve, SystemResolver, Tls};

/// What all requests of a sandbox share.
#[derive(Clone)]
pub(crate) struct Net {
    pub(crate) tls: Tls,
    pub(crate) resolver: Arc<dyn Resolve>,
}

impl Net {
    /// The system's resolver, and the certificates of `ca_file` or the system's.
    pub(crate) fn new(ca_file: Option<std::path::PathBuf>, resolver: Option<Arc<dyn Resolve>>) -> Self {
        Self { tls: Tls::new(ca_file), resolver: resolver.unwrap_or_else(|| Arc::new(SystemResolver)) }
    }
}
