//! What a program is called with.

use serde_json::{Map, Value};
use trackside_codes::Reason;
use trackside_spec::{ArtifactRef, CommandStdout, ExitCodes};

/// Bytes of all arguments and of the environment together.
const WORDS: usize = 256 << 10;
/// What a program finds of itself in the middle of an error.
const SHOWN: usize = 80;

/// One call of a WASI command.
#[derive(Clone, Debug, Default)]
pub struct CommandCall {
    /// Arguments after the program's own name.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// What it reads.
    pub stdin: CommandStdin,
    /// Artifacts by the name that they have below `/in`.
    pub files: Vec<(String, ArtifactRef)>,
    /// What its standard output is.
    pub stdout: CommandStdout,
    /// What its exit code means.
    pub exit: ExitCodes,
}

/// What a program reads on standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CommandStdin {
    /// The input document of the step, as JSON.
    #[default]
    Input,
    /// These bytes.
    Bytes(Vec<u8>),
    /// The bytes of an artifact, read as the program asks for them.
    Artifact(ArtifactRef),
}

impl CommandCall {
    /// Reads an evaluated `command:` of a workflow: `args`, `env`, `stdin` and `files`, all of which may be absent.
    ///
    /// # Errors
    /// A sentence that names what does not fit.
    pub fn read(given: &Value, stdout: CommandStdout, exit: ExitCodes) -> Result<Self, Reason> {
        let nothing = Map::new();
        let fields = match given {
            Value::Object(fields) => fields,
            Value::Null => &nothing,
            other => return Err(format!("`command` must be a mapping, not {}", shorten(other)).into()),
        };
        let args = match fields.get("args") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => {
                items.iter().map(|item| word("an argument", item)).collect::<Result<_, _>>()?
            }
            Some(other) => return Err(format!("`command.args` must be a list, not {}", shorten(other)).into()),
        };
        let mut env = Vec::new();
        for (name, value) in mapping(fields, "env")? {
            env.push((name.clone(), word(&format!("`command.env.{name}`"), value)?));
        }
        let mut files = Vec::new();
        for (name, value) in mapping(fields, "files")? {
            let artifact = ArtifactRef::from_json(value)
                .ok_or_else(|| format!("`command.files.{name}` must be an artifact, not {}", shorten(value)))?;
            files.push((name.clone(), artifact));
        }
        let stdin = match fields.get("stdin") {
            None => CommandStdin::Input,
            // A program that reads text is not helped by quotes around it.
            Some(Value::String(text)) => CommandStdin::Bytes(text.clone().into_bytes()),
            Some(value) => match ArtifactRef::from_json(value) {
                Some(artifact) => CommandStdin::Artifact(artifact),
                None => CommandStdin::Bytes(value.to_string().into_bytes()),
            },
        };
        Ok(Self { args, env, stdin, files, stdout, exit })
    }

    /// Why it cannot be given to a program: no length may surprise a guest, and C ends texts at a zero.
    pub(crate) fn problem(&self, input_bytes: usize) -> Option<String> {
        let pairs = self.env.iter().flat_map(|(name, value)| [name, value]);
        let words = || self.args.iter().chain(pairs.clone());
        let total = words().map(|word| word.len() + 1).sum::<usize>();
        if total > WORDS {
            return Some(format!("arguments and environment have {total} bytes; the limit is {WORDS}: use stdin"));
        }
        if words().any(|word| word.contains('\0')) {
            return Some("an argument or a variable contains a zero byte".to_owned());
        }
        match &self.stdin {
            CommandStdin::Bytes(bytes) if bytes.len() > input_bytes => Some(format!(
                "standard input has {} bytes and the limit is {input_bytes}: pass large data as an artifact",
                bytes.len()
            )),
            _ => None,
        }
    }
}

fn mapping<'v>(fields: &'v Map<String, Value>, key: &str) -> Result<Vec<(&'v String, &'v Value)>, Reason> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(entries)) => Ok(entries.iter().collect()),
        Some(other) => Err(format!("`command.{key}` must be a mapping, not {}", shorten(other)).into()),
    }
}

/// A word of the command line. Lists and mappings are none: what a program takes for one is its own affair.
fn word(what: &str, value: &Value) -> Result<String, Reason> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        other => Err(format!("{what} must be a text, a number, or true or false, not {}", shorten(other)).into()),
    }
}

fn shorten(value: &Value) -> String {
    value.to_string().chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(given: Value) -> Result<CommandCall, Reason> {
        CommandCall::read(&given, CommandStdout::Json, ExitCodes::default())
    }

    #[test]
    fn words_become_texts_and_stdin_keeps_what_it_is() {
        let call = read(json!({ "args": ["-n", 5, true], "env": { "A": 1 }, "stdin": "a,b\n" })).unwrap();
        assert_eq!(call.args, ["-n", "5", "true"]);
        assert_eq!(call.env, [("A".to_owned(), "1".to_owned())]);
        assert_eq!(call.stdin, CommandStdin::Bytes(b"a,b\n".to_vec()));
        assert_eq!(read(json!({ "stdin": [1] })).unwrap().stdin, CommandStdin::Bytes(b"[1]".to_vec()));
        assert_eq!(read(json!(null)).unwrap().stdin, CommandStdin::Input);
        let artifact = json!({ "artifact": trackside_spec::Digest::of(b"x") });
        let call = read(json!({ "stdin": artifact, "files": { "x": artifact } })).unwrap();
        assert!(matches!(call.stdin, CommandStdin::Artifact(_)) && call.files.len() == 1);
    }

    #[test]
    fn what_is_no_word_and_no_artifact_is_named() {
        let cases = [
            (json!([]), "command"),
            (json!({ "args": [[]] }), "argument"),
            (json!({ "args": [null] }), "argument"),
            (json!({ "env": { "A": {} } }), "env.A"),
            (json!({ "files": { "x": "data/x" } }), "files.x"),
        ];
        for (given, word) in cases {
            let error = read(given.clone()).unwrap_err();
            assert!(error.to_string().contains(word), "{given}: {error}");
        }
    }

    #[test]
    fn a_command_line_has_a_length_and_no_zeros() {
        let long = CommandCall { args: vec!["x".repeat(WORDS)], ..CommandCall::default() };
        assert!(long.problem(0).unwrap().contains("limit"));
        let zero = CommandCall { env: vec![("A".into(), "\0".into())], ..CommandCall::default() };
        assert!(zero.problem(0).unwrap().contains("zero"));
        let stdin = CommandCall { stdin: CommandStdin::Bytes(vec![0; 11]), ..CommandCall::default() };
        assert!(stdin.problem(10).is_some() && stdin.problem(11).is_none());
    }
}
