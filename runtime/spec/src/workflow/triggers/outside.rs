//! Checks of triggers that other programs and other workflows set off.

use crate::{
    topic,
    triggers::{DatasetTrigger, DriftTrigger, HookSignature, MqttTrigger, WebhookTrigger, WorkflowTrigger},
    units::{ByteSize, Duration},
    workflow::{
        allow_file::SECRET_NAME,
        checker::Checker,
        trigger_file::{DriftTriggerFile, MqttTriggerFile, SignatureFile, WebhookTriggerFile, WorkflowTriggerFile},
        words,
    },
};

/// A body is in memory as a whole while its signature is checked.
const LARGEST_BODY: ByteSize = ByteSize::from_mib(64);
const LONGEST_TOLERANCE_MS: u64 = 3_600_000;
const TOLERANCE: Duration = Duration::from_millis(300_000);

pub(super) fn webhook(hook: WebhookTriggerFile, position: &str, checker: &mut Checker<'_, '_>) -> WebhookTrigger {
    let path = |key: &'static str| ["triggers", position, "webhook", key];
    if !words::is_slug(&hook.name) {
        let message = "a webhook's name is made of lower-case letters, digits and `-`, at most 64";
        checker.at("TS-0103", &path("name"), message, None);
    }
    if hook.secret.as_ref().is_some_and(|name| !words::is_model_name(name)) {
        checker.at("TS-0103", &path("secret"), SECRET_NAME, None);
    }
    size(hook.max_body, &path("max_body"), checker);
    let tolerance = hook.tolerance.unwrap_or(TOLERANCE);
    if hook.tolerance.is_some() && hook.signature != SignatureFile::Stripe {
        checker.at_key("TS-0110", &path("tolerance"), "only Stripe's signatures have a time", None);
    } else if !(1_000..=LONGEST_TOLERANCE_MS).contains(&tolerance.as_millis()) {
        checker.at("TS-0103", &path("tolerance"), "between 1s and 1h", None);
    }
    let signature = match (hook.signature, hook.secret) {
        (SignatureFile::Github, Some(secret)) => HookSignature::Github { secret },
        (SignatureFile::Stripe, Some(secret)) => HookSignature::Stripe { secret, tolerance },
        (SignatureFile::None, None) => HookSignature::None,
        (SignatureFile::None, Some(_)) => {
            checker.at_key("TS-0110", &path("secret"), "with `signature: none` the secret is not used", None);
            HookSignature::None
        }
        (_, None) => {
            let help =
                Some("secret: NAME, or signature: none to let anybody start runs who reaches the node".to_owned());
            let path = ["triggers", position, "webhook"];
            checker.at_key("TS-0102", &path, "a webhook needs the secret that requests are signed with", help);
            HookSignature::None
        }
    };
    let WebhookTriggerFile { name, payload, max_body, cloudevents, .. } = hook;
    WebhookTrigger { name, signature, payload, max_body, cloudevents }
}

pub(super) fn mqtt(mqtt: MqttTriggerFile, position: &str, checker: &mut Checker<'_, '_>) -> MqttTrigger {
    let path = |key: &'static str| ["triggers", position, "mqtt", key];
    if !words::is_model_name(&mqtt.broker) {
        let message = "a broker's name is made of letters, digits, `.`, `_` and `-`, at most 64";
        checker.at("TS-0103", &path("broker"), message, None);
    }
    if let Some(reason) = topic::filter_problem(&mqtt.topic) {
        checker.at("TS-0103", &path("topic"), format!("this is no topic: {reason}"), None);
    }
    if mqtt.qos > 1 {
        checker.at("TS-0103", &path("qos"), "0 or 1", None);
    }
    size(mqtt.max_payload, &path("max_payload"), checker);
    let MqttTriggerFile { broker, topic, qos, payload, max_payload } = mqtt;
    MqttTrigger { broker, topic, qos, payload, max_payload }
}

fn size(size: ByteSize, path: &[&str], checker: &mut Checker<'_, '_>) {
    if !(ByteSize::from_bytes(1)..=LARGEST_BODY).contains(&size) {
        checker.at("TS-0103", path, format!("between 1B and {LARGEST_BODY}"), None);
    }
}

pub(super) fn workflow(
    other: WorkflowTriggerFile,
    own: &str,
    position: &str,
    checker: &mut Checker<'_, '_>,
) -> WorkflowTrigger {
    let path = |key: &'static str| ["triggers", position, "workflow", key];
    if !words::is_slug(&other.name) {
        let message = "a workflow's name is made of lower-case letters, digits and `-`, at most 64";
        checker.at("TS-0103", &path("name"), message, None);
    } else if other.name == own {
        checker.at("TS-0110", &path("name"), "a workflow that starts itself would never end", None);
    }
    if other.on.is_empty() {
        let help = Some("on: [succeeded]".to_owned());
        checker.at("TS-0103", &path("on"), "without an end that counts it starts nothing", help);
    }
    let mut on = other.on;
    on.dedup();
    WorkflowTrigger { name: other.name, on }
}

pub(super) fn dataset(name: String, position: &str, checker: &mut Checker<'_, '_>) -> DatasetTrigger {
    if !words::is_model_name(&name) {
        let message = "a dataset's name is made of letters, digits, `.`, `_` and `-`, at most 64";
        checker.at("TS-0103", &["triggers", position, "dataset"], message, None);
    }
    DatasetTrigger { name }
}

pub(super) fn drift(drift: DriftTriggerFile, position: &str, checker: &mut Checker<'_, '_>) -> DriftTrigger {
    let full = ["triggers", position, "drift", "name"];
    // It may be written short.
    let path = if checker.root.at(full).is_some() { &full[..] } else { &full[..3] };
    if !words::is_model_name(&drift.name) {
        let message = "a model's or a dataset's name is made of letters, digits, `.`, `_` and `-`, at most 64";
        checker.at("TS-0103", path, message, None);
    }
    if drift.on.is_empty() {
        let help = Some("on: [raised]".to_owned());
        checker.at(
            "TS-0103",
            &["triggers", position, "drift", "on"],
            "without a turn that counts it starts nothing",
            help,
        );
    }
    let mut on = drift.on;
    on.dedup();
    DriftTrigger { name: drift.name, on }
}
