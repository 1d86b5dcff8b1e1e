//! Inputs that are kept because a label would teach most for them: a ring of files, bounded by bytes and age.
//!
//! A file is on disk before its row, and its row is gone before it is: what a crash leaves in between are files without a row, which
//! the next start removes.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::json;
use trackside_codes::Reason;
use trackside_models::tensor_io::write_safetensors_with;
use trackside_serving::{Sample, SampleSettings};
use trackside_spec::config::SamplesConfig;
use trackside_steps::model_settings;
use trackside_store::{SampleChange, SampleRow, Write};

use super::{Part, Tools};
use crate::node::NodeError;

/// The folder of their files, in the data folder.
pub const SAMPLES_FOLDER: &str = "samples";
/// How often what is too old is looked for.
const TRIMS: Duration = Duration::from_secs(3600);

/// Inputs that are kept.
#[derive(Default)]
pub(super) struct Samples {
    trimmed: Option<Instant>,
    keeps: bool,
    counted: u32,
}

/// Where the content of a sample lies.
#[must_use]
pub fn sample_file(data_dir: &Path, id: &str) -> PathBuf {
    data_dir.join(SAMPLES_FOLDER).join(format!("{id}.safetensors"))
}

impl Part for Samples {
    fn round(&mut self, tools: &Tools) -> Result<Option<Duration>, NodeError> {
        if self.trimmed.is_none() {
            sweep(tools)?;
        }
        let new = self.write(tools, tools.serving().take_samples());
        let since = self.trimmed.map_or(TRIMS, |trimmed| trimmed.elapsed());
        if !new.is_empty() || since >= TRIMS {
            self.keeps |= !new.is_empty();
            self.keep(tools, new)?;
            self.trimmed = Some(Instant::now());
            return Ok(self.keeps.then_some(TRIMS));
        }
        Ok(self.keeps.then(|| TRIMS.saturating_sub(since)))
    }

    fn end(&mut self, tools: &Tools) -> Result<(), NodeError> {
        let new = self.write(tools, tools.serving().take_samples());
        if new.is_empty() { Ok(()) } else { self.keep(tools, new) }
    }
}

impl Samples {
    /// Writes the files. One that can not be written is told, and not kept.
    fn write(&mut self, tools: &Tools, samples: Vec<Sample>) -> Vec<SampleRow> {
        let mut rows = Vec::new();
        for sample in samples {
            self.counted = (self.counted + 1) % 4096;
            let (now_ms, waited) = (tools.now_ms(), sample.made.elapsed().as_millis());
            let at_ms = now_ms.saturating_sub(i64::try_from(waited).unwrap_or(0)).max(0);
            let id = format!("{at_ms:011x}{:03x}", self.counted);
            match file(tools, &id, &sample) {
                Ok(bytes) => rows.push(row(id, at_ms, bytes, sample)),
                Err(reason) => tracing::warn!(model = sample.model, "an input is not kept for a label: {reason}"),
            }
        }
        rows
    }

    /// Keeps these, and lets go what there is no room for.
    fn keep(&mut self, tools: &Tools, new: Vec<SampleRow>) -> Result<(), NodeError> {
        let mut all = tools.handle().readers().with(|reader| reader.hard_samples(None))?;
        self.keeps |= !all.is_empty();
        all.extend(new.iter().cloned());
        let models: BTreeSet<String> = all.iter().map(|row| row.model.clone()).collect();
        let config = &tools.handle().workshop().config;
        let gone: Vec<String> = models
            .iter()
            .flat_map(|model| {
                let settings = model_settings(config, model).samples;
                let mine: Vec<&SampleRow> = all.iter().filter(|row| row.model == *model).collect();
                leaving(&mine, settings.as_ref(), tools.now_ms())
            })
            .collect();
        if new.is_empty() && gone.is_empty() {
            return Ok(());
        }
        tools.keep(vec![Write::Samples(SampleChange { new, gone: gone.clone() })])?;
        gone.iter().for_each(|id| remove(&sample_file(&tools.data_dir(), id)));
        Ok(())
    }
}

/// Those of one model that go: too old, or more than there is room for; the oldest first, those with a label last.
fn leaving(rows: &[&SampleRow], settings: Option<&SampleSettings>, now_ms: i64) -> Vec<String> {
    let usual = SamplesConfig::default();
    let (most, age) = settings
        .map_or_else(|| (usual.bytes.as_bytes(), usual.age.to_std()), |settings| (settings.bytes, settings.age));
    let from_ms = now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    let (old, mut stay): (Vec<&SampleRow>, Vec<&SampleRow>) = rows.iter().partition(|row| row.at_ms < from_ms);
    let mut gone: Vec<String> = old.iter().map(|row| row.id.clone()).collect();
    stay.sort_by_key(|row| (row.label.is_some(), row.at_ms));
    let mut bytes: u64 = stay.iter().map(|row| row.bytes).sum();
    for row in stay {
        if bytes <= most {
            break;
        }
        bytes -= row.bytes;
        gone.push(row.id.clone());
    }
    gone
}

fn file(tools: &Tools, id: &str, sample: &Sample) -> Result<u64, Reason> {
    let path = sample_file(&tools.data_dir(), id);
    let folder = path.parent().unwrap_or(&path);
    fs::create_dir_all(folder).map_err(Reason::disk)?;
    let about = json!({ "model": sample.model, "version": sample.version }).to_string();
    write_safetensors_with(&path, &sample.inputs, ("trackside", &about)).map_err(Reason::of)?;
    fs::metadata(&path).map(|meta| meta.len()).map_err(Reason::disk)
}

fn row(id: String, at_ms: i64, bytes: u64, sample: Sample) -> SampleRow {
    let Sample { model, version, id: request, reason, redacted, answers, other, .. } = sample;
    SampleRow {
        id,
        model,
        version,
        request,
        at_ms,
        reason: reason.name().to_owned(),
        answers: json!([answers, other]).to_string(),
        bytes,
        redacted: json!(redacted).to_string(),
        label: None,
        labelled_by: None,
    }
}

/// Removes files that no row names: what a crash left.
fn sweep(tools: &Tools) -> Result<(), NodeError> {
    let rows = tools.handle().readers().with(|reader| reader.hard_samples(None))?;
    let known: BTreeSet<PathBuf> = rows.iter().map(|row| sample_file(&tools.data_dir(), &row.id)).collect();
    let entries = match fs::read_dir(tools.data_dir().join(SAMPLES_FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            tracing::warn!("the folder of samples can not be looked through: {error}");
            return Ok(());
        }
    };
    entries.flatten().map(|entry| entry.path()).filter(|path| !known.contains(path)).for_each(|path| remove(&path));
    Ok(())
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!("a sample that goes can not be removed from {}: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(id: &str, at_ms: i64, label: Option<&str>) -> SampleRow {
        SampleRow {
            id: id.to_owned(),
            model: "m".to_owned(),
            version: 1,
            request: None,
            at_ms,
            reason: "confidence".to_owned(),
            answers: "[[],[]]".to_owned(),
            bytes: 10,
            redacted: "[]".to_owned(),
            label: label.map(str::to_owned),
            labelled_by: None,
        }
    }

    #[test]
    fn the_oldest_go_first_and_those_with_a_label_last() {
        let rows = [sample("a", 1, Some("1")), sample("b", 2, None), sample("c", 3, None), sample("d", 4, None)];
        let rows: Vec<&SampleRow> = rows.iter().collect();
        let settings = |bytes: u64, age: u64| SampleSettings {
            confidence: 0.5,
            drift: true,
            disagreement: true,
            bytes,
            largest: 10,
            rate: 1,
            age: Duration::from_millis(age),
            redact: Vec::new(),
        };
        assert_eq!(leaving(&rows, Some(&settings(20, 100)), 5), ["b", "c"]);
        assert_eq!(leaving(&rows, Some(&settings(40, 100)), 5), <[&str; 0]>::default());
        assert_eq!(leaving(&rows, Some(&settings(10, 2)), 5), ["a", "b", "c"]);
    }
}
