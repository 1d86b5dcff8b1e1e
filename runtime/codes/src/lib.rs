//! The stable codes of errors, as data: what `TS-0711` is, of which class, and what helps.
//!
//! The lowest room beside `sync`: it knows no other. [`table`](TABLE) has one row for each code, and `docs/errors.md` says the
//! same (a test compares them). An error enum of ours implements [`Coded`]; whoever wants the code, the class or the text
//! without the code asks that. Nobody reads a code out of a text.
//!
//! A code is written with [`code!`], which does not compile for one that the table does not have.

mod class;
mod code;
mod coded;
mod reason;
mod table;
mod told;

pub use class::Class;
pub use code::Code;
pub use coded::Coded;
pub use reason::Reason;
pub use table::{Row, TABLE};
pub use told::Told;
