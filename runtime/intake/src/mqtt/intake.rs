//! The triggers that listen to brokers, as one intake.

use std::{collections::BTreeMap, sync::Arc};

use trackside_codes::{Class, Reason};
use trackside_spec::{ByteSize, MqttPayload, MqttTrigger, TriggerKind};

use super::{
    inbound::Inbound,
    outlet::{Brokers, Waiting},
    topics::Listener,
};
use crate::{
    definitions::{Definitions, Intake, NotStarted},
    tools::Tools,
};

/// MQTT triggers, and with them the connections of all brokers: those that are only published to are held here, too.
pub struct MqttIntake {
    brokers: Arc<Brokers>,
    waiting: Option<Waiting>,
    inbound: Inbound,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl MqttIntake {
    /// `listens`: whether messages start runs; otherwise nothing is kept at the brokers. `wake` is called whenever a broker
    /// has become reachable.
    #[must_use]
    pub fn new(
        tools: &Tools,
        (brokers, waiting): (Arc<Brokers>, Waiting),
        listens: bool,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self { brokers, waiting: Some(waiting), inbound: Inbound { tools: tools.clone(), listens }, wake }
    }
}

impl Intake for MqttIntake {
    fn start(&mut self, now: &Definitions) -> Result<(), NotStarted> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        let started = self.brokers.start(waiting, listeners(now, &self.inbound), &self.inbound, self.wake.clone());
        started
            .map_err(|error| NotStarted { what: "the connections to brokers", reason: Reason::by(Class::Setup, error) })
    }

    fn switch(&mut self, next: &Definitions) {
        self.brokers.listen(listeners(next, &self.inbound));
    }

    fn stop(&mut self) {
        self.brokers.close();
    }
}

/// By the name of their broker.
fn listeners(definitions: &Definitions, inbound: &Inbound) -> BTreeMap<String, Vec<Listener>> {
    let mut listeners: BTreeMap<String, Vec<Listener>> = BTreeMap::new();
    for (plan, trigger) in definitions.usable() {
        if let TriggerKind::Mqtt(settings) = &trigger.kind {
            let (trigger_id, plan, settings) = (trigger.id.clone(), Some(plan.clone()), settings.clone());
            listeners.entry(settings.broker.clone()).or_default().push(Listener { trigger_id, plan, settings });
        }
    }
    // A node for a run by hand takes nobody's labels.
    for (broker, settings) in inbound.tools.config.mqtt.iter().filter(|_| inbound.listens) {
        let Some(topic) = settings.labels.clone() else { continue };
        let settings = MqttTrigger {
            broker: broker.clone(),
            topic,
            qos: 1,
            payload: MqttPayload::Json,
            max_payload: ByteSize::from_mib(1),
        };
        let trigger_id = format!("labels of {broker}");
        listeners.entry(broker.clone()).or_default().push(Listener { trigger_id, plan: None, settings });
    }
    listeners
}
