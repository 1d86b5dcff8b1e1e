//! `trackside model predict`

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Instant,
};
use trackside_codes::{Class, Reason, code};

use clap::Args;
use serde_json::{Map, Value, json};
use trackside_models::{
    CancelToken, MADE_ON, Model, Output, OutputPort, Port, RunOutput,
    tensor_io::{
        TensorLimits, from_json, from_json_for, read_safetensors_file, write_safetensors, write_safetensors_with,
    },
};
use trackside_spec::Tensor;

use super::{Engine, models, source};
use crate::{context::Context, failure::Failure, output::escape};

/// Run a model once and print its outputs as JSON
///
/// The run may take as long as one in a workflow: `[limits] wall`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside model predict pump-anomaly --input 'x=[[1, 2, 3]]'\n  trackside model predict model.onnx --input x=@row.json --selftest model.selftest.safetensors"
)]
pub struct Arguments {
    /// An .onnx file, a model's name in trackside.toml, or a version of the registry: NAME, NAME@alias, NAME@3
    #[arg(value_name = "FILE|NAME")]
    model: String,
    /// An input: NAME=JSON, NAME=@FILE.json or NAME=@FILE.safetensors; once for each input
    #[arg(long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,
    /// The engine
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    engine: Engine,
    /// Write the outputs to this safetensors file instead of printing them
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the inputs, the outputs and the engine's name to this safetensors file: a `selftest` for [models]
    #[arg(long, value_name = "FILE")]
    selftest: Option<PathBuf>,
}

/// Largest JSON file that is read.
const MAX_JSON: u64 = 256 << 20;

/// Runs it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.any_project()?;
    let models = models(&project);
    let mut source = source(context, &project, &models, &arguments.model)?;
    if !matches!(arguments.engine, Engine::Auto) {
        source.choice = arguments.engine.into();
    }
    source.sessions = 1;
    let model = models.engines().load(&source)?;
    if arguments.inputs.is_empty() && model.info().inputs.iter().any(|port| !port.optional) {
        return Err(Failure::new(
            code!("TS-0841"),
            format!("the model {} needs inputs: {}", source.name, usage(&model)),
        ));
    }
    let inputs = arguments.inputs.iter().map(|text| input(&model, text)).collect::<Result<Vec<_>, _>>()?;
    let given = if arguments.selftest.is_some() { inputs.clone() } else { Vec::new() };
    let deadline = Instant::now() + models.run_limit();
    let ran = model.run(inputs, &[], Some(deadline), &CancelToken::new())?;
    let info = model.info();
    let console = context.console;
    for warning in &info.warnings {
        console.say(&format!("warning[{}]: {}", warning.code, escape(&warning.text)));
    }
    if let Some(path) = &arguments.selftest {
        write_selftest(path, given, &ran, &info.engine.to_string())?;
        console.say(&format!("Wrote the self-test file {}, made on {}", path.display(), info.engine));
        tell_left_out(&ran, context, path);
    }
    if let Some(path) = &arguments.output {
        let tensors = tensors(&ran, path)?;
        write_safetensors(path, &tensors)?;
        console.say(&format!("Wrote {} to {}", crate::output::count(tensors.len() as u64, "tensor"), path.display()));
        tell_left_out(&ran, context, path);
        if !console.json {
            return Ok(());
        }
    }
    let outputs: Map<String, Value> = match &arguments.output {
        Some(_) => Map::new(),
        None => ran.outputs.iter().map(|(name, output)| (name.clone(), output.to_json())).collect(),
    };
    let run_us = ran.spent.all().as_micros();
    if console.json {
        let shape = |((name, output), port): (&(String, Output), &OutputPort)| {
            let about = match output {
                Output::Tensor(tensor) => json!({ "element": tensor.element().name(), "shape": tensor.shape() }),
                Output::Json(_) => json!({ "form": port.signature() }),
            };
            (name.clone(), about)
        };
        return console.print_json(&json!({
            "outputs": outputs,
            "shapes": ran.outputs.iter().zip(&info.outputs).map(shape).collect::<Map<_, _>>(),
            "model": info.name,
            "digest": info.digest,
            "engine": info.engine.to_string(),
            "run_us": u64::try_from(run_us).unwrap_or(u64::MAX),
            "file": arguments.output,
            "selftest": arguments.selftest,
        }));
    }
    console.say(&format!("{} on {}, {} us", info.name, info.engine, run_us));
    console.print(&Value::Object(outputs).to_string())
}

/// The outputs that a safetensors file can hold.
fn tensors(ran: &RunOutput, path: &Path) -> Result<Vec<(String, Tensor)>, Failure> {
    let tensor = |(name, output): &(String, Output)| Some((name.clone(), output.tensor()?.clone()));
    let tensors: Vec<_> = ran.outputs.iter().filter_map(tensor).collect();
    if tensors.is_empty() {
        let words = "none of the model's outputs is a tensor, and a safetensors file holds nothing else";
        return Err(Failure::new(code!("TS-0844"), format!("{}: {words}", path.display())));
    }
    Ok(tensors)
}

/// Says which outputs a safetensors file does not hold.
fn tell_left_out(ran: &RunOutput, context: &Context, path: &Path) {
    for (name, _) in ran.outputs.iter().filter(|(_, output)| output.tensor().is_none()) {
        context.console.say(&format!("The output {:?} is no tensor: it is not in {}", escape(name), path.display()));
    }
}

/// Writes inputs and outputs as a self-test reads them: `in.NAME` and `out.NAME`, and which engine made the outputs.
fn write_selftest(path: &Path, inputs: Vec<(String, Tensor)>, ran: &RunOutput, engine: &str) -> Result<(), Failure> {
    let inputs = inputs.into_iter().map(|(name, tensor)| (format!("in.{name}"), tensor));
    let outputs = tensors(ran, path)?.into_iter().map(|(name, tensor)| (format!("out.{name}"), tensor));
    let tensors: Vec<_> = inputs.chain(outputs).collect();
    write_safetensors_with(path, &tensors, (MADE_ON, engine))?;
    Ok(())
}

/// Most optional inputs that are told.
const NAMED: usize = 8;

/// The inputs of a model as they would be typed, those that it needs first.
fn usage(model: &Model) -> String {
    let typed = |port: &Port| format!("--input '{}=…' ({})", escape(&port.name), port.signature());
    let (optional, needed): (Vec<&Port>, Vec<&Port>) = model.info().inputs.iter().partition(|port| port.optional);
    let mut told: Vec<String> = needed.into_iter().map(typed).collect();
    if !optional.is_empty() {
        let more = optional.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let named: Vec<String> = optional.into_iter().take(NAMED).map(typed).collect();
        told.push(format!("[and, with a default: {}{more}]", named.join(" ")));
    }
    told.join(" ")
}

/// One input as it was typed: its name ends at the first `=`.
fn input(model: &Model, text: &str) -> Result<(String, Tensor), Failure> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(Failure::new(
            code!("TS-0842"),
            format!("--input {:?} is not NAME=VALUE; the model takes {}", escape(text), usage(model)),
        ));
    };
    let refuse = |reason: Reason| Failure::new(code!("TS-0843"), format!("input `{}`: {reason}", escape(name)));
    let Some(port) = model.info().inputs.iter().find(|port| port.name == name) else {
        return Err(refuse(format!("the model has none of this name; it takes {}", usage(model)).into()));
    };
    let value = match value.strip_prefix('@') {
        None => serde_json::from_str(value).map_err(|error| {
            refuse(
                Reason::by(Class::BadInput, error)
                    .told(|text| format!("the value is no JSON ({text}); a file is given as @FILE")),
            )
        })?,
        Some(path) if path.ends_with(".safetensors") => {
            return Ok((name.to_owned(), from_file(Path::new(path), name).map_err(refuse)?));
        }
        Some(path) => read_json(Path::new(path)).map_err(refuse)?,
    };
    // A shape without open dimensions lets a flat list stand for it.
    let shape: Option<Vec<u32>> = port.shape.as_ref().and_then(|shape| shape.iter().copied().collect());
    let flat = shape.and_then(|shape| from_json(&value, port.element, Some(&shape)).ok());
    // What does not fit the declared shape is told by the model itself, with both shapes.
    let tensor = flat.map_or_else(|| from_json_for(port, &value), Ok);
    Ok((name.to_owned(), tensor.map_err(|error| refuse(Reason::of(error)))?))
}

/// The only tensor of a file, or the input's namesake (also as `in.NAME`, as self-test files have it).
fn from_file(path: &Path, name: &str) -> Result<Tensor, Reason> {
    let own = format!("in.{name}");
    let read = read_safetensors_file(path, &TensorLimits::default());
    let read = read.and_then(|file| file.with_texts(|key| key == own)).map_err(Reason::of)?;
    let mut tensors = read.tensors;
    let named = |wanted: &str| tensors.iter().position(|(known, _)| known == wanted);
    let place = named(name).or_else(|| named(&own)).or((tensors.len() == 1).then_some(0));
    place.map(|place| tensors.swap_remove(place).1).ok_or_else(|| {
        let known: Vec<&str> = tensors.iter().map(|(known, _)| known.as_str()).collect();
        format!("{} holds no tensor of this name, only {}", path.display(), known.join(", ")).into()
    })
}

fn read_json(path: &Path) -> Result<Value, Reason> {
    let shown = path.display();
    let fail = |error| Reason::disk(error).told(|text| format!("cannot read {shown}: {text}"));
    let mut text = String::new();
    let mut file = File::open(path).map_err(fail)?.take(MAX_JSON + 1);
    file.read_to_string(&mut text).map_err(fail)?;
    if text.len() as u64 > MAX_JSON {
        return Err(format!("{shown} is larger than {MAX_JSON} bytes; give it as a safetensors file").into());
    }
    serde_json::from_str(&text)
        .map_err(|error| Reason::by(Class::BadInput, error).told(|text| format!("{shown} is no JSON: {text}")))
}
