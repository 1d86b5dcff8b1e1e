//! Where words and data go: data to standard output, talk to standard error.

use std::io::{self, IsTerminal, Write};
use trackside_codes::code;

use serde::Serialize;

use crate::{
    args::{Color, Global},
    failure::Failure,
    message::Message,
    output::{Glyphs, Paint},
};

/// The two outputs and how they may be dressed.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// Whether data is wanted as JSON.
    pub json: bool,
    /// Whether to say only what went wrong.
    pub quiet: bool,
    /// For standard output.
    pub out: Paint,
    /// For standard error.
    pub err: Paint,
    /// Whether standard error is a terminal whose last line can be written again.
    pub live: bool,
    /// Marks in front of lines.
    pub glyphs: Glyphs,
}

impl Console {
    /// As the options and the environment say.
    pub fn new(global: &Global) -> Self {
        let wanted = |terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_dumb(),
        };
        let err_terminal = io::stderr().is_terminal();
        Self {
            json: global.json,
            quiet: global.quiet,
            out: Paint(wanted(io::stdout().is_terminal())),
            err: Paint(wanted(err_terminal)),
            live: err_terminal && !is_dumb() && !global.quiet,
            glyphs: Glyphs::for_locale(),
        }
    }

    /// Data: a text with or without its line feed.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let written =
            out.write_all(text.as_bytes()).and_then(|()| out.write_all(end.as_bytes())).and_then(|()| out.flush());
        written.map_err(|error| Failure::output(&error))
    }

    /// Data as JSON.
    pub fn print_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::new(code!("TS-0802"), format!("this has no JSON form: {error}")))?;
        self.print(&text)
    }

    /// Talk; silent when asked to be quiet.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.tell(line);
        }
    }

    /// What must be told in any case.
    pub fn tell(&self, line: &str) {
        // Where nobody listens, there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Talk that the next line replaces; only on a terminal.
    pub fn tell_live(&self, line: &str) {
        if self.live {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[K{line}").and_then(|()| err.flush());
        }
    }

    /// An error: `error[CODE]: what, where, why`.
    pub fn complain(&self, message: impl Into<Message>) {
        self.tell(&message.into().under(&self.err.red("error")));
    }

    /// A warning.
    pub fn warn(&self, message: impl Into<Message>) {
        self.say(&message.into().under(&self.err.yellow("warning")));
    }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
