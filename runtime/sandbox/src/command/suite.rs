//! The part of the public WASI test suite that applies to programs that have no folder to write to. The programs, and
//! why the others are left out: `tests/wasi-testsuite`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use serde_json::Value;
use trackside_spec::{CommandStdout, ExitCodes};

use super::{
    call::CommandCall,
    folder::InputFolder,
    run::{Opened, run_opened},
    stdin::Stdin,
};
use crate::{
    Completion, Nobody, Plugin, Sandbox, SandboxSettings, StepCall,
    plugin::{self},
};

fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/wasi-testsuite")
}

/// The programs of one language, by name, with what is said of each.
fn programs(language: &str) -> BTreeMap<String, (PathBuf, Value)> {
    let entries = fs::read_dir(suite().join(language)).unwrap().map(|entry| entry.unwrap().path());
    let wasm = entries.filter(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    wasm.map(|path| {
        let about =
            fs::read(path.with_extension("json")).map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap());
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), (path, about))
    })
    .collect()
}

/// A folder like the suite's, for one call.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (source, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if source.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}

/// What is wrong with how a program ended; nothing when all is well.
async fn objection(plugin: &Plugin, about: &Value, language: &str, parent: &Path) -> Option<String> {
    let plugin::Program::Command(program) = &plugin.program else { return Some("it is no command".to_owned()) };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let code = about["exit_code"].as_u64().unwrap_or(0);
    let command = CommandCall {
        args: about["args"].as_array().into_iter().flatten().map(text).collect(),
        env: about["env"].as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect(),
        stdout: CommandStdout::Text,
        exit: ExitCodes { ok: vec![u8::try_from(code).unwrap()], retry: Vec::new() },
        ..CommandCall::default()
    };
    let folder = about["root"].as_str().map(|root| {
        let folder = InputFolder::new(parent).unwrap();
        copy(&suite().join(language).join(root), folder.path());
        folder
    });
    // The suite looks for its folder at the root.
    let opened = Opened { folder, at: "/", stdin: Stdin::bytes(Vec::new()) };
    let call = StepCall::new("suite", "run", "step");
    let report = run_opened(plugin, program, &call, &command, Arc::new(Nobody), opened, Instant::now()).await;
    match (report.outcome, about["stdout"].as_str()) {
        (Err(failure), _) => Some(format!("{failure}\n{}", failure.stderr_tail)),
        (Ok(Completion::Done(output)), Some(expected)) => {
            let output: Value = serde_json::from_str(&output).unwrap();
            (output["stdout"] != expected).then(|| format!("it printed {}", output["stdout"]))
        }
        (Ok(_), _) => None,
    }
}

#[test]
fn the_public_test_suite_passes_where_it_applies() {
    let temp = tempfile::tempdir().unwrap();
    let settings = SandboxSettings::new(temp.path().join("cache"), temp.path().join("key"));
    let sandbox = Sandbox::new(settings).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut passed, mut failed) = (0, Vec::new());
    for language in ["assemblyscript", "c", "rust", "preview2"] {
        for (name, (path, about)) in programs(language) {
            let plugin = sandbox.load(&fs::read(&path).unwrap(), &name).unwrap();
            match runtime.block_on(objection(&plugin, &about, language, temp.path())) {
                None => passed += 1,
                Some(objection) => failed.push(format!("{language}/{name}: {objection}")),
            }
        }
    }
    assert!(failed.is_empty(), "{passed} passed, {} failed:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(passed, 41, "programs are missing, or were added without a word in the README");
}
