//! A start with a long past and many runs under way.

use crate::{journal::times, past, support::Project};

#[test]
fn a_hundred_runs_go_on_from_their_last_finished_step_beside_ten_thousand_that_are_over() {
    let project = Project::new();
    project.write("workflows/chain.yaml", past::CHAIN);
    let begun = past::fill(&project.path(".trackside"), 10_000, 100);
    let node = project.serve();
    let runs = project.wait_runs(10_100);
    assert!(runs.iter().all(|run| run["state"] == "succeeded"));
    for (run, done) in begun {
        let events = node.events(&run.to_string());
        for number in 0..past::STEPS {
            let step = format!("s{number}");
            // What had ended is not touched, what was under way is made again, the rest is made.
            let (starts, lost) = if number == done { (2, 1) } else { (1, 0) };
            let found =
                ["step-started", "step-interrupted", "step-succeeded"].map(|event| times(&events, &step, event));
            assert_eq!(found, [starts, lost, 1], "{step} of a run with {done} finished steps: {events:#?}");
        }
    }
}
