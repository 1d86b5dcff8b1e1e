//! From the name in a workflow to the bytes of a component: the lock file, the project's own folder, the binary.
//!
//! Nothing here calls a registry: what the lock file names is on this box, or the step fails and says how to get it.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

use trackside_codes::Reason;
use trackside_packages::{
    Installed, KeyError, Keyring, LIMIT, LOCK_FILE, Lock, Locked, Proof, SIGNATURE_SUFFIX, Verdict,
};
use trackside_spec::{Digest, OciReference, config::PluginsConfig, nearest};
use trackside_sync::lock;

use super::{
    bundled::{BUNDLED, bundled},
    look::{Look, Stamp},
    problem::PluginProblem,
};

/// A component that was found.
#[derive(Debug)]
pub struct FoundPlugin {
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Their digest.
    pub digest: Digest,
    /// Where they come from.
    pub origin: PluginOrigin,
    /// What its signatures are worth; `None` for what is part of the binary.
    pub verdict: Option<Verdict>,
}

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginOrigin {
    /// The lock file names it; it hides a file and a bundled plugin of the same name.
    Installed(Box<Locked>),
    /// A file of the project; it hides a bundled plugin of the same name.
    File(PathBuf),
    /// Part of the binary.
    Bundled,
}

/// Where the plugins of a project are looked for.
#[derive(Debug)]
pub struct PluginSources {
    root: PathBuf,
    folder: PathBuf,
    installed: Installed,
    keys: Vec<String>,
    require_signature: bool,
    keyring: OnceLock<Result<Keyring, KeyError>>,
    /// The lock file as it was when it looked like that.
    lock: Mutex<Option<(Stamp, Arc<Lock>)>>,
}

impl PluginSources {
    /// Those of the project at `root`: of its lock file, of its folder `plugins`, and installed ones below `data_dir`.
    #[must_use]
    pub fn new(root: PathBuf, folder: PathBuf, data_dir: &Path, config: &PluginsConfig) -> Self {
        Self {
            root,
            folder,
            installed: Installed::new(data_dir),
            keys: config.keys.clone(),
            require_signature: config.require_signature,
            keyring: OnceLock::new(),
            lock: Mutex::default(),
        }
    }

    /// How the files look that decide what `name` means. Reads none of them, but the lock file when that has changed.
    #[must_use]
    pub(crate) fn look(&self, name: &str) -> Look {
        let with_proof = |lock: Option<Stamp>, file: &Path| {
            let component = Stamp::of(file);
            // Most plugins are not files, and have no signature beside them.
            let proof = component.is_some().then(|| Stamp::of(&proof_file(file))).flatten();
            Look::new(lock, component, proof)
        };
        if is_path(name) {
            return with_proof(None, &self.root.join(name));
        }
        let stamp = Stamp::of(&self.root.join(LOCK_FILE));
        if let Some(digest) =
            stamp.and_then(|stamp| self.known_lock(stamp)?.find(name).map(|(_, locked)| locked.digest))
        {
            let (component, receipt) = (self.installed.path(&digest), self.installed.receipt_path(&digest));
            return Look::new(stamp, Stamp::of(&component), Stamp::of(&receipt));
        }
        if OciReference::is_meant(name) {
            return Look::new(stamp, None, None);
        }
        with_proof(stamp, &self.folder.join(format!("{name}.wasm")))
    }

    /// The lock file that looks like this, read once. `None` when it can not be used: who needs it is told by reading it.
    fn known_lock(&self, stamp: Stamp) -> Option<Arc<Lock>> {
        let mut known = lock(&self.lock);
        if let Some((_, lock)) = known.as_ref().filter(|(seen, _)| *seen == stamp) {
            return Some(lock.clone());
        }
        let lock = Arc::new(Lock::read(&self.root).ok().flatten()?);
        *known = Some((stamp, lock.clone()));
        Some(lock)
    }

    /// The component that a workflow calls `name`, checked against the lock file and the policy.
    ///
    /// # Errors
    /// When there is none, or it must not be used.
    pub fn find(&self, name: &str) -> Result<FoundPlugin, PluginProblem> {
        if is_path(name) {
            let file = self.root.join(name);
            return self.file(name, &file)?.ok_or_else(|| self.unknown(name, file));
        }
        let lock = Lock::read(&self.root).map_err(PluginProblem::Lock)?.unwrap_or_default();
        if let Some((_, locked)) = lock.find(name) {
            return self.installed(name, locked);
        }
        if OciReference::is_meant(name) {
            return Err(PluginProblem::NotLocked { reference: name.to_owned() });
        }
        let file = self.folder.join(format!("{name}.wasm"));
        if let Some(found) = self.file(name, &file)? {
            return Ok(found);
        }
        let bytes = bundled(name).ok_or_else(|| self.unknown(name, file))?;
        Ok(FoundPlugin { bytes: bytes.into(), digest: Digest::of(bytes), origin: PluginOrigin::Bundled, verdict: None })
    }

    /// Names that can be used, with what each means; sorted.
    ///
    /// # Errors
    /// When the lock file can not be used.
    pub fn names(&self) -> Result<Vec<(String, PluginOrigin)>, PluginProblem> {
        let lock = Lock::read(&self.root).map_err(PluginProblem::Lock)?.unwrap_or_default();
        let mut names: Vec<_> = BUNDLED.iter().map(|(name, _)| ((*name).to_owned(), PluginOrigin::Bundled)).collect();
        let own = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        names.extend(own.filter_map(|entry| {
            let path = entry.path();
            let name = path.file_stem().filter(|_| path.extension().is_some_and(|e| e == "wasm"))?.to_str()?;
            Some((name.to_owned(), PluginOrigin::File(path.clone())))
        }));
        names.extend(
            lock.plugins().map(|(name, locked)| (name.to_owned(), PluginOrigin::Installed(Box::new(locked.clone())))),
        );
        // Of several with one name, the one that hides the others comes first and stays.
        let rank = |origin: &PluginOrigin| match origin {
            PluginOrigin::Installed(_) => 0,
            PluginOrigin::File(_) => 1,
            PluginOrigin::Bundled => 2,
        };
        names.sort_by(|(a, left), (b, right)| a.cmp(b).then(rank(left).cmp(&rank(right))));
        names.dedup_by(|(a, _), (b, _)| a == b);
        Ok(names)
    }

    /// The keys of the config, read when they are first needed.
    ///
    /// # Errors
    /// When one can not be used.
    pub fn keyring(&self) -> Result<&Keyring, KeyError> {
        self.keyring.get_or_init(|| Keyring::read(&self.root, &self.keys)).as_ref().map_err(Clone::clone)
    }

    /// Judges a component and refuses it where the policy wants a signature that it has not.
    ///
    /// # Errors
    /// When it is refused, or a key can not be used.
    pub fn judge(&self, name: &str, bytes: &[u8], digest: &Digest, proofs: &[Proof]) -> Result<Verdict, PluginProblem> {
        let verdict = self.keyring().map_err(PluginProblem::Key)?.judge(bytes, digest, proofs);
        match &verdict {
            Verdict::NotSigned(reason) if self.require_signature => {
                Err(PluginProblem::Unsigned { name: name.to_owned(), reason: reason.clone(), digest: *digest })
            }
            _ => Ok(verdict),
        }
    }

    fn installed(&self, name: &str, locked: &Locked) -> Result<FoundPlugin, PluginProblem> {
        let wanted = locked.digest;
        let file = self.installed.path(&wanted);
        let bytes = self.installed.read(&wanted).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => PluginProblem::NotInstalled { name: name.to_owned(), digest: wanted },
            _ => unreadable(name, &file, error),
        })?;
        // The bytes that were checked are those that are loaded: they are read once.
        let found = Digest::of(&bytes);
        if found != wanted {
            return Err(PluginProblem::Changed { name: name.to_owned(), file, found, wanted });
        }
        let proofs: Vec<Proof> =
            self.installed.receipt(&wanted).and_then(|receipt| receipt.proof).into_iter().collect();
        let verdict = self.judge(name, &bytes, &wanted, &proofs)?;
        let origin = PluginOrigin::Installed(Box::new(locked.clone()));
        Ok(FoundPlugin { bytes: bytes.into(), digest: wanted, origin, verdict: Some(verdict) })
    }

    fn unknown(&self, name: &str, file: PathBuf) -> PluginProblem {
        let names = BUNDLED.iter().map(|(name, _)| *name).collect();
        let all = self.names().unwrap_or_default();
        let near = nearest(name, all.iter().map(|(name, _)| name.as_str())).map(str::to_owned);
        PluginProblem::Unknown { name: name.to_owned(), file, lock: LOCK_FILE, names, near }
    }

    fn file(&self, name: &str, file: &Path) -> Result<Option<FoundPlugin>, PluginProblem> {
        let bytes = match read_bounded(file) {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(size)) => {
                return Err(PluginProblem::TooLarge { file: file.to_owned(), size, limit: LIMIT });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(name, file, error)),
        };
        let digest = Digest::of(&bytes);
        let verdict = self.judge(name, &bytes, &digest, &proof_beside(file))?;
        let origin = PluginOrigin::File(file.to_owned());
        Ok(Some(FoundPlugin { bytes: bytes.into(), digest, origin, verdict: Some(verdict) }))
    }
}

/// Reads a file, if it is no larger than a component may be; its size otherwise. Never more than that is in memory.
fn read_bounded(path: &Path) -> io::Result<Result<Vec<u8>, u64>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > LIMIT {
        return Ok(Err(size));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    let size = bytes.len() as u64;
    Ok(if size > LIMIT { Err(size) } else { Ok(bytes) })
}

/// The signature that lies beside a component's file, if there is one.
#[must_use]
pub fn proof_beside(file: &Path) -> Vec<Proof> {
    /// A signature has less than 200 bytes.
    const LARGEST: u64 = 4096;
    let file = proof_file(file);
    let size = std::fs::metadata(&file).map_or(u64::MAX, |meta| meta.len());
    let text = (size <= LARGEST).then(|| std::fs::read_to_string(&file).ok()).flatten();
    text.and_then(|text| Proof::detached(&text)).into_iter().collect()
}

/// Where the signature of a component's file lies.
fn proof_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(SIGNATURE_SUFFIX);
    name.into()
}

/// Whether a step names its component by a path in the project.
fn is_path(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "wasm") && !OciReference::is_meant(name)
}

fn unreadable(name: &str, file: &Path, error: io::Error) -> PluginProblem {
    PluginProblem::Unreadable { name: name.to_owned(), file: file.to_owned(), reason: Reason::disk(error) }
}
