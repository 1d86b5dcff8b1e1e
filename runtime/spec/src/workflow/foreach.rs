//! Checks of `foreach`, `matrix` and what belongs to them.

use serde_json::Value;

use super::{
    checker::Checker,
    file::{StepFile, WhenFile},
    steps::{self, Site},
    words,
};
use crate::{
    expr::{Expr, Scope, Template},
    ordered::Ordered,
    plan::{
        DEFAULT_PARALLEL, Foreach, Items, MAX_ITEMS, MAX_MATRIX_KEYS, MAX_PARALLEL, Matrix, OnFailure, ParamKind,
        described,
    },
    spec_error::suggest,
};

/// What a step says about its items.
pub(super) struct ForeachKeys {
    foreach: Option<Value>,
    matrix: Option<Ordered<Value>>,
    exclude: Vec<Ordered<Value>>,
    when_item: Option<WhenFile>,
    max_parallel: Option<u64>,
    on_failure: Option<OnFailure>,
}

impl ForeachKeys {
    pub(super) fn take(step: &mut StepFile) -> Self {
        Self {
            foreach: step.foreach.take(),
            matrix: step.matrix.take(),
            exclude: std::mem::take(&mut step.exclude),
            when_item: step.when_item.take(),
            max_parallel: step.max_parallel.take(),
            on_failure: step.on_failure.take(),
        }
    }
}

/// `site` is the step's without items: the list itself does not see them.
pub(super) fn check(keys: ForeachKeys, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Foreach> {
    let items = match (keys.foreach, keys.matrix) {
        (None, None) => {
            for key in ["exclude", "when_item", "max_parallel", "on_failure"] {
                if checker.root.at(site.key(key)).is_some() {
                    let message = format!("`{key}` is for steps with `foreach` or `matrix`");
                    checker.at_key("TS-0102", &site.key(key), message, None);
                }
            }
            return None;
        }
        (Some(_), Some(_)) => {
            let help = Some("put the list of `foreach` under a name of `matrix`".to_owned());
            checker.at_key("TS-0103", &site.key("matrix"), "a step has `foreach` or `matrix`, not both", help);
            return None;
        }
        (Some(list), None) => {
            if !keys.exclude.is_empty() {
                checker.at_key("TS-0102", &site.key("exclude"), "`exclude` is for steps with `matrix`", None);
            }
            Items::List(self::list(&site.key("foreach"), &list, site, checker)?)
        }
        (None, Some(lists)) => Items::Matrix(matrix(lists, keys.exclude, site, checker)?),
    };
    let parallel = keys.max_parallel.map(|parallel| u16::try_from(parallel).unwrap_or(u16::MAX));
    if parallel.is_some_and(|parallel| !(1..=MAX_PARALLEL).contains(&parallel)) {
        let message = format!("between 1 and {MAX_PARALLEL} items at one time");
        checker.at("TS-0103", &site.key("max_parallel"), message, None);
    }
    let each = Site { place: site.place.with_item(true), ..site };
    let when = keys.when_item.and_then(|when| steps::when("when_item", when, each, checker));
    Some(Foreach {
        items,
        when,
        max_parallel: parallel.unwrap_or(DEFAULT_PARALLEL),
        on_failure: keys.on_failure.unwrap_or_default(),
    })
}

fn matrix(
    lists: Ordered<Value>,
    exclude: Vec<Ordered<Value>>,
    site: Site<'_>,
    checker: &mut Checker<'_, '_>,
) -> Option<Matrix> {
    if lists.0.is_empty() {
        checker.at_key("TS-0102", &site.key("matrix"), "a matrix needs at least one name with a list", None);
    }
    if lists.0.len() > MAX_MATRIX_KEYS {
        let message = format!("{} names; the limit is {MAX_MATRIX_KEYS}", lists.0.len());
        checker.at_key("TS-0108", &site.key("matrix"), message, None);
        return None;
    }
    let mut keys = Vec::with_capacity(lists.0.len());
    let mut constant = Some(Vec::with_capacity(lists.0.len()));
    for (key, value) in &lists.0 {
        let path = [site.path[0], site.path[1], "matrix", key];
        if let Err((message, help)) = words::identifier(key) {
            checker.at_key("TS-0103", &path, message, help);
        }
        if let (Some(known), Value::Array(items)) = (&mut constant, value) {
            known.push(items.clone());
        } else {
            constant = None;
        }
        if let Some(template) = list(&path, value, site, checker) {
            keys.push((key.clone(), template));
        }
    }
    let known: Vec<&str> = lists.0.iter().map(|(key, _)| key.as_str()).collect();
    let excluded = |(index, entry): (usize, Ordered<Value>)| {
        let position = index.to_string();
        if entry.0.is_empty() {
            let path = [site.path[0], site.path[1], "exclude", &position];
            checker.at("TS-0103", &path, "this would leave every combination out", None);
        }
        for (key, value) in &entry.0 {
            let path = [site.path[0], site.path[1], "exclude", &position, key];
            if !known.contains(&key.as_str()) {
                let message = format!("the matrix has no `{key}`");
                checker.at_key("TS-0103", &path, message, suggest(key, &known));
            } else if value.to_string().contains("${") {
                checker.at("TS-0103", &path, "what is excluded must be fixed: expressions are not possible here", None);
            }
        }
        Value::Object(entry.0.into_iter().collect())
    };
    let exclude: Vec<Value> = exclude.into_iter().enumerate().map(excluded).collect();
    let matrix = Matrix { keys, exclude };
    if let Some(Err(none)) = constant.map(|lists| matrix.combine(&lists)) {
        checker.at_key("TS-0108", &site.key("matrix"), none.message, None);
    }
    (matrix.keys.len() == lists.0.len()).then_some(matrix)
}

/// A list, or one expression that may make one.
fn list(path: &[&str], value: &Value, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Template> {
    let key = path.last().copied().unwrap_or_default();
    let template = steps::compile_at(path, value, site.place, site.names, checker)?;
    let refuse = |checker: &mut Checker<'_, '_>, found: String, help: Option<String>| {
        checker.at("TS-0103", path, format!("`{key}` needs a list, and this is {found}"), help);
    };
    match value {
        Value::Array(items) if items.len() > MAX_ITEMS => {
            checker.at_key("TS-0108", path, format!("{} items; the limit is {MAX_ITEMS}", items.len()), None);
        }
        Value::Array(_) => {}
        Value::String(_) => match template.whole() {
            Some(expr) => {
                if let Some((found, help)) = no_list(expr, site) {
                    refuse(checker, found, help);
                }
            }
            None => {
                let help = "write a list, [a, b], or one expression that makes one, \"${params.names}\"";
                refuse(checker, described(value), Some(help.to_owned()));
            }
        },
        other => refuse(checker, described(other), None),
    }
    Some(template)
}

/// What the expression certainly makes instead of a list, and what to do about it.
fn no_list(expr: &Expr, site: Site<'_>) -> Option<(String, Option<String>)> {
    if expr.names().is_empty() {
        let nothing = Value::Null;
        let made = expr.eval(&Scope::new(&nothing, &nothing, &nothing, &nothing)).ok()?;
        return (!made.is_array()).then(|| (described(&made), None));
    }
    // Only an expression that is one name says what it makes.
    let [name] = expr.names() else { return None };
    if name.path.join(".") != expr.text().trim() {
        return None;
    }
    let segments: Vec<&str> = name.path.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["params", param] => match site.names.kind_of(param)? {
            ParamKind::Array => None,
            kind => Some((
                format!("the parameter `{param}`, {}", super::bind::kind_name(kind)),
                Some(format!("declare `{param}` with type: array")),
            )),
        },
        ["steps", step] if site.names.output_keys(step).is_some_and(|keys| keys.contains(&"results")) => {
            let help = format!("write \"${{steps.{step}.results}}\"");
            Some((format!("the output of `{step}`, an object"), Some(help)))
        }
        ["steps", step, key @ ("count" | "failed" | "approved" | "by" | "comment" | "at" | "run" | "state")] => {
            let fixed = site.names.output_keys(step).is_some_and(|keys| keys.contains(key));
            (fixed && *key != "failed").then(|| (format!("`{key}` of `{step}`, no list"), None))
        }
        ["run" | "params" | "trigger" | "steps", ..] if segments.len() == 1 || segments[0] == "run" => {
            Some((format!("`{}`", segments.join(".")), None))
        }
        _ => None,
    }
}

/// What `item` and `matrix` are in the expressions of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ItemNames {
    /// The step runs once.
    None,
    /// Elements of a list.
    List,
    /// Combinations with these keys.
    Matrix(Vec<String>),
}

impl ItemNames {
    pub(super) fn of(step: &StepFile) -> Self {
        match (&step.matrix, &step.foreach) {
            (Some(matrix), _) => Self::Matrix(matrix.0.iter().map(|(key, _)| key.clone()).collect()),
            (None, Some(_)) => Self::List,
            (None, None) => Self::None,
        }
    }
}
