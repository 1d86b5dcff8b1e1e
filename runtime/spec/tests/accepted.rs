//! Definitions are stored with their runs, and a run that is under way is recovered from its definition: what one version
//! accepted, each later one takes. Files are added to the folder `accepted`, never changed.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use std::{fs, path::Path};

use trackside_spec::load_workflow;

#[test]
fn what_earlier_versions_accepted_is_taken() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accepted");
    let mut taken = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let plan = load_workflow(name, &source).unwrap_or_else(|error| panic!("{error}"));
        assert!(!plan.steps.is_empty(), "{name}");
        taken += 1;
    }
    assert!(taken >= 15, "{taken}");
}
