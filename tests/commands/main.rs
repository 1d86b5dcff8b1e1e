//! The promise: an existing program that runs as a WASI command is a step like any other. The program is Boolector, as its
//! authors publish it; see `examples/interlock`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod check;
mod steps;

use std::fs;

use support::{Project, repository};

/// A project with the solver among its plugins, and a problem that has a solution.
fn project() -> Project {
    let project = Project::new();
    let solver = fs::read(repository::example("interlock").join("plugins/boolector.wasm")).unwrap();
    project.write("plugins/boolector.wasm", solver);
    project.write("rules/sat.smt2", "(set-logic QF_BV)(declare-const a Bool)(assert a)(check-sat)\n");
    project.write("rules/unsat.smt2", "(set-logic QF_BV)(assert false)(check-sat)\n");
    project
}

/// A workflow whose one step `solve` calls the solver.
fn solving(project: &Project, name: &str, rest: &str) {
    project.workflow(name, &format!("steps:\n  solve:\n    plugin: boolector\n{rest}"));
}
