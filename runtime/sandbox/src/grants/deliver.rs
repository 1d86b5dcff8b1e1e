//! Which paths a step may deliver to: `FOLDER/rest`, where `FOLDER` is granted.

use trackside_spec::delivery::{LONGEST_NAME, MOST_PARTS};

/// Longest path.
const LENGTH: usize = 4_096;

/// Where a delivery goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The grant, as written.
    pub(crate) folder: String,
    /// The path below it.
    pub(crate) path: String,
}

/// Why a delivery is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No grant could make it good.
    BadPath(String),
    /// It lies below no granted folder; a grant of `folder` would do.
    NotGranted { folder: String },
}

/// Finds the granted folder that `path` lies below; the longest when several fit.
pub(crate) fn resolve(granted: &[String], path: &str) -> Result<Target, Refusal> {
    let bad = |reason: String| Refusal::BadPath(reason);
    if path.len() > LENGTH {
        return Err(bad(format!("the path has {} bytes; the limit is {LENGTH}", path.len())));
    }
    let shown = crate::recorder::one_line(&path.chars().take(200).collect::<String>());
    if shown != path.chars().take(200).collect::<String>() || path.chars().any(char::is_control) {
        return Err(bad(format!("the path `{shown}` has control characters")));
    }
    if path.contains('\\') {
        return Err(bad(format!("the path `{shown}` has a backslash: write `/` between folders")));
    }
    let relative = path.strip_prefix('/').unwrap_or(path);
    for segment in relative.split('/') {
        match segment {
            "" => return Err(bad(format!("the path `{shown}` has an empty part"))),
            "." | ".." => return Err(bad(format!("the path `{shown}` has the part `{segment}`"))),
            _ if segment.len() > LONGEST_NAME => {
                return Err(bad(format!("a part of the path is longer than {LONGEST_NAME} bytes")));
            }
            _ => {}
        }
    }
    let below = granted.iter().filter_map(|grant| {
        let folder = normal(grant)?;
        let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
        Some((folder.len(), Target { folder: grant.clone(), path: rest.to_owned() }))
    });
    if let Some((_, target)) = below.max_by_key(|(length, _)| *length) {
        let parts = target.path.split('/').count();
        if parts > MOST_PARTS {
            let folder = &target.folder;
            return Err(bad(format!("the path has {parts} parts below `{folder}`; the limit is {MOST_PARTS}")));
        }
        return Ok(target);
    }
    match path.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => Err(Refusal::NotGranted { folder: folder.to_owned() }),
        _ => Err(bad(format!("the path `{shown}` names no folder: write FOLDER/NAME, where FOLDER is granted"))),
    }
}

/// A grant without decoration. `None` for one that is no plain folder, which then covers nothing.
fn normal(grant: &str) -> Option<&str> {
    let mut folder = grant;
    while let Some(rest) = folder.strip_prefix("./") {
        folder = rest;
    }
    let folder = folder.trim_end_matches('/');
    let relative = folder.strip_prefix('/').unwrap_or(folder);
    let plain = relative.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    plain.then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(folders: &[&str]) -> Vec<String> {
        folders.iter().map(|folder| (*folder).to_owned()).collect()
    }

    #[test]
    fn a_path_below_a_grant_is_split_at_the_grant() {
        for (grant, path, rest) in [
            ("out", "out/a.csv", "a.csv"),
            ("./out/", "out/a/b.csv", "a/b.csv"),
            ("out/deep", "out/deep/a", "a"),
            ("/srv/out", "/srv/out/a", "a"),
        ] {
            let target = resolve(&granted(&[grant]), path).unwrap();
            assert_eq!((target.folder.as_str(), target.path.as_str()), (grant, rest));
        }
        let target = resolve(&granted(&["out", "out/deep"]), "out/deep/a").unwrap();
        assert_eq!(target.folder, "out/deep");
    }

    #[test]
    fn what_lies_elsewhere_is_not_granted() {
        for path in ["outer/a", "in/a", "/out/a", "/etc/passwd", "out2/a"] {
            let refusal = resolve(&granted(&["out"]), path).unwrap_err();
            assert!(matches!(refusal, Refusal::NotGranted { .. }), "{path}: {refusal:?}");
        }
        assert_eq!(resolve(&[], "out/x/a"), Err(Refusal::NotGranted { folder: "out/x".to_owned() }));
    }

    #[test]
    fn a_path_is_as_deep_as_what_carries_it_out_takes() {
        let deep = |parts: usize| format!("out/{}", vec!["x"; parts].join("/"));
        assert!(resolve(&granted(&["out"]), &deep(MOST_PARTS)).is_ok());
        let refused = Refusal::BadPath("the path has 65 parts below `out`; the limit is 64".to_owned());
        assert_eq!(resolve(&granted(&["out"]), &deep(MOST_PARTS + 1)), Err(refused));
    }

    #[test]
    fn hostile_paths_are_bad_whatever_is_granted() {
        let all = granted(&["out", "", ".", "..", "/", "out/.."]);
        let long = format!("out/{}", "x".repeat(256));
        for path in [
            "out/../a",
            "../a",
            "out/./a",
            "out//a",
            "out/a/",
            "out/",
            "/",
            "",
            "a",
            "out/..",
            "out/a\0b",
            "out/a\nb",
            "out\\..\\a",
            "out/\u{202e}a",
            &long,
            &"x/".repeat(4_000),
        ] {
            assert!(matches!(resolve(&all, path), Err(Refusal::BadPath(_))), "{path:?}");
        }
    }
}
