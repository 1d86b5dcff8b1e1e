//! One operator call as the table sees it when a model is loaded: what is known of its inputs, its attributes, and what
//! a builder gives back.
//!
//! Every attribute that a builder does not ask for is a reason to refuse the call: an attribute that nobody has looked
//! at would be one that nobody has proved.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::kernel::{Fault, Inputs, Kernel, Run};
use crate::load::{Body, Enclosing};
use crate::proto::{AttributeProto, NodeProto};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Type, Value};

/// What a builder gives.
pub(crate) type Built = Result<Plan, Unsupported>;

/// A kernel, and the type of each of its outputs.
pub(crate) struct Plan {
    pub(crate) kernel: Box<dyn Kernel>,
    pub(crate) outputs: Vec<Type>,
    /// Values of the surrounding graph that subgraphs use, in the order in which the kernel finds them after the inputs
    /// of the call.
    pub(crate) captures: Vec<String>,
    /// Whether the same inputs always give the same outputs, so that it may be computed once when they are constant.
    pub(crate) folds: bool,
}

impl Plan {
    /// A plan with a function as its kernel.
    pub(crate) fn new(
        outputs: impl Into<Vec<Type>>,
        kernel: impl Fn(&mut Inputs<'_>, &Run<'_>) -> Result<Vec<Value>, Fault> + Send + Sync + 'static,
    ) -> Built {
        Ok(Self { kernel: Box::new(kernel), outputs: outputs.into(), captures: Vec::new(), folds: true })
    }
}

/// What is known of an input when the model is loaded.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) ty: Type,
    /// Its value when it is a constant.
    pub(crate) value: Option<Value>,
}

/// A call.
pub(crate) struct Node<'a> {
    /// The operator.
    pub(crate) op: &'a str,
    /// The version of its set that the model imports.
    pub(crate) opset: i64,
    inputs: Vec<Option<Known>>,
    outputs: Vec<bool>,
    attributes: RefCell<BTreeMap<&'a str, &'a AttributeProto>>,
    enclosing: &'a Enclosing<'a>,
}

macro_rules! attribute {
    ($(#[$doc:meta])* $get:ident, $kind:literal, $number:literal, $type:ty, $attribute:ident => $value:expr) => {
        $(#[$doc])*
        pub(crate) fn $get(&self, name: &str) -> Result<Option<$type>, Unsupported> {
            let Some($attribute) = self.attribute(name, $kind, $number)? else { return Ok(None) };
            Ok($value)
        }
    };
}

impl<'a> Node<'a> {
    pub(crate) fn new(
        node: &'a NodeProto,
        opset: i64,
        inputs: Vec<Option<Known>>,
        enclosing: &'a Enclosing<'a>,
    ) -> Result<Self, Unsupported> {
        let mut attributes = BTreeMap::new();
        for attribute in &node.attribute {
            let name = attribute.name.as_deref().unwrap_or_default();
            if attributes.insert(name, attribute).is_some() {
                return unsupported(format!("the attribute {name:?} is given twice"));
            }
        }
        let outputs = node.output.iter().map(|name| !name.is_empty()).collect();
        let op = node.op_type.as_deref().unwrap_or_default();
        Ok(Self { op, opset, inputs, outputs, attributes: RefCell::new(attributes), enclosing })
    }

    /// Attributes that no builder has asked for.
    pub(crate) fn left_over(&self) -> Option<String> {
        self.attributes.borrow().keys().next().map(|name| (*name).to_owned())
    }

    /// Holds the number of inputs (left-out ones at the end do not count) and of outputs to what is proved.
    pub(crate) fn arity(&self, least: usize, most: usize, outputs: usize) -> Result<(), Unsupported> {
        let given = self.inputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        if given < least || given > most {
            return unsupported(format!("it has {given} inputs: {least} to {most} are known"));
        }
        if self.inputs.iter().take(least).any(Option::is_none) {
            return unsupported("an input that is needed is left out");
        }
        let asked = self.outputs.iter().rposition(|asked| *asked).map_or(0, |last| last + 1);
        if asked > outputs {
            return unsupported(format!("its output number {asked} is asked for: {outputs} are known"));
        }
        Ok(())
    }

    /// Number of inputs, left-out ones in between included.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Number of outputs that have a name in the model.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// Whether somebody asks for an output.
    pub(crate) fn asks(&self, output: usize) -> bool {
        self.outputs.get(output).copied().unwrap_or(false)
    }

    /// Whether an input is given.
    pub(crate) fn has(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(Option::is_some)
    }

    /// The type of an input, which must be one of those that are proved.
    pub(crate) fn ty(&self, input: usize, proved: &[Type]) -> Result<Type, Unsupported> {
        match self.optional(input, proved)? {
            Some(ty) => Ok(ty),
            None => unsupported(format!("its input {input} is left out")),
        }
    }

    /// The same for an input that may be left out.
    pub(crate) fn optional(&self, input: usize, proved: &[Type]) -> Result<Option<Type>, Unsupported> {
        let Some(known) = self.inputs.get(input).and_then(Option::as_ref) else { return Ok(None) };
        if proved.contains(&known.ty) {
            return Ok(Some(known.ty));
        }
        let names: Vec<_> = proved.iter().map(|ty| ty.name()).collect();
        unsupported(format!("its input {input} is {}: {} can be computed exactly", known.ty.name(), names.join(", ")))
    }

    /// The one type of all inputs.
    pub(crate) fn one_type(&self, proved: &[Type]) -> Result<Type, Unsupported> {
        let first = self.ty(0, proved)?;
        for input in 1..self.inputs.len() {
            if self.optional(input, proved)?.is_some_and(|other| other != first) {
                return unsupported("its inputs are of different types");
            }
        }
        Ok(first)
    }

    /// The value of an input that is a constant.
    pub(crate) fn constant(&self, input: usize) -> Option<&Value> {
        self.inputs.get(input)?.as_ref()?.value.as_ref()
    }

    /// The value of an input that is a constant, where the kernel may lay out as many bytes anew.
    pub(crate) fn prepared(&self, input: usize) -> Option<&Value> {
        self.constant(input).filter(|value| self.enclosing.prepares(value.bytes()))
    }

    fn attribute(&self, name: &str, kind: &str, number: i32) -> Result<Option<&'a AttributeProto>, Unsupported> {
        let Some(attribute) = self.attributes.borrow_mut().remove(name) else { return Ok(None) };
        if attribute.ref_attr_name.is_some() {
            return unsupported(format!("the attribute {name:?} refers to one of a function"));
        }
        // Files of the first years leave the type out.
        if attribute.r#type.is_some_and(|given| given != 0 && given != number) {
            return unsupported(format!("the attribute {name:?} is not {kind}"));
        }
        Ok(Some(attribute))
    }

    attribute!(
        /// An integer attribute.
        int, "an integer", 2, i64, attribute => Some(attribute.i.unwrap_or_default())
    );
    attribute!(
        /// A float attribute.
        float, "a float", 1, f32, attribute => Some(attribute.f.unwrap_or_default())
    );
    attribute!(
        /// Integers.
        ints, "a list of integers", 7, &'a [i64], attribute => Some(&attribute.ints)
    );
    attribute!(
        /// Floats.
        floats, "a list of floats", 6, &'a [f32], attribute => Some(&attribute.floats)
    );

    /// A text attribute.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Unsupported> {
        let Some(attribute) = self.attribute(name, "a text", 3)? else { return Ok(None) };
        let bytes = attribute.s.as_deref().unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| format!("the attribute {name:?} is not UTF-8"))?;
        Ok(Some(text.to_owned()))
    }

    /// Texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Unsupported> {
        let Some(attribute) = self.attribute(name, "a list of texts", 8)? else { return Ok(None) };
        let text = |bytes: &prost::bytes::Bytes| std::str::from_utf8(bytes).map(str::to_owned);
        let texts: Result<Vec<_>, _> = attribute.strings.iter().map(text).collect();
        texts.map(Some).map_err(|_| format!("the attribute {name:?} is not UTF-8").into())
    }

    /// A tensor attribute.
    pub(crate) fn tensor(&self, name: &str) -> Result<Option<Value>, Unsupported> {
        let Some(attribute) = self.attribute(name, "a tensor", 4)? else { return Ok(None) };
        let tensor = attribute.t.as_ref().ok_or_else(|| format!("the attribute {name:?} holds no tensor"))?;
        Ok(Some(self.enclosing.constant(tensor)?))
    }

    /// A flag: an integer that is 0 or 1, 0 when it is not given.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Unsupported> {
        match self.int(name)? {
            None | Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(other) => unsupported(format!("the attribute {name:?} is {other}, not 0 or 1")),
        }
    }

    /// A subgraph whose inputs have these types. Refusals within it are told by the loader; here it then fails as a
    /// whole.
    pub(crate) fn graph(&self, name: &str, inputs: &[Type]) -> Result<Body, Unsupported> {
        let attribute = self.attribute(name, "a graph", 5)?;
        let graph = attribute.and_then(|attribute| attribute.g.as_ref());
        let graph = graph.ok_or_else(|| format!("it has no subgraph {name:?}"))?;
        self.enclosing.body(graph, inputs)
    }
}
