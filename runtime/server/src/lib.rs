//! The wires of a box: its own HTTP API on a Unix socket, and webhooks.
//!
//! [`Server`] answers for a running [`Node`](trackside_node::Node): start a run, follow it, cancel it, decide about what waits, ask how things
//! stand. What is done for a request stands in `trackside_control`, and so does the other end,
//! [`Client`](trackside_control::Client); here are paths, bodies, status codes and who is asking.
//!
//! Webhooks come by TCP, on the address that `[http_server] listen` names, and only when a workflow has one.
//!
//! Models answer to clients of the Open Inference Protocol on addresses of their own: [`inference`].
//!
//! The socket belongs to the user that runs the node (mode 0600): whoever can connect may do what that user may. This
//! room decides nothing about runs and writes nothing but its socket; it may use the control room and everything below it.

mod api;
mod body;
mod error;
mod hook_listener;
mod hooks;
pub mod inference;
mod places;
mod prompt;
mod serve;
mod socket;
mod unread;
mod wait;

pub use error::ServerError;
pub use serve::Server;
