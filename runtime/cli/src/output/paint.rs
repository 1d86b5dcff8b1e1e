//! Colours and marks.

/// Colours text, or leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Headings and names.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What matters less.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Failure.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// Success.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Warnings, waiting.
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// Things under way.
    pub fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }

    /// A run's or step's state in its colour.
    pub fn state(self, state: &str, text: &str) -> String {
        match state {
            "succeeded" => self.green(text),
            "failed" => self.red(text),
            "cancelled" | "waiting" => self.yellow(text),
            "running" => self.cyan(text),
            _ => self.dim(text),
        }
    }
}

/// Marks in front of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    /// It went well.
    pub good: &'static str,
    /// It failed.
    pub bad: &'static str,
    /// It was left out.
    pub skipped: &'static str,
    /// It is tried again, or was interrupted.
    pub again: &'static str,
    /// It is under way.
    pub running: &'static str,
    /// Something left the box's store.
    pub arrow: &'static str,
}

impl Glyphs {
    const UNICODE: Self = Self { good: "✔", bad: "✘", skipped: "–", again: "↻", running: "▸", arrow: "→" };
    /// For terminals that know no other letters.
    pub const ASCII: Self = Self { good: "+", bad: "x", skipped: "-", again: "~", running: ">", arrow: ">" };

    /// What the locale can show. Without a locale most terminals show UTF-8 all the same; the Linux console does not.
    pub fn for_locale() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        Self::choose(locale.as_deref(), set("TERM").as_deref())
    }

    fn choose(locale: Option<&str>, term: Option<&str>) -> Self {
        let utf8 = locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        if utf8 && !matches!(term, Some("linux" | "dumb")) { Self::UNICODE } else { Self::ASCII }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_fit_the_terminal() {
        assert_eq!(Glyphs::choose(None, Some("xterm")), Glyphs::UNICODE);
        assert_eq!(Glyphs::choose(Some("de_DE.UTF-8"), None), Glyphs::UNICODE);
        assert_eq!(Glyphs::choose(Some("C.utf8"), None), Glyphs::UNICODE);
        assert_eq!(Glyphs::choose(Some("C"), None), Glyphs::ASCII);
        assert_eq!(Glyphs::choose(None, Some("linux")), Glyphs::ASCII);
    }

    #[test]
    fn without_colours_text_stays_as_it_is() {
        assert_eq!(Paint(false).red("x"), "x");
        assert_eq!(Paint(true).red("x"), "\x1b[31mx\x1b[0m");
    }
}
