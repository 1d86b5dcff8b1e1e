//! Work that takes long is done beside the thread that speaks with clients: others have their connections on it.

use trackside_codes::code;

use super::failure::Failure;

/// Reading or writing so many bytes takes about as long as a thread that is woken for it.
pub(crate) const LARGE: usize = 64 << 10;

/// Does it here, or on a thread for blocking work where it takes long.
///
/// # Errors
/// Those of the work.
pub(crate) async fn aside<T: Send + 'static>(
    is_long: bool,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    if !is_long {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::new(code!("TS-0578"), format!("the request was lost: {error}"))))
}
