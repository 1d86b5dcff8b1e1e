//! A node in a process of its own.

use std::{
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// No start takes longer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A node; killed in the end.
pub struct Service(Child);

impl Service {
    /// Starts one on a project, and waits until it says that it is ready.
    pub fn start(project: &Path) -> Self {
        let address = project.join("notify");
        let notify = UnixDatagram::bind(&address).expect("a socket");
        notify.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut command = Command::new(env!("CARGO_BIN_EXE_trackside"));
        command.arg("serve").arg("--project").arg(project).env("NOTIFY_SOCKET", &address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let service = Self(command.spawn().expect("a node"));
        let mut buffer = [0; 4096];
        loop {
            let size = notify.recv(&mut buffer).expect("the node becomes ready");
            if String::from_utf8_lossy(&buffer[..size]).contains("READY=1") {
                return service;
            }
        }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
