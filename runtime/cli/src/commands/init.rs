//! `trackside init`

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use trackside_codes::code;

use clap::Args;
use serde_json::json;
use trackside_spec::scaffold_workflow;

use crate::{
    context::{CONFIG, Context},
    failure::Failure,
    output::escape,
};

/// Make a new project
///
/// Config, a first workflow that runs as it is, an inbox. Nothing that is there is overwritten.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The new project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

const WORKFLOW: &str = "hello";

const NODE: &str = r#"# The settings of this box. Everything has a default; `trackside schema node` lists all keys.
[node]
name = "NAME"
# data = ".trackside"        # the database and the artifacts
# workflows = "workflows"    # *.yaml
# plugins = "plugins"        # your own components, *.wasm; the bundled ones need no file
# durability = "full"        # relaxed: a power cut may cost the last second, which is then done again
# log = "info"

# Bounds of every step; a workflow can set its own for a step.
# [limits]
# memory = "64MiB"
# cpu = "10s"
# wall = "1m"

# Models that workflows can use by name.
# [models.my-model]
# path = "models/my-model.onnx"

# What no workflow on this box may go beyond, whatever it asks for.
# [policy]
# http = ["https://hooks.example.org"]
"#;

const README: &str = r"# NAME

A [Trackside](https://github.com/trackside/trackside) project.

| Path | What it is |
|---|---|
| `trackside.toml` | the settings of this box |
| `workflows/` | what happens: one YAML file for each workflow |
| `inbox/` | a folder for a file trigger to watch; `workflows/hello.yaml` shows how |
| `plugins/` | your own steps: WebAssembly components |
| `.trackside/` | database and artifacts; made at the first run, never edited by hand |

```sh
trackside check                        # is everything right?
trackside run hello                    # run a workflow now
trackside run hello -p greeting=Moin   # with a parameter
trackside runs list                    # what has run
trackside serve                        # run the node: schedules, folders
```
";

const IGNORE: &str = ".trackside/\ninbox/*\n!inbox/.gitkeep\n";

/// Makes the project.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let files = files(dir)?;
    let there: Vec<&str> =
        files.iter().map(|(path, _)| *path).filter(|path| dir.join(path).symlink_metadata().is_ok()).collect();
    if !there.is_empty() {
        return Err(Failure::new(
            code!("TS-0821"),
            format!(
                "{} has {} already; nothing was written. Choose another folder, or move what is there away",
                dir.canonicalize().unwrap_or_else(|_| dir.clone()).display(),
                there.join(", ")
            ),
        ));
    }
    for (path, text) in &files {
        write(&dir.join(path), text)?;
    }
    let root = dir.canonicalize().unwrap_or_else(|_| dir.clone());
    let console = context.console;
    if console.json {
        let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        return console.print_json(&json!({ "project": root, "files": paths }));
    }
    console.say(&format!("A new project in {}", root.display()));
    for (path, _) in &files {
        console.say(&format!("  {path}"));
    }
    let cd =
        if dir == Path::new(".") { String::new() } else { format!("cd {} && ", escape(&dir.display().to_string())) };
    console.say(&format!("\nNext:\n  {cd}trackside run {WORKFLOW}\n  {cd}trackside check"));
    Ok(())
}

/// What the project is made of, relative to its folder.
fn files(dir: &Path) -> Result<Vec<(&'static str, String)>, Failure> {
    let absolute = std::path::absolute(dir)
        .map_err(|error| Failure::new(code!("TS-0822"), format!("{} is no folder's name: {error}", dir.display())))?;
    // `.` and `..` at the end have no name of their own.
    let named = absolute.canonicalize().unwrap_or(absolute);
    let name = named.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = name.chars().map(plain).take(60).collect();
    let name = if name.is_empty() { "trackside".to_owned() } else { name };
    Ok(vec![
        (CONFIG, NODE.replace("NAME", &name)),
        ("workflows/hello.yaml", scaffold_workflow(WORKFLOW)),
        ("inbox/.gitkeep", String::new()),
        ("README.md", README.replace("NAME", &name)),
        (".gitignore", IGNORE.to_owned()),
    ])
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Never over a file that has appeared since it was looked for.
        fs::File::create_new(path)?.write_all(text.as_bytes())
    };
    written().map_err(|error| Failure::new(code!("TS-0823"), format!("cannot write {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use trackside_spec::load_node_config;

    use super::*;

    #[test]
    fn the_config_loads_as_it_is_and_with_every_comment_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(&dir.path().join("My Project!")).unwrap();
        let (_, text) = &files[0];
        let config = load_node_config(CONFIG, text).unwrap();
        assert_eq!(config.node.name.as_deref(), Some("My-Project-"));
        let setting = |line: &str| line.starts_with("# [") || line.contains(" = \"") || line.contains(" = [");
        let all: Vec<&str> =
            text.lines().map(|line| if setting(line) { line.trim_start_matches("# ") } else { line }).collect();
        let config = load_node_config(CONFIG, &all.join("\n")).unwrap();
        assert!(config.models.contains_key("my-model") && config.policy.http.is_some());
    }
}
