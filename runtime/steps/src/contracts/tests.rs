use serde_json::{Value, json};
use trackside_spec::{ArtifactRef, load_workflow};
use trackside_store::{Committer, Durability, Hold};

use super::*;

const COLUMNS: &str = "{ machine: { type: string, required: true, pattern: \"^M[0-9]+$\" }, value: { type: number, minimum: 0, maximum: 100 } }";

/// A data folder and the contracts of one step.
struct Bench {
    _folder: tempfile::TempDir,
    artifacts: Arc<Artifacts>,
    hold: Hold,
    plan: trackside_spec::Plan,
}

impl Bench {
    fn new(contract: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Committer::open(folder.path(), Durability::Relaxed).unwrap().artifacts().clone();
        let text = format!(
            "version: 1\nname: t\nparams: {{ x: {{ type: string, default: a }} }}\nsteps:\n  a:\n    plugin: echo\n    requires:\n      - {{ of: \"${{params.x}}\", name: data, {contract} }}\n"
        );
        let plan = load_workflow("t", &text).unwrap_or_else(|error| panic!("{error}"));
        let hold = Hold::new(&artifacts);
        Self { _folder: folder, artifacts, hold, plan }
    }

    fn file(&self, name: &str, text: &str) -> Value {
        let media_type = trackside_spec::media_type(name);
        self.hold.store(&mut text.as_bytes(), name, media_type).unwrap().to_json()
    }

    fn read(&self, artifact: &Value) -> String {
        let artifact = ArtifactRef::from_json(artifact).unwrap();
        std::io::read_to_string(self.artifacts.open_artifact(&artifact.digest).unwrap()).unwrap()
    }

    fn check(&self, value: Value) -> Result<Verdict, CheckError> {
        let patience =
            Patience { until: Instant::now() + std::time::Duration::from_secs(60), cancel: CancelToken::new() };
        check_all((&self.artifacts, &self.hold), &self.plan.steps[0].requires, vec![value], &patience, None)
    }

    #[track_caller]
    fn passed(&self, value: Value) -> Passed {
        match self.check(value).unwrap() {
            Verdict::Passed(passed) => *passed,
            Verdict::Stopped(outcome, _) => panic!("{outcome:?}"),
        }
    }

    #[track_caller]
    fn blocked(&self, value: Value) -> (String, Value) {
        match self.check(value).unwrap() {
            Verdict::Stopped(Outcome::Blocked { message, report }, logs) => {
                assert!(logs.contains("\"level\":\"error\""), "{logs}");
                (message, json!(report.unwrap().contracts.unwrap()[0]))
            }
            Verdict::Stopped(outcome, _) => panic!("{outcome:?}"),
            Verdict::Passed(passed) => panic!("{passed:?}"),
        }
    }
}

/// What the first input's report says.
fn told(passed: &Passed) -> Value {
    json!(passed.report[0])
}

const BAD: &str = "machine,value\nM1,5\nX2,6\nM3,101\nM4,\n";

#[test]
fn a_table_that_fits_passes_as_it_is_and_nothing_is_written() {
    let bench = Bench::new(&format!("columns: {COLUMNS}, rows: {{ minimum: 1, maximum: 2 }}"));
    for (name, text) in [
        ("a.csv", "machine,value,more\nM1,5,x\n\"M2\",,\n"),
        ("a.tsv", "machine\tvalue\nM1\t5\n"),
        ("a.jsonl", "{\"machine\":\"M1\",\"value\":1}\n{\"machine\":\"M2\"}\n"),
        ("a.json", "[{\"machine\":\"M1\",\"value\":1}]"),
        ("a", "\u{feff}machine,value\r\nM1,5\r\n"),
    ] {
        let file = bench.file(name, text);
        let passed = bench.passed(file.clone());
        assert_eq!((&passed.requires["data"], passed.report.is_empty()), (&file, true), "{name}");
        assert!(passed.artifacts.is_empty() && passed.logs.is_empty(), "{name}");
    }
    let list = json!([{ "machine": "M1", "value": 2 }]);
    assert_eq!(bench.passed(list.clone()).requires["data"], list);
}

#[test]
fn rows_that_do_not_fit_block_and_the_report_says_where_and_why() {
    let bench = Bench::new(&format!("columns: {COLUMNS}"));
    let (message, report) = bench.blocked(bench.file("a.csv", BAD));
    assert!(message.contains("2 of 4 rows"), "{message}");
    assert!(message.contains("line 3, column `machine`") && message.contains("(X2)"), "{message}");
    assert_eq!((&report["rows"], &report["bad_rows"]), (&json!(4), &json!(2)));
    assert_eq!(
        report["problems"][1],
        json!({ "line": 4, "column": "value", "value": "101", "reason": "above the maximum 100" })
    );
}

#[test]
fn a_warning_lets_the_input_through_and_says_so() {
    let bench = Bench::new(&format!("severity: warn, columns: {COLUMNS}"));
    let file = bench.file("a.csv", BAD);
    let passed = bench.passed(file.clone());
    assert_eq!(passed.requires["data"], file);
    assert_eq!(told(&passed)["bad_rows"], 2);
    assert!(passed.logs.contains("\"level\":\"warn\""), "{}", passed.logs);
}

#[test]
fn quarantine_splits_a_file_byte_for_byte() {
    let bench = Bench::new(&format!("severity: quarantine, columns: {COLUMNS}"));
    let passed = bench.passed(bench.file("a.csv", "machine,value\r\n\"M1\",5\r\nX2,6\r\nM3,7"));
    assert_eq!(bench.read(&passed.requires["data"]), "machine,value\r\n\"M1\",5\r\nM3,7\n");
    assert_eq!(passed.requires["data"]["name"], "a.csv");
    let bad = &told(&passed)["quarantine"].clone();
    assert_eq!(bench.read(bad), "machine,value\r\nX2,6\r\n");
    assert_eq!(bad["name"], "quarantine-a.csv");
    assert_eq!(passed.artifacts.len(), 2);
    let lines = bench.passed(bench.file("a.jsonl", "{\"machine\": \"M1\"}\nrubbish\n[1]\n"));
    assert_eq!(bench.read(&lines.requires["data"]), "{\"machine\": \"M1\"}\n");
    assert_eq!(bench.read(&told(&lines)["quarantine"]), "rubbish\n[1]\n");
}

#[test]
fn quarantine_splits_lists_too() {
    let bench = Bench::new(&format!("severity: quarantine, columns: {COLUMNS}"));
    let passed = bench.passed(json!([{ "machine": "M1" }, 7, { "machine": "x" }]));
    assert_eq!(passed.requires["data"], json!([{ "machine": "M1" }]));
    assert_eq!(bench.read(&told(&passed)["quarantine"]), "7\n{\"machine\":\"x\"}\n");
    let document = bench.passed(bench.file("a.json", "[{\"machine\":\"M1\"},{}]"));
    assert_eq!(bench.read(&document.requires["data"]), "[{\"machine\":\"M1\"}]");
}

#[test]
fn quarantine_does_not_mend_what_is_wrong_with_the_whole() {
    let bench = Bench::new(&format!("severity: quarantine, columns: {COLUMNS}, rows: {{ minimum: 2 }}"));
    let (message, report) = bench.blocked(bench.file("a.csv", "machine,value\nM1,1\nX,1\n"));
    assert!(message.contains("1 rows where there must be at least 2"), "{message}");
    assert!(report.get("quarantine").is_none());
    for (name, text, says) in [
        ("a.csv", "value\n1\n", "the column `machine` is missing"),
        ("a.csv", "machine,machine\nM1,M1\n", "`machine` is there twice"),
        ("a.csv", "machine,a,a\nM1,1,2\n", "`a` is there twice"),
        ("a.csv", "", "not even a header"),
        ("a.json", "{", "not a JSON document"),
        ("a.json", "7", "not a table"),
    ] {
        let (message, _) = bench.blocked(bench.file(name, text));
        assert!(message.contains(says), "{name} {text:?}: {message}");
    }
}

#[test]
fn a_value_twice_is_told_at_the_second_row() {
    let bench = Bench::new("columns: { id: { type: integer, unique: true, max_null_fraction: 1 } }");
    let (_, report) = bench.blocked(bench.file("a.csv", "id,x\n1,a\n2,b\n,c\n,d\n1.0,e\n"));
    assert_eq!((&report["bad_rows"], &report["problems"][0]["line"]), (&json!(1), &json!(6)));
    let split = Bench::new(
        "severity: quarantine, columns: { id: { type: integer, unique: true, maximum: 5 }, x: { type: integer } }",
    );
    // The twin of a row that is bad for another reason may stay, whatever the severity.
    let (_, report) = bench.blocked(bench.file("a.csv", "id,x\n1,a\n1,b\n1,c\n"));
    assert_eq!(report["bad_rows"], 2);
    let passed = split.passed(split.file("a.csv", "id,x\n1,no\n1,2\n1,3\n"));
    assert_eq!(split.read(&passed.requires["data"]), "id,x\n1,2\n");
}

#[test]
fn missing_values_are_counted_or_refused() {
    let bench = Bench::new("columns: { v: { type: number, max_null_fraction: 0.5 } }");
    bench.passed(bench.file("a.csv", "v,x\n1,\n,a\n"));
    let (message, report) = bench.blocked(bench.file("a.csv", "v,x\n1,a\n,b\n,c\n"));
    assert!(message.contains("`v` has no value in 2 of 3 rows"), "{message}");
    assert_eq!(report["bad_rows"], 0);
    // A column that is not there has no value in any row.
    for (name, text) in [("a.csv", "x\n1\n"), ("a.jsonl", "{\"x\":1}\n")] {
        let (message, _) = bench.blocked(bench.file(name, text));
        assert!(message.contains("`v` has no value in 1 of 1 rows"), "{message}");
    }
    // And nobody asks for one.
    let free = Bench::new("columns: { v: { type: number } }");
    free.passed(free.file("a.csv", "x\n1\n"));
    let none = Bench::new("columns: { v: { type: number, max_null_fraction: 0 } }");
    let (message, _) = none.blocked(none.file("a.csv", "x\n"));
    assert!(message.contains("the column `v` is missing"), "{message}");
    let strict = Bench::new("columns: { v: { type: number, required: true } }");
    let (message, _) = strict.blocked(strict.file("a.jsonl", "{\"v\":null}\n"));
    assert!(message.contains("column `v`: missing"), "{message}");
    let half = Bench::new("columns: { v: { type: number, required: true, max_null_fraction: 1 } }");
    let (message, _) = half.blocked(half.file("a.jsonl", "{}\n{}\n"));
    assert!(message.contains("the column `v` is missing"), "{message}");
}

#[test]
fn rows_of_another_length_and_other_bytes_are_bad_rows() {
    let bench = Bench::new("severity: warn, columns: { a: { type: string } }");
    let passed = bench.passed(bench.file("a.csv", "a,b\n1\n1,2,3\n1,2\n\"x\"y,2\n"));
    assert_eq!(told(&passed)["bad_rows"], 3);
    let bytes = bench.hold.store(&mut &b"a\n\xff\n"[..], "a.csv", "text/csv").unwrap();
    assert_eq!(told(&bench.passed(bytes.to_json()))["problems"][0]["reason"], "not UTF-8");
}

#[test]
fn documents_are_held_against_their_schema_and_lists_are_counted() {
    let bench = Bench::new("schema: { type: object, required: [n] }");
    bench.passed(json!({ "n": 1 }));
    bench.passed(bench.file("a.json", "{\"n\":1}"));
    let (message, _) = bench.blocked(bench.file("a.json", "{}"));
    assert!(message.contains("\"n\" is a required property"), "{message}");
    let rows = Bench::new("rows: { minimum: 2 }");
    rows.passed(json!([1, 2]));
    rows.passed(rows.file("a.csv", "h\n1\n2\n"));
    rows.passed(rows.file("a.json", "[1,2]"));
    let (message, _) = rows.blocked(json!({ "a": 1 }));
    assert!(message.contains("not a list"), "{message}");
    rows.blocked(rows.file("a.csv", "h\n1\n"));
}

#[test]
fn a_report_stays_small_whatever_comes() {
    let bench = Bench::new("columns: { a: { type: integer } }");
    let text = format!("a\n{}", format!("{}\n", "y".repeat(1_000)).repeat(5_000));
    let (message, report) = bench.blocked(bench.file("a.csv", &text));
    assert_eq!(report["bad_rows"], 5_000);
    assert!(report.to_string().len() < 5_000 && message.len() < 1_000, "{message}");
    let (message, _) = bench.blocked(bench.file("a.csv", &format!("a\n\"{}", "x".repeat(2 << 20))));
    assert!(message.contains("line 2: a row of more than"), "{message}");
}

#[test]
fn a_check_ends_when_its_step_is_stopped_or_its_time_is_over() {
    let bench = Bench::new("rows: { minimum: 1 }");
    let file = bench.file("a.csv", "a\n1\n");
    let cancel = CancelToken::new();
    let contracts = &bench.plan.steps[0].requires;
    let late = Patience { until: Instant::now(), cancel: cancel.clone() };
    let check = |patience: &Patience| {
        check_all((&bench.artifacts, &bench.hold), contracts, vec![file.clone()], patience, None).err()
    };
    assert!(matches!(check(&late), Some(CheckError::TooSlow)));
    cancel.cancel();
    assert!(matches!(check(&late), Some(CheckError::Cancelled)));
    let gone = json!({ "artifact": trackside_spec::Digest::of(b"gone"), "name": "a.csv" });
    assert!(matches!(bench.check(gone), Err(CheckError::Io(_))));
}

#[test]
fn a_file_with_the_line_ends_of_a_classic_mac_is_checked_row_by_row() {
    let bench = Bench::new(&format!("columns: {COLUMNS}"));
    let (_, report) = bench.blocked(bench.file("a.csv", "machine,value\rM1,5\rX,600\r"));
    assert_eq!(
        (&report["rows"], &report["bad_rows"], &report["problems"][0]["line"]),
        (&json!(2), &json!(1), &json!(3))
    );
    bench.passed(bench.file("a.csv", "machine, value\rM1,.5\rM2,007\r"));
    let split = Bench::new(&format!("severity: quarantine, columns: {COLUMNS}"));
    let passed = split.passed(split.file("a.csv", "machine,value\rM1,5\r\"X\",6\rM3,7"));
    assert_eq!(split.read(&passed.requires["data"]), "machine,value\rM1,5\rM3,7\n");
    assert_eq!(split.read(&told(&passed)["quarantine"]), "machine,value\r\"X\",6\r");
    let lines = split.passed(split.file("a.jsonl", "{\"machine\":\"M1\"}\r{\"machine\":\"X\"}\r"));
    assert_eq!(split.read(&lines.requires["data"]), "{\"machine\":\"M1\"}\r");
}

#[test]
fn whole_numbers_that_would_be_rounded_do_not_pass() {
    let bench = Bench::new("columns: { id: { type: integer } }");
    for (name, text) in [
        ("a.csv", "id\n18446744073709551616\n"),
        ("a.jsonl", "{\"id\":18446744073709551616}\n"),
        ("a.jsonl", "{\"id\":1,\"other\":-9223372036854775809}\n"),
        ("a.json", "[{\"id\":18446744073709551616}]"),
    ] {
        let (message, _) = bench.blocked(bench.file(name, text));
        assert!(message.contains("beyond 64 bits"), "{name} {text}: {message}");
    }
    bench.passed(bench.file("a.csv", "id\n18446744073709551615\n"));
}
