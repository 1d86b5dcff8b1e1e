//! JSON documents with `${…}` in their strings.

use serde_json::{Map, Value};

use super::{Expr, ExprError, Scope, budget::Budget, eval, lex, value::Val};

/// Deepest document.
const MAX_DEPTH: usize = 64;

/// A JSON document with expressions in its strings.
///
/// A string that is only `${expr}` becomes the expression's value with its type. In any other string the values are
/// rendered as text: texts as they are, everything else as JSON. `$${` stands for `${`. Keys hold no expressions.
#[derive(Debug)]
pub struct Template {
    root: Part,
}

/// What is wrong with one string of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The keys and indices that lead to the string.
    pub path: Vec<String>,
    /// Where the error is in the string, in bytes; `None` when it is the key at the end of `path`.
    pub offset: Option<usize>,
    /// What is wrong.
    pub error: ExprError,
}

#[derive(Debug)]
enum Part {
    /// No expression in here.
    Constant(Value),
    Whole(Placed),
    Text(Vec<Piece>),
    List(Vec<Part>),
    Object(Vec<(String, Part)>),
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    Value(Placed),
}

/// An expression and where it begins in its string.
#[derive(Debug)]
struct Placed {
    offset: usize,
    expr: Expr,
}

impl Template {
    /// Compiles the expressions of `document`.
    ///
    /// # Errors
    /// One problem for every string whose expression does not compile, and for every key that looks like one.
    pub fn compile(document: &Value) -> Result<Self, Vec<TemplateProblem>> {
        let mut compiler = Compiler { path: Vec::new(), problems: Vec::new() };
        let root = compiler.part(document);
        if compiler.problems.is_empty() { Ok(Self { root }) } else { Err(compiler.problems) }
    }

    /// The document with every expression replaced by its value.
    ///
    /// # Errors
    /// The first expression that has no value; the message names its place in the document.
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Value, ExprError> {
        // One budget for the whole document: many small expressions cannot do more than one large one.
        let budget = Budget::new();
        let mut place = Vec::new();
        self.root.eval(scope, &budget, &mut place).map_err(|mut error| {
            if !place.is_empty() {
                place.reverse();
                error.message = format!("at {}: {}", place.join("."), error.message);
            }
            error
        })
    }

    /// Whether the document holds no expression.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(self.root, Part::Constant(_))
    }

    /// The expression, when the document is a text that is only one.
    #[must_use]
    pub fn whole(&self) -> Option<&Expr> {
        match &self.root {
            Part::Whole(placed) => Some(&placed.expr),
            _ => None,
        }
    }

    /// The keys of the document; `None` when it is no mapping or the data decides.
    #[must_use]
    pub fn keys(&self) -> Option<Vec<&str>> {
        match &self.root {
            Part::Constant(document) => {
                document.as_object().map(|entries| entries.keys().map(String::as_str).collect())
            }
            Part::Object(entries) => Some(entries.iter().map(|(name, _)| name.as_str()).collect()),
            _ => None,
        }
    }

    /// The value at `path` (keys, and decimal indices for arrays) if neither it nor anything in it is an expression.
    #[must_use]
    pub fn constant_at(&self, path: &[&str]) -> Option<&Value> {
        let mut part = &self.root;
        for (depth, segment) in path.iter().enumerate() {
            part = match part {
                Part::Constant(value) => return navigate(value, &path[depth..]),
                Part::List(items) => items.get(segment.parse::<usize>().ok()?)?,
                Part::Object(entries) => &entries.iter().find(|(key, _)| key == segment)?.1,
                Part::Whole(_) | Part::Text(_) => return None,
            };
        }
        match part {
            Part::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// The keys of the mapping under `key` of the document; none when that is no mapping.
    #[must_use]
    pub fn keys_under(&self, key: &str) -> Vec<&str> {
        fn of(value: &Value) -> Option<Vec<&str>> {
            value.as_object().map(|entries| entries.keys().map(String::as_str).collect())
        }
        match &self.root {
            Part::Constant(document) => document.get(key).and_then(of),
            Part::Object(entries) => entries.iter().find(|(name, _)| name == key).and_then(|(_, part)| match part {
                Part::Constant(value) => of(value),
                Part::Object(entries) => Some(entries.iter().map(|(name, _)| name.as_str()).collect()),
                _ => None,
            }),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// Calls `visit` with every expression: the path to its string, its offset in that string, and itself.
    pub fn each_expression(&self, visit: &mut dyn FnMut(&[String], usize, &Expr)) {
        self.root.each_expression(&mut Vec::new(), visit);
    }
}

fn navigate<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, segment| match value {
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        Value::Object(entries) => entries.get(*segment),
        _ => None,
    })
}

impl Part {
    /// On an error, `place` holds the way to it, innermost first.
    fn eval(&self, scope: &Scope<'_>, budget: &Budget, place: &mut Vec<String>) -> Result<Value, ExprError> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Whole(placed) => placed.expr.eval_within(scope, budget),
            Self::Text(pieces) => text(pieces, scope, budget).map(Value::String),
            Self::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    list.push(item.eval(scope, budget, place).inspect_err(|_| place.push(index.to_string()))?);
                }
                Ok(Value::Array(list))
            }
            Self::Object(entries) => {
                let mut object = Map::with_capacity(entries.len());
                for (key, part) in entries {
                    let value = part.eval(scope, budget, place).inspect_err(|_| place.push(key.clone()))?;
                    object.insert(key.clone(), value);
                }
                Ok(Value::Object(object))
            }
        }
    }

    fn each_expression(&self, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String], usize, &Expr)) {
        match self {
            Self::Constant(_) => {}
            Self::Whole(placed) => visit(path, placed.offset, &placed.expr),
            Self::Text(pieces) => {
                for piece in pieces {
                    if let Piece::Value(placed) = piece {
                        visit(path, placed.offset, &placed.expr);
                    }
                }
            }
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(index.to_string());
                    item.each_expression(path, visit);
                    path.pop();
                }
            }
            Self::Object(entries) => {
                for (key, part) in entries {
                    path.push(key.clone());
                    part.each_expression(path, visit);
                    path.pop();
                }
            }
        }
    }
}

fn text(pieces: &[Piece], scope: &Scope<'_>, budget: &Budget) -> Result<String, ExprError> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Value(placed) => {
                let rendered = eval::eval(&placed.expr.ir, scope, budget).and_then(|value| {
                    if let Some(raw) = value.as_str() {
                        budget.take_bytes(raw.len())?;
                        return Ok(raw.to_owned());
                    }
                    match value {
                        Val::Null => Ok("null".to_owned()),
                        other => other.to_json(budget).map(|json| json.to_string()),
                    }
                });
                text.push_str(&rendered.map_err(|fault| fault.into_error(placed.expr.text()))?);
            }
        }
    }
    Ok(text)
}

struct Compiler {
    path: Vec<String>,
    problems: Vec<TemplateProblem>,
}

impl Compiler {
    fn part(&mut self, value: &Value) -> Part {
        if self.path.len() > MAX_DEPTH {
            let message = format!("the document is nested deeper than {MAX_DEPTH} levels");
            self.problem(Some(0), ExprError::compile_time(0, message));
            return Part::Constant(Value::Null);
        }
        match value {
            Value::String(text) => self.string(text),
            Value::Array(items) => {
                let parts: Vec<Part> = items.iter().enumerate().map(|(index, item)| self.child(index, item)).collect();
                if parts.iter().all(Part::is_constant) {
                    Part::Constant(Value::Array(parts.into_iter().filter_map(Part::into_constant).collect()))
                } else {
                    Part::List(parts)
                }
            }
            Value::Object(entries) => {
                let mut parts = Vec::with_capacity(entries.len());
                for (key, item) in entries {
                    let part = self.child(key, item);
                    if key.contains("${") {
                        let message = "keys hold no expressions: build the object with one, \"${{'key': value}}\"";
                        self.path.push(key.clone());
                        self.problem(None, ExprError::compile_time(0, message));
                        self.path.pop();
                    }
                    parts.push((key.clone(), part));
                }
                let constant = parts.iter().all(|(_, part)| part.is_constant());
                // `$${` makes a constant that is not what is written, so constants are put together again.
                if constant {
                    let values = parts.into_iter().filter_map(|(key, part)| Some((key, part.into_constant()?)));
                    Part::Constant(Value::Object(values.collect()))
                } else {
                    Part::Object(parts)
                }
            }
            other => Part::Constant(other.clone()),
        }
    }

    fn child(&mut self, key: impl ToString, value: &Value) -> Part {
        self.path.push(key.to_string());
        let part = self.part(value);
        self.path.pop();
        part
    }

    fn string(&mut self, text: &str) -> Part {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("${") {
            let start = at + found;
            if text[at..start].ends_with('$') {
                literal.push_str(&text[at..start - 1]);
                literal.push_str("${");
                at = start + 2;
                continue;
            }
            literal.push_str(&text[at..start]);
            let offset = start + 2;
            let Some(length) = lex::closing_brace(&text[offset..]) else {
                // What is inside says more than "no end", an unfinished string for example.
                let error = Expr::compile(&text[offset..]).err().filter(|error| error.message.contains("no end"));
                let error = error.unwrap_or_else(|| {
                    ExprError::compile_time(0, "`${` has no closing `}`; write `$${` for the two characters themselves")
                });
                let inner = error.offset.unwrap_or(0);
                self.problem(Some(if inner == 0 { start } else { offset + inner }), error);
                return Part::Constant(Value::Null);
            };
            match Expr::compile(&text[offset..offset + length]) {
                Ok(expr) => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Value(Placed { offset, expr }));
                }
                Err(error) => self.problem(Some(offset + error.offset.unwrap_or(0)), error),
            }
            at = offset + length + 1;
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        match pieces.pop() {
            None => Part::Constant(Value::String(String::new())),
            Some(Piece::Literal(only)) if pieces.is_empty() => Part::Constant(Value::String(only)),
            Some(Piece::Value(only)) if pieces.is_empty() => Part::Whole(only),
            Some(last) => {
                pieces.push(last);
                Part::Text(pieces)
            }
        }
    }

    fn problem(&mut self, offset: Option<usize>, error: ExprError) {
        self.problems.push(TemplateProblem { path: self.path.clone(), offset, error });
    }
}

impl Part {
    fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    fn into_constant(self) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value),
            _ => None,
        }
    }
}
