//! Lengths of time as people read them.

/// A length of time: `340 ms`, `2.1 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn duration_ms(ms: i64) -> String {
    let ms = ms.max(0);
    let two = |large: i64, large_unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        small => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match ms {
        0 => "<1 ms".to_owned(),
        1..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..=3_599_999 => two(ms / 60_000, "min", ms % 60_000 / 1_000, "s"),
        3_600_000..=86_399_999 => two(ms / 3_600_000, "h", ms % 3_600_000 / 60_000, "min"),
        _ => two(ms / 86_400_000, "d", ms % 86_400_000 / 3_600_000, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_well() {
        for (ms, text) in [
            (-5, "<1 ms"),
            (7, "7 ms"),
            (999, "999 ms"),
            (2_150, "2.1 s"),
            (200_000, "3 min 20 s"),
            (7_200_000, "2 h"),
            (90_061_000, "1 d 1 h"),
        ] {
            assert_eq!(duration_ms(ms), text);
        }
    }
}
