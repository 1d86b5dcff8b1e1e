//! What `.ci/run` does not do again: only what has passed with the same inputs, byte for byte. `.ci/digest` says what they are.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{optional, repository};

/// A repository of two crates, the first made of the second, and a folder.
struct Small(tempfile::TempDir);

impl Small {
    fn new() -> Option<Self> {
        let git = Command::new("git").arg("--version").stdout(Stdio::null()).status();
        if !git.is_ok_and(|status| status.success()) {
            optional::not_run("git", "what decides whether a part of .ci/run is done again", "there is no git");
            return None;
        }
        let small = Self(tempfile::tempdir().unwrap());
        small.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"upper\", \"lower\", \"other\"]\n");
        let manifest = |name: &str, rest: &str| format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{rest}");
        small.write("upper/Cargo.toml", manifest("upper", "[dev-dependencies]\nlower = { path = \"../lower\" }\n"));
        small.write("lower/Cargo.toml", manifest("lower", ""));
        small.write("other/Cargo.toml", manifest("other", ""));
        for name in ["upper", "lower", "other"] {
            small.write(&format!("{name}/src/lib.rs"), "");
        }
        small.write("folder/a", "a");
        small.write(".gitignore", "/target\n*.made\n");
        small.write(".ci/run", "");
        fs::copy(repository::root().join(".ci/digest"), small.0.path().join(".ci/digest")).unwrap();
        small.run(Command::new("cargo").args(["generate-lockfile", "--offline"]));
        small.run(Command::new("git").args(["init", "-q"]));
        small.run(Command::new("git").args(["add", "-A"]));
        Some(small)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn run(&self, command: &mut Command) -> Option<String> {
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(name);
        }
        let ran = command.current_dir(self.0.path()).output().unwrap();
        ran.status.success().then(|| String::from_utf8(ran.stdout).unwrap())
    }

    fn digest(&self, inputs: &[&str]) -> Option<String> {
        self.run(Command::new("bash").arg(".ci/digest").args(inputs))
    }
}

const INPUTS: [&str; 2] = ["crate:upper", "folder"];

#[test]
fn a_part_is_done_again_when_any_of_its_inputs_has_changed_and_only_then() {
    let Some(small) = Small::new() else { return };
    let before = small.digest(&INPUTS).expect("a digest");
    assert_eq!(before.trim().len(), 64, "{before}");
    small.write("other/src/lib.rs", "// Not of this part.\n");
    small.write("folder/x.made", "Made by the part itself.");
    assert_eq!(small.digest(&INPUTS), Some(before.clone()));
    let lock = fs::read(small.0.path().join("Cargo.lock")).unwrap();
    let lock = [&lock[..], b"# More.\n"].concat();
    let changes: [(&str, &[u8], &[u8]); 7] = [
        ("upper/src/lib.rs", b"", b"// Own.\n"),
        ("lower/src/lib.rs", b"", b"// Of what its tests are made of.\n"),
        ("folder/a", b"a", b"b"),
        ("Cargo.lock", &lock[..lock.len() - 8], &lock),
        (".ci/run", b"", b"# Another part.\n"),
        ("folder/b", b"", b"Not added yet."),
        ("lower/README.md", b"", b"Not added yet."),
    ];
    for (path, old, new) in changes {
        let is_new = !small.0.path().join(path).exists();
        small.write(path, new);
        let after = small.digest(&INPUTS).expect("a digest");
        assert_ne!(after, before, "{path} was changed");
        small.write(path, old);
        if is_new {
            fs::remove_file(small.0.path().join(path)).unwrap();
        }
        assert_eq!(small.digest(&INPUTS).as_ref(), Some(&before), "{path} is as it was");
    }
    fs::remove_file(small.0.path().join("folder/a")).unwrap();
    assert_ne!(small.digest(&INPUTS), Some(before), "a file is gone");
}

#[test]
fn what_can_not_be_told_has_no_digest() {
    let Some(small) = Small::new() else { return };
    assert_eq!(small.digest(&["nowhere"]), None);
    assert_eq!(small.digest(&["crate:nobody"]), None);
    fs::remove_dir_all(small.0.path().join(".git")).unwrap();
    let is_inside = |folder: &Path| folder.ancestors().any(|above| above.join(".git").exists());
    assert!(!is_inside(small.0.path()), "the temporary folder lies in a repository");
    assert_eq!(small.digest(&["folder"]), None, "without git");
}
