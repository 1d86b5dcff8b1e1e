//! Says what a file is from the Magika model's scores, and whether its name tells the truth.
//!
//! Pure: files are only handed to the outbox, which acts after the verdict is on disk. [`identify`] repeats the
//! decision of the Python package, [`policy`] compares it with the name.

pub mod catalogue;
pub mod identify;
pub mod policy;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use trackside_sdk::{Artifact, ArtifactRef, IfPresent, Port, Step, StepError, Want, tensor};

use catalogue::{Catalogue, CatalogueError, ModelConfig};
use identify::{Identity, ScoreError};
use policy::{Judgement, Policy, Verdict};

/// The catalogue has 45 kB, the configuration 2 kB.
const MAX_CONFIG: u64 = 4 << 20;
/// More labels than any model has; keeps a wrong tensor out of memory.
const MAX_SCORES: u64 = 65_536;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[expect(dead_code, reason = "opened by port; the field makes serde refuse unknown keys only")]
    file: ArtifactRef,
    #[expect(dead_code, reason = "as `file`")]
    config: ArtifactRef,
    #[expect(dead_code, reason = "as `file`")]
    content_types: ArtifactRef,
    #[serde(default)]
    scores: Option<Scores>,
    #[serde(default)]
    scores_tensor: Option<ArtifactRef>,
    #[serde(default)]
    decided: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    deliver: Option<Folders>,
}

/// The model's output as a model step gives it: a batch of one, or its only row.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scores {
    Batch(Vec<Vec<f32>>),
    One(Vec<f32>),
}

/// Where files go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Folders {
    accepted: String,
    quarantine: String,
}

/// The report: the step's output, and the artifact `report`.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    judgement: &'a Judgement,
    name: &'a str,
    size: u64,
    digest: Option<String>,
    label: &'a str,
    description: &'a str,
    group: &'a str,
    mime_type: &'a str,
    /// The model's first choice; null when no model was needed.
    model_label: Option<&'a str>,
    score: f32,
    overwrite: identify::Overwrite,
    extension: Option<String>,
    expected: Vec<String>,
    /// Path that the file is delivered to, null when the workflow gave no folders.
    delivered: Option<String>,
}

/// The output is the report as text: going through a JSON value would sort its keys and widen its score.
fn run(input: Input, step: &Step) -> Result<Box<RawValue>, StepError> {
    let catalogue = Catalogue::from_json(&step.input("content_types")?.bytes(MAX_CONFIG)?).map_err(bad_config)?;
    let config = ModelConfig::from_json(&step.input("config")?.bytes(MAX_CONFIG)?, &catalogue).map_err(bad_config)?;
    let scored = |scores: Vec<f32>| identify::identify(&scores, &config, &catalogue).map_err(bad_scores);
    let identity = match (input.scores, input.scores_tensor, input.decided) {
        (Some(scores), None, None) => scored(only_row(scores)?)?,
        (None, Some(_), None) => scored(from_tensor(&step.input("scores_tensor")?)?)?,
        (None, None, Some(label)) => identify::decided(&label),
        _ => {
            let message = "give one of `scores`, `scores_tensor` (from the model) and `decided` (from magika-features)";
            return Err(StepError::fatal("bad-input", message));
        }
    };
    let kind = catalogue.get(&identity.label).ok_or_else(|| {
        StepError::fatal("bad-input", format!("`decided` is {:?}, which is no content type", identity.label))
    })?;

    let file = step.input("file")?;
    // Only the last part: a name is judged and delivered, never a path.
    let name = input.name.as_deref().unwrap_or_else(|| file.name());
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let judgement = policy::judge(&identity, kind, name, &input.policy, &catalogue);
    let delivered = input.deliver.as_ref().map(|folders| format!("{}/{name}", folders.of(judgement.verdict)));
    let report = Report {
        judgement: &judgement,
        name,
        size: file.size(),
        digest: file.digest(),
        label: &identity.label,
        description: kind.description.as_deref().unwrap_or(&identity.label),
        group: kind.group(),
        mime_type: kind.mime_type(),
        model_label: identity.model_label.as_deref(),
        score: identity.score,
        overwrite: identity.overwrite,
        extension: policy::extension(name),
        expected: policy::expected(&identity.label, kind, &input.policy),
        delivered,
    };
    hand_over(step, &file, &report)?;
    log(&identity, &judgement, name);
    Ok(serde_json::value::to_raw_value(&report)?)
}

impl Folders {
    fn of(&self, verdict: Verdict) -> &str {
        match verdict {
            Verdict::Accepted => &self.accepted,
            Verdict::Quarantine => &self.quarantine,
        }
    }
}

/// Writes the report and, when the workflow gave folders, has both delivered. A file of the same name is never
/// replaced: the later one gets a number.
fn hand_over(step: &Step, file: &Artifact, report: &Report<'_>) -> Result<(), StepError> {
    let mut text = serde_json::to_vec_pretty(report)?;
    text.push(b'\n');
    let written = step.create_with("report", &format!("{}.verdict.json", report.name), "application/json", &text)?;
    if let Some(path) = &report.delivered {
        step.deliver(file, path, IfPresent::Number)?;
        step.deliver(&written, &format!("{path}.verdict.json"), IfPresent::Number)?;
    }
    Ok(())
}

fn only_row(scores: Scores) -> Result<Vec<f32>, StepError> {
    match scores {
        Scores::One(scores) => Ok(scores),
        Scores::Batch(mut batch) => match (batch.len(), batch.pop()) {
            (1, Some(scores)) => Ok(scores),
            (count, _) => {
                let message = format!("scores of {count} files were given; one file is judged at a time");
                Err(StepError::fatal("bad-scores", message))
            }
        },
    }
}

fn from_tensor(artifact: &Artifact) -> Result<Vec<f32>, StepError> {
    let values = tensor::read(artifact, None, MAX_SCORES)?.values;
    // The tensor is float32; f64 is only how the SDK hands it over.
    Ok(values.into_iter().map(|value| value as f32).collect())
}

fn log(identity: &Identity, judgement: &Judgement, name: &str) {
    let line = format!("{name}: {} ({:.3}): {}", identity.label, identity.score, judgement.message);
    match judgement.verdict {
        Verdict::Accepted => trackside_sdk::info!("{line}"),
        Verdict::Quarantine => trackside_sdk::warn!("{line}"),
    }
}

fn bad_config(error: CatalogueError) -> StepError {
    StepError::fatal("bad-config", error.to_string())
}

fn bad_scores(error: ScoreError) -> StepError {
    StepError::fatal("bad-scores", error.to_string())
}

trackside_sdk::plugin! {
    name: "file-verdict",
    summary: "Identifies a file from Magika's scores and compares it with its name",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [
        Port::new("file", "the file that is judged; it is delivered, not read").required(),
        Port::new("config", "the model's config.min.json").required().media_type("application/json"),
        Port::new("content_types", "the package's content_types_kb.min.json").required().media_type("application/json"),
        Port::new("scores_tensor", "the model's output as a tensor, instead of the numbers in `scores`")
            .media_type(tensor::MEDIA_TYPE),
    ],
    outputs: [Port::new("report", "the verdict as JSON").required().media_type("application/json")],
    wants: [Want::new("deliver", "", "to put the file and its report into the folders that `deliver` names").optional()],
    deterministic: true,
    run: run,
}

#[cfg(test)]
mod tests;
