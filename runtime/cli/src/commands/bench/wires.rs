//! Runs through the wires of a service of its own, over connections that stay open: from a request to the answer with the end
//! of its run. The processor time and the memory are the service's; who asks is this process.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpStream, UnixStream},
};

use super::{
    Figure,
    figures::{BenchError, cpu_seconds_of, figure, percentile},
    process::{Service, resident_mib},
};

/// Requests in flight.
const CROWD: usize = 64;
/// Runs a second of an even load.
const EVEN: u32 = 200;
/// Longer than any answer here should take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a request goes.
#[derive(Clone)]
enum Way {
    /// The service's socket.
    Socket(PathBuf),
    /// Its address for webhooks.
    Hook(u16),
}

/// What came of many requests.
struct Load {
    rate: f64,
    times_ms: Vec<f64>,
    cpu_s_per_1000: f64,
}

/// All figures, each over this time.
pub async fn measure(root: &Path, time: Duration) -> Result<Vec<Figure>, BenchError> {
    // Free now; it is asked for at once.
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let config = format!("[node]\nname = \"bench\"\n[http_server]\nlisten = \"127.0.0.1:{port}\"\n");
    let before = fs::read(root.join("trackside.toml"))?;
    fs::write(root.join("trackside.toml"), config)?;
    fs::write(root.join("workflows/wired.yaml"), include_str!("wired.yaml"))?;
    let service = Service::start(root)?;
    let (socket, hook) = (Way::Socket(root.join(".trackside/trackside.sock")), Way::Hook(port));
    // Plugins are loaded in the background, and pools fill.
    crowd(&service, &socket, time / 8).await?;
    let mut wired = crowd(&service, &socket, time).await?;
    let hooked = crowd(&service, &hook, time).await?;
    let memory = resident_mib(service.id()).unwrap_or(f64::NAN);
    let even = evenly(&service, &socket, time).await?;
    drop(service);
    fs::remove_file(root.join("workflows/wired.yaml"))?;
    fs::write(root.join("trackside.toml"), before)?;
    Ok(vec![
        figure("runs_per_s_64_http", "runs per second over the socket, 64 wait for their end", "/s", wired.rate),
        figure("http_ms_p50_64", "one of them, median", "ms", percentile(&mut wired.times_ms, 0.5)),
        figure("http_ms_p99_64", "one of them, 99th percentile", "ms", percentile(&mut wired.times_ms, 0.99)),
        figure("cpu_s_per_1000_http", "processor time of the service for 1000 of them", "s", wired.cpu_s_per_1000),
        figure("hook_runs_per_s_64", "webhooks per second, each its own body, 64 wait", "/s", hooked.rate),
        figure("cpu_s_per_1000_hooks", "processor time of the service for 1000 of them", "s", hooked.cpu_s_per_1000),
        figure("cpu_s_per_1000_at_200", "processor time for 1000 that come at 200 a second", "s", even),
        figure("rss_after_load_mib", "memory of the service after all of these", "MiB", memory),
    ])
}

/// Many at a time, each asked for when the one before it has its answer.
async fn crowd(service: &Service, way: &Way, time: Duration) -> Result<Load, BenchError> {
    let (began, before) = (Instant::now(), cpu_seconds_of(service.id()));
    let clients: Vec<_> = (0..CROWD).map(|client| tokio::spawn(client_of(way.clone(), client, began, time))).collect();
    let mut times_ms = Vec::new();
    for client in clients {
        times_ms.extend(client.await.map_err(|error| BenchError::Other(error.to_string()))??);
    }
    let runs = times_ms.len() as f64;
    let cpu_s_per_1000 = (cpu_seconds_of(service.id()) - before) * 1e3 / runs;
    Ok(Load { rate: runs / began.elapsed().as_secs_f64(), times_ms, cpu_s_per_1000 })
}

/// So many a second, whatever the answers take; gives the processor time for 1000.
async fn evenly(service: &Service, way: &Way, time: Duration) -> Result<f64, BenchError> {
    let runs = (EVEN.saturating_mul(u32::try_from(time.as_secs()).unwrap_or(u32::MAX))).max(EVEN);
    let before = cpu_seconds_of(service.id());
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / EVEN);
    let mut clients = Vec::new();
    // As many connections as a slow moment needs; each has its turn after the others.
    let mut idle: Vec<Client> = Vec::new();
    let (back, mut given_back) = tokio::sync::mpsc::unbounded_channel();
    for run in 0..runs {
        ticks.tick().await;
        while let Ok(client) = given_back.try_recv() {
            idle.push(client);
        }
        let mut client = match idle.pop() {
            Some(client) => client,
            None => Client::connect(way).await?,
        };
        let (way, back) = (way.clone(), back.clone());
        clients.push(tokio::spawn(async move {
            client.ask(&way, u64::from(run)).await?;
            // Nobody takes it back in the end.
            let _ = back.send(client);
            Ok::<_, BenchError>(())
        }));
    }
    for client in clients {
        client.await.map_err(|error| BenchError::Other(error.to_string()))??;
    }
    Ok((cpu_seconds_of(service.id()) - before) * 1e3 / f64::from(runs))
}

/// One after the other; gives how long each took, milliseconds.
async fn client_of(way: Way, number: usize, began: Instant, time: Duration) -> Result<Vec<f64>, BenchError> {
    let mut client = Client::connect(&way).await?;
    let mut times = Vec::new();
    while began.elapsed() < time || times.is_empty() {
        let asked = Instant::now();
        // No two have one body.
        client.ask(&way, ((number as u64) << 32) + times.len() as u64).await?;
        times.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A connection.
struct Client(BufReader<Box<dyn Wire>>);

impl Client {
    async fn connect(way: &Way) -> Result<Self, BenchError> {
        let wire: Box<dyn Wire> = match way {
            Way::Socket(path) => Box::new(UnixStream::connect(path).await?),
            Way::Hook(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        };
        Ok(Self(BufReader::new(wire)))
    }

    /// Asks for a run and waits for its end.
    async fn ask(&mut self, way: &Way, number: u64) -> Result<(), BenchError> {
        let (path, body) = match way {
            Way::Socket(_) => ("/v1/runs", r#"{"workflow":"wired"}"#.to_owned()),
            Way::Hook(_) => ("/hooks/wired", format!("{{\"n\":{number}}}")),
        };
        let length = body.len();
        let request = format!(
            "POST {path}?wait=30s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes()).await?;
        let answer = tokio::time::timeout(PATIENCE, self.answer()).await;
        let answer = answer.map_err(|_| BenchError::Other("an answer did not come within 30 s".into()))??;
        if !answer.contains(r#""state":"succeeded""#) {
            return Err(BenchError::Other(format!("a run did not end well: {answer}")));
        }
        Ok(())
    }

    async fn answer(&mut self) -> Result<String, BenchError> {
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            if self.0.read_line(&mut line).await? == 0 {
                return Err(BenchError::Other("the service closed a connection".into()));
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}
