//! `trackside plugin`: making, building and testing plugins; what there is, and what one can do and wants.

use std::{fmt::Write as _, path::Path};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use trackside_node::PluginOrigin;
use trackside_node::{Plugins, bundled};
use trackside_sandbox::{Descriptor, Plugin, Port};

use crate::{
    context::{Context, plugins_of},
    failure::{Exit, Failure},
    output::{Cell, Paint, Table, bytes, escape},
};

mod build;
mod dev;
mod new;
mod test;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    New(new::New),
    Build(build::Build),
    Test(test::Test),
    Dev(dev::Dev),
    /// List the bundled plugins and the project's own
    List,
    Inspect(Inspect),
}

/// Show what a plugin takes, gives and wants
///
/// Its input and output, artifact ports, the grants that it asks for, what it imports, digest and size.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A plugin's name, or the path of a component (.wasm)
    #[arg(value_name = "NAME|FILE")]
    plugin: String,
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::New(new) => new::execute(context, new),
        Command::Build(build) => build::execute(context, build),
        Command::Test(test) => test::execute(context, test),
        Command::Dev(dev) => dev::execute(context, dev),
        Command::List => list(context),
        Command::Inspect(inspect) => show(context, &inspect.plugin),
    }
}

fn list(context: &Context) -> Result<(), Failure> {
    let project = context.any_project()?;
    let (plugins, _temp) = plugins_of(&project)?;
    let mut bad = false;
    let mut documents = Vec::new();
    let mut table = Table::headed(&["NAME", "VERSION", "FROM", "SUMMARY"]);
    let names = plugins.names();
    for (name, origin) in &names {
        // A file hides the bundled plugin of its name.
        let hidden = *origin == PluginOrigin::Bundled
            && names.iter().any(|(other, origin)| other == name && matches!(origin, PluginOrigin::File(_)));
        if hidden {
            continue;
        }
        let from = match origin {
            PluginOrigin::Bundled => "bundled".to_owned(),
            PluginOrigin::File(path) => path.strip_prefix(&project.root).unwrap_or(path).display().to_string(),
        };
        match plugins.get(name) {
            Ok(plugin) => {
                let about = plugin.descriptor();
                documents
                    .push(json!({ "name": name, "version": about.version, "from": from, "summary": about.summary }));
                let (version, summary) = (escape(&about.version), escape(&about.summary));
                table.row([
                    Cell::new(name.as_str()),
                    version.into_owned().into(),
                    from.into(),
                    summary.into_owned().into(),
                ]);
            }
            Err(problem) => {
                bad = true;
                documents.push(json!({ "name": name, "from": from, "error": problem.to_string() }));
                table.row([
                    Cell::new(name.as_str()),
                    "".into(),
                    from.into(),
                    Cell::dressed("cannot be used", Paint::red),
                ]);
                context.console.complain(&problem.to_string());
            }
        }
    }
    let console = context.console;
    if console.json {
        console.print_json(&documents)?;
    } else {
        console.print(&table.render(console.out))?;
    }
    if bad { Err(Failure::bad()) } else { Ok(()) }
}

fn show(context: &Context, name: &str) -> Result<(), Failure> {
    let project = context.any_project()?;
    let (plugins, _temp) = plugins_of(&project)?;
    let (plugin, size) = load(&plugins, &project.plugin_dir(), name)?;
    let console = context.console;
    if console.json {
        console.print_json(&document(&plugin, size))
    } else {
        console.print(&page(&plugin, size, console.out))
    }
}

/// A name of the project or of a bundled plugin, or a file anywhere.
fn load(plugins: &Plugins, folder: &Path, name: &str) -> Result<(std::sync::Arc<Plugin>, u64), Failure> {
    let is_path = name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "wasm");
    if !is_path {
        let file = std::fs::metadata(folder.join(format!("{name}.wasm")));
        let size = file.map(|meta| meta.len()).or_else(|_| bundled(name).map(|bytes| bytes.len() as u64).ok_or(()));
        return Ok((plugins.get(name)?, size.unwrap_or(0)));
    }
    let unreadable = |error: std::io::Error| Failure::usage(format!("[TS-0602] cannot read {name}: {error}"));
    let meta = std::fs::metadata(name).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(Failure::usage(format!("[TS-0602] {name} is not a file")));
    }
    let component = std::fs::read(name).map_err(unreadable)?;
    let sandbox = plugins.sandbox().map_err(Failure::unable)?;
    let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or("plugin");
    let plugin = sandbox.load(&component, stem).map_err(|error| Failure::Ended(Exit::Bad, error.to_string()))?;
    Ok((plugin, meta.len()))
}

fn document(plugin: &Plugin, size: u64) -> Value {
    let mut document = serde_json::to_value(plugin.descriptor()).unwrap_or_default();
    document["digest"] = json!(plugin.digest());
    document["size"] = size.into();
    document["imports"] = plugin.imports().into();
    document
}

fn page(plugin: &Plugin, size: u64, paint: Paint) -> String {
    let about = plugin.descriptor();
    let mut page =
        format!("{} {}  {}\n", paint.bold(&escape(&about.name)), escape(&about.version), escape(&about.summary));
    let mut facts = Table::plain(2);
    let mut fact = |name: &str, value: String| facts.row([Cell::dressed(name, Paint::dim), value.into()]);
    fact("digest", plugin.digest().to_string());
    fact("size", bytes(size));
    fact("deterministic", if about.deterministic { "yes" } else { "no" }.to_owned());
    for (name, value) in &about.extra {
        fact(&escape(name), escape(value).into_owned());
    }
    page.push_str(&facts.render(paint));
    for (title, ports) in [("Input artifacts", &about.inputs), ("Output artifacts", &about.outputs)] {
        if !ports.is_empty() {
            let _ = write!(page, "\n{}\n{}", paint.bold(title), port_table(ports).render(paint));
        }
    }
    for (title, schema) in [("Input (`with`)", &about.input_schema), ("Output", &about.output_schema)] {
        if let Some(table) = fields(schema) {
            let _ = write!(page, "\n{}\n{}", paint.bold(title), table.render(paint));
        }
    }
    let _ = writeln!(page, "\n{}", paint.bold("Wants"));
    page.push_str(&wants(about).render(paint));
    let _ = writeln!(page, "\n{}", paint.bold("Imports"));
    for import in plugin.imports() {
        let _ = writeln!(page, "  {}", escape(import));
    }
    if !about.docs.trim().is_empty() {
        let _ = writeln!(page, "\n{}", paint.bold("Manual"));
        for line in about.docs.trim().lines() {
            let _ = writeln!(page, "  {}", escape(line));
        }
    }
    page
}

fn port_table(ports: &[Port]) -> Table {
    let mut table = Table::plain(2);
    for port in ports {
        let many = if port.many { ", several" } else { "" };
        let need = if port.required { "required" } else { "optional" };
        table.row([
            Cell::new(escape(&port.name).into_owned()),
            format!("{need}{many}").into(),
            escape(&port.media_types.join(" ")).into_owned().into(),
            escape(&port.description).into_owned().into(),
        ]);
    }
    table
}

/// The properties of an object's schema.
fn fields(schema: &Value) -> Option<Table> {
    let properties = schema["properties"].as_object().filter(|properties| !properties.is_empty())?;
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut table = Table::plain(2);
    for (name, property) in properties {
        let need = if required.contains(&name.as_str()) { "required" } else { "" };
        let default = match &property["default"] {
            Value::Null => String::new(),
            default => format!("= {default}"),
        };
        table.row([
            Cell::new(escape(name).into_owned()),
            kind(property).into(),
            need.into(),
            escape(&default).into_owned().into(),
            escape(property["description"].as_str().unwrap_or_default()).into_owned().into(),
        ]);
    }
    Some(table)
}

/// The type of a property in a word.
fn kind(property: &Value) -> String {
    let text = match (&property["type"], &property["enum"]) {
        (Value::String(kind), Value::Null) => kind.clone(),
        (Value::Array(kinds), _) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        (_, Value::Array(choices)) => choices
            .iter()
            .map(|c| c.as_str().map_or_else(|| c.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join("|"),
        _ => "any".to_owned(),
    };
    escape(&text).into_owned()
}

fn wants(about: &Descriptor) -> Table {
    let mut table = Table::plain(2);
    if about.wants.is_empty() {
        table.row(["nothing: a pure function of its input".into()]);
    }
    for want in &about.wants {
        let need = if want.optional { "optional" } else { "needed" };
        let what = [want.kind.as_str(), want.value.as_str()].join(" ");
        table.row([Cell::new(escape(what.trim()).into_owned()), need.into(), escape(&want.reason).into_owned().into()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_schema_become_a_table() {
        let schema = json!({
            "properties": {
                "window": { "type": "integer", "description": "Rows." },
                "gaps": { "enum": ["skip", "fill"], "default": "skip" },
            },
            "required": ["window"],
        });
        let text = fields(&schema).unwrap().render(Paint(false));
        assert_eq!(text, "  window  integer    required            Rows.\n  gaps    skip|fill            = \"skip\"\n");
        assert!(fields(&json!({})).is_none());
        assert!(fields(&json!(true)).is_none());
    }
}
