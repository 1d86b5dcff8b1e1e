//! A rollout begins: what must hold before, and its row.

use trackside_facts::{Subject, SubjectEvent};
use trackside_models::{
    onnx::{Dim, PortInspection},
    package::{Shelf, Signature},
};
use trackside_node::{RolloutDocument, rollout_document};
use trackside_serving::rollout::Machine;
use trackside_spec::{Digest, ModelRef, ModelVersion, RolloutPlan};
use trackside_store::{ModelRow, RolloutRow, StartedRollout, Write};
use trackside_sync::lock;

use super::{RolloutsError, StartRollout, workflow};
use crate::{ModelPlace, ModelsError, duration::duration_ms};

/// Rollouts of a subject among which one that took this content back is looked for.
const LOOKED: u32 = 100;

/// Begins a rollout. It is on disk when this ends; a node that runs takes it up at once, else the next that starts.
///
/// # Errors
/// Any [`RolloutsError`]; nothing was begun then.
pub fn start_rollout(place: &mut ModelPlace, wanted: &StartRollout) -> Result<RolloutDocument, RolloutsError> {
    if let Some(candidate) = &wanted.workflow {
        return workflow::start(place, wanted, candidate);
    }
    let plan = wanted.plan.clone().filled();
    check(&plan)?;
    let doors = place.doors();
    let _one = lock(&doors.change);
    let reference = ModelRef::of(&wanted.model)?;
    let name = &reference.name;
    if place.declares(name) {
        return Err(RolloutsError::Nothing(format!(
            "trackside.toml declares the model `{name}` with a path, so it has one version, the file as it lies there; a model of the \
             registry has several (`trackside model add`)"
        )));
    }
    let candidate = format!("{name}@{}", wanted.candidate).parse::<ModelRef>()?;
    let row = match place.read(|reader| reader.model(name))? {
        Some(row) if !row.versions.is_empty() => row,
        // Says what there is.
        _ => {
            place.read(|reader| reader.resolve_model(&reference))??;
            return Err(RolloutsError::Nothing(format!("the model `{name}` was removed at this moment")));
        }
    };
    let stable = row.resolve(&ModelVersion::Unsaid).map_err(|_| {
        RolloutsError::Nothing(format!(
            "no version of the model `{name}` is in service yet: nothing to compare with. `trackside model alias {name} champion {}` puts \
             one there",
            wanted.candidate
        ))
    })?;
    let candidate = row.resolve(&candidate.version)?;
    let (stable, candidate) = (stable.version, candidate.version);
    if stable.version == candidate.version || stable.digest == candidate.digest {
        return Err(RolloutsError::Nothing(format!(
            "version {} of the model `{name}` is in service already{}",
            candidate.version,
            if stable.version == candidate.version { "" } else { " under another number: its content is the same" }
        )));
    }
    same_signature(place, &row, stable.version, candidate.version)?;
    let what = format!("version {} of the model `{name}`", candidate.version);
    let versions = (stable.version.to_string(), candidate.version.to_string());
    let begun =
        Begun { subject: Subject::Model(name.clone()), what, versions, digest: candidate.digest, content: None };
    begin(place, plan, wanted.again, begun)
}

/// What a rollout is of.
pub(super) struct Begun {
    pub(super) subject: Subject,
    /// What messages call the candidate.
    pub(super) what: String,
    /// The version in service, and the candidate.
    pub(super) versions: (String, String),
    /// The candidate's content.
    pub(super) digest: Digest,
    /// It, where it lies nowhere else.
    pub(super) content: Option<String>,
}

/// Begins a rollout of whatever it is. Whoever calls this has the door.
pub(super) fn begin(
    place: &mut ModelPlace,
    plan: RolloutPlan,
    again: bool,
    begun: Begun,
) -> Result<RolloutDocument, RolloutsError> {
    let Begun { subject, what, versions: (stable, candidate), digest, content } = begun;
    let (before, last) =
        place.read(|reader| Ok((reader.rollouts_of(&subject.to_string(), LOOKED)?, reader.last_rollout()?)))?;
    if let Some(under_way) = before.iter().find(|row| row.ended_ms.is_none()) {
        return Err(RolloutsError::UnderWay {
            of: subject.to_string(),
            rollout: under_way.id,
            candidate: under_way.candidate.clone(),
            status: under_way.status.clone(),
        });
    }
    let (now, digest) = (place.now_ms(), digest.to_string());
    if !again {
        cools_down(&before, &what, &digest, now)?;
    }
    let machine = Machine::new(plan.clone()).map_err(|fault| plan_error("gates", &fault.to_string()))?;
    let row = RolloutRow {
        id: last + 1,
        subject: subject.to_string(),
        stable,
        candidate,
        digest,
        key: key()?,
        // Numbers and texts: nothing in it can not be written.
        plan: serde_json::to_string(&plan).unwrap_or_default(),
        content,
        status: machine.status().word().to_owned(),
        state: machine.kept(false),
        started_ms: now,
        started_by: place.by(),
        ended_ms: None,
    };
    let event = SubjectEvent::Rollout {
        rollout: row.id,
        change: "started".to_owned(),
        stable: row.stable.clone(),
        candidate: row.candidate.clone(),
        share: f64::from(machine.share()) / 1000.0,
        why: None,
        evidence: serde_json::to_value(&plan).ok(),
        by: place.by(),
    };
    let document = rollout_document(&row, None);
    place.keep(vec![Write::RolloutStarted(Box::new(StartedRollout { subject, row, event }))])?;
    place.rung();
    Ok(document)
}

/// Whether a plan can be gone by.
pub(super) fn check(plan: &RolloutPlan) -> Result<(), RolloutsError> {
    match plan.problems().into_iter().next() {
        Some((key, reason)) => Err(plan_error(key, &reason)),
        None => Machine::new(plan.clone()).map(drop).map_err(|fault| plan_error("gates", &fault.to_string())),
    }
}

pub(super) fn plan_error(key: &str, reason: &str) -> RolloutsError {
    RolloutsError::Plan { key: key.to_owned(), reason: reason.to_owned() }
}

/// What draws who is answered by which version: of each rollout another one.
fn key() -> Result<String, RolloutsError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| RolloutsError::Nothing(format!("the system gives no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn cools_down(before: &[RolloutRow], what: &str, digest: &str, now: i64) -> Result<(), RolloutsError> {
    let taken_back = before.iter().filter(|row| row.digest == digest && row.status == "rolled-back");
    for row in taken_back {
        let plan: RolloutPlan = serde_json::from_str(&row.plan).unwrap_or_default();
        let (Some(ended), Ok(cool)) = (row.ended_ms, i64::try_from(plan.cool_down.as_millis())) else { continue };
        // A clock that was set back makes it cool down anew, not for ever.
        let ago = now.saturating_sub(ended).max(0);
        if ago < cool {
            return Err(RolloutsError::Cooling {
                what: what.to_owned(),
                rollout: row.id,
                ago: duration_ms(ago),
                left: duration_ms(cool - ago),
            });
        }
    }
    Ok(())
}

/// Both take and give the same.
fn same_signature(place: &ModelPlace, row: &ModelRow, stable: u32, candidate: u32) -> Result<(), RolloutsError> {
    let shelf: Shelf = place.shelf();
    let signature = |number: u32| {
        let digest = row.version(number).map(|version| version.digest);
        let kept = digest.map(|digest| shelf.open(&digest)).transpose()?;
        Ok::<_, RolloutsError>(kept.and_then(|kept| kept.manifest.signature))
    };
    let (Some(one), Some(other)) = (signature(stable)?, signature(candidate)?) else { return Ok(()) };
    let differences = differences(&one, &other);
    if differences.is_empty() {
        return Ok(());
    }
    Err(RolloutsError::Signature { model: row.name.clone(), stable, candidate, differences: differences.join("; ") })
}

fn differences(stable: &Signature, candidate: &Signature) -> Vec<String> {
    let mut found = Vec::new();
    for (what, one, other) in
        [("input", &stable.inputs, &candidate.inputs), ("output", &stable.outputs, &candidate.outputs)]
    {
        for port in one.iter() {
            match other.iter().find(|known| known.name == port.name) {
                None if port.optional => {}
                None => found.push(format!("it has no {what} `{}`", port.name)),
                Some(known) if !fits(port, known) => {
                    found.push(format!("its {what} `{}` is {}, not {}", port.name, shown(known), shown(port)));
                }
                Some(_) => {}
            }
        }
        // What it gives besides harms nobody; what it wants besides, nobody sends.
        for port in other.iter().filter(|port| what == "input" && !port.optional) {
            if !one.iter().any(|known| known.name == port.name) {
                found.push(format!("it wants an input `{}` besides", port.name));
            }
        }
    }
    found.truncate(8);
    found
}

/// Whether what fits the one fits the other, as far as it is said: a size that is fixed in one may be free in the other.
fn fits(one: &PortInspection, other: &PortInspection) -> bool {
    let same = |(one, other): (&Dim, &Dim)| match (one, other) {
        (Dim::Fixed(one), Dim::Fixed(other)) => one == other,
        _ => true,
    };
    one.kind == other.kind
        && match (&one.shape, &other.shape) {
            (Some(one), Some(other)) => one.len() == other.len() && one.iter().zip(other).all(same),
            _ => true,
        }
}

fn shown(port: &PortInspection) -> String {
    let dim = |dim: &Dim| match dim {
        Dim::Fixed(size) => size.to_string(),
        Dim::Symbol(name) => name.chars().take(40).collect(),
        Dim::Any => "?".to_owned(),
    };
    match &port.shape {
        Some(shape) => format!("{}[{}]", port.kind, shape.iter().map(dim).collect::<Vec<_>>().join(", ")),
        None => port.kind.clone(),
    }
}

impl From<RolloutsError> for crate::OperationError {
    fn from(error: RolloutsError) -> Self {
        match error {
            RolloutsError::Models(ModelsError::Node(error)) | RolloutsError::Node(error) => Self::Node(error),
            error => Self::Rollouts(Box::new(error)),
        }
    }
}
