//! Workflows of more than one step: a long chain, with and without effects, and one step for many items.

use std::{fmt::Write as _, time::Duration};

use super::{
    Figure,
    figures::{BenchError, figure},
    runs::Bench,
};

/// Steps of a chain.
const CHAIN: usize = 40;

/// Steps that may call a server are steps with effects: everything before one is flushed before it begins. The plugin does
/// not call.
const EFFECTS: &str = ", allow: { http: [\"https://bench.invalid\"] }";

/// The workflows, by the names of their files.
pub fn workflows() -> [(&'static str, String); 3] {
    [
        ("long.yaml", chain("long", "")),
        ("careful.yaml", chain("careful", EFFECTS)),
        ("fan.yaml", include_str!("fan.yaml").to_owned()),
    ]
}

fn chain(name: &str, more: &str) -> String {
    let mut text = format!("version: 1\nname: {name}\nsteps:\n  s1: {{ plugin: echo, with: {{ value: 1 }}{more} }}\n");
    for step in 2..=CHAIN {
        let before = step - 1;
        let value = format!("${{steps.s{before}.value}}");
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "  s{step}: {{ plugin: echo, needs: [s{before}], with: {{ value: \"{value}\" }}{more} }}");
    }
    text
}

/// Each alone, one run after the other.
pub async fn measure(bench: &Bench, time: Duration) -> Result<Vec<Figure>, BenchError> {
    let (pure, pure_commits) = bench.shape("long", time / 3).await?;
    let (careful, careful_commits) = bench.shape("careful", time / 3).await?;
    let (fan, _) = bench.shape("fan", time / 3).await?;
    Ok(vec![
        figure("chain40_ms_p50", "chain of 40 pure steps, asked for to end on disk, median", "ms", pure),
        figure("fsyncs_per_chain40", "commits (one flush each) for such a chain", "", pure_commits),
        figure("chain40_effects_ms_p50", "chain of 40 steps with effects, median", "ms", careful),
        figure("fsyncs_per_chain40_effects", "commits (one flush each) for such a chain", "", careful_commits),
        figure("fan_1_10_1_ms_p50", "one step, ten items at a time, one step, median", "ms", fan),
    ])
}
