//! Names and media types of artifacts.

use trackside_codes::Reason;

/// A name is for people and for delivered files: one path segment that is harmless in every file system.
pub(super) fn check_name(name: &str) -> Result<(), Reason> {
    let bad = name.is_empty()
        || name.len() > 255
        || matches!(name, "." | "..")
        || name.contains(['/', '\\'])
        || crate::recorder::one_line(name) != name;
    if bad {
        let shown = crate::recorder::one_line(&name.chars().take(60).collect::<String>());
        return Err(format!(
            "`{shown}` is no artifact name: 1 to 255 bytes without slashes and control characters, not `.` or `..`"
        )
        .into());
    }
    Ok(())
}

pub(super) fn check_media_type(text: &str) -> Result<(), Reason> {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let fits = text.len() <= 255
        && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        && essence.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub));
    if fits {
        Ok(())
    } else {
        let shown = crate::recorder::one_line(&text.chars().take(60).collect::<String>());
        Err(format!("`{shown}` is no media type: write text/csv or application/octet-stream, for example").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_harmless_segment() {
        for good in ["a.csv", "Übersicht 2.pdf", "..a", &"x".repeat(255)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "../a", "a\\b", "a\0b", "a\nb", "\u{202e}gpj.exe", &"x".repeat(256)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn media_types_are_type_and_subtype() {
        for good in ["text/csv", "application/vnd.x+json", "text/plain; charset=utf-8"] {
            assert!(check_media_type(good).is_ok(), "{good}");
        }
        for bad in ["", "text", "text/", "/csv", "te xt/csv", "text/csv\r\nx: y", "a/b/c"] {
            assert!(check_media_type(bad).is_err(), "{bad}");
        }
    }
}
