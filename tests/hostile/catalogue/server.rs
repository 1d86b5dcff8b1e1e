//! A server that may answer as no server does.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A server on a free port of the loopback; it lives as long as the program.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub origin: String,
    /// Its port.
    pub port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers every request with `answer`, which gets the request's head. Its error is a client that has hung up.
    pub fn start(answer: impl Fn(&mut TcpStream, &str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, heads) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
        let (noted, answer) = (heads.clone(), Arc::new(answer));
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (noted, answer) = (noted.clone(), answer.clone());
                thread::spawn(move || {
                    let head = head(&stream)?;
                    noted.lock().unwrap().push(head.clone());
                    answer(&mut stream, &head)
                });
            }
        });
        Self { origin: format!("http://127.0.0.1:{port}"), port, heads }
    }

    /// Answers every request with this text.
    pub fn says(text: &'static str) -> Self {
        Self::start(move |stream, _| write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()))
    }

    /// The heads of the requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn head(stream: &TcpStream) -> io::Result<String> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}
