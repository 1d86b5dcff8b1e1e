//! What a guest says, bounded: log lines, and the lines of its standard output and error.

use std::{collections::VecDeque, time::Instant};

pub(crate) use trackside_worker::one_line;

use crate::{
    call::CallLimits,
    redact::Redactor,
    report::{LogLevel, LogLine},
};

/// One message or value is cut at this length.
const LINE_LIMIT: usize = 8 * 1024;
const ATTRS_LIMIT: usize = 32;
/// Distinct refusals that are kept.
const DENIALS: usize = 100;
/// The end of standard error that is kept for the failure report.
const TAIL_LIMIT: usize = 8 * 1024;

/// Collects lines up to the limits of the call and counts the rest.
#[derive(Debug)]
pub(crate) struct Recorder {
    redactor: Redactor,
    denials: Vec<String>,
    rate: Rate,
    begin: Instant,
    lines: Vec<LogLine>,
    bytes: usize,
    bytes_left: usize,
    lines_left: usize,
    dropped: u64,
    streams: [Partial; 2],
    /// The last bytes of standard error.
    tail: VecDeque<u8>,
}

/// Lines of the current second of the call.
#[derive(Debug)]
struct Rate {
    limit: u32,
    second: u64,
    kept: u32,
}

impl Rate {
    fn is_full(&mut self, second: u64) -> bool {
        if second != self.second {
            (self.second, self.kept) = (second, 0);
        }
        self.kept >= self.limit
    }
}

/// The streams that a guest writes text to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Stdout = 0,
    Stderr = 1,
}

/// A line whose end has not come yet.
#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    /// Bytes of the line beyond the limit.
    cut: bool,
}

impl Recorder {
    pub(crate) fn new(begin: Instant, limits: &CallLimits) -> Self {
        Self {
            redactor: Redactor::default(),
            denials: Vec::new(),
            rate: Rate { limit: limits.log_rate, second: 0, kept: 0 },
            begin,
            lines: Vec::new(),
            bytes: 0,
            bytes_left: limits.log_bytes,
            lines_left: limits.log_lines,
            dropped: 0,
            streams: Default::default(),
            tail: VecDeque::new(),
        }
    }

    /// The same for the next call of the same instance. What was hidden stays hidden: the guest may have kept it.
    pub(crate) fn renew(&mut self, begin: Instant, limits: &CallLimits) {
        let redactor = std::mem::take(&mut self.redactor);
        *self = Self { redactor, ..Self::new(begin, limits) };
    }

    /// Hides a secret's value in everything that comes from now on.
    pub(crate) fn hide(&mut self, name: &str, value: &[u8]) {
        self.redactor.hide(name, value);
    }

    /// Keeps a refusal for the report, once.
    pub(crate) fn keep_denial(&mut self, text: String) -> String {
        if self.denials.len() < DENIALS && !self.denials.contains(&text) {
            self.denials.push(text.clone());
        }
        text
    }

    /// Gives up the refusals.
    pub(crate) fn take_denials(&mut self) -> Vec<String> {
        std::mem::take(&mut self.denials)
    }

    /// Bytes of the lines that were kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What hides the values of secrets.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Keeps a line, or counts it.
    pub(crate) fn log(&mut self, level: LogLevel, message: String, mut attrs: Vec<(String, String)>) {
        // Before anything is cut: half a secret would not be found any more.
        let message = self.redactor.clean(message);
        self.redactor.clean_pairs(&mut attrs);
        let (message, attrs) = (clip(message, LINE_LIMIT), clip_attrs(attrs));
        let size = message.len() + attrs.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() + 16;
        let elapsed = self.begin.elapsed();
        if self.lines_left > 0 && self.rate.is_full(elapsed.as_secs()) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        if self.lines_left == 0 || size > self.bytes_left {
            // A full budget stays full: a late short line must not look as if nothing was left out before it.
            self.lines_left = 0;
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.lines_left -= 1;
        self.bytes_left -= size;
        self.bytes += size;
        self.rate.kept += 1;
        let at_ms = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
        self.lines.push(LogLine { at_ms, level, message, attrs });
    }

    /// Takes bytes of a stream; whole lines become log lines.
    pub(crate) fn text(&mut self, stream: Stream, bytes: &[u8]) {
        if matches!(stream, Stream::Stderr) {
            let kept = &bytes[bytes.len().saturating_sub(TAIL_LIMIT)..];
            self.tail.extend(kept);
            self.tail.drain(..self.tail.len().saturating_sub(TAIL_LIMIT));
        }
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.partial(stream, &rest[..end]);
            self.end_line(stream);
            rest = &rest[end + 1..];
        }
        self.partial(stream, rest);
    }

    fn partial(&mut self, stream: Stream, bytes: &[u8]) {
        let partial = &mut self.streams[stream as usize];
        let room = LINE_LIMIT.saturating_sub(partial.bytes.len());
        partial.cut |= bytes.len() > room;
        partial.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self, stream: Stream) {
        let partial = std::mem::take(&mut self.streams[stream as usize]);
        let mut message = String::from_utf8_lossy(&partial.bytes).into_owned();
        if partial.cut {
            message = self.redactor.clean_cut(message, false, true);
            message.push('…');
        }
        if message.is_empty() {
            return;
        }
        let (level, name) = match stream {
            Stream::Stdout => (LogLevel::Info, "stdout"),
            Stream::Stderr => (LogLevel::Warn, "stderr"),
        };
        self.log(level, message, vec![("stream".to_owned(), name.to_owned())]);
    }

    /// The end of standard error, as text.
    pub(crate) fn stderr_tail(&self) -> String {
        let (front, back) = self.tail.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).into_owned()
    }

    /// Ends open lines and gives everything up: lines, and how many were dropped.
    pub(crate) fn finish(&mut self) -> (Vec<LogLine>, u64) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.end_line(stream);
        }
        (std::mem::take(&mut self.lines), self.dropped)
    }
}

/// The text, cut at a character boundary at or before `limit` bytes.
pub(crate) fn clip(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The first few pairs, each cut.
pub(crate) fn clip_attrs(mut attrs: Vec<(String, String)>) -> Vec<(String, String)> {
    attrs.truncate(ATTRS_LIMIT);
    attrs.into_iter().map(|(key, value)| (clip(key, 128), clip(value, 2 * 1024))).collect()
}

/// What the engine says of a component, whose names are in it as their author chose them: each line made harmless.
pub(crate) fn in_words(error: &wasmtime::Error) -> String {
    format!("{error:#}").lines().map(one_line).collect::<Vec<_>>().join("\n")
}

/// The text as one harmless sentence: what its author put on lines of their own stands behind each other. Who reads it in a
/// list, a file or a message would find a written-out line end in its midst otherwise.
pub(crate) fn sentence(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(one_line).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(bytes: usize, lines: usize) -> Recorder {
        let limits = CallLimits { log_bytes: bytes, log_lines: lines, ..CallLimits::default() };
        Recorder::new(Instant::now(), &limits)
    }

    #[test]
    fn lines_over_the_limit_are_counted() {
        let mut recorder = recorder(1_000, 2);
        for _ in 0..5 {
            recorder.log(LogLevel::Info, "x".to_owned(), Vec::new());
        }
        let (lines, dropped) = recorder.finish();
        assert_eq!((lines.len(), dropped), (2, 3));
    }

    #[test]
    fn lines_over_the_rate_are_counted_and_the_next_second_is_a_new_one() {
        let limits = CallLimits { log_rate: 3, ..CallLimits::default() };
        let mut recorder = Recorder::new(Instant::now(), &limits);
        for _ in 0..5 {
            recorder.log(LogLevel::Info, "x".to_owned(), Vec::new());
        }
        assert_eq!((recorder.lines.len(), recorder.dropped), (3, 2));
        assert!(recorder.rate.is_full(0) && !recorder.rate.is_full(1));
    }

    #[test]
    fn a_hidden_value_is_in_no_line_wherever_it_is_cut() {
        let mut recorder = recorder(1 << 20, 10);
        recorder.hide("pw", b"hunter2-and-a-long-tail");
        recorder.log(
            LogLevel::Info,
            "pw hunter2-and-a-long-tail".to_owned(),
            vec![("k".into(), "hunter2-and-a-long-tail".into())],
        );
        for part in ["so hunter2-", "and-a-long-tail\n"] {
            recorder.text(Stream::Stdout, part.as_bytes());
        }
        let filler = "x".repeat(LINE_LIMIT - 9);
        recorder.text(Stream::Stdout, format!("{filler}hunter2-and-a-long-tail\n").as_bytes());
        let (lines, _) = recorder.finish();
        assert_eq!(lines.len(), 3);
        assert!(!format!("{lines:?}").contains("hunter2"), "{:?}", lines[2].message.get(LINE_LIMIT - 12..));
    }

    #[test]
    fn a_line_without_end_does_not_grow_for_ever() {
        let mut recorder = recorder(1 << 20, 10);
        for _ in 0..1_000 {
            recorder.text(Stream::Stderr, &[b'x'; 1_000]);
        }
        assert_eq!(recorder.stderr_tail().len(), TAIL_LIMIT);
        let (lines, _) = recorder.finish();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].message.len() < LINE_LIMIT + 8);
    }

    #[test]
    fn stream_text_becomes_lines_wherever_the_writes_end() {
        let mut recorder = recorder(1 << 20, 10);
        for part in ["a", "b\nc", "\n", "\nd"] {
            recorder.text(Stream::Stdout, part.as_bytes());
        }
        let (lines, _) = recorder.finish();
        let texts = lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>();
        assert_eq!(texts, ["ab", "c", "d"]);
    }

    #[test]
    fn hostile_characters_are_written_out() {
        assert_eq!(
            sentence("two rows are bad:\r\n  line 3: x\n\n  line 9: \u{1b}y\n"),
            "two rows are bad: line 3: x line 9: \\u{1b}y"
        );
        assert_eq!(one_line("a\u{1b}[31m\nb\u{202e}é"), "a\\u{1b}[31m\\nb\\u{202e}é");
        assert_eq!(clip("éé".to_owned(), 3), "é…");
    }
}
