//! Schedules that stand still because the clock is obviously wrong: in words.

use std::{fmt, time::Duration};

use trackside_triggers::cron::TimeGate;

use trackside_facts::rfc3339;

/// Why no schedule is looked at now.
pub(crate) struct ClockWait {
    /// What the clock shows.
    pub(crate) now_ms: i64,
    /// What it would have to show.
    pub(crate) gate: TimeGate,
    /// After how long it is taken as it is.
    pub(crate) left: Duration,
}

impl fmt::Display for ClockWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, floor) = (rfc3339(self.now_ms), rfc3339(self.gate.floor_ms()));
        // A box that has been up for minutes knows its time by then, or never will.
        let minutes = self.left.as_secs().div_ceil(60).max(1);
        write!(
            f,
            "the clock shows {now} and cannot be right (it is before {floor}): schedules stand still until it is set, for {} \
             more at most; set it, or see why the time is not synchronised (`timedatectl`)",
            if minutes == 1 { "a minute".to_owned() } else { format!("{minutes} minutes") }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_the_clock_shows_and_how_long_it_is_waited_for() {
        let gate = TimeGate::new(None);
        let text = ClockWait { now_ms: 1_546_300_800_000, gate, left: Duration::from_secs(590) }.to_string();
        assert!(text.starts_with("the clock shows 2019-01-01T00:00:00Z and cannot be right"), "{text}");
        assert!(text.contains("schedules stand still") && text.contains("10 minutes more"), "{text}");
    }
}
