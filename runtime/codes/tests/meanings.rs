//! One meaning per code, as far as the sources show it: the variants of error enums that have one code say the same, or stand
//! in a list with the reason.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Codes that several variants have in different words, and why they mean the same all the same.
const IN_OTHER_WORDS: &[(&str, &[&str], &str)] = &[
    ("TS-0310", &["LoadError::TooLarge", "PluginProblem::TooLarge"], "one knows the plugin, the other only its file"),
    ("TS-0460", &["LookError::Net", "LookError::Slow"], "no whole answer: the network's part, or the time"),
    (
        "TS-0552",
        &["ServeError::UnknownAlias", "ServeError::UnknownVersion", "Unresolved::Alias", "Unresolved::Version"],
        "one of the two, each with the nearest, to who keeps models or who asks them",
    ),
    (
        "TS-0557",
        &["ModelError::OtherContent", "PackageError::Damaged"],
        "when it is loaded, or when its manifest is read",
    ),
    (
        "TS-0594",
        &[
            "ModelError::OtherThanSigned",
            "OmsError::Beyond",
            "OmsError::Missing",
            "OmsError::NotNamed",
            "OmsError::Other",
        ],
        "each says of a file what is wrong with it, or what is said of it and was not signed",
    ),
    ("TS-0562", &["OmsError::Read", "PackageError::Io"], "the same file, read for its signature"),
    (
        "TS-0611",
        &["ModelProblem::Unknown", "ServeError::UnknownModel"],
        "a workflow, or a client that is told of no project",
    ),
    ("TS-0622", &["ProjectError::Unreadable", "WorkflowReason::Unreadable"], "the folder, or one file in it"),
    (
        "TS-0654",
        &["InstallError::Io", "RegistryError::Keep"],
        "a component that is installed, or a file that is pulled",
    ),
    ("TS-0662", &["LookError::SecretUnread", "SecretProblem::Unreadable"], "nobody can read it, or no header carry it"),
    ("TS-0712", &["HookError::DoesNotFit", "StartError::Refused"], "who sends to a webhook is told of no workflow"),
    ("TS-0715", &["ControlError::NoRun", "DecideError::NoRun", "FollowError::Gone"], "there is none, or none any more"),
    ("TS-0716", &["ControlError::Ended", "DecideError::Over"], "each names what it is too late for"),
    ("TS-0720", &["HookError::NoSecret", "PluginProblem::Broke"], "the node's own fault, at whatever it was"),
    ("TS-0724", &["ControlError::NoStep", "ControlError::OnlyWhat"], "a step that there is not, or none at all"),
    ("TS-0726", &["ControlError::Unreadable", "OfflineError::Unreadable"], "one knows the run's id"),
    ("TS-0811", &["QueryError::NoRun", "QueryError::NoRunLike", "QueryError::NoRunYet"], "each with its own help"),
    ("TS-1003", &["RolloutsError::Outside", "RolloutsError::Signature"], "a workflow, or a model"),
    (
        "TS-1005",
        &["RolloutProblem::None", "RolloutsError::Unknown"],
        "there is none, or none that could still be changed",
    ),
    ("TS-0851", &["QueryError::Artifacts", "RecordError::Artifact"], "all artifacts, or one of them"),
];

/// Code to variant to its words.
type Meanings = BTreeMap<String, BTreeMap<String, String>>;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The text without comments.
fn code_only(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between the bracket that `text` begins behind and its partner; texts in quotes are passed over.
fn inside(text: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'(' | b'[' | b'{' if !quoted => depth += 1,
            b')' | b']' | b'}' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    panic!("a bracket without its partner: {}", text.chars().take(80).collect::<String>());
}

fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

/// Each variant of an enum and what its `#[error(…)]` says.
fn words(variants: &str) -> BTreeMap<&str, String> {
    let mut words = BTreeMap::new();
    for (at, attribute) in variants.match_indices("#[error(") {
        let said = inside(&variants[at + attribute.len()..]);
        let mut rest = variants[at + attribute.len() + said.len() + 2..].trim_start();
        while let Some(other) = rest.strip_prefix("#[") {
            rest = other[inside(other).len() + 1..].trim_start();
        }
        words.insert(word(rest), said.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    words
}

/// Adds what the errors of a file mean by their codes.
fn read(text: &str, meanings: &mut Meanings) {
    for (at, head) in text.match_indices("impl Coded for ") {
        let name = word(&text[at + head.len()..]);
        let Some(declared) = text.find(&format!("enum {name} {{")) else { continue };
        let words = words(inside(&text[declared + format!("enum {name} {{").len()..]));
        let open = at + text[at..].find('{').unwrap();
        let mut pattern = String::new();
        for line in inside(&text[open + 1..]).lines() {
            let (left, right) = line.split_once("=>").unwrap_or((line, ""));
            pattern.push_str(left);
            let Some((_, code)) = right.split_once("code!(\"") else {
                if line.contains("=>") || line.trim_end().ends_with('{') {
                    pattern.clear();
                }
                continue;
            };
            for (_, variant) in
                pattern.match_indices("Self::").map(|(at, head)| (at, word(&pattern[at + head.len()..])))
            {
                let said = words.get(variant).cloned().unwrap_or_default();
                meanings.entry(code[..7].to_owned()).or_default().insert(format!("{name}::{variant}"), said);
            }
            pattern.clear();
        }
    }
}

#[test]
fn the_variants_with_one_code_say_the_same() {
    let (mut files, mut meanings) = (Vec::new(), Meanings::new());
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut files);
    for file in files.iter().filter(|file| file.components().any(|part| part.as_os_str() == "src")) {
        read(&code_only(&fs::read_to_string(file).unwrap()), &mut meanings);
    }
    let variants: usize = meanings.values().map(BTreeMap::len).sum();
    assert!(variants > 150, "only {variants} variants with a code were found: are they written otherwise now?");
    let mut known: BTreeMap<&str, BTreeSet<&str>> =
        IN_OTHER_WORDS.iter().map(|(code, variants, _)| (*code, variants.iter().copied().collect())).collect();
    for (code, told) in &meanings {
        let ways: BTreeSet<&String> = told.values().collect();
        if ways.len() < 2 {
            continue;
        }
        let found: BTreeSet<&str> = told.keys().map(String::as_str).collect();
        let allowed = known.remove(code.as_str());
        assert_eq!(allowed, Some(found), "{code} has several meanings, or a list that is out of date: {told:#?}");
    }
    assert!(known.is_empty(), "these say the same now: {known:?}");
}

/// Files with a failure that is a bare text: within one file, without a cause, or as a library's callback wants it.
const BARE: &[&str] = &["cli/src/commands/backfill.rs", "sandbox/src/net/scripted.rs", "sandbox/src/schema_cost.rs"];

/// Whether a `Result` of the code has a text as its error.
fn has_bare_failure(code: &str) -> bool {
    code.match_indices("Result<").any(|(at, head)| {
        let mut depth = 1;
        let end = code[at + head.len()..].char_indices().find_map(|(length, letter)| {
            depth += i32::from(letter == '<') - i32::from(letter == '>');
            (depth == 0).then_some(at + head.len() + length)
        });
        end.is_some_and(|end| code[..end].trim_end().ends_with(", String"))
    })
}

#[test]
fn no_failure_crosses_a_module_as_a_bare_text() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let is_product = |file: &&PathBuf| {
        let part = |name: &str| file.components().any(|part| part.as_os_str() == name);
        part("src") && !part("tests.rs") && !part("simulation")
    };
    let mut found = BTreeSet::new();
    for file in files.iter().filter(is_product) {
        let text = fs::read_to_string(file).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        if has_bare_failure(&code_only(product)) {
            found.insert(file.strip_prefix(&root).unwrap().display().to_string());
        }
    }
    assert_eq!(found, BARE.iter().map(|file| (*file).to_owned()).collect(), "give the failure a type, or a `Reason`");
    assert!(has_bare_failure("fn a() -> Result<Vec<(u8, B<C>)>, String> {") && !has_bare_failure("Result<String, E>"));
}

#[test]
fn a_code_with_two_meanings_is_seen() {
    let text = "enum One {\n #[error(\"[{code}] it (and more) is \\\"gone\\\"\", code = self.code())]\n #[cfg(unix)]\n Gone { a: u8 },\n \
                #[error(transparent)]\n Other(#[from] E),\n}\nimpl Coded for One {\n fn code(&self) -> Code {\n match self {\n \
                Self::Gone { .. }\n | Self::Other(_) => code!(\"TS-0101\"),\n }\n }\n}\n";
    let mut meanings = Meanings::new();
    read(text, &mut meanings);
    let told = &meanings["TS-0101"];
    assert_eq!(told["One::Gone"], "\"[{code}] it (and more) is \\\"gone\\\"\", code = self.code()");
    assert_eq!(told["One::Other"], "transparent");
}
