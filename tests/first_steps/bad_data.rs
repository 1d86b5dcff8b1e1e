//! Data files that are wrong.

use crate::support::{Project, project::step};

fn project() -> Project {
    let project = Project::new();
    project.write("schemas/s.json", r#"{"columns": {"flow": {"type": "number", "required": true, "max": 100}}}"#);
    project.workflow(
        "intake",
        "steps:\n  validate: { plugin: csv-check, with: { file: \"${trigger.file}\", schema: schemas/s.json } }\n  \
         keep:\n    needs: [validate]\n    plugin: deliver-file\n    with: { file: \"${steps.validate.rows}\", to: \"out/rows.jsonl\" }\n    \
         allow: { deliver: [out] }\n",
    );
    project
}

#[test]
fn a_broken_csv_is_told_with_its_line_and_nothing_is_delivered() {
    for (what, csv, words) in [
        ("a value that is no number", "flow\n1\nx\n3\n", &["bad-data", "line 3", "flow"][..]),
        ("a value out of bounds", "flow\n1\n101\n", &["bad-data", "line 3", "100"]),
        ("a quote that does not end", "flow\n1\n\"2\n3\n", &["bad-data", "line 3", "quote"]),
        ("a row with too many fields", "flow\n1\n2,3\n", &["bad-data", "line 3"]),
        ("a column that is missing", "level\n1\n", &["bad-data", "flow"]),
        ("an empty file", "", &["bad-data"]),
        ("bytes that are no text", "flow\n\u{0}\u{1}\n", &["bad-data", "line 2"]),
    ] {
        let project = project();
        project.write("data.csv", csv);
        let ran = project.run(&["run", "intake", "--file", "data.csv"]).exits(1);
        for word in words {
            assert!(ran.stderr.contains(word), "{what}: {word:?} was not said: {ran}");
        }
        let view = project.show("last");
        assert_eq!(
            (&step(&view, "validate")["state"], &step(&view, "keep")["state"]),
            (&"failed".into(), &"skipped".into())
        );
        assert!(!project.path("out").exists(), "{what}: something was delivered: {:?}", project.names("out"));
        assert_eq!(view["deliveries"], serde_json::json!([]), "{what}");
    }
}

#[test]
fn a_good_csv_passes_where_the_broken_ones_do_not() {
    let project = project();
    project.write("data.csv", "flow\r\n1\r\n\"2\"\r\n");
    project.run(&["run", "intake", "--file", "data.csv"]).ok();
    assert_eq!(project.read("out/rows.jsonl"), "{\"flow\":1}\n{\"flow\":2}\n");
}
