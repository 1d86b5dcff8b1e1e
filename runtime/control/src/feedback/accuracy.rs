//! How often a model is right, and how sure that is.

use serde::{Deserialize, Serialize};
use trackside_codes::{Code, Coded, code};
use trackside_facts::Passed;
use trackside_node::Lessons;
use trackside_stats::{
    Level,
    estimate::AccuracyEstimate,
    sequential::{Band, proportion_band},
};
use trackside_store::{AccuracyRow, Reader, StoreError};

use crate::escape;

/// Most requests without truth that an estimate is made from, the newest.
const ESTIMATED: u32 = 10_000;

/// How often a model is right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccuracyDocument {
    /// The model.
    pub model: String,
    /// Its versions that answered, by number.
    pub versions: Vec<VersionAccuracy>,
    /// Predictions that are kept, in requests.
    pub kept: u64,
    /// Those of them whose truth was told.
    pub kept_labelled: u64,
    /// Labels of requests that nothing is known of, of all models.
    pub early_labels: u64,
    /// What the estimate takes for granted.
    pub caveat: String,
}

/// How often a version is right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionAccuracy {
    /// Its number.
    pub version: u32,
    /// Requests that it answered.
    pub answered: u64,
    /// Predictions of them that were recorded.
    pub recorded: u64,
    /// Those that were not, and why.
    pub not_recorded: Passed,
    /// Answers whose truth was told.
    pub labelled: u64,
    /// Those of them that were right.
    pub right: u64,
    /// The share that is right, with a band that holds at all times together at 95 %.
    pub accuracy: Option<BandDocument>,
    /// The same since nothing changed.
    pub lately: Option<LatelyDocument>,
    /// What confidence says of answers whose truth nobody has told.
    pub estimate: Option<EstimateDocument>,
}

/// A share and its band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BandDocument {
    /// The least that the truth may be.
    pub low: f64,
    /// What was seen.
    pub estimate: f64,
    /// The most that the truth may be.
    pub high: f64,
}

impl From<Band> for BandDocument {
    fn from(Band { low, estimate, high }: Band) -> Self {
        Self { low, estimate, high }
    }
}

/// The labels since the last change of the error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LatelyDocument {
    /// So many.
    pub labels: u64,
    /// Those of them that were right.
    pub right: u64,
}

/// What confidence says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EstimateDocument {
    /// Of so many answers.
    pub answers: u64,
    /// Calibrated by so many whose truth is known; 0 takes the model at its word.
    pub calibrated_by: u64,
    /// The share that is right, for this one look.
    pub band: BandDocument,
    /// Whether labels contradict it: then confidence does not mean any more what it meant.
    pub contradicted: bool,
}

/// What the estimate takes for granted, for people.
const CAVEAT: &str = "The estimate without labels takes it that confidence means today what it meant when it was calibrated. Inputs may \
                      move, what is right for an input may not: where that changes, the estimate sees nothing, labels do.";

/// Why nothing is known of a model's accuracy.
#[derive(Debug, thiserror::Error)]
pub enum AccuracyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was ever recorded.
    #[error(
        "[{code}] no prediction of the model `{}` was recorded: a table [models.NAME.feedback] in trackside.toml keeps them, \
         and each request needs an id", escape(model), code = self.code()
    )]
    Nothing {
        /// The model.
        model: String,
    },
}

impl Coded for AccuracyError {
    fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::Nothing { .. } => code!("TS-1057"),
        }
    }
}

/// How often a model is right, as it is on disk.
///
/// # Errors
/// When the database refuses, or nothing was ever recorded.
pub fn model_accuracy(reader: &Reader, model: &str) -> Result<AccuracyDocument, AccuracyError> {
    let rows = reader.accuracy(Some(model))?;
    if rows.is_empty() {
        return Err(AccuracyError::Nothing { model: model.chars().take(80).collect() });
    }
    let kept = reader.kept_predictions(model)?;
    let versions = rows.iter().map(|row| version(reader, row)).collect::<Result<_, StoreError>>()?;
    Ok(AccuracyDocument {
        model: model.to_owned(),
        versions,
        kept: kept.all,
        kept_labelled: kept.labelled,
        early_labels: reader.early_labels()?,
        caveat: CAVEAT.to_owned(),
    })
}

fn version(reader: &Reader, row: &AccuracyRow) -> Result<VersionAccuracy, StoreError> {
    let lessons = row.state.as_deref().and_then(|state| Lessons::from_bytes(state).ok()).unwrap_or_else(Lessons::none);
    let accuracy = (row.labelled > 0).then(|| proportion_band(row.correct, row.labelled, Level::FIVE_PERCENT));
    let (labels, wrong) = lessons.window();
    Ok(VersionAccuracy {
        version: row.version,
        answered: row.answered,
        recorded: row.recorded,
        not_recorded: row.passed,
        labelled: row.labelled,
        right: row.correct,
        accuracy: accuracy.and_then(Result::ok).map(BandDocument::from),
        lately: (labels > 0).then(|| LatelyDocument { labels, right: labels - wrong }),
        estimate: estimate(reader, row, &lessons)?,
    })
}

fn estimate(reader: &Reader, row: &AccuracyRow, lessons: &Lessons) -> Result<Option<EstimateDocument>, StoreError> {
    let mut estimate = AccuracyEstimate::default();
    let mut answers = 0;
    for answer in reader.unlabelled(&row.model, row.version, ESTIMATED)? {
        let Some(confidence) = answer.confidence.map(f64::from) else { continue };
        // A confidence out of its bounds says nothing.
        let calibrated = lessons.calibration.calibrated(confidence);
        answers += u64::from(calibrated.and_then(|calibrated| estimate.observe(calibrated)).is_ok());
    }
    let band = estimate.band(Level::FIVE_PERCENT);
    let contradicted = estimate.contradicted(row.correct, row.labelled, Level::FIVE_PERCENT).ok().flatten();
    Ok(band.map(|band| EstimateDocument {
        answers,
        calibrated_by: lessons.calibration.counts().1.iter().sum(),
        band: band.into(),
        contradicted: contradicted.unwrap_or(false),
    }))
}
