//! Secrets that the plugin can use without seeing them.

use std::fmt;

use crate::{Step, StepError, host::secrets};

/// A granted secret.
pub struct Secret {
    inner: secrets::Secret,
}

impl Step {
    /// Opens a secret that `allow: { secrets: [NAME] }` grants.
    ///
    /// # Errors
    /// `denied` without the grant.
    pub fn secret(&self, name: &str) -> Result<Secret, StepError> {
        Ok(Secret { inner: secrets::Secret::open(name)? })
    }
}

impl Secret {
    /// A token to put into request headers; the host replaces it with the real value on the way out.
    #[must_use]
    pub fn placeholder(&self) -> String {
        self.inner.placeholder()
    }

    /// The value itself; only where the grant says `reveal`.
    ///
    /// # Errors
    /// `denied` without that.
    pub fn reveal(&self) -> Result<Vec<u8>, StepError> {
        Ok(self.inner.reveal()?)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
