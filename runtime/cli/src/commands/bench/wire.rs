//! A node as its users see it: in a process of its own, through its socket and its port.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use trackside_control::socket_path;
use trackside_node::Project;

use super::{
    Figure,
    ask::{START, accepted, all_ended, ended},
    client::{Address, Connection, post},
    figures::{BenchError, cpu_seconds_of, figure, percentile, resident_mib},
    load::{Load, Pace, drive},
    process::Service,
};

/// Connections, each with one request under way.
const CROWD: u32 = 64;
/// What a box that is far from busy gets in a second.
const CALM: u32 = 200;

/// The node and where it listens.
struct Wire {
    service: Service,
    socket: Address,
    hooks: Address,
}

/// What came of many requests.
struct Came {
    rate: f64,
    times_ms: Vec<f64>,
    cpu_s_per_1000: f64,
}

/// Measures, on a project of its own below `root`; each load for `time`.
pub async fn measure(root: &Path, time: Duration) -> Result<Vec<Figure>, BenchError> {
    let wire = Wire::start(&root.join("wire"))?;
    // The calm first: it is about a box that has not seen more.
    let calm = wire.calm(time).await?;
    let mut runs = wire.runs(time).await?;
    let hooks = wire.hooks(time).await?;
    let memory = resident_mib(wire.service.id()).unwrap_or(f64::NAN);
    Ok(vec![
        figure("runs_per_s_64_http", "one-step runs per second over the socket, to their end, 64", "/s", runs.rate),
        figure("http_ms_p50_64", "one of them, median", "ms", percentile(&mut runs.times_ms, 0.5)),
        figure("http_ms_p99_64", "one of them, 99th percentile", "ms", percentile(&mut runs.times_ms, 0.99)),
        figure("cpu_s_per_1000_http", "processor time of the service for 1000 of them", "s", runs.cpu_s_per_1000),
        figure("hook_runs_per_s_64", "one-step runs per second by webhook, a body each, 64", "/s", hooks.rate),
        figure("cpu_s_per_1000_hooks", "processor time of the service for 1000 of them", "s", hooks.cpu_s_per_1000),
        figure("cpu_s_per_1000_at_200", "processor time for 1000 runs of 200 a second", "s", calm),
        figure("rss_after_load_mib", "memory of the service after these loads", "MiB", memory),
    ])
}

impl Wire {
    fn start(root: &Path) -> Result<Self, BenchError> {
        // Free a moment ago; a number can not be given to another process any better.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        fs::create_dir_all(root.join("workflows"))?;
        fs::write(
            root.join("trackside.toml"),
            format!("[node]\nname = \"bench\"\n\n[http_server]\nlisten = \"127.0.0.1:{port}\"\n"),
        )?;
        fs::write(root.join("workflows/one.yaml"), include_str!("one.yaml"))?;
        fs::write(root.join("workflows/hook.yaml"), include_str!("hook.yaml"))?;
        let project = Project::open(root).map_err(|error| BenchError::Other(error.to_string()))?;
        let (service, _) = Service::start(root)?;
        let socket = Address::Unix(socket_path(&project.data_dir()));
        Ok(Self { service, socket, hooks: Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) })
    }

    /// Runs that are waited for by whoever asks for them.
    async fn runs(&self, time: Duration) -> Result<Came, BenchError> {
        let request = post(START, r#"{"workflow":"one"}"#);
        self.crowd(&self.socket, time, async move |connection, _| ended(connection, &request).await).await
    }

    /// Webhooks, each with a body of its own, whose runs are waited for.
    async fn hooks(&self, time: Duration) -> Result<Came, BenchError> {
        let work = async |connection: &mut Connection, number| {
            let body = format!("{{\"pump\":\"north-3\",\"reading\":{number},\"unit\":\"bar\"}}");
            ended(connection, &post("/hooks/bench?wait=10s", &body)).await
        };
        self.crowd(&self.hooks, time, work).await
    }

    /// As many as end, from so many at a time.
    async fn crowd<F>(&self, address: &Address, time: Duration, work: F) -> Result<Came, BenchError>
    where
        F: AsyncFn(&mut Connection, u64) -> std::io::Result<()> + 'static,
    {
        let load = Load { address: address.clone(), connections: CROWD, pace: Pace::Closed, time };
        let before = cpu_seconds_of(self.service.id());
        let seen = drive(&load, work).await?;
        let runs = seen.samples.len() as f64;
        let cpu_s_per_1000 = (cpu_seconds_of(self.service.id()) - before) * 1e3 / runs;
        Ok(Came { rate: runs / seen.seconds, times_ms: seen.samples, cpu_s_per_1000 })
    }

    /// Runs that come at an even pace: the node's processor time for 1000 of them.
    async fn calm(&self, time: Duration) -> Result<f64, BenchError> {
        let request = post("/v1/runs", r#"{"workflow":"one"}"#);
        let load = Load { address: self.socket.clone(), connections: CROWD, pace: Pace::PerSecond(CALM), time };
        let before = cpu_seconds_of(self.service.id());
        let seen = drive(&load, async move |connection, _| accepted(connection, &request).await).await?;
        all_ended(&mut Connection::open(&self.socket).await?).await?;
        Ok((cpu_seconds_of(self.service.id()) - before) * 1e3 / seen.samples.len() as f64)
    }
}
