//! Which addresses a request may go to, whatever name led to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The public internet.
    Public,
    /// This machine or a network beside it: only with `private: true`.
    Private,
    /// Nothing that a request can sensibly go to: never.
    Never,
}

/// Classifies an address. IPv6 addresses that carry an IPv4 address count as that address.
///
/// After the IANA special-purpose address registries (RFC 6890 and its updates).
#[must_use]
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        // "This network": 0.0.0.0 reaches the machine itself on Linux.
        (0, ..) => Reach::Never,
        (224.., ..) => Reach::Never,
        // Private use, shared (carrier-grade NAT), loopback, link-local with the cloud metadata services.
        (10, ..) | (100, 64..=127, _) | (127, ..) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => Reach::Private,
        // Protocol assignments, documentation, benchmarking, and the former 6to4 relays.
        (192, 0, 0) | (192, 0, 2) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) | (192, 88, 99) => {
            Reach::Private
        }
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Reach::Never,
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Private,
        // IPv4-mapped, IPv4-compatible (deprecated), and IPv4-translated.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => {
            reach_v4(v4(high, low))
        }
        // NAT64: the well-known prefix, and the one for local use, whose translation nobody outside can judge.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => reach_v4(v4(high, low)),
        [0x64, 0xff9b, 1, ..] => Reach::Private,
        // 6to4 and Teredo, the latter with the client's address inverted.
        [0x2002, high, low, ..] => reach_v4(v4(high, low)),
        [0x2001, 0, _, _, _, _, high, low] => match reach_v4(v4(!high, !low)) {
            Reach::Never => Reach::Never,
            _ => Reach::Private,
        },
        // Protocol assignments, documentation, discard.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0xfff, ..] | [0x100, 0, 0, 0..=1, ..] => {
            Reach::Private
        }
        [0xff00..=0xffff, ..] => Reach::Never,
        // Link-local, the former site-local, unique local.
        [0xfe80..=0xfeff, ..] | [0xfc00..=0xfdff, ..] => Reach::Private,
        // Segment routing SIDs are no hosts.
        [0x5f00, ..] => Reach::Never,
        // Only 2000::/3 is assigned for use in the internet.
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_range_is_recognised_in_every_dress() {
        let table = [
            ("93.184.216.34", Reach::Public),
            ("8.8.8.8", Reach::Public),
            ("172.32.0.1", Reach::Public),
            ("100.128.0.1", Reach::Public),
            ("0.0.0.0", Reach::Never),
            ("0.1.2.3", Reach::Never),
            ("127.0.0.1", Reach::Private),
            ("127.255.255.254", Reach::Private),
            ("10.0.0.1", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("172.31.255.255", Reach::Private),
            ("192.168.1.1", Reach::Private),
            ("169.254.169.254", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("100.127.255.255", Reach::Private),
            ("198.18.0.1", Reach::Private),
            ("192.0.2.1", Reach::Private),
            ("224.0.0.1", Reach::Never),
            ("239.255.255.255", Reach::Never),
            ("240.0.0.1", Reach::Never),
            ("255.255.255.255", Reach::Never),
            ("2606:2800:220:1::1", Reach::Public),
            ("::", Reach::Never),
            ("::1", Reach::Private),
            ("::ffff:127.0.0.1", Reach::Private),
            ("::ffff:169.254.169.254", Reach::Private),
            ("::ffff:8.8.8.8", Reach::Public),
            ("::ffff:0.0.0.0", Reach::Never),
            ("::127.0.0.1", Reach::Private),
            ("::ffff:0:127.0.0.1", Reach::Private),
            ("64:ff9b::7f00:1", Reach::Private),
            ("64:ff9b::a9fe:a9fe", Reach::Private),
            ("64:ff9b::808:808", Reach::Public),
            ("64:ff9b:1::808:808", Reach::Private),
            ("2002:7f00:1::", Reach::Private),
            ("2002:a00:1::1", Reach::Private),
            ("2002:808:808::1", Reach::Public),
            ("2001:0:0:0:0:0:80ff:fffe", Reach::Private),
            ("2001:db8::1", Reach::Private),
            ("fe80::1", Reach::Private),
            ("fec0::1", Reach::Private),
            ("fc00::1", Reach::Private),
            ("fd12:3456::1", Reach::Private),
            ("ff02::1", Reach::Never),
            ("4000::1", Reach::Never),
            ("100::1", Reach::Private),
        ];
        for (text, expected) in table {
            assert_eq!(reach(text.parse().unwrap()), expected, "{text}");
        }
    }
}
