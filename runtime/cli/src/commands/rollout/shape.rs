//! How a rollout is to go, on the command line.

use clap::Args;
use trackside_spec::{Duration, Gate, Promotion, RolloutMode, RolloutPlan, SubjectKey};

/// Options of `start` and `plan`.
#[derive(Debug, Args)]
pub struct Shape {
    /// How the candidate gets its evidence: shadow, canary, ab or blue-green
    #[arg(long, value_name = "MODE", default_value = "canary", value_parser = str::parse::<RolloutMode>)]
    pub mode: RolloutMode,
    /// What must hold; may be given several times: errors=+4%, errors=x1.5, p95=x1.2, agreement=95%, accuracy=-3%, accuracy=90%, scores=0.1
    ///
    /// Without any: errors=+2% and p95=x1.5; of a shadow errors=+2% and agreement=95%.
    #[arg(long = "gate", value_name = "GATE", value_parser = str::parse::<Gate>)]
    pub gates: Vec<Gate>,
    /// The candidate's share in percent, step by step
    #[arg(long = "share", value_name = "PERCENT,…", value_delimiter = ',')]
    pub shares: Vec<f64>,
    /// The fewest requests that the candidate must have answered in a step
    #[arg(long, value_name = "REQUESTS", default_value_t = 100)]
    pub evidence: u32,
    /// The shortest time of a step
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = str::parse::<Duration>)]
    pub bake: Duration,
    /// After this time without a verdict a person is asked
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = str::parse::<Duration>)]
    pub ask_after: Duration,
    /// How long the same content is not tried again after it was taken back
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = str::parse::<Duration>)]
    pub cool_down: Duration,
    /// Whose requests stay with one version: header:NAME, parameter:NAME or trigger:FIELD
    #[arg(long, value_name = "WHERE", value_parser = str::parse::<SubjectKey>)]
    pub subject: Option<SubjectKey>,
    /// Ask a person before the candidate takes over
    #[arg(long)]
    pub ask: bool,
    /// The output that is compared; the first without it
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,
    /// How far two numbers may lie apart and be the same answer, in percent of the larger
    #[arg(long, value_name = "PERCENT")]
    pub tolerance: Option<f64>,
    /// How often a rollout may be wrong, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    pub error: f64,
}

impl Shape {
    /// As a plan.
    pub fn plan(&self) -> RolloutPlan {
        RolloutPlan {
            mode: self.mode,
            gates: self.gates.clone(),
            shares: self.shares.clone(),
            evidence: self.evidence,
            bake: self.bake,
            ask_after: self.ask_after,
            cool_down: self.cool_down,
            subject: self.subject.clone(),
            promote: if self.ask { Promotion::Ask } else { Promotion::Auto },
            output: self.output.clone(),
            tolerance: self.tolerance,
            error: self.error,
        }
    }
}
