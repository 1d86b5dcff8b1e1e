//! TOML into the same tree.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Data, Key, MAX_BYTES, MAX_DEPTH, MAX_NODES, Node};
use crate::spec_error::{Place, Report};

/// Reads `text`. `None` when that failed; `report` then has the reasons.
pub(crate) fn parse(text: &str, report: &mut Report<'_>) -> Option<Node> {
    let start = Place { line: 1, column: 1, length: 1 };
    if text.len() > MAX_BYTES {
        report.add("TS-0108", start, format!("the file has {} bytes; the limit is {MAX_BYTES}", text.len()), None);
        return None;
    }
    let places = Places::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let place = error.span().map_or(start, |span| places.of(&span));
        let code = if error.message().contains("duplicate key") { "TS-0107" } else { "TS-0101" };
        report.add(code, place, format!("this is not TOML: {}", error.message()), None);
    }
    if !errors.is_empty() {
        return None;
    }
    let mut reader = Reader { places, report, next_id: 0 };
    let id = reader.id(start)?;
    let data = reader.table(table.get_ref(), 0)?;
    Some(Node { id, place: start, data })
}

struct Reader<'t, 'r, 'f> {
    places: Places<'t>,
    report: &'r mut Report<'f>,
    next_id: u32,
}

impl Reader<'_, '_, '_> {
    fn id(&mut self, place: Place) -> Option<u32> {
        if self.next_id as usize == MAX_NODES {
            self.report.add("TS-0108", place, format!("the file has more than {MAX_NODES} values"), None);
            return None;
        }
        self.next_id += 1;
        Some(self.next_id)
    }

    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Option<Data> {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let place = self.places.of(&key.span());
            let key = Key { id: self.id(place)?, place, text: key.get_ref().to_string() };
            entries.push((key, self.value(value, depth + 1)?));
        }
        // The table sorts its keys; messages and model lists should follow the file.
        entries.sort_by_key(|(key, _)| key.place);
        Some(Data::Map(entries))
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, depth: usize) -> Option<Node> {
        let place = self.places.of(&value.span());
        if depth == MAX_DEPTH {
            self.report.add("TS-0108", place, format!("nested deeper than {MAX_DEPTH} levels"), None);
            return None;
        }
        let id = self.id(place)?;
        let data = match value.get_ref() {
            DeValue::String(text) => Data::Text(text.to_string()),
            DeValue::Boolean(truth) => Data::Bool(*truth),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Data::Int(number),
                Err(_) => {
                    self.report.add("TS-0103", place, "this integer does not fit into 64 bits", None);
                    return None;
                }
            },
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Data::Float(number),
                _ => {
                    self.report.add("TS-0103", place, "this is no finite number", None);
                    return None;
                }
            },
            DeValue::Datetime(_) => {
                self.report.add("TS-0103", place, "dates are not used here", Some("quote it".to_owned()));
                return None;
            }
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.value(item, depth + 1));
                Data::List(items.collect::<Option<_>>()?)
            }
            DeValue::Table(table) => self.table(table, depth)?,
        };
        Some(Node { id, place, data })
    }
}

/// Byte ranges to lines and columns.
struct Places<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
}

impl<'t> Places<'t> {
    fn new(text: &'t str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, line_starts: std::iter::once(0).chain(starts).collect() }
    }

    fn of(&self, span: &Range<usize>) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= span.start).max(1);
        let line_start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let characters = |range: Range<usize>| self.text.get(range).map_or(0, |text| text.chars().count());
        let covered = self.text.get(span.clone()).and_then(|text| text.lines().next()).unwrap_or_default();
        Place { line, column: characters(line_start..span.start) + 1, length: covered.chars().count().max(1) }
    }
}
