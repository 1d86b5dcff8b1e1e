//! `trackside label`

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::Value;
use trackside_codes::{Coded as _, code};
use trackside_control::{LabelOutcome, LabelRequest, LabelTold, LabelsTold, Session, TellLabels};
use trackside_rows::{
    csv::{Reader, Record, header},
    lines::{Line, Lines},
};

use crate::{
    accepting::{HERE, accepted},
    console::Console,
    context::{Context, not_readable, runtime},
    failure::{Exit, Failure},
    message::Message,
    output::{count, escape, shorten},
};

/// Labels of a file that are told at once.
const PART: usize = 500;
/// Labels that were refused which are told in full.
const TOLD: usize = 20;

/// Tell what would have been right: of a request by its id, or of many
///
/// Predictions are kept of models with a table [models.NAME.feedback]. A label is on disk when the command ends. The same label again
/// changes nothing; another one for the same request takes its place, in all counts. Where there is no such prediction, the label
/// waits for it. `trackside model accuracy` shows what follows.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside label r-17 cat\n  trackside label r-18 3 --model digits\n  trackside label --from truth.csv\n\nA file has a label a line, as JSON {\"id\": \"r-17\", \"value\": \"cat\", \"model\": \"pets\"}, or as CSV with the columns id, value and, \
                  where it is needed, model."
)]
pub struct Arguments {
    /// The request's id, as the client sent it
    #[arg(required_unless_present = "from")]
    request: Option<String>,
    /// The truth: a class's name or number, a label, a number; JSON, or a text as it stands
    #[arg(required_unless_present = "from", allow_hyphen_values = true)]
    value: Option<String>,
    /// The model, where several had a request of that id
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Take the labels from this file; `-` is the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["request", "value"])]
    from: Option<PathBuf>,
}

/// Tells it.
pub fn execute(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let Arguments { request, value, model, from } = arguments;
    let session = runtime()?.block_on(Session::without_node(context.project()?, HERE))?;
    let tell = |labels: Vec<LabelRequest>| {
        runtime()?.block_on(async {
            let asked = session.control().label(TellLabels { labels });
            Ok::<_, Failure>(accepted(context.console, &session, "the node takes the labels", asked).await?)
        })
    };
    let Some(file) = from else {
        let (id, value) = (request.unwrap_or_default(), value.unwrap_or_default());
        let told = tell(vec![LabelRequest { id, value: truth(&value), model }])?;
        return one(context.console, &told);
    };
    let mut labels = open(&file)?;
    let mut all = LabelsTold { labels: Vec::new() };
    let mut counts = [0_u64; 5];
    loop {
        let part = labels.part(model.as_deref(), &file)?;
        if part.is_empty() {
            break;
        }
        let told = tell(part)?;
        for one in told.labels {
            counts[one.outcome as usize] += 1;
            // Of millions, those are kept that somebody must look at.
            if context.console.json && all.labels.len() < PART
                || one.outcome == LabelOutcome::Refused && all.labels.len() < TOLD
            {
                all.labels.push(one);
            }
        }
    }
    many(context.console, &all, counts)
}

/// JSON where it is a number, true, false or a list; a text as it stands.
pub fn truth(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::String(_) | Value::Array(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

fn one(console: Console, told: &LabelsTold) -> Result<(), Failure> {
    if let Some(refusal) = told.refusal() {
        return Err(Failure::new(refusal.code(), refusal.message.clone()));
    }
    let Some(one) = told.labels.first() else { return Ok(()) };
    if console.json {
        return console.print_json(one);
    }
    console.say(&sentence(one));
    Ok(())
}

fn sentence(one: &LabelTold) -> String {
    let id = escape(&shorten(&one.id, 80)).into_owned();
    let who = match (&one.model, one.version) {
        (Some(model), Some(version)) => format!("{}@{version}", escape(model)),
        _ => String::new(),
    };
    let judged = match (one.right, one.of) {
        (Some(1), Some(1)) => "was right".to_owned(),
        (Some(0), Some(1)) => "was wrong".to_owned(),
        (right, of) => format!("was right in {} of {}", right.unwrap_or(0), count(of.unwrap_or(0).into(), "row")),
    };
    match one.outcome {
        LabelOutcome::Taken => format!("{id}: {who} {judged}."),
        LabelOutcome::Corrected => {
            let was = one.was.as_ref().map(Value::to_string).unwrap_or_default();
            format!("{id}: {who} {judged}; the label was {} before.", escape(&was))
        }
        LabelOutcome::Repeated => format!("{id}: the label was told before; nothing changes."),
        LabelOutcome::Waits => {
            format!("{id}: no prediction of that request is kept; the label waits for it, and is let go after a week.")
        }
        LabelOutcome::Refused => format!("{id}: refused."),
    }
}

fn many(console: Console, told: &LabelsTold, counts: [u64; 5]) -> Result<(), Failure> {
    let of = |outcome: LabelOutcome| counts[outcome as usize];
    let refused = of(LabelOutcome::Refused);
    if console.json {
        console.print_json(&serde_json::json!({
            "taken": of(LabelOutcome::Taken),
            "corrected": of(LabelOutcome::Corrected),
            "repeated": of(LabelOutcome::Repeated),
            "waits": of(LabelOutcome::Waits),
            "refused": refused,
            "labels": told.labels,
        }))?;
    } else {
        for error in told.labels.iter().filter_map(|one| one.error.as_ref()) {
            console.warn(Message::beside(Some(&error.code), &error.message));
        }
        console.say(&format!(
            "{} taken, {} corrected, {} told before, {} wait for their predictions, {refused} refused.",
            of(LabelOutcome::Taken),
            of(LabelOutcome::Corrected),
            of(LabelOutcome::Repeated),
            of(LabelOutcome::Waits),
        ));
    }
    if refused > 0 { Err(Failure::bad()) } else { Ok(()) }
}

/// Labels of a file, one after the other: it may be larger than the memory.
enum Labels {
    Json(Lines<Box<dyn BufRead>>),
    Csv { reader: Reader<Box<dyn BufRead>>, id: usize, value: usize, model: Option<usize>, columns: usize },
}

fn open(file: &Path) -> Result<Labels, Failure> {
    let mut input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(file).map_err(|error| not_readable(file, &error))?))
    };
    let first = input.fill_buf().map_err(|error| not_readable(file, &error))?;
    let first = first.iter().find(|byte| !byte.is_ascii_whitespace() && byte.is_ascii());
    if first == Some(&b'{') {
        return Ok(Labels::Json(Lines::new(input)));
    }
    let (mut reader, mut record) = (Reader::new(input, b','), Record::default());
    if !reader.read(&mut record).map_err(|error| bad(file, &error.to_string()))? {
        return Err(bad(file, "it is empty"));
    }
    let names = header(&record).map_err(|error| bad(file, &error.to_string()))?;
    let at = |name: &str| names.iter().position(|known| known == name);
    let (Some(id), Some(value)) = (at("id"), at("value")) else {
        return Err(bad(file, "its first line names no columns `id` and `value`, and is no JSON object"));
    };
    Ok(Labels::Csv { reader, id, value, model: at("model"), columns: names.len() })
}

fn bad(file: &Path, what: &str) -> Failure {
    Failure::ended(Exit::Usage, code!("TS-1058"), format!("the labels in {}: {what}", file.display()))
}

impl Labels {
    /// The next ones; none at the end.
    fn part(&mut self, model: Option<&str>, file: &Path) -> Result<Vec<LabelRequest>, Failure> {
        let mut part = Vec::new();
        while part.len() < PART
            && let Some(mut one) = self.next(file)?
        {
            one.model = one.model.or_else(|| model.map(str::to_owned));
            part.push(one);
        }
        Ok(part)
    }

    fn next(&mut self, file: &Path) -> Result<Option<LabelRequest>, Failure> {
        match self {
            Self::Json(lines) => {
                let line = lines.read().map_err(|error| bad(file, &error.to_string()))?;
                let at = |what: &str| bad(file, &format!("line {}: {what}", lines.number()));
                match line {
                    None => Ok(None),
                    Some(Line::Bad(what)) => Err(at(&what)),
                    Some(Line::Object(object)) => {
                        serde_json::from_value(object.into()).map(Some).map_err(|error| at(&error.to_string()))
                    }
                }
            }
            Self::Csv { reader, id, value, model, columns } => {
                let mut record = Record::default();
                if !reader.read(&mut record).map_err(|error| bad(file, &error.to_string()))? {
                    return Ok(None);
                }
                let at = |what: &str| bad(file, &format!("line {}: {what}", record.line));
                if let Some((what, _)) = record.defect(*columns) {
                    return Err(at(&what));
                }
                let field = |at: usize| record.field(at).unwrap_or_default();
                let model = model.map(field).filter(|model| !model.is_empty()).map(str::to_owned);
                Ok(Some(LabelRequest { id: field(*id).to_owned(), value: truth(field(*value)), model }))
            }
        }
    }
}
