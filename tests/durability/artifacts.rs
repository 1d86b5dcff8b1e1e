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

#[test]
fn a_database_that_is_made_anew_beside_artifacts_is_told_once() {
    let (project, digest) = project();
    let take = || project.run(&["run", "take", "--file", "data.csv"]).ok();
    for damage in ["removed", "emptied"] {
        for beside in ["trackside.db-wal", "trackside.db-shm"] {
            let _ = fs::remove_file(project.path(&format!(".trackside/{beside}")));
        }
        let database = project.path(".trackside/trackside.db");
        match damage {
            "removed" => fs::remove_file(database).unwrap(),
            _ => fs::write(database, "").unwrap(),
        }
        take().says(&["TS-0210", "missing or empty", "put a copy of the data folder back"]);
        let again = take();
        assert!(!again.stderr.contains("TS-0210"), "{again}");
        assert_eq!(project.run(&["artifact", "get", &digest]).ok().stdout, "a,b\n1,2\n");
    }
    // A project that is only new has nothing to be told.
    let told = Project::new();
    told.workflow("take", "steps:\n  look: { plugin: echo, with: { value: \"${trigger.file}\" } }\n");
    told.write("data.csv", "a,b\n1,2\n");
    let first = told.run(&["run", "take", "--file", "data.csv"]).ok();
    assert!(!first.stderr.contains("TS-0210"), "{first}");
}
