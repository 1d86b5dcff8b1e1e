//! What starts workflows besides a person: schedules, files and webhooks.
//!
//! [`cron`] turns a schedule text and a zone into instants and decides, with an injected clock, what is due and what was
//! missed; it is pure. [`files`] watches folders, waits until a file is complete and hands it to the node; it touches the
//! file system but knows no database: what it must remember it asks of a [`files::FileHost`]. [`clock_watch`] tells when
//! somebody sets the wall clock. [`hooks`] checks and reads what comes to a webhook; it is pure, too.
//!
//! The node may call this room. It never starts a run itself, never decides what is on disk, and calls only `spec`.

pub mod clock_watch;
pub mod cron;
pub mod files;
pub mod hooks;
