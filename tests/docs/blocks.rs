//! What stands in the blocks of the book that are not run as commands: files as they are, workflows, cases, configs.

use std::fs;

use serde_json::{Value, json};
use trackside_spec::{SpecError, load_node_config, load_workflow, read_yaml};

use crate::{
    book,
    page::{Block, Page},
    support::{project::Project, repository::root},
};

/// Languages of blocks that people would copy: each says which file it is, or is held against what reads it.
const SOURCES: [&str; 10] = ["c", "go", "js", "json", "make", "python", "rust", "toml", "ts", "zig"];

fn of_the_language_pages() -> impl Iterator<Item = Page> {
    book().into_iter().filter(|page| page.name().starts_with("docs/plugins/"))
}

/// Other suites build and run those files: `authoring` and `languages` the templates and the examples.
#[test]
fn a_block_that_names_its_file_is_that_file() {
    let mut seen = 0;
    for page in book() {
        for block in page.fenced().into_iter().filter(|block| block.file.is_some()) {
            let file = block.file.unwrap_or_default();
            let text = fs::read_to_string(root().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(text.contains(block.text.trim_end()), "{}:{}: is not {file} any more", page.name(), block.line);
            seen += 1;
        }
    }
    assert!(seen > 30, "only {seen} blocks name a file");
}

#[test]
fn every_source_on_the_pages_of_the_languages_names_its_file() {
    for page in of_the_language_pages() {
        for block in page.fenced() {
            let is_source = SOURCES.contains(&block.language.as_str()) && !is_config(&block);
            assert!(!is_source || block.file.is_some(), "{}:{}: which file is this?", page.name(), block.line);
        }
    }
}

#[test]
fn every_workflow_in_the_book_can_be_loaded() {
    let mut seen = 0;
    for page in book() {
        for block in page.fenced().into_iter().filter(|block| block.language == "yaml") {
            let value: Value = read_yaml(&page.name(), &block.text)
                .unwrap_or_else(|error| panic!("{}:{}: {error}", page.name(), block.line));
            let Some(workflow) = workflow_around(&value) else { continue };
            let loaded = load_workflow(&page.name(), &workflow.to_string());
            assert!(loaded.is_ok(), "{}:{}: {}", page.name(), block.line, told(loaded.err()));
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} workflows seen");
}

#[test]
fn every_config_in_the_book_can_be_loaded() {
    let mut seen = 0;
    for page in book() {
        for block in page.fenced().into_iter().filter(is_config) {
            let loaded = load_node_config("trackside.toml", &block.text);
            assert!(loaded.is_ok(), "{}:{}: {}", page.name(), block.line, told(loaded.err()));
            seen += 1;
        }
    }
    assert!(seen > 3, "only {seen} configs seen");
}

#[test]
fn every_case_in_the_book_can_be_read() {
    let project = Project::new();
    project.write("plugin.toml", "[plugin]\nname = \"echo\"\n\n[build]\ncommand = [\"true\"]\noutput = \"x.wasm\"\n");
    let component = root().join("plugins/prebuilt/echo.wasm");
    let mut seen = 0;
    for page in book() {
        let cases =
            page.fenced().into_iter().filter(|block| block.language == "yaml" && block.text.contains("expect:"));
        for block in cases {
            project.write("tests/case.yaml", &block.text);
            let tested = project.run(&["plugin", "test", "--component", component.to_str().unwrap()]);
            let told = format!("{}{}", tested.stdout, tested.stderr);
            // It is not this plugin's case: only its form is judged here.
            let unknown =
                ["unknown", "missing field", "invalid type", "TS-01"].into_iter().find(|word| told.contains(word));
            assert!(unknown.is_none(), "{}:{}: {told}", page.name(), block.line);
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} cases seen");
}

/// A table of the node's config, not of some other tool's.
fn is_config(block: &Block) -> bool {
    const TABLES: [&str; 10] =
        ["node", "limits", "policy", "secrets", "models", "http", "plugins", "registries", "notify", "inference"];
    let named = |line: &str| {
        let name = line.strip_prefix('[')?.split(['.', ']']).next()?;
        Some(TABLES.contains(&name))
    };
    block.language == "toml" && block.file.is_none() && block.text.lines().find_map(named) == Some(true)
}

/// A workflow that holds the part that a block shows; nothing when it shows no part of one.
fn workflow_around(shown: &Value) -> Option<Value> {
    let fields = shown.as_object()?;
    let mut workflow = json!({
        "version": 1,
        "name": "shown",
        "triggers": [{ "file": { "path": "inbox" } }],
        "steps": { "only": { "plugin": "echo" } },
    });
    const OF_A_WORKFLOW: [&str; 12] = [
        "version",
        "name",
        "description",
        "triggers",
        "params",
        "steps",
        "concurrency",
        "queue_timeout",
        "priority",
        "outputs",
        "timeout",
        "finally",
    ];
    const OF_A_STEP: [&str; 8] = ["plugin", "model", "with", "inputs", "limits", "allow", "retry", "command"];
    if fields.contains_key("expect") {
        return None;
    } else if fields.keys().all(|key| OF_A_WORKFLOW.contains(&key.as_str())) {
        for (key, value) in fields {
            workflow[key] = value.clone();
        }
    } else if fields.values().all(|value| value.get("plugin").is_some() || value.get("model").is_some()) {
        workflow["steps"] = shown.clone();
    } else if fields.keys().all(|key| OF_A_STEP.contains(&key.as_str())) {
        for (key, value) in fields {
            workflow["steps"]["only"][key] = value.clone();
        }
    } else {
        return None;
    }
    // Parameters and steps that stand elsewhere.
    let text = workflow.to_string();
    for part in text.split("params.").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if workflow["params"][&name].is_null() {
            workflow["params"][&name] = json!({ "type": "string", "default": "x" });
        }
    }
    let needs = |step: &Value| step["needs"].as_array().cloned().unwrap_or_default();
    let missing: Vec<Value> = workflow["steps"].as_object()?.values().flat_map(needs).collect();
    for name in missing.iter().filter_map(Value::as_str) {
        if workflow["steps"][name].is_null() {
            workflow["steps"][name] = json!({ "plugin": "echo" });
        }
    }
    Some(workflow)
}

fn told(error: Option<SpecError>) -> String {
    error.map(|error| error.to_string()).unwrap_or_default()
}
