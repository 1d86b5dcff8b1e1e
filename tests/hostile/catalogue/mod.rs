//! The catalogue of hostile plugins: docs/hostile.md lists them, and every test here is one line of its table.
//!
//! Each is a small guest, most of them a few lines of WebAssembly text, on a node of its own. Whatever it does:
//! - it ends as the page says, and the run's journal and the page for people say why in one readable line;
//! - it ends within its limit and 250 ms (`TRACKSIDE_TEST_SLOW=4` gives a slow machine four times the 250 ms);
//! - the node's memory grows by no more than the bound that stands beside the case;
//! - the next honest step on the same node succeeds.
//!
//! `cargo test --release --test hostile h17 -- --nocapture` runs number 17 and prints what was seen.

mod attack;
mod case;
mod guest;

mod adding;
mod cpu;
mod data;
mod files;
mod host_calls;
mod inside;
mod memory;
mod network;
mod output;
mod policy;
mod private;
mod sections;
mod server;
mod text;

use std::process::Command;

/// The names of the tests that this program has.
fn own_tests() -> Vec<String> {
    let listed = Command::new(std::env::current_exe().unwrap()).args(["--list", "--format", "terse"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut names: Vec<String> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("catalogue::")?.strip_suffix(": test")?.rsplit("::").next())
        .filter(|name| name.starts_with('h') && name[1..3].bytes().all(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

#[test]
fn the_page_lists_exactly_the_cases_that_run() {
    let listed: Vec<String> = case::rows(&case::page()).into_iter().map(|row| row.test).collect();
    assert_eq!(listed, own_tests());
    let numbers: Vec<String> = (1..=54).map(|number| format!("h{number:02}")).collect();
    assert_eq!(listed.iter().map(|name| &name[..3]).collect::<Vec<_>>(), numbers);
}
