//! The layout of Triton's model repository: `NAME/VERSION/model.onnx`, and `NAME/config.pbtxt`, of which the few fields are read
//! that mean something here.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use super::{Draft, PackageError, PackageLimits, draft::open_file};

const CONFIG: &str = "config.pbtxt";
/// Largest config.
const MAX_CONFIG: u64 = 256 << 10;
/// Messages in each other.
const MAX_DEPTH: usize = 16;
/// Most versions of a model.
const MAX_VERSIONS: usize = 1000;

/// A version of a model in such a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TritonVersion {
    /// Its number there.
    pub number: u64,
    folder: PathBuf,
    model: String,
    labels: Vec<Labels>,
    max_batch: Option<u32>,
}

/// A file with the names of an output's classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The output.
    pub output: String,
    /// The file's name, beside the config.
    pub file: String,
}

impl TritonVersion {
    /// Its files.
    ///
    /// # Errors
    /// Those of a folder.
    pub fn draft(&self, limits: &PackageLimits) -> Result<Draft, PackageError> {
        let mut draft = Draft::of_folder(&self.folder, limits)?;
        if draft.model_path().and_then(Path::file_name).and_then(|name| name.to_str()) != Some(&self.model) {
            let reason = format!("{CONFIG} says that the model is {}, which is not there", self.model);
            return Err(PackageError::Given { path: self.folder.clone(), reason });
        }
        let above = self.folder.parent().unwrap_or(&self.folder);
        for labels in &self.labels {
            draft = draft.with_labels(&labels.output, &labels.file, &above.join(&labels.file));
        }
        Ok(draft.with_max_batch(self.max_batch))
    }
}

/// The versions of the model whose folder this is, by their numbers; none where it is no such folder: without sub-folders that are
/// called by numbers, or with a model beside them.
///
/// # Errors
/// When its config can not be read, or says that it is for another kind of model.
pub fn triton_versions(folder: &Path) -> Result<Option<Vec<TritonVersion>>, PackageError> {
    let mut numbers = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(None) };
    for entry in entries {
        let entry = entry.map_err(PackageError::io("read the folder", folder))?;
        // A model that has numbers for the names of its other folders.
        if Path::new(&entry.file_name()).extension().is_some_and(|extension| extension == "onnx") {
            return Ok(None);
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()).filter(|_| is_folder);
        if let Some(number) = number {
            numbers.push((number, entry.path()));
        }
        if numbers.len() > MAX_VERSIONS {
            return Err(PackageError::TooMuch {
                what: format!("{} holds more than {MAX_VERSIONS} versions", folder.display()),
            });
        }
    }
    numbers.sort();
    if numbers.is_empty() {
        return Ok(None);
    }
    let config = match folder.join(CONFIG).symlink_metadata() {
        Ok(_) => Config::read(&folder.join(CONFIG))?,
        Err(_) => Config::default(),
    };
    let model = config.file.unwrap_or_else(|| "model.onnx".to_owned());
    let versions = numbers.into_iter().map(|(number, folder)| TritonVersion {
        number,
        folder,
        model: model.clone(),
        labels: config.labels.clone(),
        max_batch: config.max_batch,
    });
    Ok(Some(versions.collect()))
}

/// Reads a config and forgets it.
#[cfg(fuzzing)]
pub(crate) fn triton_config(text: &str) -> Result<(), (usize, String)> {
    Config::parse(text).map(drop)
}

/// What of a config means something here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Config {
    file: Option<String>,
    max_batch: Option<u32>,
    labels: Vec<Labels>,
}

impl Config {
    fn read(path: &Path) -> Result<Self, PackageError> {
        let (file, _) = open_file(path)?;
        let mut text = String::new();
        let read = file.take(MAX_CONFIG + 1).read_to_string(&mut text);
        let wrong = |(line, reason): (usize, String)| PackageError::Triton { path: path.to_owned(), line, reason };
        match read {
            Ok(length) if length as u64 <= MAX_CONFIG => Self::parse(&text).map_err(wrong),
            Ok(_) => {
                Err(PackageError::TooMuch { what: format!("{} has more than {MAX_CONFIG} bytes", path.display()) })
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Err(wrong((1, "it is no text".to_owned())))
            }
            Err(error) => Err(PackageError::io("read", path)(error)),
        }
    }

    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut reader = Reader { rest: text.chars().peekable(), line: 1 };
        let fields = reader.message(0, None)?;
        let mut config = Self::default();
        for Field { name, value, line } in fields {
            match (name.as_str(), value) {
                ("default_model_filename", Value::Text(file)) if !file.is_empty() => {
                    config.file = Some(plain(file, line)?)
                }
                ("max_batch_size", Value::Word(number)) => {
                    let number: i64 = number
                        .parse()
                        .map_err(|_| (line, format!("max_batch_size is {number:?}, which is no number")))?;
                    config.max_batch = u32::try_from(number).ok().filter(|number| *number > 0);
                }
                ("platform" | "backend", Value::Text(kind)) if !kind.is_empty() && !kind.starts_with("onnxruntime") => {
                    let kind: String = kind.chars().take(60).collect();
                    return Err((line, format!("{name} is {kind:?}; models for onnxruntime (.onnx) are taken")));
                }
                ("output", Value::Message(output)) => config.labels.extend(labels(output)?),
                _ => {}
            }
        }
        Ok(config)
    }
}

fn labels(output: Vec<Field>) -> Result<Option<Labels>, (usize, String)> {
    let (mut name, mut file) = (None, None);
    for field in output {
        match (field.name.as_str(), field.value) {
            ("name", Value::Text(text)) => name = Some(text),
            ("label_filename", Value::Text(text)) if !text.is_empty() => file = Some(plain(text, field.line)?),
            _ => {}
        }
    }
    Ok(name.zip(file).map(|(output, file)| Labels { output, file }))
}

/// A name of a file in the folder that is spoken of.
fn plain(name: String, line: usize) -> Result<String, (usize, String)> {
    if name.contains(['/', '\\', '\0']) || name.starts_with('.') {
        return Err((line, format!("{name:?} must be the plain name of a file in the model's folder")));
    }
    Ok(name)
}

struct Field {
    name: String,
    value: Value,
    line: usize,
}

enum Value {
    Text(String),
    Word(String),
    Message(Vec<Field>),
}

/// Reads protobuf's text format: `name: value`, `name { … }`, lists in `[ ]`, separated by nothing, `,` or `;`.
struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

type Parsed<T> = Result<T, (usize, String)>;

impl Reader<'_> {
    fn message(&mut self, depth: usize, end: Option<char>) -> Parsed<Vec<Field>> {
        if depth > MAX_DEPTH {
            return self.wrong("messages stand more than 16 deep in each other");
        }
        let mut fields = Vec::new();
        loop {
            self.blank(&[',', ';']);
            match self.rest.peek().copied() {
                None if end.is_none() => return Ok(fields),
                None => return self.wrong("it ends within a message"),
                Some(letter) if Some(letter) == end => {
                    self.next();
                    return Ok(fields);
                }
                Some(_) => {}
            }
            let line = self.line;
            let name = self.word()?;
            self.blank(&[]);
            if self.rest.peek() == Some(&':') {
                self.next();
                self.blank(&[]);
            }
            if self.rest.peek() == Some(&'[') {
                self.next();
                loop {
                    self.blank(&[',']);
                    if self.rest.peek() == Some(&']') {
                        self.next();
                        break;
                    }
                    let value = self.value(depth)?;
                    fields.push(Field { name: name.clone(), value, line });
                }
            } else {
                let value = self.value(depth)?;
                fields.push(Field { name, value, line });
            }
        }
    }

    fn value(&mut self, depth: usize) -> Parsed<Value> {
        match self.rest.peek().copied() {
            Some('{') => {
                self.next();
                Ok(Value::Message(self.message(depth + 1, Some('}'))?))
            }
            Some('<') => {
                self.next();
                Ok(Value::Message(self.message(depth + 1, Some('>'))?))
            }
            Some(quote @ ('"' | '\'')) => {
                let mut text = String::new();
                // Texts that follow each other are one.
                while self.rest.peek() == Some(&quote) {
                    self.next();
                    self.text(quote, &mut text)?;
                    self.blank(&[]);
                }
                Ok(Value::Text(text))
            }
            _ => Ok(Value::Word(self.word()?)),
        }
    }

    fn text(&mut self, quote: char, text: &mut String) -> Parsed<()> {
        let begin = self.line;
        loop {
            match self.next() {
                Some(letter) if letter == quote => return Ok(()),
                Some('\\') => match self.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(letter @ ('"' | '\'' | '\\')) => text.push(letter),
                    _ => return self.wrong("a text has an escape that is not read here"),
                },
                Some('\n') | None => return Err((begin, "a text has no end".to_owned())),
                Some(letter) => text.push(letter),
            }
        }
    }

    fn word(&mut self) -> Parsed<String> {
        let mut word = String::new();
        while let Some(letter) = self.rest.peek().copied() {
            if !letter.is_ascii_alphanumeric() && !matches!(letter, '_' | '-' | '+' | '.') {
                break;
            }
            word.push(letter);
            self.next();
        }
        if word.is_empty() {
            let found = self.rest.peek().map_or("the end".to_owned(), |letter| format!("{letter:?}"));
            return self.wrong(&format!("a name or a value is expected, {found} stands there"));
        }
        Ok(word)
    }

    /// Passes over what means nothing.
    fn blank(&mut self, separators: &[char]) {
        while let Some(letter) = self.rest.peek().copied() {
            if letter == '#' {
                while self.rest.peek().is_some_and(|letter| *letter != '\n') {
                    self.next();
                }
            } else if letter.is_whitespace() || separators.contains(&letter) {
                self.next();
            } else {
                return;
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.next();
        self.line += usize::from(letter == Some('\n'));
        letter
    }

    fn wrong<T>(&self, reason: &str) -> Parsed<T> {
        Err((self.line, reason.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_mean_something_are_read() {
        let config = Config::parse(
            "# a comment\nname: \"iris\"\nplatform: 'onnxruntime_onnx'\nmax_batch_size: 8;\n\
             input [ { name: \"x\" data_type: TYPE_FP32 dims: [ -1, 4 ] } ]\n\
             output [\n  { name: \"label\", data_type: TYPE_INT64, dims: [ 1 ], label_filename: \"labels\" \".txt\" },\n  \
             { name: \"p\" }\n]\ninstance_group { count: 2 kind: KIND_CPU }\ndynamic_batching { }\nversion_policy: < all: {} >\n",
        )
        .unwrap();
        let labels = vec![Labels { output: "label".to_owned(), file: "labels.txt".to_owned() }];
        assert_eq!(config, Config { file: None, max_batch: Some(8), labels });
    }

    #[test]
    fn what_can_not_be_read_says_its_line() {
        let deep = "a {".repeat(100_000);
        for (text, line, reason) in [
            ("name: \"iris\n", 1, "no end"),
            ("a: 1\nb {", 2, "within a message"),
            ("a: 1\n]", 2, "is expected"),
            (&deep, 1, "more than 16 deep"),
            ("\nplatform: \"tensorrt_plan\"", 2, "onnxruntime"),
            ("default_model_filename: \"../x\"", 1, "plain name"),
            ("output { name: \"a\"\nlabel_filename: \"/etc/passwd\" }", 2, "plain name"),
            ("max_batch_size: many", 1, "no number"),
        ] {
            let (at, told) = Config::parse(text).unwrap_err();
            assert_eq!(at, line, "{told}");
            assert!(told.contains(reason), "{told}");
        }
    }
}
