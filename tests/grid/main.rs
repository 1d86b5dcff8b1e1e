//! The promise: the built-in engine gives ONNX Runtime's numbers, or refuses the model when it is loaded.
//!
//! A few hundred cells are committed and run everywhere. The whole grid is made by `generate.py` with Python;
//! `TRACKSIDE_GRID` names the file that it wrote. `TRACKSIDE_GRID_REPORT` names a file for what each cell came to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

mod archive;
mod cells;
mod compare;
mod judge;
#[path = "../support/optional.rs"]
#[allow(dead_code, reason = "this suite uses its part")]
mod optional;

use std::path::{Path, PathBuf};

use trackside_models::{EngineSettings, Engines};

use self::archive::Cell;
use self::cells::{Table, Verdict};

/// Right cells of the committed grid: never fewer.
const SMALL_FLOOR: usize = 528;
/// The same of the whole grid, and of ONNX's own tests. A little below what was counted (15,977 and 1,337): which cells
/// ONNX Runtime itself settles depends on the processor that the grid is made on.
const GRID_FLOOR: usize = 15_900;
const NODE_FLOOR: usize = 1_330;
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

fn run(path: &Path) -> Table {
    cells::run(path, || {
        let folder = tempfile::tempdir().unwrap();
        let engines = Engines::discover(EngineSettings::new(folder.path()));
        move |cell: &Cell| -> Verdict { judge::judge(&engines, folder.path(), cell) }
    })
}
