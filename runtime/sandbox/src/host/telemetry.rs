//! `telemetry`: logs, measurements, spans and progress. It needs no grant: everything is bounded and stays on the box.
//!
//! While a plugin describes itself these calls do nothing instead of refusing, so that a panic hook that logs does not
//! hide the panic.

use wasmtime::component::Resource;

use super::metrics::{Measure, micros};
use crate::{
    bindings::trackside::plugin::telemetry::{Host, HostSpan, Level},
    recorder::{clip, clip_attrs},
    report::{LogLevel, Progress, Span},
    store_data::CallData,
};

const NAME: usize = 128;

/// A span that the guest holds.
pub struct OpenSpan {
    start_us: u64,
    /// `None` once it has ended.
    span: Option<Open>,
}

struct Open {
    name: String,
    attrs: Vec<(String, String)>,
    error: Option<String>,
}

impl CallData {
    fn end_span(&mut self, start_us: u64, open: Open) {
        let end_us = micros(self.begin);
        let Open { name, attrs, error } = open;
        self.metrics.end_span(Span { name, start_us, end_us, attrs, error });
    }

    /// Counts the call; false while the plugin describes itself.
    fn listens(&mut self) -> bool {
        self.usage.host_calls = self.usage.host_calls.saturating_add(1);
        !self.describing()
    }

    fn measure(&mut self, how: Measure, name: String, value: f64, attrs: Vec<(String, String)>) {
        if self.listens() {
            self.metrics.measure(how, name, value, attrs);
        }
    }
}

impl HostSpan for CallData {
    fn start(&mut self, name: String, attrs: Vec<(String, String)>) -> wasmtime::Result<Resource<OpenSpan>> {
        self.listens();
        let open = Open { name: clip(name, NAME), attrs: clip_attrs(attrs), error: None };
        Ok(self.table.push(OpenSpan { start_us: micros(self.begin), span: Some(open) })?)
    }

    fn set_attribute(&mut self, span: Resource<OpenSpan>, key: String, value: String) -> wasmtime::Result<()> {
        self.listens();
        if let Some(open) = &mut self.table.get_mut(&span)?.span {
            open.attrs.push((key, value));
            open.attrs = clip_attrs(std::mem::take(&mut open.attrs));
        }
        Ok(())
    }

    fn set_error(&mut self, span: Resource<OpenSpan>, message: String) -> wasmtime::Result<()> {
        self.listens();
        if let Some(open) = &mut self.table.get_mut(&span)?.span {
            open.error = Some(clip(message, 1_024));
        }
        Ok(())
    }

    fn end(&mut self, span: Resource<OpenSpan>) -> wasmtime::Result<()> {
        self.listens();
        let entry = self.table.get_mut(&span)?;
        let start_us = entry.start_us;
        if let Some(open) = entry.span.take() {
            self.end_span(start_us, open);
        }
        Ok(())
    }

    fn drop(&mut self, span: Resource<OpenSpan>) -> wasmtime::Result<()> {
        let OpenSpan { start_us, span } = self.table.delete(span)?;
        if let Some(open) = span {
            self.end_span(start_us, open);
        }
        Ok(())
    }
}

impl Host for CallData {
    fn log(&mut self, level: Level, message: String, attrs: Vec<(String, String)>) -> wasmtime::Result<()> {
        if self.listens() {
            self.recorder.lock().log(level_in(level), message, attrs);
        }
        Ok(())
    }

    fn enabled(&mut self, level: Level) -> wasmtime::Result<bool> {
        self.listens();
        // True for a full budget too: lines that are left out are counted, and the count must be right.
        Ok(!matches!(level, Level::Trace))
    }

    fn counter_add(&mut self, name: String, delta: f64, attrs: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.measure(Measure::Add, name, delta, attrs);
        Ok(())
    }

    fn gauge_set(&mut self, name: String, value: f64, attrs: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.measure(Measure::Set, name, value, attrs);
        Ok(())
    }

    fn histogram_record(&mut self, name: String, value: f64, attrs: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.measure(Measure::Record, name, value, attrs);
        Ok(())
    }

    fn progress(&mut self, fraction: f32, note: String) -> wasmtime::Result<()> {
        if self.listens() && !fraction.is_nan() {
            let progress = Progress { fraction: fraction.clamp(0.0, 1.0), note: clip(note, 256) };
            self.host.progress(progress.fraction, &progress.note);
            self.metrics.progress = Some(progress);
        }
        Ok(())
    }
}

fn level_in(level: Level) -> LogLevel {
    match level {
        Level::Trace => LogLevel::Trace,
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    }
}
