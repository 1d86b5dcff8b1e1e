//! Problems of files that people write: where, what, why and what to do.

use std::fmt;

use trackside_codes::{Code, Coded, code};

use crate::tree::parse_yaml;

/// One problem of one file. Codes TS-01xx, and those of `check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem.
    pub code: Code,
    /// The file's name as the caller gave it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it, if that is known.
    pub help: Option<String>,
    /// The line with a caret below the place; empty when there is no such line.
    pub snippet: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: error[{}]: {}", self.file, self.line, self.column, self.code, self.message)?;
        if !self.snippet.is_empty() {
            write!(f, "\n{}", self.snippet)?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with one file, in the order of its lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// The problems.
    pub problems: Vec<Problem>,
}

impl SpecError {
    /// For a reader that failed without saying why, which none should.
    pub(crate) fn unexplained(file: &str) -> Self {
        let place = Place { line: 1, column: 1, length: 1 };
        let mut report = Report::new(file, "");
        report.add("TS-0101", place, "the file could not be read", None);
        Self { problems: report.problems }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecError {}

impl Coded for SpecError {
    fn code(&self) -> Code {
        self.problems.first().map_or(code!("TS-0101"), |first| first.code)
    }

    fn has_places(&self) -> bool {
        true
    }
}

/// A place in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// How many characters to underline, at least one.
    pub(crate) length: usize,
}

/// The problems of one file while they are being collected.
pub(crate) struct Report<'t> {
    file: &'t str,
    lines: Vec<&'t str>,
    problems: Vec<Problem>,
}

/// More than anybody reads at once.
const MAX_PROBLEMS: usize = 50;

impl<'t> Report<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, lines: text.lines().collect(), problems: Vec::new() }
    }

    /// Adds a problem, unless the same place already has one with the same message.
    pub(crate) fn add(
        &mut self,
        code: impl Into<Code>,
        place: Place,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let problem = self.problem(code.into(), place, &message.into(), help);
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn problem(&self, code: Code, place: Place, message: &str, help: Option<String>) -> Problem {
        let place = self.inside_file(place);
        Problem {
            code,
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            message: one_line(message),
            help: help.map(|help| one_line(&help)),
            snippet: self.snippet(place),
        }
    }

    /// Readers put what is missing at the end of a file behind its last line; nobody can look there.
    fn inside_file(&self, place: Place) -> Place {
        match self.lines.last() {
            Some(last) if place.line > self.lines.len() => {
                Place { line: self.lines.len(), column: last.trim_end().chars().count() + 1, length: 1 }
            }
            _ => place,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    /// Where the byte `offset` of a text value is in the source, when the value is written there as it reads: plain,
    /// quoted without escapes, or as a literal block. `None` when it is not.
    pub(crate) fn place_inside(&self, value: Place, text: &str, offset: usize, length: usize) -> Option<Place> {
        let before = text.get(..offset)?;
        let line = before.matches('\n').count();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let written = text.get(line_start..)?.lines().next().unwrap_or_default();
        let column = before.get(line_start..)?.chars().count();
        // The value begins at `value` or, for a block, on the line below its `|`.
        for candidate in [value.line + line, value.line + line + 1] {
            let source = self.lines.get(candidate - 1)?;
            let skip = if candidate == value.line { value.column - 1 } else { 0 };
            let start = source.char_indices().nth(skip).map_or(source.len(), |(at, _)| at);
            if let Some(found) = source.get(start..).and_then(|rest| rest.find(written)) {
                let characters = source.get(..start + found)?.chars().count();
                return Some(Place { line: candidate, column: characters + column + 1, length });
            }
        }
        None
    }

    /// `Err` with the problems in the order of the file, `Ok` when there are none.
    pub(crate) fn finish(mut self) -> Result<(), SpecError> {
        if self.problems.is_empty() {
            return Ok(());
        }
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        Err(SpecError { problems: self.problems })
    }

    /// The line of `place` and a caret line below it; a window of it when it is long.
    fn snippet(&self, place: Place) -> String {
        const WIDTH: usize = 100;
        let Some(line) = place.line.checked_sub(1).and_then(|index| self.lines.get(index)) else {
            return String::new();
        };
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let characters: Vec<char> = line.trim_end().chars().map(clean).collect();
        let at = place.column.saturating_sub(1).min(characters.len());
        let first = if characters.len() > WIDTH { at.saturating_sub(WIDTH / 2) } else { 0 };
        let shown: String = characters.iter().skip(first).take(WIDTH).collect();
        let before = at - first + usize::from(first > 0);
        let longest = characters.len().saturating_sub(at).min(WIDTH.saturating_sub(at - first));
        let carets = "^".repeat(place.length.clamp(1, longest.max(1)));
        let (left, right) = (if first > 0 { "…" } else { "" }, if first + WIDTH < characters.len() { "…" } else { "" });
        let number = place.line;
        let margin = " ".repeat(number.to_string().len());
        format!("{number} | {left}{shown}{right}\n{margin} | {}{carets}", " ".repeat(before))
    }
}

/// A problem of a workflow file that was found after the file had been loaded. It is told at the value that `path` leads to
/// (keys, and decimal indices of lists), or at the nearest thing around it.
#[must_use]
pub fn problem_at(
    (file, text): (&str, &str),
    path: &[&str],
    code: Code,
    message: &str,
    help: Option<String>,
) -> Problem {
    // What could be wrong with the text was told when it was loaded.
    let root = parse_yaml(text, &mut Report::new(file, text));
    let place = root.map_or(Place { line: 1, column: 1, length: 1 }, |root| root.place_at(path.iter().copied()));
    Report::new(file, text).problem(code, place, message, help)
}

/// Control characters would let a file write over the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The name of `known` that somebody who wrote `word` most likely meant.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let farthest = match word.chars().count() {
        0..=1 => 0,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= farthest)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// "did you mean", or the list of what exists when nothing is near.
pub(crate) fn suggest(word: &str, known: &[&str]) -> Option<String> {
    if let Some(near) = nearest(word, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match known {
        [] => None,
        [only] => Some(format!("only `{only}` is known here")),
        _ if known.len() <= 32 => Some(format!("known here: {}", known.join(", "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["needs", "when", "with", "plugin"];
        assert_eq!(nearest("need", names), Some("needs"));
        assert_eq!(nearest("wiht", names), Some("with"));
        assert_eq!(nearest("Plugin", names), Some("plugin"));
        assert_eq!(nearest("x", names), None);
        assert_eq!(nearest("unrelated", names), None);
    }

    #[test]
    fn a_snippet_stays_narrow_and_printable() {
        let line = format!("{}\u{1b}[31m{}", "x".repeat(300), "y".repeat(300));
        let mut report = Report::new("f", &line);
        report.add("TS-0103", Place { line: 1, column: 302, length: 500 }, "bad\nthing", None);
        let error = report.finish().unwrap_err().to_string();
        assert!(error.lines().all(|line| line.chars().count() < 120), "{error}");
        assert!(error.starts_with("f:1:302: error[TS-0103]: bad thing\n"), "{error}");
    }

    #[test]
    fn places_inside_texts_are_found_where_they_are_written() {
        let text = "a: \"x ${y}\"\nb: |\n  one\n    two ${z}\n";
        let report = Report::new("f", text);
        let inside = |line, column, value: &str, offset| {
            report.place_inside(Place { line, column, length: 1 }, value, offset, 1).map(|at| (at.line, at.column))
        };
        assert_eq!(inside(1, 4, "x ${y}", 4), Some((1, 9)));
        assert_eq!(inside(2, 4, "one\n  two ${z}\n", 12), Some((4, 11)));
        assert_eq!(inside(1, 4, "not there", 2), None);
    }
}
