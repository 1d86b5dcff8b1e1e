//! `secrets`: values that a guest can use without seeing them. It gets a placeholder, and the value takes its place in
//! the headers of requests to the hosts that the box names for it.

use std::collections::BTreeMap;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha2::{Digest as _, Sha256};
use wasmtime::component::Resource;

use trackside_net::Url;

use crate::{
    bindings::trackside::plugin::secrets::{Host, HostSecret, SecretError},
    files::blocking,
    host_api::SecretValue,
    store_data::{CallData, quoted},
};

/// Base64 as `Basic` writes it. Texts without padding are read too: servers read them.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A secret that a guest holds.
pub struct Secret {
    name: String,
}

/// The secrets that a call has opened.
#[derive(Default)]
pub(crate) struct Secrets {
    opened: BTreeMap<String, Opened>,
}

struct Opened {
    token: String,
    secret: SecretValue,
}

/// Why a request cannot carry a secret.
pub(crate) enum Misuse {
    /// The secret may not go to this host.
    WrongHost { name: String, hosts: Vec<String> },
    /// A value cannot stand in a header.
    NotForHeaders { name: String },
}

impl Secrets {
    /// The secret whose placeholder stands in `bytes`, if one does.
    pub(crate) fn placed_in(&self, bytes: &[u8]) -> Option<&str> {
        let contains = |token: &str| bytes.windows(token.len()).any(|window| window == token.as_bytes());
        self.opened.iter().find(|(_, opened)| contains(&opened.token)).map(|(name, _)| name.as_str())
    }

    /// Puts the values into a request's headers. Returns the names of the secrets that are in it now.
    pub(crate) fn fill(&self, headers: &mut [(String, String)], target: &Url) -> Result<Vec<String>, Misuse> {
        let mut used = Vec::new();
        for (name, opened) in &self.opened {
            for (header, value) in headers.iter_mut() {
                let Some(filled) = opened.fill(header, value) else { continue };
                if !opened.secret.hosts.iter().any(|host| is_host(host, target)) {
                    return Err(Misuse::WrongHost { name: name.clone(), hosts: opened.secret.hosts.clone() });
                }
                *value = filled.ok_or_else(|| Misuse::NotForHeaders { name: name.clone() })?;
                used.push(name.clone());
            }
        }
        used.dedup();
        Ok(used)
    }
}

impl Opened {
    /// The header's value with the secret in it: `None` without a placeholder, `Some(None)` when the secret is no text.
    fn fill(&self, header: &str, value: &str) -> Option<Option<String>> {
        let text = || std::str::from_utf8(&self.secret.value).ok();
        if value.contains(&self.token) {
            return Some(text().map(|text| value.replace(&self.token, text)));
        }
        // `Basic` hides user and password in base64, the placeholder too.
        let (scheme, encoded) = value.split_once(' ')?;
        if !header.eq_ignore_ascii_case("authorization") || !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let plain = BASIC.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
        if !plain.contains(&self.token) {
            return None;
        }
        let filled = text().map(|text| plain.replace(&self.token, text));
        Some(filled.map(|filled| format!("{scheme} {}", BASIC.encode(filled.as_bytes()))))
    }
}

/// Whether a secret's `host` or `host:port` is where the request goes. Without a port the scheme's own is meant.
fn is_host(host: &str, target: &Url) -> bool {
    match trackside_spec::host_and_port(host) {
        Ok((host, port)) => {
            host == target.host() && target.port() == port.unwrap_or(if target.is_https() { 443 } else { 80 })
        }
        Err(_) => false,
    }
}

/// What a guest sees instead of a value: the same in every attempt of a step, so that the step stays repeatable.
fn token(key: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("trackside placeholder v1\0{key}\0{name}"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("trackside-secret-{hex}")
}

impl HostSecret for CallData {
    async fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Secret>, SecretError>> {
        self.enter()?;
        let what = format!("use the secret {}", quoted(&name.chars().take(200).collect::<String>()));
        if let Err(refused) = self.grants.secret(&name) {
            return Ok(Err(SecretError::Denied(self.refuse(&what, refused))));
        }
        if !self.egress.secrets.opened.contains_key(&name) {
            let (host, wanted) = (self.host.clone(), name.clone());
            // A file, of whatever kind and wherever it lies.
            let secret = match blocking(move || Ok(host.secret(&wanted))).await {
                Ok(Ok(secret)) => secret,
                Ok(Err(reason)) => return Ok(Err(SecretError::Unavailable(reason.to_string()))),
                Err(error) => return Ok(Err(SecretError::Unavailable(error.to_string()))),
            };
            self.recorder.lock().hide(&name, &secret.value);
            let token = token(&self.call.idempotency_key, &name);
            self.egress.secrets.opened.insert(name.clone(), Opened { token, secret });
        }
        Ok(Ok(self.table.push(Secret { name })?))
    }

    fn placeholder(&mut self, secret: Resource<Secret>) -> wasmtime::Result<String> {
        self.enter()?;
        let name = &self.table.get(&secret)?.name;
        Ok(self.egress.secrets.opened.get(name).map(|opened| opened.token.clone()).unwrap_or_default())
    }

    fn reveal(&mut self, secret: Resource<Secret>) -> wasmtime::Result<Result<Vec<u8>, SecretError>> {
        self.enter()?;
        let name = self.table.get(&secret)?.name.clone();
        let what = format!("see the value of the secret {}", quoted(&name));
        if let Err(refused) = self.grants.reveal(&name) {
            return Ok(Err(SecretError::Denied(self.refuse(&what, refused))));
        }
        let found =
            self.egress.secrets.opened.get(&name).map(|opened| (opened.secret.reveal, opened.secret.value.clone()));
        match found {
            Some((true, value)) => {
                self.reveals.insert(name);
                Ok(Ok(value))
            }
            _ => {
                let why = format!("[secrets.{name}] in trackside.toml of this box does not say reveal = true");
                Ok(Err(SecretError::Denied(self.deny_always(&what, &why))))
            }
        }
    }

    fn drop(&mut self, secret: Resource<Secret>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

impl Host for CallData {}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let secret = SecretValue {
            value: b"s3cr3t".to_vec(),
            hosts: vec!["a.example".into(), "b.example:8443".into()],
            reveal: false,
        };
        let opened = Opened { token: token("run/step", "pw"), secret };
        Secrets { opened: [("pw".to_owned(), opened)].into() }
    }

    fn fill(value: &str, url: &str) -> Result<(String, Vec<String>), Misuse> {
        let mut headers = vec![("Authorization".to_owned(), value.to_owned())];
        let used = secrets().fill(&mut headers, &Url::parse(url).unwrap())?;
        Ok((headers.remove(0).1, used))
    }

    #[test]
    fn a_placeholder_becomes_the_value_for_its_hosts_only() {
        let bearer = format!("Bearer {}", token("run/step", "pw"));
        for url in ["https://a.example/x", "https://A.example.:443/", "https://b.example:8443/"] {
            let Ok((value, used)) = fill(&bearer, url) else { panic!("{url}") };
            assert_eq!((value.as_str(), used), ("Bearer s3cr3t", vec!["pw".to_owned()]));
        }
        for url in ["https://a.example:8443/", "https://b.example/", "https://x.a.example/", "https://a.example.evil/"]
        {
            assert!(matches!(fill(&bearer, url), Err(Misuse::WrongHost { .. })), "{url}");
        }
        assert!(matches!(fill("nothing", "https://evil.example/"), Ok((_, used)) if used.is_empty()));
    }

    #[test]
    fn a_placeholder_in_basic_authorization_is_found() {
        let plain = format!("user:{}", token("run/step", "pw"));
        let header = format!("Basic {}", BASIC.encode(plain.as_bytes()));
        let Ok((value, used)) = fill(&header, "https://a.example/") else { panic!("it is refused") };
        assert_eq!((value.as_str(), used.len()), ("Basic dXNlcjpzM2NyM3Q=", 1));
        assert!(matches!(fill(&header, "https://evil.example/"), Err(Misuse::WrongHost { .. })));
    }
}
