//! Models in service: which version answers, who runs and who waits, how it goes.
//!
//! [`Serving`] stands between the engines (`models`) and whoever asks a model: steps, plugins, clients outside. It finds the version
//! that a name means, loads it, tests it, and exchanges it for another between two requests; lets in as many as the model's
//! settings say and no more, refuses the others in time, runs requests together where that was asked for, and counts.
//!
//! What models there are is said by a [`Catalog`], which the rooms above implement: this one knows no store, no configuration file and
//! no wire, and is given its clocks ([`Clock`]). The rules ([`gcra`], [`breaker`], [`lane`], [`batch`]) are pure and take the time from their caller.

pub mod batch;
pub mod breaker;
mod catalog;
mod clock;
pub mod drift;
mod error;
mod feedback;
pub mod gcra;
mod here;
pub mod lane;
mod measure;
mod predict;
mod request;
mod resolution;
pub mod rollout;
mod serving;
mod settings;
mod slot;
mod statistics;
mod watch;

pub use catalog::{Catalog, Content, Entry, Version};
pub use clock::{Clock, SystemClock};
pub use error::ServeError;
pub use feedback::{Accuracy, Prediction, PredictionBatch, Sample, SampleReason, Truth, VersionCount};
pub use measure::Measured;
pub use predict::Served;
pub use request::{Answer, Asker, Request};
pub use serving::{Serving, VersionState};
pub use settings::{Batching, FeedbackSettings, ModelSettings, SampleSettings, ServingSettings};
pub use slot::SlotState;
pub use statistics::{Batch, Counts, Statistics, Times, Total};
pub use trackside_models::Output;
pub use watch::Bell;
