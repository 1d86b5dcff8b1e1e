//! Webhooks: whether a request comes from where it says, and what it brings.
//!
//! Pure: the server hands in headers, body and the time. [`signature`] checks requests as GitHub and Stripe sign them,
//! [`cloudevents`] reads CloudEvents 1.0 in both modes of the HTTP binding, [`payload`] the JSON document of every other request.

pub mod cloudevents;
pub mod payload;
pub mod signature;

pub use cloudevents::{CloudEvent, CloudEventError, EventData};
pub use payload::PayloadError;
pub use signature::{SignatureError, verify_github, verify_stripe};
