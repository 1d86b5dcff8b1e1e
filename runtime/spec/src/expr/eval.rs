//! The evaluator. It recurses as deep as the expression is nested, which the compiler has bounded.

use std::rc::Rc;

use super::{
    Scope,
    budget::Budget,
    error::Fault,
    functions,
    ir::{Fold, FoldKind, Ir, Root},
    ops,
    value::Val,
};

pub(super) fn eval<'a>(ir: &'a Ir, scope: &Scope<'a>, budget: &Budget) -> Result<Val<'a>, Fault> {
    Evaluation { scope, budget, locals: Vec::new() }.value(ir)
}

struct Evaluation<'s, 'a> {
    scope: &'s Scope<'a>,
    budget: &'s Budget,
    /// The variables of the macros that are being evaluated, outermost first.
    locals: Vec<Val<'a>>,
}

impl<'a> Evaluation<'_, 'a> {
    fn value(&mut self, ir: &'a Ir) -> Result<Val<'a>, Fault> {
        self.budget.take(1)?;
        match ir {
            Ir::Null => Ok(Val::Null),
            Ir::Bool(truth) => Ok(Val::Bool(*truth)),
            Ir::Int(number) => Ok(Val::Int(*number)),
            Ir::UInt(number) => Ok(Val::UInt(*number)),
            Ir::Double(number) => Ok(Val::Double(*number)),
            Ir::Text(text) => Ok(Val::Str(text)),
            Ir::Root(root) => self.root(*root),
            Ir::Unknown(name) => Err(Fault::Data(format!("there is nothing called `{name}`"))),
            Ir::Local(slot) => {
                self.locals.get(*slot).cloned().ok_or_else(|| Fault::Data("a variable has no value".to_owned()))
            }
            Ir::Field(of, field) => self.field(of, field),
            Ir::Has(of, field) => self.has(of, field),
            Ir::Index(pair) => {
                let [of, index] = &**pair;
                let (of, index) = (self.value(of)?, self.value(index)?);
                self.index(&of, &index)
            }
            Ir::Not(of) => Ok(Val::Bool(!self.truth(of, "!")?)),
            Ir::Negate(of) => ops::negate(&self.value(of)?),
            Ir::And(pair) => self.junction(pair, "&&", false),
            Ir::Or(pair) => self.junction(pair, "||", true),
            Ir::If(parts) => {
                let [condition, yes, no] = &**parts;
                if self.truth(condition, "?")? { self.value(yes) } else { self.value(no) }
            }
            Ir::Binary(op, pair) => {
                let (left, right) = (self.value(&pair[0])?, self.value(&pair[1])?);
                ops::binary(*op, &left, &right, self.budget)
            }
            Ir::List(items) => {
                let items = items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?;
                Ok(Val::List(Rc::new(items)))
            }
            Ir::Map(entries) => self.map(entries),
            Ir::Call(function, operands) => {
                let operands: Vec<Val<'a>> =
                    operands.iter().map(|operand| self.value(operand)).collect::<Result<_, _>>()?;
                functions::call(*function, &operands, self.budget)
            }
            Ir::Matches(text, regex) => {
                let text = self.value(text)?;
                let Some(text) = text.as_str() else {
                    return Err(Fault::Data(format!("`matches` needs a text, not {}", text.describe())));
                };
                self.budget.take_bytes(text.len().saturating_mul(4))?;
                Ok(Val::Bool(regex.is_match(text)))
            }
            Ir::Fold(fold) => self.fold(fold),
        }
    }

    fn root(&self, root: Root) -> Result<Val<'a>, Fault> {
        let each = self.scope.each;
        let found = match root {
            Root::Params => Some(Val::from(self.scope.params)),
            Root::Trigger => Some(Val::from(self.scope.trigger)),
            Root::Steps => Some(Val::from(self.scope.steps)),
            Root::Run => Some(Val::from(self.scope.run)),
            Root::Item | Root::Matrix => each.map(|each| Val::from(each.item)),
            Root::Index => each.map(|each| Val::Int(i64::from(each.index))),
            Root::Requires => self.scope.requires.map(Val::from),
            Root::Event => self.scope.event.map(Val::from),
        };
        found.ok_or_else(|| Fault::Data(format!("`{}` has no value here", root.name())))
    }

    fn truth(&mut self, ir: &'a Ir, operator: &str) -> Result<bool, Fault> {
        match self.value(ir)? {
            Val::Bool(truth) => Ok(truth),
            other => Err(Fault::Data(format!("`{operator}` needs true or false, not {}", other.describe()))),
        }
    }

    /// `&&` (decided by false) and `||` (decided by true). As CEL has it, a side that decides makes an error of the
    /// other side irrelevant, whichever comes first.
    fn junction(&mut self, pair: &'a [Ir; 2], operator: &str, decisive: bool) -> Result<Val<'a>, Fault> {
        let left = self.truth(&pair[0], operator);
        if matches!(left, Ok(truth) if truth == decisive) || matches!(left, Err(Fault::Limit(_))) {
            return left.map(Val::Bool);
        }
        match (left, self.truth(&pair[1], operator)) {
            (_, Ok(truth)) if truth == decisive => Ok(Val::Bool(decisive)),
            (_, Err(limit @ Fault::Limit(_))) => Err(limit),
            (Err(fault), _) | (_, Err(fault)) => Err(fault),
            (Ok(_), Ok(_)) => Ok(Val::Bool(!decisive)),
        }
    }

    fn field(&mut self, of: &'a Ir, field: &'a str) -> Result<Val<'a>, Fault> {
        let value = self.value(of)?;
        if let Some(found) = value.lookup(&Val::Str(field), self.budget)? {
            return Ok(found);
        }
        if matches!(of, Ir::Root(root) if root.is_open()) {
            return Ok(Val::Null);
        }
        Err(no_such_key(of, &value, field))
    }

    fn has(&mut self, of: &'a Ir, field: &'a str) -> Result<Val<'a>, Fault> {
        match self.value(of) {
            Ok(value) => {
                if !matches!(value, Val::Null) && value.entry_count().is_none() {
                    return Err(Fault::Data(format!("`has` needs an object, not {}", value.describe())));
                }
                let found = value.lookup(&Val::Str(field), self.budget)?;
                Ok(Val::Bool(found.is_some_and(|value| !matches!(value, Val::Null))))
            }
            Err(Fault::Missing(_)) => Ok(Val::Bool(false)),
            Err(other) => Err(other),
        }
    }

    fn index(&self, of: &Val<'a>, index: &Val<'a>) -> Result<Val<'a>, Fault> {
        if let Some(items) = of.items() {
            let position = match index {
                Val::Int(position) => usize::try_from(*position).ok(),
                Val::UInt(position) => usize::try_from(*position).ok(),
                Val::Double(position) if position.fract() == 0.0 && (0.0..1e15).contains(position) => {
                    Some(*position as usize)
                }
                Val::Double(_) => None,
                other => {
                    return Err(Fault::Data(format!("a list is indexed by a number, not by {}", other.describe())));
                }
            };
            return position.and_then(|position| items.get(position)).ok_or_else(|| {
                Fault::Missing(format!("{} is outside of a list of {}", index.describe(), items.len()))
            });
        }
        if of.entry_count().is_some() {
            return of
                .lookup(index, self.budget)?
                .ok_or_else(|| Fault::Missing(format!("there is no key {}{}", index.describe(), known_keys(of))));
        }
        if matches!(of, Val::Null) {
            return Err(Fault::Missing(format!("null has no element {}", index.describe())));
        }
        Err(Fault::Data(format!("{} has no elements", of.describe())))
    }

    fn map(&mut self, entries: &'a [(Ir, Ir)]) -> Result<Val<'a>, Fault> {
        let mut made: Vec<(Val<'a>, Val<'a>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let (key, value) = (self.value(key)?, self.value(value)?);
            if !matches!(key, Val::Bool(_) | Val::Int(_) | Val::UInt(_) | Val::Str(_) | Val::Text(_)) {
                return Err(Fault::Data(format!("{} cannot be a key", key.describe())));
            }
            for (known, _) in &made {
                if known.equals(&key, self.budget)? {
                    return Err(Fault::Data(format!("the key {} is there twice", key.describe())));
                }
            }
            made.push((key, value));
        }
        Ok(Val::Map(Rc::new(made)))
    }

    fn fold(&mut self, fold: &'a Fold) -> Result<Val<'a>, Fault> {
        let range = self.value(&fold.range)?;
        let keys;
        let items = match range.items() {
            Some(items) => items,
            None => {
                let Some(found) = range.keys() else {
                    return Err(Fault::Data(format!("a macro needs a list or an object, not {}", range.describe())));
                };
                keys = Val::List(Rc::new(found));
                match keys.items() {
                    Some(items) => items,
                    None => return Ok(Val::Null),
                }
            }
        };
        self.budget.take(items.len())?;
        let mut folded = Folded { first_fault: None, matches: 0, collected: Vec::new() };
        for index in 0..items.len() {
            let Some(item) = items.get(index) else { break };
            self.locals.push(item);
            let decided = self.fold_item(fold, &mut folded);
            self.locals.pop();
            if let Some(decided) = decided? {
                return Ok(Val::Bool(decided));
            }
        }
        match (folded.first_fault, fold.kind) {
            (Some(fault), _) => Err(fault),
            (None, FoldKind::All) => Ok(Val::Bool(true)),
            (None, FoldKind::Exists) => Ok(Val::Bool(false)),
            (None, FoldKind::ExistsOne) => Ok(Val::Bool(folded.matches == 1)),
            (None, FoldKind::Collect) => Ok(Val::List(Rc::new(folded.collected))),
        }
    }

    /// One element; `Some` when the answer is known.
    fn fold_item(&mut self, fold: &'a Fold, folded: &mut Folded<'a>) -> Result<Option<bool>, Fault> {
        match fold.kind {
            FoldKind::Collect => {
                if match &fold.filter {
                    Some(filter) => self.truth(filter, "filter")?,
                    None => true,
                } {
                    folded.collected.push(self.value(&fold.body)?);
                }
            }
            FoldKind::ExistsOne => folded.matches += usize::from(self.truth(&fold.body, "exists_one")?),
            FoldKind::All | FoldKind::Exists => {
                let decisive = fold.kind == FoldKind::Exists;
                match self.truth(&fold.body, if decisive { "exists" } else { "all" }) {
                    Ok(truth) if truth == decisive => return Ok(Some(decisive)),
                    Ok(_) => {}
                    Err(limit @ Fault::Limit(_)) => return Err(limit),
                    // As with && and ||: a later element may decide, and then this does not matter.
                    Err(fault) => {
                        folded.first_fault.get_or_insert(fault);
                    }
                }
            }
        }
        Ok(None)
    }
}

/// What a macro has found so far.
struct Folded<'a> {
    first_fault: Option<Fault>,
    matches: usize,
    collected: Vec<Val<'a>>,
}

fn no_such_key(of: &Ir, value: &Val<'_>, field: &str) -> Fault {
    let owner = spelled(of).map_or_else(|| "the value".to_owned(), |path| format!("`{path}`"));
    if value.entry_count().is_some() {
        return Fault::Missing(format!("{owner} has no key `{field}`{}", known_keys(value)));
    }
    if matches!(value, Val::Null) {
        return Fault::Missing(format!("{owner} is null and has no `{field}`; ask has(…) first"));
    }
    Fault::Data(format!("{owner} is {} and has no `{field}`", value.describe()))
}

/// The first keys of an object, for messages.
fn known_keys(value: &Val<'_>) -> String {
    const SHOWN: usize = 8;
    let Some(keys) = value.keys() else { return String::new() };
    if keys.is_empty() {
        return "; it is empty".to_owned();
    }
    let shown: Vec<String> = keys.iter().take(SHOWN).filter_map(|key| key.as_str().map(super::error::clip)).collect();
    let more = if keys.len() > SHOWN { ", …" } else { "" };
    format!("; it has {}{more}", shown.join(", "))
}

/// The text of a chain of names.
fn spelled(ir: &Ir) -> Option<String> {
    match ir {
        Ir::Root(root) => Some(root.name().to_owned()),
        Ir::Field(of, field) => Some(format!("{}.{field}", spelled(of)?)),
        Ir::Index(pair) => match &pair[1] {
            Ir::Int(position) => Some(format!("{}[{position}]", spelled(&pair[0])?)),
            Ir::Text(key) => Some(format!("{}[{key:?}]", spelled(&pair[0])?)),
            _ => None,
        },
        _ => None,
    }
}
