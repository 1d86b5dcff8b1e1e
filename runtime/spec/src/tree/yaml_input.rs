//! The text as the YAML parser reads it, with one rule mended: a tab after the `:` of a key separates it from its value, as
//! a space does (YAML 1.2.2, 6.2). The parser wants a space there before a letter.

use saphyr_parser::{
    StrInput,
    input::{Input, SkipTabs},
};

/// A text for the parser: for whoever reads a file once more, such as for the places of its keys, as it was read before. What
/// it does not say itself, the trait's own readings of the characters say.
pub struct YamlInput<'t>(StrInput<'t>);

impl<'t> YamlInput<'t> {
    /// The text.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        Self(StrInput::new(text))
    }
}

impl Input for YamlInput<'_> {
    fn lookahead(&mut self, count: usize) {
        self.0.lookahead(count);
    }

    fn buflen(&self) -> usize {
        self.0.buflen()
    }

    fn bufmaxlen(&self) -> usize {
        self.0.bufmaxlen()
    }

    fn raw_read_ch(&mut self) -> char {
        self.0.raw_read_ch()
    }

    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        self.0.raw_read_non_breakz_ch()
    }

    fn skip(&mut self) {
        self.0.skip();
    }

    fn skip_n(&mut self, count: usize) {
        self.0.skip_n(count);
    }

    fn peek(&self) -> char {
        self.0.peek()
    }

    fn peek_nth(&self, n: usize) -> char {
        self.0.peek_nth(n)
    }

    fn peek_opt(&self) -> Option<char> {
        self.0.peek_opt()
    }

    /// Whether a space was among what was skipped is asked after a `:` only.
    fn skip_ws_to_eol(&mut self, skip_tabs: SkipTabs) -> (usize, Result<SkipTabs, &'static str>) {
        let (count, skipped) = self.0.skip_ws_to_eol(skip_tabs);
        // A list on the line of its key is none, whatever stands between them.
        let begins_list = self.0.peek() == '-';
        let mended = |skipped: SkipTabs| {
            let (tabs, spaces) = (skipped.found_tabs(), skipped.has_valid_yaml_ws());
            SkipTabs::Result(tabs, spaces || (tabs && !begins_list))
        };
        (count, skipped.map(mended))
    }
}
