//! One input against one contract: which form it has, and what follows.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
};

use serde_json::Value;
use trackside_codes::{Class, Reason};
use trackside_rows::{
    ReadError,
    form::{self, Form},
};
use trackside_serving::drift::Board;
use trackside_spec::{
    ArtifactRef, Digest, OutsideError,
    plan::{Contract, Severity, Shape},
    read_outside,
};
use trackside_store::{Artifacts, Hold};

use super::{
    CheckError,
    books::Books,
    row::Table,
    scan::{Patience, count, scan},
    split::Splitter,
    watch::Watch,
};

/// The largest document that is checked as a whole.
pub const LARGEST_DOCUMENT: u64 = 16 << 20;

/// An input after its check.
pub struct Checked {
    /// What was found.
    pub books: Books,
    /// The input as it passed.
    pub value: Value,
    /// What was written on the way.
    pub artifacts: Vec<Digest>,
}

/// Checks an input.
pub fn check(
    (artifacts, hold): (&Artifacts, &Hold),
    contract: &Contract,
    value: Value,
    patience: &Patience,
    board: Option<&Board>,
) -> Result<Checked, CheckError> {
    let Some(artifact) = ArtifactRef::from_json(&value) else {
        return check_value(hold, contract, value, patience, board);
    };
    let open = || artifacts.open_artifact(&artifact.digest).map(BufReader::new);
    let form = match (&contract.shape, form_of(&artifact, &mut open()?)?) {
        (Shape::Json { .. }, _) => Form::Document,
        (_, form) => form,
    };
    let table = || -> Result<_, CheckError> {
        let opened = match form {
            Form::Csv(delimiter) => Table::csv(open()?, delimiter),
            Form::Lines | Form::Document => Ok(Table::lines(open()?)),
        };
        match opened {
            Ok(table) => Ok(Ok(table)),
            Err(ReadError::Io(error)) => Err(error.into()),
            Err(error) => Ok(Err(Reason::by(Class::BadInput, error))),
        }
    };
    if form == Form::Document {
        let document = match document(&artifact, open()?)? {
            Ok(document) => document,
            Err(reason) => return Ok(misfit(contract, value, reason.to_string())),
        };
        let mut checked = check_value(hold, contract, document, patience, board)?;
        // What passed is the artifact; another one when rows were taken out of it.
        checked.value = if checked.books.quarantine.is_none() {
            value
        } else {
            let text = checked.value.to_string();
            let good = hold.store(&mut text.as_bytes(), &artifact.name, &artifact.media_type)?;
            checked.artifacts.push(good.digest);
            good.to_json()
        };
        return Ok(checked);
    }
    let mut first = match table()? {
        Ok(table) => table,
        Err(reason) => return Ok(misfit(contract, value, reason.to_string())),
    };
    let books = watched(contract, &mut first, patience, board)?;
    if !splits(&books) {
        return Ok(Checked { books, value, artifacts: Vec::new() });
    }
    let Ok(mut second) = table()? else { return Ok(Checked { books, value, artifacts: Vec::new() }) };
    let mut splitter = Splitter::new(hold, second.header())?;
    let books = scan(contract, &mut second, patience, |table, good| splitter.row(table, good))?;
    let (good, bad) = splitter.finish(&artifact.name, &artifact.media_type)?;
    let kept = vec![good.digest, bad.digest];
    Ok(Checked { books: Books { quarantine: Some(bad), ..books }, value: good.to_json(), artifacts: kept })
}

/// The first pass, with whoever watches the columns.
fn watched<R: BufRead>(
    contract: &Contract,
    table: &mut Table<R>,
    patience: &Patience,
    board: Option<&Board>,
) -> Result<Books, CheckError> {
    let mut watch = Watch::of(contract, board);
    let books = scan(contract, table, patience, |table, _| {
        if let Some(watch) = &mut watch {
            watch.row(table);
        }
        Ok(())
    })?;
    if let Some(watch) = watch {
        watch.end();
    }
    Ok(books)
}

/// A value that is no artifact.
fn check_value(
    hold: &Hold,
    contract: &Contract,
    value: Value,
    patience: &Patience,
    board: Option<&Board>,
) -> Result<Checked, CheckError> {
    patience.check()?;
    let mut books = Books::new(contract.name.clone(), contract.severity);
    match (&contract.shape, value) {
        (Shape::Table(_), Value::Array(items)) => {
            let mut first: Table<io::Empty> = Table::list(items);
            let books = watched(contract, &mut first, patience, board)?;
            let Table::List { items, .. } = first else { return Ok(misfit(contract, Value::Null, String::new())) };
            if !splits(&books) {
                return Ok(Checked { books, value: items.into(), artifacts: Vec::new() });
            }
            let mut second: Table<io::Empty> = Table::list(items);
            let (mut splitter, mut good_places) = (Splitter::new(hold, &[])?, Vec::new());
            let books = scan(contract, &mut second, patience, |table, good| {
                good_places.push(good);
                if good { Ok(()) } else { splitter.row(table, false) }
            })?;
            let (_, bad) = splitter.finish(&format!("{}.jsonl", contract.name), "application/jsonl")?;
            let Table::List { items, .. } = second else { return Ok(misfit(contract, Value::Null, String::new())) };
            let good: Vec<Value> =
                items.into_iter().zip(good_places).filter(|(_, good)| *good).map(|(item, _)| item).collect();
            let kept = vec![bad.digest];
            Ok(Checked { books: Books { quarantine: Some(bad), ..books }, value: good.into(), artifacts: kept })
        }
        (Shape::Table(_), other) => Ok(misfit(contract, other, "it is not a table".to_owned())),
        (Shape::Json { schema, .. }, value) => {
            books.whole.extend(schema.problem(&value));
            books.whole.extend(rows_of(contract, &value));
            Ok(Checked { books, value, artifacts: Vec::new() })
        }
        (Shape::Any, value) => {
            books.whole.extend(rows_of(contract, &value));
            Ok(Checked { books, value, artifacts: Vec::new() })
        }
    }
}

/// What is wrong with the number of elements of a list.
fn rows_of(contract: &Contract, value: &Value) -> Option<String> {
    if contract.rows.minimum.is_none() && contract.rows.maximum.is_none() {
        return None;
    }
    match value.as_array() {
        Some(items) => count(contract, items.len() as u64),
        None => Some("it is not a list, and `rows` counts the elements of one".to_owned()),
    }
}

fn splits(books: &Books) -> bool {
    books.severity == Severity::Quarantine && books.bad_rows > 0 && books.whole.is_empty()
}

/// An input that does not fit as a whole.
fn misfit(contract: &Contract, value: Value, reason: String) -> Checked {
    let mut books = Books::new(contract.name.clone(), contract.severity);
    books.whole.push(reason);
    Checked { books, value, artifacts: Vec::new() }
}

/// The document in an artifact, or what is wrong with it.
pub fn document(artifact: &ArtifactRef, file: impl Read) -> io::Result<Result<Value, Reason>> {
    let mut bytes = Vec::new();
    file.take(LARGEST_DOCUMENT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_DOCUMENT {
        let name = super::books::clip(&artifact.name);
        return Ok(Err(format!(
            "{name} has more than {LARGEST_DOCUMENT} bytes, and a JSON document is checked as a whole; JSON lines have no \
             such limit"
        )
        .into()));
    }
    let text = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&bytes);
    Ok(read_outside(text).map_err(|error| {
        let words = match &error {
            OutsideError::Json(error) => format!("it is not a JSON document: {error}"),
            OutsideError::Lossy(problem) => problem.clone(),
        };
        Reason::because(Class::BadInput, words, error)
    }))
}

/// As its type or its name says; where they say nothing, as its first byte does.
pub fn form_of(artifact: &ArtifactRef, file: &mut BufReader<File>) -> io::Result<Form> {
    match form::by_name(&artifact.name, &artifact.media_type) {
        Some(form) => Ok(form),
        None => Ok(form::by_start(file.fill_buf()?)),
    }
}
