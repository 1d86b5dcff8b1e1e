//! The table of codes against `docs/errors.md` and against the sources: each code is in all three, with one meaning.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use trackside_codes::{Class, TABLE};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Codes in a text, `TS-` and four digits.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("TS-").filter_map(|(at, _)| {
        let code = text.get(at..at + 7)?;
        code.bytes().skip(3).all(|byte| byte.is_ascii_digit()).then_some(code)
    })
}

/// A source file without its tests, which stand at its end, and without comments.
fn product(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A cell of a table without links: `[text](address)` is `text`.
fn plain(cell: &str) -> String {
    let mut text = cell.trim().to_owned();
    while let Some(middle) = text.find("](") {
        let mut depth = 0;
        let open = text[..=middle].rmatch_indices(['[', ']']).find_map(|(at, bracket)| {
            depth += if bracket == "]" { 1 } else { -1 };
            (depth == 0).then_some(at)
        });
        let close = text[middle..].find(')').map(|at| middle + at);
        let (Some(open), Some(close)) = (open, close) else { panic!("a link that is none: {text}") };
        text = format!("{}{}{}", &text[..open], &text[open + 1..middle], &text[close + 1..]);
    }
    text
}

/// Meaning and remedy of each code on the page.
fn page() -> BTreeMap<String, (String, String)> {
    let text = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let mut page = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `TS-")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        // The ranges at the head have two cells.
        let &[heads, meaning, remedy] = cells.as_slice() else { continue };
        for code in codes(heads) {
            let row = (plain(meaning), plain(remedy.trim_end_matches('|')));
            assert_eq!(page.insert(code.to_owned(), row), None, "{code} is explained twice");
        }
    }
    page
}

#[test]
fn the_page_says_of_every_code_what_the_table_says() {
    let mut page = page();
    assert!(page.len() > 200, "{}", page.len());
    for row in TABLE {
        let code = row.code.to_string();
        let told = page.remove(&code).unwrap_or_else(|| panic!("docs/errors.md does not explain {code}"));
        assert_eq!(told, (row.meaning.to_owned(), row.remedy.to_owned()), "{code}: docs/errors.md and table.rs differ");
    }
    assert!(page.is_empty(), "docs/errors.md explains codes that the table does not have: {:?}", page.keys());
}

#[test]
fn the_page_explains_every_class() {
    let text = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    for class in Class::ALL {
        assert!(text.contains(&format!("| {} |", class.name())), "docs/errors.md does not explain the class {class:?}");
    }
}

#[test]
fn every_code_stands_once_in_the_order_of_its_number() {
    assert!(TABLE.is_sorted_by(|one, next| one.code < next.code));
}

#[test]
fn the_sources_and_the_table_have_the_same_codes() {
    fn read(folder: &Path, found: &mut BTreeMap<String, PathBuf>, made: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, found, made);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.extend(codes(&text).map(|code| (code.to_owned(), path.clone())));
                // What only tests see makes no code.
                let only_tests = |part: Component<'_>| {
                    ["tests", "tests.rs", "simulation"].iter().any(|name| part.as_os_str() == *name)
                };
                if !path.components().any(only_tests) {
                    made.extend(codes(&product(&text)).map(str::to_owned));
                }
            }
        }
    }
    let (mut found, mut made) = (BTreeMap::new(), BTreeSet::new());
    for room in fs::read_dir(root().join("runtime")).unwrap() {
        let room = room.unwrap().path();
        // Here they are explained and not used.
        if !room.ends_with("codes") {
            read(&room.join("src"), &mut found, &mut made);
        }
    }
    let table: BTreeSet<String> = TABLE.iter().map(|row| row.code.to_string()).collect();
    for (code, path) in &found {
        assert!(table.contains(code), "{} uses {code}, which runtime/codes/src/table.rs does not have", path.display());
    }
    for code in &table {
        assert!(made.contains(code), "{code} is in the table and nothing makes it");
    }
}
