//! The way out of the box: whose certificates are believed, connections with a deadline, TLS, one HTTP exchange with a
//! limit on everything that comes back, and URLs read strictly.
//!
//! - `trust`: the certificates of a file, the system's, or Mozilla's
//! - `url`: a URL as an origin and a path, read so that no two readers can understand it differently
//! - `reach`: where an address lies, for those who may not call every one
//! - `resolve`, `connect`: from a name to addresses, from an address to a stream, with TLS over it
//! - `http`: one request over one connection of its own; no redirects, no proxies, no decompression
//! - `secrets`: what opens a door out there, read from where the config says when it is needed
//! - `client`: all of it in one call, for whatever asks a server that the config names
//!
//! Steps' requests, registries and brokers use it, and whatever else the node asks of the world. Who may be called is
//! not decided here: a caller with rules of its own (the sandbox) resolves, checks the addresses, and hands over those
//! that it permits; nothing here looks a name up again behind its back. It knows nothing of plugins, runs or the store.

mod client;
mod connect;
mod failure;
mod http;
mod reach;
mod resolve;
mod secrets;
mod trust;
mod url;

pub use client::{Exchange, HttpClient, Reply};
pub use connect::{Tls, connect};
pub use failure::{Failure, FailureClass};
pub use http::{Answer, Connection, Deadlines, HEADERS, send};
pub use reach::{Reach, reach};
pub use resolve::{BoxFuture, Resolve, SystemResolver, resolve};
pub use secrets::{SecretProblem, SecretValue, read as read_secret};
pub use trust::client_config;
pub use url::{Url, UrlError};
