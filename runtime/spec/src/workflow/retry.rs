//! `retry:` as it is written, and its checks.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{checker::Checker, steps::Site, words};
use crate::{
    plan::{Jitter, Retry},
    units::Duration,
};

const MAX_RETRIES: u32 = 100;
const LARGEST_FACTOR: f64 = 100.0;
/// Most codes of one list.
const MAX_CODES: usize = 64;

/// What to do when a step fails with an error that may pass.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `times`")]
#[schemars(rename = "Retry")]
pub(crate) struct RetryFile {
    /// Retries after the first attempt, at most 100.
    #[schemars(range(max = 100))]
    pub(crate) times: u32,
    /// The wait before the first retry.
    #[serde(default = "default_wait")]
    pub(crate) wait: Duration,
    /// The wait grows by this factor with every retry.
    #[serde(default = "default_factor")]
    #[schemars(range(min = 1, max = 100))]
    pub(crate) factor: f64,
    /// No wait is longer, unless the failed attempt asked for a longer one (as an HTTP server does with Retry-After);
    /// such a wish is kept up to a day.
    #[serde(default = "default_max_wait")]
    pub(crate) max: Duration,
    /// How chance enters: evenly between nothing and the computed wait (`full`), or not at all (`none`).
    #[serde(default)]
    pub(crate) jitter: Jitter,
    /// Error codes that are never retried.
    #[serde(default)]
    pub(crate) never: Vec<String>,
    /// The only error codes that are retried. A code that stands here is retried even when the error says that it will
    /// not pass: that is how a step with `workflow` is made again after `child-failed`.
    #[serde(default)]
    pub(crate) only: Vec<String>,
    /// No retry starts later than this after the first attempt's start.
    pub(crate) give_up_after: Option<Duration>,
}

fn default_wait() -> Duration {
    Retry::default().wait
}

fn default_factor() -> f64 {
    Retry::default().factor
}

fn default_max_wait() -> Duration {
    Retry::default().max
}

pub(super) fn check(file: RetryFile, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Retry {
    let path = |key: &'static str| [site.path[0], site.path[1], "retry", key];
    if file.times > MAX_RETRIES {
        checker.at("TS-0103", &path("times"), format!("at most {MAX_RETRIES} retries"), None);
    }
    if !(1.0..=LARGEST_FACTOR).contains(&file.factor) {
        checker.at("TS-0103", &path("factor"), format!("the factor is between 1 and {LARGEST_FACTOR}"), None);
    }
    if file.max < file.wait {
        let message = format!("the longest wait ({}) is shorter than the first ({})", file.max, file.wait);
        let written = if checker.root.at(path("max")).is_some() { "max" } else { "wait" };
        checker.at("TS-0103", &path(written), message, None);
    }
    for (key, codes) in [("never", &file.never), ("only", &file.only)] {
        if codes.len() > MAX_CODES {
            let message = format!("{} codes; the limit is {MAX_CODES}", codes.len());
            checker.at_key("TS-0108", &path(key), message, None);
        }
        for (index, code) in codes.iter().enumerate().filter(|(_, code)| !words::is_slug(code)) {
            let path = [site.path[0], site.path[1], "retry", key, &index.to_string()];
            let message = format!("`{}` is no error code: lower-case letters, digits and `-`", code.escape_debug());
            checker.at("TS-0103", &path, message, None);
        }
    }
    if !file.only.is_empty() && !file.never.is_empty() {
        let help = Some("keep one of the two lists".to_owned());
        checker.at_key("TS-0103", &path("never"), "what `only` does not name is never retried anyway", help);
    }
    if file.give_up_after.is_some_and(|limit| limit.as_millis() == 0) {
        let help = Some("write times: 0 for no retry".to_owned());
        checker.at("TS-0103", &path("give_up_after"), "nothing would ever be retried", help);
    }
    Retry {
        times: file.times,
        wait: file.wait,
        factor: file.factor,
        max: file.max,
        jitter: file.jitter,
        never: file.never,
        only: file.only,
        give_up_after: file.give_up_after,
    }
}
