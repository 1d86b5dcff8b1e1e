//! How things look: pure functions from values to text.

mod paint;
mod short;
mod table;
mod units;

pub use paint::{Glyphs, Paint};
pub use short::{note, shorten};
pub use table::{Cell, Table};
pub use trackside_control::{duration_ms, escape};
pub use units::{bytes, count, duration_us, local_time, short_digest, zoned_time};
