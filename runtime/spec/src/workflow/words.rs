//! Which words may be names.

use crate::expr;

/// Longest name.
const LONGEST: usize = 64;

/// Lower-case letters, digits and `-`, no `-` at the ends: names of workflows and plugins.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=LONGEST).contains(&text.len()) && text.chars().all(inside) && !text.starts_with('-') && !text.ends_with('-')
}

/// Why `text` cannot be a name in expressions (a step or a parameter), with a better one.
pub(crate) fn identifier(text: &str) -> Result<(), (String, Option<String>)> {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let fits = (1..=LONGEST).contains(&text.len())
        && text.chars().all(inside)
        && text.starts_with(|c: char| c.is_ascii_lowercase());
    if fits && !expr::is_reserved(text) {
        return Ok(());
    }
    if fits {
        let help = format!("`{text}` is a word of the expression language; choose another name");
        return Err((format!("`{text}` is a reserved word"), Some(help)));
    }
    let better: String = text.to_lowercase().chars().map(|c| if inside(c) { c } else { '_' }).take(LONGEST).collect();
    let better = better.trim_start_matches(|c: char| !c.is_ascii_lowercase()).to_owned();
    let help = if better.is_empty() || expr::is_reserved(&better) {
        "use lower-case letters, digits and `_`, beginning with a letter".to_owned()
    } else {
        format!("use lower-case letters, digits and `_`, beginning with a letter: `{better}`")
    };
    let shown: String = text.chars().take(LONGEST).collect();
    Err((format!("`{shown}` cannot be a name in expressions"), Some(help)))
}

/// A model's name: letters, digits, `.`, `_`, `-`.
pub(crate) fn is_model_name(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=LONGEST).contains(&text.len())
        && text.chars().all(inside)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Why `text` is no usable path, if so.
pub(crate) fn path_problem(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return Some("it is empty");
    }
    if text.len() > 4096 {
        return Some("it is longer than 4096 bytes");
    }
    if text.chars().any(char::is_control) {
        return Some("it contains a control character");
    }
    text.contains("${").then_some("it must be fixed: expressions are not possible here")
}

/// Whether a path climbs out of where it starts.
pub(crate) fn climbs(path: &str) -> bool {
    path.split(['/', '\\']).any(|segment| segment == "..")
}
