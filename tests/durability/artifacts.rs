//! Artifacts that were damaged or lost on disk: those in the database, and files.

use std::fs;

use trackside_store::LARGEST_SMALL;

use crate::support::Project;

/// What stands in the database.
const SMALL: &str = "a,b\n1,2\n";

/// The smallest file.
fn large() -> String {
    format!("{SMALL}{}", "1".repeat(LARGEST_SMALL + 1 - SMALL.len()))
}

/// A project with one artifact, and its digest.
fn project(content: &str) -> (Project, String) {
    let project = Project::new();
    project.workflow("take", "steps:\n  look: { plugin: echo, with: { value: \"${trigger.file}\" } }\n");
    project.write("data.csv", content);
    let view = project.run(&["run", "take", "--file", "data.csv", "--json"]).ok().json();
    let digest = view["outputs"]["look"]["value"]["artifact"].as_str().unwrap().to_owned();
    (project, digest)
}

/// Changes the bytes of what is in the database, wherever its pages are.
fn change_row(project: &Project, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let mut changed = 0;
    for name in ["trackside.db", "trackside.db-wal"] {
        let file = project.path(&format!(".trackside/{name}"));
        let Ok(mut bytes) = fs::read(&file) else { continue };
        let places: Vec<usize> = bytes
            .windows(from.len())
            .enumerate()
            .filter(|(_, part)| *part == from.as_bytes())
            .map(|(at, _)| at)
            .collect();
        changed += places.len();
        places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to.as_bytes()));
        fs::write(file, bytes).unwrap();
    }
    assert!(changed > 0, "{from} stands nowhere");
}

#[test]
fn a_whole_artifact_comes_out_as_it_went_in() {
    for (content, is_file) in [(SMALL.to_owned(), false), (large(), true)] {
        let (project, digest) = project(&content);
        assert_eq!(project.artifact_file(&digest).is_some(), is_file);
        project.run(&["artifact", "verify"]).ok().says(&["1 artifact", "0 problems"]);
        project.run(&["artifact", "verify", &digest]).ok().says(&["1 artifact", "0 problems"]);
        assert_eq!(project.run(&["artifact", "get", &digest]).ok().stdout, content);
        let beginning = &digest["sha256:".len()..][..8];
        project.run(&["artifact", "get", beginning, "-o", "out.csv"]).ok();
        assert_eq!(project.read("out.csv"), content);
        let told = project.run(&["artifact", "verify", "--json"]).ok().json();
        assert_eq!((&told["checked"], &told["bytes"]), (&1.into(), &content.len().into()), "{told}");
    }
}

#[test]
fn a_damaged_artifact_is_found_and_never_becomes_a_file() {
    for content in [SMALL.to_owned(), large()] {
        let (project, digest) = project(&content);
        match project.artifact_file(&digest) {
            Some(file) => fs::write(file, "a,b\n1,3\n").unwrap(),
            None => change_row(&project, SMALL, "a,b\n1,3\n"),
        }
        let told = project.run(&["artifact", "verify", "--json"]).exits(1).json();
        assert_eq!(told["problems"][0]["artifact"], digest.as_str(), "{told:#}");
        let before = project.names(".");
        project.run(&["artifact", "get", &digest, "-o", "out.csv"]).exits(1).says(&["TS-0853", "damaged"]);
        assert_eq!(project.names("."), before, "something was left behind");
    }
}

#[test]
fn an_artifact_whose_file_is_lost_is_found_and_made_again_when_it_comes_again() {
    let (project, digest) = project(&large());
    fs::remove_file(project.artifact_file(&digest).unwrap()).unwrap();
    project.run(&["artifact", "verify"]).exits(1).prints(&[&digest, "missing"]);
    project.run(&["artifact", "get", &digest]).exits(2).says(&["TS-0815"]);
    project.run(&["run", "take", "--file", "data.csv"]).ok();
    project.run(&["artifact", "verify"]).ok().says(&["1 artifact", "0 problems"]);
}

#[test]
fn a_database_that_is_made_anew_beside_artifacts_is_told_once() {
    let (project, digest) = project(SMALL);
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
