//! The service manager's end of sd_notify.

use std::{
    io,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A socket that takes notifications.
pub struct Notify {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notify {
    /// A new one at this path.
    pub fn new(path: PathBuf) -> Self {
        let _ = std::fs::remove_file(&path);
        Self { socket: UnixDatagram::bind(&path).unwrap(), path }
    }

    /// What `NOTIFY_SOCKET` must say.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next message's assignments, one a line; nothing when none comes in time.
    pub fn next(&self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time.max(Duration::from_millis(1)))).unwrap();
        let mut buffer = vec![0; 64 << 10];
        let received = loop {
            match self.socket.recv(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match received {
            Ok(length) => Some(String::from_utf8(buffer[..length].to_vec()).expect("notifications are UTF-8")),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.next(time),
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits for a message with this line and gives all that came up to it.
    pub fn until(&self, line: &str, time: Duration) -> Result<Vec<String>, Vec<String>> {
        let until = Instant::now() + time;
        let mut came = Vec::new();
        while let Some(message) = self.next(until.saturating_duration_since(Instant::now())) {
            let found = message.lines().any(|one| one == line);
            came.push(message);
            if found {
                return Ok(came);
            }
        }
        Err(came)
    }
}
