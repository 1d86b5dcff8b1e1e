//! References to components in registries: `oci://host:port/repository:tag@sha256:digest`.

use std::{fmt, str::FromStr};
use trackside_codes::{Code, Coded, code};

use serde::{Deserialize, Serialize};

use crate::artifact::Digest;

/// How every reference begins.
const SCHEME: &str = "oci://";
/// Longest reference; registries themselves allow 255 for the repository and 128 for the tag.
const LONGEST: usize = 512;
const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;

/// A component in a registry, by tag, by digest, or by both: then the digest decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OciReference {
    /// Host, and port where it is not the usual one.
    pub registry: String,
    /// The path below it.
    pub repository: String,
    /// What the registry may point elsewhere tomorrow.
    pub tag: Option<String>,
    /// What can not change: the digest of the manifest.
    pub digest: Option<Digest>,
}

/// Why a text is not an [`OciReference`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no reference to a registry: {reason}; write oci://host/repository:tag or oci://host/repository@sha256:…"
)]
pub struct ReferenceError {
    text: String,
    reason: &'static str,
}

impl Coded for ReferenceError {
    fn code(&self) -> Code {
        code!("TS-0641")
    }
}

impl OciReference {
    /// Whether a text is meant to be one.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The last part of the repository: a name for people.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// The same repository at a digest.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("it is too long");
        }
        let rest = text.strip_prefix(SCHEME).ok_or("it does not begin with oci://")?;
        let (registry, rest) = rest.split_once('/').ok_or("it names no repository")?;
        if !is_registry(registry) {
            return Err("its host is written wrongly");
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|_| "its digest is not `sha256:` and 64 hexadecimal digits")?))
            }
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        if !is_repository(repository) {
            return Err("a repository has lower-case letters, digits, `.`, `_` and `-` between its slashes");
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err("a tag has letters, digits, `.`, `_` and `-`, at most 128");
        }
        if tag.is_none() && digest.is_none() {
            return Err("it has no tag and no digest");
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

impl FromStr for OciReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Self::read(text).map_err(|reason| ReferenceError { text: text.chars().take(120).collect(), reason })
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl Serialize for OciReference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OciReference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether a text is a registry's host, with or without a port.
#[must_use]
pub fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, port)) => (address, port.strip_prefix(':').or(Some(""))),
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let host_fits = if text.starts_with('[') {
        host.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        (1..=253).contains(&host.len()) && host.split('.').all(is_label)
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    host_fits && port.is_none_or(|port| digits(port) && port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_repository(text: &str) -> bool {
    let part = |part: &str| {
        let bytes = part.as_bytes();
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
            && !part.contains("..")
    };
    text.len() <= LONGEST_REPOSITORY && text.split('/').all(part)
}

fn is_tag(text: &str) -> bool {
    (1..=LONGEST_TAG).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && !text.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn references_are_read_and_written_the_same() {
        for text in [
            "oci://ghcr.io/acme/line-stats:1.2.0".to_owned(),
            "oci://127.0.0.1:5000/a:latest".to_owned(),
            "oci://[::1]:5000/a/b_c/d.e:x".to_owned(),
            format!("oci://localhost/a@{DIGEST}"),
            format!("oci://r.example:443/a:1@{DIGEST}"),
        ] {
            let reference: OciReference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
        }
        let reference: OciReference = "oci://ghcr.io/acme/line-stats:1.2.0".parse().unwrap();
        assert_eq!((reference.short_name(), reference.tag.as_deref()), ("line-stats", Some("1.2.0")));
    }

    #[test]
    fn what_is_no_reference_is_refused_with_the_reason() {
        for (text, reason) in [
            ("ghcr.io/a:1", "does not begin"),
            ("oci://ghcr.io", "no repository"),
            ("oci://ghcr.io/a", "no tag"),
            ("oci://user@ghcr.io/a:1", "host"),
            ("oci://GHCR.io/a:1", "host"),
            ("oci://a:0/b:1", "host"),
            ("oci://a:65536/b:1", "host"),
            ("oci://[::1/b:1", "host"),
            ("oci://a/../b:1", "repository"),
            ("oci://a//b:1", "repository"),
            ("oci://a/B:1", "repository"),
            ("oci://a/b?x=y:1", "repository"),
            ("oci://a/b:", "tag"),
            ("oci://a/b:-1", "tag"),
            ("oci://a/b:1/2", "tag"),
            ("oci://a/b@sha256:12", "digest"),
            ("oci://a/b@md5:12", "digest"),
        ] {
            let error = text.parse::<OciReference>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(format!("oci://a/{}:1", "b".repeat(300)).parse::<OciReference>().is_err());
    }
}
