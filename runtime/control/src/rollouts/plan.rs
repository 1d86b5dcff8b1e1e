//! Before a rollout begins: with this traffic, these gates and this effect, how long it takes, and how surely it is decided.
//!
//! The very tests of the gates run on made-up traffic, from a seed: the same question has the same answer.

use serde::{Deserialize, Serialize};
use trackside_spec::{Gate, RolloutMode, RolloutPlan};
use trackside_stats::{
    Level, StatsError,
    multiplicity::spend,
    sequential::{
        ErrorGate, Margin, MeanGate, PairedGate,
        plan::{self, Plan, Trial},
    },
};

use super::{
    RolloutsError,
    start::{check, plan_error},
};

/// How often each question is tried.
const RUNS: u32 = 400;
/// Observations that a trial looks ahead at most: what two cores do in some seconds.
const MOST: u64 = 50_000;
/// From where chance counts.
const SEED: u64 = 20_261_201;

/// A rollout that is thought about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRollout {
    /// How it would go.
    #[serde(default)]
    pub plan: RolloutPlan,
    /// Requests an hour.
    pub requests_per_hour: f64,
    /// Labels an hour; for gates of accuracy.
    #[serde(default)]
    pub labels_per_hour: f64,
    /// The share of requests that fail in service.
    #[serde(default = "usual")]
    pub errors: f64,
    /// The accuracy in service.
    #[serde(default = "usual_accuracy")]
    pub accuracy: f64,
}

const fn usual() -> f64 {
    0.01
}

const fn usual_accuracy() -> f64 {
    0.9
}

/// What is to be expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutPlanned {
    /// The plan, with what stands for keys that were not given.
    pub plan: RolloutPlan,
    /// Each gate.
    pub gates: Vec<GatePlan>,
    /// The least time that bake times and evidence take, hours.
    pub least_hours: f64,
    /// What follows, in sentences.
    pub says: Vec<String>,
}

/// What is to be expected of a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GatePlan {
    /// The gate.
    pub gate: String,
    /// What is counted.
    pub unit: String,
    /// With 95 % certainty, at least this share of rollouts of a candidate that is as good passes within the time of the plan.
    pub passes: f64,
    /// And after so many hours half of them have; nine in ten.
    pub hours: (Option<f64>, Option<f64>),
    /// What a candidate does that is called worse here.
    pub worse: String,
    /// With 95 % certainty, at least this share of rollouts of one that is worse is taken back.
    pub taken_back: f64,
    /// And after so many hours half of them are; nine in ten.
    pub back_hours: (Option<f64>, Option<f64>),
    /// What can not be said, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Tries a rollout on made-up traffic.
///
/// # Errors
/// A plan or a traffic that is none.
pub fn plan_rollout(asked: &PlanRollout) -> Result<RolloutPlanned, RolloutsError> {
    let plan = asked.plan.clone().filled();
    check(&plan)?;
    let refuse = |text: &str| Err(RolloutsError::Trial(text.to_owned()));
    if !(asked.requests_per_hour.is_finite() && asked.requests_per_hour > 0.0 && asked.requests_per_hour <= 1e9) {
        return refuse("there is no traffic: give the requests an hour, above 0");
    }
    if !(asked.labels_per_hour.is_finite() && (0.0..=1e9).contains(&asked.labels_per_hour)) {
        return refuse("the labels an hour are no such number");
    }
    if !(0.0..=0.9).contains(&asked.errors) || !(0.01..1.0).contains(&asked.accuracy) {
        return refuse(
            "errors and accuracy are shares: up to 90 % of requests may fail, and some answers must be right",
        );
    }
    let error = Level::new(plan.error / 100.0).map_err(stats)?;
    let alphas = spend(error, &vec![1.0; plan.gates.len()]).map_err(stats)?;
    let mut gates = Vec::new();
    for (gate, alpha) in plan.gates.iter().zip(alphas) {
        gates.push(Question { asked, plan: &plan, alpha, beta: error }.answer(*gate).map_err(stats)?);
    }
    let least_hours = least_hours(asked, &plan);
    let says = says(&plan, &gates, least_hours);
    Ok(RolloutPlanned { plan, gates, least_hours, says })
}

fn stats(error: StatsError) -> RolloutsError {
    match error {
        StatsError::TooMany { .. } => RolloutsError::Trial(error.to_string()),
        error => plan_error("gates", &error.to_string()),
    }
}

struct Question<'a> {
    asked: &'a PlanRollout,
    plan: &'a RolloutPlan,
    alpha: Level,
    beta: Level,
}

impl Question<'_> {
    /// The candidate's share of the requests in the last step, where most of the evidence comes.
    fn share(&self) -> f64 {
        let last = self.plan.shares.last().copied().unwrap_or(50.0) / 100.0;
        last.clamp(0.001, 0.95)
    }

    fn trial(&self, per_hour: f64) -> Trial {
        let hours = self.plan.ask_after.to_std().as_secs_f64() / 3600.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held between 1 and 50000")]
        let horizon = (per_hour * hours).clamp(1.0, MOST as f64) as u64;
        Trial { horizon, runs: RUNS, seed: SEED }
    }

    fn answer(&self, gate: Gate) -> Result<GatePlan, StatsError> {
        let (alpha, beta, share, asked) = (self.alpha, self.beta, self.share(), self.asked);
        let (requests, labels) = (asked.requests_per_hour, asked.labels_per_hour);
        let arms = |margin: Margin| ErrorGate { alpha, beta, tolerated: Margin::NONE, margin, expected: 0.02 };
        let pairs = |margin: f64| PairedGate { alpha, beta, tolerated: 0.0, margin };
        let is_shadow = self.plan.mode == RolloutMode::Shadow;
        let at_most = |rate: f64| rate.clamp(0.0, 0.95);
        Ok(match gate {
            Gate::Errors { ratio, extra } => {
                let worse = at_most(asked.errors * ratio + extra);
                let words = format!("{} of requests fail", percent(worse));
                if is_shadow {
                    let margin = (extra + (ratio - 1.0) * 0.02).max(0.001);
                    let trial = self.trial(requests * share);
                    let good = plan::paired(pairs(margin), (0.0, 0.0), trial)?;
                    let bad = plan::paired(pairs(margin), (margin, 0.0), trial)?;
                    gate_plan(gate, "pairs", words, requests * share, &good, &bad)
                } else {
                    let (trial, gate_) = (self.trial(requests), arms(Margin { ratio, extra }));
                    let good = plan::errors(gate_, share, (asked.errors, asked.errors), trial)?;
                    let bad = plan::errors(gate_, share, (asked.errors, worse), trial)?;
                    gate_plan(gate, "requests", words, requests, &good, &bad)
                }
            }
            Gate::Accuracy { margin } if is_shadow => {
                let words = format!("{} more answers are wrong", percent(margin));
                let (trial, only) = (self.trial(labels), (1.0 - asked.accuracy) / 4.0);
                let good = plan::paired(pairs(margin), (only, only), trial)?;
                let bad = plan::paired(pairs(margin), (at_most(only + margin), only), trial)?;
                labelled(gate_plan(gate, "labels", words, labels, &good, &bad), labels)
            }
            Gate::Accuracy { margin } => {
                let words = format!("{} more answers are wrong", percent(margin));
                let (trial, gate_) = (self.trial(labels), arms(Margin { ratio: 1.0, extra: margin }));
                let wrong = 1.0 - asked.accuracy;
                let good = plan::errors(gate_, share, (wrong, wrong), trial)?;
                let bad = plan::errors(gate_, share, (wrong, at_most(wrong + margin)), trial)?;
                labelled(gate_plan(gate, "labels", words, labels, &good, &bad), labels)
            }
            Gate::AccuracyLeast { least } => {
                let (trial, test) = (self.trial(labels * share), MeanGate::new(least, 0.0, alpha, beta)?);
                let words = format!("{} of answers are right", percent(least - 0.05));
                let good = plan::rate(&test, asked.accuracy, trial)?;
                let bad = plan::rate(&test, (least - 0.05).max(0.0), trial)?;
                labelled(gate_plan(gate, "labels", words, labels * share, &good, &bad), labels)
            }
            Gate::Agreement { least } => {
                let (trial, test) = (self.trial(requests * share), MeanGate::new(least, 0.0, alpha, beta)?);
                let good = plan::rate(&test, f64::midpoint(least, 1.0), trial)?;
                let bad = plan::rate(&test, (least - 0.05).max(0.0), trial)?;
                let words = format!(
                    "{} of answers agree; as good: {}",
                    percent(least - 0.05),
                    percent(f64::midpoint(least, 1.0))
                );
                gate_plan(gate, "pairs", words, requests * share, &good, &bad)
            }
            Gate::Latency { quantile, .. } => {
                // What a quantile takes to be known at all, in the smaller arm.
                let need = (if quantile > 0.5 { 5.8 / (1.0 - quantile) } else { 9.0 }).ceil()
                    / share.min(1.0 - share).max(0.001);
                let note = format!(
                    "the {} quantile is known after about {need:.0} requests ({:.1} hours); how long a verdict takes hangs on how the \
                     times are spread, which is seen when they are",
                    percent(quantile),
                    need / requests
                );
                unplanned(gate, "requests", note)
            }
            Gate::Scores { .. } => {
                let need = 200.0 / share.min(1.0 - share).max(0.001);
                let note = format!(
                    "it is looked at first after about {need:.0} requests ({:.1} hours), then at twice as many, and so on",
                    need / requests
                );
                unplanned(gate, "requests", note)
            }
        })
    }
}

fn gate_plan(gate: Gate, unit: &str, worse: String, per_hour: f64, good: &Plan, bad: &Plan) -> GatePlan {
    #[expect(clippy::cast_precision_loss, reason = "at most 50000")]
    let hours = |after: Option<u64>| after.map(|after| after as f64 / per_hour);
    GatePlan {
        gate: gate.to_string(),
        unit: unit.to_owned(),
        passes: good.pass_at_least,
        hours: (hours(good.median), hours(good.ninety)),
        worse,
        taken_back: bad.fail_at_least,
        back_hours: (hours(bad.median), hours(bad.ninety)),
        note: None,
    }
}

fn labelled(plan: GatePlan, labels: f64) -> GatePlan {
    let note = (labels <= 0.0).then(|| "no labels are expected: it is never decided, and a person is asked".to_owned());
    GatePlan { note, ..plan }
}

fn unplanned(gate: Gate, unit: &str, note: String) -> GatePlan {
    GatePlan {
        gate: gate.to_string(),
        unit: unit.to_owned(),
        passes: 0.0,
        hours: (None, None),
        worse: String::new(),
        taken_back: 0.0,
        back_hours: (None, None),
        note: Some(note),
    }
}

/// What bake times and the evidence of each step take at least.
fn least_hours(asked: &PlanRollout, plan: &RolloutPlan) -> f64 {
    let bake = plan.bake.to_std().as_secs_f64() / 3600.0;
    let first = (plan.mode == RolloutMode::BlueGreen).then_some(100.0);
    let steps = first.into_iter().chain(plan.shares.iter().copied());
    steps.map(|share| (f64::from(plan.evidence) / (asked.requests_per_hour * share / 100.0)).max(bake)).sum()
}

fn says(plan: &RolloutPlan, gates: &[GatePlan], least: f64) -> Vec<String> {
    let hours = plan.ask_after.to_std().as_secs_f64() / 3600.0;
    let mut says = vec![format!("the steps alone take {}", time(least))];
    if least > hours {
        says.push(format!("that is longer than `ask_after` ({}): a person would be asked first", plan.ask_after));
    }
    for gate in gates.iter().filter(|gate| gate.note.is_none()) {
        if gate.passes < 0.8 {
            says.push(format!(
                "{}: at least {} of good candidates pass within {}; a wider margin or more traffic helps",
                gate.gate,
                percent(gate.passes),
                plan.ask_after
            ));
        }
        if gate.taken_back < 0.8 {
            says.push(format!(
                "{}: at least {} of candidates of which {} are taken back within {}; others wait for a person",
                gate.gate,
                percent(gate.taken_back),
                gate.worse,
                plan.ask_after
            ));
        }
    }
    says
}

/// Hours as one says them.
#[must_use]
pub(super) fn time(hours: f64) -> String {
    match hours {
        h if h < 1.0 => format!("about {:.0} minutes", (h * 60.0).ceil()),
        h if h < 48.0 => format!("about {h:.1} hours"),
        h => format!("about {:.0} days", (h / 24.0).ceil()),
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}
