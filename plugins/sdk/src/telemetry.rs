//! Logs, metrics, spans and progress. The host bounds how much it keeps; nothing here can fail.

use crate::host::telemetry as host;
pub use crate::host::telemetry::Level;

/// Logs a line. The macros [`crate::info!`] and so on format only when somebody listens.
pub fn log(level: Level, message: &str, attributes: &[(&str, &str)]) {
    host::log(level, message, &owned(attributes));
}

/// Whether lines of this level are kept.
#[must_use]
pub fn enabled(level: Level) -> bool {
    host::enabled(level)
}

/// Adds to a counter.
pub fn count(name: &str, delta: f64, attributes: &[(&str, &str)]) {
    host::counter_add(name, delta, &owned(attributes));
}

/// Sets a gauge.
pub fn gauge(name: &str, value: f64, attributes: &[(&str, &str)]) {
    host::gauge_set(name, value, &owned(attributes));
}

/// Records a sample of a distribution.
pub fn record(name: &str, value: f64, attributes: &[(&str, &str)]) {
    host::histogram_record(name, value, &owned(attributes));
}

pub(crate) fn progress(fraction: f32, note: &str) {
    host::progress(fraction, note);
}

/// A stretch of time with a name; it ends when dropped.
pub struct Span {
    inner: host::Span,
}

impl Span {
    /// Starts now.
    #[must_use]
    pub fn start(name: &str, attributes: &[(&str, &str)]) -> Self {
        Self { inner: host::Span::start(name, &owned(attributes)) }
    }

    /// Attaches a key and value.
    pub fn attribute(&self, key: &str, value: &str) {
        self.inner.set_attribute(key, value);
    }

    /// Marks it as failed.
    pub fn error(&self, message: &str) {
        self.inner.set_error(message);
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.inner.end();
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Span").finish_non_exhaustive()
    }
}

fn owned(attributes: &[(&str, &str)]) -> Vec<(String, String)> {
    attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Logs at a level, formatting only when it is kept.
#[macro_export]
macro_rules! log {
    ($level:expr, $($format:tt)+) => {
        if $crate::telemetry::enabled($level) {
            $crate::telemetry::log($level, &::std::format!($($format)+), &[]);
        }
    };
}

/// Logs what a person who debugs the plugin wants to see.
#[macro_export]
macro_rules! debug {
    ($($format:tt)+) => { $crate::log!($crate::telemetry::Level::Debug, $($format)+) };
}

/// Logs what happened.
#[macro_export]
macro_rules! info {
    ($($format:tt)+) => { $crate::log!($crate::telemetry::Level::Info, $($format)+) };
}

/// Logs what somebody should look at.
#[macro_export]
macro_rules! warn {
    ($($format:tt)+) => { $crate::log!($crate::telemetry::Level::Warn, $($format)+) };
}

/// Logs what went wrong.
#[macro_export]
macro_rules! error {
    ($($format:tt)+) => { $crate::log!($crate::telemetry::Level::Error, $($format)+) };
}
