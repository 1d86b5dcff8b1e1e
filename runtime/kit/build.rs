//! Puts what `trackside plugin new` writes into the binary: templates, SDKs and the contract, as a table of paths and
//! contents.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Folders below the repository's root.
const FOLDERS: [&str; 7] = [
    "plugins/templates",
    "plugins/sdk",
    "plugins/sdk-c",
    "plugins/sdk-go",
    "plugins/sdk-js",
    "plugins/sdk-python",
    "wit",
];
/// What tools leave in them.
const LEFTOVERS: [&str; 5] = ["target", "node_modules", "dist", "__pycache__", "Cargo.lock"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let mut files = Vec::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut table = String::from("pub(crate) static FILES: &[(&str, &[u8])] = &[\n");
    for file in files {
        let path = file.strip_prefix(&root)?.to_str().ok_or("a path that is no text")?;
        writeln!(table, "    ({path:?}, include_bytes!({:?})),", file.display().to_string())?;
    }
    table.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("files.rs"), table)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if LEFTOVERS.contains(&name.as_str()) || name.starts_with('.') && name != ".gitignore" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
