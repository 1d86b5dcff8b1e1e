//! A node of its own behind its wires: runs a second, time, processor time of the node and its memory for each way in, with
//! one request in flight and with 64, on connections that stay open. One thread asks: what it costs is not the node's.

use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    path::Path,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, poll};

use crate::{
    report::title,
    service::{PATIENCE, Service},
};

const CONFIG: &str = "[http_server]\nlisten = \"127.0.0.1:0\"\n";
const ONE: &str = "version: 1\nname: one\nparams: { n: { type: integer, default: 1 } }\n\
                   triggers: [{ webhook: { name: one, signature: none } }]\n\
                   steps: { a: { plugin: echo, with: { value: \"${params.n}\" } } }\noutputs: { n: \"${steps.a.value}\" }\n";
/// How long each is measured.
const TIME: Duration = Duration::from_secs(4);
/// Requests in flight.
const CROWD: usize = 64;
/// Ticks in a second of what the kernel says of processor time.
const TICKS: f64 = 100.0;

/// A way to a run.
#[derive(Clone, Copy)]
enum Way {
    /// Until the run is on disk.
    Accepted,
    /// Until its end is, in one answer.
    Waited,
    /// Until it is settled, in a stream of its events.
    Followed,
    /// A webhook, until the run is on disk.
    Hook,
    /// A webhook, until the run's end is on disk.
    HookWaited,
}

impl Way {
    const ALL: [(Self, &str); 5] = [
        (Self::Accepted, "socket, accepted"),
        (Self::Waited, "socket, to the end (?wait)"),
        (Self::Followed, "socket, to the end (events)"),
        (Self::Hook, "webhook, accepted"),
        (Self::HookWaited, "webhook, to the end (?wait)"),
    ];

    fn request(self, number: u64) -> String {
        let post = |path: &str, body: &str| {
            let length = body.len();
            format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        };
        let (start, payload) = (r#"{"workflow":"one"}"#, format!("{{\"n\":{number}}}"));
        match self {
            Self::Accepted | Self::Followed => post("/v1/runs", start),
            Self::Waited => post("/v1/runs?wait=30s", start),
            Self::Hook => post("/hooks/one", &payload),
            Self::HookWaited => post("/hooks/one?wait=30s", &payload),
        }
    }

    /// What is asked after this answer, to come to the end of it.
    fn then(self, answer: &str) -> Option<String> {
        let run = answer.split_once("{\"run\":\"")?.1.split('"').next()?;
        (matches!(self, Self::Followed) && answer.starts_with("HTTP/1.1 202"))
            .then(|| format!("GET /v1/runs/{run}/events HTTP/1.1\r\nhost: x\r\n\r\n"))
    }

    fn is_good(self, answer: &str) -> bool {
        match self {
            Self::Accepted | Self::Hook => answer.starts_with("HTTP/1.1 202"),
            Self::Waited | Self::HookWaited => answer.contains("\"state\":\"succeeded\""),
            Self::Followed => answer.contains("{\"settled\":true}"),
        }
    }
}

/// All ways.
pub fn run() {
    title("through the wires, one-step runs (processor time and memory: the node's alone)");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    fs::create_dir(folder.path().join("workflows")).expect("a folder");
    fs::write(folder.path().join("workflows/one.yaml"), ONE).expect("a workflow");
    fs::write(folder.path().join("trackside.toml"), CONFIG).expect("a config");
    let node = Service::start(folder.path());
    let at_start = resident(&node);
    for (way, name) in Way::ALL {
        for crowd in [1, CROWD] {
            println!("{name:<30} {crowd:>3} in flight {}", measure(folder.path(), &node, way, crowd));
        }
    }
    println!("memory at the start {at_start:.1} MiB, after all {:.1} MiB", resident(&node));
}

fn measure(project: &Path, node: &Service, way: Way, crowd: usize) -> String {
    let mut clients: Vec<Client> = (0..crowd).map(|_| Client::connect(project, node, way)).collect();
    let (began, spent, mut number) = (Instant::now(), cpu(node), 0);
    let mut times = Vec::new();
    clients.iter_mut().for_each(|client| client.ask(next(&mut number, way)));
    let mut open = crowd;
    while open > 0 {
        assert!(began.elapsed() < PATIENCE, "the node does not answer");
        for index in ready(&clients) {
            let client = &mut clients[index];
            let Some(answer) = client.read() else { continue };
            if let Some(request) = way.then(&answer) {
                client.go_on(request);
                continue;
            }
            if !way.is_good(&answer) {
                // Such as by a binary of before.
                return format!("not answered like that: {}", answer.lines().next().unwrap_or_default());
            }
            times.push(client.asked.elapsed().as_secs_f64() * 1e3);
            if began.elapsed() < TIME {
                client.ask(next(&mut number, way));
            } else {
                client.is_done = true;
                open -= 1;
            }
        }
    }
    let (seconds, runs) = (began.elapsed().as_secs_f64(), times.len() as f64);
    let cost = (cpu(node) - spent) * 1e3 / runs;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((runs * share) as usize).min(times.len() - 1)];
    let memory = resident(node);
    format!(
        "{:>8.0} runs/s  p50 {:>7.2}  p99 {:>7.2} ms  {cost:>6.3} CPU-s/1000  {memory:>6.1} MiB",
        runs / seconds,
        at(0.5),
        at(0.99)
    )
}

fn next(number: &mut u64, way: Way) -> String {
    *number += 1;
    way.request(*number)
}

/// Those of which something can be read; waits until there is one.
fn ready(clients: &[Client]) -> Vec<usize> {
    let waiting: Vec<usize> = (0..clients.len()).filter(|index| !clients[*index].is_done).collect();
    let mut fds: Vec<PollFd> =
        waiting.iter().map(|index| PollFd::from_borrowed_fd(clients[*index].stream.as_fd(), PollFlags::IN)).collect();
    poll(&mut fds, Some(&rustix::time::Timespec { tv_sec: 1, tv_nsec: 0 })).expect("a poll");
    let is_ready = |fd: &PollFd| !fd.revents().is_empty();
    waiting.into_iter().zip(&fds).filter_map(|(index, fd)| is_ready(fd).then_some(index)).collect()
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }

    fn write(&mut self, request: &str) -> io::Result<()> {
        // A request is smaller than any buffer.
        match self {
            Self::Unix(stream) => stream.write_all(request.as_bytes()),
            Self::Tcp(stream) => stream.write_all(request.as_bytes()),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

struct Client {
    stream: Stream,
    came: Vec<u8>,
    asked: Instant,
    is_done: bool,
}

impl Client {
    fn connect(project: &Path, node: &Service, way: Way) -> Self {
        let stream = match way {
            Way::Accepted | Way::Waited | Way::Followed => {
                let stream = UnixStream::connect(project.join(".trackside/trackside.sock")).expect("the socket");
                stream.set_nonblocking(true).expect("a mode");
                Stream::Unix(stream)
            }
            Way::Hook | Way::HookWaited => {
                let stream = TcpStream::connect(("127.0.0.1", listening(node.id()))).expect("the address for webhooks");
                stream.set_nonblocking(true).expect("a mode");
                stream.set_nodelay(true).expect("a mode");
                Stream::Tcp(stream)
            }
        };
        Self { stream, came: Vec::new(), asked: Instant::now(), is_done: false }
    }

    fn ask(&mut self, request: String) {
        self.asked = Instant::now();
        self.go_on(request);
    }

    fn go_on(&mut self, request: String) {
        self.came.clear();
        self.stream.write(&request).expect("a request is sent");
    }

    /// The whole answer, when it is there.
    fn read(&mut self) -> Option<String> {
        let mut buffer = [0; 16 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => panic!("the node closed the connection: {:?}", String::from_utf8_lossy(&self.came)),
                Ok(size) => self.came.extend_from_slice(&buffer[..size]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let text = str::from_utf8(&self.came).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
        let is_whole = length.map_or_else(|| body.ends_with("0\r\n\r\n"), |length| body.len() >= length);
        is_whole.then(|| text.to_owned())
    }
}

/// The port that a process listens on.
fn listening(process: u32) -> u16 {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap_or_default();
        // State 0A is listening; there may be other programs' in it, so only this process's inodes count.
        let own = |inode: &str| {
            let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
            let socket = format!("socket:[{inode}]");
            files.filter_map(|file| fs::read_link(file.path()).ok()).any(|link| link.as_os_str() == socket.as_str())
        };
        let port = table.lines().skip(1).find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let is_it = columns.get(3) == Some(&"0A") && columns.get(9).is_some_and(|inode| own(inode));
            is_it.then(|| u16::from_str_radix(columns[1].split(':').nth(1)?, 16).ok()).flatten()
        });
        if let Some(port) = port {
            return port;
        }
    }
    panic!("the node does not listen for webhooks");
}

/// Processor time of the node, seconds.
fn cpu(node: &Service) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.id())).expect("the node runs");
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<f64> = after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    fields.iter().sum::<f64>() / TICKS
}

/// Memory of the node, MiB.
fn resident(node: &Service) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.id())).expect("the node runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().map_or(f64::NAN, |kib| kib / 1024.0)
}
