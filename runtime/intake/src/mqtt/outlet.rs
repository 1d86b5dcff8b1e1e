//! What the rest of the node sees of the brokers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use trackside_codes::Told;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use trackside_outbox::{Publication, Publish};
use trackside_spec::config::MqttConfig;
use trackside_sync::lock;

use super::{client::BrokerClient, inbound::Inbound, topics::Listener};

/// How long a change of who listens is waited for.
const LISTEN: Duration = Duration::from_secs(5);

/// All brokers of the config. Dropping it ends their connections.
pub struct Brokers {
    outlets: Mutex<BTreeMap<String, Outlet>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Outlet {
    connected: Arc<AtomicBool>,
    problem: Problem,
    orders: UnboundedSender<Order>,
}

/// What is wrong with a broker, if something is.
pub(super) type Problem = Arc<Mutex<Option<Told>>>;

/// How a broker stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerStatus {
    /// Its name in the config.
    pub name: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// Why there is none, or why it does not last.
    pub problem: Option<String>,
}

/// To a client.
pub(super) enum Order {
    /// Send this.
    Publish(Publication),
    /// Something is to be published: connect, if that has not been done yet.
    Connect,
    /// Other triggers listen from now on.
    Listen(Vec<Listener>, Heard),
}

/// Dropped when the client listens as it is told to.
pub(super) struct Heard {
    _done: std::sync::mpsc::Sender<()>,
}

/// A client: its broker's name, its settings, what it tells of itself, and what it is told.
type Unstarted = (String, MqttConfig, (Arc<AtomicBool>, Problem), UnboundedReceiver<Order>);

/// Clients that are to be started.
pub struct Waiting {
    clients: Vec<Unstarted>,
}

impl Brokers {
    /// The brokers of the config, and what [`Brokers::start`] needs to connect to them. Until then all are away.
    #[must_use]
    pub fn new(config: &BTreeMap<String, MqttConfig>) -> (Self, Waiting) {
        let (mut outlets, mut clients) = (BTreeMap::new(), Vec::new());
        for (name, settings) in config {
            let connected = Arc::new(AtomicBool::new(false));
            let (orders, taken) = unbounded_channel();
            let problem = Problem::default();
            let outlet = Outlet { connected: connected.clone(), problem: problem.clone(), orders };
            outlets.insert(name.clone(), outlet);
            clients.push((name.clone(), settings.clone(), (connected, problem), taken));
        }
        (Self { outlets: Mutex::new(outlets), thread: Mutex::default() }, Waiting { clients })
    }

    /// Starts the thread that holds the connections. A broker without listeners is connected to when there is something
    /// to publish. `wake` is called whenever a broker has become reachable.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn start(
        &self,
        waiting: Waiting,
        mut listeners: BTreeMap<String, Vec<Listener>>,
        inbound: &Inbound,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> std::io::Result<()> {
        if waiting.clients.is_empty() {
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let clients: Vec<BrokerClient> = waiting
            .clients
            .into_iter()
            .map(|(name, config, (connected, problem), orders)| {
                let listeners = listeners.remove(&name).unwrap_or_default();
                BrokerClient {
                    name,
                    config,
                    listeners,
                    connected,
                    problem,
                    orders,
                    inbound: inbound.clone(),
                    wake: wake.clone(),
                }
            })
            .collect();
        let work = move || {
            runtime.block_on(async move {
                let mut all = tokio::task::JoinSet::new();
                for client in clients {
                    all.spawn(client.work());
                }
                while all.join_next().await.is_some() {}
            });
        };
        let thread = std::thread::Builder::new().name("mqtt".into()).spawn(work)?;
        *lock(&self.thread) = Some(thread);
        Ok(())
    }

    /// How each broker stands, by name.
    pub fn status(&self) -> Vec<BrokerStatus> {
        let outlets = lock(&self.outlets);
        let status = |(name, outlet): (&String, &Outlet)| BrokerStatus {
            name: name.clone(),
            connected: outlet.connected.load(Ordering::Acquire),
            problem: lock(&outlet.problem).as_ref().map(Told::to_string),
        };
        outlets.iter().map(status).collect()
    }

    /// Has other triggers listen. A broker that is away is told when it is back; where there is a connection, the wishes are on
    /// their way when this returns. Must not be called on the thread of the brokers.
    pub(super) fn listen(&self, mut listeners: BTreeMap<String, Vec<Listener>>) {
        let (done, all_done) = std::sync::mpsc::channel();
        {
            let outlets = lock(&self.outlets);
            for (name, outlet) in &*outlets {
                let listeners = listeners.remove(name).unwrap_or_default();
                // A client that has ended listens to nothing.
                let _ = outlet.orders.send(Order::Listen(listeners, Heard { _done: done.clone() }));
            }
        }
        drop(done);
        // Nothing is ever sent: it ends when all have dropped theirs, or are too busy connecting.
        let _ = all_done.recv_timeout(LISTEN);
    }

    /// Ends the connections and waits for that. From then on all brokers are away. To be called while the dispatcher
    /// still answers.
    pub(super) fn close(&self) {
        // Without orders to wait for the clients end.
        lock(&self.outlets).clear();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Publish for Brokers {
    fn publish(&self, broker: &str, publication: Publication) -> Result<(), Publication> {
        let outlets = lock(&self.outlets);
        let Some(outlet) = outlets.get(broker) else { return Err(publication) };
        if !outlet.connected.load(Ordering::Acquire) {
            // A client that has ended takes no orders, and publishes nothing.
            let _ = outlet.orders.send(Order::Connect);
            return Err(publication);
        }
        match outlet.orders.send(Order::Publish(publication)) {
            Err(unsent) => match unsent.0 {
                Order::Publish(publication) => Err(publication),
                Order::Connect | Order::Listen(..) => Ok(()),
            },
            Ok(()) => Ok(()),
        }
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        self.close();
    }
}
