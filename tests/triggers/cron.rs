//! Schedules.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::{Project, wait_until};

fn project(misfire: &str) -> Project {
    let project = Project::new();
    project.workflow(
        "tick",
        &format!(
            "triggers:\n  - cron: {{ schedule: \"* * * * * *\", misfire: {misfire} }}\n\
             steps:\n  look: {{ plugin: echo, with: {{ value: \"${{trigger.logical_time}}\" }} }}\n"
        ),
    );
    project
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A run that a schedule has started.
#[derive(Debug)]
struct Fired {
    /// The time of the schedule that it is for.
    at_ms: i64,
    /// How many earlier times it makes up for.
    missed: u64,
}

/// The runs of a workflow, oldest first.
#[track_caller]
fn fires_of(project: &Project, workflow: &str) -> Vec<Fired> {
    let mut runs = project.runs();
    runs.reverse();
    runs.retain(|run| run["workflow"] == workflow);
    let fired = |run: &Value| {
        let view = project.show(run["run"].as_str().unwrap());
        let trigger = &view["trigger"];
        assert_eq!(trigger["kind"], "cron", "{view:#}");
        Fired { at_ms: trigger["logical_time_ms"].as_i64().unwrap(), missed: trigger["missed"].as_u64().unwrap() }
    };
    runs.iter().map(fired).collect()
}

/// The schedule times of all runs of `tick`, oldest first.
#[track_caller]
fn scheduled(project: &Project) -> Vec<i64> {
    fires_of(project, "tick").iter().map(|fire| fire.at_ms).collect()
}

#[track_caller]
fn wait_ticks(project: &Project, number: usize) {
    wait_until(&format!("{number} ticks"), || (project.runs().len() >= number).then_some(()));
}

/// Waits until the clock shows this time.
fn wait_clock(at_ms: i64) {
    wait_until("the clock goes on", || (now_ms() >= at_ms).then_some(()));
}

#[test]
fn a_schedule_starts_one_run_at_each_of_its_times_and_none_before() {
    let project = project("skip");
    let before = now_ms();
    let _node = project.serve();
    wait_ticks(&project, 3);
    let times = scheduled(&project);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1000), "{times:?}");
    assert!(times.iter().all(|time| time % 1000 == 0 && *time >= before), "{times:?} from {before}");
    for run in project.runs() {
        let view = project.show(run["run"].as_str().unwrap());
        let late = view["started_ms"].as_i64().unwrap() - view["trigger"]["logical_time_ms"].as_i64().unwrap();
        assert!(late >= 0, "a run before its time: {view:#}");
    }
}

#[test]
fn times_that_passed_during_a_short_death_are_made_up_for_each_once() {
    let project = project("skip");
    let node = project.serve();
    wait_ticks(&project, 1);
    node.kill();
    let down = now_ms();
    wait_clock(down + 3_000);
    let _node = project.serve();
    let up = now_ms();
    wait_until("a tick after the start", || scheduled(&project).iter().any(|time| *time > up).then_some(()));
    let times = scheduled(&project);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1000), "a time is missing or double: {times:?}");
}

#[test]
fn after_more_than_a_minute_the_latest_time_is_made_up_for_or_none() {
    let project = project("latest");
    let skipping =
        project.read("workflows/tick.yaml").replace("name: tick", "name: skipping").replace("latest", "skip");
    project.write("workflows/skipping.yaml", skipping);
    let node = project.serve();
    wait_ticks(&project, 2);
    node.kill();
    let down = now_ms();
    wait_clock(down + 63_000);
    let up = now_ms();
    let node = project.serve();
    let runs = |name: &str| fires_of(&project, name);
    wait_until("both tick again", || {
        ["tick", "skipping"].iter().all(|name| runs(name).iter().any(|fire| fire.at_ms > up + 1_000)).then_some(())
    });
    node.kill();
    for (name, made_up_for) in [("tick", 1), ("skipping", 0)] {
        let fires = runs(name);
        // The seconds in which it went down and came up may have had runs of their own.
        let old = fires.iter().filter(|fire| (down + 1_000..=up - 1_000).contains(&fire.at_ms)).count();
        let latest = fires.iter().filter(|fire| fire.missed >= 60).count();
        assert_eq!((old, latest), (0, made_up_for), "{name}: {fires:?}, down from {down} to {up}");
    }
}

#[test]
fn a_schedule_that_is_far_away_starts_nothing_and_check_prints_its_next_times() {
    let project = Project::new();
    project.workflow(
        "yearly",
        "triggers:\n  - cron: { schedule: \"30 2 29 2 *\", timezone: Europe/Paris }\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n",
    );
    let told = project.run(&["check", "--json"]).ok().json();
    let next = told["workflows"][0]["schedules"][0]["next"].as_array().unwrap().clone();
    assert_eq!(next.len(), 3, "{told:#}");
    // Leap days only; half past two in Paris in winter.
    assert!(next.iter().all(|time| time.as_str().unwrap().contains("-02-29T01:30:00")), "{told:#}");
    let node = project.serve();
    let (status, answer) = node.ask("GET", "/v1/status", "");
    let document: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(status, 200, "{answer}");
    assert!(document["next_deadline_ms"].as_i64().unwrap() > now_ms() + Duration::from_secs(3600).as_millis() as i64);
    assert!(project.runs().is_empty());
}
