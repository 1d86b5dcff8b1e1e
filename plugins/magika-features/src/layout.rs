//! The part of Magika's model configuration that says how a file becomes a tensor.

use serde::Deserialize;

/// Larger blocks than this are refused: the plugin holds two of them at once.
const MAX_BLOCK: usize = 64 * 1024;

/// Sizes that belong to one model, read from the `config.min.json` that ships beside it.
///
/// Keys that only matter after the model has run (labels, thresholds) are ignored here.
#[derive(Debug, Clone, Deserialize)]
pub struct Layout {
    /// Values taken from the start of the file.
    pub beg_size: usize,
    /// Values taken from the middle; only 0 is supported, as in the Python package.
    pub mid_size: usize,
    /// Values taken from the end of the file.
    pub end_size: usize,
    /// Values at fixed offsets; only `false` is supported, as in the Python package.
    pub use_inputs_at_offsets: bool,
    /// Files with fewer bytes than this, white space at the start not counted, never reach the model.
    pub min_file_size_for_dl: usize,
    /// Stands where the file has no byte; outside 0..=255 so that it is none.
    pub padding_token: i32,
    /// Bytes read from each end of the file before white space is stripped.
    pub block_size: usize,
}

/// Why a configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The file is not JSON or lacks a key.
    #[error("the model configuration cannot be read: {0}; give the config.min.json that ships beside the model")]
    Unreadable(String),
    /// The model wants features that no released model uses.
    #[error("the model configuration asks for {0}, which this plugin does not compute; use a standard_v3 model")]
    Unsupported(&'static str),
    /// Numbers that contradict each other.
    #[error("the model configuration is inconsistent: {0}; give the config.min.json that ships beside the model")]
    Inconsistent(&'static str),
}

impl Layout {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// When it is no JSON object with these keys, or describes features that cannot be computed.
    pub fn from_json(text: &[u8]) -> Result<Self, LayoutError> {
        let layout: Self = serde_json::from_slice(text).map_err(|error| LayoutError::Unreadable(error.to_string()))?;
        layout.check()?;
        Ok(layout)
    }

    fn check(&self) -> Result<(), LayoutError> {
        if self.mid_size != 0 {
            return Err(LayoutError::Unsupported("bytes from the middle of the file (mid_size)"));
        }
        if self.use_inputs_at_offsets {
            return Err(LayoutError::Unsupported("bytes at fixed offsets (use_inputs_at_offsets)"));
        }
        if self.beg_size == 0 || self.end_size == 0 {
            return Err(LayoutError::Inconsistent("beg_size and end_size must be at least 1"));
        }
        if self.block_size > MAX_BLOCK {
            return Err(LayoutError::Inconsistent("block_size must be at most 65536"));
        }
        if self.beg_size >= self.block_size || self.end_size >= self.block_size {
            return Err(LayoutError::Inconsistent("beg_size and end_size must be below block_size"));
        }
        if self.min_file_size_for_dl == 0 || self.min_file_size_for_dl > self.beg_size {
            return Err(LayoutError::Inconsistent("min_file_size_for_dl must lie in 1..=beg_size"));
        }
        if (0..=255).contains(&self.padding_token) {
            return Err(LayoutError::Inconsistent("padding_token must not be a byte value"));
        }
        Ok(())
    }

    /// Length of the feature vector.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.beg_size + self.end_size
    }

    /// Bytes to read from each end of a file of `size` bytes.
    #[must_use]
    pub fn block(&self, size: u64) -> usize {
        usize::try_from(size).map_or(self.block_size, |size| size.min(self.block_size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: &str = r#"{"beg_size":1024,"mid_size":0,"end_size":1024,"use_inputs_at_offsets":false,
        "medium_confidence_threshold":0.5,"min_file_size_for_dl":8,"padding_token":256,"block_size":4096,
        "target_labels_space":["3gp"],"thresholds":{},"overwrite_map":{},"version_major":3}"#;

    #[test]
    fn the_standard_model_s_configuration_is_read() {
        let layout = Layout::from_json(STANDARD.as_bytes()).unwrap();
        assert_eq!((layout.width(), layout.block(10), layout.block(u64::MAX)), (2048, 10, 4096));
    }

    #[test]
    fn a_configuration_that_cannot_be_honoured_is_refused() {
        for (from, to, says) in [
            (r#""mid_size":0"#, r#""mid_size":512"#, "mid_size"),
            (r#"offsets":false"#, r#"offsets":true"#, "use_inputs_at_offsets"),
            (r#""beg_size":1024"#, r#""beg_size":0"#, "at least 1"),
            (r#""end_size":1024"#, r#""end_size":4096"#, "below block_size"),
            (r#""block_size":4096"#, r#""block_size":1000000000"#, "at most"),
            (r#"_dl":8"#, r#"_dl":0"#, "1..=beg_size"),
            (r#"token":256"#, r#"token":32"#, "byte value"),
            (r#""beg_size":1024,"#, "", "missing field"),
            ("{", "[", "cannot be read"),
        ] {
            let error = Layout::from_json(STANDARD.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{to}: {error}");
        }
    }
}
