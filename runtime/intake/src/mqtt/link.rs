//! One connection to a broker, whichever version of the protocol it speaks.

use std::error::Error;

use rumqttc::{QoS, v5};
use tokio::sync::mpsc;
use trackside_codes::{Class, Reason};
use trackside_spec::config::MqttVersion;

use trackside_outbox::Sent;

use super::{
    options::{self, Options},
    rival::Loss,
};

/// Requests that wait to be written.
const REQUESTS: usize = 512;
/// What has come in and waits to be looked at.
const SIGNALS: usize = 64;

/// A message that came in.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    /// 0 for messages that want no acknowledgement.
    pub(super) packet: u16,
    /// The broker has sent it before.
    pub(super) again: bool,
    /// It was kept by the broker from before the subscription.
    pub(super) retained: bool,
}

/// What a connection tells.
#[derive(Debug)]
pub(super) enum Signal {
    /// The broker has let us in; whether it has kept our session.
    Connected(bool),
    /// A message.
    Message(Received),
    /// The next publication, in the order in which they were given, has gone out as this packet.
    Out(u16),
    /// The broker has answered for a packet.
    Answered(u16, Sent),
    /// It has taken subscriptions.
    Subscribed,
    /// It refuses a subscription.
    NoSubscription(String),
    /// It is over.
    Broken(Loss, Reason),
}

/// The end that sends.
pub(super) enum Sender {
    V311(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

/// Starts a connection. It is over with the first [`Signal::Broken`], or when the receiver is dropped.
pub(super) fn open(version: MqttVersion, options: Options) -> (Sender, mpsc::Receiver<Signal>) {
    let (tell, signals) = mpsc::channel(SIGNALS);
    let sender = match version {
        MqttVersion::V311 => {
            let (client, mut events) = rumqttc::AsyncClient::new(v311(options), REQUESTS);
            events.set_network_options(options::network());
            tokio::spawn(pump_v311(events, tell));
            Sender::V311(client)
        }
        MqttVersion::V5 => {
            let (client, events) = v5::AsyncClient::new(v5_options(options), REQUESTS);
            tokio::spawn(pump_v5(events, tell));
            Sender::V5(client)
        }
    };
    (sender, signals)
}

fn v311(from: Options) -> rumqttc::MqttOptions {
    let mut options = rumqttc::MqttOptions::new(from.client_id, from.host, from.port);
    options.set_clean_session(from.clean).set_transport(from.transport).set_keep_alive(from.keep_alive);
    let largest = usize::try_from(options::LARGEST_PACKET).unwrap_or(usize::MAX);
    options.set_max_packet_size(largest, largest).set_inflight(options::IN_FLIGHT).set_manual_acks(true);
    if let Some((user, password)) = from.login {
        options.set_credentials(user, password);
    }
    options
}

fn v5_options(from: Options) -> v5::MqttOptions {
    let mut options = v5::MqttOptions::new(from.client_id, from.host, from.port);
    options.set_clean_start(from.clean).set_transport(from.transport).set_keep_alive(from.keep_alive);
    options.set_manual_acks(true).set_connection_timeout(options::CONNECT_SECONDS);
    options.set_network_options(options::network()).set_outgoing_inflight_upper_limit(options::IN_FLIGHT);
    options.set_receive_maximum(Some(options::RECEIVE)).set_max_packet_size(Some(options::LARGEST_PACKET));
    options.set_session_expiry_interval(Some(if from.clean { 0 } else { options::SESSION }));
    if let Some((user, password)) = from.login {
        options.set_credentials(user, password);
    }
    options
}

fn qos(level: u8) -> QoS {
    if level == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce }
}

fn v5_qos(level: u8) -> v5::mqttbytes::QoS {
    if level == 0 { v5::mqttbytes::QoS::AtMostOnce } else { v5::mqttbytes::QoS::AtLeastOnce }
}

impl Sender {
    /// Subscribes. The wishes that do not fit into the queue are an error: the connection is of no use without them.
    pub(super) fn subscribe(&self, filters: &[(String, u8)]) -> Result<(), Reason> {
        match self {
            Self::V311(client) => {
                let filters =
                    filters.iter().map(|(filter, level)| rumqttc::SubscribeFilter::new(filter.clone(), qos(*level)));
                client.try_subscribe_many(filters).map_err(unavailable)
            }
            Self::V5(client) => {
                let filters = filters.iter().map(|(filter, level)| {
                    let mut filter = v5::mqttbytes::v5::Filter::new(filter.clone(), v5_qos(*level));
                    filter.retain_forward_rule = v5::mqttbytes::v5::RetainForwardRule::OnNewSubscribe;
                    filter
                });
                client.try_subscribe_many(filters).map_err(unavailable)
            }
        }
    }

    /// Ends subscriptions. Errors as with [`Sender::subscribe`].
    pub(super) fn unsubscribe(&self, filters: &[String]) -> Result<(), Reason> {
        filters.iter().try_for_each(|filter| match self {
            Self::V311(client) => client.try_unsubscribe(filter.clone()).map_err(unavailable),
            Self::V5(client) => client.try_unsubscribe(filter.clone()).map_err(unavailable),
        })
    }

    pub(super) fn publish(
        &self,
        topic: &str,
        payload: Vec<u8>,
        attributes: Vec<(String, String)>,
    ) -> Result<(), Reason> {
        match self {
            Self::V311(client) => client.try_publish(topic, QoS::AtLeastOnce, false, payload).map_err(unavailable),
            Self::V5(client) => {
                let properties = v5::mqttbytes::v5::PublishProperties {
                    user_properties: attributes,
                    ..v5::mqttbytes::v5::PublishProperties::default()
                };
                client.try_publish_with_properties(topic, v5_qos(1), false, payload, properties).map_err(unavailable)
            }
        }
    }

    pub(super) fn acknowledge(&self, packet: u16) -> Result<(), Reason> {
        match self {
            Self::V311(client) => {
                let mut publish = rumqttc::Publish::new("", QoS::AtLeastOnce, Vec::new());
                publish.pkid = packet;
                client.try_ack(&publish).map_err(unavailable)
            }
            Self::V5(client) => {
                let mut publish = v5::mqttbytes::v5::Publish::new("", v5_qos(1), Vec::new(), None);
                publish.pkid = packet;
                client.try_ack(&publish).map_err(unavailable)
            }
        }
    }
}

async fn pump_v311(mut events: rumqttc::EventLoop, tell: mpsc::Sender<Signal>) {
    use rumqttc::{Event, Outgoing, Packet, SubscribeReasonCode};
    loop {
        let signal = tokio::select! {
            // Nobody listens any more: the connection ends here.
            () = tell.closed() => return,
            event = events.poll() => match event {
                Ok(Event::Incoming(Packet::ConnAck(ack))) => Signal::Connected(ack.session_present),
                Ok(Event::Incoming(Packet::Publish(publish))) => Signal::Message(Received {
                    topic: publish.topic,
                    payload: publish.payload.to_vec(),
                    packet: if publish.qos == QoS::AtMostOnce { 0 } else { publish.pkid },
                    again: publish.dup,
                    retained: publish.retain,
                }),
                Ok(Event::Incoming(Packet::PubAck(ack))) => Signal::Answered(ack.pkid, Sent::Acknowledged),
                Ok(Event::Incoming(Packet::SubAck(ack))) if ack.return_codes.contains(&SubscribeReasonCode::Failure) => {
                    Signal::NoSubscription("the broker gives no reason".to_owned())
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => Signal::Subscribed,
                Ok(Event::Outgoing(Outgoing::Publish(packet))) => Signal::Out(packet),
                Ok(_) => continue,
                Err(error) => Signal::Broken(v311_loss(&error), unavailable(error)),
            },
        };
        let over = matches!(signal, Signal::Broken(..));
        if tell.send(signal).await.is_err() || over {
            return;
        }
    }
}

async fn pump_v5(mut events: v5::EventLoop, tell: mpsc::Sender<Signal>) {
    use rumqttc::Outgoing;
    use v5::{
        Event,
        mqttbytes::v5::{Packet, SubscribeReasonCode},
    };
    loop {
        let signal = tokio::select! {
            // Nobody listens any more: the connection ends here.
            () = tell.closed() => return,
            event = events.poll() => match event {
                Ok(Event::Incoming(Packet::ConnAck(ack))) => Signal::Connected(ack.session_present),
                Ok(Event::Incoming(Packet::Publish(publish))) => Signal::Message(Received {
                    topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                    payload: publish.payload.to_vec(),
                    packet: if publish.qos == v5::mqttbytes::QoS::AtMostOnce { 0 } else { publish.pkid },
                    again: publish.dup,
                    retained: publish.retain,
                }),
                Ok(Event::Incoming(Packet::PubAck(ack))) => Signal::Answered(ack.pkid, v5_answer(ack.reason)),
                Ok(Event::Incoming(Packet::SubAck(ack))) => {
                    let refused = |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
                    match ack.return_codes.iter().find(refused) {
                        Some(code) => Signal::NoSubscription(format!("{code:?}")),
                        None => Signal::Subscribed,
                    }
                }
                Ok(Event::Outgoing(Outgoing::Publish(packet))) => Signal::Out(packet),
                Ok(_) => continue,
                Err(error) => Signal::Broken(v5_loss(&error), unavailable(error)),
            },
        };
        let over = matches!(signal, Signal::Broken(..));
        if tell.send(signal).await.is_err() || over {
            return;
        }
    }
}

fn unavailable(error: impl Error + Send + Sync + 'static) -> Reason {
    Reason::by(Class::Unavailable, error)
}

fn v311_loss(error: &rumqttc::ConnectionError) -> Loss {
    use rumqttc::{ConnectionError as Error, StateError};
    match error {
        Error::Io(_) | Error::MqttState(StateError::ConnectionAborted | StateError::Io(_)) => Loss::Closed,
        _ => Loss::Other,
    }
}

fn v5_loss(error: &v5::ConnectionError) -> Loss {
    use v5::{ConnectionError as Error, StateError, mqttbytes::v5::DisconnectReasonCode};
    match error {
        Error::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver, ..
        }) => Loss::TakenOver,
        Error::Io(_) | Error::MqttState(StateError::ConnectionAborted | StateError::Io(_)) => Loss::Closed,
        _ => Loss::Other,
    }
}

fn v5_answer(reason: v5::mqttbytes::v5::PubAckReason) -> Sent {
    use v5::mqttbytes::v5::PubAckReason as Answer;
    match reason {
        Answer::Success | Answer::NoMatchingSubscribers => Sent::Acknowledged,
        Answer::NotAuthorized | Answer::TopicNameInvalid | Answer::PayloadFormatInvalid => {
            Sent::Refused(format!("the broker refuses it: {reason:?}"))
        }
        other => Sent::Later(format!("the broker says {other:?}")),
    }
}
