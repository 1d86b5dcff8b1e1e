//! Inputs that a label would teach most for.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use trackside_facts::Predicted;
use trackside_spec::Tensor;
use trackside_sync::lock;

use crate::settings::SampleSettings;

const MINUTE: Duration = Duration::from_secs(60);

/// An input that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The model.
    pub model: String,
    /// The version that answered.
    pub version: u32,
    /// What the request is called.
    pub id: Option<String>,
    /// When.
    pub made: Instant,
    /// Why it is kept.
    pub reason: SampleReason,
    /// Its inputs, but those that are left out.
    pub inputs: Vec<(String, Tensor)>,
    /// The names of those.
    pub redacted: Vec<String>,
    /// What was said of each row, where that can be read.
    pub answers: Vec<Predicted>,
    /// What a candidate said.
    pub other: Vec<Predicted>,
}

/// Why an input is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleReason {
    /// The model was not sure.
    Confidence,
    /// The model's drift was in alarm.
    Drift,
    /// A candidate gave another answer.
    Disagreement,
}

impl SampleReason {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confidence => "confidence",
            Self::Drift => "drift",
            Self::Disagreement => "disagreement",
        }
    }
}

/// Inputs on their way through, until it is known whether they are kept.
pub(crate) struct Held {
    pub(crate) inputs: Vec<(String, Tensor)>,
}

/// Which inputs of a version are kept.
pub(crate) struct Sampler {
    pub(crate) settings: SampleSettings,
    /// When the minute began, and how many were kept of it.
    minute: Mutex<(Instant, u32)>,
    drifts: AtomicBool,
    /// Whether it was told that nothing is kept for want of an input that is to be left out.
    told: AtomicBool,
}

impl Sampler {
    pub(crate) fn of(settings: &SampleSettings) -> Self {
        Self {
            settings: settings.clone(),
            minute: Mutex::new((Instant::now(), 0)),
            drifts: AtomicBool::new(false),
            told: AtomicBool::new(false),
        }
    }

    /// Whether the model's drift is in alarm.
    pub(crate) fn drifts(&self, is: bool) {
        self.drifts.store(is, Relaxed);
    }

    /// A copy of inputs that may be kept: what is to be left out is not in it at any time.
    pub(crate) fn hold(&self, model: &str, inputs: &[(String, Tensor)]) -> Option<Held> {
        let redact = &self.settings.redact;
        if !redact.iter().all(|name| inputs.iter().any(|(known, _)| known == name)) {
            if !self.told.swap(true, Relaxed) {
                tracing::warn!(
                    model,
                    "no samples are kept of requests without the inputs that `redact` of [samples] names"
                );
            }
            return None;
        }
        let kept: Vec<&(String, Tensor)> = inputs.iter().filter(|(name, _)| !redact.contains(name)).collect();
        let bytes: usize = kept.iter().map(|(_, tensor)| size(tensor)).sum();
        if kept.is_empty() || bytes as u64 > self.settings.largest || !self.has_room() {
            return None;
        }
        Some(Held { inputs: kept.into_iter().cloned().collect() })
    }

    /// Why inputs with these answers are kept, if they are.
    pub(crate) fn reason(&self, answers: &[Predicted]) -> Option<SampleReason> {
        let least = answers.iter().filter_map(|answer| answer.confidence).fold(f32::INFINITY, f32::min);
        if f64::from(least) < self.settings.confidence {
            return Some(SampleReason::Confidence);
        }
        (self.settings.drift && self.drifts.load(Relaxed)).then_some(SampleReason::Drift)
    }

    fn has_room(&self) -> bool {
        let minute = lock(&self.minute);
        minute.0.elapsed() >= MINUTE || minute.1 < self.settings.rate
    }

    /// Takes one of the minute's places.
    pub(crate) fn takes(&self) -> bool {
        let mut minute = lock(&self.minute);
        if minute.0.elapsed() >= MINUTE {
            *minute = (Instant::now(), 0);
        }
        let takes = minute.1 < self.settings.rate;
        minute.1 += u32::from(takes);
        takes
    }
}

/// Bytes of a tensor.
pub(crate) fn size(tensor: &Tensor) -> usize {
    tensor.data().len() + tensor.text().iter().map(String::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(redact: &[&str]) -> Sampler {
        let redact = redact.iter().map(ToString::to_string).collect();
        Sampler::of(&SampleSettings {
            confidence: 0.6,
            drift: true,
            disagreement: true,
            bytes: 1 << 20,
            largest: 16,
            rate: 2,
            age: MINUTE,
            redact,
        })
    }

    fn inputs(names: &[&str], values: usize) -> Vec<(String, Tensor)> {
        let tensor = Tensor::from_f32(vec![u32::try_from(values).unwrap()], &vec![1.0; values]).unwrap();
        names.iter().map(|name| ((*name).to_owned(), tensor.clone())).collect()
    }

    #[test]
    fn what_is_left_out_is_never_held_and_a_wrong_name_holds_nothing() {
        let held = sampler(&["face"]).hold("m", &inputs(&["face", "light"], 4)).unwrap();
        assert_eq!(held.inputs, inputs(&["light"], 4));
        assert!(sampler(&["fase"]).hold("m", &inputs(&["face", "light"], 4)).is_none());
        assert!(sampler(&["face"]).hold("m", &inputs(&["face"], 4)).is_none(), "nothing would be left");
        assert!(sampler(&[]).hold("m", &inputs(&["face"], 5)).is_none(), "it is too large");
    }

    #[test]
    fn what_the_model_is_not_sure_of_is_kept_and_no_more_than_its_share_of_a_minute() {
        let (sampler, sure) =
            (sampler(&[]), |sure: Option<f32>| Predicted { confidence: sure, ..Predicted::default() });
        assert_eq!(sampler.reason(&[sure(Some(0.9)), sure(Some(0.5))]), Some(SampleReason::Confidence));
        assert_eq!(sampler.reason(&[sure(Some(0.6)), sure(None)]), None);
        sampler.drifts(true);
        assert_eq!(sampler.reason(&[]), Some(SampleReason::Drift));
        assert_eq!([sampler.takes(), sampler.takes(), sampler.takes()], [true, true, false]);
        assert!(sampler.hold("m", &inputs(&["x"], 1)).is_none(), "nothing is copied that would not be kept");
    }
}
