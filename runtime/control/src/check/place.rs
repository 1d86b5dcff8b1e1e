//! Where in a workflow file a step, or a key of a step, stands, and which keys it has.
//!
//! A validated plan has no positions any more; its source text has, and is read again for them.

use saphyr_parser::{Event, Parser, Span};
use trackside_codes::{Code, Coded};
use trackside_node::WorkflowReason;
use trackside_spec::{Problem, YamlInput};

/// A line and a column in characters, from 1, and how many characters the name has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    length: usize,
}

/// The keys of a workflow file and where they stand.
pub struct Places<'s> {
    source: &'s str,
    /// The keys that lead to each key, itself included, in the order of the file.
    keys: Vec<(Vec<String>, Place)>,
}

impl<'s> Places<'s> {
    /// Of a text that has been loaded as a workflow before: what could be wrong with it was found then.
    pub fn of(source: &'s str) -> Self {
        let mut walk = Walk { events: Parser::new(YamlInput::new(source)), path: Vec::new(), keys: Vec::new() };
        while let Some((event, _)) = walk.next() {
            walk.node(&event);
        }
        Self { source, keys: walk.keys }
    }

    /// The keys of a step's `field` (`with`, `inputs`).
    pub fn keys(&self, step: &str, field: &str) -> Vec<String> {
        let (section, name) = split(step);
        let is_below = |path: &[String]| path.len() == 4 && path[0] == section && path[1] == name && path[2] == field;
        let below = self.keys.iter().filter(|(path, _)| is_below(path));
        below.filter_map(|(path, _)| path.last().cloned()).collect()
    }

    /// A problem at `key` of a step, or of one of its fields; at the step itself when it has no such key.
    pub fn problem(&self, file: &str, code: Code, step: &str, key: &str, message: &str) -> Problem {
        let place = self.find(step, key).unwrap_or(Place { line: 1, column: 1, length: 1 });
        self.at(file, code, place, format!("step `{step}`: {message}"))
    }

    fn at(&self, file: &str, code: Code, place: Place, message: String) -> Problem {
        let (line, column, snippet) = (place.line, place.column, snippet(self.source, place));
        Problem { code, file: file.to_owned(), line, column, message, help: None, snippet }
    }

    /// A problem at `key` of the workflow's `outputs`.
    pub fn of_outputs(&self, file: &str, code: Code, key: &str, message: &str) -> Problem {
        let below = self.keys.iter().filter(|(path, _)| path.len() <= 2 && path[0] == "outputs");
        let place =
            below.filter(|(path, _)| path.last().is_some_and(|last| last == key)).map(|(_, place)| *place).next();
        let place = place.unwrap_or(Place { line: 1, column: 1, length: 1 });
        self.at(file, code, place, message.to_owned())
    }

    fn find(&self, step: &str, key: &str) -> Option<Place> {
        let (section, name) = split(step);
        let of_step = |path: &[String]| path.len() >= 2 && path[0] == section && path[1] == name;
        let own = self.keys.iter().filter(|(path, _)| of_step(path));
        let named = own.clone().filter(|(path, _)| path.len() > 2 && path.last().is_some_and(|last| last == key));
        let nearest = named.min_by_key(|(path, _)| path.len());
        nearest.or_else(|| own.clone().find(|(path, _)| path.len() == 2)).map(|(_, place)| *place)
    }
}

/// The section of the file and the name there.
fn split(step: &str) -> (&str, &str) {
    step.strip_prefix("finally.").map_or(("steps", step), |handler| ("finally", handler))
}

struct Walk<'s> {
    events: Parser<'s, YamlInput<'s>>,
    path: Vec<String>,
    keys: Vec<(Vec<String>, Place)>,
}

impl<'s> Walk<'s> {
    fn next(&mut self) -> Option<(Event<'s>, Span)> {
        self.events.next_event()?.ok()
    }

    /// Walks through a node whose first event is this. As deep as the file, whose depth was limited when it was loaded.
    fn node(&mut self, first: &Event<'s>) {
        match first {
            Event::MappingStart(..) => {
                while let Some((Event::Scalar(key, ..), span)) = self.next() {
                    let place =
                        Place { line: span.start.line(), column: span.start.col() + 1, length: key.chars().count() };
                    self.path.push(key.into_owned());
                    self.keys.push((self.path.clone(), place));
                    if let Some((value, _)) = self.next() {
                        self.node(&value);
                    }
                    self.path.pop();
                }
            }
            Event::SequenceStart(..) => {
                self.path.push(String::new());
                while let Some((item, _)) = self.next() {
                    if matches!(item, Event::SequenceEnd) {
                        break;
                    }
                    self.node(&item);
                }
                self.path.pop();
            }
            _ => {}
        }
    }
}

/// A problem of a whole file.
pub fn of_file(file: &str, reason: &WorkflowReason) -> Problem {
    Problem {
        code: reason.code(),
        file: file.to_owned(),
        line: 1,
        column: 1,
        message: reason.message(),
        help: None,
        snippet: String::new(),
    }
}

fn snippet(source: &str, place: Place) -> String {
    let Some(line) = source.lines().nth(place.line - 1) else { return String::new() };
    let line: String = line.trim_end().chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let number = place.line.to_string();
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
      list: [{ plugin: 1 }, 2]
      shcema: b.json
  short: { plugin: echo, with: { value: 1, \"öther\": { deep: 2 } } }
finally:
  failed:
    plugin: echo
";

    #[test]
    fn steps_and_their_keys_are_found() {
        let places = Places::of(SOURCE);
        let at = |step, key| places.find(step, key).map(|place| (place.line, place.column));
        assert_eq!(at("check", ""), Some((4, 3)));
        assert_eq!(at("check", "plugin"), Some((5, 5)), "the nearest of its name");
        assert_eq!(at("check", "shcema"), Some((9, 7)));
        assert_eq!(at("check", "missing"), Some((4, 3)), "the step itself");
        assert_eq!(at("short", "value"), Some((10, 34)));
        assert_eq!(at("finally.failed", "plugin"), Some((13, 5)));
        assert_eq!(at("none", ""), None);
        assert_eq!(places.keys("check", "with"), ["file", "list", "shcema"]);
        assert_eq!(places.keys("short", "with"), ["value", "öther"]);
        assert!(places.keys("finally.failed", "with").is_empty());
    }

    #[test]
    fn a_file_is_read_as_it_was_when_it_was_loaded() {
        let tabs = SOURCE.replace("version: 1", "version:\t1\nname:\tw");
        assert_eq!(Places::of(&tabs).keys("check", "with"), ["file", "list", "shcema"]);
    }

    #[test]
    fn a_problem_is_shown_as_compilers_do() {
        let problem = Places::of(SOURCE).problem("w.yaml", Code::from("TS-0862"), "check", "shcema", "no such input");
        let expected = "\
w.yaml:9:7: error[TS-0862]: step `check`: no such input
9 |       shcema: b.json
  |       ^^^^^^";
        assert_eq!(problem.to_string(), expected);
    }
}
