//! Plugins that were built once and are kept as they are: they must run for ever.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::support::{command::Trackside, optional::not_run, repository};

/// The cases that a golden plugin must pass.
fn cases(kind: &str) -> Vec<String> {
    let folder = repository::example("plugins").join("conformance").join(kind);
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_owned()).collect()
}

#[test]
fn plugins_of_the_first_contract_still_do_their_job() {
    let folder = repository::root().join("tests/golden");
    let temp = tempfile::tempdir().unwrap();
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut tested = 0;
    for path in names {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let component = match name.strip_suffix(".xz") {
            Some(plain) if plain.ends_with(".wasm") => {
                let unpacked = temp.path().join(plain);
                let ran = Command::new("xz").args(["-dc"]).arg(&path).stdout(Stdio::piped()).output();
                let Ok(output) = ran.map_err(|error| not_run("xz", &name, &error.to_string())) else { continue };
                assert!(output.status.success(), "{name}");
                fs::write(&unpacked, output.stdout).unwrap();
                unpacked
            }
            None if name.ends_with(".wasm") => path.clone(),
            _ => continue,
        };
        let kind = if name.contains("-command-") { "commands" } else { "components" };
        let cases = cases(kind);
        let mut arguments = vec!["plugin", "test", "--component", component.to_str().unwrap()];
        arguments.extend(cases.iter().map(String::as_str));
        let ran = Trackside::new(&arguments).run();
        assert!(
            ran.stdout.contains(&format!("{} passed, 0 failed", cases.len())),
            "{name}: {}{}",
            ran.stdout,
            ran.stderr
        );
        tested += 1;
    }
    assert!(tested >= 4, "only {tested} golden plugins were found");
}
