#!/usr/bin/env bash
# chrono-tz 0.10.4 (with chrono 0.4.45): its built-in tables end with the year 2099, and nothing says so. From 2100 on each zone
# keeps for ever the offset that it had last: Paris and New York stay on winter time in July, Sydney on summer time. The rules
# of the zones have no end (the last line of a TZif file gives the rule for all later years); jiff 1.0.2 with the same zones
# applies it. A time that is far in the future (a retention date, the end of a certificate, a schedule) is an hour wrong.
#
# Seen:
#   Europe/Paris 1 July 2099: chrono-tz +2 h, jiff +2 h
#   Australia/Sydney 1 July 2099: chrono-tz +10 h, jiff +10 h
#   Europe/Paris 1 July 2100: chrono-tz +1 h, jiff +2 h
#   Australia/Sydney 1 July 2100: chrono-tz +11 h, jiff +10 h
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
chrono = { version = "=0.4.45", default-features = false, features = ["std"] }
chrono-tz = "=0.10.4"
jiff = { version = "=1.0.2", default-features = false, features = ["std", "tzdb-bundle-always"] }
END
cat >src/main.rs <<'END'
use chrono::{Offset, TimeZone};

fn main() {
    for year in [2099, 2100] {
        for zone in ["Europe/Paris", "Australia/Sydney"] {
            let table: chrono_tz::Tz = zone.parse().unwrap();
            let theirs = table.with_ymd_and_hms(year, 7, 1, 12, 0, 0).unwrap().offset().fix().local_minus_utc();
            let noon = jiff::civil::date(year as i16, 7, 1).at(12, 0, 0, 0);
            let by_rule = noon.in_tz(zone).unwrap().offset().seconds();
            println!("{zone} 1 July {year}: chrono-tz {:+} h, jiff {:+} h", theirs / 3600, by_rule / 3600);
        }
    }
}
END
cat >seen <<'END'
Europe/Paris 1 July 2099: chrono-tz +2 h, jiff +2 h
Australia/Sydney 1 July 2099: chrono-tz +10 h, jiff +10 h
Europe/Paris 1 July 2100: chrono-tz +1 h, jiff +2 h
Australia/Sydney 1 July 2100: chrono-tz +11 h, jiff +10 h
END
cargo run --quiet >now
cat now
diff seen now
