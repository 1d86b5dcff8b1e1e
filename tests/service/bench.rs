//! What a box can do, measured by its own command.

use std::{collections::BTreeSet, fs, time::Duration};

use serde_json::Value;

use crate::support::{Project, command, repository};

/// Each part takes its time even when little is asked for, on a busy machine more.
const LONGEST: Duration = Duration::from_secs(180);
/// What may be nothing at all: the aim is nothing.
const AT_REST: [&str; 2] = ["idle_write_bytes_per_s", "idle_wakeups_per_s"];

/// The keys that the page for operators explains.
fn explained() -> BTreeSet<String> {
    let page = fs::read_to_string(repository::root().join("docs/performance.md")).unwrap();
    let (_, part) = page.split_once("\n## `trackside bench`\n").unwrap();
    let (part, _) = part.split_once("\n## ").unwrap();
    let first_cells = part.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    first_cells
        .flat_map(|cell| cell.split([',', '`', ' ']).filter(|word| !word.is_empty()))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_bench_gives_every_figure_that_its_page_explains_and_no_other() {
    let project = Project::new();
    let mut bench = command::binary();
    bench.args(["--json", "bench", "--seconds", "5", "--dir"]).arg(project.root());
    let ran = command::run(bench, LONGEST).ok();
    let Value::Object(figures) = ran.json() else { panic!("{ran}") };
    let given: BTreeSet<String> = figures.keys().cloned().collect();
    assert_eq!(given, explained(), "what is given, and what docs/performance.md explains");
    for key in ["runs_per_s_64_http", "hook_runs_per_s_64", "cpu_s_per_1000_at_200", "rss_after_load_mib"] {
        assert!(given.contains(key), "{key} is gone");
    }
    for (key, value) in figures {
        let value = value.as_f64().unwrap_or_else(|| panic!("{key} is {value}"));
        assert!(value > 0.0 || AT_REST.contains(&key.as_str()) && value == 0.0, "{key} is {value}");
    }
    let left: Vec<String> = project.names("").into_iter().filter(|name| name.starts_with(".trackside-bench")).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}
