//! The promise: the built-in engine gives ONNX Runtime's numbers, or refuses the model when it is loaded.
//!
//! A few hundred cells are committed and run everywhere. The whole grid is made by `generate.py` with Python;
//! `TRACKSIDE_GRID` names the file that it wrote. `TRACKSIDE_GRID_REPORT` names a file for what each cell came to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[allow(dead_code, reason = "each suite uses its part")]
mod archive;
mod cells;
#[allow(dead_code, reason = "each suite uses its part")]
mod compare;
mod convert;
mod judge;
#[path = "../support/optional.rs"]
#[allow(dead_code, reason = "this suite uses its part")]
mod optional;

use std::path::{Path, PathBuf};

use trackside_models::{EngineSettings, Engines};

use self::archive::Cell;
use self::cells::{Table, Verdict};

/// Right cells of the committed grid: never fewer.
const SMALL_FLOOR: usize = 532;
/// The same of the whole grid, and of ONNX's own tests. A little below what was counted (16,191 and 1,362): which cells
/// ONNX Runtime itself settles depends on the processor that the grid is made on.
const GRID_FLOOR: usize = 16_100;
const NODE_FLOOR: usize = 1_355;
/// ONNX's own tests, all but the random ones, as ONNX says they must come: so many pass on each engine. A number that grows
/// is written down here; it never falls.
const PASS_BUILT_IN: usize = 1_373;
const PASS_ONNXRUNTIME: usize = 1_586;
/// Fewer are no grid.
const GRID_CELLS: usize = 5_000;

#[test]
fn no_committed_cell_is_wrong() {
    let table = run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/grid/small.zip"));
    let right = table.group("grid").right + table.group("node").right;
    assert!(right >= SMALL_FLOOR, "{right} cells are right, {SMALL_FLOOR} were");
}

#[test]
fn no_cell_of_the_whole_grid_is_wrong() {
    let Some(path) = std::env::var_os("TRACKSIDE_GRID") else {
        return optional::not_run("grid", "the whole grid", "TRACKSIDE_GRID names no file of tests/grid/generate.py");
    };
    let table = run(&PathBuf::from(path));
    let (grid, node) = (table.group("grid"), table.group("node"));
    assert!(grid.all() >= GRID_CELLS, "a grid of {} cells is no grid", grid.all());
    assert!(grid.right >= GRID_FLOOR, "{} cells are right, {GRID_FLOOR} were", grid.right);
    assert!(node.right >= NODE_FLOOR, "{} of ONNX's own tests are right, {NODE_FLOOR} were", node.right);
}

#[test]
fn no_engine_passes_fewer_of_onnxs_own_tests_than_before() {
    let Some(path) = std::env::var_os("TRACKSIDE_NODE_TESTS") else {
        let why = "TRACKSIDE_NODE_TESTS names no file of tests/grid/generate.py --node-tests";
        return optional::not_run("node-tests", "ONNX's own tests on each engine", why);
    };
    let cells = archive::read(Path::new(&path));
    let count = |name: &str, library: Option<&Path>| {
        let verdicts = cells::judge_all(&cells, || {
            let folder = tempfile::tempdir().unwrap();
            let mut settings = EngineSettings::new(folder.path());
            settings.configured = library.map(Path::to_owned);
            let engines = Engines::discover(settings);
            let engine = if library.is_some() { engines.onnxruntime().unwrap() } else { engines.rten() };
            move |cell: &Cell| judge::judge(&*engine, folder.path(), cell)
        });
        let table = Table::of(&cells, &verdicts);
        let cells::Count { right, wrong, refused, failed } = table.all();
        println!(
            "ONNX's own tests on {name}: {right} of {} pass; {wrong} give other numbers than ONNX says, {refused} are \
             refused, {failed} fail",
            cells.len()
        );
        if let Some(report) = std::env::var_os("TRACKSIDE_GRID_REPORT") {
            let path = PathBuf::from(report).with_extension(name.replace(' ', "-"));
            std::fs::write(path, cells::lines(&cells, &verdicts)).unwrap();
        }
        right
    };
    let built_in = count("the built-in engine", None);
    assert!(built_in >= PASS_BUILT_IN, "{built_in} of ONNX's own tests pass, {PASS_BUILT_IN} did");
    if let Some(library) = optional::onnxruntime("ONNX's own tests on ONNX Runtime") {
        let onnxruntime = count("ONNX Runtime", Some(&library));
        assert!(onnxruntime >= PASS_ONNXRUNTIME, "{onnxruntime} of ONNX's own tests pass, {PASS_ONNXRUNTIME} did");
    }
}

fn run(path: &Path) -> Table {
    cells::run(path, || {
        let folder = tempfile::tempdir().unwrap();
        let engines = Engines::discover(EngineSettings::new(folder.path()));
        move |cell: &Cell| -> Verdict { judge::judge(&*engines.rten(), folder.path(), cell) }
    })
}
