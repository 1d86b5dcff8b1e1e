//! Keeps the values of secrets out of everything that a call leaves behind: logs, errors, the end of standard error, the
//! result, measurements. Values are found as they are, written as JSON, line by line, and in base64.

use serde_json::Value;

use crate::{
    failure::StepFailure,
    report::{Completion, Metric, Span, StepReport},
};

/// Shorter pieces are not looked for: they would be found everywhere.
const SHORTEST: usize = 4;
const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOR_URLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What must not be seen, and what stands in its place.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    /// Longest first, so that a value is found before a part of it.
    needles: Vec<Needle>,
}

#[derive(Debug)]
struct Needle {
    text: String,
    mask: String,
}

impl Redactor {
    /// Hides a value from now on.
    pub(crate) fn hide(&mut self, name: &str, value: &[u8]) {
        let mask = format!("[secret {name}]");
        let plain = String::from_utf8_lossy(value).into_owned();
        let json = Value::from(plain.as_str()).to_string();
        let mut texts = vec![json[1..json.len() - 1].to_owned()];
        texts.extend(plain.lines().map(str::to_owned));
        for alphabet in [STANDARD, FOR_URLS] {
            // Three positions that a value can have in a longer text: its middle is the same whatever is around it.
            texts.extend((0..3).map(|before| base64_middle(value, before, alphabet)));
        }
        texts.push(plain);
        for text in texts.into_iter().filter(|text| text.len() >= SHORTEST) {
            if !self.needles.iter().any(|needle| needle.text == text) {
                self.needles.push(Needle { text, mask: mask.clone() });
            }
        }
        self.needles.sort_by_key(|needle| std::cmp::Reverse(needle.text.len()));
    }

    /// Whether nothing is to be hidden.
    pub(crate) fn is_idle(&self) -> bool {
        self.needles.is_empty()
    }

    fn finds(&self, text: &str) -> bool {
        self.needles.iter().any(|needle| text.contains(&needle.text))
    }

    /// The text without any value.
    pub(crate) fn clean(&self, text: String) -> String {
        if !self.finds(&text) {
            return text;
        }
        let replace = |text: String, needle: &Needle| text.replace(&needle.text, &needle.mask);
        self.needles.iter().fold(text, replace)
    }

    /// The same for a text that was cut: half of a value at an end is removed, too.
    pub(crate) fn clean_cut(&self, text: String, at_begin: bool, at_end: bool) -> String {
        let mut text = self.clean(text);
        for needle in &self.needles {
            let cuts = || (SHORTEST..needle.text.len()).rev().filter(|cut| needle.text.is_char_boundary(*cut));
            if at_end && let Some(cut) = cuts().find(|cut| text.ends_with(&needle.text[..*cut])) {
                text.truncate(text.len() - cut);
                text.push_str(&needle.mask);
            }
            if at_begin {
                let from_end = cuts().map(|cut| needle.text.len() - cut).filter(|at| needle.text.is_char_boundary(*at));
                if let Some(rest) = from_end.map(|at| &needle.text[at..]).find(|rest| text.starts_with(rest)) {
                    text.replace_range(..rest.len(), &needle.mask);
                }
            }
        }
        text
    }

    /// Cleans a text that may have been clipped, which its last character tells.
    fn clean_mut(&self, text: &mut String) {
        let whole = std::mem::take(text);
        *text = match whole.strip_suffix('…') {
            Some(cut) => self.clean_cut(cut.to_owned(), false, true) + "…",
            None => self.clean(whole),
        };
    }

    /// Names and values without any secret.
    pub(crate) fn clean_pairs(&self, pairs: &mut [(String, String)]) {
        for (key, value) in pairs {
            self.clean_mut(key);
            self.clean_mut(value);
        }
    }

    /// A JSON document without any secret in its texts, names and numbers.
    fn clean_json(&self, text: String) -> String {
        if !self.finds(&text) {
            return text;
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(value) => self.clean_value(value).to_string(),
            Err(_) => self.clean(text),
        }
    }

    fn clean_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.clean(text).into(),
            Value::Number(number) if self.finds(&number.to_string()) => self.clean(number.to_string()).into(),
            Value::Array(items) => items.into_iter().map(|item| self.clean_value(item)).collect(),
            Value::Object(fields) => Value::Object(
                fields.into_iter().map(|(key, value)| (self.clean(key), self.clean_value(value))).collect(),
            ),
            other => other,
        }
    }

    fn clean_failure(&self, failure: &mut StepFailure) {
        self.clean_mut(&mut failure.message);
        self.clean_pairs(&mut failure.extra);
        failure.backtrace.iter_mut().for_each(|frame| self.clean_mut(frame));
        // The tail's begin is wherever the buffer was full.
        failure.stderr_tail = self.clean_cut(std::mem::take(&mut failure.stderr_tail), true, false);
    }

    fn clean_metric(&self, metric: &mut Metric) {
        self.clean_mut(&mut metric.name);
        self.clean_pairs(&mut metric.attrs);
    }

    fn clean_span(&self, span: &mut Span) {
        self.clean_mut(&mut span.name);
        self.clean_pairs(&mut span.attrs);
        span.error.iter_mut().for_each(|error| self.clean_mut(error));
    }

    /// Cleans everything but the log lines, which were cleaned when they came.
    pub(crate) fn clean_report(&self, report: &mut StepReport) {
        if self.is_idle() {
            return;
        }
        match &mut report.outcome {
            Ok(Completion::Done(json)) => *json = self.clean_json(std::mem::take(json)),
            Ok(Completion::Skipped(reason)) => self.clean_mut(reason),
            Err(failure) => self.clean_failure(failure),
        }
        report.metrics.iter_mut().for_each(|metric| self.clean_metric(metric));
        report.spans.iter_mut().for_each(|span| self.clean_span(span));
        report.denials.iter_mut().for_each(|denial| self.clean_mut(denial));
        report.progress.iter_mut().for_each(|progress| self.clean_mut(&mut progress.note));
    }
}

/// The characters of a base64 text that only `value` decides, when `before` bytes (0 to 2, after whole groups of three)
/// stand before it.
fn base64_middle(value: &[u8], before: usize, alphabet: &[u8; 64]) -> String {
    let bit = |at: usize| -> u8 {
        let byte = value.get(at / 8).copied().unwrap_or(0);
        (byte >> (7 - at % 8)) & 1
    };
    // The first character that begins inside the value.
    let skip = (6 - (before * 8) % 6) % 6;
    let count = (value.len() * 8).saturating_sub(skip) / 6;
    let character = |index: usize| {
        let six = (0..6).fold(0u8, |six, offset| (six << 1) | bit(skip + index * 6 + offset));
        char::from(alphabet[usize::from(six)])
    };
    (0..count).map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "hunter2-and-a-long-tail";

    fn redactor() -> Redactor {
        let mut redactor = Redactor::default();
        redactor.hide("pw", VALUE.as_bytes());
        redactor
    }

    #[test]
    fn a_value_is_hidden_as_it_is_and_inside_of_base64() {
        let redactor = redactor();
        assert_eq!(redactor.clean(format!("a {VALUE} b")), "a [secret pw] b");
        // `user:` + value, `x` + value, `xy` + value, value: every position, by another implementation.
        for encoded in [
            "dXNlcjpodW50ZXIyLWFuZC1hLWxvbmctdGFpbA==",
            "eGh1bnRlcjItYW5kLWEtbG9uZy10YWls",
            "eHlodW50ZXIyLWFuZC1hLWxvbmctdGFpbA==",
            "aHVudGVyMi1hbmQtYS1sb25nLXRhaWw=",
        ] {
            let clean = redactor.clean(format!("Basic {encoded}"));
            assert!(clean.contains("[secret pw]"), "{clean}");
        }
    }

    #[test]
    fn every_line_of_a_value_is_hidden_and_its_json() {
        let mut redactor = Redactor::default();
        redactor.hide("key", b"-----BEGIN-----\nAAAA\"BBBB\n-----END-----");
        assert_eq!(redactor.clean("x AAAA\"BBBB".to_owned()), "x [secret key]");
        let json = serde_json::json!({ "k": "-----BEGIN-----\nAAAA\"BBBB\n-----END-----", "n": [1] }).to_string();
        assert_eq!(redactor.clean_json(json), r#"{"k":"[secret key]","n":[1]}"#);
    }

    #[test]
    fn a_number_that_is_the_secret_does_not_break_the_document() {
        let mut redactor = Redactor::default();
        redactor.hide("pin", b"48151623");
        assert_eq!(redactor.clean_json(r#"{"a":48151623,"b":1}"#.to_owned()), r#"{"a":"[secret pin]","b":1}"#);
    }

    #[test]
    fn half_a_value_at_a_cut_is_hidden() {
        let redactor = redactor();
        assert_eq!(redactor.clean_cut("log hunter2-an".to_owned(), false, true), "log [secret pw]");
        assert_eq!(redactor.clean_cut("-long-tail\nmore".to_owned(), true, false), "[secret pw]\nmore");
        assert_eq!(redactor.clean_cut("nothing here".to_owned(), true, true), "nothing here");
    }
}
