//! `window-features`: rows to a tensor of features, one line per window.
//!
//! [`grid`] puts rows on an even grid and fills short gaps, [`window`] cuts windows, [`feature`] computes. The file is
//! read in order and never held.

mod feature;
mod grid;
mod window;

use std::{collections::BTreeMap, rc::Rc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trackside_rows::{
    ReadError,
    lines::{Line, Lines},
    timestamp::{self, Time},
};
use trackside_sdk::{
    Artifact, ArtifactRef, Outcome, Port, Step, StepError,
    tensor::{self, TensorWriter},
};

use crate::{
    feature::Feature,
    grid::{Counts, Disorder, Grid, Row},
    window::{Features, Windows},
};

/// The longest window in rows.
const MAX_WINDOW: usize = 65_536;

/// The most features of one window.
const MAX_FEATURES: usize = 65_536;

/// The most columns of a key.
const MAX_KEY: usize = 16;

/// The largest scaler file.
const MAX_SCALER: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(rename = "rows")]
    _rows: ArtifactRef,
    #[serde(rename = "scaler")]
    scaler_file: Option<ArtifactRef>,
    columns: Vec<String>,
    #[serde(default)]
    key: Vec<String>,
    window: usize,
    stride: Option<u64>,
    #[serde(default = "raw")]
    features: Vec<String>,
    time: Option<String>,
    every: Option<String>,
    #[serde(default)]
    disorder: Disorder,
    #[serde(default)]
    gaps: Gaps,
    #[serde(default = "three")]
    max_gap: usize,
    #[serde(default)]
    normalise: BTreeMap<String, Scale>,
    #[serde(default = "x")]
    name: String,
    #[serde(default)]
    empty: Empty,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Gaps {
    #[default]
    Skip,
    Interpolate,
    Fail,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Empty {
    #[default]
    Fail,
    Skip,
    Allow,
}

/// `(value - mean) / std` for one column.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scale {
    #[serde(default)]
    mean: f64,
    #[serde(default = "one")]
    std: f64,
}

/// The scaler file: what a training script wrote down.
#[derive(Deserialize)]
struct Scaler {
    columns: BTreeMap<String, Scale>,
}

#[derive(Serialize)]
struct Output {
    windows: u64,
    skipped: u64,
    features: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    row_count: u64,
    absent_rows: u64,
    dropped_rows: u64,
    interpolated: u64,
}

fn raw() -> Vec<String> {
    vec!["raw".into()]
}

fn three() -> usize {
    3
}

fn one() -> f64 {
    1.0
}

fn x() -> String {
    "x".into()
}

/// The input after every check.
struct Job {
    columns: Vec<(String, Scale)>,
    key: Vec<String>,
    time: Option<String>,
    every: Option<i128>,
    disorder: Disorder,
    fail_on_gaps: bool,
    max_gap: usize,
    window: usize,
    stride: u64,
    features: Vec<Feature>,
}

fn run(input: Input, step: &Step) -> Result<Outcome<Output>, StepError> {
    let rows = step.input("rows")?;
    let job = job(&input, step)?;
    let names: Vec<String> = input
        .columns
        .iter()
        .flat_map(|column| {
            let features = job.features.iter().zip(&input.features);
            features.flat_map(|(feature, name)| feature.names(column, name, job.window)).collect::<Vec<_>>()
        })
        .collect();

    let index = step.create("index", "windows.jsonl", "application/jsonl")?;
    let held = Features::Held(Vec::new());
    let mut windows = Windows::new(job.window, job.stride, &job.features, Some(index), held);
    let counts = read(&rows, &job, &mut windows, step)?;
    let output = Output {
        windows: windows.windows,
        skipped: windows.skipped,
        first: windows.first.map(timestamp::format),
        last: windows.last.map(timestamp::format),
        row_count: counts.rows,
        absent_rows: counts.absent,
        dropped_rows: counts.dropped,
        interpolated: counts.interpolated,
        features: names,
    };
    if output.windows == 0 && input.empty != Empty::Allow {
        let reason = format!(
            "{} has no whole window of {} rows ({} rows, {} windows skipped for missing values)",
            rows.name(),
            job.window,
            counts.rows,
            output.skipped
        );
        return match input.empty {
            Empty::Skip => Ok(Outcome::Skipped(reason)),
            _ => Err(StepError::fatal("no-window", reason)),
        };
    }

    let shape = [output.windows, output.features.len() as u64];
    let (index, features) = windows.into_parts();
    if let Some(index) = index {
        index.commit()?;
    }
    let file = step.create("tensor", &format!("{}.safetensors", input.name), tensor::MEDIA_TYPE)?;
    let mut target = TensorWriter::f32(file, &input.name, &shape)?;
    match features {
        Features::Held(numbers) => {
            // In pieces, so that the bytes are not all there a second time.
            numbers.chunks(16 * 1_024).try_for_each(|part| target.write_f32(part))?;
            target.commit()?;
        }
        _ => {
            let mut windows = Windows::new(job.window, job.stride, &job.features, None, Features::Written(target));
            read(&rows, &job, &mut windows, step)?;
            if let (_, Features::Written(target)) = windows.into_parts() {
                target.commit()?;
            }
        }
    }
    Ok(Outcome::Done(output))
}

fn job(input: &Input, step: &Step) -> Result<Job, StepError> {
    let bad = |what: String| StepError::fatal("bad-input", what);
    let window = input.window;
    if window == 0 || window > MAX_WINDOW {
        return Err(bad(format!("window: {window} rows; 1 to {MAX_WINDOW} are possible")));
    }
    let stride = input.stride.unwrap_or(window as u64);
    if stride == 0 {
        return Err(bad("stride: 0 rows would never move on".into()));
    }
    if input.columns.is_empty() || input.features.is_empty() {
        return Err(bad("columns and features: name at least one of each".into()));
    }
    let features = input.features.iter().map(|name| Feature::parse(name, window)).collect::<Result<Vec<_>, _>>()?;
    let per_column: usize = features.iter().map(|feature| feature.width(window)).sum();
    let width = per_column.saturating_mul(input.columns.len());
    if width > MAX_FEATURES {
        return Err(bad(format!("{width} features per window; at most {MAX_FEATURES} are possible")));
    }
    let every = input
        .every
        .as_deref()
        .map(|text| timestamp::parse_duration(text).ok_or_else(|| bad(format!("every: {text:?}: write 30s, 5m or 1h"))))
        .transpose()?;
    if every.is_some() && input.time.is_none() {
        return Err(bad("every: needs `time`, the column that holds the time".into()));
    }
    let scales = scales(input, step)?;
    let columns = input
        .columns
        .iter()
        .map(|name| (name.clone(), scales.get(name).copied().unwrap_or(Scale { mean: 0.0, std: 1.0 })))
        .collect();
    if input.key.len() > MAX_KEY {
        return Err(bad(format!("key: {} columns; at most {MAX_KEY} are possible", input.key.len())));
    }
    Ok(Job {
        columns,
        key: input.key.clone(),
        time: input.time.clone(),
        every,
        disorder: input.disorder,
        fail_on_gaps: input.gaps == Gaps::Fail,
        max_gap: if input.gaps == Gaps::Interpolate { input.max_gap.min(MAX_WINDOW) } else { 0 },
        window,
        stride,
        features,
    })
}

fn scales(input: &Input, step: &Step) -> Result<BTreeMap<String, Scale>, StepError> {
    let mut scales = match &input.scaler_file {
        Some(_) => step.input("scaler")?.json::<Scaler>(MAX_SCALER)?.columns,
        None => BTreeMap::new(),
    };
    scales.extend(input.normalise.iter().map(|(column, scale)| (column.clone(), *scale)));
    for (column, scale) in &scales {
        if !(scale.mean.is_finite() && scale.std.is_finite() && scale.std > 0.0) {
            let message = format!("normalise: column `{column}`: std must be above 0 and both must be finite");
            return Err(StepError::fatal("bad-input", message));
        }
    }
    for column in input.normalise.keys() {
        if !input.columns.contains(column) {
            let message = format!("normalise: column `{column}` is not in `columns`");
            return Err(StepError::fatal("bad-input", message));
        }
    }
    Ok(scales)
}

fn read(rows: &Artifact, job: &Job, windows: &mut Windows<'_>, step: &Step) -> Result<Counts, StepError> {
    let mut grid = Grid::new(job.every, job.disorder, job.max_gap);
    let mut lines = Lines::new(rows.reader()?);
    let mut missing = 0u64;
    while let Some(line) = lines.read().map_err(|error| unreadable(rows, error))? {
        let number = lines.number();
        if number.is_multiple_of(16_384) && step.cancelled() {
            return Err(StepError::fatal("cancelled", format!("stopped at line {number}")));
        }
        let at = |what: String| StepError::fatal("bad-data", format!("{}, line {number}: {what}", rows.name()));
        let object = match line {
            Line::Object(object) => object,
            Line::Bad(reason) => return Err(at(reason)),
        };
        let mut values = Vec::with_capacity(job.columns.len());
        for (column, scale) in &job.columns {
            values.push(match object.get(column) {
                None | Some(Value::Null) => {
                    missing += 1;
                    f64::NAN
                }
                Some(value) => match value.as_f64() {
                    Some(value) => (value - scale.mean) / scale.std,
                    None => return Err(at(format!("column `{column}` holds no number"))),
                },
            });
        }
        let time = match &job.time {
            None => None,
            Some(column) => Some(time(object.get(column)).ok_or_else(|| {
                at(format!("column `{column}` holds no time (a timestamp, or milliseconds since 1970)"))
            })?),
        };
        let mut key = None;
        if !job.key.is_empty() {
            let mut found = Map::new();
            for column in &job.key {
                let value = object.get(column).ok_or_else(|| at(format!("column `{column}` of the key is missing")))?;
                found.insert(column.clone(), value.clone());
            }
            key = Some(Rc::new(found));
        }
        grid.push(number, Row { time, values, key }, windows)?;
    }
    grid.finish(windows)?;
    if job.fail_on_gaps && missing + grid.counts.absent > 0 {
        let message = format!(
            "{}: {missing} values and {} rows are missing, and `gaps` is `fail`",
            rows.name(),
            grid.counts.absent
        );
        return Err(StepError::fatal("bad-data", message));
    }
    Ok(grid.counts)
}

fn unreadable(rows: &Artifact, error: ReadError) -> StepError {
    match error {
        ReadError::Io(error) => error.into(),
        other => StepError::fatal("bad-data", format!("{}, {other}", rows.name())),
    }
}

fn time(value: Option<&Value>) -> Option<Time> {
    match value? {
        Value::String(text) => timestamp::parse(text.trim()),
        Value::Number(number) => number.as_i64().map(Time::from_millis),
        _ => None,
    }
}

trackside_sdk::plugin! {
    name: "window-features",
    summary: "Cuts rows into windows and computes a tensor of features",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [
        Port::new("rows", "Rows, one JSON object per line, in order of time").required().media_type("application/jsonl"),
        Port::new("scaler", "Mean and standard deviation per column, as JSON").media_type("application/json"),
    ],
    outputs: [
        Port::new("tensor", "float32 [windows, features]").media_type(tensor::MEDIA_TYPE),
        Port::new("index", "Per window its number, first row, start and end").media_type("application/jsonl"),
    ],
    deterministic: true,
    run: run,
}

#[cfg(test)]
mod tests;
