//! Waiting for a node to accept something. A disk that refuses commits makes it wait: then it is said that it waits and
//! why, and not only in the node's own log.

use crate::message::Message;
use std::{future::Future, pin::pin, time::Duration};

use trackside_control::{OperationError, Session};

use crate::{console::Console, progress::Progress};

/// Who asks when no node is running: the person at this shell.
pub const HERE: &str = "the command line";

/// What takes less is not asked about.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits for the answer to `asked`; `what` is a clause such as `the node accepts the run`.
///
/// # Errors
/// Those of `asked`.
pub async fn accepted<T>(
    console: Console,
    session: &Session,
    what: &str,
    asked: impl Future<Output = Result<T, OperationError>>,
) -> Result<T, OperationError> {
    // A node of this process tells of its disk itself.
    if !session.is_remote() {
        return asked.await;
    }
    let mut asked = pin!(asked);
    let _progress = Progress::start(console, what.to_owned());
    loop {
        tokio::select! {
            answer = &mut asked => return answer,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        if let Ok(status) = session.control().status().await
            && let Some(trouble) = status.trouble
        {
            let said = Message::beside(status.trouble_code.as_deref(), &trouble);
            console.warn(
                said.map(|trouble| format!("{trouble}\nThe node accepts nothing before that; this waits for it.")),
            );
            return asked.await;
        }
    }
}
