//! How a registry is reached and who we are there.

use std::{
    fs::OpenOptions,
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use trackside_codes::Reason;

use rustix::fs::OFlags;
use trackside_spec::config::RegistryConfig;

use crate::error::RegistryError;

/// Longest password or token; cloud registries give tokens of some kilobytes.
const LONGEST: u64 = 64 << 10;

/// A password that no message and no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes one over.
    #[must_use]
    pub fn new(password: String) -> Self {
        Self(password)
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// How one registry is reached.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// User and password.
    pub user: Option<(String, Password)>,
    /// Whether it is spoken to without TLS.
    pub plain_http: bool,
    /// A PEM file of root certificates that count instead of the system's.
    pub ca: Option<PathBuf>,
}

impl Access {
    /// As the config of the project at `root` says; `credentials` is `$CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// When the password can not be read, or others can read it too.
    pub fn from_config(
        host: &str,
        config: &RegistryConfig,
        root: &Path,
        credentials: Option<&Path>,
    ) -> Result<Self, RegistryError> {
        let wrong = |reason: Reason| RegistryError::Settings { host: host.to_owned(), reason };
        let password = match (&config.password_file, &config.credential) {
            (Some(file), _) => Some(read_secret(&root.join(file), true).map_err(wrong)?),
            (None, Some(name)) => {
                let folder = credentials.ok_or_else(|| {
                    wrong(
                        format!(
                            "the credential `{name}` comes from the service manager, which gives none here \
                         ($CREDENTIALS_DIRECTORY is not set); run it there, or use password_file"
                        )
                        .into(),
                    )
                })?;
                // The service manager itself keeps others out of that folder.
                Some(read_secret(&folder.join(name), false).map_err(wrong)?)
            }
            (None, None) => None,
        };
        let user = config.username.clone().zip(password.map(Password));
        Ok(Self { user, plain_http: config.plain_http, ca: config.ca.as_ref().map(|ca| root.join(ca)) })
    }
}

/// The error is a sentence.
fn read_secret(path: &Path, private: bool) -> Result<String, Reason> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| Reason::disk(error).told(|error| format!("cannot read {shown}: {error}"));
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if !meta.is_file() {
        return Err(format!("{shown} is no file").into());
    }
    if private && meta.mode() & 0o077 != 0 {
        return Err(
            format!("others may read {shown} (mode {:03o}); run: chmod 600 {shown}", meta.mode() & 0o777).into()
        );
    }
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.is_empty() || text.len() as u64 > LONGEST || secret.contains(char::is_control) {
        return Err(format!("{shown} holds no password: one line of at most {LONGEST} bytes").into());
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn access(root: &Path, config: &RegistryConfig) -> Result<Access, RegistryError> {
        Access::from_config("r.example", config, root, None)
    }

    #[test]
    fn a_password_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "secret\n").unwrap();
        let config = RegistryConfig {
            username: Some("ops".to_owned()),
            password_file: Some("password".to_owned()),
            ..RegistryConfig::default()
        };
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = access(folder.path(), &config).unwrap_err().to_string();
        assert!(error.contains("TS-0650") && error.contains("chmod 600"), "{error}");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let access = access(folder.path(), &config).unwrap();
        assert_eq!(access.user, Some(("ops".to_owned(), Password::new("secret".to_owned()))));
        assert!(!format!("{access:?}").contains("secret"));
    }

    #[test]
    fn a_credential_needs_the_service_manager() {
        let config = RegistryConfig {
            username: Some("ops".to_owned()),
            credential: Some("token".to_owned()),
            ..RegistryConfig::default()
        };
        let error = access(Path::new("/"), &config).unwrap_err().to_string();
        assert!(error.contains("CREDENTIALS_DIRECTORY"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "t0k3n").unwrap();
        let access = Access::from_config("r.example", &config, Path::new("/"), Some(folder.path())).unwrap();
        assert_eq!(access.user, Some(("ops".to_owned(), Password::new("t0k3n".to_owned()))));
    }

    #[test]
    fn an_empty_or_endless_password_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("empty", "\n".to_owned()), ("long", "x".repeat(70_000)), ("lines", "a\nb".to_owned())] {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            assert!(read_secret(&file, false).is_err(), "{name}");
        }
        assert!(read_secret(Path::new("/dev/zero"), false).is_err());
    }
}
