//! Workflow files that change while the node runs.
//!
//! `folder` reads the files, `fit` chooses for each the version that is used: its own, or the last good one. [`Project`] is
//! what comes of that, at a start as well as later. `signals` hears of changes, `work` is the thread that waits for them to
//! be complete and looks, `switch` takes new definitions into use: what must not go on meanwhile (the file watcher) ends, the
//! core changes over, then every kind of trigger does, so that nothing that was taken out starts a run afterwards. [`InForce`] is what everybody else sees.
//!
//! `trackside.toml` is read at a start only; that it has changed is told.
//!
//! [`Project`]: crate::Project

mod fit;
pub(crate) mod folder;
mod in_force;
mod signals;
mod switch;
#[cfg(test)]
mod tests;
mod work;

pub(crate) use fit::{InUse, PluginCheck, fit};
pub use folder::load_definition;
pub use in_force::{Change, InForce, Reloaded};
pub(crate) use in_force::{changes, last_good};
pub(crate) use switch::{Intakes, schedule_key};
pub(crate) use work::{Notice, Reloader};
