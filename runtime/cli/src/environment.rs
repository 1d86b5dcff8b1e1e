//! What the process's environment must be before the first thread starts.
#![expect(
    unsafe_code,
    reason = "setting a variable is only safe while there is one thread, which only `main` can know"
)]

/// ONNX Runtime's own switch for the telemetry of its Linux builds: a line to its maker, and a file in the temporary
/// folder that it leaves there. The library reads it while it is being loaded, before its API can be asked for anything.
const TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

/// Sets it, unless somebody has set it already.
///
/// To be called once, first thing in `main`.
pub fn prepare() {
    if std::env::var_os(TELEMETRY).is_none() {
        // SAFETY: `main` calls this before anything else, so no other thread exists that could read the environment.
        unsafe { std::env::set_var(TELEMETRY, "1") };
    }
}
