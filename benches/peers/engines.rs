//! The engines, each started in an empty folder.

use std::{
    fs, io,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    ask,
    client::{Address, Connection, post},
    disk, install,
    load::{self, Load, Pace},
    process::Tree,
    work::{Ask, Disk, Ended, Engine, Work},
};

/// No start takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked whether it has started.
const LOOK: Duration = Duration::from_millis(20);

/// The workflows are those of `trackside bench`.
const WORKFLOWS: [(&str, &str); 4] = [
    ("one.yaml", include_str!("../../runtime/cli/src/commands/bench/one.yaml")),
    ("chain.yaml", include_str!("../../runtime/cli/src/commands/bench/chain.yaml")),
    ("fan.yaml", include_str!("../../runtime/cli/src/commands/bench/fan.yaml")),
    ("hook.yaml", include_str!("../../runtime/cli/src/commands/bench/hook.yaml")),
];

/// How runs are asked of a Trackside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over its socket, each waited for until its end.
    Socket,
    /// By webhook, each with a body of its own; the time goes on until all have ended.
    Hook,
}

struct Trackside {
    tree: Tree,
    way: Way,
    runtime: Runtime,
    socket: Address,
    hooks: Address,
}

/// A `trackside serve`.
pub fn trackside(way: Way, folder: &Path, disk: Disk) -> io::Result<Box<dyn Engine>> {
    let port = free_port()?;
    fs::create_dir_all(folder.join("workflows"))?;
    for (name, text) in WORKFLOWS {
        fs::write(folder.join("workflows").join(name), text)?;
    }
    let config = format!("[node]\nname = \"peers\"\n\n[http_server]\nlisten = \"127.0.0.1:{port}\"\n");
    fs::write(folder.join("trackside.toml"), config)?;
    let mut command = disk::on(disk, folder, env!("CARGO_BIN_EXE_trackside"))?;
    command.arg("--project").arg(folder).args(["--quiet", "serve"]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut tree = Tree::start(&mut command)?;
    let (socket, runtime) = (Address::Unix(folder.join(".trackside/trackside.sock")), runtime()?);
    let request = post(ask::START, r#"{"workflow":"one"}"#);
    started(&mut tree, || {
        runtime.block_on(async { ask::ended(&mut Connection::open(&socket).await?, &request).await })
    })?;
    let hooks = Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    Ok(Box::new(Trackside { tree, way, runtime, socket, hooks }))
}

impl Engine for Trackside {
    fn trees(&self) -> Vec<&Tree> {
        vec![&self.tree]
    }

    fn can(&self, ask: &Ask) -> bool {
        self.way == Way::Socket || ask.work == Work::One
    }

    fn work(&mut self, ask: &Ask) -> io::Result<Ended> {
        let start = Instant::now();
        if self.way == Way::Socket {
            let request = post(ask::START, &json!({ "workflow": ask.work.name() }).to_string());
            let work = async move |connection: &mut Connection, _| ask::ended(connection, &request).await;
            return self.runtime.block_on(load::drive(&load_of(ask, &self.socket), work)).map(ended);
        }
        let work = async |connection: &mut Connection, number| {
            ask::accepted(connection, &post("/hooks/bench", &json!({ "reading": number }).to_string())).await
        };
        let seen = self.runtime.block_on(async {
            let seen = load::drive(&load_of(ask, &self.hooks), work).await?;
            ask::all_ended(&mut Connection::open(&self.socket).await?).await?;
            Ok::<_, io::Error>(seen)
        })?;
        Ok(Ended { samples: seen.samples, seconds: start.elapsed().as_secs_f64() })
    }
}

struct Restate {
    server: Tree,
    service: Tree,
    runtime: Runtime,
    ingress: Address,
}

/// Restate's server with so many partitions (`None`: as it is shipped), and the service that it calls. Its answer comes when
/// the invocation has ended and that is on disk.
pub fn restate(
    installed: &install::Restate,
    partitions: Option<u32>,
    folder: &Path,
    disk: Disk,
) -> io::Result<Box<dyn Engine>> {
    let [ingress, admin, node, calls] = [free_port()?, free_port()?, free_port()?, free_port()?];
    let mut command = Command::new(&installed.service);
    let mut service = Tree::start(command.arg(calls.to_string()).stdin(Stdio::null()).stdout(Stdio::null()))?;
    let mut command = disk::on(disk, folder, &installed.server)?;
    command.arg("--base-dir").arg(folder.join("data")).args(["--no-logo", "--listen-mode", "tcp"]);
    command.args(["--bind-ip", "127.0.0.1", "--bind-port", &node.to_string()]);
    command.env("RESTATE_INGRESS__BIND_PORT", ingress.to_string()).env("RESTATE_ADMIN__BIND_PORT", admin.to_string());
    command.env("RESTATE_DISABLE_TELEMETRY", "true").current_dir(folder);
    if let Some(partitions) = partitions {
        command.env("RESTATE_DEFAULT_NUM_PARTITIONS", partitions.to_string());
    }
    let mut server = Tree::start(command.stdin(Stdio::null()).stdout(Stdio::null()))?;
    let address = |port: u16| Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let runtime = runtime()?;
    let ask_once = |address: &Address, request: &[u8]| {
        runtime.block_on(async { answered(&mut Connection::open(address).await?, request).await })
    };
    let uri = json!({ "uri": format!("http://127.0.0.1:{calls}/") }).to_string();
    started(&mut server, || ask_once(&address(admin), &post("/deployments", &uri)))?;
    started(&mut service, || ask_once(&address(ingress), &post("/Work/one", "1")))?;
    let ingress = address(ingress);
    Ok(Box::new(Restate { server, service, runtime, ingress }))
}

impl Engine for Restate {
    fn trees(&self) -> Vec<&Tree> {
        vec![&self.server, &self.service]
    }

    fn can(&self, _: &Ask) -> bool {
        true
    }

    fn work(&mut self, ask: &Ask) -> io::Result<Ended> {
        let path = format!("/Work/{}", ask.work.name());
        let work = async move |connection: &mut Connection, number: u64| {
            answered(connection, &post(&path, &number.to_string())).await
        };
        self.runtime.block_on(load::drive(&load_of(ask, &self.ingress), work)).map(ended)
    }
}

/// An engine without a wire: a script that holds it does the work and says how it went, a line for each.
struct Script {
    trees: Vec<Tree>,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    can: fn(&Ask) -> bool,
}

/// DBOS in the script's own process.
pub fn dbos(python: &Path, folder: &Path, disk: Disk) -> io::Result<Box<dyn Engine>> {
    let mut command = disk::on(disk, folder, python)?;
    command.arg(script("dbos_work.py")).arg(folder);
    Script::start(command, Vec::new(), |ask| matches!(ask.pace, Pace::Closed))
}

/// Huey: the script asks, a consumer works.
pub fn huey(python: &Path, folder: &Path, disk: Disk) -> io::Result<Box<dyn Engine>> {
    let place = |command: &mut Command| {
        command.env("PEERS_FOLDER", folder).env("PYTHONPATH", scripts()).env("PYTHONDONTWRITEBYTECODE", "1");
    };
    let mut consumer = disk::on(disk, folder, python)?;
    consumer.args(["-m", "huey.bin.huey_consumer", "huey_work.huey", "-w", "1", "-k", "thread"]);
    consumer.args(["-d", "0.005", "-b", "1", "-m", "0.005", "-q"]).stdin(Stdio::null()).stdout(Stdio::null());
    place(&mut consumer);
    let consumer = Tree::start(&mut consumer)?;
    let mut command = disk::on(disk, folder, python)?;
    command.args(["-c", "import huey_work; huey_work.main()"]);
    place(&mut command);
    Script::start(command, vec![consumer], |ask| matches!(ask.pace, Pace::Closed) && ask.work != Work::Fan)
}

impl Script {
    fn start(mut command: Command, mut trees: Vec<Tree>, can: fn(&Ask) -> bool) -> io::Result<Box<dyn Engine>> {
        let mut tree = Tree::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let (asks, answers) = (tree.child().stdin.take(), tree.child().stdout.take());
        let (Some(asks), Some(answers)) = (asks, answers) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        trees.push(tree);
        let mut script = Self { trees, asks, answers: BufReader::new(answers), can };
        script.line()?;
        Ok(Box::new(script))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err(io::Error::other("the script has ended")),
            _ => Ok(line),
        }
    }
}

impl Engine for Script {
    fn trees(&self) -> Vec<&Tree> {
        self.trees.iter().collect()
    }

    fn can(&self, ask: &Ask) -> bool {
        (self.can)(ask)
    }

    fn work(&mut self, ask: &Ask) -> io::Result<Ended> {
        #[derive(Deserialize)]
        struct Said {
            samples: Vec<f64>,
            seconds: f64,
        }
        writeln!(self.asks, "{} {} {}", ask.work.name(), ask.in_flight, ask.time.as_secs_f64())?;
        let Said { samples, seconds } = serde_json::from_str(&self.line()?)?;
        Ok(Ended { samples, seconds })
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers")
}

fn script(name: &str) -> PathBuf {
    scripts().join(name)
}

fn load_of(ask: &Ask, address: &Address) -> Load {
    Load { address: address.clone(), connections: ask.in_flight, pace: ask.pace, time: ask.time }
}

fn ended(seen: load::Seen) -> Ended {
    Ended { samples: seen.samples, seconds: seen.seconds }
}

/// Asks, and takes any answer that is not of an error.
async fn answered(connection: &mut Connection, request: &[u8]) -> io::Result<()> {
    let answer = connection.ask(request).await?;
    match answer.status {
        200..300 => Ok(()),
        status => Err(io::Error::other(format!("status {status}: {}", String::from_utf8_lossy(answer.body)))),
    }
}

/// Tries until it works, as long as the process lives.
fn started(tree: &mut Tree, mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) if began.elapsed() > PATIENCE || !tree.is_alive() => {
                return Err(io::Error::other(format!("does not start: {error}")));
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Free a moment ago.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
