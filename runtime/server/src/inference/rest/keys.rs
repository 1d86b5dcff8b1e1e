//! The keys of an object, each once: of two values under one key nobody can say which is meant, and readers differ in which they take.

use std::{borrow::Cow, fmt};

use super::super::{failure::Failure, shape::shown};

/// Most keys of one object that have no meaning here.
const MAX_OTHERS: usize = 64;

/// The keys that were read of one object.
#[derive(Default)]
pub(super) struct Keys<'a> {
    known: u32,
    others: Vec<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    /// Takes a key of the object `what`. `known` are those that have a meaning there, always the same and at most 32.
    #[allow(clippy::ptr_arg, reason = "a key that is a part of the body is kept as that part")]
    pub(super) fn take(&mut self, key: &Cow<'a, str>, known: &[&str], what: &dyn fmt::Display) -> Result<(), Failure> {
        let is_new = match known.iter().position(|one| **one == **key) {
            Some(place) => {
                let before = self.known;
                self.known |= 1 << place;
                before != self.known
            }
            None if self.others.contains(key) => false,
            None if self.others.len() == MAX_OTHERS => {
                let text = format!("{what} has more than {MAX_OTHERS} keys that have no meaning here");
                return Err(Failure::invalid(text));
            }
            None => {
                self.others.push(key.clone());
                true
            }
        };
        if is_new {
            Ok(())
        } else {
            Err(Failure::invalid(format!("the key {:?} is there twice in {what}", shown(key))))
        }
    }
}
