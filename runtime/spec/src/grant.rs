//! What a step may do beyond computing, checked and ready to be asked.

use std::{collections::BTreeMap, fmt};
use trackside_codes::Reason;

use crate::origin::Origin;

/// What a step may do beyond computing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Requests that it may send.
    pub http: Vec<HttpGrant>,
    /// Secrets that it may use.
    pub secrets: Vec<SecretGrant>,
    /// Models that it may open, names as in [`ModelCall::model`](crate::ModelCall::model).
    pub models: Vec<String>,
    /// Whether it may keep state.
    pub state: bool,
    /// Environment variables that it sees.
    pub env: BTreeMap<String, String>,
    /// Folders that outbox files may be delivered below, relative to the project or absolute.
    pub deliver: Vec<String>,
    /// Topic filters that it may publish below.
    pub publish: Vec<String>,
    /// Events that it may emit, by name.
    pub emit: Vec<String>,
    /// Whether it sees the real clocks instead of the time that the run is about.
    pub clock: bool,
    /// Whether it gets real randomness instead of what its run and its id give.
    pub random: bool,
}

impl Allow {
    /// Whether something that the step does is seen outside before its result is committed.
    #[must_use]
    pub fn has_direct_effects(&self) -> bool {
        !self.http.is_empty()
    }

    /// Whether the same inputs give the same bytes every time: nothing that it is granted can differ between two runs.
    #[must_use]
    pub fn is_deterministic(&self) -> bool {
        self.http.is_empty()
            && self.secrets.is_empty()
            && self.models.is_empty()
            && !self.state
            && !self.clock
            && !self.random
    }
}

/// Requests that a step may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGrant {
    /// Where to, and below which path.
    pub origin: Origin,
    /// The only methods, in upper case; empty = all.
    pub methods: Vec<String>,
    /// Whether the host may have an address in a private network (loopback, local addresses).
    pub private: bool,
}

impl HttpGrant {
    /// All methods to a public origin.
    ///
    /// # Errors
    /// A sentence when `text` is no origin.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        Ok(Self { origin: Origin::parse(text)?, methods: Vec::new(), private: false })
    }

    /// The same, for private addresses too.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// Whether the method, in upper case, is one of those granted.
    #[must_use]
    pub fn has_method(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|granted| granted == method)
    }

    /// Whether everything that `other` grants is granted here, private addresses left aside.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let methods = match (self.methods.is_empty(), other.methods.is_empty()) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => other.methods.iter().all(|method| self.methods.contains(method)),
        };
        methods && self.origin.covers(&other.origin)
    }
}

/// As in a workflow's `allow: { http: [...] }`.
impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.methods.is_empty() && !self.private {
            return write!(f, "\"{}\"", self.origin);
        }
        write!(f, "{{ origin: \"{}\"", self.origin)?;
        if !self.methods.is_empty() {
            write!(f, ", methods: [{}]", self.methods.join(", "))?;
        }
        if self.private {
            f.write_str(", private: true")?;
        }
        f.write_str(" }")
    }
}

/// A secret that a step may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretGrant {
    /// Its name in `[secrets]` of the node's config.
    pub name: String,
    /// Whether the step may see the value itself.
    pub reveal: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_printed_as_it_would_be_written() {
        let mut grant = HttpGrant::parse("https://a.example/v1").unwrap();
        assert_eq!(grant.to_string(), "\"https://a.example/v1\"");
        grant.methods = vec!["GET".to_owned(), "PUT".to_owned()];
        grant.private = true;
        assert_eq!(grant.to_string(), "{ origin: \"https://a.example/v1\", methods: [GET, PUT], private: true }");
    }

    #[test]
    fn fewer_methods_cover_less() {
        let grant = |methods: &[&str]| HttpGrant {
            methods: methods.iter().map(ToString::to_string).collect(),
            ..HttpGrant::parse("https://a.example").unwrap()
        };
        assert!(grant(&[]).covers(&grant(&["GET"])));
        assert!(grant(&["GET", "PUT"]).covers(&grant(&["GET"])));
        assert!(!grant(&["GET"]).covers(&grant(&[])));
        assert!(!grant(&["GET"]).covers(&grant(&["GET", "PUT"])));
    }
}
