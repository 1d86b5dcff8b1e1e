//! `cargo bench --manifest-path runtime/stats/Cargo.toml`
fn main() {}
