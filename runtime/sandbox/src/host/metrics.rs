//! Measurements and spans of one call, bounded.

use std::time::Instant;

use crate::{
    recorder::{clip, clip_attrs},
    report::{Metric, MetricValue, Progress, Span},
};

/// Distinct names with labels.
const SERIES: usize = 256;
/// Observations of all histograms.
const OBSERVATIONS: usize = 10_000;
const SPANS: usize = 256;
const NAME: usize = 128;

/// Collects up to the limits; the rest is left out.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    series: Vec<Metric>,
    observations: usize,
    spans: Vec<Span>,
    pub(crate) progress: Option<Progress>,
}

/// What the guest did with a measurement.
#[derive(Clone, Copy)]
pub(crate) enum Measure {
    Add,
    Set,
    Record,
}

impl Metrics {
    /// Takes a measurement. One that is not finite, or whose name was used for another kind, is left out.
    pub(crate) fn measure(&mut self, how: Measure, name: String, value: f64, attrs: Vec<(String, String)>) {
        if !value.is_finite() || name.is_empty() {
            return;
        }
        let (name, attrs) = (clip(name, NAME), clip_attrs(attrs));
        let full = self.series.len() == SERIES;
        let found = self.series.iter_mut().find(|series| series.name == name && series.attrs == attrs);
        match (found.map(|series| &mut series.value), how) {
            (Some(MetricValue::Counter(sum)), Measure::Add) => {
                let next = *sum + value;
                if next.is_finite() {
                    *sum = next;
                }
            }
            (Some(MetricValue::Gauge(last)), Measure::Set) => *last = value,
            (Some(MetricValue::Histogram(values)), Measure::Record) if self.observations < OBSERVATIONS => {
                self.observations += 1;
                values.push(value);
            }
            (Some(_), _) => {}
            (None, _) if full => {}
            (None, _) => {
                let value = match how {
                    Measure::Add => MetricValue::Counter(value),
                    Measure::Set => MetricValue::Gauge(value),
                    Measure::Record => {
                        self.observations += 1;
                        MetricValue::Histogram(vec![value])
                    }
                };
                self.series.push(Metric { name, attrs, value });
            }
        }
    }

    /// Keeps a span that ends now.
    pub(crate) fn end_span(&mut self, span: Span) {
        if self.spans.len() < SPANS {
            self.spans.push(span);
        }
    }

    /// Gives everything up.
    pub(crate) fn finish(&mut self) -> (Vec<Metric>, Vec<Span>) {
        (std::mem::take(&mut self.series), std::mem::take(&mut self.spans))
    }
}

/// Whole microseconds since `begin`.
pub(crate) fn micros(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_sum_gauges_replace_histograms_collect() {
        let mut metrics = Metrics::default();
        for value in [1.0, 2.0, f64::NAN] {
            metrics.measure(Measure::Add, "c".into(), value, vec![]);
            metrics.measure(Measure::Set, "g".into(), value, vec![]);
            metrics.measure(Measure::Record, "h".into(), value, vec![]);
        }
        metrics.measure(Measure::Set, "c".into(), 9.0, vec![]);
        metrics.measure(Measure::Add, "c".into(), 9.0, vec![("k".into(), "v".into())]);
        let values = metrics.finish().0.into_iter().map(|metric| metric.value).collect::<Vec<_>>();
        let expected = [
            MetricValue::Counter(3.0),
            MetricValue::Gauge(2.0),
            MetricValue::Histogram(vec![1.0, 2.0]),
            MetricValue::Counter(9.0),
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut metrics = Metrics::default();
        for index in 0..100_000 {
            metrics.measure(Measure::Record, "h".into(), 1.0, vec![]);
            if index < 1_000 {
                metrics.measure(Measure::Add, format!("c{index}"), 1.0, vec![]);
            }
        }
        let (series, _) = metrics.finish();
        assert_eq!(series.len(), SERIES);
        assert!(matches!(&series[0].value, MetricValue::Histogram(values) if values.len() == OBSERVATIONS));
    }
}
