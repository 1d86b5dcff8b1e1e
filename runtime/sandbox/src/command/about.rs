//! The description of a program, which cannot give one itself.

use serde_json::json;
use trackside_spec::Digest;

use super::kind::Form;
use crate::descriptor::{ArtifactPort, Descriptor};

/// The output port of `stdout: artifact`.
pub(crate) const STDOUT: &str = "stdout";

const DOCS: &str = "\
An existing program. Call it with `command:` beside `plugin:`:

    command:
      args: [\"-n\", \"5\"]
      env: { LANG: C }
      stdin: \"${trigger.file}\"      # an artifact's bytes, a text, or any value as JSON; default: `with` as JSON
      files: { a.csv: \"${trigger.file}\" }      # read-only, /in/a.csv
      stdout: json                  # json, text or artifact
      exit: { ok: [0], retry: [] }

The output is `{ \"stdout\": …, \"exit_code\": n }`. Standard error becomes log lines. It has no network, no other files
and no other environment.";

/// What is said of the program that was loaded as `name`.
pub(crate) fn about(name: &str, form: Form, digest: Digest) -> Descriptor {
    let kind = match form {
        Form::Module => "WASI command (preview 1 module)",
        Form::Component => "WASI command (preview 2 component)",
    };
    Descriptor {
        name: slug(name),
        // Programs carry no version that others can read; their content tells them apart.
        version: digest.short(),
        summary: kind.to_owned(),
        docs: DOCS.to_owned(),
        input_schema: json!({
            "type": "object",
            "description": "What the program reads on standard input, as JSON, when `command.stdin` says nothing else.",
        }),
        output_schema: json!({
            "type": "object",
            "properties": {
                "stdout": { "description": "Standard output: JSON, a text or an artifact, as `command.stdout` says." },
                "exit_code": { "type": "integer", "description": "One of `command.exit.ok`." },
            },
            "required": ["exit_code"],
        }),
        inputs: Vec::new(),
        outputs: vec![ArtifactPort {
            name: STDOUT.to_owned(),
            description: "Standard output, with `stdout: artifact`.".to_owned(),
            media_types: vec!["application/octet-stream".to_owned()],
            required: false,
            many: false,
        }],
        wants: Vec::new(),
        deterministic: false,
        extra: Vec::new(),
    }
}

/// The file's name without folder and ending, as a plugin's name.
fn slug(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let stem = file.strip_suffix(".wasm").unwrap_or(file).to_ascii_lowercase();
    let dashed: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let slug: String =
        dashed.trim_matches(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()).chars().take(64).collect();
    if slug.starts_with(|c: char| c.is_ascii_lowercase()) {
        slug
    } else {
        format!("command-{slug}").chars().take(64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_comes_from_the_file() {
        for (file, name) in
            [("jq", "jq"), ("tools/Line_Stats.wasm", "line-stats"), ("7z.wasm", "command-7z"), ("ü.wasm", "command-")]
        {
            assert_eq!(slug(file), name);
        }
    }
}
