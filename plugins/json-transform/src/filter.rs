//! A jq filter without clock, environment, modules or input beyond its document.

use jaq_core::{
    Bind, Compiler, Ctx, Error, Exn, Vars,
    compile::Undefined,
    data::JustLut,
    load::{self, Arena, File, Loader},
    native,
};
use jaq_json::Val;
use serde_json::Value;
use trackside_rows::json::clip;
use trackside_sdk::StepError;

use crate::convert;

type Data = JustLut<Val>;

/// The longest filter.
const MAX_FILTER: usize = 64 * 1_024;

/// A compiled filter.
pub struct Filter {
    inner: jaq_core::Filter<Data>,
}

impl Filter {
    /// Compiles a filter that may use these variables; their names start with `$`.
    ///
    /// # Errors
    /// `bad-filter` with what is wrong and where; `bad-input` for a variable whose name is none.
    pub fn compile(code: &str, args: &[(String, Val)]) -> Result<Self, StepError> {
        if code.len() > MAX_FILTER {
            return Err(bad_filter(format!("it is longer than {MAX_FILTER} bytes")));
        }
        for (name, _) in args {
            let is_name = |name: &str| {
                name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            if !name.strip_prefix('$').is_some_and(is_name) {
                return Err(StepError::fatal("bad-input", format!("args: {name:?} is not a variable's name")));
            }
        }
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let arena = Arena::default();
        let modules = Loader::new(defs).load(&arena, File { code, path: () }).map_err(|errors| {
            bad_filter(errors.first().map_or_else(String::new, |(_, error)| explain_load(code, error)))
        })?;
        let inner = Compiler::default()
            .with_funs(functions())
            .with_global_vars(args.iter().map(|(name, _)| name.as_str()))
            .compile(modules)
            .map_err(|errors| bad_filter(explain_undefined(&errors)))?;
        Ok(Self { inner })
    }

    /// Runs it over a document. Computing is bounded by the step's own limits.
    ///
    /// # Errors
    /// `filter-failed` when the filter raises an error, halts, gives more than `max` results, or gives what JSON cannot
    /// hold.
    pub fn run(&self, document: Val, args: Vec<(String, Val)>, max: usize) -> Result<Vec<Value>, StepError> {
        let failed = |message: String| StepError::fatal("filter-failed", clip(&message, 500));
        let context = Ctx::<Data>::new(&self.inner.lut, Vars::new(args.into_iter().map(|(_, value)| value)));
        let mut values = Vec::new();
        for result in self.inner.id.run((context, document)) {
            if values.len() == max {
                return Err(failed(format!("the filter gives more than {max} results")));
            }
            match result.map_err(Exn::get_err) {
                Ok(value) => values.push(convert::to_json(&value).map_err(failed)?),
                Err(Ok(error)) => return Err(failed(error.to_string())),
                Err(Err(_)) => return Err(failed("a filter in a step cannot halt".into())),
            }
        }
        Ok(values)
    }
}

/// jq's functions; those that would look outside are replaced by an error that says so.
fn functions() -> impl Iterator<Item = native::Fun<Data>> {
    let outside = |name: &str| matches!(name, "now" | "env");
    jaq_core::funs::<Data>()
        .chain(jaq_std::funs::<Data>().filter(move |(name, ..)| !outside(name)))
        .chain(jaq_json::funs::<Data>())
        .chain([
            native::run(("now", no_arguments(), |_| {
                raise("a filter has no clock: pass the time in, `args: { now: \"${trigger.logical_time}\" }`")
            })),
            native::run(("env", no_arguments(), |_| raise("a filter has no environment: pass values in by `args`"))),
        ])
}

fn no_arguments() -> Box<[Bind]> {
    Box::new([])
}

fn raise<'a>(why: &str) -> jaq_core::ValXs<'a, Val> {
    Box::new(std::iter::once(Err(Exn::from(Error::str(why)))))
}

fn bad_filter(why: String) -> StepError {
    StepError::fatal("bad-filter", format!("filter: {why}"))
}

fn explain_load(code: &str, error: &load::Error<&str>) -> String {
    match error {
        load::Error::Io(modules) => {
            let names = modules.iter().map(|(path, _)| *path).collect::<Vec<_>>().join("`, `");
            format!("module `{names}`: a filter in a step cannot load modules")
        }
        load::Error::Lex(errors) => errors.first().map_or_else(String::new, |(expected, found)| {
            format!("expected {} {}", expected.as_str(), place(code, found))
        }),
        load::Error::Parse(errors) => errors.first().map_or_else(String::new, |(expected, found)| {
            format!("expected {} {}", expected.as_str(), place(code, found))
        }),
    }
}

/// Where in the filter something went wrong: what stands there, or what stands before the end.
fn place(code: &str, found: &str) -> String {
    if found.is_empty() {
        let last = code.split_whitespace().next_back().unwrap_or_default();
        return format!("after `{}`, at the end", clip(last, 40));
    }
    // Both are parts of the same text.
    let at = load::span(code, found).start;
    let column = code.get(..at).map_or(0, |before| before.chars().count()) + 1;
    format!("at character {column}: `{}`", clip(found, 40))
}

fn explain_undefined<P>(errors: &jaq_core::compile::Errors<&str, P>) -> String {
    let mut missing = errors.iter().flat_map(|(_, errors)| errors);
    missing.next().map_or_else(String::new, |(name, kind)| match kind {
        Undefined::Filter(arity) => format!("there is no filter `{name}` with {arity} arguments"),
        other => format!("there is no {} `{name}`", other.as_str()),
    })
}
