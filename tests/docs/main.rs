//! The promise: every command in the README, the book and the examples' READMEs works as it is printed.
//!
//! Every block of the language `sh` is run, and of every block of the language `console` the lines that begin with `$ `, in
//! order, all blocks of a page in one shell, in a copy of the repository. What is not meant to be run there (output,
//! commands for other machines) is a block of another language. A few words mean something else here: `cargo build` and
//! `cargo test` do nothing, because this test is part of them; `git clone` finds the copy cloned already; `cargo run -- …` and
//! `trackside …` call the binary under test; and a `serve` goes on in the background until the page ends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod crates;
mod page;
mod profiles;
mod shell;

use std::{
    fs,
    path::{Path, PathBuf},
};

use page::Page;
use support::repository::root;

/// Markdown files of a folder.
fn pages_in(folder: &Path) -> Vec<Page> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

/// Every page that this suite answers for.
fn pages() -> Vec<Page> {
    let mut pages = pages_in(&root());
    pages.extend(book());
    for example in examples() {
        pages.extend(pages_in(&example));
    }
    pages
}

/// The pages of the book, those in its folders too.
fn book() -> Vec<Page> {
    let docs = root().join("docs");
    let mut pages = pages_in(&docs);
    pages.extend(pages_in(&docs.join("plugins")));
    pages
}

fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("examples")).unwrap().flatten().map(|entry| entry.path());
    // A folder without a config is no project: the plugins in many languages have toolchains and a suite of their own.
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("trackside.toml").is_file()).collect();
    folders.sort();
    folders
}

#[test]
fn the_commands_of_the_readme_work() {
    let page = Page::read(&root().join("README.md"));
    assert!(
        page.commands().any(|line| line.contains("cargo run --release -- demo")),
        "the README does not show the demo"
    );
    assert!(page.commands().any(|line| line.contains("cargo test --release")), "the README does not show the tests");
    shell::run(&page, Path::new(""));
}

#[test]
fn the_commands_of_the_book_work() {
    let pages = book();
    assert!(!pages.is_empty(), "there is no book");
    for page in &pages {
        shell::run(page, Path::new(""));
    }
}

#[test]
fn the_commands_of_the_examples_work() {
    for example in examples() {
        let page = Page::read(&example.join("README.md"));
        assert!(page.commands().any(|line| line.starts_with("trackside run")), "{} shows no run", page.name());
        shell::run(&page, example.strip_prefix(root()).unwrap());
    }
}

#[test]
fn the_generated_pages_are_what_the_program_prints() {
    for name in ["workflow", "cli"] {
        let printed = support::command::Trackside::new(&["reference", name]).run().ok().stdout;
        let page = fs::read_to_string(root().join(format!("docs/{name}.md"))).unwrap();
        assert!(printed == page, "make it anew: trackside reference {name} > docs/{name}.md");
    }
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    for page in pages() {
        for link in page.links() {
            assert!(page.folder().join(&link).exists(), "{}: the link {link} leads nowhere", page.name());
        }
    }
}

#[test]
fn no_page_is_unfinished() {
    for page in pages() {
        for (number, line) in page.lines() {
            let capital = |c: char| c.is_ascii_uppercase() || c == '_';
            let placeholder = line.len() > 3 && line.chars().all(capital);
            let mark = ["TODO", "FIXME", "XXX"].into_iter().find(|mark| line.contains(mark));
            assert!(!placeholder && mark.is_none(), "{}:{number}: {line}", page.name());
        }
    }
}
