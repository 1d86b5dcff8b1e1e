//! From a host's name to addresses. The only place where a name is looked up: what comes out is connected to as it is, by
//! whoever has checked it.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
};

use crate::{failure::Failure, url::Url};

/// What a method of an object-safe trait gives that takes its time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Looks names up.
pub trait Resolve: std::fmt::Debug + Send + Sync {
    /// The addresses of `host`, with `port`.
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver. An address is its own answer and asks nobody.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            match host.parse::<IpAddr>() {
                Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
                Err(_) => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
            }
        })
    }
}

/// All addresses of a URL's host, none of them checked.
///
/// # Errors
/// [`Failure::Dns`].
pub async fn resolve(resolver: &dyn Resolve, url: &Url) -> Result<Vec<SocketAddr>, Failure> {
    let found = resolver.lookup(url.host(), url.port()).await;
    found.map_err(|source| Failure::Dns { host: url.host().to_owned(), source })
}
