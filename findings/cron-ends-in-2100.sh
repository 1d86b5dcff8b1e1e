#!/usr/bin/env bash
# cron 0.17.0: a schedule without a year field has no time after the year 2100. The iterator ends as if the schedule were over,
# without a word, and its documentation names no last year. Because 2100 is no leap year, the 29 February ends already in
# 2096: asked from March 2096 on, `0 0 0 29 2 *` has no next time at all, where croner 4.0.3 gives 2104-02-29. Whoever computes
# "the next time" and takes None for "never" drops the schedule, and a search that jumps far ahead (to prove that two schedules
# never meet, say) gives a wrong answer.
#
# Seen:
#   cron, 29 February after March 2096: None
#   croner, the same: Some(2104-02-29T00:00:00Z)
#   cron, daily after 30 December 2100: Some(2100-12-31T00:00:00Z)
#   cron, daily after 31 December 2100: None
#
# Needs cargo. Exits 0 while it is so.
set -euo pipefail
unset CARGO_TARGET_DIR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'END'
[package]
name = "finding"
version = "0.1.0"
edition = "2024"

[dependencies]
chrono = { version = "=0.4.45", default-features = false, features = ["std", "clock"] }
cron = "=0.17.0"
croner = "=4.0.3"
END
cat >src/main.rs <<'END'
use std::str::FromStr;

use chrono::{DateTime, TimeZone, Utc};

fn next(schedule: &str, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    cron::Schedule::from_str(schedule).unwrap().after(&after).next()
}

fn main() {
    let day = |year, month, day| Utc.with_ymd_and_hms(year, month, day, 0, 0, 0).unwrap();
    println!("cron, 29 February after March 2096: {:?}", next("0 0 0 29 2 *", day(2096, 3, 1)));
    let croner = croner::Cron::from_str("0 0 29 2 *").unwrap();
    println!("croner, the same: {:?}", croner.find_next_occurrence(&day(2096, 3, 1), false).ok());
    println!("cron, daily after 30 December 2100: {:?}", next("0 0 0 * * *", day(2100, 12, 30)));
    println!("cron, daily after 31 December 2100: {:?}", next("0 0 0 * * *", day(2100, 12, 31)));
}
END
cat >seen <<'END'
cron, 29 February after March 2096: None
croner, the same: Some(2104-02-29T00:00:00Z)
cron, daily after 30 December 2100: Some(2100-12-31T00:00:00Z)
cron, daily after 31 December 2100: None
END
cargo run --quiet >now
cat now
diff seen now
