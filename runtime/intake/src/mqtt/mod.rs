//! MQTT: one client for each broker that a trigger or a publication needs.
//!
//! A thread with a small runtime of its own holds all connections. [`Brokers`] is what the rest of the node sees: it hands
//! publications over and is told of each acknowledgement. `link` hides which version of the protocol is spoken, `options`
//! turns the config into a connection, `topics` decides what is subscribed to and whom a message concerns, `inbound` makes
//! runs of messages, `client` keeps the connection and the two directions together, `rival`
//! knows when another client has our id.
//!
//! A message is acknowledged only when what it starts is on disk, in the order in which messages came. A publication is
//! done only when the broker has acknowledged it.

mod client;
mod inbound;
mod intake;
mod link;
mod options;
mod outlet;
mod rival;
mod topics;

pub use intake::MqttIntake;
pub use outlet::{BrokerStatus, Brokers, Waiting};
