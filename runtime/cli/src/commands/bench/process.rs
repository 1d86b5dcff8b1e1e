//! The disk under everything, and the service as a process of its own.

use std::{
    fs::{self, OpenOptions},
    os::unix::{fs::FileExt, net::UnixDatagram},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    Figure,
    figures::{BenchError, figure, percentile, resident_mib},
};

/// How often the service is started.
const STARTS: u32 = 5;
/// How long it is looked at while nothing happens.
const REST: Duration = Duration::from_secs(2);

/// Flushes of a 4 KiB page overwritten in place: what a commit can not do without.
pub fn flushes(root: &Path, time: Duration) -> Result<Vec<Figure>, BenchError> {
    let file = OpenOptions::new().write(true).create_new(true).open(root.join("flush"))?;
    file.write_all_at(&[0; 64 * 4096], 0)?;
    file.sync_all()?;
    let mut samples = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time && samples.len() < 5_000 {
        let place = (samples.len() as u64 % 64) * 4096;
        let begun = Instant::now();
        file.write_all_at(&[samples.len() as u8; 4096], place)?;
        file.sync_data()?;
        samples.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(vec![figure("fsync_ms_p50", "flush of one page (fdatasync), median", "ms", percentile(&mut samples, 0.5))])
}

/// Starts `serve` on the project: time until it says READY=1, memory when it has come to rest.
pub fn start_and_idle(root: &Path) -> Result<Vec<Figure>, BenchError> {
    // A file trigger and a schedule are part of an ordinary node.
    fs::write(root.join("workflows/tick.yaml"), include_str!("tick.yaml"))?;
    let mut starts = Vec::new();
    let (mut rss, mut rest) = (f64::NAN, [f64::NAN; 2]);
    for round in 1..=STARTS {
        let (service, milliseconds) = Service::start(root)?;
        starts.push(milliseconds);
        // Plugins are loaded in the background after READY.
        std::thread::sleep(Duration::from_millis(300));
        rss = resident_mib(service.id()).unwrap_or(f64::NAN);
        if round == STARTS {
            rest = at_rest(service.id());
        }
    }
    let [written, wake_ups] = rest;
    Ok(vec![
        figure("start_ms", "start of the service until ready, median of 5", "ms", percentile(&mut starts, 0.5)),
        figure("idle_rss_mib", "memory of the idle service", "MiB", rss),
        figure("idle_write_bytes_per_s", "written by the idle service in a second", "bytes", written),
        figure("idle_wakeups_per_s", "wake-ups of the idle service in a second", "", wake_ups),
    ])
}

/// Bytes to disk and wake-ups of all threads in a second, while nothing happens.
fn at_rest(process: u32) -> [f64; 2] {
    let count = || -> Option<[f64; 2]> {
        let number = |file: &str, key: &str| -> Option<f64> {
            let text = fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
            text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?.trim().parse().ok()
        };
        let tasks = fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten();
        let wake_ups = tasks.filter_map(|task| {
            number(&format!("task/{}/status", task.file_name().to_string_lossy()), "voluntary_ctxt_switches")
        });
        Some([number("io", "write_bytes")?, wake_ups.sum()])
    };
    // What the start has left to do is over by then.
    std::thread::sleep(REST);
    let before = count();
    std::thread::sleep(REST);
    let seconds = REST.as_secs_f64();
    match (before, count()) {
        (Some(before), Some(after)) => [0, 1].map(|one| (after[one] - before[one]) / seconds),
        _ => [f64::NAN; 2],
    }
}

/// `serve` in a process of its own; it ends with this value in any case.
pub struct Service(Child);

impl Service {
    /// Starts it on a project, and says how many milliseconds that took until it said READY=1.
    pub fn start(root: &Path) -> Result<(Self, f64), BenchError> {
        let address = root.join("notify");
        let _ = fs::remove_file(&address);
        let socket = UnixDatagram::bind(&address)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let begun = Instant::now();
        let child = Command::new(std::env::current_exe()?)
            .args(["--project".as_ref(), root.as_os_str(), "--quiet".as_ref(), "serve".as_ref()])
            .env("NOTIFY_SOCKET", &address)
            .env_remove("WATCHDOG_USEC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let service = Self(child);
        let mut message = [0; 4096];
        loop {
            let length = socket.recv(&mut message)?;
            if message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                return Ok((service, begun.elapsed().as_secs_f64() * 1e3));
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let ended = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(ended, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}
