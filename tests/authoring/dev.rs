//! `plugin dev`

use std::{fs, process::Stdio};

use crate::{
    project::Author,
    support::{command::binary, project::Project, repository, sections::marked, wait::wait_until},
};

/// Ended with the test, also when it fails.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A project whose build copies `source.wasm`.
fn author() -> Author {
    let author = Author::new("echo.wasm");
    fs::copy(repository::component("echo.wasm"), author.folder.path().join("source.wasm")).unwrap();
    fs::write(
        author.folder.path().join("plugin.toml"),
        "[plugin]\nname = \"mine\"\n[build]\ncommand = [\"cp\", \"source.wasm\", \"made.wasm\"]\noutput = \"made.wasm\"\n",
    )
    .unwrap();
    author
}

#[test]
fn a_save_reaches_the_node_that_runs_and_what_fails_its_cases_does_not() {
    let project = Project::new();
    project.workflow("use", "steps:\n  a: { plugin: mine, with: { value: 1 } }\n");
    let author = author();
    author.case("echoes", "with: { value: 1 }\nexpect: { output: { value: 1 } }\n");
    let dev = ["--project", project.root().to_str().unwrap(), "plugin", "dev", "."];
    let mut command = binary();
    command.args(dev).current_dir(author.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let _dev = Ended(command.spawn().unwrap());
    let installed = project.path("plugins/mine.wasm");
    wait_until("the first build", || installed.is_file().then_some(()));
    let node = project.serve();
    let digest = || {
        let run = node.start_run("use");
        let view = project.wait_end(&run);
        assert_eq!(view["outputs"]["a"]["value"], 1, "{view:#}");
        view["steps"][0]["report"]["digest"].as_str().unwrap().to_owned()
    };
    let first = digest();

    // The next version comes with a case that does not hold: it stays outside.
    let next = marked("echo.wasm", "next");
    author.case("echoes", "with: { value: 1 }\nexpect: { output: { value: 2 } }\n");
    fs::write(author.folder.path().join("source.wasm"), &next).unwrap();
    let built = author.folder.path().join("dist/mine.wasm");
    wait_until("the second build", || (fs::read(&built).ok()? == next).then_some(()));
    assert_eq!(digest(), first);

    author.case("echoes", "with: { value: 1 }\nexpect: { output: { value: 1 } }\n");
    wait_until("the swap", || (fs::read(&installed).ok()? == next).then_some(()));
    assert_ne!(digest(), first);
}
