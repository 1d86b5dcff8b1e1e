//! Does the name of a file tell the truth about its bytes, and is the file welcome?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{Catalogue, ContentType},
    identify::Identity,
};

/// What to do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may pass.
    Accepted,
    /// Somebody should look at it.
    Quarantine,
}

/// What the operator decides; everything has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Labels (`elf`) or groups (`executable`) that are never welcome, whatever they are called.
    pub deny: Vec<String>,
    /// More extensions for a label than the catalogue lists: `{c: [h]}`.
    pub also: BTreeMap<String, Vec<String>>,
    /// A file whose name has no extension.
    pub no_extension: Verdict,
    /// A file whose extension no content type lists.
    pub unknown_extension: Verdict,
    /// A file without a byte.
    pub empty: Verdict,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            deny: Vec::new(),
            also: BTreeMap::new(),
            no_extension: Verdict::Accepted,
            unknown_extension: Verdict::Quarantine,
            empty: Verdict::Quarantine,
        }
    }
}

/// The verdict and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Pass or not.
    pub verdict: Verdict,
    /// A stable word for the rule that decided.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
}

/// The rules, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The file is empty.
    Empty,
    /// Its type or group is on the deny list.
    DeniedType,
    /// The bytes are of no known type.
    UnknownContent,
    /// The name claims nothing.
    NoExtension,
    /// The name says what the bytes are.
    Match,
    /// The bytes are text of no certain type and the extension is not a binary type's.
    GenericText,
    /// No content type lists the extension.
    UnknownExtension,
    /// The name says something else than the bytes.
    Mismatch,
}

/// What the name of a file claims: the part after the last dot, in lower case. A leading dot makes a hidden file, not
/// an extension.
#[must_use]
pub fn extension(name: &str) -> Option<String> {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let (stem, extension) = base.trim_start_matches('.').rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then(|| extension.to_lowercase())
}

/// The extensions that a content type may have, in lower case, each once.
#[must_use]
pub fn expected(label: &str, kind: &ContentType, policy: &Policy) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for known in kind.extensions.iter().chain(policy.also.get(label).into_iter().flatten()) {
        let known = known.to_lowercase();
        if !all.contains(&known) {
            all.push(known);
        }
    }
    all
}

/// Judges a file that is `identity` by its bytes and `name` by its name. `kind` is the catalogue's entry for the label.
#[must_use]
pub fn judge(identity: &Identity, kind: &ContentType, name: &str, policy: &Policy, catalogue: &Catalogue) -> Judgement {
    let label = identity.label.as_str();
    let what = kind.description.as_deref().unwrap_or(label);
    let say = |verdict, reason, message| Judgement { verdict, reason, message };

    if label == "empty" {
        return say(policy.empty, Reason::Empty, "the file is empty".to_owned());
    }
    if let Some(denied) = policy.deny.iter().find(|entry| *entry == label || *entry == kind.group()) {
        return say(
            Verdict::Quarantine,
            Reason::DeniedType,
            format!("{what} is not welcome: the policy denies {denied}"),
        );
    }
    if label == "unknown" {
        let message = "the bytes are of no known content type".to_owned();
        return say(Verdict::Quarantine, Reason::UnknownContent, message);
    }
    let Some(claimed) = extension(name) else {
        return say(
            policy.no_extension,
            Reason::NoExtension,
            format!("the name has no extension; the bytes are {what}"),
        );
    };
    let expected = expected(label, kind, policy);
    if expected.contains(&claimed) {
        return say(Verdict::Accepted, Reason::Match, format!("the bytes are {what}, as .{claimed} says"));
    }
    let mut claims = catalogue.with_extension(&claimed).peekable();
    // `txt` is what every text becomes that the model is not sure of, so any text's extension may stand on it.
    if label == "txt" && (claims.peek().is_none() || catalogue.with_extension(&claimed).any(|(_, kind)| kind.is_text)) {
        return say(
            Verdict::Accepted,
            Reason::GenericText,
            format!("the bytes are text of no certain type, .{claimed} may stand"),
        );
    }
    let Some((_, claim)) = claims.next() else {
        let message = format!("the bytes are {what}; no content type has the extension .{claimed}");
        return say(policy.unknown_extension, Reason::UnknownExtension, message);
    };
    let claim = claim.description.as_deref().unwrap_or(&claimed);
    let message = format!("the bytes are {what}{}, but .{claimed} stands for {claim}", in_words(&expected));
    say(Verdict::Quarantine, Reason::Mismatch, message)
}

fn in_words(extensions: &[String]) -> String {
    if extensions.is_empty() { String::new() } else { format!(" (.{})", extensions.join(", .")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::decided;

    fn catalogue() -> Catalogue {
        let text = r#"{
            "txt":     {"mime_type":"text/plain","group":"text","description":"Generic text","extensions":["txt"],"is_text":true},
            "unknown": {"mime_type":null,"group":null,"description":"Unknown binary","extensions":[],"is_text":false},
            "empty":   {"mime_type":null,"group":"inode","description":"Empty file","extensions":[],"is_text":false},
            "png":     {"mime_type":"image/png","group":"image","description":"PNG image","extensions":["png"],"is_text":false},
            "pdf":     {"mime_type":"application/pdf","group":"document","description":"PDF document","extensions":["pdf"],"is_text":false},
            "macho":   {"mime_type":null,"group":"executable","description":"Mach-O","extensions":[],"is_text":false},
            "cobol":   {"mime_type":null,"group":"code","description":"Cobol","extensions":["cbl","CBL"],"is_text":true},
            "c":       {"mime_type":null,"group":"code","description":"C source","extensions":["c"],"is_text":true}}"#;
        Catalogue::from_json(text.as_bytes()).unwrap()
    }

    fn judged(label: &str, name: &str, policy: &Policy) -> (Verdict, Reason) {
        let catalogue = catalogue();
        let judgement = judge(&decided(label), catalogue.get(label).unwrap(), name, policy, &catalogue);
        assert!(!judgement.message.is_empty());
        (judgement.verdict, judgement.reason)
    }

    use Reason::*;
    use Verdict::*;

    #[test]
    fn a_name_that_tells_the_truth_passes_in_any_case() {
        let policy = Policy::default();
        assert_eq!(judged("png", "a.png", &policy), (Accepted, Match));
        assert_eq!(judged("png", "A.B.PNG", &policy), (Accepted, Match));
        assert_eq!(judged("cobol", "x.cbl", &policy), (Accepted, Match));
    }

    #[test]
    fn a_name_that_lies_is_kept_back_and_both_sides_are_named() {
        let catalogue = catalogue();
        let png = catalogue.get("png").unwrap();
        let judgement = judge(&decided("png"), png, "invoice.pdf", &Policy::default(), &catalogue);
        assert_eq!(judgement.verdict, Quarantine);
        assert_eq!(judgement.message, "the bytes are PNG image (.png), but .pdf stands for PDF document");
        assert_eq!(judged("macho", "a.png", &Policy::default()), (Quarantine, Mismatch));
    }

    #[test]
    fn plain_text_may_carry_a_text_extension_but_not_a_binary_one() {
        let policy = Policy::default();
        assert_eq!(judged("txt", "a.txt", &policy), (Accepted, Match));
        assert_eq!(judged("txt", "main.c", &policy), (Accepted, GenericText));
        assert_eq!(judged("txt", "service.log", &policy), (Accepted, GenericText));
        assert_eq!(judged("txt", "photo.png", &policy), (Quarantine, Mismatch));
    }

    #[test]
    fn the_policy_decides_about_what_claims_nothing_or_nothing_known() {
        let mut policy = Policy::default();
        assert_eq!(judged("png", "README", &policy), (Accepted, NoExtension));
        assert_eq!(judged("png", ".png", &policy), (Accepted, NoExtension));
        assert_eq!(judged("png", "a.zzz", &policy), (Quarantine, UnknownExtension));
        assert_eq!(judged("empty", "a.txt", &policy), (Quarantine, Empty));
        assert_eq!(judged("unknown", "a.bin", &policy), (Quarantine, UnknownContent));
        policy.no_extension = Quarantine;
        policy.unknown_extension = Accepted;
        policy.empty = Accepted;
        assert_eq!(judged("png", "README", &policy), (Quarantine, NoExtension));
        assert_eq!(judged("png", "a.zzz", &policy), (Accepted, UnknownExtension));
        assert_eq!(judged("empty", "a.txt", &policy), (Accepted, Empty));
    }

    #[test]
    fn the_deny_list_takes_labels_and_groups_and_wins_over_a_true_name() {
        let policy = Policy { deny: vec!["executable".into(), "png".into()], ..Policy::default() };
        assert_eq!(judged("macho", "tool", &policy), (Quarantine, DeniedType));
        assert_eq!(judged("png", "a.png", &policy), (Quarantine, DeniedType));
    }

    #[test]
    fn extensions_can_be_added_to_a_label() {
        let policy = Policy { also: BTreeMap::from([("c".to_owned(), vec!["H".to_owned()])]), ..Policy::default() };
        assert_eq!(judged("c", "api.h", &policy), (Accepted, Match));
        assert_eq!(judged("c", "api.h", &Policy::default()), (Quarantine, UnknownExtension));
    }

    #[test]
    fn only_the_last_part_of_the_name_counts() {
        assert_eq!(extension("dir.d/name"), None);
        assert_eq!(extension("a.tar.GZ").as_deref(), Some("gz"));
        assert_eq!(extension("..hidden"), None);
        assert_eq!(extension("trailing."), None);
        assert_eq!(extension(""), None);
    }
}
