//! What is carried out after the commit that asked for it: files into folders, messages to brokers.
//!
//! One thread reads the outbox's rows in the order of their commits and carries each out at least once ([`Carrier`]); what it
//! did goes back as [`Carried`], and whoever owns the rows removes them. Brokers are reached through [`Publish`], which the
//! room that holds the connections implements. This room starts no run, decides nothing and writes no row. The simulation
//! drives the passes ([`Rounds`]) without a thread.

mod carried;
mod carrier;
mod deliver;
mod folders;
mod publish;

pub use carried::{Carried, CarriedResult};
pub use carrier::{Carrier, Entry, Rounds, Wake};
pub use deliver::{DeliveryError, carry_out};
pub use folders::make as make_folder;
pub use publish::{Publication, Publish, Sent};
