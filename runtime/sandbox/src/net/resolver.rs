//! From a host's name to addresses. The only place where a name is looked up: what comes out is checked, and connected
//! to as it is.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use crate::host_api::BoxFuture;

/// Looks names up.
pub trait Resolve: std::fmt::Debug + Send + Sync {
    /// The addresses of `host`, with `port`.
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver. An address is its own answer and asks nobody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System;

impl Resolve for System {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            match host.parse::<IpAddr>() {
                Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
                Err(_) => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
            }
        })
    }
}
