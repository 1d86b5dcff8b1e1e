//! The plugins that come with the binary.

macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        /// Name and component of every bundled plugin, by name.
        pub const BUNDLED: &[(&str, &[u8])] =
            &[$(($name, include_bytes!(concat!("../../../../plugins/prebuilt/", $name, ".wasm")))),*];
    };
}

bundled!(
    "column-tensors",
    "csv-check",
    "deliver-file",
    "echo",
    "emit",
    "file-verdict",
    "http-request",
    "join-predictions",
    "json-transform",
    "magika-features",
    "publish",
    "tally",
    "threshold",
    "window-features",
);

/// The component of a bundled plugin.
#[must_use]
pub fn bundled(name: &str) -> Option<&'static [u8]> {
    BUNDLED.iter().find(|(known, _)| *known == name).map(|(_, component)| *component)
}
