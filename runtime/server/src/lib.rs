//! The box's own HTTP API on a Unix socket, and the client that the CLI talks to it with.
//!
//! [`Server`] answers for a running [`Node`](trackside_node::Node): start a run, follow it, cancel it, decide about what waits, ask how things
//! stand. [`Client`] is the other end. [`RunFollower`] gives a run's events from the first to the last, history and live,
//! each exactly once; [`start_run`] is the one way in which a run is started by hand, over the socket or in process.
//!
//! Webhooks come by TCP, on the address that `[http_server] listen` names, and only when a workflow has one.
//!
//! The socket belongs to the user that runs the node (mode 0600): whoever can connect may do what that user may. This
//! room decides nothing about runs and writes nothing but its socket; it may use the node and everything below it.

mod api;
mod backfill;
mod body;
mod client;
mod control;
mod decide;
mod error;
mod follow;
mod hook_listener;
mod hooks;
mod people;
mod serve;
mod socket;
mod start;
mod wire;

pub use backfill::{PastTimes, past_times};
pub use client::{Client, ClientError, Events};
pub use control::{ControlError, cancel_run, pause_run, pause_trigger, retry_run};
pub use decide::{DecideError, decide};
pub use error::{ApiError, ServerError};
pub use follow::{FollowError, Followed, RunFollower};
pub use people::user_name;
pub use serve::Server;
pub use socket::{MAX_SOCKET_PATH, socket_path};
pub use start::{StartError, start_run};
pub use wire::{
    Accepted, BackfillTime, Cancelled, Decided, Decision, EventLine, FileProblem, PauseTrigger, ReloadDocument,
    RetryRun, RunPaused, SightDocument, SightOf, StartRun, StatusDocument, StreamLine, TriggerPaused, WorkflowChange,
    WorkflowStatus,
};
