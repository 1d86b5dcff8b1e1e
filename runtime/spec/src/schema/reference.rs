//! The reference pages, written from the schemas so that they cannot say anything else than the parser does.

use std::fmt::Write as _;

use serde_json::Value;

use super::{node_schema, workflow_schema};

/// Both reference pages as one Markdown text.
#[must_use]
pub fn reference_markdown() -> String {
    format!("{}\n{}", workflow_reference(), node_reference())
}

/// The reference page of workflow files as Markdown.
#[must_use]
pub fn workflow_reference() -> String {
    let intro = "\
Workflow files are strict YAML 1.2: one document, no anchors, tags or merge keys; `yes` and `on` are texts. A `%YAML` line may say
1.1 or 1.2. The line ends U+0085, U+2028 and U+2029 are written `\\N`, `\\L` and `\\P` within double quotes; control characters and
marks that turn the direction of writing are refused. Keys that are not listed here are errors. Durations are written `200ms`,
`2s`, `5m`, `1h30m`, `7d`; sizes `512B`, `10kB`, `64MiB`, `2GiB`.

Strings under `with`, `inputs`, `command`, `params` of a step, `foreach`, `matrix`, `message`, `group` and `outputs` may hold
`${expression}`: a string that is only one keeps the type of its value, in any other the value becomes text, and `$${` stands
for `${`. `when` and `when_item` hold a bare expression. How steps depend on each other is told in [Graphs](graphs.md).";
    page("Workflow reference", intro, &workflow_schema(), EXPRESSIONS)
}

/// The reference page of `trackside.toml` as Markdown.
#[must_use]
pub fn node_reference() -> String {
    let intro = "\
`trackside.toml` lies in the project's folder. Every key is optional and an empty file is a complete one. Keys that are not
listed here are errors. Durations are written `200ms`, `2s`, `5m`; sizes `512B`, `10kB`, `64MiB`, `2GiB`.";
    page("Node reference", intro, &node_schema(), "")
}

const EXPRESSIONS: &str = r#"
## Expressions

Expressions are [CEL](https://cel.dev). They read these names and nothing else; names are checked when the file is loaded.

| Name | Value |
|---|---|
| `params.NAME` | The run's parameters |
| `trigger.kind`, `trigger.id` | What started the run |
| `trigger.logical_time`, `trigger.logical_time_ms` | The time the run is for: RFC 3339 text, Unix milliseconds |
| `trigger.file` | The file that started the run, an artifact: `artifact`, `name`, `path`, `size`, `media_type`, `modified_ms`; null without a file |
| `trigger.scheduled`, `trigger.missed` | The scheduled time of a cron trigger (RFC 3339) and how many earlier times were missed; null when something else started the run |
| `trigger.files` | The files of a batch, a list of such artifacts; null in other runs |
| `trigger.payload` | The JSON document that a webhook, a message or a poll brought; null with `payload: artifact` |
| `trigger.body` | Its bytes, an artifact: `artifact`, `name`, `size`, `media_type` |
| `trigger.headers`, `trigger.event` | The headers of a webhook's request, lower-case names to texts; the attributes of a CloudEvent |
| `trigger.event` | Of an event trigger: `name`, `data`, `at`, and who emitted it: `run`, `workflow`, `step` (null for a person) |
| `trigger.topic` | The topic of an MQTT message |
| `trigger.url`, `trigger.version`, `trigger.previous` | What a poll asked, without its query; the version that it found, by its `changed`, and the one before, null at first |
| `trigger.run` | The run of another workflow that ended: `id`, `workflow`, `state`, `error` |
| `trigger.drift` | The alarm: `name`, `kind` (`model` or `dataset`), `version`, `turn` (`raised` or `cleared`), `window`, `columns`, `words` |
| `trigger.dataset` | The dataset's new version: `name`, `run`, `artifact` |
| `steps.ID` | The output of a step that has ended: one that this step needs, directly or through others |
| `steps.ID.quarantine.CONTRACT` | The rows that a contract of that step put into quarantine, an artifact; null when no row was bad. In a step with items it is `steps.ID.results[N].quarantine.CONTRACT` |
| `run.id`, `run.workflow`, `run.started_ms` | The run; when it started in Unix milliseconds |
| `run.state`, `run.error`, `run.error_code`, `run.failed_step` | How the steps ended; in `finally` only |
| `item`, `index` | The item that a step with `foreach` or `matrix` runs for, and its place from 0; not in `when`, `foreach` and `matrix` themselves |
| `matrix.NAME` | One value of the combination that a step with `matrix` runs for; the same as `item.NAME` |
| `requires.NAME` | The input that a contract of the step is about, as it passed: without the rows that went into quarantine |

Operators: `+ - * / %`, `== != < <= > >=`, `&& || !`, `in`, `a ? b : c`, `x.key`, `x["key"]`, `list[0]`, `[…]`, `{…}`.
Macros: `has(a.b)`, `list.all(x, …)`, `list.exists(x, …)`, `list.exists_one(x, …)`, `list.map(x, …)`, `list.filter(x, …)`,
at most two inside each other. Functions: `size`, `contains`, `startsWith`, `endsWith`, `matches`, `indexOf`, `substring`,
`split`, `join`, `replace`, `trim`, `lowerAscii`, `upperAscii`, `basename`, `string`, `int`, `uint`, `double`, `bool`, `dyn`.

Where JSON and CEL differ, JSON wins: `1` and `1.0` are the same number and mix in arithmetic (two integers still divide
to an integer: write `double(a) / b`), and `has(a.b)` is false when `b` is null. There is no clock and no chance. An
expression has at most 4096 bytes and a bounded amount of work.
"#;

fn page(title: &str, intro: &str, schema: &Value, outro: &str) -> String {
    let mut page = format!("# {title}\n\n{intro}\n");
    let mut todo = vec![(String::new(), schema)];
    let mut done: Vec<&str> = Vec::new();
    while let Some((name, object)) = todo.pop() {
        if name.is_empty() {
            page.push_str("\n## The file\n");
        } else {
            let _ = write!(page, "\n## {name}\n");
        }
        if let Some(about) = object.get("description").and_then(Value::as_str) {
            let _ = write!(page, "\n{}\n", cell(about));
        }
        page.push_str("\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n");
        let mut below = Vec::new();
        for row in rows(object, schema) {
            let _ = writeln!(page, "| `{}` | {} | {} | {} |", row.key, row.kind, row.default, row.meaning);
            for target in row.targets {
                if !done.contains(&target) {
                    done.push(target);
                    below.push(target);
                }
            }
        }
        // The order of the keys is the order of the sections.
        for target in below.into_iter().rev() {
            if let Some(definition) = definition(schema, target) {
                todo.push((target.to_owned(), definition));
            }
        }
    }
    page.push_str(outro);
    page
}

struct Row<'s> {
    key: &'s str,
    kind: String,
    default: String,
    meaning: String,
    /// Definitions with a section of their own.
    targets: Vec<&'s str>,
}

/// The rows of an object, or of an enum whose variants are objects with one key.
fn rows<'s>(object: &'s Value, schema: &'s Value) -> Vec<Row<'s>> {
    let mut rows = Vec::new();
    let variants = object.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    for shape in std::iter::once(object).chain(variants) {
        let required: Vec<&str> =
            shape.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let about = shape.get("description").filter(|_| !std::ptr::eq(shape, object));
        for (key, value) in shape.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut targets = Vec::new();
            let kind = kind(value, schema, &mut targets);
            let one_of_many = about.is_some();
            let default = match value.get("default") {
                _ if one_of_many => String::new(),
                Some(default) if !is_empty(default) => format!("`{default}`"),
                Some(_) => String::new(),
                None if required.contains(&key.as_str()) => "required".to_owned(),
                None => String::new(),
            };
            let text = value.get("description").or(about).and_then(Value::as_str).unwrap_or_default();
            let meaning = format!("{}{}", cell(text), bounds(value));
            rows.push(Row { key, kind, default, meaning, targets });
        }
    }
    rows
}

/// The type in a reader's words; definitions with keys of their own are collected and linked.
fn kind<'s>(value: &'s Value, schema: &'s Value, targets: &mut Vec<&'s str>) -> String {
    if let Some(target) = value.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return match target {
            "Duration" => "duration".to_owned(),
            "ByteSize" => "size".to_owned(),
            _ => match definition(schema, target).map(words) {
                Some(words) if !words.is_empty() => words,
                _ => {
                    targets.push(target);
                    format!("[{target}](#{})", target.to_lowercase())
                }
            },
        };
    }
    if let Some(choices) = value.get("anyOf").and_then(Value::as_array) {
        let kinds: Vec<String> = choices.iter().map(|choice| kind(choice, schema, targets)).collect();
        return kinds.join(" or ");
    }
    match value.get("type").and_then(Value::as_str) {
        Some("array") => match value.get("items") {
            Some(items) => format!("list of {}", kind(items, schema, targets)),
            None => "list".to_owned(),
        },
        Some("object") => match value.get("additionalProperties").filter(|inner| inner.is_object()) {
            Some(inner) => format!("mapping of name to {}", kind(inner, schema, targets)),
            None => "mapping".to_owned(),
        },
        Some("string") => "text".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some(other) => other.to_owned(),
        None => "any value".to_owned(),
    }
}

/// The words that an enum allows, `` `a`, `b` ``; empty for anything else.
fn words(definition: &Value) -> String {
    let plain = definition.get("enum").and_then(Value::as_array).into_iter().flatten();
    let described = definition.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let described = described.filter_map(|variant| variant.get("const"));
    let words: Vec<String> = plain.chain(described).filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

fn bounds(value: &Value) -> String {
    let number = |key: &str| value.get(key).and_then(Value::as_f64);
    match (number("minimum"), number("maximum")) {
        (Some(minimum), Some(maximum)) if minimum != maximum => format!(" From {minimum} to {maximum}."),
        _ => String::new(),
    }
}

/// Whether a default says nothing that the section about it does not say.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.is_object() || value.as_array().is_some_and(Vec::is_empty)
}

fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn definition<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    schema.get("$defs").and_then(|definitions| definitions.get(name))
}
