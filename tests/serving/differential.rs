//! The same requests to Triton 2.51, to MLServer 1.7.1 and to a box: the cases, and the differences that are meant, are in
//! `differential.py`.

use std::{env, path::PathBuf, process::Command};

use crate::{
    Serving,
    support::{optional, repository},
};

#[test]
fn triton_and_mlserver_answer_the_same_or_the_difference_is_meant() {
    let what = "the same requests to Triton and MLServer";
    let Some(peers) = env::var_os("TRACKSIDE_PEERS_FOLDER").filter(|path| !path.is_empty()).map(PathBuf::from) else {
        let why = "no such servers: benches/peers/serving/install.py installs them into TRACKSIDE_PEERS_FOLDER";
        return optional::not_run("serving-peers", what, why);
    };
    let Some(library) = optional::onnxruntime(what) else { return };
    let serving = Serving::start(&format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()));
    let cases = repository::root().join("tests/serving/differential.py");
    let mut python = Command::new(peers.join("venv/bin/python"));
    let told = python.arg(cases).arg(&serving.address).arg(serving.folder()).arg(&peers).output().unwrap();
    let (said, problems) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{said}\n{problems}\n{}", serving.node.said());
    println!("{said}");
}
