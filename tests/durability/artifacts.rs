//! Artifacts that were damaged or lost on disk.

use std::fs;

use crate::support::Project;

/// A project with one artifact, and its digest.
fn project() -> (Project, String) {
    let project = Project::new();
    project.workflow("take", "steps:\n  look: { plugin: echo, with: { value: \"${trigger.file}\" } }\n");
    project.write("data.csv", "a,b\n1,2\n");
    let view = project.run(&["run", "take", "--file", "data.csv", "--json"]).ok().json();
    let digest = view["outputs"]["look"]["value"]["artifact"].as_str().unwrap().to_owned();
    (project, digest)
}

/// The file of the only artifact.
fn file_of(project: &Project, digest: &str) -> std::path::PathBuf {
    let hex = digest.strip_prefix("sha256:").unwrap();
    let mut folders = vec![project.path(".trackside")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() == hex {
                return path;
            }
        }
    }
    panic!("no file holds {digest}");
}

#[test]
fn a_whole_artifact_comes_out_as_it_went_in() {
    let (project, digest) = project();
    project.run(&["artifact", "verify"]).ok().says(&["1 artifact", "0 problems"]);
    assert_eq!(project.run(&["artifact", "get", &digest]).ok().stdout, "a,b\n1,2\n");
    let beginning = &digest["sha256:".len()..][..8];
    project.run(&["artifact", "get", beginning, "-o", "out.csv"]).ok();
    assert_eq!(project.read("out.csv"), "a,b\n1,2\n");
}

#[test]
fn a_damaged_artifact_is_found_and_never_becomes_a_file() {
    let (project, digest) = project();
    let file = file_of(&project, &digest);
    fs::write(&file, "a,b\n1,3\n").unwrap();
    let told = project.run(&["artifact", "verify", "--json"]).exits(1).json();
    assert_eq!(told["problems"][0]["artifact"], digest.as_str(), "{told:#}");
    let before = project.names(".");
    project.run(&["artifact", "get", &digest, "-o", "out.csv"]).exits(1).says(&["TS-0853", "damaged"]);
    assert_eq!(project.names("."), before, "something was left behind");
    fs::remove_file(&file).unwrap();
    project.run(&["artifact", "verify"]).exits(1).prints(&[&digest, "missing"]);
    project.run(&["artifact", "get", &digest]).exits(2).says(&["TS-0815"]);
}
