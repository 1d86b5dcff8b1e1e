//! A time zone database without any zone.

#![no_std]

/// Which release it is: none.
pub static VERSION: Option<&str> = None;

/// The name and data of a zone: there is none.
#[must_use]
pub fn get(_name: &str) -> Option<(&'static str, &'static [u8])> {
    None
}

/// The names of all zones.
#[must_use]
pub fn available() -> TimeZoneNameIter {
    core::iter::empty()
}

/// Goes through the names of all zones.
pub type TimeZoneNameIter = core::iter::Empty<&'static str>;
