//! The policy about URLs and addresses: two readers never understand one differently, and no form of an address lies
//! elsewhere than the address.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::{Corpus, fuzz_target};
use trackside_sandbox::fuzzing;
use url::{Host, Url};

fuzz_target!(|data: &[u8]| -> Corpus {
    if let Some(bytes) = data.first_chunk::<16>() {
        addresses(*bytes);
    }
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Keep };
    let Some((tls, host, port)) = fuzzing::target(text) else { return Corpus::Keep };
    let url = Url::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(url.scheme() == "https", tls, "{text:?}");
    assert_eq!(url.port_or_known_default(), Some(port), "{text:?}");
    assert!(url.username().is_empty() && url.password().is_none(), "{text:?}");
    match (url.host().expect("a target has a host"), host.parse::<IpAddr>()) {
        (Host::Domain(name), Err(_)) => assert_eq!(name.trim_end_matches('.'), host, "{text:?}"),
        (Host::Ipv4(address), Ok(IpAddr::V4(ours))) => assert_eq!(address, ours, "{text:?}"),
        (Host::Ipv6(address), Ok(IpAddr::V6(ours))) => assert_eq!(address, ours, "{text:?}"),
        (other, _) => panic!("{text:?}: {other:?} to others and {host:?} to us"),
    }
    Corpus::Keep
});

/// No address is more reachable because it is written inside another.
fn addresses(bytes: [u8; 16]) {
    let whole = IpAddr::V6(Ipv6Addr::from(bytes));
    let _ = fuzzing::is_public(whole);
    let inner = Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]);
    let [a, b] = [u16::from_be_bytes([bytes[0], bytes[1]]), u16::from_be_bytes([bytes[2], bytes[3]])];
    let forms = [
        inner.to_ipv6_mapped(),
        inner.to_ipv6_compatible(),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
        Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1),
    ];
    // What the standard library knows to be no public address is none here.
    let private = inner.is_private() || inner.is_loopback() || inner.is_link_local() || inner.is_unspecified();
    assert!(!(private && fuzzing::is_public(inner.into())), "{inner}");
    for form in forms {
        assert!(!fuzzing::is_public(form.into()) || fuzzing::is_public(inner.into()), "{form} for {inner}");
    }
}
