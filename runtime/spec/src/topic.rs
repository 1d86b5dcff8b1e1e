//! MQTT topics and the filters that cover them.

/// Longest topic or filter in bytes, as in MQTT.
const LENGTH: usize = 65_535;

/// Why `filter` is no topic filter, if so. `+` stands for one level, `#` at the end for any number of them.
#[must_use]
pub fn filter_problem(filter: &str) -> Option<&'static str> {
    if let Some(problem) = text_problem(filter) {
        return Some(problem);
    }
    let levels: Vec<&str> = filter.split('/').collect();
    for (index, level) in levels.iter().enumerate() {
        if level.contains('#') && (*level != "#" || index + 1 != levels.len()) {
            return Some("`#` stands alone at the end, after a `/`");
        }
        if level.contains('+') && *level != "+" {
            return Some("`+` stands for a whole level, between two `/`");
        }
    }
    None
}

/// Why nothing can be published on `topic`, if so.
#[must_use]
pub fn topic_problem(topic: &str) -> Option<&'static str> {
    text_problem(topic).or_else(|| topic.contains(['+', '#']).then_some("`+` and `#` are for filters, not for topics"))
}

fn text_problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.len() > LENGTH {
        return Some("it is longer than 65535 bytes");
    }
    text.chars().any(char::is_control).then_some("it contains a control character")
}

/// Whether `filter` covers `other`, a topic or a narrower filter. What is no filter covers nothing.
///
/// Topics that begin with `$` belong to the broker: a wildcard at the first level does not cover them.
#[must_use]
pub fn covers(filter: &str, other: &str) -> bool {
    if filter_problem(filter).is_some() || filter_problem(other).is_some() {
        return false;
    }
    if filter.starts_with(['+', '#']) && other.starts_with('$') {
        return false;
    }
    let (mut wide, mut narrow) = (filter.split('/'), other.split('/'));
    loop {
        match (wide.next(), narrow.next()) {
            (Some("#"), _) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(level), Some(other)) if level == other => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_covers_what_mqtt_says() {
        for (filter, topic) in [
            ("a/b", "a/b"),
            ("a/+", "a/b"),
            ("+/+", "a/b"),
            ("a/#", "a/b/c"),
            // `#` covers the parent level, too.
            ("a/#", "a"),
            ("#", "a/b"),
            ("+/b/#", "a/b/c/d"),
            ("a/+", "a/+"),
            ("a/#", "a/+/c"),
            ("a/#", "a/#"),
            ("$SYS/#", "$SYS/x"),
            ("a/+/", "a/b/"),
            ("/+", "/a"),
        ] {
            assert!(covers(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in [
            ("a/b", "a/B"),
            ("a/b", "a/b/c"),
            ("a/+", "a"),
            ("a/+", "a/b/c"),
            ("a/+", "a/#"),
            ("+/+", "#"),
            ("a/b", "a/+"),
            ("#", "$SYS/x"),
            ("+/x", "$SYS/x"),
            ("a#", "a#"),
            ("", ""),
        ] {
            assert!(!covers(filter, topic), "{filter} {topic}");
        }
    }

    #[test]
    fn misplaced_wildcards_are_told() {
        for bad in ["", "a/#/b", "a#", "a/b+", "+a/b", "a\0"] {
            assert!(filter_problem(bad).is_some(), "{bad:?}");
        }
        assert!(topic_problem("a/+").is_some() && topic_problem("a/b").is_none());
    }
}
