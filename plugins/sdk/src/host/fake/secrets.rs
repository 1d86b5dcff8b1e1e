//! `secrets`.

use super::{denied, with};

/// Why a secret could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretError {
    /// Not granted, and what would grant it.
    Denied(String),
    /// The secret store does not answer.
    Unavailable(String),
}

pub struct Secret {
    name: String,
    value: Vec<u8>,
}

impl Secret {
    pub fn open(name: &str) -> Result<Self, SecretError> {
        let value = with(|world| world.secrets.get(name).cloned());
        let value = value.ok_or_else(|| SecretError::Denied(denied(&format!("the secret `{name}`"))))?;
        Ok(Self { name: name.into(), value })
    }

    pub fn placeholder(&self) -> String {
        format!("secret-placeholder-{}", self.name)
    }

    pub fn reveal(&self) -> Result<Vec<u8>, SecretError> {
        Ok(self.value.clone())
    }
}
