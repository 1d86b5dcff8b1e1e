//! Requests to the outside, over connections that this crate opens itself so that the address that was checked is the
//! address that is called.

pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod headers;
pub(crate) mod tls;
