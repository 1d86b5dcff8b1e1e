//! What the fuzz targets ask of rooms that are otherwise private. Exists only in builds for fuzzing.

use std::net::IpAddr;

use trackside_net::{Reach, Url, reach};
use trackside_spec::Origin;

/// Whether a grant covers a request to `url`; `None` when one of the two cannot be read.
#[must_use]
pub fn is_granted(grant: &str, url: &str) -> Option<bool> {
    let (origin, target) = (Origin::parse(grant).ok()?, Url::parse(url).ok()?);
    Some(target.is_below(&origin))
}

/// TLS, host and port of a URL that a step may call, as far as its text goes.
#[must_use]
pub fn target(url: &str) -> Option<(bool, String, u16)> {
    let target = Url::parse(url).ok()?;
    Some((target.is_https(), target.host().to_owned(), target.port()))
}

/// Whether an address may be called without the grant for private networks.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    reach(address) == Reach::Public
}
