//! `trackside model inspect`

use std::fmt::Write as _;
use trackside_codes::Coded;

use clap::Args;
use serde_json::{Value, json};
use trackside_control::model_bounds;
use trackside_models::{
    EngineChoice, ModelFile, ModelSource, Tested, Warning,
    onnx::{Dim, ModelInspection, PortInspection, inspect_file},
};
use trackside_node::Models;

use super::{
    is_registered, limits, models,
    registered::{Registered, engine_name, find},
    source,
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Cell, Glyphs, Paint, Table, bytes, count, escape, shorten},
};

/// Show a model's inputs, outputs, operators, and which engines can run it
///
/// The model is loaded and self-tested on every engine of this box.
#[derive(Debug, Args)]
pub struct Arguments {
    /// An .onnx file, a model's name in trackside.toml, or a version of the registry: NAME, NAME@alias, NAME@3
    #[arg(value_name = "FILE|NAME")]
    model: String,
}

/// What one engine makes of the model.
struct Verdict {
    engine: &'static str,
    version: Option<String>,
    tested: Option<Tested>,
    /// Why it can not run it; nothing when it can.
    problem: Option<String>,
    caveats: Vec<String>,
    warnings: Vec<Warning>,
}

/// Optional inputs that are named in the page for people.
const OPTIONAL: usize = 12;
/// Operators that are named in the page for people.
const NAMED: usize = 12;

/// Shows it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.any_project()?;
    let models = models(&project);
    let registered = if is_registered(&project, &arguments.model) {
        Some(find(context, &project, &models, &arguments.model)?)
    } else {
        None
    };
    let source = match &registered {
        Some(registered) => registered.source.clone(),
        None => source(context, &project, &models, &arguments.model)?,
    };
    let about = ModelFile::read(&source.path, &source.limits).map(|file| inspect_file(&file));
    let about = about.map_err(|error| Failure::ended_by(Exit::Bad, &error))?;
    let verdicts = [("onnxruntime", EngineChoice::OnnxRuntime), ("rten", EngineChoice::Rten)]
        .map(|(engine, choice)| try_engine(&models, &source, engine, choice));
    let console = context.console;
    // What is said of a model by its name; a file that nobody speaks of has the limits of all.
    let (name, _) = arguments.model.split_once('@').unwrap_or((&arguments.model, ""));
    let bounds = model_bounds(&project, name);
    if console.json {
        let mut document = document(&source, &about, &verdicts);
        document["limits"] = json!(bounds);
        if let Some(registered) = &registered {
            document["registered"] = entry(registered);
        }
        return console.print_json(&document);
    }
    let page = page(&source, &about, &verdicts, console.out, console.glyphs);
    let entry = registered.as_ref().map_or_else(String::new, |registered| shown(registered, console.out));
    let limits = limits::all(&bounds, name, console.out);
    console.print(&format!("{page}{entry}{limits}"))
}

fn try_engine(models: &Models, source: &ModelSource, engine: &'static str, choice: EngineChoice) -> Verdict {
    let source = ModelSource { choice, sessions: 1, ..source.clone() };
    match models.engines().load(&source) {
        Ok(model) => Verdict {
            engine,
            version: Some(model.info().engine.version.clone()),
            tested: Some(model.info().tested),
            problem: None,
            caveats: model.info().caveats.clone(),
            warnings: model.info().warnings.clone(),
        },
        Err(error) => {
            let problem = Some(error.told());
            Verdict { engine, version: None, tested: None, problem, caveats: Vec::new(), warnings: Vec::new() }
        }
    }
}

/// What the registry knows of the version.
fn entry(registered: &Registered) -> Value {
    let Registered { resolved, kept, document, .. } = registered;
    let version = document.versions.iter().find(|version| version.version == resolved.version.version);
    json!({
        "name": resolved.name,
        "version": version,
        "manifest": kept.manifest,
        "folder": kept.folder,
    })
}

/// The same for people.
fn shown(registered: &Registered, paint: Paint) -> String {
    let Registered { resolved, kept, document, .. } = registered;
    let mut facts = Table::plain(2);
    let mut fact =
        |name: &str, value: &str| facts.row([Cell::dressed(name, Paint::dim), escape(value).into_owned().into()]);
    fact("version", &format!("{}@{}", resolved.name, resolved.version.version));
    fact("manifest", &resolved.version.digest.to_string());
    if let Some(version) = document.versions.iter().find(|version| version.version == resolved.version.version) {
        fact("aliases", &version.aliases.join(", "));
        fact("added", &format!("{} by {}", version.added, version.by));
        if let Some(engine) = &version.engine {
            let problem =
                version.problem.as_ref().map_or_else(String::new, |problem| format!(", and failed: {problem}"));
            fact("tested on", &format!("{engine}{problem}"));
        }
    }
    let manifest = &kept.manifest;
    fact("engine", engine_name(manifest.engine));
    for (name, text) in [
        ("licence", &manifest.licence),
        ("origin", &manifest.origin),
        ("description", &manifest.description),
        ("golden vectors", &manifest.golden),
    ] {
        if let Some(text) = text {
            fact(name, &shorten(text, 200));
        }
    }
    if let Some(max_batch) = manifest.max_batch {
        fact("max batch", &max_batch.to_string());
    }
    for (output, file) in &manifest.labels {
        fact("labels", &format!("of {output} in {file}"));
    }
    for file in &manifest.files {
        fact("file", &format!("{} ({})", file.path, bytes(file.size)));
    }
    fact("folder", &kept.folder.display().to_string());
    format!("\n{}\n{}", paint.bold("Registry"), facts.render(paint))
}

fn document(source: &ModelSource, about: &ModelInspection, verdicts: &[Verdict]) -> Value {
    let mut document = serde_json::to_value(about).unwrap_or_default();
    document["path"] = json!(source.path);
    let verdict = |verdict: &Verdict| {
        json!({
            "engine": verdict.engine,
            "version": verdict.version,
            "runs": verdict.problem.is_none(),
            "selftest": verdict.tested,
            "reason": verdict.problem,
            "caveats": verdict.caveats,
            "warnings": verdict.warnings,
        })
    };
    document["engines"] = verdicts.iter().map(verdict).collect();
    document
}

fn page(source: &ModelSource, about: &ModelInspection, verdicts: &[Verdict], paint: Paint, glyphs: Glyphs) -> String {
    let mut page = format!("{}  {}\n", paint.bold(&escape(&source.name)), source.path.display());
    let mut facts = Table::plain(2);
    let mut fact =
        |name: &str, value: String| facts.row([Cell::dressed(name, Paint::dim), escape(&value).into_owned().into()]);
    fact("digest", about.digest.to_string());
    fact("size", bytes(about.size));
    let opsets: Vec<String> = about.opsets.iter().map(|set| format!("{} {}", set.domain, set.version)).collect();
    fact("opsets", opsets.join(", "));
    if !about.producer.is_empty() {
        fact("producer", about.producer.clone());
    }
    fact("parameters", format!("{} ({})", count(about.parameters, "number"), bytes(about.parameter_bytes)));
    let operators = about.operators.iter().take(NAMED).map(|operator| format!("{} {}", operator.name, operator.count));
    let more = about.operators.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(", and {}", count(more as u64, "more kind")) } else { String::new() };
    fact("operators", format!("{}{more}", operators.collect::<Vec<_>>().join(", ")));
    if !about.quantised_operators.is_empty() {
        fact("quantised", about.quantised_operators.join(", "));
    }
    for file in &about.external {
        fact("weights", format!("{} ({})", file.name, bytes(file.size)));
    }
    for (key, value) in &about.metadata {
        fact(&escape(key), shorten(value, 120));
    }
    page.push_str(&facts.render(paint));
    for (title, ports) in [("Inputs", &about.inputs), ("Outputs", &about.outputs)] {
        let _ = write!(page, "\n{}\n{}", paint.bold(title), listed(ports, paint));
    }
    let _ = writeln!(page, "\n{}", paint.bold("Engines"));
    for verdict in verdicts {
        let line = match (&verdict.problem, &verdict.version) {
            (None, version) => {
                let version = version.as_deref().unwrap_or_default();
                let how = verdict.tested.map_or("", told);
                format!("{} {} {version}: {how}", paint.green(glyphs.good), verdict.engine)
            }
            (Some(problem), _) => format!("{} {}: {}", paint.red(glyphs.bad), verdict.engine, escape(problem)),
        };
        let _ = writeln!(page, "  {line}");
        for warning in &verdict.warnings {
            let _ =
                writeln!(page, "    {}", paint.red(&escape(&format!("warning[{}]: {}", warning.code, warning.text))));
        }
        for caveat in &verdict.caveats {
            let _ = writeln!(page, "    {}", paint.yellow(&escape(caveat)));
        }
    }
    page
}

const fn told(tested: Tested) -> &'static str {
    match tested {
        Tested::Sample => "runs it; self-test passed",
        Tested::MadeUp => {
            "runs it; self-test passed on made-up input: it has no `selftest` whose numbers could be compared"
        }
        Tested::Not => "loads it; not self-tested",
    }
}

/// A line for each; of many inputs that have a default, some exporters' weights, the first few.
fn listed(ports: &[PortInspection], paint: Paint) -> String {
    let mut table = Table::plain(2);
    let (mut optional, mut left) = (0, 0usize);
    for port in ports {
        optional += usize::from(port.optional);
        if port.optional && optional > OPTIONAL {
            left += 1;
            continue;
        }
        let remark = if port.optional { "optional, the model has a default" } else { "" };
        table.row([
            Cell::new(escape(&port.name).into_owned()),
            signature(port).into(),
            Cell::dressed(remark, Paint::dim),
        ]);
    }
    let mut text = table.render(paint);
    if left > 0 {
        let _ = writeln!(text, "  and {} more", count(left as u64, "optional input"));
    }
    text
}

/// `float32[batch,64]`
fn signature(port: &PortInspection) -> String {
    if port.form.is_some() {
        return escape(&port.kind).into_owned();
    }
    let dim = |dim: &Dim| match dim {
        Dim::Fixed(size) => size.to_string(),
        Dim::Symbol(name) => name.clone(),
        Dim::Any => "?".to_owned(),
    };
    let shape =
        port.shape.as_ref().map_or("…".to_owned(), |shape| shape.iter().map(dim).collect::<Vec<_>>().join(","));
    escape(&format!("{}[{shape}]", port.kind)).into_owned()
}
