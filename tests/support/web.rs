//! An HTTP server for steps that call out. It notes every request and can hold answers back, which makes a step that
//! waits for exactly as long as a test wants.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use super::wait::patience;

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its path.
    pub path: String,
    /// Its header `idempotency-key`.
    pub key: Option<String>,
    /// Its header `authorization`.
    pub authorization: Option<String>,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    held: HashSet<String>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The server. It answers `{"path": …}` to everything.
pub struct Web {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Web {
    /// Starts one on a free port of the loopback.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (shared, address) = (Arc::<Shared>::default(), listener.local_addr().unwrap());
        let server = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                // A connection that breaks off is a client that was killed.
                thread::spawn(move || server.answer(stream).ok());
            }
        });
        Self { shared, address }
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Holds answers for this path back from now on.
    pub fn hold(&self, path: &str) {
        self.shared.state.lock().unwrap().held.insert(path.to_owned());
    }

    /// Answers everything again, what is held back first.
    pub fn release(&self) {
        self.shared.state.lock().unwrap().held.clear();
        self.shared.changed.notify_all();
    }

    /// The requests for this path so far.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        let state = self.shared.state.lock().unwrap();
        state.requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// Waits until so many requests for this path have come.
    #[track_caller]
    pub fn wait_requests(&self, path: &str, number: usize) {
        let state = self.shared.state.lock().unwrap();
        let count = |state: &State| state.requests.iter().filter(|request| request.path == path).count();
        let (state, waited) =
            self.shared.changed.wait_timeout_while(state, patience(), |state| count(state) < number).unwrap();
        let came = count(&state);
        drop(state);
        assert!(!waited.timed_out(), "{came} of {number} requests came for {path}");
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut length, mut key, mut authorization) = (0, None, None);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "idempotency-key" => key = Some(value.trim().to_owned()),
                "authorization" => authorization = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        reader.take(length).read_to_end(&mut Vec::new())?;
        let mut state = self.state.lock().unwrap();
        state.requests.push(Request { path: path.clone(), key, authorization });
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| state.held.contains(&path)).unwrap());
        let body = serde_json::json!({ "path": path }).to_string();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }
}
