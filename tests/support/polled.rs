//! A server that gives one thing, which the test changes. It notes what it was asked.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use super::wait::wait_until;

/// What is answered from now on.
#[derive(Clone, Default)]
pub struct Answer {
    pub status: u16,
    /// Lines, each with its end.
    pub headers: String,
    pub body: Vec<u8>,
    /// So many bytes of the body are sent, and then nothing.
    pub stops_after: Option<usize>,
}

impl Answer {
    pub fn ok(body: &str) -> Self {
        Self { status: 200, body: body.into(), ..Self::default() }
    }

    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

#[derive(Default)]
struct State {
    answer: Answer,
    /// Path and headers of each request, in small letters.
    asked: Vec<String>,
    /// The status of each answer.
    told: Vec<u16>,
}

/// The server.
pub struct Polled {
    state: Arc<(Mutex<State>, Condvar)>,
    address: SocketAddr,
}

impl Polled {
    pub fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (state, address) = (Arc::<(Mutex<State>, Condvar)>::default(), listener.local_addr().unwrap());
        state.0.lock().unwrap().answer = answer;
        let server = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                // A client that is killed breaks off.
                thread::spawn(move || serve(&server, stream).ok());
            }
        });
        Self { state, address }
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, answer: Answer) {
        self.state.0.lock().unwrap().answer = answer;
    }

    pub fn asked(&self) -> Vec<String> {
        self.state.0.lock().unwrap().asked.clone()
    }

    /// Waits until it has answered so often with this status; gives what it was asked last.
    pub fn wait_told(&self, status: u16, times: usize) -> String {
        wait_until(&format!("{times} answers {status}"), || {
            let state = self.state.0.lock().unwrap();
            let told = state.told.iter().filter(|told| **told == status).count();
            (told >= times).then(|| state.asked.last().cloned().unwrap_or_default())
        })
    }

    /// How often it has answered with this status.
    pub fn told(&self, status: u16) -> usize {
        self.state.0.lock().unwrap().told.iter().filter(|told| **told == status).count()
    }
}

fn serve(server: &(Mutex<State>, Condvar), mut stream: TcpStream) -> std::io::Result<()> {
    let mut asked = String::new();
    let mut lines = BufReader::new(stream.try_clone()?);
    while lines.read_line(&mut asked)? > 2 {}
    let asked = asked.to_lowercase();
    let header = |text: &str, name: &str| -> Option<String> {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        line.map(|line| line.trim().to_owned())
    };
    let mut answer = server.0.lock().unwrap().answer.clone();
    let given = answer.headers.to_lowercase();
    for (validator, condition) in [("etag", "if-none-match"), ("last-modified", "if-modified-since")] {
        let has = header(&given, validator);
        if has.is_some() && has == header(&asked, condition) {
            answer = Answer { status: 304, headers: answer.headers.clone(), ..Answer::default() };
        }
    }
    {
        let mut state = server.0.lock().unwrap();
        state.asked.push(asked);
        state.told.push(answer.status);
    }
    server.1.notify_all();
    let Answer { status, headers, body, stops_after } = answer;
    let length = if status == 304 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    write!(stream, "HTTP/1.1 {status} X\r\n{headers}{length}connection: close\r\n\r\n")?;
    stream.write_all(&body[..stops_after.unwrap_or(body.len())])?;
    if stops_after.is_some() {
        // Until the client has had enough.
        let mut rest = String::new();
        lines.read_line(&mut rest)?;
    }
    Ok(())
}
