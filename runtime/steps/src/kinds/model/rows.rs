//! A table as the inputs of a model: a list of objects, a CSV file, JSON lines. Each input takes one column, or several side by
//! side; a value goes in as the model declares it, or is refused with its row and column.

use std::io::{self, BufReader};

use serde_json::Value;
use trackside_codes::Reason;
use trackside_engine::StepError;
use trackside_models::{CancelToken, ModelInfo, Port, tensor_io::Cells};
use trackside_rows::{
    ReadError,
    field::{self, Kind, Typed},
    form::Form,
};
use trackside_spec::{ArtifactRef, ElementType, Tensor};

use super::asked::Source;
use crate::{
    contracts::{
        LARGEST_DOCUMENT, document, form_of,
        row::{Cell, Table as Rows},
    },
    workshop::Workshop,
};

/// A table that is read row by row.
pub(super) type Table = Rows<BufReader<std::fs::File>>;

/// Rows between two looks at the switch.
pub(super) const LOOK_EVERY: u64 = 256;

/// An input that takes columns.
struct Taker<'p> {
    port: &'p Port,
    columns: Vec<Taken>,
    cells: Cells,
}

/// A column that an input takes.
struct Taken {
    name: String,
    /// Its place in the header of CSV.
    at: Option<usize>,
    fill: Option<Value>,
}

/// An input and the columns that it takes.
type Wanted<'p> = (&'p Port, Vec<Taken>);

/// What a model is given.
pub(super) struct Given {
    /// Its inputs.
    pub(super) tensors: Vec<(String, Tensor)>,
    /// The table that they came from, where it is one, and how many rows it has.
    pub(super) table: Option<(Source, u64)>,
}

/// Reads tables.
pub(super) struct Reader<'w> {
    pub(super) workshop: &'w Workshop,
    pub(super) info: &'w ModelInfo,
    pub(super) cancel: &'w CancelToken,
}

impl Reader<'_> {
    /// The inputs of a model from one table.
    pub(super) fn whole(&self, source: Source) -> Result<Given, StepError> {
        let named = match &source.columns {
            None => None,
            Some(Value::Object(named)) => Some(named),
            Some(_) => return Err(refused("`columns` must name the columns of each input: { x: [a, b] }".to_owned())),
        };
        if let Some(other) =
            named.and_then(|named| named.keys().find(|name| self.info.inputs.iter().all(|port| port.name != **name)))
        {
            let takes = trackside_models::takes(&self.info.inputs);
            return Err(refused(format!("`columns`: the model has no input `{other}`; it takes {takes}")));
        }
        let known = self.known(&source)?;
        let needed = self.info.inputs.iter().filter(|port| !port.optional).count();
        let mut wanted = Vec::new();
        for port in &self.info.inputs {
            let chosen = named.and_then(|named| named.get(&port.name));
            // An input with a default is given where the table, or the step, has something for it.
            if port.optional && chosen.is_none() && !known.contains(&port.name) {
                continue;
            }
            wanted.push((port, columns(port, chosen, &known, needed == 1)?));
        }
        fill(&source, &mut wanted)?;
        let (tensors, rows) = self.read(&source, wanted)?;
        Ok(Given { tensors, table: Some((source, rows)) })
    }

    /// The inputs that take columns of their own tables; those of one table are read together.
    pub(super) fn each(&self, asked: Vec<(&str, Source)>) -> Result<Given, StepError> {
        let mut tables: Vec<(Source, Vec<Wanted<'_>>)> = Vec::new();
        for (name, source) in asked {
            let Some(port) = self.info.inputs.iter().find(|port| port.name == name) else {
                let takes = trackside_models::takes(&self.info.inputs);
                return Err(refused(format!("input `{name}`: the model has no such input; it takes {takes}")));
            };
            let known = self.known(&source)?;
            let mut wanted = [(port, columns(port, source.columns.as_ref(), &known, true)?)];
            fill(&source, &mut wanted)?;
            let [(_, columns)] = wanted;
            match tables.iter_mut().find(|(other, _)| other.is_same_table(&source)) {
                Some((other, wanted)) => {
                    other.keep = other.keep.take().or(source.keep);
                    wanted.push((port, columns));
                }
                None => tables.push((source, vec![(port, columns)])),
            }
        }
        let (mut all, mut table) = (Vec::new(), None);
        let count = tables.len();
        for (source, wanted) in tables {
            let (tensors, rows) = self.read(&source, wanted)?;
            all.extend(tensors);
            table = (count == 1).then_some((source, rows));
        }
        Ok(Given { tensors: all, table })
    }

    /// The names of the table's columns: those of the header, or the keys of the first row.
    fn known(&self, source: &Source) -> Result<Vec<String>, StepError> {
        let mut table = self.open(source)?;
        if let Rows::Csv { names, .. } = &table {
            return Ok(names.clone());
        }
        if !table.advance().map_err(unreadable)? || table.broken().is_some() {
            return Ok(Vec::new());
        }
        Ok(table.names())
    }

    /// Reads the table through: tensors, and the number of rows.
    fn read(&self, source: &Source, wanted: Vec<Wanted<'_>>) -> Result<(Vec<(String, Tensor)>, u64), StepError> {
        let mut table = self.open(source)?;
        let mut takers = Vec::with_capacity(wanted.len());
        for (port, mut columns) in wanted {
            for column in &mut columns {
                match table.position(&column.name) {
                    Some(None) => {
                        let (name, have) = (&port.name, shown(&self.known(source)?));
                        return Err(refused(format!(
                            "input `{name}`: the column `{}` is missing; there are {have}",
                            column.name
                        )));
                    }
                    Some(at) => column.at = at,
                    None => {}
                }
            }
            takers.push(Taker { port, columns, cells: Cells::new(port.element) });
        }
        let limit = self.workshop.config.limits.tensor.as_bytes();
        let mut rows = 0_u64;
        while table.advance().map_err(unreadable)? {
            if rows.is_multiple_of(LOOK_EVERY) && self.cancel.is_cancelled() {
                return Err(StepError::fatal("cancelled", "stopped while its rows were read"));
            }
            rows += 1;
            if let Some((reason, column)) = table.broken() {
                return Err(misfit(&table, column, &reason));
            }
            let mut bytes = 0;
            for taker in &mut takers {
                taker.take(&table, source.nulls.as_deref())?;
                bytes += taker.cells.bytes() as u64;
            }
            if bytes > limit {
                return Err(refused(format!("the rows make tensors of more than limits.tensor ({limit} bytes)")));
            }
        }
        let tensors = takers.into_iter().map(|taker| taker.end(rows)).collect::<Result<_, _>>()?;
        Ok((tensors, rows))
    }

    /// The table, before its first row.
    pub(super) fn open(&self, source: &Source) -> Result<Table, StepError> {
        let Some(artifact) = ArtifactRef::from_json(&source.rows) else {
            return match &source.rows {
                Value::Array(items) => Ok(Rows::list(items.clone())),
                Value::Null => Err(refused("`rows` is null: what is the table?".to_owned())),
                _ => Err(refused("`rows` must be a list of objects, or a file of rows".to_owned())),
            };
        };
        let limit = self.workshop.config.limits.tensor.as_bytes();
        if artifact.size > limit {
            let (name, size) = (&artifact.name, artifact.size);
            return Err(refused(format!("artifact {name} has {size} bytes, more than limits.tensor ({limit})")));
        }
        let open = || self.workshop.artifacts.open_artifact(&artifact.digest).map(BufReader::new).map_err(disk);
        let mut file = open()?;
        match form_of(&artifact, &mut file).map_err(disk)? {
            Form::Csv(delimiter) => Rows::csv(file, delimiter).map_err(unreadable),
            Form::Lines => Ok(Rows::lines(file)),
            Form::Document if artifact.size > LARGEST_DOCUMENT => {
                let name = &artifact.name;
                Err(refused(format!(
                    "{name}: a JSON document of rows may have {LARGEST_DOCUMENT} bytes; JSON lines have no such limit"
                )))
            }
            Form::Document => match document(&artifact, file).map_err(disk)? {
                Ok(Value::Array(items)) => Ok(Rows::list(items)),
                Ok(_) => Err(refused(format!("{} is no list of objects", artifact.name))),
                Err(reason) => Err(refused(format!("{}: {reason}", artifact.name))),
            },
        }
    }
}

/// The columns of an input: those that the step names; else the one of its own name; else, where the table is for it alone,
/// all of them in their order.
fn columns(port: &Port, chosen: Option<&Value>, known: &[String], alone: bool) -> Result<Vec<Taken>, StepError> {
    let refuse = |reason: String| Err(refused(format!("input `{}`: {reason}", port.name)));
    let width = match port.shape.as_deref() {
        None | Some([_, None]) => None,
        Some([_]) => Some(1),
        Some([_, Some(width)]) => Some(*width),
        Some(_) => {
            let signature = port.signature();
            return refuse(format!("rows make a tensor of one or two dimensions, the model declares {signature}"));
        }
    };
    let names: Vec<String> = match chosen {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) if !names.is_empty() => {
            let names: Option<Vec<_>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
            let Some(names) = names else { return refuse("its columns must be texts".to_owned()) };
            names
        }
        Some(_) => return refuse("`columns` must be a column's name, or a list of names".to_owned()),
        None if known.contains(&port.name) => vec![port.name.clone()],
        None if alone && !known.is_empty() => known.to_vec(),
        // A table without a row: its inputs have none either.
        None if known.is_empty() => return Ok(nameless(width)),
        None => {
            let have = shown(known);
            return refuse(format!(
                "the rows have no column of its name, only {have}. Say which: columns: {{ {}: [..] }}",
                port.name
            ));
        }
    };
    if let Some(width) = width.filter(|width| *width as usize != names.len()) {
        let (signature, have) = (port.signature(), shown(&names));
        let say = "Name them in the order that the model was trained with: columns: [..]";
        return refuse(format!(
            "the model declares {signature}, {width} columns, and is given {}: {have}. {say}",
            names.len()
        ));
    }
    Ok(names.into_iter().map(|name| Taken { at: None, fill: None, name }).collect())
}

/// Gives each column what stands for a missing value, as the step says.
fn fill(source: &Source, wanted: &mut [Wanted<'_>]) -> Result<(), StepError> {
    for column in wanted.iter_mut().flat_map(|(_, columns)| columns) {
        column.fill = source.fill.get(&column.name).cloned();
    }
    let taken = |name: &&String| wanted.iter().flat_map(|(_, columns)| columns).any(|column| column.name == **name);
    match source.fill.keys().find(|name| !taken(name)) {
        Some(other) => Err(refused(format!("`fill` names the column `{other}`, which no input takes"))),
        None => Ok(()),
    }
}

/// Columns of a table that has no rows, and therefore no names.
fn nameless(width: Option<u32>) -> Vec<Taken> {
    (0..width.unwrap_or(1)).map(|_| Taken { name: String::new(), at: None, fill: None }).collect()
}

impl Taker<'_> {
    fn take(&mut self, table: &Table, nulls: Option<&[String]>) -> Result<(), StepError> {
        let kind = kind(self.port.element);
        for column in &self.columns {
            let found = match table.cell(&column.name, column.at) {
                Cell::Nothing => Ok(None),
                Cell::Text(text) if field::is_null(Some(kind), text, nulls) => Ok(None),
                Cell::Text(text) => field::read_text(kind, text).map(|typed| Some(typed.to_json())),
                Cell::Json(value) => field::read_json(kind, value).map(|typed: Typed<'_>| Some(typed.to_json())),
            };
            let value = match (found, &column.fill) {
                (Ok(Some(value)), _) => value,
                (Ok(None), Some(fill)) => fill.clone(),
                (Ok(None), None) => {
                    let way = format!("it has no value; `fill: {{ {}: .. }}` says what stands there then", column.name);
                    return Err(misfit(table, Some(&column.name), &way));
                }
                (Err(reason), _) => return Err(misfit(table, Some(&column.name), reason)),
            };
            self.cells.push(&value).map_err(|reason| {
                misfit(table, Some(&column.name), &format!("as {}: {reason}", self.port.element.name()))
            })?;
        }
        Ok(())
    }

    fn end(self, rows: u64) -> Result<(String, Tensor), StepError> {
        let name = self.port.name.clone();
        let rows = u32::try_from(rows).map_err(|_| refused("there are more rows than a tensor can have".to_owned()))?;
        let width = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
        let shape =
            if self.port.shape.as_ref().is_some_and(|shape| shape.len() == 1) { vec![rows] } else { vec![rows, width] };
        let tensor = self.cells.tensor(shape).map_err(|error| refused(format!("input `{name}`: {error}")))?;
        Ok((name, tensor))
    }
}

const fn kind(element: ElementType) -> Kind {
    match element {
        ElementType::Text => Kind::String,
        ElementType::Boolean => Kind::Boolean,
        ElementType::Float16 | ElementType::Bfloat16 | ElementType::Float32 | ElementType::Float64 => Kind::Number,
        _ => Kind::Integer,
    }
}

/// Most characters of names that a message holds.
const SHOWN: usize = 200;

fn shown(names: &[String]) -> String {
    let all = format!("`{}`", names.join("`, `"));
    if all.chars().count() <= SHOWN { all } else { format!("{}…", all.chars().take(SHOWN).collect::<String>()) }
}

pub(super) fn refused(reason: String) -> StepError {
    StepError::fatal("bad-tensor", reason)
}

fn misfit(table: &Table, column: Option<&str>, reason: &str) -> StepError {
    let place = match table {
        Rows::List { .. } => format!("row {}", table.line()),
        Rows::Csv { .. } | Rows::Lines { .. } => format!("line {}", table.line()),
    };
    let column =
        column.map_or(String::new(), |name| format!(", column `{}`", name.chars().take(80).collect::<String>()));
    StepError::fatal("bad-data", format!("{place}{column}: {reason}"))
}

pub(super) fn disk(error: io::Error) -> StepError {
    StepError::fatal("bad-tensor", Reason::disk(error).to_string())
}

fn unreadable(error: ReadError) -> StepError {
    match error {
        ReadError::Io(error) => disk(error),
        other => StepError::fatal("bad-data", other.to_string()),
    }
}
