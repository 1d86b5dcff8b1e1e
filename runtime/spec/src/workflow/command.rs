//! `command:` of a step: how a WASI command is called. As it is written, and its checks.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::{
    checker::Checker,
    steps::{self, Site},
    words,
};
use crate::{
    ordered::Ordered,
    plan::{Command, CommandStdout, ExitCodes},
};

const MAX_ARGS: usize = 256;
const MAX_ENV: usize = 128;
const MAX_FILES: usize = 64;
/// Longest name of a file or an environment variable.
const LONGEST: usize = 128;

/// How a WASI command is called: a program with arguments, standard streams and an exit code. Not for plugins that are
/// components of the contract.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with args, env, stdin, files, stdout or exit")]
#[schemars(rename = "Command")]
pub(crate) struct CommandFile {
    /// The arguments after the program's own name. They may hold `${expression}`.
    #[serde(default)]
    pub(crate) args: Vec<WordFile>,
    /// The environment: these variables and no others. The values may hold `${expression}`.
    #[serde(default)]
    pub(crate) env: Ordered<WordFile>,
    /// What the program reads: the bytes of an artifact, a text as it is, anything else as JSON. Without it, the
    /// document under `with` as JSON.
    pub(crate) stdin: Option<Value>,
    /// Artifacts that the program finds as read-only files `/in/NAME`: expressions, or fixed paths of the project.
    #[serde(default)]
    pub(crate) files: Ordered<String>,
    /// What standard output is: a JSON document, a text, or the bytes of an artifact.
    #[serde(default)]
    pub(crate) stdout: CommandStdout,
    /// Which exit codes are good and which are worth a retry. Every other code fails the step.
    #[serde(default)]
    pub(crate) exit: ExitFile,
}

/// A word of a command line.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text, a number, or true or false")]
#[schemars(inline)]
pub(crate) enum WordFile {
    /// Text, with expressions.
    Text(String),
    /// A number, given as it is written in JSON.
    Number(Number),
    /// `true` or `false`.
    Truth(bool),
}

impl WordFile {
    /// As it is given to the program. A number is text to it.
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
        }
    }
}

/// What exit codes mean.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with ok or retry")]
#[schemars(rename = "Exit")]
pub(crate) struct ExitFile {
    /// The step is done: numbers from 0 to 255.
    #[serde(default = "default_ok")]
    pub(crate) ok: Vec<u64>,
    /// The step failed in a way that may pass: its `retry` applies.
    #[serde(default)]
    pub(crate) retry: Vec<u64>,
}

impl Default for ExitFile {
    fn default() -> Self {
        Self { ok: default_ok(), retry: Vec::new() }
    }
}

fn default_ok() -> Vec<u64> {
    vec![0]
}

/// `None` when an expression in it does not compile.
pub(super) fn check(
    file: CommandFile,
    with: Option<&Value>,
    site: Site<'_>,
    checker: &mut Checker<'_, '_>,
) -> Option<Command> {
    let path = |key: &'static str| [site.path[0], site.path[1], "command", key];
    let counts = [
        ("args", file.args.len(), MAX_ARGS, "arguments"),
        ("env", file.env.0.len(), MAX_ENV, "variables"),
        ("files", file.files.0.len(), MAX_FILES, "files"),
    ];
    for (key, count, limit, what) in counts {
        if count > limit {
            checker.at_key("TS-0108", &path(key), format!("{count} {what}; the limit is {limit}"), None);
        }
    }
    let below = |key: &'static str, name: &str| [site.path[0], site.path[1], "command", key, name].map(str::to_owned);
    let refuse = |checker: &mut Checker<'_, '_>, key, name: &str, is_key: bool, reason: String| {
        let path = below(key, name);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if is_key {
            checker.at_key("TS-0103", &path, reason, None);
        } else {
            checker.at("TS-0103", &path, reason, None);
        }
    };
    for (name, _) in &file.env.0 {
        if let Some(reason) = variable_problem(name) {
            refuse(checker, "env", name, true, reason);
        }
    }
    for (name, value) in &file.files.0 {
        if let Some(reason) = file_name_problem(name) {
            refuse(checker, "files", name, true, reason);
        }
        if let Some(reason) = source_problem(value) {
            refuse(checker, "files", name, false, reason);
        }
    }
    let exit = exit(&file.exit, site, checker);
    if file.stdin.is_some() && with.is_some() {
        let help = Some("leave one of them out".to_owned());
        let message = "`with` would reach the program on standard input, and `stdin` takes its place";
        checker.at_key("TS-0103", &path("stdin"), message, help);
    }
    let given = given(file.args, file.env, file.stdin, file.files);
    Some(Command { given: steps::compile("command", &given, site, checker)?, stdout: file.stdout, exit })
}

/// Everything that may hold expressions, as one document.
fn given(args: Vec<WordFile>, env: Ordered<WordFile>, stdin: Option<Value>, files: Ordered<String>) -> Value {
    let mut given = Map::new();
    given.insert("args".to_owned(), args.into_iter().map(|word| Value::from(word.text())).collect());
    given.insert("env".to_owned(), env.0.into_iter().map(|(name, word)| (name, Value::from(word.text()))).collect());
    if let Some(stdin) = stdin {
        given.insert("stdin".to_owned(), stdin);
    }
    given.insert("files".to_owned(), files.0.into_iter().map(|(name, value)| (name, Value::from(value))).collect());
    given.into()
}

fn exit(exit: &ExitFile, site: Site<'_>, checker: &mut Checker<'_, '_>) -> ExitCodes {
    let path = |key: &'static str| [site.path[0], site.path[1], "command", "exit", key];
    if let Some(both) = exit.retry.iter().find(|code| exit.ok.contains(code)) {
        let message = format!("the exit code {both} cannot be good and worth a retry at once");
        checker.at("TS-0103", &path("retry"), message, None);
    }
    if exit.ok.is_empty() {
        let help = Some("write ok: [0]".to_owned());
        checker.at("TS-0103", &path("ok"), "without a good exit code the step could never end well", help);
    }
    let mut codes = |key: &'static str, written: &[u64]| {
        let mut codes = Vec::with_capacity(written.len().min(256));
        for (index, code) in written.iter().enumerate() {
            match u8::try_from(*code) {
                Ok(code) => codes.push(code),
                Err(_) => {
                    let path = [site.path[0], site.path[1], "command", "exit", key, &index.to_string()];
                    checker.at("TS-0103", &path, "an exit code is a number from 0 to 255", None);
                }
            }
        }
        codes
    };
    ExitCodes { ok: codes("ok", &exit.ok), retry: codes("retry", &exit.retry) }
}

fn variable_problem(name: &str) -> Option<String> {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = (1..=LONGEST).contains(&name.len())
        && name.chars().all(inside)
        && !name.starts_with(|c: char| c.is_ascii_digit());
    (!fits).then(|| "a variable's name is made of letters, digits and `_`, and begins with no digit".to_owned())
}

/// Why a file cannot be called that below `/in`.
fn file_name_problem(name: &str) -> Option<String> {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = (1..=LONGEST).contains(&name.len()) && name.chars().all(inside) && !matches!(name, "." | "..");
    (!fits).then(|| format!("a file's name is made of letters, digits, `.`, `_` and `-`, at most {LONGEST}"))
}

/// Why an artifact cannot come from there.
fn source_problem(value: &str) -> Option<String> {
    if value.trim_start().starts_with("${") {
        return None;
    }
    match words::path_problem(value) {
        Some(reason) => Some(format!("this is no artifact and no file of the project: {reason}")),
        None if words::climbs(value) => Some("the path of a file must not contain `..`".to_owned()),
        None => None,
    }
}
