//! A client for HTTP/1.1 over one kept connection, as small as can be: what it costs must not be seen in what is measured.
//!
//! One answer at a time, whole in memory. It speaks to servers that were started for a measurement, and to no others.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

/// Where a server listens.
#[derive(Debug, Clone)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A port.
    Tcp(SocketAddr),
}

/// More than any answer has: a server that goes on without end is cut off.
const MOST: usize = 16 << 20;
/// What is read at a time.
const PIECE: usize = 16 << 10;

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    /// What came and was not used yet.
    came: Vec<u8>,
    body: Vec<u8>,
}

/// What a server says.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

/// How long a body is.
enum Length {
    Known(usize),
    Chunked,
}

impl Connection {
    /// Connects. Small requests leave at once.
    pub async fn open(address: &Address) -> io::Result<Self> {
        let stream: Box<dyn Stream> = match address {
            Address::Unix(path) => Box::new(UnixStream::connect(Path::new(path)).await?),
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        };
        Ok(Self { stream, came: Vec::with_capacity(PIECE), body: Vec::new() })
    }

    /// Sends a request, and waits for the whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        let (status, length) = self.head().await?;
        self.body.clear();
        match length {
            Length::Known(length) => self.take(length).await?,
            Length::Chunked => loop {
                let line = self.line().await?;
                let digits = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(digits, 16).map_err(|_| strange("the size of a chunk"))?;
                self.take(size).await?;
                // The line end of the chunk, or the empty line after the last.
                self.line().await?;
                if size == 0 {
                    break;
                }
            },
        }
        Ok(Answer { status, body: &self.body })
    }

    /// Status and length of the body.
    async fn head(&mut self) -> io::Result<(u16, Length)> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| strange("the first line of an answer"))?;
        let mut length = Length::Known(0);
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok((status, length));
            }
            let Some((name, value)) = line.split_once(':') else { return Err(strange("a header")) };
            if name.eq_ignore_ascii_case("content-length") {
                length = Length::Known(value.trim().parse().map_err(|_| strange("the length of a body"))?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                length = Length::Chunked;
            }
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut looked = 0;
        loop {
            if let Some(end) = self.came[looked..].windows(2).position(|two| two == b"\r\n").map(|end| end + looked) {
                let line = String::from_utf8_lossy(&self.came[..end]).into_owned();
                self.came.drain(..end + 2);
                return Ok(line);
            }
            looked = self.came.len().saturating_sub(1);
            self.more().await?;
        }
    }

    /// Moves so many bytes to the body.
    async fn take(&mut self, length: usize) -> io::Result<()> {
        if length > MOST - self.body.len() {
            return Err(strange("the size of an answer"));
        }
        while self.came.len() < length {
            self.more().await?;
        }
        self.body.extend(self.came.drain(..length));
        Ok(())
    }

    async fn more(&mut self) -> io::Result<()> {
        if self.came.len() > MOST {
            return Err(strange("the size of an answer"));
        }
        self.came.reserve(PIECE);
        match self.stream.read_buf(&mut self.came).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn strange(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is not what HTTP allows, or too large"))
}

/// The bytes of a `POST` of a JSON document.
pub fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// The bytes of a `GET`.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    /// What the client makes of bytes that come in these pieces.
    async fn answered(pieces: &'static [&'static str]) -> io::Result<Vec<(u16, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server");
        let listener = UnixListener::bind(&path).unwrap();
        let server = async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let client = async move {
            let mut connection = Connection::open(&Address::Unix(path)).await?;
            let mut answers = Vec::new();
            for _ in 0..2 {
                let answer = connection.ask(&get("/")).await?;
                answers.push((answer.status, String::from_utf8_lossy(answer.body).into_owned()));
            }
            Ok(answers)
        };
        tokio::join!(server, client).1
    }

    #[tokio::test]
    async fn answers_of_known_and_of_unknown_length_are_told_apart_wherever_they_are_cut() {
        let pieces = &[
            "HTTP/1.1 202 Acc",
            "epted\r\nContent-Length: 5\r",
            "\n\r\nab",
            "cdeHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nfg",
            "h\r\nA;x=1\r\n0123456789\r\n0\r\n\r",
            "\n",
        ];
        let answers = answered(pieces).await.unwrap();
        assert_eq!(answers, [(202, "abcde".to_owned()), (200, "fgh0123456789".to_owned())]);
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        assert!(answered(&["hello\r\n\r\n"]).await.is_err());
        assert!(answered(&["HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"]).await.is_err());
        assert!(answered(&["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234"]).await.is_err());
    }
}
