//! The functions that expressions may call. All are pure; there is no clock and no chance among them.

use std::rc::Rc;

use regex::{Regex, RegexBuilder};
use trackside_codes::{Class, Reason};

use super::{budget::Budget, error::Fault, value::Val};

/// A function, callable as `f(x)`, as `x.f()`, or both, as CEL has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    String,
    Int,
    Uint,
    Double,
    Bool,
    Dyn,
    Basename,
    LowerAscii,
    UpperAscii,
    Trim,
    Split,
    Join,
    Replace,
    Substring,
    IndexOf,
}

/// How a function may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Global,
    Method,
    Either,
}

/// Name, form, fewest and most operands (the receiver counted), usage.
const TABLE: [(Function, &str, Form, usize, usize, &str); 19] = [
    (Function::Size, "size", Form::Either, 1, 1, "size(x) or x.size()"),
    (Function::Contains, "contains", Form::Method, 2, 2, "text.contains(part)"),
    (Function::StartsWith, "startsWith", Form::Method, 2, 2, "text.startsWith(part)"),
    (Function::EndsWith, "endsWith", Form::Method, 2, 2, "text.endsWith(part)"),
    (Function::String, "string", Form::Global, 1, 1, "string(x)"),
    (Function::Int, "int", Form::Global, 1, 1, "int(x)"),
    (Function::Uint, "uint", Form::Global, 1, 1, "uint(x)"),
    (Function::Double, "double", Form::Global, 1, 1, "double(x)"),
    (Function::Bool, "bool", Form::Global, 1, 1, "bool(x)"),
    (Function::Dyn, "dyn", Form::Global, 1, 1, "dyn(x)"),
    (Function::Basename, "basename", Form::Either, 1, 1, "basename(path)"),
    (Function::LowerAscii, "lowerAscii", Form::Method, 1, 1, "text.lowerAscii()"),
    (Function::UpperAscii, "upperAscii", Form::Method, 1, 1, "text.upperAscii()"),
    (Function::Trim, "trim", Form::Method, 1, 1, "text.trim()"),
    (Function::Split, "split", Form::Method, 2, 2, "text.split(separator)"),
    (Function::Join, "join", Form::Method, 1, 2, "list.join() or list.join(separator)"),
    (Function::Replace, "replace", Form::Method, 3, 3, "text.replace(old, new)"),
    (Function::Substring, "substring", Form::Method, 2, 3, "text.substring(start) or text.substring(start, end)"),
    (Function::IndexOf, "indexOf", Form::Method, 2, 2, "text.indexOf(part)"),
];

/// Macros and functions that are recognised elsewhere, for "did you mean".
const ELSEWHERE: [&str; 7] = ["has", "all", "exists", "exists_one", "map", "filter", "matches"];

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    pub(super) fn takes(self, method: bool, operands: usize) -> bool {
        TABLE.iter().filter(|row| row.0 == self).any(|(_, _, form, fewest, most, _)| {
            let form_fits = *form == Form::Either || (*form == Form::Method) == method;
            form_fits && (*fewest..=*most).contains(&operands)
        })
    }

    pub(super) fn usage(self) -> &'static str {
        TABLE.iter().find(|row| row.0 == self).map_or("", |row| row.5)
    }
}

/// The message for a function that does not exist.
pub(super) fn unknown(name: &str) -> String {
    if name == "now" {
        return "there is no clock in expressions: use trigger.logical_time or run.started_ms".to_owned();
    }
    if ELSEWHERE.contains(&name) {
        return match name {
            "has" => "write has(a.b): does a have a key b".to_owned(),
            macro_name => format!("write list.{macro_name}(x, …)"),
        };
    }
    let names = TABLE.iter().map(|row| row.1).chain(ELSEWHERE);
    match crate::spec_error::nearest(name, names) {
        Some(near) => format!("there is no function `{name}`; did you mean `{near}`?"),
        None => format!("there is no function `{name}`"),
    }
}

/// Compiles the pattern of `matches`. The engine's time is linear in the text whatever the pattern.
pub(super) fn pattern(text: &str) -> Result<Regex, Reason> {
    RegexBuilder::new(text).size_limit(256 << 10).dfa_size_limit(256 << 10).nest_limit(32).build().map_err(|error| {
        let reason = error.to_string();
        let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Reason::because(Class::BadFile, format!("the pattern is no regular expression: {last}"), error)
    })
}

pub(super) fn call<'a>(function: Function, operands: &[Val<'a>], budget: &Budget) -> Result<Val<'a>, Fault> {
    let call = Call { function, operands, budget };
    match function {
        Function::Size => call.size(),
        Function::Contains => call.two_texts(|text, part| Val::Bool(text.contains(part))),
        Function::StartsWith => call.two_texts(|text, part| Val::Bool(text.starts_with(part))),
        Function::EndsWith => call.two_texts(|text, part| Val::Bool(text.ends_with(part))),
        Function::IndexOf => call.two_texts(|text, part| {
            let found = text.find(part).map(|at| text[..at].chars().count());
            Val::Int(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1))
        }),
        Function::String => call.string(),
        Function::Int => call.int(),
        Function::Uint => call.uint(),
        Function::Double => call.double(),
        Function::Bool => call.bool(),
        Function::Dyn => call.operand(0).cloned(),
        Function::Basename => call.text(0).map(|path| {
            let path = path.trim_end_matches(['/', '\\']);
            Val::text(path.rsplit(['/', '\\']).next().unwrap_or_default())
        }),
        Function::LowerAscii => call.text(0).map(|text| Val::text(text.to_ascii_lowercase())),
        Function::UpperAscii => call.text(0).map(|text| Val::text(text.to_ascii_uppercase())),
        Function::Trim => call.text(0).map(|text| Val::text(text.trim())),
        Function::Split => call.split(),
        Function::Join => call.join(),
        Function::Replace => call.replace(),
        Function::Substring => call.substring(),
    }
}

struct Call<'r, 'a> {
    function: Function,
    operands: &'r [Val<'a>],
    budget: &'r Budget,
}

impl<'a> Call<'_, 'a> {
    fn operand(&self, index: usize) -> Result<&Val<'a>, Fault> {
        self.operands.get(index).ok_or_else(|| Fault::Data(format!("write {}", self.function.usage())))
    }

    /// The text at `index`; its length is charged.
    fn text(&self, index: usize) -> Result<&str, Fault> {
        let operand = self.operand(index)?;
        let text = operand.as_str().ok_or_else(|| self.unfit(operand))?;
        self.budget.take_bytes(text.len())?;
        Ok(text)
    }

    fn two_texts(&self, answer: impl FnOnce(&str, &str) -> Val<'a>) -> Result<Val<'a>, Fault> {
        Ok(answer(self.text(0)?, self.text(1)?))
    }

    fn unfit(&self, operand: &Val<'_>) -> Fault {
        Fault::Data(format!("{} does not work on {}", self.function.usage(), operand.describe()))
    }

    fn size(&self) -> Result<Val<'a>, Fault> {
        let operand = self.operand(0)?;
        let size = if let Some(items) = operand.items() {
            items.len()
        } else if let Some(entries) = operand.entry_count() {
            entries
        } else {
            self.text(0)?.chars().count()
        };
        Ok(Val::Int(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    fn string(&self) -> Result<Val<'a>, Fault> {
        match self.operand(0)? {
            Val::Bool(truth) => Ok(Val::text(truth.to_string())),
            Val::Int(number) => Ok(Val::text(number.to_string())),
            Val::UInt(number) => Ok(Val::text(number.to_string())),
            Val::Double(number) => Ok(Val::text(number.to_string())),
            text @ (Val::Str(_) | Val::Text(_)) => Ok(text.clone()),
            other => Err(self.unfit(other)),
        }
    }

    fn int(&self) -> Result<Val<'a>, Fault> {
        let operand = self.operand(0)?;
        let number = match operand {
            Val::Int(number) => Some(*number),
            Val::UInt(number) => i64::try_from(*number).ok(),
            // Both bounds are exact doubles; the upper one is just outside.
            Val::Double(number) if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(number) => {
                Some(number.trunc() as i64)
            }
            Val::Str(_) | Val::Text(_) => self.text(0)?.parse().ok(),
            _ => None,
        };
        number.map(Val::Int).ok_or_else(|| self.unfit(operand))
    }

    fn uint(&self) -> Result<Val<'a>, Fault> {
        let operand = self.operand(0)?;
        let number = match operand {
            Val::Int(number) => u64::try_from(*number).ok(),
            Val::UInt(number) => Some(*number),
            Val::Double(number) if (0.0..18_446_744_073_709_551_616.0).contains(number) => Some(number.trunc() as u64),
            Val::Str(_) | Val::Text(_) => self.text(0)?.parse().ok(),
            _ => None,
        };
        number.map(Val::UInt).ok_or_else(|| self.unfit(operand))
    }

    fn double(&self) -> Result<Val<'a>, Fault> {
        let operand = self.operand(0)?;
        let number = match operand {
            Val::Int(number) => Some(*number as f64),
            Val::UInt(number) => Some(*number as f64),
            Val::Double(number) => Some(*number),
            Val::Str(_) | Val::Text(_) => self.text(0)?.parse().ok(),
            _ => None,
        };
        number.map(Val::Double).ok_or_else(|| self.unfit(operand))
    }

    fn bool(&self) -> Result<Val<'a>, Fault> {
        let operand = self.operand(0)?;
        match (operand, operand.as_str()) {
            (Val::Bool(truth), _) => Ok(Val::Bool(*truth)),
            (_, Some("true")) => Ok(Val::Bool(true)),
            (_, Some("false")) => Ok(Val::Bool(false)),
            _ => Err(self.unfit(operand)),
        }
    }

    fn split(&self) -> Result<Val<'a>, Fault> {
        let (text, separator) = (self.text(0)?, self.text(1)?);
        self.budget.take(text.len())?;
        let parts: Vec<Val<'a>> = if separator.is_empty() {
            text.chars().map(|one| Val::text(one.to_string())).collect()
        } else {
            text.split(separator).map(Val::text).collect()
        };
        Ok(Val::List(Rc::new(parts)))
    }

    fn join(&self) -> Result<Val<'a>, Fault> {
        let list = self.operand(0)?;
        let items = list.items().ok_or_else(|| self.unfit(list))?;
        let separator = if self.operands.len() > 1 { self.text(1)? } else { "" };
        let mut joined = String::new();
        for index in 0..items.len() {
            let Some(item) = items.get(index) else { break };
            let text = item.as_str().ok_or_else(|| self.unfit(&item))?;
            self.budget.take_bytes(text.len() + separator.len())?;
            if index > 0 {
                joined.push_str(separator);
            }
            joined.push_str(text);
        }
        Ok(Val::text(joined))
    }

    fn replace(&self) -> Result<Val<'a>, Fault> {
        let (text, old, new) = (self.text(0)?, self.text(1)?, self.text(2)?);
        // The result can be longer than all operands together: pay for it before it is made.
        let places = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
        self.budget.take_bytes(text.len().saturating_add(places.saturating_mul(new.len())))?;
        Ok(Val::text(text.replace(old, new)))
    }

    fn substring(&self) -> Result<Val<'a>, Fault> {
        let text = self.text(0)?;
        let length = text.chars().count();
        let position = |index: usize, default: usize| match self.operands.get(index) {
            None => Ok(default),
            Some(Val::Int(at)) => usize::try_from(*at)
                .ok()
                .filter(|at| *at <= length)
                .ok_or_else(|| Fault::Data(format!("{at} is outside of a text of {length} characters"))),
            Some(other) => Err(self.unfit(other)),
        };
        let (start, end) = (position(1, 0)?, position(2, length)?);
        if start > end {
            return Err(Fault::Data(format!("substring starts at {start}, behind its end at {end}")));
        }
        Ok(Val::text(text.chars().skip(start).take(end - start).collect::<String>()))
    }
}
