//! `plugin new`, and a project whose tool is `cp`.

use std::fs;

use tempfile::TempDir;

use crate::support::{command::Trackside, repository};

/// A plugin project whose build copies a component that is there.
pub struct Author {
    pub folder: TempDir,
}

impl Author {
    pub fn new(component: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let component = repository::component(component);
        let manifest = format!(
            "[plugin]\nname = \"mine\"\n[build]\ncommand = [\"cp\", {component:?}, \"made.wasm\"]\noutput = \"made.wasm\"\n"
        );
        fs::write(folder.path().join("plugin.toml"), manifest).unwrap();
        fs::create_dir(folder.path().join("tests")).unwrap();
        Self { folder }
    }

    pub fn case(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("tests").join(format!("{name}.yaml")), text).unwrap();
    }

    pub fn run(&self, arguments: &[&str]) -> crate::support::command::Ran {
        Trackside::new(arguments).within(self.folder.path()).run()
    }

    /// Built.
    pub fn built(self) -> Self {
        self.run(&["plugin", "build"]).ok();
        self
    }
}

#[test]
fn a_new_project_is_written_whole_and_never_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let made = Trackside::new(&["plugin", "new", "my-step", "--lang", "rust"]).within(folder.path()).run().ok();
    for file in ["plugin.toml", "Cargo.toml", "src/lib.rs", "README.md"] {
        assert!(made.stdout.contains(file), "{}", made.stdout);
        assert!(folder.path().join("my-step").join(file).is_file(), "{file}");
    }
    assert!(folder.path().join("my-step/trackside/wit/world.wit").is_file());
    let again = ["plugin", "new", "my-step", "--lang", "js"];
    Trackside::new(&again).within(folder.path()).run().exits(2).says(&["TS-0903", "my-step"]);
    Trackside::new(&["plugin", "new", "My Step", "--lang", "js"])
        .within(folder.path())
        .run()
        .exits(2)
        .says(&["TS-0902"]);
    Trackside::new(&["plugin", "new", "a", "--lang", "cobol"])
        .within(folder.path())
        .run()
        .exits(2)
        .says(&["assemblyscript"]);
}
