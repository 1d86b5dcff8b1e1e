//! Grants, kind by kind: what a plugin imports and asks for, and what the steps of a project allow.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trackside_control::{GRANT_KINDS, granted, wanted};
use trackside_node::Project;
use trackside_sandbox::{Plugin, Want};
use trackside_spec::{Action, Allow};

use crate::output::{Cell, Paint, Table, escape};

/// The part of `allow` that speaks of a kind.
fn only(allow: &Allow, kind: &str) -> Allow {
    let none = Allow::default();
    match kind {
        "http" => Allow { http: allow.http.clone(), ..none },
        "secrets" => Allow { secrets: allow.secrets.clone(), ..none },
        "models" => Allow { models: allow.models.clone(), ..none },
        "state" => Allow { state: allow.state, ..none },
        "env" => Allow { env: allow.env.clone(), ..none },
        "deliver" => Allow { deliver: allow.deliver.clone(), ..none },
        "publish" => Allow { publish: allow.publish.clone(), ..none },
        "emit" => Allow { emit: allow.emit.clone(), ..none },
        "clock" => Allow { clock: allow.clock, ..none },
        "random" => Allow { random: allow.random, ..none },
        _ => none,
    }
}

/// Whether calls of an imported interface need grants of a kind.
fn serves(import: &str, kind: &str) -> bool {
    let interface = import.split('@').next().unwrap_or(import);
    match kind {
        "http" => interface == "trackside:plugin/http" || interface == "wasi:http/outgoing-handler",
        "secrets" => interface == "trackside:plugin/secrets",
        "models" => interface == "trackside:plugin/inference",
        "state" => interface == "trackside:plugin/state",
        "env" => interface == "wasi:cli/environment",
        "deliver" | "publish" | "emit" => interface == "trackside:plugin/outbox",
        "clock" => interface.starts_with("wasi:clocks/"),
        "random" => interface.starts_with("wasi:random/"),
        _ => false,
    }
}

/// One kind of grant and all that is said of it.
pub struct Row<'p> {
    kind: &'static str,
    imported: bool,
    wants: Vec<&'p Want>,
    steps: Vec<Step>,
}

/// A step that allows it.
struct Step {
    name: String,
    values: Vec<String>,
    /// What the box's policy says against it.
    refused: Vec<String>,
}

/// What a plugin imports against what it asks for and what the steps of the project that call it, by one of `names`,
/// allow. Kinds that nobody speaks of are left out.
pub fn rows<'p>(plugin: &'p Plugin, names: &BTreeSet<String>, project: &Project) -> Vec<Row<'p>> {
    let row = |kind: &'static str| {
        let mut steps = Vec::new();
        for (workflow, plan) in &project.workflows {
            for step in &plan.steps {
                let Action::Plugin(call) = &step.action else { continue };
                let values = granted(&call.allow, kind);
                if names.contains(&call.plugin) && !values.is_empty() {
                    let refused = project.config.policy.refusals(&only(&call.allow, kind));
                    steps.push(Step { name: format!("{workflow}/{}", step.id), values, refused });
                }
            }
        }
        let imported = plugin.imports().iter().any(|import| serves(import, kind));
        Row { kind, imported, wants: wanted(plugin.descriptor(), kind).collect(), steps }
    };
    GRANT_KINDS
        .map(row)
        .into_iter()
        .filter(|row| row.imported || !row.wants.is_empty() || !row.steps.is_empty())
        .collect()
}

/// For people.
pub fn table(rows: &[Row<'_>], is_command: bool) -> Table {
    let mut table = Table::plain(2);
    for row in rows {
        let wanted = match row.wants.as_slice() {
            // A program cannot say what it wants.
            [] if is_command => "",
            [] => "not asked for",
            wants if wants.iter().all(|want| want.optional) => "asked for, optional",
            _ => "asked for",
        };
        table.row([
            row.kind.into(),
            if row.imported { "imported" } else { "not imported" }.into(),
            wanted.into(),
            Cell::new(escape(&row.verdict(is_command)).into_owned()),
        ]);
    }
    if rows.is_empty() {
        table.row([Cell::dressed("none", Paint::dim)]);
    }
    table
}

/// For programs.
pub fn document(rows: &[Row<'_>]) -> Value {
    let step = |step: &Step| json!({ "step": step.name, "allow": step.values, "refused": step.refused });
    let row = |row: &Row<'_>| {
        json!({
            "kind": row.kind,
            "imported": row.imported,
            "asked_for": row.wants.iter().map(|want| &want.value).collect::<Vec<_>>(),
            "allowed": row.steps.iter().map(step).collect::<Vec<_>>(),
        })
    };
    rows.iter().map(row).collect()
}

impl Row<'_> {
    /// What comes of it in this project.
    fn verdict(&self, is_command: bool) -> String {
        let asked = is_command || !self.wants.is_empty();
        let otherwise = match (self.kind, self.steps.as_slice()) {
            (_, [_, ..]) if !asked => "allowed and refused all the same: ".to_owned(),
            (_, [_, ..]) => String::new(),
            ("clock", _) if self.imported => return "shows logical time".to_owned(),
            ("random", _) if self.imported => return "gives randomness of the run and the step".to_owned(),
            ("env", _) if self.imported => return "is empty".to_owned(),
            _ => return "no step of this project allows it".to_owned(),
        };
        let steps: Vec<String> = self.steps.iter().map(Step::sentence).collect();
        otherwise + &steps.join("; ")
    }
}

impl Step {
    fn sentence(&self) -> String {
        let allows = format!("{} allows {}", self.name, self.values.join(", "));
        if self.refused.is_empty() { allows } else { format!("{allows}, but {}", self.refused.join(", ")) }
    }
}
