//! One broker: keeps the connection, acknowledges in order, matches publications with their acknowledgements.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use trackside_codes::{Class, Coded, Reason, Told, code};

use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::Instant,
};
use trackside_outbox::{Publication, Sent};
use trackside_spec::{Digest, config::MqttConfig};
use trackside_sync::lock;

use super::{
    inbound::{self, Inbound, UnderWay},
    link::{self, Received, Sender, Signal},
    options,
    outlet::{Order, Problem},
    rival::{LASTING, Loss, RIVAL, Rival},
    topics::{Listener, concerned, subscriptions},
};
use crate::tools::blocking;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// One broker's client.
pub(super) struct BrokerClient {
    pub(super) name: String,
    pub(super) config: MqttConfig,
    pub(super) listeners: Vec<Listener>,
    pub(super) connected: Arc<AtomicBool>,
    pub(super) problem: Problem,
    pub(super) orders: UnboundedReceiver<Order>,
    pub(super) inbound: Inbound,
    pub(super) wake: Arc<dyn Fn() + Send + Sync>,
}

/// Why a connection ended.
enum End {
    /// The node is going down.
    Closed,
    /// Anything else; how long the broker had let us in, if it had.
    Broken { loss: Loss, reason: Reason, lasted: Option<Duration> },
}

/// A message that is not acknowledged yet.
struct Held {
    serial: u64,
    packet: u16,
    /// Triggers that have not dealt with it.
    open: usize,
}

/// What one connection has under way.
struct Traffic {
    sender: Sender,
    /// In the order in which they came, which is the order of their acknowledgements.
    held: VecDeque<Held>,
    serial: u64,
    /// Handed over, not on the wire yet.
    queued: VecDeque<Publication>,
    /// On the wire, by packet.
    sent: HashMap<u16, Publication>,
    /// Whether the broker had kept our session.
    kept: bool,
    /// The session that packet numbers belong to; none while nobody listens.
    session: Option<i64>,
    /// What the broker has been asked for and has not answered.
    asked_for: Option<String>,
    /// How many answers are still to come.
    answers: u32,
    under_way: UnderWay,
    tell: UnboundedSender<(u64, Result<(), Reason>)>,
}

impl BrokerClient {
    /// Stays connected until the node goes down.
    pub(super) async fn work(mut self) {
        if self.listeners.is_empty() && !self.first_order().await {
            return;
        }
        let under_way = UnderWay::default();
        let (mut wait, mut rival) = (FIRST_WAIT, Rival::default());
        loop {
            let end = self.connection(&under_way).await;
            match end {
                End::Closed => return,
                End::Broken { loss, reason, lasted } => match rival.told(loss, lasted, &self.client_id()) {
                    // Waiting longer each time: who comes back at once throws the other out at once.
                    Some(problem) => {
                        tracing::error!(broker = self.name, retry_in = ?wait, "{problem}");
                        self.say(Some(problem));
                    }
                    None => {
                        wait = if lasted.is_some() { FIRST_WAIT } else { wait };
                        let reason = reason.to_string();
                        tracing::warn!(broker = self.name, reason, retry_in = ?wait, "[TS-0450] no connection to the broker");
                        self.say(Some(Told::new(code!("TS-0450"), format!("no connection: {reason}"))));
                    }
                },
            }
            // Spread over boxes that lost the broker at the same time.
            let chance = getrandom::u32().unwrap_or(u32::MAX);
            let pause = wait / 2 + wait.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 2.0);
            wait = (wait * 2).min(LONGEST_WAIT);
            if !self.pause(pause).await {
                return;
            }
        }
    }

    /// Waits until somebody publishes or listens; false when nobody will.
    async fn first_order(&mut self) -> bool {
        loop {
            match self.orders.recv().await {
                None => return false,
                Some(Order::Listen(listeners, _)) => {
                    self.listeners = listeners;
                    if !self.listeners.is_empty() {
                        return true;
                    }
                }
                Some(order) => {
                    lost(order);
                    return true;
                }
            }
        }
    }

    /// Waits; false when the node is going down.
    async fn pause(&mut self, pause: Duration) -> bool {
        let end = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return true,
                order = self.orders.recv() => match order {
                    None => return false,
                    Some(Order::Listen(listeners, _)) => self.listeners = listeners,
                    Some(order) => lost(order),
                },
            }
        }
    }

    fn client_id(&self) -> String {
        options::client_id(&self.inbound.tools.config, &self.config, !self.inbound.listens)
    }

    fn say(&self, problem: Option<Told>) {
        *lock(&self.problem) = problem;
    }

    async fn connection(&mut self, under_way: &UnderWay) -> End {
        let broken = |reason: Reason| End::Broken { loss: Loss::Other, reason, lasted: None };
        let (tools, config, clean) = (self.inbound.tools.clone(), self.config.clone(), !self.inbound.listens);
        let read = blocking(move || options::read(&tools, &config, clean)).await;
        let options = match read {
            Ok(Ok(options)) => options,
            Ok(Err(reason)) | Err(reason) => return broken(reason),
        };
        let (sender, mut signals) = link::open(self.config.version, options);
        let (tell, mut dealt_with) = mpsc::unbounded_channel();
        let mut traffic = Traffic {
            sender,
            held: VecDeque::new(),
            serial: 0,
            queued: VecDeque::new(),
            sent: HashMap::new(),
            kept: false,
            session: None,
            asked_for: None,
            answers: 0,
            under_way: under_way.clone(),
            tell,
        };
        let (mut let_in, mut loss): (Option<Instant>, Loss) = (None, Loss::Other);
        // Whether what was wrong before is still told: until this connection has lasted.
        let mut dubious = true;
        let end = loop {
            let was_in = let_in.is_some();
            let lasts = let_in.map_or_else(Instant::now, |since| since + LASTING);
            let step = tokio::select! {
                () = tokio::time::sleep_until(lasts), if was_in && dubious => {
                    dubious = false;
                    self.say(None);
                    Ok(())
                }
                signal = signals.recv() => match signal {
                    None => Err(Reason::new(Class::Unavailable, "the connection ended")),
                    Some(Signal::Broken(how, reason)) => {
                        loss = how;
                        Err(reason)
                    }
                    Some(Signal::Connected(kept)) => {
                        let_in = Some(Instant::now());
                        self.let_in(&mut traffic, kept).await
                    }
                    Some(signal) => self.signal(&mut traffic, signal),
                },
                Some((serial, ended)) = dealt_with.recv() => ended.and_then(|()| traffic.dealt_with(serial)),
                order = self.orders.recv() => match order {
                    None => break End::Closed,
                    Some(Order::Publish(publication)) if was_in => traffic.publish(publication),
                    // The subscriptions are made when the broker has let us in.
                    Some(Order::Listen(listeners, _)) if !was_in => {
                        self.listeners = listeners;
                        Ok(())
                    }
                    // Held until the wishes are on their way.
                    Some(Order::Listen(listeners, _heard)) => self.listen(&mut traffic, listeners).await,
                    Some(order) => {
                        lost(order);
                        Ok(())
                    }
                },
            };
            if let Err(reason) = step {
                break End::Broken { loss, reason, lasted: let_in.map(|since| since.elapsed()) };
            }
        };
        // Before anybody hears of it: what is lost must not be handed over again at once.
        self.connected.store(false, Ordering::Release);
        for publication in traffic.queued.into_iter().chain(traffic.sent.into_values()) {
            (publication.done)(Sent::Lost);
        }
        end
    }

    async fn let_in(&self, traffic: &mut Traffic, kept: bool) -> Result<(), Reason> {
        traffic.kept = kept;
        if !self.listeners.is_empty() {
            let session = self.inbound.session(&self.name, kept).await?;
            traffic.session = Some(session);
            let wanted = subscriptions(&self.listeners);
            let key = self.key_of(&wanted);
            // With a new subscription a broker sends what it has kept once more, also to a session that has had it.
            if kept && self.inbound.has_subscriptions(&key, session).await? {
                self.say_subscribed();
            } else {
                traffic.ask(&wanted, key)?;
            }
        }
        tracing::info!(broker = self.name, "connected to the broker");
        // What another client does to us is over only when this connection lasts.
        let mut problem = lock(&self.problem);
        *problem = problem.take().filter(|problem| problem.code() == RIVAL);
        drop(problem);
        self.connected.store(true, Ordering::Release);
        (self.wake)();
        Ok(())
    }

    /// Other triggers listen from now on. What is new is subscribed to before what is old is given up, so that nothing that
    /// fits both passes by.
    async fn listen(&mut self, traffic: &mut Traffic, listeners: Vec<Listener>) -> Result<(), Reason> {
        let (before, after) = (subscriptions(&self.listeners), subscriptions(&listeners));
        self.listeners = listeners;
        if before == after {
            return Ok(());
        }
        // Neither the old ones nor the new ones, until the broker has taken them.
        self.inbound.keep_subscriptions(self.key_of(&before), 0)?;
        if traffic.session.is_none() && !after.is_empty() {
            traffic.session = Some(self.inbound.session(&self.name, traffic.kept).await?);
        }
        let new: Vec<(String, u8)> = after.iter().filter(|wish| !before.contains(wish)).cloned().collect();
        if !new.is_empty() {
            traffic.ask(&new, self.key_of(&after))?;
        }
        let is_old = |(filter, _): &&(String, u8)| !after.iter().any(|(other, _)| other == filter);
        let old: Vec<String> = before.iter().filter(is_old).map(|(filter, _)| filter.clone()).collect();
        traffic.sender.unsubscribe(&old)
    }

    fn say_subscribed(&self) {
        tracing::info!(broker = self.name, "the broker has the subscriptions");
    }

    /// Under which it is kept what the broker has been asked for.
    fn key_of(&self, subscriptions: &[(String, u8)]) -> String {
        format!("mqtt:{}:{}", self.name, Digest::of(format!("{subscriptions:?}").as_bytes()))
    }

    fn signal(&self, traffic: &mut Traffic, signal: Signal) -> Result<(), Reason> {
        match signal {
            Signal::Message(message) => self.message(traffic, message),
            Signal::Out(packet) => {
                if let Some(publication) = traffic.queued.pop_front() {
                    traffic.sent.insert(packet, publication);
                }
                Ok(())
            }
            Signal::Answered(packet, sent) => {
                if let Some(publication) = traffic.sent.remove(&packet) {
                    (publication.done)(sent);
                }
                Ok(())
            }
            Signal::Subscribed => {
                self.say_subscribed();
                traffic.answers = traffic.answers.saturating_sub(1);
                match (traffic.asked_for.take_if(|_| traffic.answers == 0), traffic.session) {
                    (Some(key), Some(session)) => self.inbound.keep_subscriptions(key, session),
                    _ => Ok(()),
                }
            }
            Signal::NoSubscription(reason) => {
                traffic.answers = traffic.answers.saturating_sub(1);
                traffic.asked_for = None;
                tracing::error!(broker = self.name, reason, "[TS-0451] the broker refuses a subscription");
                Ok(())
            }
            Signal::Connected(_) | Signal::Broken(..) => Ok(()),
        }
    }

    fn message(&self, traffic: &mut Traffic, message: Received) -> Result<(), Reason> {
        let message = Arc::new(message);
        let serial = traffic.serial;
        traffic.serial += 1;
        let mut open = 0;
        for listener in concerned(&self.listeners, &message.topic) {
            open += 1;
            let (inbound, under_way) = (self.inbound.clone(), traffic.under_way.clone());
            let (listener, message) = (listener.clone(), message.clone());
            let (tell, session) = (traffic.tell.clone(), traffic.session.unwrap_or_default());
            tokio::spawn(async move {
                let ended = inbound::take(inbound, under_way, listener, message, session).await;
                // After a lost connection nobody asks: the broker sends the message again.
                let _ = tell.send((serial, ended));
            });
        }
        if message.packet != 0 {
            traffic.held.push_back(Held { serial, packet: message.packet, open });
        }
        traffic.acknowledge()
    }
}

impl Traffic {
    /// Asks for subscriptions; `key` is for all that there are then.
    fn ask(&mut self, filters: &[(String, u8)], key: String) -> Result<(), Reason> {
        self.sender.subscribe(filters)?;
        self.asked_for = Some(key);
        self.answers += 1;
        Ok(())
    }

    fn dealt_with(&mut self, serial: u64) -> Result<(), Reason> {
        if let Some(held) = self.held.iter_mut().find(|held| held.serial == serial) {
            held.open = held.open.saturating_sub(1);
        }
        self.acknowledge()
    }

    /// Acknowledges what is dealt with, up to the first message that is not.
    fn acknowledge(&mut self) -> Result<(), Reason> {
        while let Some(held) = self.held.front().filter(|held| held.open == 0) {
            self.sender.acknowledge(held.packet)?;
            self.held.pop_front();
        }
        Ok(())
    }

    fn publish(&mut self, publication: Publication) -> Result<(), Reason> {
        let Publication { topic, payload, attributes, .. } = &publication;
        let given = self.sender.publish(topic, payload.clone(), attributes.clone());
        match given {
            Ok(()) => self.queued.push_back(publication),
            Err(reason) => (publication.done)(Sent::Later(reason.to_string())),
        }
        Ok(())
    }
}

fn lost(order: Order) {
    if let Order::Publish(publication) = order {
        (publication.done)(Sent::Lost);
    }
}
