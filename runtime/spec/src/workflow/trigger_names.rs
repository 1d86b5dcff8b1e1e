//! What expressions may read of `trigger`.

use super::scope::{Missing, known};
use crate::{
    spec_error::suggest,
    triggers::{Trigger, TriggerKind},
};

/// What every run has.
const COMMON: [&str; 5] = ["kind", "id", "logical_time", "logical_time_ms", "file"];
const FILE: [&str; 6] = ["artifact", "name", "path", "size", "media_type", "modified_ms"];
const BODY: [&str; 4] = ["artifact", "name", "size", "media_type"];
const RUN: [&str; 4] = ["id", "workflow", "state", "error"];
const DRIFT: [&str; 7] = ["name", "kind", "version", "turn", "window", "columns", "words"];
const DATASET: [&str; 3] = ["name", "run", "artifact"];

/// What only some triggers tell: the key, and the kinds that have it.
const SPECIAL: [(&str, &[&str]); 14] = [
    ("files", &["file"]),
    ("scheduled", &["cron"]),
    ("missed", &["cron"]),
    ("payload", &["webhook", "mqtt", "poll"]),
    ("body", &["webhook", "mqtt", "poll"]),
    ("headers", &["webhook"]),
    ("event", &["webhook", "event"]),
    ("topic", &["mqtt"]),
    ("run", &["workflow"]),
    ("dataset", &["dataset"]),
    ("drift", &["drift"]),
    ("url", &["poll"]),
    ("version", &["poll"]),
    ("previous", &["poll"]),
];

/// Whether `trigger.` and these segments are something that a run with one of these triggers can know.
pub(super) fn find(segments: &[&str], triggers: &[Trigger]) -> Result<(), Missing> {
    let Some(key) = segments.first() else { return Ok(()) };
    if let Some((_, kinds)) = SPECIAL.iter().find(|(special, _)| special == key) {
        let has = triggers.iter().any(|trigger| kinds.contains(&trigger.kind.name()));
        if !has {
            let kinds = kinds.join(" and ");
            return Err((format!("trigger.{key} is for {kinds} triggers, and this workflow has none"), None));
        }
    } else if !COMMON.contains(key) {
        let mut all = COMMON.to_vec();
        all.extend(SPECIAL.iter().map(|(special, _)| *special));
        return Err((format!("there is no `trigger.{key}`"), suggest(key, &all)));
    }
    match segments {
        ["file", below, ..] => single_file(triggers).and_then(|()| known("trigger.file.", below, &FILE)),
        ["body", below, ..] => known("trigger.body.", below, &BODY),
        ["run", below, ..] => known("trigger.run.", below, &RUN),
        ["drift", below, ..] => known("trigger.drift.", below, &DRIFT),
        ["dataset", below, ..] => known("trigger.dataset.", below, &DATASET),
        _ => Ok(()),
    }
}

/// A run of a batch has no one file. What a person may start by hand with one file is of no use when every trigger
/// starts runs with many.
fn single_file(triggers: &[Trigger]) -> Result<(), Missing> {
    let mut files = triggers.iter().filter_map(|trigger| match &trigger.kind {
        TriggerKind::File(file) => Some(file.batch.is_some()),
        _ => None,
    });
    let all_batches = files.next().is_some_and(|first| first && files.all(|batch| batch));
    if all_batches {
        let help = Some("a run of a batch has `trigger.files`".to_owned());
        return Err(("trigger.file is null in a run of a batch".to_owned(), help));
    }
    Ok(())
}
