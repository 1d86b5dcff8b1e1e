//! What the steps of a run logged.

use serde::Serialize;
use serde_json::Value;
use trackside_engine::RunId;
use trackside_store::{LogRow, Reader};

use crate::{QueryError, RunView};

/// One line. The JSON form is what `runs logs --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct LogLine {
    /// The step.
    pub step: String,
    /// Which item of a step with `foreach`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Which attempt.
    pub attempt: u32,
    /// `level`, `message`, `at_ms`, `attributes`.
    #[serde(flatten)]
    pub line: Value,
}

/// What the steps of a run logged, or one of them.
///
/// # Errors
/// When there is no such run or step, or the run can not be read.
pub fn run_logs(reader: &Reader, run: RunId, step: Option<&str>) -> Result<Vec<LogLine>, QueryError> {
    let view = RunView::read(reader, run)?.ok_or(QueryError::NoRun(run))?;
    let steps: Vec<String> = match &view.plan {
        Some(plan) => plan.steps.iter().map(|step| step.id.clone()).collect(),
        None => view.steps.iter().map(|step| step.id.clone()).collect(),
    };
    if let Some(wanted) = step.filter(|wanted| !steps.iter().any(|step| step == wanted)) {
        return Err(QueryError::NoStep { run, step: wanted.to_owned(), known: steps.join(", ") });
    }
    let mut lines = Vec::new();
    for LogRow { step: index, item, attempt, lines: text } in reader.logs(run)? {
        let name = steps.get(usize::from(index)).cloned().unwrap_or_else(|| format!("step-{index}"));
        if step.is_none_or(|wanted| wanted == name) {
            lines.extend(parse(&text).map(|line| LogLine { step: name.clone(), item, attempt, line }));
        }
    }
    Ok(lines)
}

/// The lines as they were stored; one that is no JSON is shown as it is.
fn parse(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| serde_json::json!({ "message": line })))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_that_is_no_json_is_kept_as_a_message() {
        let lines: Vec<Value> = parse("{\"message\":\"a\"}\nnot json\n").collect();
        assert_eq!(lines, [json!({ "message": "a" }), json!({ "message": "not json" })]);
    }
}
