//! `trackside samples`: inputs that a label would teach most for.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;
use trackside_codes::code;
use trackside_control::{AnswerDocument, SampleDocument, Session, export_samples, list_samples};

use super::label::truth;
use crate::{
    accepting::{HERE, accepted},
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Paint, Table, bytes, count, escape, shorten},
};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    List(List),
    Show(Show),
    Label(Label),
    Export(Export),
}

/// List the inputs that are kept, the oldest first
///
/// They are kept of models with a table [models.NAME.samples]: of low confidence, while drift is in alarm, or where a candidate in the
/// shadow gave another answer. Works beside a running node.
#[derive(Debug, Args)]
pub struct List {
    /// Of one model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Only those without a label
    #[arg(long)]
    unlabelled: bool,
}

/// Show one: what the model said, why it is kept, where its inputs lie
#[derive(Debug, Args)]
pub struct Show {
    /// Its name, as `trackside samples list` prints it
    sample: String,
}

/// Say what would have been right for an input that is kept
///
/// It goes with the export, and counts for no accuracy: inputs that a model was not sure of say nothing of how often it is right.
/// `trackside label` with the request's id counts.
#[derive(Debug, Args)]
pub struct Label {
    /// Its name, as `trackside samples list` prints it
    sample: String,
    /// The truth: a class's name or number, a label, a number; JSON, or a text as it stands
    #[arg(allow_hyphen_values = true)]
    value: String,
}

/// Copy samples into a new folder, as a training script takes them
///
/// `samples.jsonl` has a line for each, with its label and the name of its file in `inputs/`, which is safetensors; inputs that are texts
/// stand in that file's metadata, as JSON of the Open Inference Protocol.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trackside samples export hard --model digits --labelled")]
pub struct Export {
    /// The folder: a new one, or an empty one
    folder: PathBuf,
    /// Of one model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Only those with a label
    #[arg(long)]
    labelled: bool,
}

/// Runs one.
pub fn execute(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list(context, &arguments),
        Command::Show(arguments) => show(context, &arguments),
        Command::Label(arguments) => label(context, arguments),
        Command::Export(arguments) => export(context, &arguments),
    }
}

fn list(context: &Context, arguments: &List) -> Result<(), Failure> {
    let (_, reader) = context.reader()?;
    let mut samples = list_samples(&reader, arguments.model.as_deref())?;
    samples.retain(|sample| !arguments.unlabelled || sample.label.is_none());
    let console = context.console;
    if console.json {
        return console.print_json(&samples);
    }
    if samples.is_empty() {
        console.say("No inputs are kept; a table [models.NAME.samples] in trackside.toml has those kept that a model is not sure of.");
        return Ok(());
    }
    console.print(&page(&samples, console.out))
}

fn page(samples: &[SampleDocument], paint: Paint) -> String {
    let mut table = Table::headed(&["SAMPLE", "TIME", "MODEL", "WHY", "ANSWER", "LABEL", "SIZE"]);
    for sample in samples {
        let model = format!("{}@{}", escape(&sample.model), sample.version);
        let label = sample.label.as_ref().map_or_else(|| "-".to_owned(), Value::to_string);
        table.row([
            sample.id.as_str().into(),
            sample.at.as_str().into(),
            model.into(),
            sample.reason.as_str().into(),
            escape(&said(&sample.answers)).into_owned().into(),
            escape(&shorten(&label, 40)).into_owned().into(),
            Cell::right(bytes(sample.bytes)),
        ]);
    }
    table.render(paint)
}

/// `cat (0.52)`, of the first rows.
fn said(answers: &[AnswerDocument]) -> String {
    let one = |answer: &AnswerDocument| {
        let what = match (&answer.label, answer.class, answer.value) {
            (Some(label), ..) => label.clone(),
            (None, Some(class), _) => class.to_string(),
            (None, None, Some(value)) => value.to_string(),
            (None, None, None) => "?".to_owned(),
        };
        answer.confidence.map_or_else(|| what.clone(), |sure| format!("{what} ({sure:.2})"))
    };
    let some: Vec<String> = answers.iter().take(3).map(one).collect();
    let more = if answers.len() > 3 { ", …" } else { "" };
    if some.is_empty() { "-".to_owned() } else { format!("{}{more}", shorten(&some.join(", "), 60)) }
}

fn show(context: &Context, arguments: &Show) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let id = &arguments.sample;
    let found = list_samples(&reader, None)?.into_iter().find(|sample| sample.id == *id);
    let Some(sample) = found else {
        let message = format!("there is no sample {}; `trackside samples list` shows them", escape(id));
        return Err(Failure::new(code!("TS-1060"), message));
    };
    let console = context.console;
    if console.json {
        return console.print_json(&sample);
    }
    let file = trackside_node::sample_file(&project.data_dir(), id);
    let mut text = format!(
        "Sample     {}\nModel      {}@{}\nTime       {}\nWhy        {}\nAnswer     {}\n",
        sample.id,
        escape(&sample.model),
        sample.version,
        sample.at,
        sample.reason,
        escape(&said(&sample.answers))
    );
    let mut line = |head: &str, what: &str| text.push_str(&format!("{head:<11}{}\n", escape(what)));
    if !sample.candidate.is_empty() {
        line("Candidate", &said(&sample.candidate));
    }
    if let Some(request) = &sample.request {
        line("Request", request);
    }
    if !sample.redacted.is_empty() {
        line("Left out", &sample.redacted.join(", "));
    }
    line("Label", &sample.label.as_ref().map_or_else(|| "-".to_owned(), Value::to_string));
    line("Inputs", &format!("{} ({})", file.display(), bytes(sample.bytes)));
    console.print(&text)
}

fn label(context: &Context, arguments: Label) -> Result<(), Failure> {
    let Label { sample, value } = arguments;
    let labelled = runtime()?.block_on(async {
        let session = Session::without_node(context.project()?, HERE).await?;
        let asked = session.control().label_sample(&sample, truth(&value));
        Ok::<_, Failure>(accepted(context.console, &session, "the node takes the label", asked).await?)
    })?;
    if context.console.json {
        return context.console.print_json(&labelled);
    }
    context.console.say(&format!("{} is labelled {}.", labelled.id, escape(&labelled.label.to_string())));
    Ok(())
}

fn export(context: &Context, arguments: &Export) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let place = (&reader, project.data_dir());
    let exported =
        export_samples((place.0, &place.1), arguments.model.as_deref(), arguments.labelled, &arguments.folder)?;
    let console = context.console;
    if console.json {
        return console.print_json(&exported);
    }
    console.say(&format!(
        "{} in {}, {} of them with a label.",
        count(exported.samples, "sample"),
        exported.folder.display(),
        exported.labelled
    ));
    if !exported.missing.is_empty() {
        console.say(&format!("The files of {} are gone.", count(exported.missing.len() as u64, "sample")));
    }
    Ok(())
}
