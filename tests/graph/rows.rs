//! What a row, a number and a time are, as `csv-check`, `window-features` and `requires` have it: the right values, from
//! the file to the artifact. That the two checks never differ is shown by `rows_alike.rs`.

use serde_json::{Value, json};

use crate::support::{Project, project::step};

/// The text of an artifact of this project.
#[track_caller]
pub fn text(project: &Project, artifact: &Value) -> String {
    project.artifact(artifact["artifact"].as_str().unwrap_or_else(|| panic!("no artifact: {artifact}")))
}

/// Runs `csv-check` over a file; the step's output, and its error.
pub fn checked(project: &Project, name: &str, data: impl AsRef<[u8]>, with: &str) -> (Value, Value) {
    project.write(name, data);
    project.workflow(
        "check",
        &format!("steps:\n  check:\n    plugin: csv-check\n    with: {{ file: \"${{trigger.file}}\", {with} }}\n"),
    );
    let view = project.run(&["run", "check", "--file", name, "--json"]).json();
    (view["outputs"]["check"].clone(), view["error"].clone())
}

/// Runs a contract over a file: the good rows, the bad ones, and the report's contract. Both are `None` for what blocks.
pub fn required(project: &Project, name: &str, data: impl AsRef<[u8]>, contract: &str) -> (Option<String>, Value) {
    project.write(name, data);
    project.workflow(
        "load",
        &format!(
            "steps:\n  load:\n    requires: [{{ of: \"${{trigger.file}}\", name: rows, {contract} }}]\n    plugin: echo\n    \
             with: {{ value: \"${{requires.rows}}\" }}\n"
        ),
    );
    let view = project.run(&["run", "load", "--file", name, "--json"]).json();
    let good = &view["outputs"]["load"]["value"];
    let report = step(&view, "load")["report"]["contracts"][0].clone();
    (good.is_object().then(|| text(project, good)), report)
}

const MACHINES: &str = "columns: { machine: { type: string, required: true, pattern: \"^M[0-9]+$\" }, value: { type: number, maximum: 100 } }";

#[test]
fn lines_may_end_as_on_any_machine() {
    let project = Project::new();
    for (end, mark) in [("\r", ""), ("\n", ""), ("\r\n", ""), ("\r", "\u{feff}")] {
        let data = format!("{mark}{}", ["machine,value", "M1,5", "X,600", "\"M2\",7", ""].join(end));
        for on_bad in ["fail", "drop"] {
            let contract = "contract: { columns: { machine: { type: string, required: true }, value: { type: number, max: 100 } } }";
            let (output, error) = checked(&project, "in.csv", &data, &format!("on_bad: {on_bad}, {contract}"));
            if on_bad == "fail" {
                assert_eq!(error["code"], "bad-data", "{end:?}: {output}");
                assert!(error["message"].as_str().unwrap().contains("1 of 3 rows are bad: line 3"), "{error}");
            } else {
                assert_eq!((&output["row_count"], &output["bad_rows"]), (&json!(2), &json!(1)), "{end:?}");
                let rows = "{\"machine\":\"M1\",\"value\":5}\n{\"machine\":\"M2\",\"value\":7}\n";
                assert_eq!(text(&project, &output["rows"]), rows);
            }
        }
        let (output, _) = checked(&project, "in.csv", &data, "contract: { rows: { min: 0 } }");
        assert_eq!(output["row_count"], 3, "{end:?}");
        let (good, report) = required(&project, "in.csv", &data, &format!("severity: error, {MACHINES}"));
        assert_eq!((good, &report["rows"], &report["bad_rows"]), (None, &json!(3), &json!(1)), "{end:?}");
        let (good, report) = required(&project, "in.csv", &data, &format!("severity: quarantine, {MACHINES}"));
        assert_eq!(good.unwrap(), data.replace(&format!("X,600{end}"), ""), "{end:?}");
        let bad = format!("{mark}machine,value{end}X,600{end}");
        assert_eq!(text(&project, &report["quarantine"]), bad, "{end:?}");
        // Lines of JSON end in the same ways.
        let lines = ["{\"machine\":\"M1\"}", "{\"machine\":\"X\"}", ""].join(end);
        let (good, _) = required(&project, "in.jsonl", &lines, &format!("severity: quarantine, {MACHINES}"));
        assert_eq!(good.unwrap(), format!("{{\"machine\":\"M1\"}}{end}"), "{end:?}");
    }
}

#[test]
fn times_are_read_as_databases_write_them() {
    let project = Project::new();
    let contract = "on_bad: drop, contract: { columns: { t: { type: timestamp, required: true } } }";
    let good = [
        "2020-12-31 21:25:58.745232+02",
        "2020-12-31 21:25:58+00",
        "2020-12-31 21:25:58-05",
        "2020-12-31T21:25:58+0200",
        "2020-12-31 21:25:58+05:30",
        "2024-02-27T21:00+01:00",
        "1880-01-01 00:00:00+00:53:28",
        "2024-02-29",
        "2016-12-31T23:59:60Z",
    ];
    let bad = [
        "2024-02-30T00:00:00Z",
        "2023-02-29",
        "2024-02-27T25:00:00Z",
        "1709067600",
        "2024-01-01T10:00:00.0123456789Z",
        "2024-01-01T10:00:00+24",
    ];
    let lines: String = good.iter().chain(&bad).map(|time| format!("{time}\n")).collect();
    let (output, _) = checked(&project, "in.csv", format!("t\n{lines}"), contract);
    assert_eq!((&output["row_count"], &output["bad_rows"]), (&json!(good.len()), &json!(bad.len())), "{output:#}");
    let kept: String = good.iter().map(|time| format!("{{\"t\":\"{time}\"}}\n")).collect();
    assert_eq!(text(&project, &output["rows"]), kept);
}

#[test]
fn times_are_in_order_to_the_nanosecond() {
    let project = Project::new();
    let rising = "contract: { columns: { t: { type: timestamp, required: true, increasing: true, unique: true } } }";
    let digits = ["0", "001", "002", "000005", "000007001", "000007002"];
    for places in [3, 6, 9] {
        let times: Vec<String> = (1..=6).map(|at| format!("2020-11-17T15:21:34.{at:0places$}Z")).collect();
        let rows: String = times.iter().enumerate().map(|(at, time)| format!("{time},{at}\n")).collect();
        for on_bad in ["fail", "drop"] {
            let with = format!("on_bad: {on_bad}, {rising}");
            let (output, error) = checked(&project, "in.csv", format!("t,v\n{rows}"), &with);
            assert_eq!((&output["row_count"], &output["bad_rows"]), (&json!(6), &json!(0)), "{places}: {error}");
        }
        project.workflow(
            "win",
            "steps:\n  check: { plugin: csv-check, with: { file: \"${trigger.file}\", contract: { columns: { t: { type: timestamp }, v: { type: number } } } } }\n  \
             win: { needs: [check], plugin: window-features, with: { rows: \"${steps.check.rows}\", columns: [v], window: 2, time: t, disorder: drop } }\n",
        );
        let view = project.run(&["run", "win", "--file", "in.csv", "--json"]).ok().json();
        let win = &view["outputs"]["win"];
        assert_eq!((&win["windows"], &win["dropped_rows"]), (&json!(3), &json!(0)), "{places}: {win:#}");
        let index = text(&project, &win["index"]);
        assert!(index.contains(&times[0]) && index.contains(&times[5]), "{places}: {index}");
    }
    // What is not after the one before: the same instant, however it is written, and a nanosecond before it.
    let same = ["2024-01-01T00:00:00.000000002Z", "2024-01-01T01:00:00.000000002+01", "2024-01-01T00:00:00.000000001Z"];
    let (output, _) =
        checked(&project, "in.csv", format!("t\n{}\n", same.join("\n")), &format!("on_bad: drop, {rising}"));
    assert_eq!((&output["row_count"], &output["bad_rows"]), (&json!(1), &json!(2)));
    // Of different lengths, in order all the same.
    let mixed: String = digits.iter().map(|digits| format!("2020-11-17T15:21:34.{digits}Z\n")).collect();
    let (output, _) = checked(&project, "in.csv", format!("t\n{mixed}"), &format!("on_bad: drop, {rising}"));
    assert_eq!(output["row_count"], 3, "5 us are not after 2 ms: {output:#}");
}

#[test]
fn whole_numbers_are_kept_to_their_last_digit_or_refused() {
    let project = Project::new();
    let ids = "contract: { columns: { id: { type: integer, unique: true } } }";
    let data = "id\n9007199254740992\n9007199254740993\n18446744073709551615\n-9223372036854775808\n";
    let (output, _) = checked(&project, "in.csv", data, ids);
    let kept: String = data.lines().skip(1).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    assert_eq!(text(&project, &output["rows"]), kept);
    for (name, data) in [
        ("in.csv", "id\n18446744073709551616\n"),
        ("in.csv", "id\n-9223372036854775809\n"),
        ("in.jsonl", "{\"id\":18446744073709551616}\n"),
        ("in.jsonl", "{\"id\":1,\"other\":[18446744073709551616]}\n"),
    ] {
        let (output, error) = checked(&project, name, data, ids);
        assert!(error["message"].as_str().unwrap_or_default().contains("beyond 64 bits"), "{data}: {output} {error}");
        let (good, report) = required(&project, name, data, "columns: { id: { type: integer } }");
        assert!(good.is_none() && report.to_string().contains("beyond 64 bits"), "{data}: {report}");
    }
    // So is a line of which a reader would keep one of two values.
    let data = "{\"id\":1,\"id\":2}\n{\"id\":3,\"more\":{\"a\":1,\"\\u0061\":1}}\n{\"id\":4}\n";
    let (output, _) = checked(&project, "in.jsonl", data, &format!("on_bad: drop, {ids}"));
    assert_eq!((&output["row_count"], &output["bad_rows"]), (&json!(1), &json!(2)), "{output:#}");
    let (good, report) =
        required(&project, "in.jsonl", data, "severity: quarantine, columns: { id: { type: integer } }");
    assert_eq!(good.as_deref(), Some("{\"id\":4}\n"), "{report}");
    assert!(report.to_string().contains("stands twice in one object"), "{report}");
    // A bound is held to its last digit as well.
    let (good, report) = required(
        &project,
        "in.csv",
        "id\n9007199254740992\n9007199254740993\n9007199254740994\n",
        "severity: quarantine, columns: { id: { type: integer, minimum: 9007199254740993, maximum: 9007199254740993 } }",
    );
    assert_eq!(good.as_deref(), Some("id\n9007199254740993\n"), "{report}");
}

#[test]
fn what_stands_for_nothing_is_one_rule() {
    let project = Project::new();
    let data = "land,v\nNA,NA\n,1\nDE, \nnull,nan\n";
    let with = "contract: { columns: { land: { type: string }, v: { type: number } } }";
    let (output, _) = checked(&project, "in.csv", data, with);
    let rows = "{\"land\":\"NA\",\"v\":null}\n{\"land\":null,\"v\":1}\n{\"land\":\"DE\",\"v\":null}\n{\"land\":\"null\",\"v\":null}\n";
    assert_eq!(text(&project, &output["rows"]), rows);
    let contract = "severity: quarantine, columns: { land: { type: string, required: true }, v: { type: number } }";
    let (good, _) = required(&project, "in.csv", data, contract);
    assert_eq!(good.unwrap(), "land,v\nNA,NA\nDE, \nnull,nan\n");
    // Said otherwise, it is so for every column.
    let (output, _) = checked(&project, "in.csv", "land,v\n-,-\nDE,2\n", &format!("nulls: [\"-\"], {with}"));
    assert_eq!(text(&project, &output["rows"]), "{\"land\":null,\"v\":null}\n{\"land\":\"DE\",\"v\":2}\n");
    let (good, _) = required(&project, "in.csv", "land,v\n-,-\nDE,2\n", &format!("nulls: [\"-\"], {contract}"));
    assert_eq!(good.unwrap(), "land,v\nDE,2\n");
    let (good, _) = required(&project, "in.csv", "land,v\nDE,NA\nDE,2\n", &format!("nulls: [\"-\"], {contract}"));
    assert_eq!(good.unwrap(), "land,v\nDE,2\n");
}
