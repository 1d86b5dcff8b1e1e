//! The summary for people.

use serde::Deserialize;
use serde_json::Value;
use trackside_rows::timestamp::{self, Time};

use crate::{Books, samples::Summary};

/// How it is written.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A heading and a table.
    #[default]
    Markdown,
    /// A table.
    Csv,
}

impl Format {
    /// The artifact's name.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Markdown => "report.md",
            Self::Csv => "report.csv",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown",
            Self::Csv => "text/csv",
        }
    }
}

/// Writes the report.
pub fn write(title: &str, books: &Books, format: Format) -> String {
    let rows = books.samples.iter().map(|(name, samples)| (name.as_str(), samples.summary()));
    match format {
        Format::Csv => {
            let mut text = String::from("name,count,sum,mean,std,min,max\n");
            rows.for_each(|(name, row)| {
                text.push_str(&format!("{},{}\n", quoted(name), columns(&row, false).join(",")))
            });
            text
        }
        Format::Markdown => {
            let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
            let mut text = format!("# {title}\n\n");
            let (Some(since), Some(until)) = (books.since, books.until) else {
                text.push_str("Nothing was recorded.\n");
                return text;
            };
            let written = |millis| timestamp::format(Time::from_millis(millis));
            let (since, until) = (written(since), written(until));
            text.push_str(&format!("{} records from {since} to {until}.\n\n", books.records));
            text.push_str("| name | count | sum | mean | std | min | max |\n|---|---|---|---|---|---|---|\n");
            rows.for_each(|(name, row)| {
                // A bar would end the cell.
                let name = name.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ");
                text.push_str(&format!("| {name} | {} |\n", columns(&row, true).join(" | ")));
            });
            text
        }
    }
}

fn columns(row: &Summary, rounded: bool) -> Vec<String> {
    let shown = |value: &Value| match value.as_f64() {
        Some(float) if rounded && value.is_f64() => round(float),
        _ => value.to_string(),
    };
    let numbers = [&row.sum, &row.mean, &row.std, &row.min, &row.max];
    std::iter::once(row.count.to_string()).chain(numbers.map(shown)).collect()
}

/// Four significant digits.
fn round(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let places = (3.0 - value.abs().log10().floor()).clamp(0.0, 12.0);
    let text = format!("{value:.*}", places as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A CSV field.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_for_people() {
        for (value, text) in
            [(1.870_828, "1.871"), (123_456.7, "123457"), (0.000_123_45, "0.0001234"), (2.5, "2.5"), (-10.04, "-10.04")]
        {
            assert_eq!(round(value), text);
        }
    }

    #[test]
    fn names_cannot_break_the_table() {
        assert_eq!(quoted("a,\"b"), "\"a,\"\"b\"");
    }
}
