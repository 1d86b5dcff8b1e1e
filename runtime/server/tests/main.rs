//! The room's tests from outside: one program, so that it is linked once.

mod inference;
mod socket;
