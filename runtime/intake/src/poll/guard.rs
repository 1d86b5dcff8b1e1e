//! Which addresses a look may reach, whatever name led to them.

use std::{fmt, io, net::SocketAddr};

use trackside_net::{BoxFuture, Reach, Resolve, SystemResolver, reach};

use crate::tools::OwnAddress;

/// The system's resolver without the addresses that may not be asked. What it gives is connected to as it is, so that a name
/// whose answer changes meanwhile gains nothing.
pub(super) struct Guard {
    pub(super) own: OwnAddress,
    /// Whether private networks may be asked.
    pub(super) private: bool,
    /// Whether nothing else may: a secret goes along, unencrypted.
    pub(super) only_private: bool,
}

impl Guard {
    fn permitted(&self, found: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
        let mut refused = None;
        let mut open = Vec::new();
        for address in found {
            let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
            let reason = match reach(address.ip()) {
                _ if (self.own)(canonical) => "the node itself",
                Reach::Never => "no host's address",
                Reach::Private if !self.private => "in a private network: write `private: true` where that is meant",
                Reach::Public if self.only_private => {
                    "in the internet, and a secret would go there in the open: use https"
                }
                Reach::Private | Reach::Public => {
                    open.push(address);
                    continue;
                }
            };
            refused = Some(format!("{} is {reason}", canonical.ip()));
        }
        match refused {
            Some(reason) if open.is_empty() => Err(io::Error::new(io::ErrorKind::PermissionDenied, reason)),
            _ => Ok(open),
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("private", &self.private).finish_non_exhaustive()
    }
}

impl Resolve for Guard {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { self.permitted(SystemResolver.lookup(host, port).await?) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn guard(private: bool, only_private: bool) -> Guard {
        let own = Arc::new(|address: SocketAddr| address == SocketAddr::from(([127, 0, 0, 1], 7878)));
        Guard { own, private, only_private }
    }

    fn may(guard: &Guard, address: &str) -> bool {
        guard.permitted(vec![address.parse().unwrap()]).is_ok()
    }

    #[test]
    fn private_networks_need_the_word_and_the_node_itself_is_never_asked() {
        for inside in ["127.0.0.1:80", "10.0.0.1:80", "169.254.169.254:80", "[::1]:80", "[::ffff:10.0.0.1]:80"] {
            assert!(!may(&guard(false, false), inside) && may(&guard(true, false), inside), "{inside}");
        }
        assert!(may(&guard(false, false), "93.184.216.34:80"));
        for never in ["127.0.0.1:7878", "[::ffff:127.0.0.1]:7878", "0.0.0.0:80", "224.0.0.1:80"] {
            assert!(!may(&guard(true, false), never), "{never}");
        }
    }

    #[test]
    fn a_secret_does_not_cross_the_internet_in_the_open() {
        assert!(!may(&guard(true, true), "93.184.216.34:80") && may(&guard(true, true), "10.0.0.1:80"));
    }
}
