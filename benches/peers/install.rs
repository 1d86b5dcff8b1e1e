//! The other engines, from the registries, at fixed versions, in a folder that goes when all is over.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub const RESTATE: &str = "1.7.12";
pub const DBOS: &str = "3.4.0";
pub const HUEY: &str = "3.5.4";

/// Restate's server, and the service that it calls.
pub struct Restate {
    pub server: PathBuf,
    pub service: PathBuf,
}

/// From npm; the service is built from `service/` beside this file.
pub fn restate(folder: &Path) -> io::Result<Restate> {
    let package = format!("@restatedev/restate-server@{RESTATE}");
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder).arg(package);
    run(&mut npm)?;
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let server = folder.join(format!("node_modules/@restatedev/restate-server-linux-{arch}/bin/restate-server"));
    let target = folder.join("service");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers/service/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--manifest-path"]).arg(manifest).arg("--target-dir").arg(&target);
    run(&mut cargo)?;
    Ok(Restate { server, service: target.join("release/peers-service") })
}

/// A Python with DBOS and Huey.
pub fn python(folder: &Path) -> io::Result<PathBuf> {
    let room = folder.join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&room))?;
    let python = room.join("bin/python");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "-q", "--disable-pip-version-check", "install"]);
    run(pip.args([format!("dbos=={DBOS}"), format!("huey=={HUEY}")]))?;
    Ok(python)
}

fn run(command: &mut Command) -> io::Result<()> {
    let ended = command.stdin(Stdio::null()).output()?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(io::Error::other(format!("{} ended with {}: {last}", command.get_program().display(), ended.status)))
}
