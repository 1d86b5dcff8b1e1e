//! `trackside engine install`

use std::{env, path::PathBuf};

use crate::{project, support::optional};

#[test]
fn a_wheel_that_is_not_the_pinned_one_is_refused_and_nothing_is_installed() {
    let project = project("");
    project.write("wheel.whl", b"PK\x03\x04 something else");
    project
        .run(&["engine", "install", "--from", "wheel.whl"])
        .exits(3)
        .says(&["error[TS-0533]", "nothing was installed"]);
    project.run(&["engine", "install", "--from", "none.whl"]).exits(3).says(&["error[TS-0535]", "none.whl"]);
    let left: Vec<String> = project.names(".trackside/engine");
    assert!(left.iter().all(|name| name == ".lock"), "{left:?}");
}

#[test]
fn a_python_that_is_not_there_is_told_with_the_way_without_it() {
    let project = project("");
    let ran = project.run(&["engine", "install", "--python", "/nonexistent/python3"]).exits(3);
    ran.says(&["error[TS-0532]", "/nonexistent/python3", "--from"]);
}

#[test]
fn the_pinned_wheel_is_installed_and_used() {
    let Some(wheel) = env::var_os("TRACKSIDE_ONNXRUNTIME_WHEEL").map(PathBuf::from) else {
        let why = "TRACKSIDE_ONNXRUNTIME_WHEEL names no wheel";
        return optional::not_run("wheel", "engine install --from the pinned wheel", why);
    };
    let project = project("");
    let wheel = wheel.display().to_string();
    let installed = project.run(&["engine", "install", "--from", &wheel, "--json"]).ok().json();
    assert_eq!(installed["already_there"], false, "{installed:#}");
    let again = project.run(&["engine", "install", "--from", &wheel, "--json"]).ok().json();
    assert_eq!(again["already_there"], true, "{again:#}");
    let engines = project.run(&["engine", "list", "--json"]).ok().json();
    let onnxruntime = engines.as_array().unwrap().iter().find(|engine| engine["kind"] == "onnxruntime").unwrap();
    assert_eq!(
        (&onnxruntime["available"], &onnxruntime["origin"]),
        (&true.into(), &installed["library"]),
        "{engines:#}"
    );
}
