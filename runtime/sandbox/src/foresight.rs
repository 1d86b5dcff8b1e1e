//! What can be known of a call's grants before it runs: the same decisions that the host functions make, asked beforehand.

use std::{net::IpAddr, sync::Arc};

use trackside_net::{Reach, reach};
use trackside_spec::{Allow, HttpGrant, Policy};

use crate::{
    descriptor::Descriptor,
    grants::{
        decide::{Grants, Refused, Undeliverable},
        url,
    },
};

/// Why something would be refused, whenever it is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// A sentence.
    pub reason: String,
    /// What would change it, where something would.
    pub remedy: Option<String>,
}

/// What a step may do, asked before it runs.
#[derive(Debug)]
pub struct Foresight(Grants);

impl Foresight {
    /// For a step with these grants, of this plugin, on a box with this policy.
    #[must_use]
    pub fn new(about: &Descriptor, allow: &Allow, policy: &Policy) -> Self {
        Self(Grants::new(Some(Arc::new(about.clone())), allow.clone(), policy.clone()))
    }

    /// Why every request of this method to this URL would be refused; nothing when one may come through.
    #[must_use]
    pub fn request(&self, method: &str, url: &str) -> Option<Foreseen> {
        let target = match url::parse(url) {
            Ok(target) => target,
            Err(reason) => return Some(Foreseen { reason: reason.to_string(), remedy: None }),
        };
        let what = format!("{method} {} is refused", target.origin());
        match self.0.http(&target, &method.to_ascii_uppercase()) {
            Err(refused) => Some(foreseen(what, refused)),
            Ok(permit) => match known_reach(target.host())? {
                Reach::Public => None,
                Reach::Private => {
                    permit.private.err().map(|refused| foreseen(format!("{what}: it is a private address"), refused))
                }
                Reach::Never => Some(Foreseen { reason: format!("{what}: it is no host's address"), remedy: None }),
            },
        }
    }

    /// Why every delivery to this path would be refused; nothing when one may come through.
    #[must_use]
    pub fn delivery(&self, path: &str) -> Option<Foreseen> {
        match self.0.deliver(path) {
            Err(Undeliverable::BadPath(reason)) => Some(Foreseen { reason, remedy: None }),
            Err(Undeliverable::Refused(refused)) => {
                Some(foreseen(format!("a delivery to `{path}` is refused"), refused))
            }
            Ok(_) => None,
        }
    }
}

/// Why nothing can be called by a grant for requests, whatever the URL is; nothing when something can.
#[must_use]
pub fn useless_grant(grant: &HttpGrant) -> Option<Foreseen> {
    let origin = &grant.origin;
    match known_reach(origin.host())? {
        Reach::Private if !grant.private => Some(Foreseen {
            reason: format!("{origin} is a private address, and the grant is for public ones: each request is refused"),
            remedy: Some(format!("allow: {{ http: [{}] }} would grant it", grant.clone().private())),
        }),
        Reach::Never => {
            Some(Foreseen { reason: format!("{origin} is no host's address: no grant allows it"), remedy: None })
        }
        Reach::Public | Reach::Private => None,
    }
}

/// Where a host lies, as far as its name alone tells: addresses, and the names that mean this machine (RFC 6761).
fn known_reach(host: &str) -> Option<Reach> {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    if host == "localhost" || host.ends_with(".localhost") {
        return Some(Reach::Private);
    }
    host.parse::<IpAddr>().ok().map(reach)
}

fn foreseen(what: String, refused: Refused) -> Foreseen {
    match refused {
        Refused::Plugin(kind) => {
            Foreseen { reason: format!("{what}: the plugin never asks for `{kind}` like this"), remedy: None }
        }
        Refused::Workflow(line) => Foreseen {
            reason: format!("{what}: the step does not allow it"),
            remedy: Some(format!("allow: {{ {line} }} would grant it")),
        },
        Refused::Node(key) => Foreseen {
            reason: format!("{what}: the policy of the box stands against it"),
            remedy: Some(format!("change `{key}` in [policy] of trackside.toml")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn useless(grant: &str) -> bool {
        useless_grant(&HttpGrant::parse(grant).unwrap()).is_some()
    }

    #[test]
    fn a_grant_for_a_private_address_needs_the_word() {
        for origin in [
            "http://127.0.0.1",
            "http://127.0.0.1:8080/x",
            "http://localhost",
            "https://api.localhost:1",
            "http://192.168.1.7",
            "http://10.0.0.1",
            "http://169.254.169.254",
            "http://[::1]:80",
            "http://[fd00::1]",
            "http://[::ffff:10.0.0.1]",
        ] {
            assert!(useless(origin), "{origin}");
            let grant = HttpGrant::parse(origin).unwrap().private();
            assert_eq!(useless_grant(&grant), None, "{origin}");
        }
        for origin in ["https://example.org", "http://93.184.216.34", "http://localhost.example.org", "http://plc"] {
            assert!(!useless(origin), "{origin}");
        }
        // No word helps.
        let never = useless_grant(&HttpGrant::parse("http://0.0.0.0").unwrap().private()).unwrap();
        assert_eq!(never.remedy, None);
    }
}
