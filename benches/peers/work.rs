//! What is asked of every engine, and what was seen.

use std::{io, time::Duration};

use crate::{load::Pace, process::Tree};

/// The same work on each, as far as they can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// One step.
    One,
    /// Ten steps, one after the other.
    Chain,
    /// One step, ten at a time, one that gets what they made.
    Fan,
}

impl Work {
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Chain => "chain",
            Self::Fan => "fan",
        }
    }
}

/// Some work for some time.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub work: Work,
    /// Requests under way at a time.
    pub in_flight: u32,
    pub pace: Pace,
    pub time: Duration,
}

/// How long each run took, and all.
pub struct Ended {
    /// Milliseconds.
    pub samples: Vec<f64>,
    pub seconds: f64,
}

/// What the disk under an engine is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// As it is.
    Plain,
    /// Every flush is written down.
    Counted,
    /// Every flush takes five milliseconds longer.
    Slow,
}

/// An engine that runs.
pub trait Engine {
    /// Its processes.
    fn trees(&self) -> Vec<&Tree>;

    /// Whether it can do this at all.
    fn can(&self, ask: &Ask) -> bool;

    /// Has it done, to the end.
    fn work(&mut self, ask: &Ask) -> io::Result<Ended>;
}
