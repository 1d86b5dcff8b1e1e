//! `trackside plugin inspect`

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use clap::Args;
use serde_json::{Value, json};
use trackside_node::{FoundPlugin, PluginOrigin, Plugins, Project, proof_beside};
use trackside_packages::Verdict;
use trackside_sandbox::{ArtifactPort, Descriptor, Plugin};
use trackside_spec::{Action, Digest, OciReference};

use super::{fetch, signature, source};
use crate::{
    commands::grants,
    context::{Context, plugins_of},
    failure::{Exit, Failure},
    output::{Cell, Paint, Table, bytes, escape},
    progress::telling,
};

/// Show what a plugin takes, gives and wants
///
/// Its input and output, artifact ports, the grants that it asks for, what it imports against what the project's steps
/// and the box's policy grant, where it comes from, digest, size and signature.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A plugin's name, the reference that it was installed from, or the path of a component (.wasm)
    #[arg(value_name = "NAME|REF|FILE")]
    plugin: String,
}

/// Shows one.
pub fn execute(context: &Context, arguments: &Inspect) -> Result<(), Failure> {
    let name = &arguments.plugin;
    let project = context.any_project()?;
    let (plugins, _temp) = plugins_of(&project)?;
    let (plugin, found) = telling(context.console, format!("compiling {}", escape(name)), || load(&plugins, name))?;
    let console = context.console;
    let source = source(&found.origin, &project.root);
    let rows = grants::rows(&plugin, &names_of(&found.digest, &plugins, &project), &project);
    if console.json {
        let mut document = document(&plugin, &found, &source);
        document["grants"] = grants::document(&rows);
        console.print_json(&document)
    } else {
        let mut page = page(&plugin, &found, &source, console.out);
        let _ = writeln!(page, "\n{}", console.out.bold("Grants"));
        page.push_str(&grants::table(&rows, plugin.is_command()).render(console.out));
        let docs = plugin.descriptor().docs.trim();
        if !docs.is_empty() {
            let _ = writeln!(page, "\n{}", console.out.bold("Manual"));
            for line in docs.lines() {
                let _ = writeln!(page, "  {}", escape(line));
            }
        }
        console.print(&page)
    }
}

/// The names that the project's steps call this plugin by.
fn names_of(digest: &Digest, plugins: &Plugins, project: &Project) -> BTreeSet<String> {
    let steps = project.workflows.values().flat_map(|plan| &plan.steps);
    let called = steps.filter_map(|step| match &step.action {
        Action::Plugin(call) => Some(call.plugin.clone()),
        _ => None,
    });
    let mut names: BTreeSet<String> = called.collect();
    names.retain(|name| plugins.sources().find(name).is_ok_and(|found| found.digest == *digest));
    names
}

/// A name or reference of the project, or a file anywhere.
fn load(plugins: &Plugins, name: &str) -> Result<(std::sync::Arc<Plugin>, FoundPlugin), Failure> {
    let is_path = name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "wasm");
    if !is_path || OciReference::is_meant(name) {
        return Ok((plugins.get(name)?, plugins.sources().find(name)?));
    }
    let bytes = fetch::read_file(Path::new(name))?;
    let sandbox = plugins.sandbox()?;
    let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or("plugin");
    let plugin = sandbox.load(&bytes, stem).map_err(|error| Failure::ended_by(Exit::Bad, &error))?;
    // Looking at a file is no use of it: what the policy thinks of it is shown, not enforced.
    let keys = plugins.sources().keyring()?;
    let digest = Digest::of(&bytes);
    let verdict = Some(keys.judge(&bytes, &digest, &proof_beside(Path::new(name))));
    Ok((plugin, FoundPlugin { bytes: bytes.into(), digest, origin: PluginOrigin::File(name.into()), verdict }))
}

fn document(plugin: &Plugin, found: &FoundPlugin, source: &str) -> Value {
    let mut document = serde_json::to_value(plugin.descriptor()).unwrap_or_default();
    document["source"] = source.into();
    document["digest"] = json!(plugin.digest());
    document["size"] = found.bytes.len().into();
    document["signature"] = signature(found);
    if let PluginOrigin::Installed(locked) = &found.origin {
        document["manifest"] = json!(locked.manifest);
        document["previous"] = json!(locked.previous);
    }
    document["imports"] = plugin.imports().into();
    document
}

fn page(plugin: &Plugin, found: &FoundPlugin, source: &str, paint: Paint) -> String {
    let about = plugin.descriptor();
    let mut page =
        format!("{} {}  {}\n", paint.bold(&escape(&about.name)), escape(&about.version), escape(&about.summary));
    let mut facts = Table::plain(2);
    let mut fact = |name: &str, value: String| facts.row([Cell::dressed(name, Paint::dim), value.into()]);
    fact("source", escape(source).into_owned());
    fact("digest", plugin.digest().to_string());
    fact("size", bytes(found.bytes.len() as u64));
    match &found.verdict {
        Some(Verdict::Signed { key, id, .. }) => fact("signature", format!("{}, {id}", escape(key))),
        Some(Verdict::NotSigned(reason)) => fact("signature", escape(reason).into_owned()),
        None => {}
    }
    if let PluginOrigin::Installed(locked) = &found.origin {
        for digest in locked.previous.iter().rev() {
            fact("before", digest.to_string());
        }
    }
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
    page
}

fn port_table(ports: &[ArtifactPort]) -> Table {
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
