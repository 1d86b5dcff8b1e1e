//! From the model's scores to a content type, as the Python package decides in its `high-confidence` mode.

use serde::Serialize;

use crate::catalogue::{Catalogue, ModelConfig};

/// What the bytes are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identity {
    /// The content type that is reported.
    pub label: String,
    /// The model's first choice; `None` when the model was not asked.
    pub model_label: Option<String>,
    /// The score of that choice, 0 to 1; 1 when the model was not asked.
    pub score: f32,
    /// Why `label` differs from `model_label`.
    pub overwrite: Overwrite,
}

/// Why the reported label is not the model's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overwrite {
    /// It is, or the model was not asked.
    None,
    /// The score is too low: only text or not text is reported.
    LowConfidence,
    /// The configuration reports this label as another.
    OverwriteMap,
}

/// Scores that cannot be the model's.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// Another number of scores than labels.
    #[error(
        "the model gave {found} scores, its configuration has {expected} labels; take both from the same magika version"
    )]
    Count {
        /// Scores given.
        found: usize,
        /// Labels in the configuration.
        expected: usize,
    },
    /// A score that is no finite number.
    #[error(
        "the model's score for {label:?} is {score}, not a finite number; check the model file with `trackside model inspect`"
    )]
    NotFinite {
        /// Its label.
        label: String,
        /// The score.
        score: f32,
    },
}

/// Identifies a file from the model's scores.
///
/// # Errors
/// When the scores do not fit the configuration.
pub fn identify(scores: &[f32], config: &ModelConfig, catalogue: &Catalogue) -> Result<Identity, ScoreError> {
    let labels = &config.target_labels_space;
    if scores.len() != labels.len() {
        return Err(ScoreError::Count { found: scores.len(), expected: labels.len() });
    }
    let mut best = (0, f32::NEG_INFINITY);
    for (index, (&score, label)) in scores.iter().zip(labels).enumerate() {
        if !score.is_finite() {
            return Err(ScoreError::NotFinite { label: label.clone(), score });
        }
        // The first of equal scores wins, as with Python's `max`.
        if score > best.1 {
            best = (index, score);
        }
    }
    let (index, score) = best;
    let model_label = &labels[index];

    let mapped = config.overwrite_map.get(model_label).unwrap_or(model_label);
    let threshold = config.thresholds.get(model_label).copied().unwrap_or(config.medium_confidence_threshold);
    let label = if f64::from(score) >= threshold {
        mapped.as_str()
    } else if catalogue.get(mapped).is_some_and(|kind| kind.is_text) {
        "txt"
    } else {
        "unknown"
    };
    let overwrite = if label == model_label {
        Overwrite::None
    } else if f64::from(score) >= threshold {
        Overwrite::OverwriteMap
    } else {
        Overwrite::LowConfidence
    };
    Ok(Identity { label: label.to_owned(), model_label: Some(model_label.clone()), score, overwrite })
}

/// The identity of a file that the features step decided without the model.
#[must_use]
pub fn decided(label: &str) -> Identity {
    Identity { label: label.to_owned(), model_label: None, score: 1.0, overwrite: Overwrite::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting() -> (ModelConfig, Catalogue) {
        let kind = |text: bool| serde_json::json!({"mime_type": null, "group": null, "description": null, "extensions": [], "is_text": text});
        let catalogue = serde_json::json!({"txt": kind(true), "unknown": kind(false), "empty": kind(false), "png": kind(false),
            "latex": kind(true), "randomtxt": kind(true), "randombytes": kind(false)});
        let catalogue = Catalogue::from_json(catalogue.to_string().as_bytes()).unwrap();
        let config = serde_json::json!({"target_labels_space": ["png", "latex", "randomtxt", "randombytes", "txt"],
            "medium_confidence_threshold": 0.5, "thresholds": {"latex": 0.95},
            "overwrite_map": {"randomtxt": "txt", "randombytes": "unknown"}});
        let config = ModelConfig::from_json(config.to_string().as_bytes(), &catalogue).unwrap();
        (config, catalogue)
    }

    fn label(scores: [f32; 5]) -> (String, Overwrite) {
        let (config, catalogue) = setting();
        let identity = identify(&scores, &config, &catalogue).unwrap();
        (identity.label, identity.overwrite)
    }

    #[test]
    fn a_confident_score_gives_the_model_s_label() {
        assert_eq!(label([0.5, 0.1, 0.1, 0.1, 0.1]), ("png".into(), Overwrite::None));
        assert_eq!(label([0.0, 0.96, 0.0, 0.0, 0.0]), ("latex".into(), Overwrite::None));
    }

    #[test]
    fn a_score_below_the_label_s_own_threshold_gives_the_generic_label() {
        assert_eq!(label([0.0, 0.94, 0.0, 0.0, 0.0]), ("txt".into(), Overwrite::LowConfidence));
        assert_eq!(label([0.49, 0.1, 0.1, 0.1, 0.1]), ("unknown".into(), Overwrite::LowConfidence));
    }

    #[test]
    fn the_overwrite_map_renames_and_a_generic_label_is_never_called_overwritten() {
        assert_eq!(label([0.0, 0.0, 0.9, 0.0, 0.0]), ("txt".into(), Overwrite::OverwriteMap));
        assert_eq!(label([0.0, 0.0, 0.0, 0.9, 0.0]), ("unknown".into(), Overwrite::OverwriteMap));
        assert_eq!(label([0.0, 0.0, 0.4, 0.0, 0.0]), ("txt".into(), Overwrite::LowConfidence));
        assert_eq!(label([0.0, 0.0, 0.0, 0.0, 0.4]), ("txt".into(), Overwrite::None));
    }

    #[test]
    fn the_first_of_equal_scores_wins() {
        assert_eq!(label([0.5, 0.0, 0.0, 0.5, 0.0]).0, "png");
    }

    #[test]
    fn scores_that_do_not_fit_are_refused() {
        let (config, catalogue) = setting();
        assert!(matches!(identify(&[1.0], &config, &catalogue), Err(ScoreError::Count { found: 1, expected: 5 })));
        let error = identify(&[0.0, f32::NAN, 0.0, 0.0, 0.0], &config, &catalogue).unwrap_err();
        assert!(error.to_string().contains("\"latex\""), "{error}");
    }
}
