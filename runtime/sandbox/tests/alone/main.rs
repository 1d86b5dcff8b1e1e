//! Tests that measure their process or how long something takes: one after another, so that none measures another.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic, its helpers too")]

#[path = "../../../../tests/support/alone.rs"]
mod alone;
#[path = "../support/mod.rs"]
mod support;

mod speed;
mod streams;
mod warm_idle;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A test's turn: it holds this while it measures.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
