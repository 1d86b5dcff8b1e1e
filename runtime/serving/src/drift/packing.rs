//! Parts of bytes behind each other: each with its length before it.

use trackside_stats::StatsError;

/// What was kept can not be read: it is damaged, or of a later version.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SavedError(pub(super) &'static str);

impl SavedError {
    pub(super) fn unless(is_so: bool, what: &'static str) -> Result<(), Self> {
        if is_so { Ok(()) } else { Err(Self(what)) }
    }
}

impl From<StatsError> for SavedError {
    fn from(_: StatsError) -> Self {
        Self("a state that is damaged, or of a later version")
    }
}

/// The parts as one.
pub(super) fn pack(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        packed.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        packed.extend_from_slice(part);
    }
    packed
}

/// The parts of one.
pub(super) struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    #[expect(clippy::unnecessary_wraps, reason = "as all that reads what was kept")]
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, SavedError> {
        Ok(Self(bytes))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn next(&mut self) -> Result<&'a [u8], SavedError> {
        let short = SavedError("it is cut off");
        let Some((length, rest)) = self.0.split_first_chunk::<4>() else { return Err(short) };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((part, rest)) = rest.split_at_checked(length) else { return Err(short) };
        self.0 = rest;
        Ok(part)
    }
}
