//! `workflow.lock`: which component a name means, exactly. It lies in the project's folder and belongs into version
//! control; a new box installs what it says.

use std::{collections::BTreeMap, fmt, io, path::Path, str::FromStr};
use trackside_codes::{Code, Coded, Reason, code};

use serde::{Deserialize, Serialize};
use trackside_spec::{Digest, OciReference, is_plugin_name};

/// Its name.
pub const LOCK_FILE: &str = "workflow.lock";
const VERSION: u32 = 1;
const LARGEST: u64 = 1 << 20;
const MOST: usize = 1000;
/// Earlier digests that are kept for going back.
const EARLIER: usize = 3;
const HEAD: &str = "# The plugins of this project, exactly. Written by `trackside plugin`; commit it. On a new box run\n\
                    # `trackside plugin sync`.\n";

/// Why the lock file can not be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "[{code}] {file}: {reason}; restore it from version control, or correct it", file = LOCK_FILE,
    code = self.code()
)]
pub struct LockError {
    #[source]
    reason: Reason,
}

impl Coded for LockError {
    fn code(&self) -> Code {
        code!("TS-0607")
    }
}

/// The lock file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// By name.
    #[serde(default)]
    plugins: BTreeMap<String, Locked>,
}

/// One plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Where it came from.
    pub source: Source,
    /// The digest of its manifest in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// The component's digest.
    pub digest: Digest,
    /// The component's size in bytes.
    pub size: u64,
    /// What the component calls its version.
    pub version: String,
    /// The id of the key that vouched for it when it was installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Digest>,
    /// Earlier digests, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Digest>,
}

/// Where a component came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A registry.
    Registry(OciReference),
    /// A file: relative to the project when it lies in there.
    File(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(f),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

impl FromStr for Source {
    type Err = Reason;

    fn from_str(text: &str) -> Result<Self, Reason> {
        match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() && !path.contains(char::is_control) => Ok(Self::File(path.to_owned())),
            Some(_) => Err(format!("{text:?} names no file").into()),
            None => {
                text.parse().map(Self::Registry).map_err(|error: trackside_spec::oci::ReferenceError| Reason::of(error))
            }
        }
    }
}

impl Serialize for Source {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, plugins: BTreeMap::new() }
    }
}

impl Lock {
    /// Reads the lock file of the project at `root`; `None` when there is none.
    ///
    /// # Errors
    /// When it can not be read, or is none.
    pub fn read(root: &Path) -> Result<Option<Self>, LockError> {
        let path = root.join(LOCK_FILE);
        let failed = |error: io::Error| LockError {
            reason: Reason::disk(error).told(|error| format!("cannot be read: {error}")),
        };
        let size = match std::fs::metadata(&path) {
            Ok(meta) => meta.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if size > LARGEST {
            return Err(LockError { reason: format!("has {size} bytes; the limit is {LARGEST}").into() });
        }
        let text = std::fs::read_to_string(&path).map_err(failed)?;
        Self::parse(&text).map(Some).map_err(|reason| LockError { reason })
    }

    /// Reads its text. The error is a sentence.
    fn parse(text: &str) -> Result<Self, Reason> {
        let lock: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            format!("{place}{}", error.message().trim())
        })?;
        if lock.version != VERSION {
            return Err(format!(
                "it has version {}, this program knows version {VERSION}; update the program that is older",
                lock.version
            )
            .into());
        }
        if lock.plugins.len() > MOST {
            return Err(format!("it has {} plugins; the limit is {MOST}", lock.plugins.len()).into());
        }
        let mut sources: Vec<(&Source, &str)> = Vec::new();
        for (name, plugin) in &lock.plugins {
            if !is_plugin_name(name) {
                return Err(format!("`{name}` is no plugin's name: lower-case letters, digits and `-`").into());
            }
            if plugin.previous.len() > EARLIER {
                return Err(
                    format!("`{name}` has {} earlier digests; the limit is {EARLIER}", plugin.previous.len()).into()
                );
            }
            let reference = matches!(plugin.source, Source::Registry(_));
            if let Some((_, other)) = sources.iter().find(|(source, _)| reference && **source == plugin.source) {
                return Err(format!("`{other}` and `{name}` have the same source {}", plugin.source).into());
            }
            sources.push((&plugin.source, name));
        }
        Ok(lock)
    }

    /// Its text.
    pub(super) fn to_text(&self) -> Result<String, LockError> {
        let body = toml::to_string(self)
            .map_err(|error| LockError { reason: format!("cannot be written: {error}").into() })?;
        Ok(format!("{HEAD}{body}"))
    }

    /// The plugins by name.
    pub fn plugins(&self) -> impl Iterator<Item = (&str, &Locked)> {
        self.plugins.iter().map(|(name, plugin)| (name.as_str(), plugin))
    }

    /// The plugin of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Locked> {
        self.plugins.get(name)
    }

    /// The plugin that a step means: by name, or by the reference that it was installed from.
    #[must_use]
    pub fn find(&self, wanted: &str) -> Option<(&str, &Locked)> {
        if !OciReference::is_meant(wanted) {
            return self.plugins.get_key_value(wanted).map(|(name, plugin)| (name.as_str(), plugin));
        }
        self.plugins().find(|(_, plugin)| plugin.source.to_string() == wanted)
    }

    /// All digests that it refers to.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        self.plugins.values().flat_map(|plugin| plugin.previous.iter().copied().chain([plugin.digest]))
    }

    /// Puts a plugin in; what was there under the name becomes the latest of its earlier digests.
    pub(super) fn put(&mut self, name: &str, mut plugin: Locked) {
        if let Some(old) = self.plugins.remove(name) {
            plugin.previous = old.previous;
            if old.digest != plugin.digest {
                plugin.previous.retain(|digest| *digest != plugin.digest && *digest != old.digest);
                plugin.previous.push(old.digest);
            }
            let surplus = plugin.previous.len().saturating_sub(EARLIER);
            plugin.previous.drain(..surplus);
        }
        self.plugins.insert(name.to_owned(), plugin);
    }

    /// Replaces a plugin as it is.
    pub(super) fn replace(&mut self, name: &str, plugin: Locked) {
        self.plugins.insert(name.to_owned(), plugin);
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Locked> {
        self.plugins.remove(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(source: &str, content: &str) -> Locked {
        Locked {
            source: source.parse().unwrap(),
            manifest: None,
            digest: Digest::of(content.as_bytes()),
            size: content.len() as u64,
            version: "1.0.0".to_owned(),
            signature: None,
            previous: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut lock = Lock::default();
        lock.put("a", Locked { manifest: Some(Digest::of(b"m")), ..locked("oci://r.example/a:1", "one") });
        lock.put("a", locked("oci://r.example/a:2", "two"));
        lock.put("b", Locked { signature: Some(Digest::of(b"k")), ..locked("file:vendor/b.wasm", "b") });
        let text = lock.to_text().unwrap();
        assert_eq!(Lock::parse(&text).unwrap(), lock, "{text}");
        assert_eq!(lock.get("a").unwrap().previous, [Digest::of(b"one")]);
        assert_eq!(lock.find("oci://r.example/a:2").unwrap().0, "a");
        assert_eq!(lock.find("oci://r.example/a:1"), None);
        assert_eq!(lock.digests().count(), 3);
    }

    #[test]
    fn the_earlier_digests_are_the_latest_three_and_each_once() {
        let mut lock = Lock::default();
        for content in ["1", "2", "3", "2", "2", "4", "5"] {
            lock.put("a", locked("file:a.wasm", content));
        }
        let earlier = ["3", "2", "4"].map(|content| Digest::of(content.as_bytes()));
        assert_eq!(lock.get("a").unwrap().previous, earlier);
    }

    #[test]
    fn every_flaw_is_refused_with_its_place() {
        let good = "version = 1\n[plugins.a]\nsource = \"oci://r.example/a:1\"\ndigest = \
                    \"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\nsize = 1\nversion = \"1\"\n";
        assert!(Lock::parse(good).is_ok());
        let twice = format!("{good}{}", good.replace("version = 1\n[plugins.a]", "[plugins.b]"));
        let cases = [
            (good.replace("version = 1\n", "version = 2\n"), "version 2"),
            (good.replace("size", "sise"), "line 5: unknown field `sise`"),
            (good.replace("size = 1\n", ""), "missing field `size`"),
            (good.replace("size = 1", "size = -1"), "line 5"),
            (good.replace("sha256:", "sha1:"), "line 4"),
            (good.replace("oci://", "https://"), "line 3"),
            (good.replace("plugins.a", "plugins.A"), "`A` is no plugin's name"),
            (good.replace("[plugins.a]", "[plugins.a"), "line 2"),
            (format!("x = 1\n{good}"), "unknown field `x`"),
            (twice, "same source"),
            (String::new(), "missing field `version`"),
        ];
        for (text, words) in cases {
            let error = Lock::parse(&text).unwrap_err();
            assert!(error.to_string().contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn a_project_without_a_lock_has_none_and_a_huge_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Lock::read(folder.path()).unwrap(), None);
        std::fs::write(folder.path().join(LOCK_FILE), " ".repeat(2 << 20)).unwrap();
        assert!(Lock::read(folder.path()).unwrap_err().to_string().contains("TS-0607"));
    }
}
