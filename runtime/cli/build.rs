//! Embeds the example that `trackside demo` runs: the files that its `demo.txt` lists, one path per line.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let example = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../examples/pump-watch").canonicalize()?;
    let list = example.join("demo.txt");
    println!("cargo::rerun-if-changed={}", list.display());
    let mut table = String::from("&[\n");
    for path in
        fs::read_to_string(&list)?.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        // The list is ours; a path that climbs would be unpacked outside of the demo's folder.
        if path.starts_with('/') || path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(format!("{path}: a path in demo.txt must stay below its folder").into());
        }
        let file = example.join(path);
        println!("cargo::rerun-if-changed={}", file.display());
        writeln!(table, "    ({path:?}, include_bytes!({:?})),", file.canonicalize()?)?;
    }
    table.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("demo_files.rs"), table)?;
    Ok(())
}
