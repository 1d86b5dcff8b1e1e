//! What a signature may call a file, and a part of one.

use super::OmsError;

/// What is never part of a model: at its root only.
pub(super) const NEVER: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];
/// What a single file is called by signers of before the standard said that it is called by its name.
pub(super) const ITSELF: &str = ".";
/// Longest path.
const LONGEST: usize = 4096;

/// Whether a path is one that is never signed.
pub(super) fn is_never(path: &str) -> bool {
    NEVER.contains(&path.split('/').next().unwrap_or_default())
}

/// Refuses what leads out of the model's folder, and what is not written the one way.
pub(super) fn check_path(path: &str) -> Result<(), OmsError> {
    let is_bad = |part: &str| part.is_empty() || part == "." || part == "..";
    if path.is_empty() || path.len() > LONGEST || path.contains(['\\', '\0']) || path.split('/').any(is_bad) {
        return Err(OmsError::Path { path: shown(path) });
    }
    Ok(())
}

/// For messages.
pub(crate) fn shown(path: &str) -> String {
    path.chars().take(200).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// `PATH:FROM:TO`; a path may have colons of its own.
pub(super) fn part(name: &str) -> Option<(&str, u64, u64)> {
    let (rest, to) = name.rsplit_once(':')?;
    let (path, from) = rest.rsplit_once(':')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    Some((path, number(from)?, number(to)?))
}

/// Whether parts of a file are all of it, as it is cut.
pub(super) fn are_whole(parts: &[(u64, u64)], size: u64, all: u64) -> bool {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let mut from = 0;
    for (begin, end) in parts {
        if begin != from || end != from.saturating_add(size).min(all) {
            return false;
        }
        from = end;
    }
    from == all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_model() {
        for good in ["model.onnx", "a/b.bin", "a..b", "a:b", ".hidden", "é"] {
            check_path(good).unwrap();
        }
        let long = "x".repeat(5000);
        for bad in ["", "/etc/passwd", "../a", "a/../../b", "a//b", "./a", "a/", "a\\b", "a\0", ".", "..", &long] {
            assert!(matches!(check_path(bad), Err(OmsError::Path { .. })), "{bad:?}");
        }
    }

    #[test]
    fn parts_of_a_file_are_read_from_the_end_and_must_be_all_of_it() {
        assert_eq!(part("a:b:0:10"), Some(("a:b", 0, 10)));
        for bad in ["a", "a:1", "a:1:", "a:-1:2", "a:1:99999999999999999999", "a:+1:2"] {
            assert_eq!(part(bad), None, "{bad}");
        }
        assert!(are_whole(&[(10, 20), (0, 10), (20, 25)], 10, 25));
        for bad in [&[(0, 10)][..], &[(0, 10), (0, 10)], &[(0, 25)], &[(0, 10), (10, 25)], &[(0, 10), (20, 25)], &[]] {
            assert!(!are_whole(bad, 10, 25), "{bad:?}");
        }
    }
}
