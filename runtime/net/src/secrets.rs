//! The box's secrets, read when a step opens one.

use std::{
    ffi::OsStr,
    fs::OpenOptions,
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use trackside_codes::{Code, Coded, code};

use trackside_spec::{NodeConfig, SecretConfig};

/// Largest value. Headers carry less; keys in files are this long at most.
const LARGEST: u64 = 64 << 10;
/// A shorter value could not be kept out of logs: it would be found in everything.
const SHORTEST: usize = 4;

/// A secret of the box.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue {
    /// The value.
    pub value: Vec<u8>,
    /// The only hosts that it is sent to: `host` (the usual port of http or https) or `host:port`.
    pub hosts: Vec<String>,
    /// Whether a step may see it, if its workflow asks for that.
    pub reveal: bool,
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretValue").field("hosts", &self.hosts).field("reveal", &self.reveal).finish_non_exhaustive()
    }
}

/// Why a secret cannot be had. The value is in none of the messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// The config does not know it.
    #[error(
        "[{code}] there is no secret `{name}` on this box: add [secrets.{name}] to trackside.toml",
        code = self.code()
    )]
    Unknown {
        /// Its name.
        name: String,
    },
    /// What holds it is not there, or cannot be read.
    #[error("[{code}] the secret `{name}` cannot be read from {source_of}: {reason}", code = self.code())]
    Unreadable {
        /// Its name.
        name: String,
        /// File, variable or credential.
        source_of: String,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// Others can read it.
    #[error(
        "[{code}] the secret `{name}` will not be used: others may read {file} (mode {mode:03o}); run: chmod 600 {file}", file = file.display(),
        code = self.code()
    )]
    Exposed {
        /// Its name.
        name: String,
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no usable value.
    #[error(
        "[{code}] the secret `{name}` has {length} bytes: it must have between {SHORTEST} and {LARGEST}",
        code = self.code()
    )]
    Length {
        /// Its name.
        name: String,
        /// How many bytes were found.
        length: u64,
    },
}

impl Coded for SecretProblem {
    fn code(&self) -> Code {
        match self {
            Self::Unknown { .. } => code!("TS-0661"),
            Self::Unreadable { .. } => code!("TS-0662"),
            Self::Exposed { .. } => code!("TS-0663"),
            Self::Length { .. } => code!("TS-0664"),
        }
    }
}

/// Reads a secret. Relative files start at `project`.
///
/// # Errors
/// When the config does not know it, or its value cannot be had safely.
pub fn read(config: &NodeConfig, project: &Path, name: &str) -> Result<SecretValue, SecretProblem> {
    let secret = config.secrets.get(name).ok_or_else(|| SecretProblem::Unknown { name: name.to_owned() })?;
    let value = value(name, secret, project, &|variable| std::env::var_os(variable))?;
    if value.len() < SHORTEST || value.len() as u64 > LARGEST {
        return Err(SecretProblem::Length { name: name.to_owned(), length: value.len() as u64 });
    }
    Ok(SecretValue { value, hosts: secret.hosts.clone(), reveal: secret.reveal })
}

fn value(
    name: &str,
    secret: &SecretConfig,
    project: &Path,
    variable: &dyn Fn(&OsStr) -> Option<std::ffi::OsString>,
) -> Result<Vec<u8>, SecretProblem> {
    let unreadable =
        |source_of: String, reason: String| SecretProblem::Unreadable { name: name.to_owned(), source_of, reason };
    if let Some(wanted) = &secret.env {
        let found = variable(OsStr::new(wanted));
        let missing = || unreadable(format!("the variable {wanted}"), "the node's environment has none".to_owned());
        return Ok(found.ok_or_else(missing)?.into_encoded_bytes());
    }
    let (file, credential) = match (&secret.file, &secret.credential) {
        (Some(file), _) => (project.join(file), false),
        (None, Some(credential)) => {
            let folder = variable(OsStr::new("CREDENTIALS_DIRECTORY")).ok_or_else(|| {
                let reason = "the node was not started by a unit with LoadCredential=".to_owned();
                unreadable(format!("the credential {credential}"), reason)
            })?;
            (Path::new(&folder).join(credential), true)
        }
        // The config's own check lets nothing else through.
        (None, None) => return Err(SecretProblem::Unknown { name: name.to_owned() }),
    };
    let failed = |error: std::io::Error| unreadable(file.display().to_string(), error.to_string());
    // Not blocking: a pipe in the file's place must not hold a step's thread.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let mut options = OpenOptions::new();
    let mut opened = options.read(true).custom_flags(flags.bits().cast_signed()).open(&file).map_err(failed)?;
    let meta = opened.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(unreadable(file.display().to_string(), "it is not a regular file".to_owned()));
    }
    // systemd gives credentials to the service's user alone, by an access list that shows as group bits.
    let open_to_others = if credential { 0o007 } else { 0o077 };
    if meta.mode() & open_to_others != 0 {
        return Err(SecretProblem::Exposed { name: name.to_owned(), file, mode: meta.mode() & 0o777 });
    }
    let mut bytes = Vec::new();
    Read::by_ref(&mut opened).take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn config(secret: SecretConfig) -> NodeConfig {
        NodeConfig { secrets: [("pw".to_owned(), secret)].into(), ..NodeConfig::default() }
    }

    fn file(folder: &Path, text: &[u8], mode: u32) -> NodeConfig {
        let path = folder.join("pw.txt");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        config(SecretConfig { file: Some("pw.txt".into()), hosts: vec!["a.example".into()], ..Default::default() })
    }

    #[test]
    fn a_line_end_is_no_part_of_a_value() {
        let folder = tempfile::tempdir().unwrap();
        for (text, value) in [("s3cr3t\n", "s3cr3t"), ("s3cr3t\r\n", "s3cr3t"), ("s3\ncr3t", "s3\ncr3t")] {
            let secret = read(&file(folder.path(), text.as_bytes(), 0o600), folder.path(), "pw").unwrap();
            assert_eq!((secret.value.as_slice(), secret.reveal), (value.as_bytes(), false));
        }
    }

    #[test]
    fn what_others_can_read_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o666] {
            let problem = read(&file(folder.path(), b"s3cr3t", mode), folder.path(), "pw").unwrap_err().to_string();
            assert!(problem.contains("TS-0663") && problem.contains("chmod 600"), "{problem}");
            assert!(!problem.contains("s3cr3t"));
        }
    }

    #[test]
    fn a_value_that_is_too_long_too_short_or_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for (text, code) in [(vec![b'x'; 3], "TS-0664"), (vec![b'x'; 70_000], "TS-0664"), (b"\n".to_vec(), "TS-0664")] {
            let problem = read(&file(folder.path(), &text, 0o600), folder.path(), "pw").unwrap_err();
            assert!(problem.to_string().contains(code), "{problem}");
        }
        let config = file(folder.path(), b"s3cr3t", 0o600);
        assert!(read(&config, folder.path(), "other").unwrap_err().to_string().contains("TS-0661"));
        fs::remove_file(folder.path().join("pw.txt")).unwrap();
        assert!(read(&config, folder.path(), "pw").unwrap_err().to_string().contains("TS-0662"));
        fs::create_dir(folder.path().join("pw.txt")).unwrap();
        assert!(read(&config, folder.path(), "pw").unwrap_err().to_string().contains("not a regular file"));
    }

    #[test]
    fn a_credential_is_found_where_systemd_puts_it() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), b"s3cr3t", 0o440);
        let secret = SecretConfig { credential: Some("pw.txt".into()), ..SecretConfig::default() };
        let at = folder.path().as_os_str().to_owned();
        let set = move |name: &OsStr| (name == "CREDENTIALS_DIRECTORY").then(|| at.clone());
        assert_eq!(value("pw", &secret, Path::new("/"), &set).unwrap(), b"s3cr3t");
        assert!(value("pw", &secret, Path::new("/"), &|_| None).unwrap_err().to_string().contains("LoadCredential"));
        let secret = SecretConfig { env: Some("CREDENTIALS_DIRECTORY".into()), ..SecretConfig::default() };
        assert_eq!(value("pw", &secret, Path::new("/"), &set).unwrap(), folder.path().as_os_str().as_encoded_bytes());
    }
}
