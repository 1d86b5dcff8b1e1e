//! What clients are not told: where on the box something lies. The log and whoever works at the box see it in full.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use trackside_node::Project;

/// Where a path ends in a text.
const ENDS: &[char] = &['"', '\'', '`', ',', ';', ')', ']', '>', '}'];
/// What may stand before a path.
const BEFORE: &[char] = &['"', '\'', '`', '(', '[', '<', '{', '=', ':', ','];

/// Folders at the root of a disk, as systems have them. The disk itself is not asked: a client that has its own words told back would learn
/// what is there.
const ROOTS: &[&str] = &[
    "bin", "boot", "data", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "nix", "opt", "proc", "root", "run",
    "sbin", "srv", "sys", "tmp", "usr", "var",
];

/// The folders that texts to clients do not name.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    /// Longest first: the data folder often lies in the project.
    folders: Vec<String>,
}

impl Hidden {
    /// Those of a project: what lies in it is named from there on, and so is what lies in its data folder, beside the engine that it names
    /// and beside this program.
    pub(crate) fn of(project: &Project) -> Self {
        let data_dir = project.data_dir();
        let real = data_dir.canonicalize().ok();
        let inside = |path: &Path| path.starts_with(&project.root);
        let beside = |file: PathBuf| file.parent().map(Path::to_owned);
        let engine = project.config.engine.onnxruntime.as_ref().and_then(|file| beside(project.root.join(file)));
        let program = std::env::current_exe().ok().and_then(beside);
        let outside = [Some(data_dir), real, engine, program].into_iter().flatten().filter(|path| !inside(path));
        Self::folders([project.root.clone()].into_iter().chain(outside).map(|path| path.display().to_string()))
    }

    fn folders(folders: impl Iterator<Item = String>) -> Self {
        // A project at the root of the disk has nothing above it to hide.
        let mut folders: Vec<_> = folders.filter(|folder| folder.len() > 1).collect();
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.len()));
        folders.dedup();
        Self { folders }
    }

    /// A text as clients may read it: paths in the project from there on, others by their last name.
    pub(crate) fn tell(&self, text: String) -> String {
        if !text.contains('/') {
            return text;
        }
        let inside = self.folders.iter().fold(text, |text, folder| relative(&text, folder));
        names(&inside)
    }
}

/// Takes a folder out of the paths of a text.
fn relative(text: &str, folder: &str) -> String {
    let (mut told, mut last) = (String::with_capacity(text.len()), 0);
    for (at, _) in text.match_indices(folder) {
        let behind = &text[at + folder.len()..];
        let begins = text[..at].chars().next_back().is_none_or(may_stand_before);
        let ends = behind.chars().next().is_none_or(|next| !(next.is_alphanumeric() || matches!(next, '-' | '_')));
        if at < last || !begins || !ends {
            continue;
        }
        told.push_str(&text[last..at]);
        last = at + folder.len();
        match behind.strip_prefix('/') {
            Some(_) => last += 1,
            None => told.push('.'),
        }
    }
    told.push_str(&text[last..]);
    told
}

fn may_stand_before(letter: char) -> bool {
    letter.is_whitespace() || BEFORE.contains(&letter)
}

/// What is left of absolute paths is their last name. Models name their own parts like paths, too: `/encoder/Add` is none of the disk's.
fn names(text: &str) -> String {
    let (mut told, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('/') {
        let (before, path) = rest.split_at(at);
        told.push_str(before);
        let begins = told.chars().next_back().is_none_or(may_stand_before);
        let end = path.find(|letter: char| letter.is_whitespace() || ENDS.contains(&letter)).unwrap_or(path.len());
        let (path, behind) = path.split_at(end);
        told.push_str(&if begins { last_name(path) } else { Cow::Borrowed(path) });
        rest = behind;
    }
    told.push_str(rest);
    told
}

fn last_name(path: &str) -> Cow<'_, str> {
    let whole = path.trim_end_matches(['.', ':']);
    let first = whole[1..].split('/').next().unwrap_or_default();
    if !ROOTS.contains(&first) {
        return Cow::Borrowed(path);
    }
    let name = whole.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    Cow::Owned(format!("{name}{}", &path[whole.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_no_folder_of_the_box() {
        let hidden = Hidden::folders(["/srv/a plant", "/var/lib/plant", "/"].map(str::to_owned).into_iter());
        for (text, told) in [
            (
                "the model /srv/a plant/m.onnx is not signed: there is neither /srv/a plant/m.onnx.sig nor /srv/a plant/model.sig",
                "the model m.onnx is not signed: there is neither m.onnx.sig nor model.sig",
            ),
            ("\"/srv/a plant/sub/m.onnx\": no", "\"sub/m.onnx\": no"),
            ("looked in /srv/a plant: nothing", "looked in .: nothing"),
            ("/var/lib/plant/models/ab/model.onnx", "models/ab/model.onnx"),
            // Another folder whose name begins alike.
            ("/var/lib/plant-2/m.onnx is gone", "m.onnx is gone"),
            (
                "looked at: /usr/lib/libonnxruntime.so (missing), /etc/ld.so: no",
                "looked at: libonnxruntime.so (missing), ld.so: no",
            ),
            ("the file is /usr/lib/x.", "the file is x."),
            // A part of a model, a page, a unit.
            ("node /no-such-folder/Add of \"/encoder-1/Cast\"", "node /no-such-folder/Add of \"/encoder-1/Cast\""),
            ("see https://usr/lib and docs/inference.md, 3/s", "see https://usr/lib and docs/inference.md, 3/s"),
            ("/", "/"),
        ] {
            assert_eq!(hidden.tell(text.to_owned()), told);
        }
    }
}
