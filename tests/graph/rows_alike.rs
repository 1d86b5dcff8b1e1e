//! `csv-check` and `requires` hold rows against the same rules: generated contracts and files, as wild as files are, and
//! the verdict on each row and on each file must be the same for both.
//!
//! `TRACKSIDE_CASES=2000` looks at so many files instead of the 40 of every build, `TRACKSIDE_SEED=7` at one of them again.

use crate::{
    rows::{checked, required},
    support::Project,
};

/// Rows of a file.
const ROWS: usize = 75;

/// Numbers that look like chance and are the same every time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

/// Fields as they are in files of other people.
const FIELDS: [&str; 46] = [
    "",
    " ",
    "0",
    "1",
    "1",
    "2",
    "-1",
    "+3",
    " 4 ",
    "5.0",
    ".5",
    "5.",
    "007",
    "1e3",
    "1E+2",
    "1e999",
    "1,5",
    "1_000",
    "0x1",
    "NaN",
    "nan",
    "NA",
    "N/A",
    "null",
    "NULL",
    "inf",
    "-Infinity",
    "true",
    "TRUE",
    " false",
    "yes",
    "on",
    "a",
    "Ä",
    "-0",
    "1.0",
    "9007199254740993",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "\t1",
    "1 ",
    "\u{a0}1",
    "１",
    "100000000000000000000",
];

/// Values of JSON.
const VALUES: [&str; 26] = [
    "null",
    "1",
    "1",
    "2",
    "1.0",
    "-0",
    "5.5",
    "1e3",
    "\"\"",
    "\"1\"",
    "\"NA\"",
    "\"a\"",
    "true",
    "false",
    "\"true\"",
    "[1]",
    "{\"a\":1}",
    "9007199254740993",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "100000000000000000000",
    "-9223372036854775809",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "01",
];

/// A field in CSV: with quotes where it needs them or by chance; now and then broken.
fn field(chance: &mut Chance) -> Vec<u8> {
    let text = chance.of(&FIELDS);
    match chance.below(60) {
        0 => b"a\"b".to_vec(),
        1 => b"\"a\"b".to_vec(),
        2 => b"1\0".to_vec(),
        3 => b"\xff".to_vec(),
        4 => b"\"1\"".to_vec(),
        5 => b"\"a\"\"b\"".to_vec(),
        6 => b"\"a\nb\rc\"".to_vec(),
        _ if text.contains(',') => format!("\"{text}\"").into_bytes(),
        _ => text.as_bytes().to_vec(),
    }
}

/// The rows of a CSV file with the columns `n`, `a`, `b`; `n` is what a row is known by.
fn csv(chance: &mut Chance) -> Vec<u8> {
    let end: &[u8] = [&b"\n"[..], b"\r\n", b"\r"][chance.below(3)];
    let header = match chance.below(20) {
        0 => "n,a,a",
        1 => "n,a",
        2 => "n, a ,b,c",
        3 => "\u{feff}b,n,a",
        _ => "n,a,b",
    };
    let columns = header.split(',').count();
    let first = if header.starts_with('\u{feff}') { 1 } else { 0 };
    let mut data = header.as_bytes().to_vec();
    for row in 0..ROWS {
        data.extend_from_slice(end);
        if chance.once_in(20) {
            data.extend_from_slice(end);
        }
        let wanted = if chance.once_in(25) { columns + 1 - 2 * chance.below(2) } else { columns };
        for column in 0..wanted {
            if column > 0 {
                data.push(b',');
            }
            let known = format!("#{row};").into_bytes();
            data.extend_from_slice(&if column == first { known } else { field(chance) });
        }
    }
    match chance.below(12) {
        0 => data.extend_from_slice(b"\n#999;,\"open,1\n"),
        1 => {}
        _ => data.extend_from_slice(end),
    }
    data
}

/// The same as JSON lines.
fn lines(chance: &mut Chance) -> Vec<u8> {
    let end: &[u8] = [&b"\n"[..], b"\r\n", b"\r"][chance.below(3)];
    let mut data = Vec::new();
    for row in 0..ROWS {
        let line = match chance.below(30) {
            0 => chance.of(&["[1]", "{", "7", "", "{\"n\":\"#1;\"} 1", "nonsense"]).to_owned(),
            1 => format!("{{\"n\":\"#{row};\",\"c\":{}}}", chance.of(&VALUES)),
            2 => format!("{{\"n\":\"#{row};\",\"a\":1,\"a\":{}}}", chance.of(&VALUES)),
            _ => format!("{{\"n\":\"#{row};\",\"a\":{},\"b\":{}}}", chance.of(&VALUES), chance.of(&VALUES)),
        };
        data.extend_from_slice(line.as_bytes());
        data.extend_from_slice(end);
    }
    data
}

/// The rules of one column, as `csv-check` and as `requires` writes them.
fn column(chance: &mut Chance) -> (String, String) {
    let kind = chance.of(&["number", "integer", "string", "boolean"]);
    let (mut check, mut require) = (format!("type: {kind}"), format!("type: {kind}"));
    let mut both = |rule: &str| {
        check.push_str(rule);
        require.push_str(rule);
    };
    if chance.once_in(3) {
        both(", required: true");
    }
    if chance.once_in(4) {
        both(", unique: true");
    }
    if chance.once_in(4) {
        both(chance.of(&[", max_null_fraction: 0", ", max_null_fraction: 0.3", ", max_null_fraction: 1"]));
    }
    if chance.once_in(4) {
        both(match kind {
            "number" => ", enum: [1, 0.5, 7, 9007199254740993]",
            "integer" => ", enum: [1, 2, 7, 9007199254740993]",
            "string" => ", enum: [\"1\", \"a\", \"NA\", \"\"]",
            _ => ", enum: [true]",
        });
    }
    if matches!(kind, "number" | "integer") && chance.once_in(3) {
        check.push_str(", min: 0, max: 9007199254740992");
        require.push_str(", minimum: 0, maximum: 9007199254740992");
    }
    (check, require)
}

/// The numbers of the rows in a text.
fn known(text: &str) -> Vec<&str> {
    text.split('#').skip(1).filter_map(|rest| rest.split_once(';')).map(|(number, _)| number).collect()
}

#[test]
fn both_checks_have_one_verdict_on_every_row() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("TRACKSIDE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRACKSIDE_CASES").unwrap_or(40),
    };
    let project = Project::new();
    let (mut rows, mut good_rows, mut refused, files) = (0, 0, 0, seeds.end - seeds.start);
    for seed in seeds {
        let mut chance = Chance(seed);
        let (name, data) =
            if chance.once_in(3) { ("in.jsonl", lines(&mut chance)) } else { ("in.csv", csv(&mut chance)) };
        let nulls = chance.of(&["", "", "nulls: [\"\", \"-1\", a], ", "nulls: [], "]);
        let ((check_a, require_a), (check_b, require_b)) = (column(&mut chance), column(&mut chance));
        let contract = format!(
            "columns: {{ n: {{ type: string }}, a: {{ {check_a} }}, b: {{ {check_b} }} }}, extra_columns: drop"
        );
        let with = format!("{nulls}on_bad: drop, contract: {{ {contract} }}");
        let contract = format!(
            "{nulls}severity: quarantine, columns: {{ n: {{ type: string }}, a: {{ {require_a} }}, b: {{ {require_b} }} }}"
        );
        let (output, error) = checked(&project, name, &data, &with);
        let (required, report) = required(&project, name, &data, &contract);
        let about = || {
            format!(
                "TRACKSIDE_SEED={seed}: {contract}\ncsv-check: {error}\nrequires: {report:#}\n{}",
                String::from_utf8_lossy(&data)
            )
        };
        let checked = output["rows"].is_object().then(|| crate::rows::text(&project, &output["rows"]));
        match (&checked, &required) {
            (Some(checked), Some(required)) => {
                assert_eq!(known(checked), known(required), "{}", about());
                rows += ROWS;
                good_rows += known(checked).len();
            }
            (None, None) => refused += 1,
            _ => panic!("one takes the file, the other does not: {}", about()),
        }
    }
    // That it has seen something: good rows, bad ones, files that are bad as a whole.
    assert!(files < 40 || (good_rows > 100 && rows > 2 * good_rows && refused > 0), "{rows} {good_rows} {refused}");
}
