//! Waiting for a node to accept something. A disk that refuses commits makes it wait: then it is said that it waits and
//! why, and not only in the node's own log.

use std::{future::Future, pin::pin, time::Duration};

use trackside_control::{Client, ClientError};

use crate::{console::Console, progress::Progress};

/// What takes less is not asked about.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits for the answer to `asked`; `what` is a clause such as `the node accepts the run`.
///
/// # Errors
/// Those of `asked`.
pub async fn accepted<T>(
    console: Console,
    client: &Client,
    what: &str,
    asked: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let mut asked = pin!(asked);
    let _progress = Progress::start(console, what.to_owned());
    loop {
        tokio::select! {
            answer = &mut asked => return answer,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        if let Ok(status) = client.status().await
            && let Some(trouble) = status.trouble
        {
            console.warn(&format!("{trouble}\nThe node accepts nothing before that; this waits for it."));
            return asked.await;
        }
    }
}
