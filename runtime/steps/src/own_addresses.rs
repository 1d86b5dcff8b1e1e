//! The addresses that the node itself listens on. No step may call them, whatever it is granted.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::RwLock,
};

use trackside_sync::{read, write};

/// The node's own listeners. Whoever opens one adds it here before the first step runs.
#[derive(Debug, Default)]
pub struct OwnAddresses(RwLock<Vec<SocketAddr>>);

impl OwnAddresses {
    /// One more listener; `0.0.0.0` and `::` stand for every address of the machine.
    pub fn add(&self, listener: SocketAddr) {
        let listener = SocketAddr::new(listener.ip().to_canonical(), listener.port());
        let mut listeners = write(&self.0);
        if !listeners.contains(&listener) {
            listeners.push(listener);
        }
    }

    /// Whether a connection to `address` would reach one of them.
    #[must_use]
    pub fn covers(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let listeners = read(&self.0);
        let mut same_port = listeners.iter().filter(|listener| listener.port() == address.port());
        same_port.any(|listener| listener.ip() == ip || (listener.ip().is_unspecified() && is_this_machine(ip)))
    }
}

/// Whether the address is one of this machine's: only then can a socket be bound to it.
fn is_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_by_each_of_them() {
        let own = OwnAddresses::default();
        own.add(SocketAddr::from(([0, 0, 0, 0], 7878)));
        for address in ["127.0.0.1:7878", "127.9.9.9:7878", "[::1]:7878", "[::ffff:127.0.0.1]:7878"] {
            assert!(own.covers(address.parse().unwrap_or_else(|_| SocketAddr::from(([0; 4], 0)))), "{address}");
        }
        assert!(!own.covers(SocketAddr::from(([127, 0, 0, 1], 7879))));
        // A documentation address: no machine has it.
        assert!(!own.covers(SocketAddr::from(([203, 0, 113, 9], 7878))));
    }

    #[test]
    fn a_listener_on_one_address_is_reached_by_that_alone() {
        let own = OwnAddresses::default();
        own.add(SocketAddr::from(([127, 0, 0, 1], 7878)));
        assert!(own.covers(SocketAddr::from(([127, 0, 0, 1], 7878))));
        assert!(!own.covers(SocketAddr::from(([127, 0, 0, 2], 7878))));
    }
}
