//! Strict YAML 1.2: one document, core-schema scalars, nothing that hides what a file says.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::{Data, Key, MAX_BYTES, MAX_DEPTH, MAX_NODES, Node, yaml_input::YamlInput};
use crate::spec_error::{Place, Report};

/// Reads `text`. `None` when that failed; `report` then has the reason.
pub(crate) fn parse(text: &str, report: &mut Report<'_>) -> Option<Node> {
    let start = Place { line: 1, column: 1, length: 1 };
    if text.len() > MAX_BYTES {
        report.add("TS-0108", start, format!("the file has {} bytes; the limit is {MAX_BYTES}", text.len()), None);
        return None;
    }
    if let Some((place, character)) = forbidden_character(text) {
        let (message, help) = told(character);
        report.add("TS-0101", place, message, help);
        return None;
    }
    if let Some((place, message)) = foreign_directive(text) {
        report.add("TS-0101", place, message, Some("leave the line out; files are read as YAML 1.2".to_owned()));
        return None;
    }
    let mut reader =
        Reader { events: Parser::new(YamlInput::new(text)), report, next_id: 0, last_end: start, duplicate: false };
    let root = reader.document();
    let duplicate = reader.duplicate;
    match root {
        Ok(root) => (!duplicate).then_some(root),
        Err(Refused) => None,
    }
}

/// The reason is in the report.
struct Refused;

struct Reader<'t, 'r, 'f> {
    events: Parser<'t, YamlInput<'t>>,
    report: &'r mut Report<'f>,
    next_id: u32,
    last_end: Place,
    duplicate: bool,
}

impl<'t> Reader<'t, '_, '_> {
    fn document(&mut self) -> Result<Node, Refused> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => {
                    return Err(self.refuse("TS-0101", place(span), "the file is empty", None));
                }
                other => {
                    let root = self.node(other, span, 0)?;
                    return self.end().map(|()| root);
                }
            }
        }
    }

    /// Nothing may follow the document.
    fn end(&mut self) -> Result<(), Refused> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => return Ok(()),
                _ => return Err(self.refuse("TS-0101", place(span), "a file holds one document", None)),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Refused> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, span)),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Err(self.refuse("TS-0101", self.last_end, "the file ends too early", None)),
        }
    }

    fn syntax(&mut self, error: &ScanError) -> Refused {
        let mark = error.marker();
        let place = Place { line: mark.line().max(1), column: mark.col() + 1, length: 1 };
        let info = error.info();
        if info.contains("unknown anchor") {
            return self.alias(place);
        }
        let help = if info.contains("tab") {
            Some("indent with spaces".to_owned())
        } else if info.contains("mapping values are not allowed") {
            Some("quote a value that contains `: `".to_owned())
        } else {
            None
        };
        self.refuse("TS-0101", place, format!("this is not YAML: {info}"), help)
    }

    fn alias(&mut self, place: Place) -> Refused {
        let help = Some("write the value out; quote a text that begins with `*`".to_owned());
        self.refuse("TS-0101", place, "aliases are not allowed", help)
    }

    fn refuse(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Refused {
        self.report.add(code, place, message, help);
        Refused
    }

    fn id(&mut self, place: Place) -> Result<u32, Refused> {
        if self.next_id as usize == MAX_NODES {
            return Err(self.refuse("TS-0108", place, format!("the file has more than {MAX_NODES} values"), None));
        }
        self.next_id += 1;
        Ok(self.next_id)
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Refused> {
        let mut place = place(span);
        if depth == MAX_DEPTH {
            return Err(self.refuse("TS-0108", place, format!("nested deeper than {MAX_DEPTH} levels"), None));
        }
        let id = self.id(place)?;
        let data = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.plain_style(place, anchor, tag.is_some())?;
                if text.is_empty() && style == ScalarStyle::Plain {
                    // An absent value has a place behind the white space that follows it.
                    place = self.last_end;
                }
                self.last_end = end(span);
                self.scalar(place, &text, style)?
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain_style(place, anchor, tag.is_some())?;
                place.length = 1;
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    items.push(self.node(event, span, depth + 1)?);
                }
                Data::List(items)
            }
            Event::MappingStart(anchor, tag) => {
                self.plain_style(place, anchor, tag.is_some())?;
                place.length = 1;
                self.mapping(depth)?
            }
            Event::Alias(_) => return Err(self.alias(place)),
            _ => return Err(self.refuse("TS-0101", place, "this is not understood", None)),
        };
        Ok(Node { id, place, data })
    }

    fn plain_style(&mut self, place: Place, anchor: usize, tagged: bool) -> Result<(), Refused> {
        if anchor != 0 {
            let help = Some("write the value out; quote a text that begins with `&`".to_owned());
            return Err(self.refuse("TS-0101", place, "anchors are not allowed", help));
        }
        if tagged {
            let help = Some("quote a text that begins with `!`".to_owned());
            return Err(self.refuse("TS-0101", place, "tags are not allowed", help));
        }
        Ok(())
    }

    fn mapping(&mut self, depth: usize) -> Result<Data, Refused> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut known = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            let key_place = place(span);
            let key = match event {
                Event::MappingEnd => return Ok(Data::Map(entries)),
                Event::Scalar(text, style, anchor, tag) => {
                    self.plain_style(key_place, anchor, tag.is_some())?;
                    self.last_end = end(span);
                    if text == "<<" && style == ScalarStyle::Plain {
                        return Err(self.refuse("TS-0101", key_place, "merge keys are not allowed", None));
                    }
                    let is_text = style != ScalarStyle::Plain || matches!(core_schema(&text), Ok(Data::Text(_)));
                    if !is_text {
                        let help = Some(format!("write {:?}", &*text));
                        return Err(self.refuse("TS-0101", key_place, "a key must be a text", help));
                    }
                    Key { id: self.id(key_place)?, place: key_place, text: text.into_owned() }
                }
                Event::Alias(_) => return Err(self.alias(key_place)),
                _ => return Err(self.refuse("TS-0101", key_place, "a key must be a text", None)),
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if known.insert(key.text.clone()) {
                entries.push((key, value));
                continue;
            }
            self.duplicate = true;
            if self.report.is_full() {
                return Err(Refused);
            }
            let first = entries.iter().find(|(known, _)| known.text == key.text).map_or(0, |(key, _)| key.place.line);
            let message = format!("the key `{}` is there twice", key.text);
            self.report.add("TS-0107", key.place, message, Some(format!("it is on line {first} already")));
        }
    }

    fn scalar(&mut self, place: Place, text: &str, style: ScalarStyle) -> Result<Data, Refused> {
        if style != ScalarStyle::Plain {
            return Ok(Data::Text(text.to_owned()));
        }
        core_schema(text).map_err(|(reason, help)| self.refuse("TS-0103", place, reason, Some(help.to_owned())))
    }
}

/// Resolves a plain scalar by the core schema of YAML 1.2.2, section 10.3.2.
fn core_schema(text: &str) -> Result<Data, (String, &'static str)> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        "true" | "True" | "TRUE" => return Ok(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Data::Bool(false)),
        _ => {}
    }
    let too_large = || (format!("{text} does not fit into 64 bits"), "quote it to make it a text");
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(number) = text.strip_prefix(prefix)
            && digits(number, radix)
        {
            return u64::from_str_radix(number, radix).map(integer).map_err(|_| too_large());
        }
    }
    if digits(unsigned, 10) {
        let signed = text.parse::<i64>().map(Data::Int);
        return signed.or_else(|_| text.parse::<u64>().map(Data::UInt)).map_err(|_| too_large());
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err((format!("{text} is no number that JSON can hold"), "quote it to make it a text"));
    }
    if is_float(unsigned) {
        return match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Data::Float(number)),
            _ => Err(too_large()),
        };
    }
    Ok(Data::Text(text.to_owned()))
}

fn integer(number: u64) -> Data {
    i64::try_from(number).map_or(Data::UInt(number), Data::Int)
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_fits = all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    mantissa_fits && exponent_fits
}

fn place(span: Span) -> Place {
    let length = if span.start.line() == span.end.line() { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    Place { line: span.start.line().max(1), column: span.start.col() + 1, length: length.max(1) }
}

fn end(span: Span) -> Place {
    Place { line: span.end.line().max(1), column: span.end.col() + 1, length: 1 }
}

/// YAML's printable set, without the characters that can reorder or hide text on a screen.
fn forbidden_character(text: &str) -> Option<(Place, char)> {
    let forbidden = |c: char| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || (c == '\u{feff}')
    };
    // A byte order mark may start the file.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    body.lines().enumerate().find_map(|(line, content)| {
        let (column, character) = content.chars().enumerate().find(|(_, character)| forbidden(*character))?;
        Some((Place { line: line + 1, column: column + 1, length: 1 }, character))
    })
}

/// What is said of a character that may not stand there. The line ends of YAML 1.1 are characters of a text in YAML 1.2, and
/// editors still break lines at them: they are written out.
fn told(character: char) -> (String, Option<String>) {
    let escape = match character {
        '\u{85}' => "\\N",
        '\u{2028}' => "\\L",
        '\u{2029}' => "\\P",
        _ => return ("control characters are not allowed here".to_owned(), None),
    };
    let message = format!("the line end U+{:04X} is not allowed here", u32::from(character));
    (message, Some(format!("write {escape} within double quotes to have it in a text")))
}

/// A line before the document that asks for another language than YAML 1.2. Version 1.1 is to be read as 1.2 is; of what is
/// unknown YAML wants a warning, and a file that hides nothing has no use for it.
fn foreign_directive(text: &str) -> Option<(Place, String)> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_before = |line: &&str| line.trim().is_empty() || line.starts_with(['%', '#']);
    body.lines().take_while(is_before).enumerate().find_map(|(line, content)| {
        let directive = content.strip_prefix('%')?.split(" #").next()?.trim_end();
        let (name, value) = directive.split_once([' ', '\t']).unwrap_or((directive, ""));
        let message = match (name, value.trim()) {
            ("YAML", "1.1" | "1.2") | ("TAG", _) => return None,
            ("YAML", version) => format!("YAML {} is not read", clip(version)),
            (name, _) => format!("the directive `%{}` has no meaning", clip(name)),
        };
        Some((Place { line: line + 1, column: 1, length: directive.chars().count() + 1 }, message))
    })
}

fn clip(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> Data {
        let mut report = Report::new("x.yaml", text);
        parse(&format!("a: {text}\n"), &mut report).unwrap().get("a").unwrap().data.clone()
    }

    #[test]
    fn plain_scalars_follow_the_core_schema_of_yaml_1_2() {
        for (text, expected) in [("true", true), ("True", true), ("FALSE", false)] {
            assert!(matches!(scalar(text), Data::Bool(truth) if truth == expected), "{text}");
        }
        for (text, expected) in [("0", 0), ("-17", -17), ("+5", 5), ("0x1F", 31), ("0o17", 15), ("010", 10)] {
            assert!(matches!(scalar(text), Data::Int(number) if number == expected), "{text}");
        }
        for (text, expected) in [("1.5", 1.5), ("-.5", -0.5), ("1e3", 1000.0), ("2.", 2.0), ("1.5E-2", 0.015)] {
            assert!(matches!(scalar(text), Data::Float(number) if number == expected), "{text}");
        }
        for text in ["yes", "no", "on", "off", "y", "1_000", "0b1", "12:30", "1.2.3", "2026-01-01", "e5", "0x", "1e"] {
            assert!(matches!(scalar(text), Data::Text(found) if found == text), "{text}");
        }
        for text in ["", "~", "null", "NULL"] {
            assert!(matches!(scalar(text), Data::Null), "{text}");
        }
        for text in ["'true'", "\"1\"", "'null'", "''"] {
            assert!(matches!(scalar(text), Data::Text(_)), "{text}");
        }
        assert!(matches!(scalar("18446744073709551615"), Data::UInt(u64::MAX)));
    }

    #[test]
    fn places_count_characters_from_one() {
        let text = "ä: \"ö\"\nlist:\n  - ünï: x\n";
        let mut report = Report::new("x.yaml", text);
        let root = parse(text, &mut report).unwrap();
        assert_eq!(root.place_at(["ä"]), Place { line: 1, column: 4, length: 3 });
        assert_eq!(root.key_place(&["list", "0", "ünï"]), Place { line: 3, column: 5, length: 3 });
        assert_eq!(root.place_at(["list", "0", "ünï"]), Place { line: 3, column: 10, length: 1 });
        assert_eq!(root.place_at(["nope"]), root.place);
    }

    fn refusal(text: &str) -> String {
        let mut report = Report::new("x.yaml", text);
        assert!(parse(text, &mut report).is_none(), "{text:?}");
        report.finish().unwrap_err().to_string()
    }

    #[test]
    fn tabs_separate_a_key_from_its_value_and_indent_nothing() {
        for text in [
            "a:\tw\n",
            "a:\t w\n",
            "a: \tw\n",
            "a:\t\tw # x\n",
            "a:\t\"w\"\n",
            "{ a:\tw }\n",
            "a:\t|\n  w\n",
            "\"a\":\tw\n",
        ] {
            let mut report = Report::new("x.yaml", text);
            let root = parse(text, &mut report).unwrap_or_else(|| panic!("{text:?}"));
            let Data::Text(found) = &root.get("a").unwrap().data else { panic!("{text:?}") };
            assert_eq!(found.trim_end(), "w", "{text:?}");
        }
        for bad in ["a:\tb: c\n", "a:\t- b\n", "a:\n\tb: c\n", "-\t- a\n", "?\ta\n"] {
            refusal(bad);
        }
    }

    #[test]
    fn the_version_of_the_language_is_looked_at() {
        for text in [
            "%YAML 1.2\n---\na: 1\n",
            "# x\n%YAML 1.1 # old\n---\na: 1\n",
            "%TAG ! tag:x,2000:\n---\na: 1\n",
            "a: |\n %YAML 2.0\n",
        ] {
            let mut report = Report::new("x.yaml", text);
            assert!(parse(text, &mut report).is_some(), "{text:?}");
        }
        for (bad, words) in [
            ("%YAML 2.0\n---\na: 1\n", "x.yaml:1:1: error[TS-0101]: YAML 2.0 is not read"),
            ("\u{feff}\n%YAML\t1.3 # newer\n---\na: 1\n", "x.yaml:2:1: error[TS-0101]: YAML 1.3 is not read"),
            ("%YAML 0.9\n---\na: 1\n", "YAML 0.9"),
            ("%YAML 1.10\n---\na: 1\n", "YAML 1.10"),
            ("%YAML\n---\na: 1\n", "YAML"),
            ("%yaml 1.2\n---\na: 1\n", "`%yaml`"),
        ] {
            let told = refusal(bad);
            assert!(told.contains(words) && told.contains("YAML 1.2"), "{told}");
        }
    }

    #[test]
    fn old_line_ends_are_refused_as_they_are_and_taken_as_they_are_written_out() {
        for (character, escape, number) in
            [('\u{85}', "\\N", "U+0085"), ('\u{2028}', "\\L", "U+2028"), ('\u{2029}', "\\P", "U+2029")]
        {
            let told = refusal(&format!("a: x{character}y\n"));
            assert!(told.contains(number) && told.contains(&format!("write {escape} within")), "{told}");
            let text = format!("a: \"x{escape}y\"\n");
            let mut report = Report::new("x.yaml", &text);
            let root = parse(&text, &mut report).unwrap();
            assert!(matches!(&root.get("a").unwrap().data, Data::Text(text) if *text == format!("x{character}y")));
        }
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_are_taken() {
        let text = "\u{feff}a: 1\r\nb: two\r\n";
        let mut report = Report::new("x.yaml", text);
        let root = parse(text, &mut report).unwrap();
        assert!(matches!(&root.get("b").unwrap().data, Data::Text(text) if text == "two"));
    }
}
