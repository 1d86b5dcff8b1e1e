//! The tree that is evaluated: the parser's tree with names resolved and macros recognised.

use regex::Regex;

use super::functions::Function;

/// One expression.
#[derive(Debug)]
pub(super) enum Ir {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Text(Box<str>),
    Root(Root),
    /// A name that nothing declares. The loader refuses it; without a loader it fails when it is reached.
    Unknown(Box<str>),
    /// The variable of an enclosing macro, counted from the outermost.
    Local(usize),
    Field(Box<Ir>, Box<str>),
    Has(Box<Ir>, Box<str>),
    Index(Box<[Ir; 2]>),
    Not(Box<Ir>),
    Negate(Box<Ir>),
    And(Box<[Ir; 2]>),
    Or(Box<[Ir; 2]>),
    If(Box<[Ir; 3]>),
    Binary(BinaryOp, Box<[Ir; 2]>),
    List(Vec<Ir>),
    Map(Vec<(Ir, Ir)>),
    Call(Function, Vec<Ir>),
    Matches(Box<Ir>, Box<Regex>),
    Fold(Box<Fold>),
}

/// The documents that expressions can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Params,
    Trigger,
    Steps,
    Run,
    Item,
    Index,
    Matrix,
    Requires,
    Event,
}

impl Root {
    const ALL: [(&'static str, Self); 9] = [
        ("params", Self::Params),
        ("trigger", Self::Trigger),
        ("steps", Self::Steps),
        ("run", Self::Run),
        ("item", Self::Item),
        ("index", Self::Index),
        ("matrix", Self::Matrix),
        ("requires", Self::Requires),
        ("event", Self::Event),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, root)| *root)
    }

    /// Whether a name directly below it is null when it has no value. The keys of an item are data: one that is missing
    /// is an error there.
    pub(super) fn is_open(self) -> bool {
        !matches!(self, Self::Item | Self::Index)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Params => "params",
            Self::Trigger => "trigger",
            Self::Steps => "steps",
            Self::Run => "run",
            Self::Item => "item",
            Self::Index => "index",
            Self::Matrix => "matrix",
            Self::Requires => "requires",
            Self::Event => "event",
        }
    }
}

/// Operators that need the values of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinaryOp {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    In,
}

impl BinaryOp {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::In => "in",
        }
    }
}

/// A macro over the elements of a list or the keys of a map.
#[derive(Debug)]
pub(super) struct Fold {
    pub(super) kind: FoldKind,
    pub(super) range: Ir,
    /// The third form of `map`: only elements for which this holds. For `filter`, its condition.
    pub(super) filter: Option<Ir>,
    /// The predicate, or what `map` makes of an element.
    pub(super) body: Ir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoldKind {
    All,
    Exists,
    ExistsOne,
    /// Also `filter`, whose body is the element itself.
    Collect,
}
