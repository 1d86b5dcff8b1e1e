//! What a file of a package may be called: a path that stays in the package's folder on every system, and that an archive of the
//! oldest kind takes.

use super::{
    PackageError, PackageLimits,
    limits::key,
    manifest::{MANIFEST, SIGNATURES},
};

/// Longest part of a path.
const LONGEST_PART: usize = 100;
/// What is told of a path. Whatever the limit, none is longer than what the prefix of a name in an archive may have, so that its last
/// part always stands in the name.
const TOLD: usize = 155;

/// Checks the path of a file, with `/` between its parts.
///
/// # Errors
/// What is wrong with it.
pub fn check(path: &str, limits: &PackageLimits) -> Result<(), PackageError> {
    let wrong =
        |reason: &str| Err(PackageError::Name { path: path.chars().take(TOLD).collect(), reason: reason.to_owned() });
    let longest = limits.path;
    if path.len() > longest {
        return wrong(&format!("it has {} bytes; {longest} are taken ({})", path.len(), key("path")));
    }
    if path.is_empty() || path.starts_with('/') {
        return wrong("a file is named from the model's folder on");
    }
    if path.chars().any(|letter| letter.is_control() || letter == '\\') {
        return wrong("control characters and `\\` are taken in no name");
    }
    for part in path.split('/') {
        if part.is_empty() || part == "." || part == ".." {
            return wrong("it leads out of the model's folder, or round in it");
        }
        if part.starts_with('.') {
            return wrong("what begins with a dot belongs to no model");
        }
        if part.len() > LONGEST_PART {
            return wrong("one of its parts has more than 100 bytes");
        }
    }
    if path.split('/').count() > limits.depth {
        return Err(PackageError::TooMuch {
            what: format!("{path} lies more than {} deep ({})", folders(limits.depth), key("depth")),
        });
    }
    if path == MANIFEST || path == SIGNATURES {
        return wrong("the registry's own file is called so; rename yours");
    }
    Ok(())
}

/// How deep a file may lie below the folder itself.
pub(super) fn folders(depth: usize) -> String {
    match depth.saturating_sub(1) {
        1 => "1 folder".to_owned(),
        below => format!("{below} folders"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        let limits = PackageLimits { depth: 3, ..PackageLimits::default() };
        for good in ["model.onnx", "a/b/c.bin", "weights é.data", "a..b"] {
            check(good, &limits).unwrap();
        }
        let long = ["x".repeat(101), ["x"; 80].join("/")];
        for bad in [
            "",
            "/a",
            "../a",
            "a/../b",
            "a//b",
            "./a",
            "a/.",
            "a\\b",
            "a\0b",
            "a\nb",
            ".git/config",
            "a/.b",
            "a/b/c/d",
            MANIFEST,
            SIGNATURES,
            &long[0],
            &long[1],
        ] {
            check(bad, &limits).unwrap_err();
        }
        check(&format!("a/{MANIFEST}"), &limits).unwrap();
    }
}
