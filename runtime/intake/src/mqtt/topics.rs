//! What is subscribed to at a broker, and whom a message concerns.

use std::sync::Arc;

use trackside_spec::{MqttTrigger, Plan, topic::covers};

/// A trigger that listens to a broker.
#[derive(Clone)]
pub(super) struct Listener {
    pub(super) trigger_id: String,
    /// What it starts; none takes labels of predictions.
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) settings: MqttTrigger,
}

/// The filters to subscribe to, with the quality of service. A filter that another one covers is left out: a broker may
/// send a message once for each subscription that it fits.
pub(super) fn subscriptions(listeners: &[Listener]) -> Vec<(String, u8)> {
    let filters: Vec<&str> = listeners.iter().map(|listener| listener.settings.topic.as_str()).collect();
    let mut chosen: Vec<(String, u8)> = Vec::new();
    for (index, filter) in filters.iter().enumerate() {
        let wider = |(at, other): (usize, &&str)| {
            at != index && covers(other, filter) && (!covers(filter, other) || at < index)
        };
        if filters.iter().enumerate().any(wider) {
            continue;
        }
        let below = listeners.iter().filter(|listener| covers(filter, &listener.settings.topic));
        let qos = below.map(|listener| listener.settings.qos).max().unwrap_or(1);
        chosen.push(((*filter).to_owned(), qos));
    }
    chosen
}

/// The triggers that a message on `topic` concerns.
pub(super) fn concerned<'l>(listeners: &'l [Listener], topic: &str) -> impl Iterator<Item = &'l Listener> {
    listeners.iter().filter(move |listener| covers(&listener.settings.topic, topic))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]
mod tests {
    use trackside_spec::{TriggerKind, load_workflow};

    use super::*;

    fn listeners(topics: &[(&str, u8)]) -> Vec<Listener> {
        let item = |(topic, qos): &(&str, u8)| format!("  - mqtt: {{ broker: b, topic: \"{topic}\", qos: {qos} }}\n");
        let items: String = topics.iter().map(item).collect();
        let text =
            format!("version: 1\nname: w\ntriggers:\n{items}steps:\n  a: {{ plugin: echo, with: {{ value: 1 }} }}\n");
        let plan = Arc::new(load_workflow("w.yaml", &text).unwrap());
        let listener = |trigger: &trackside_spec::Trigger| match &trigger.kind {
            TriggerKind::Mqtt(settings) => {
                Some(Listener { trigger_id: trigger.id.clone(), plan: Some(plan.clone()), settings: settings.clone() })
            }
            _ => None,
        };
        plan.triggers.iter().filter_map(listener).collect()
    }

    #[test]
    fn a_filter_inside_another_is_not_subscribed_to_and_lends_it_its_quality() {
        let listeners = listeners(&[("a/+", 1), ("a/#", 0), ("b", 0), ("b", 1), ("+/c", 1)]);
        let wanted = [("a/#", 1), ("b", 1), ("+/c", 1)].map(|(filter, qos)| (filter.to_owned(), qos));
        assert_eq!(subscriptions(&listeners), wanted);
        let ids: Vec<&str> = concerned(&listeners, "a/c").map(|listener| listener.trigger_id.as_str()).collect();
        assert_eq!(ids, ["w/mqtt-0", "w/mqtt-1", "w/mqtt-4"]);
    }
}
