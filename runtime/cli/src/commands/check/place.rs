//! Where in a workflow file a step, or a key of a step, stands.
//!
//! A validated plan has no positions any more. The file has: a step is a key below `steps:` or `finally:`, and its keys
//! are the first of their name below it.

use trackside_spec::Problem;

/// A line and a column, from 1, and how many characters the name has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    length: usize,
}

/// A problem at `key` of a step; at the step when it has no such key.
pub fn problem(source: &str, file: &str, code: &'static str, step: &str, key: &str, message: String) -> Problem {
    let place = find(source, step, key).unwrap_or(Place { line: 1, column: 1, length: 1 });
    Problem {
        code,
        file: file.to_owned(),
        line: place.line,
        column: place.column,
        message: format!("step `{step}`: {message}"),
        help: None,
        snippet: snippet(source, place),
    }
}

/// A problem of a whole file; its text may begin with a code.
pub fn of_file(file: &str, text: &str) -> Problem {
    let known = ["TS-0622", "TS-0623"];
    let code = known.into_iter().find(|code| text.contains(code)).unwrap_or("TS-0109");
    let message = text.strip_prefix(&format!("[{code}] ")).unwrap_or(text);
    Problem {
        code,
        file: file.to_owned(),
        line: 1,
        column: 1,
        message: message.to_owned(),
        help: None,
        snippet: String::new(),
    }
}

fn find(source: &str, step: &str, key: &str) -> Option<Place> {
    let (section, name) = step.strip_prefix("finally.").map_or(("steps", step), |handler| ("finally", handler));
    let lines: Vec<&str> = source.lines().collect();
    let head = lines
        .iter()
        .position(|line| line.starts_with(section) && line[section.len()..].trim_start().starts_with(':'))?;
    let mut below = lines.iter().enumerate().skip(head + 1).take_while(|(_, line)| is_below(line, 0));
    let (at, text) = below.find(|(_, line)| key_at(line, name) == Some(indent(line)))?;
    let place = |line: usize, column: usize, name: &str| Place {
        line: line + 1,
        column: column + 1,
        length: name.chars().count(),
    };
    let own = place(at, indent(text), name);
    if key.is_empty() {
        return Some(own);
    }
    // The rest of the step's own line holds its keys when they are written in braces.
    let after = indent(text) + name.len();
    let same_line = text.get(after..).and_then(|rest| key_at(rest, key)).map(|column| place(at, after + column, key));
    let found = same_line.or_else(|| {
        let inner = lines.iter().enumerate().skip(at + 1).take_while(|(_, line)| is_below(line, indent(text)));
        inner.filter_map(|(number, line)| key_at(line, key).map(|column| place(number, column, key))).next()
    });
    Some(found.unwrap_or(own))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a line belongs to what begins at this indentation: it is deeper, empty or a comment.
fn is_below(line: &str, depth: usize) -> bool {
    let text = line.trim_start();
    text.is_empty() || text.starts_with('#') || indent(line) > depth
}

/// The byte at which `name` stands as a key.
fn key_at(line: &str, name: &str) -> Option<usize> {
    let code = line.split(" #").next().unwrap_or(line);
    code.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + name.len()..].trim_start_matches(['"', '\'']);
        before.is_none_or(|c| matches!(c, ' ' | '{' | ',' | '"' | '\'')) && after.trim_start().starts_with(':')
    })
}

fn snippet(source: &str, place: Place) -> String {
    let Some(line) = source.lines().nth(place.line - 1) else { return String::new() };
    let line: String = line.trim_end().chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let number = place.line.to_string();
    // Columns are bytes here; what stands before a key is indentation as a rule.
    let before = place.column.saturating_sub(1).min(line.chars().count());
    format!(
        "{number} | {line}\n{} | {}{}",
        " ".repeat(number.len()),
        " ".repeat(before),
        "^".repeat(place.length.max(1))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
version: 1
steps:
  # with: not this
  check:
    plugin: csv-check
    with:
      file: a.csv
      shcema: b.json
  short: { plugin: echo, with: { value: 1 } }
finally:
  failed:
    plugin: echo
";

    #[test]
    fn steps_and_their_keys_are_found() {
        let at = |step, key| find(SOURCE, step, key).map(|place| (place.line, place.column));
        assert_eq!(at("check", ""), Some((4, 3)));
        assert_eq!(at("check", "plugin"), Some((5, 5)));
        assert_eq!(at("check", "shcema"), Some((8, 7)));
        assert_eq!(at("check", "missing"), Some((4, 3)), "the step itself");
        assert_eq!(at("short", "value"), Some((9, 34)));
        assert_eq!(at("finally.failed", "plugin"), Some((12, 5)));
        assert_eq!(at("none", ""), None);
    }

    #[test]
    fn a_problem_is_shown_as_compilers_do() {
        let problem = problem(SOURCE, "w.yaml", "TS-0862", "check", "shcema", "no such input".into());
        let expected = "\
w.yaml:8:7: error[TS-0862]: step `check`: no such input
8 |       shcema: b.json
  |       ^^^^^^";
        assert_eq!(problem.to_string(), expected);
    }
}
