//! Reports problems where they are written.

use crate::{
    spec_error::Report,
    tree::{Data, Node},
};

/// The tree of the file and the problems found so far.
pub(super) struct Checker<'a, 'f> {
    pub(super) root: &'a Node,
    pub(super) report: &'a mut Report<'f>,
}

impl Checker<'_, '_> {
    /// A problem with the value at `path`.
    pub(super) fn at(&mut self, code: &'static str, path: &[&str], message: impl Into<String>, help: Option<String>) {
        let node = self.root.at(path.iter().copied());
        let place = match node.map(|node| &node.data) {
            // A mapping as a whole is best shown by its key.
            Some(Data::Map(_) | Data::List(_) | Data::Null) => self.root.key_place(path),
            _ => self.root.place_at(path.iter().copied()),
        };
        self.report.add(code, place, message, help);
    }

    /// A problem with the key at the end of `path`.
    pub(super) fn at_key(
        &mut self,
        code: &'static str,
        path: &[&str],
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.report.add(code, self.root.key_place(path), message, help);
    }

    /// A problem inside the text at `path`: `length` characters from the byte `offset`.
    pub(super) fn inside(
        &mut self,
        code: &'static str,
        path: &[&str],
        (offset, length): (usize, usize),
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let place = match self.root.at(path.iter().copied()) {
            Some(Node { data: Data::Text(text), place, .. }) => {
                self.report.place_inside(*place, text, offset, length).unwrap_or(*place)
            }
            _ => self.root.place_at(path.iter().copied()),
        };
        self.report.add(code, place, message, help);
    }
}
