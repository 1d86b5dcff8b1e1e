//! From the parser's tree to [`Ir`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::{
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr as Ast, IdedExpr, LiteralValue, operators},
    parser::{ParseErrors, PrattParser, pratt_parser::Token},
};

use super::{
    error::ExprError,
    functions::{self, Function},
    ir::{BinaryOp, Fold, FoldKind, Ir, Root},
    lex,
};

/// Deepest tree that is evaluated; keeps the evaluator's use of the stack small.
const MAX_DEPTH: usize = 100;

/// Macros inside macros: the work grows with the power of this.
const MAX_MACRO_NESTING: usize = 2;

/// A name outside of an expression that the expression uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The segments that are known without data: `steps.score.outputs["y"][0]` gives `steps`, `score`, `outputs`, `y`.
    pub path: Vec<String>,
    /// Where it stands in the text, in bytes.
    pub offset: usize,
}

pub(super) struct Lowered {
    pub(super) ir: Ir,
    pub(super) names: Vec<Name>,
}

pub(super) fn compile(text: &str) -> Result<Lowered, ExprError> {
    let tokens = lex::tokens(text)?;
    // The token pass has refused everything the parser is known to trip over; should it ever panic, that is one bad
    // expression and not the end of the process.
    let parsed = catch_unwind(AssertUnwindSafe(|| PrattParser::new().max_recursion_depth(64).parse(text)));
    let ast = match parsed {
        Ok(Ok(ast)) => ast,
        Ok(Err(errors)) => return Err(syntax_error(text, &errors)),
        Err(_) => return Err(ExprError::compile_time(0, "this is no expression")),
    };
    let mut lowering = Lowering { text, tokens: &tokens, variables: Vec::new(), names: Vec::new(), depth: 0 };
    let ir = lowering.expr(&ast, Names::Record)?;
    let mut names = lowering.names;
    names.sort_by_key(|name| name.offset);
    Ok(Lowered { ir, names })
}

fn syntax_error(text: &str, errors: &ParseErrors) -> ExprError {
    let Some(first) = errors.errors.first() else {
        return ExprError::compile_time(0, "this is no expression");
    };
    let (line, column) = (usize::try_from(first.pos.0).unwrap_or(1), usize::try_from(first.pos.1).unwrap_or(1));
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut offset = (line_start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let rest = &text[offset..];
    let message = first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg);
    let message = if message.contains("recursion limit") {
        "the expression is nested too deeply: split it into several steps".to_owned()
    } else if rest.is_empty() {
        "the expression ends too early".to_owned()
    } else if rest.starts_with('=') {
        "`=` does not exist here: write `==` to compare".to_owned()
    } else if let Some(word) = message.strip_prefix("reserved identifier: ") {
        format!("`{word}` is a reserved word")
    } else if message.starts_with("mismatched input") || message == "unexpected token" {
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').take(40).collect();
        let found = if word.is_empty() { rest.chars().take(1).collect() } else { word };
        format!("unexpected `{found}`")
    } else {
        message.to_owned()
    };
    ExprError::compile_time(offset, message)
}

/// Whether a chain of selections is a name of its own or the inside of a longer one that was recorded already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Record,
    Known,
}

struct Lowering<'a> {
    text: &'a str,
    tokens: &'a [Token],
    /// Macro variables in scope, outermost first.
    variables: Vec<String>,
    names: Vec<Name>,
    depth: usize,
}

impl Lowering<'_> {
    fn expr(&mut self, node: &IdedExpr, names: Names) -> Result<Ir, ExprError> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse("the expression is nested too deeply: split it into several steps"));
        }
        self.depth += 1;
        let ir = self.expr_inner(node, names);
        self.depth -= 1;
        ir
    }

    fn expr_inner(&mut self, node: &IdedExpr, names: Names) -> Result<Ir, ExprError> {
        let below = if names == Names::Record && self.record(node) { Names::Known } else { names };
        match &node.expr {
            Ast::Literal(literal) => self.literal(literal),
            Ast::Ident(name) => Ok(self.ident(name)),
            Ast::Select(select) => {
                let of = Box::new(self.expr(&select.operand, below)?);
                let field = select.field.as_str().into();
                Ok(if select.test { Ir::Has(of, field) } else { Ir::Field(of, field) })
            }
            Ast::Call(call) => self.call(call, below),
            Ast::List(list) => {
                let items = list.elements.iter().map(|item| self.expr(item, Names::Record));
                Ok(Ir::List(items.collect::<Result<_, _>>()?))
            }
            Ast::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries.len());
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return Err(self.refuse("this map is not understood"));
                    };
                    entries.push((self.expr(&entry.key, Names::Record)?, self.expr(&entry.value, Names::Record)?));
                }
                Ok(Ir::Map(entries))
            }
            Ast::Comprehension(fold) => self.fold(fold),
            Ast::Struct(_) => Err(self.refuse("messages do not exist here: write a map, {\"key\": value}")),
            Ast::Unspecified => Err(self.refuse("this is no expression")),
        }
    }

    fn literal(&self, literal: &LiteralValue) -> Result<Ir, ExprError> {
        Ok(match literal {
            LiteralValue::Null => Ir::Null,
            LiteralValue::Boolean(value) => Ir::Bool(*value.inner()),
            LiteralValue::Int(value) => Ir::Int(*value.inner()),
            LiteralValue::UInt(value) => Ir::UInt(*value.inner()),
            LiteralValue::Double(value) => Ir::Double(*value.inner()),
            LiteralValue::String(value) => Ir::Text(value.inner().into()),
            LiteralValue::Bytes(_) => return Err(self.refuse("bytes do not exist in JSON: write a string")),
        })
    }

    fn ident(&self, name: &str) -> Ir {
        if let Some(slot) = self.variables.iter().rposition(|variable| variable == name) {
            return Ir::Local(slot);
        }
        Root::named(name.trim_start_matches('.')).map_or_else(|| Ir::Unknown(name.into()), Ir::Root)
    }

    fn call(&mut self, call: &CallExpr, below: Names) -> Result<Ir, ExprError> {
        if call.target.is_none()
            && let Some(operator) = self.operator(call, below)?
        {
            return Ok(operator);
        }
        let name = call.func_name.as_str();
        let operands: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        if name == "matches" {
            let [text, pattern] = operands.as_slice() else {
                return Err(self.refuse_at(name, "`matches` takes a text and a pattern: text.matches('^a+$')"));
            };
            let Ast::Literal(LiteralValue::String(pattern)) = &pattern.expr else {
                return Err(self.refuse_at(name, "the pattern of `matches` must be a literal text"));
            };
            let regex =
                functions::pattern(pattern.inner()).map_err(|reason| self.refuse_at(name, reason.to_string()))?;
            return Ok(Ir::Matches(Box::new(self.expr(text, Names::Record)?), Box::new(regex)));
        }
        let Some(function) = Function::named(name) else {
            return Err(self.refuse_at(name, functions::unknown(name)));
        };
        if !function.takes(call.target.is_some(), operands.len()) {
            return Err(self.refuse_at(name, format!("write {}", function.usage())));
        }
        let operands = operands.into_iter().map(|operand| self.expr(operand, Names::Record));
        Ok(Ir::Call(function, operands.collect::<Result<_, _>>()?))
    }

    fn operator(&mut self, call: &CallExpr, below: Names) -> Result<Option<Ir>, ExprError> {
        let binary = match call.func_name.as_str() {
            operators::EQUALS => BinaryOp::Equal,
            operators::NOT_EQUALS => BinaryOp::NotEqual,
            operators::LESS => BinaryOp::Less,
            operators::LESS_EQUALS => BinaryOp::LessEqual,
            operators::GREATER => BinaryOp::Greater,
            operators::GREATER_EQUALS => BinaryOp::GreaterEqual,
            operators::ADD => BinaryOp::Add,
            operators::SUBSTRACT => BinaryOp::Subtract,
            operators::MULTIPLY => BinaryOp::Multiply,
            operators::DIVIDE => BinaryOp::Divide,
            operators::MODULO => BinaryOp::Remainder,
            operators::IN => BinaryOp::In,
            other => return self.special_operator(other, call, below),
        };
        Ok(match call.args.as_slice() {
            [left, right] => Some(Ir::Binary(binary, self.pair(left, right, Names::Record)?)),
            _ => None,
        })
    }

    fn special_operator(&mut self, name: &str, call: &CallExpr, below: Names) -> Result<Option<Ir>, ExprError> {
        Ok(Some(match (name, call.args.as_slice()) {
            (operators::LOGICAL_AND, [left, right]) => Ir::And(self.pair(left, right, Names::Record)?),
            (operators::LOGICAL_OR, [left, right]) => Ir::Or(self.pair(left, right, Names::Record)?),
            (operators::LOGICAL_NOT, [of]) => Ir::Not(Box::new(self.expr(of, Names::Record)?)),
            (operators::NEGATE, [of]) => Ir::Negate(Box::new(self.expr(of, Names::Record)?)),
            (operators::INDEX, [of, index]) => {
                Ir::Index(Box::new([self.expr(of, below)?, self.expr(index, Names::Record)?]))
            }
            (operators::CONDITIONAL, [condition, yes, no]) => Ir::If(Box::new([
                self.expr(condition, Names::Record)?,
                self.expr(yes, Names::Record)?,
                self.expr(no, Names::Record)?,
            ])),
            _ => return Ok(None),
        }))
    }

    fn pair(&mut self, left: &IdedExpr, right: &IdedExpr, names: Names) -> Result<Box<[Ir; 2]>, ExprError> {
        Ok(Box::new([self.expr(left, names)?, self.expr(right, names)?]))
    }

    /// The parser has expanded the macros; what each expands to is fixed, so the shape says which one was written.
    fn fold(&mut self, fold: &ComprehensionExpr) -> Result<Ir, ExprError> {
        if self.variables.len() == MAX_MACRO_NESTING {
            return Err(self.refuse("macros (all, exists, map, filter …) may be nested two deep: use a plugin step"));
        }
        let range = self.expr(&fold.iter_range, Names::Record)?;
        let Ast::Call(step) = &fold.loop_step.expr else {
            return Err(self.refuse("this macro is not understood"));
        };
        self.variables.push(fold.iter_var.clone());
        let parts = self.fold_parts(&fold.accu_init.expr, step);
        self.variables.pop();
        let (kind, filter, body) = parts?;
        Ok(Ir::Fold(Box::new(Fold { kind, range, filter, body })))
    }

    fn fold_parts(&mut self, start: &Ast, step: &CallExpr) -> Result<(FoldKind, Option<Ir>, Ir), ExprError> {
        match (start, step.func_name.as_str(), step.args.as_slice()) {
            (Ast::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_AND, [_, test]) => {
                Ok((FoldKind::All, None, self.expr(test, Names::Record)?))
            }
            (Ast::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_OR, [_, test]) => {
                Ok((FoldKind::Exists, None, self.expr(test, Names::Record)?))
            }
            (Ast::Literal(LiteralValue::Int(_)), operators::CONDITIONAL, [test, _, _]) => {
                Ok((FoldKind::ExistsOne, None, self.expr(test, Names::Record)?))
            }
            (Ast::List(_), operators::CONDITIONAL, [test, yes, _]) => {
                let filter = self.expr(test, Names::Record)?;
                Ok((FoldKind::Collect, Some(filter), self.collected(yes)?))
            }
            (Ast::List(_), operators::ADD, [_, _]) => {
                let body = match step.args.as_slice() {
                    [_, item] => self.single_item(item)?,
                    _ => return Err(self.refuse("this macro is not understood")),
                };
                Ok((FoldKind::Collect, None, body))
            }
            _ => Err(self.refuse("this macro is not understood")),
        }
    }

    fn collected(&mut self, appended: &IdedExpr) -> Result<Ir, ExprError> {
        match &appended.expr {
            Ast::Call(CallExpr { args, .. }) if args.len() == 2 => self.single_item(&args[1]),
            _ => Err(self.refuse("this macro is not understood")),
        }
    }

    fn single_item(&mut self, list: &IdedExpr) -> Result<Ir, ExprError> {
        match &list.expr {
            Ast::List(list) if list.elements.len() == 1 => self.expr(&list.elements[0], Names::Record),
            _ => Err(self.refuse("this macro is not understood")),
        }
    }

    /// Remembers the name that `node` spells, if it spells one.
    fn record(&mut self, node: &IdedExpr) -> bool {
        let Some(path) = self.path_of(node) else { return false };
        if !self.names.iter().any(|name| name.path == path) {
            let offset = lex::place_of(self.text, self.tokens, &path);
            self.names.push(Name { path, offset });
        }
        true
    }

    fn path_of(&self, node: &IdedExpr) -> Option<Vec<String>> {
        let mut segments = Vec::new();
        let mut node = node;
        loop {
            match &node.expr {
                Ast::Ident(name) if !self.variables.contains(name) => {
                    segments.push(name.trim_start_matches('.').to_owned());
                    segments.reverse();
                    return Some(segments);
                }
                Ast::Select(select) => {
                    segments.push(select.field.clone());
                    node = &select.operand;
                }
                Ast::Call(call) if call.func_name == operators::INDEX && call.target.is_none() => {
                    let [of, index] = call.args.as_slice() else { return None };
                    let Ast::Literal(LiteralValue::String(key)) = &index.expr else { return None };
                    segments.push(key.inner().to_owned());
                    node = of;
                }
                _ => return None,
            }
        }
    }

    fn refuse(&self, message: &str) -> ExprError {
        ExprError::compile_time(0, message)
    }

    /// An error at the first place where `word` is written.
    fn refuse_at(&self, word: &str, message: impl Into<String>) -> ExprError {
        let spelled = |token: &&Token| self.text.get(token.start..token.end) == Some(word);
        let offset = self.tokens.iter().find(spelled).map_or(0, |token| token.start);
        ExprError::compile_time(offset, message)
    }
}
