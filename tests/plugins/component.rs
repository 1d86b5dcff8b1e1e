//! Components that differ, and projects that install them.

use serde_json::Value;

use crate::support::{Project, sections::marked};

/// The bundled echo with a custom section that makes it another component.
pub fn variant(mark: &str) -> Vec<u8> {
    marked("echo.wasm", mark)
}

/// A project with one workflow whose step is `plugin`, and these lines in its config.
pub fn project(plugin: &str, config: &str) -> Project {
    let project = Project::new();
    project.write("trackside.toml", format!("[node]\nname = \"test\"\n{config}"));
    project.workflow("use", &format!("steps:\n  a: {{ plugin: \"{plugin}\", with: {{ value: 7 }} }}\n"));
    project
}

/// What `plugin inspect` says of a plugin.
#[track_caller]
pub fn inspected(project: &Project, name: &str) -> Value {
    project.run(&["plugin", "inspect", name, "--json"]).ok().json()
}

/// Names of the installed components.
pub fn components(project: &Project) -> Vec<String> {
    let mut names = project.names(".trackside/plugins");
    names.retain(|name| name.ends_with(".wasm"));
    names
}
