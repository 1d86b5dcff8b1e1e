//! `trackside model accuracy`

use std::fmt::Write as _;

use clap::Args;
use trackside_control::{AccuracyDocument, BandDocument, VersionAccuracy, model_accuracy};

use crate::{
    context::Context,
    failure::Failure,
    output::{Cell, Paint, Table, escape},
};

/// Show how often a model is right, by the labels that were told
///
/// For each version: the share that is right, with a band that holds at all times together at 95 %, however often one looks; the same of
/// late, since nothing changed; and what the model's own confidence says of answers without a label.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The model's name
    name: String,
}

/// Shows it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (_, reader) = context.reader()?;
    let document = model_accuracy(&reader, &arguments.name)?;
    let console = context.console;
    if console.json { console.print_json(&document) } else { console.print(&page(&document, console.out)) }
}

fn page(document: &AccuracyDocument, paint: Paint) -> String {
    let mut table =
        Table::headed(&["VERSION", "ANSWERED", "RECORDED", "LABELLED", "RIGHT", "BAND", "OF LATE", "ESTIMATE"]);
    for version in &document.versions {
        let lately = version.lately.map_or_else(|| "-".to_owned(), |lately| of(lately.right, lately.labels));
        let estimate = version.estimate.map(|estimate| {
            let against = if estimate.contradicted { ", against the labels" } else { "" };
            format!("{} of {}{against}", share(estimate.band.estimate), estimate.answers)
        });
        table.row([
            Cell::right(version.version.to_string()),
            Cell::right(version.answered.to_string()),
            Cell::right(version.recorded.to_string()),
            Cell::right(version.labelled.to_string()),
            Cell::right(version.accuracy.map_or_else(|| "-".to_owned(), |band| share(band.estimate))),
            Cell::right(version.accuracy.map_or_else(|| "-".to_owned(), band)),
            Cell::right(lately),
            Cell::right(estimate.unwrap_or_else(|| "-".to_owned())),
        ]);
    }
    let mut text = format!("{}\n{}", paint.bold(&escape(&document.model)), table.render(paint));
    for version in &document.versions {
        if let Some(words) = passed(version) {
            let _ = writeln!(text, "Not recorded of version {}: {words}.", version.version);
        }
    }
    let _ = writeln!(
        text,
        "{} of the {} predictions that are kept have a label{}.",
        document.kept_labelled,
        document.kept,
        match document.early_labels {
            0 => String::new(),
            early => format!("; {early} labels wait for predictions that are not there"),
        }
    );
    if document.versions.iter().any(|version| version.estimate.is_some()) {
        let _ = writeln!(text, "{}", document.caveat);
    }
    text
}

/// Why answers were not recorded, those that there were.
fn passed(version: &VersionAccuracy) -> Option<String> {
    let passed = &version.not_recorded;
    let words: Vec<String> = [
        (passed.without_id, "without an id"),
        (passed.bad_id, "with an id that is too long or no plain text"),
        (passed.rate, "beyond `rate`"),
        (passed.unreadable, "whose output is not what the settings say"),
        (passed.full, "for which there was no room"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, why)| format!("{number} {why}"))
    .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn band(band: BandDocument) -> String {
    format!("{:.1} to {:.1} %", band.low * 100.0, band.high * 100.0)
}

fn of(right: u64, labels: u64) -> String {
    format!("{right} of {labels}")
}
