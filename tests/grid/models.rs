//! The promise: a model as people bring it gives Python onnxruntime's numbers on both engines, from the file to the answer as
//! the product goes.
//!
//! `models.zip` is made by `generate.py --models`: exports of scikit-learn, LightGBM, XGBoost and CatBoost with and without
//! ZipMap, and small networks of each kind. ONNX Runtime's own answers stand in it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[allow(dead_code, reason = "each suite uses its part")]
mod archive;
#[allow(dead_code, reason = "this suite uses its part")]
mod cells;
#[allow(dead_code, reason = "each suite uses its part")]
mod compare;
mod convert;
#[path = "../support/optional.rs"]
#[allow(dead_code, reason = "this suite uses its part")]
mod optional;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use trackside_models::{CancelToken, EngineChoice, EngineSettings, Engines, ModelError, ModelSource, Output};

use self::archive::Cell;
use self::cells::{Table, Verdict};
use self::compare::{difference, json_difference};
use self::convert::{of_spec, to_spec};

/// Fewer are no such suite.
const MODELS: usize = 200;
/// Models that the built-in engine gets right: never fewer.
const BUILT_IN: usize = 219;
/// The longest that one may take.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn the_built_in_engine_gives_the_numbers_of_python_onnxruntime() {
    let table = run(EngineChoice::Rten, |_| None);
    let right = table.all().right;
    assert!(right >= BUILT_IN, "{right} models are right, {BUILT_IN} were");
}

#[test]
fn onnxruntime_gives_the_numbers_of_python_onnxruntime() {
    let Some(library) = optional::onnxruntime("whole models on ONNX Runtime") else { return };
    let table = run(EngineChoice::OnnxRuntime, |_| Some(library.clone()));
    let all = table.all();
    assert_eq!(all.right, all.all(), "every one of them is one that ONNX Runtime has run");
}

fn run(choice: EngineChoice, library: impl Fn(&Path) -> Option<PathBuf> + Sync) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/grid/models.zip");
    let table = cells::run(&path, || {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = EngineSettings::new(folder.path());
        settings.configured = library(folder.path());
        let engines = Engines::discover(settings);
        move |cell: &Cell| judge(&engines, choice, folder.path(), cell)
    });
    assert!(table.all().all() >= MODELS, "{} models are no suite", table.all().all());
    println!("{choice:?}: {} of {} models right", table.all().right, table.all().all());
    table
}

fn judge(engines: &Engines, choice: EngineChoice, folder: &Path, cell: &Cell) -> Verdict {
    let path = folder.join("model.onnx");
    std::fs::write(&path, &cell.model).unwrap();
    let model = match engines.load(&ModelSource { choice, sessions: 1, ..ModelSource::new(&*cell.name, &path) }) {
        Ok(model) => model,
        Err(error @ ModelError::Unsupported { .. }) => return Verdict::Refused(error.to_string()),
        Err(error) => return Verdict::Failed(error.to_string()),
    };
    let inputs = cell.inputs.iter().map(|tensor| (tensor.name.clone(), to_spec(tensor))).collect();
    let ran = match model.run(inputs, &[], Some(Instant::now() + LIMIT), &CancelToken::new()) {
        Ok(ran) => ran,
        Err(error) => return Verdict::Failed(error.to_string()),
    };
    if ran.outputs.len() != cell.outputs.len() {
        return Verdict::Wrong(format!("{} outputs came, {} are right", ran.outputs.len(), cell.outputs.len()));
    }
    for ((name, given), expected) in ran.outputs.iter().zip(&cell.outputs) {
        let difference = match given {
            _ if *name != expected.name => Some(format!("it came in the place of {}", expected.name)),
            Output::Tensor(tensor) => difference(&of_spec(name, tensor), expected),
            Output::Json(value) => json_difference(value, &expected.json),
        };
        if let Some(difference) = difference {
            return Verdict::Wrong(format!("{name}: {difference}"));
        }
    }
    Verdict::Right
}
