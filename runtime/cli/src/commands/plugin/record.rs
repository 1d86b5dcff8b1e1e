//! `trackside plugin test --record`: a case out of a step that ran on a node.

use std::{
    fs,
    path::{Path, PathBuf},
};
use trackside_codes::code;

use trackside_control::{RecordError, find_run, record_case};

use crate::{
    context::{Context, plugins_of},
    failure::{Exit, Failure},
};

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        match error {
            // Retention may have taken it away: the answer is bad, and not the question.
            RecordError::Artifact { .. } => Self::ended_by(Exit::Bad, &error),
            error => Self::of(&error),
        }
    }
}

/// Writes the case of a step (the only plugin step of its run when none is named) into `dir`, and says where.
pub fn execute(context: &Context, run: &str, step: Option<&str>, dir: &Path) -> Result<PathBuf, Failure> {
    let (project, reader) = context.reader()?;
    let run = find_run(&reader, run)?;
    let (plugins, _temp) = plugins_of(&project)?;
    let folder = dir.join("tests");
    let keep = &mut |path: &str, bytes: &[u8]| write(&folder.join(path), bytes);
    let case = record_case(&reader, &project, &plugins, run, step, keep)?;
    let file = folder.join(format!("{}.yaml", case.name));
    write(&file, case.text.as_bytes())?;
    Ok(file)
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, bytes));
    written.map_err(|error| Failure::new(code!("TS-0852"), format!("cannot write {}: {error}", file.display())))
}
