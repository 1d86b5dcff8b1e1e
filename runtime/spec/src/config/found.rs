//! What is found wrong with `trackside.toml` beside its text: files that it names.

use trackside_codes::Code;

use crate::{
    spec_error::{Problem, Report},
    tree,
};

/// Problems at the keys that these paths lead to; numbers are those of lists, from 0.
#[must_use]
pub fn config_problems(file_name: &str, text: &str, found: &[(Vec<&str>, Code, String)]) -> Vec<Problem> {
    let mut report = Report::new(file_name, text);
    // It was read before: what is wrong with the text itself was told then.
    let root = tree::parse_toml(text, &mut Report::new(file_name, text));
    for (path, code, message) in found {
        let place = root.as_ref().map(|root| root.place_at(path.iter().copied())).unwrap_or_default();
        report.add(*code, place, message.as_str(), None);
    }
    report.finish().err().map(|error| error.problems).unwrap_or_default()
}
