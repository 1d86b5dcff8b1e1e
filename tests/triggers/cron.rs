//! Schedules.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

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

/// The schedule times of all runs, oldest run first.
#[track_caller]
fn scheduled(project: &Project) -> Vec<i64> {
    let mut runs = project.runs();
    runs.reverse();
    let time = |run: &Value| {
        let view = project.show(run["run"].as_str().unwrap());
        assert_eq!(view["trigger"]["kind"], "cron", "{view:#}");
        view["trigger"]["logical_time_ms"].as_i64().unwrap()
    };
    runs.iter().map(time).collect()
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
fn times_that_passed_while_the_node_was_killed_are_one_run_or_none_and_never_twice() {
    for (misfire, made_up_for) in [("latest", 1), ("skip", 0)] {
        let project = project(misfire);
        let node = project.serve();
        wait_ticks(&project, 1);
        node.kill();
        let down = now_ms();
        wait_clock(down + 3_500);
        let up = now_ms();
        let node = project.serve();
        wait_until("a tick after the start", || scheduled(&project).iter().any(|time| *time > up).then_some(()));
        node.kill();
        let times = scheduled(&project);
        assert_eq!(times.len(), times.iter().collect::<BTreeSet<_>>().len(), "a time twice: {times:?}");
        // The second in which it was killed may have had its run already.
        let missed = times.iter().filter(|time| (down + 1_000..up - 1_000).contains(*time)).count();
        assert_eq!(missed, 0, "{misfire}: an old time was run, not the latest: {times:?}, down from {down} to {up}");
        let latest = times.iter().filter(|time| (up - 1_000..=up).contains(*time)).count();
        assert_eq!(latest, made_up_for, "{misfire}: {times:?}, down from {down} to {up}");
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
