//! Changes of what is installed.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;
use trackside_spec::{Digest, is_plugin_name};

use super::{
    durable,
    installed::{Installed, Receipt},
    lock::{LOCK_FILE, Lock, Locked},
};
use crate::{error::InstallError, signature::Verdict};

/// The right to change what is installed in a project; one process has it at a time.
#[derive(Debug)]
pub struct Installer {
    root: PathBuf,
    installed: Installed,
    lock: Lock,
    /// Held by the kernel for as long as it is open.
    _busy: File,
}

/// A component that was fetched, checked and judged.
#[derive(Debug)]
pub struct NewPlugin<'a> {
    /// The component.
    pub bytes: &'a [u8],
    /// What is known about it.
    pub receipt: Receipt,
    /// What its signatures are worth.
    pub verdict: &'a Verdict,
}

impl Installer {
    /// Takes the right, and clears what a command that died has left.
    ///
    /// # Errors
    /// When another process has it, the lock file is damaged, or the folder can not be used.
    pub fn open(root: &Path, data_dir: &Path) -> Result<Self, InstallError> {
        let installed = Installed::new(data_dir);
        let folder = installed.folder().to_owned();
        fs::create_dir_all(data_dir).map_err(InstallError::io("make", data_dir))?;
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(InstallError::io("make", &folder)(error));
            }
            _ => {}
        }
        let file = folder.join(".busy");
        let busy = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&file);
        let busy = busy.map_err(InstallError::io("open", &file))?;
        rustix::fs::flock(&busy, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            rustix::io::Errno::WOULDBLOCK => InstallError::Busy,
            error => InstallError::io("lock", &file)(error.into()),
        })?;
        let found = Lock::read(root)?;
        let installer = Self { root: root.to_owned(), installed, lock: found.clone().unwrap_or_default(), _busy: busy };
        for folder in [root, &folder] {
            durable::sweep(folder).map_err(InstallError::io("clear", folder))?;
        }
        // A project whose lock file is gone for a moment (a checkout, a restore) keeps its components.
        if found.is_some() {
            installer.sweep()?;
        }
        Ok(installer)
    }

    /// What the lock file says.
    #[must_use]
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// The folder of components.
    #[must_use]
    pub fn installed(&self) -> &Installed {
        &self.installed
    }

    /// Installs a component under a name. When this returns, it is on disk and the lock file says so.
    ///
    /// # Errors
    /// When the name is none or anything can not be written. Then the name means what it meant before.
    pub fn install(&mut self, name: &str, plugin: &NewPlugin<'_>) -> Result<(), InstallError> {
        if !is_plugin_name(name) {
            return Err(InstallError::Name { name: name.to_owned() });
        }
        let digest = Digest::of(plugin.bytes);
        self.place(digest, plugin.bytes, &plugin.receipt)?;
        let Receipt { source, manifest, size, version, .. } = plugin.receipt.clone();
        let signature = signature(plugin.verdict);
        let mut lock = self.lock.clone();
        lock.put(name, Locked { source, manifest, digest, size, version, signature, previous: Vec::new() });
        self.switch(lock)
    }

    /// Puts a component beside the lock file, which names it already.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn place(&self, digest: Digest, bytes: &[u8], receipt: &Receipt) -> Result<(), InstallError> {
        let (component, known) = (self.installed.path(&digest), self.installed.receipt_path(&digest));
        if !self.installed.is_whole(&digest) {
            durable::write(&component, bytes, 0o400).map_err(InstallError::io("write", &component))?;
        }
        let mut receipt = receipt.clone();
        if receipt.proof.is_none() {
            // The same component from another place does not lose the signature that it has.
            receipt.proof = self.installed.receipt(&digest).and_then(|known| known.proof);
        }
        let text = serde_json::to_vec_pretty(&receipt).map_err(|error| io::Error::other(error.to_string()));
        let text = text.map_err(InstallError::io("write", &known))?;
        durable::write(&known, &text, 0o600).map_err(InstallError::io("write", &known))
    }

    /// Takes a name out of the lock file, and its components off the disk where nothing else needs them.
    ///
    /// # Errors
    /// When there is no such name, or the lock file can not be written.
    pub fn remove(&mut self, name: &str) -> Result<Locked, InstallError> {
        let mut lock = self.lock.clone();
        let removed = lock.remove(name).ok_or_else(|| self.unknown(name))?;
        self.switch(lock)?;
        Ok(removed)
    }

    /// The component that a name meant before, with what is known about it.
    ///
    /// # Errors
    /// When there is no such name, nothing before, or it is not on this box any more.
    pub fn earlier(&self, name: &str) -> Result<(Digest, Vec<u8>, Receipt), InstallError> {
        let plugin = self.lock.get(name).ok_or_else(|| self.unknown(name))?;
        let digest = *plugin.previous.last().ok_or_else(|| InstallError::NoEarlier { name: name.to_owned() })?;
        let gone = || InstallError::Gone { name: name.to_owned(), digest };
        let bytes = self.installed.read(&digest).map_err(|_| gone())?;
        let receipt = self.installed.receipt(&digest).ok_or_else(gone)?;
        if Digest::of(&bytes) != digest {
            return Err(gone());
        }
        Ok((digest, bytes, receipt))
    }

    /// Makes a name mean what it meant before. What it meant until now is forgotten.
    ///
    /// # Errors
    /// Those of [`Self::earlier`], or when the lock file can not be written.
    pub fn rollback(&mut self, name: &str, verdict: &Verdict) -> Result<(), InstallError> {
        let (digest, bytes, receipt) = self.earlier(name)?;
        let mut lock = self.lock.clone();
        let Some(mut plugin) = lock.get(name).cloned() else { return Err(self.unknown(name)) };
        plugin.previous.pop();
        let Receipt { source, manifest, version, .. } = receipt;
        let (signature, size) = (signature(verdict), bytes.len() as u64);
        lock.replace(name, Locked { source, manifest, digest, size, version, signature, ..plugin });
        self.switch(lock)
    }

    /// The one moment at which a change takes effect.
    fn switch(&mut self, lock: Lock) -> Result<(), InstallError> {
        let path = self.root.join(LOCK_FILE);
        let text = lock.to_text()?;
        durable::write(&path, text.as_bytes(), 0o644).map_err(InstallError::io("write", &path))?;
        self.lock = lock;
        // It is done; what can not be cleared now is cleared by the next command.
        if let Err(error) = self.sweep() {
            tracing::warn!("{error}");
        }
        Ok(())
    }

    /// Removes components that the lock file does not name.
    fn sweep(&self) -> Result<(), InstallError> {
        let folder = self.installed.folder();
        let failed = |error| InstallError::io("clear", folder)(error);
        let needed: HashSet<String> = self.lock.digests().map(|digest| digest.hex()).collect();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".wasm").or(name.strip_suffix(".json")));
            if stem.is_some_and(|stem| stem.len() == 64 && !needed.contains(stem)) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn unknown(&self, name: &str) -> InstallError {
        let names: Vec<&str> = self.lock.plugins().map(|(name, _)| name).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        InstallError::Unknown { name: name.to_owned(), known }
    }
}

fn signature(verdict: &Verdict) -> Option<Digest> {
    match verdict {
        Verdict::Signed { id, .. } => Some(*id),
        Verdict::NotSigned(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::durable::UNFINISHED;

    struct Box {
        folder: tempfile::TempDir,
    }

    impl Box {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap() }
        }

        fn data(&self) -> PathBuf {
            self.folder.path().join(".trackside")
        }

        fn open(&self) -> Result<Installer, InstallError> {
            Installer::open(self.folder.path(), &self.data())
        }

        fn components(&self) -> Vec<String> {
            let entries = fs::read_dir(self.data().join("plugins")).unwrap().flatten();
            let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
            names.retain(|name| name.ends_with(".wasm"));
            names.sort();
            names
        }
    }

    fn install(installer: &mut Installer, name: &str, bytes: &[u8]) -> Result<(), InstallError> {
        let receipt = Receipt {
            source: format!("file:{name}.wasm").parse().unwrap(),
            manifest: None,
            size: bytes.len() as u64,
            version: "1".to_owned(),
            proof: None,
        };
        installer.install(name, &NewPlugin { bytes, receipt, verdict: &Verdict::NotSigned(String::new()) })
    }

    #[test]
    fn installing_rolling_back_and_removing_leave_exactly_what_the_lock_names() {
        let place = Box::new();
        let mut installer = place.open().unwrap();
        for bytes in [b"one".as_slice(), b"two", b"two"] {
            install(&mut installer, "a", bytes).unwrap();
        }
        install(&mut installer, "b", b"two").unwrap();
        assert_eq!(place.components().len(), 2);
        assert_eq!(installer.lock().get("a").unwrap().previous, [Digest::of(b"one")]);
        installer.rollback("a", &Verdict::NotSigned(String::new())).unwrap();
        assert_eq!(installer.lock().get("a").unwrap().digest, Digest::of(b"one"));
        assert!(matches!(installer.earlier("a"), Err(InstallError::NoEarlier { .. })));
        installer.remove("a").unwrap();
        assert_eq!(place.components(), [format!("{}.wasm", Digest::of(b"two").hex())]);
        drop(installer);
        assert_eq!(place.open().unwrap().lock().plugins().count(), 1);
        assert!(matches!(place.open().unwrap().remove("a"), Err(InstallError::Unknown { .. })));
    }

    #[test]
    fn one_process_at_a_time_changes_what_is_installed() {
        let place = Box::new();
        let first = place.open().unwrap();
        assert!(matches!(place.open(), Err(InstallError::Busy)));
        drop(first);
        place.open().unwrap();
    }

    #[test]
    fn what_a_dead_command_left_is_swept_and_a_missing_lock_costs_no_component() {
        let place = Box::new();
        install(&mut place.open().unwrap(), "a", b"one").unwrap();
        let plugins = place.data().join("plugins");
        let orphan = Digest::of(b"orphan");
        for (folder, name) in [
            (place.folder.path(), format!("{UNFINISHED}0-workflow.lock")),
            (&plugins, format!("{UNFINISHED}1-x.wasm")),
            (&plugins, format!("{}.wasm", orphan.hex())),
            (&plugins, format!("{}.json", orphan.hex())),
        ] {
            fs::write(folder.join(name), b"x").unwrap();
        }
        drop(place.open().unwrap());
        assert_eq!(place.components(), [format!("{}.wasm", Digest::of(b"one").hex())]);
        assert_eq!(fs::read_dir(&plugins).unwrap().count(), 3);
        assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 2);
        fs::remove_file(place.folder.path().join(LOCK_FILE)).unwrap();
        drop(place.open().unwrap());
        assert_eq!(place.components().len(), 1);
    }

    #[test]
    fn a_damaged_lock_changes_nothing() {
        let place = Box::new();
        install(&mut place.open().unwrap(), "a", b"one").unwrap();
        fs::write(place.folder.path().join(LOCK_FILE), "version = 1\n[plugins.a]\n").unwrap();
        assert!(matches!(place.open(), Err(InstallError::Lock(_))));
        assert_eq!(place.components().len(), 1);
    }

    #[test]
    fn a_component_keeps_its_signature_when_it_is_installed_from_elsewhere_too() {
        let place = Box::new();
        let mut installer = place.open().unwrap();
        let digest = Digest::of(b"one");
        install(&mut installer, "a", b"one").unwrap();
        let proof = crate::signature::Proof::detached("QUJD");
        let receipt = Receipt { proof: proof.clone(), ..installer.installed().receipt(&digest).unwrap() };
        installer.place(digest, b"one", &receipt).unwrap();
        install(&mut installer, "b", b"one").unwrap();
        assert_eq!(installer.installed().receipt(&digest).unwrap().proof, proof);
    }

    #[test]
    fn a_component_that_was_damaged_is_not_gone_back_to() {
        let place = Box::new();
        let mut installer = place.open().unwrap();
        install(&mut installer, "a", b"one").unwrap();
        install(&mut installer, "a", b"two").unwrap();
        let file = installer.installed().path(&Digest::of(b"one"));
        fs::remove_file(&file).unwrap();
        fs::write(&file, b"other").unwrap();
        assert!(matches!(installer.earlier("a"), Err(InstallError::Gone { .. })));
        // Installing it again mends it.
        install(&mut installer, "b", b"one").unwrap();
        assert!(installer.installed().is_whole(&Digest::of(b"one")));
    }
}
