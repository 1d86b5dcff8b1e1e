//! The inputs and outputs of a graph: which of them Trackside can carry, and what to do about the others.

use std::collections::{BTreeSet, HashSet};
use trackside_codes::Reason;

use serde::{Deserialize, Serialize};
use trackside_spec::ElementType;

use super::proto::{MapTypeProto, ModelProto, TypeProto, ValueInfoProto, data_type};
use crate::output::{Form, JsonPort, MapForm, OutputPort};
use crate::port::{LeftOut, Port};

/// Since this version of the intermediate representation, an initializer that is listed as an input is its default; before
/// it every initializer had to be listed. ONNX Runtime goes by the same number.
const DEFAULTS_SINCE: i64 = 4;

/// An input or output as the file declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortInspection {
    /// Its name.
    pub name: String,
    /// `float32`, `sequence(map(int64,float32))`, or what it is that Trackside cannot carry.
    pub kind: String,
    /// The element type of a tensor; `None` for what is none, or holds what Trackside cannot carry.
    pub element: Option<ElementType>,
    /// What it is when it is no tensor and comes out as JSON.
    #[serde(skip)]
    pub form: Option<Form>,
    /// The shape; `None` when not even the rank is declared.
    pub shape: Option<Vec<Dim>>,
    /// Whether it is an input that may be left out: the file holds its default.
    pub optional: bool,
}

/// One dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dim {
    /// Always this size.
    Fixed(u32),
    /// Any size, the same wherever the name stands.
    Symbol(String),
    /// Any size.
    Any,
}

/// What a model takes and gives, as far as it can be carried.
pub(crate) struct Declared {
    /// What a caller must or may give.
    pub(crate) inputs: Vec<Port>,
    /// The outputs.
    pub(crate) outputs: Vec<OutputPort>,
    /// The outputs that cannot be carried.
    pub(crate) left_out: Vec<LeftOut>,
}

/// Whether an initializer that is listed as an input is its default, and no constant.
pub(super) fn are_defaults(model: &ModelProto) -> bool {
    model.ir_version.unwrap_or(0) >= DEFAULTS_SINCE
}

/// The inputs and outputs of `model`.
///
/// # Errors
/// One or two sentences: an input that cannot be carried, a name that stands twice, no output that can be carried.
pub(crate) fn ports(model: &ModelProto) -> Result<Declared, Reason> {
    let graph = model.graph.as_ref().ok_or_else(|| "it holds no graph".to_owned())?;
    let mut wanted = Vec::new();
    for port in inputs(model) {
        match Port::of(&port) {
            Some(port) => wanted.push(port),
            // Its default, which nobody can replace, does.
            None if port.optional => {}
            None => {
                let (name, kind, way) = (&port.name, article(&port.kind), way_in(&port.kind));
                return Err(
                    format!("its input {name:?} is {kind}, which Trackside cannot give to a model. {way}").into()
                );
            }
        }
    }
    let (mut given, mut left_out) = (Vec::new(), Vec::new());
    for value in &graph.output {
        let port = output(value);
        match (Port::of(&port), port.form) {
            (Some(port), _) => given.push(OutputPort::Tensor(port)),
            (None, Some(form)) => given.push(OutputPort::Json(JsonPort { name: port.name, form })),
            (None, None) => left_out.push(LeftOut { way: way_out(&port), name: port.name, kind: port.kind }),
        }
    }
    let mut names = BTreeSet::new();
    let names_given = given.iter().map(|port| ("output", port.name()));
    for name in wanted.iter().map(|port| ("input", port.name.as_str())).chain(names_given) {
        if name.1.is_empty() || !names.insert(name) {
            return Err(format!("its {} name {:?} is empty or stands twice. Export it again", name.0, name.1).into());
        }
    }
    if given.is_empty() {
        let kinds: Vec<_> = left_out.iter().map(|port| format!("{:?} is {}", port.name, article(&port.kind))).collect();
        let what = if kinds.is_empty() { "it has none".to_owned() } else { kinds.join(", ") };
        let ways: BTreeSet<&str> = left_out.iter().map(|port| port.way).collect();
        let ways = ways.into_iter().collect::<Vec<_>>().join(". ");
        return Err(format!("it gives nothing that Trackside can take from a model: {what}. {ways}").trim_end().into());
    }
    Ok(Declared { inputs: wanted, outputs: given, left_out })
}

/// What a caller must or may give. An initializer that is no default is not listed.
pub(super) fn inputs(model: &ModelProto) -> Vec<PortInspection> {
    let Some(graph) = &model.graph else { return Vec::new() };
    let initialised: HashSet<&str> = graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()).collect();
    let defaults = are_defaults(model);
    let ports = graph.input.iter().map(|value| {
        let port = output(value);
        PortInspection { optional: initialised.contains(port.name.as_str()), ..port }
    });
    ports.filter(|port| defaults || !port.optional).collect()
}

/// An output, or an input without a default.
pub(super) fn output(value: &ValueInfoProto) -> PortInspection {
    let name = value.name.clone().unwrap_or_default();
    let optional = false;
    let undeclared = "value of undeclared type";
    let Some(kind) = &value.r#type else {
        return PortInspection { name, kind: undeclared.to_owned(), element: None, form: None, shape: None, optional };
    };
    if let Some(form) = form(kind) {
        return PortInspection { name, kind: form.name(), element: None, form: Some(form), shape: None, optional };
    }
    let other = [
        (kind.sequence_type.is_some(), "sequence"),
        (kind.map_type.is_some(), "map"),
        (kind.sparse_tensor_type.is_some(), "sparse tensor"),
        (kind.optional_type.is_some(), "optional value"),
    ];
    let Some(tensor) = &kind.tensor_type else {
        let kind = other.iter().find(|(is, _)| *is).map_or(undeclared, |(_, name)| name);
        return PortInspection { name, kind: kind.to_owned(), element: None, form: None, shape: None, optional };
    };
    let number = tensor.elem_type.unwrap_or(0);
    let shape = tensor.shape.as_ref().map(|shape| {
        let dims = shape.dim.iter();
        dims.map(|dim| match (dim.dim_value.map(u32::try_from), &dim.dim_param) {
            (Some(Ok(size)), _) => Dim::Fixed(size),
            (_, Some(symbol)) if !symbol.is_empty() => Dim::Symbol(symbol.clone()),
            _ => Dim::Any,
        })
        .collect()
    });
    let kind = if number == 0 { undeclared } else { data_type::name(number) };
    PortInspection { name, kind: kind.to_owned(), element: element(number), form: None, shape, optional }
}

/// `a sequence`, `an int4 tensor`.
pub(crate) fn article(kind: &str) -> String {
    let is_element =
        !matches!(kind, "sequence" | "map" | "sparse tensor" | "optional value" | "value of undeclared type")
            && !kind.contains('(');
    let what = if is_element { format!("{kind} tensor") } else { kind.to_owned() };
    let article = if what.starts_with(['a', 'e', 'i', 'o']) || what.starts_with("undefined") { "an" } else { "a" };
    format!("{article} {what}")
}

/// What to do about an input of this kind.
fn way_in(kind: &str) -> &'static str {
    match kind {
        kind if kind.starts_with("map") => {
            "Export the model with a tensor input that holds the map's values in a fixed order"
        }
        kind if kind.starts_with("sequence") => {
            "Export the model with one tensor input for each element, or with one tensor that holds them all"
        }
        "optional value" => {
            "Export the model with an ordinary tensor input; one that has an initializer of its name may be left out"
        }
        "sparse tensor" => "Export the model with a dense tensor input",
        "value of undeclared type" => "Export the model again with the types of its inputs",
        kind if kind.starts_with("complex") => {
            "Export the model with a float32 or float64 input whose last dimension holds the two parts"
        }
        kind if kind.starts_with("float") => {
            "Let the input be float32 or float16 and begin the graph with a `Cast` to this type"
        }
        _ => "Let the input be int8 or uint8 and begin the graph with a `Cast` to this type",
    }
}

/// What to do about an output of this kind.
fn way_out(port: &PortInspection) -> &'static str {
    match port.kind.as_str() {
        "sequence" => {
            "End the graph with `ConcatFromSequence` or `SequenceAt`, or declare the type of its elements: one of tensors of \
             ordinary numbers or texts, or of maps to these, can be carried"
        }
        "map" => "Export the model so that it gives the map's values as a tensor",
        "optional value" => "End the graph with `OptionalGetElement`",
        "sparse tensor" => "End the graph with a dense tensor",
        "value of undeclared type" => "Export the model again with the types of its outputs",
        kind if kind.starts_with("complex") => "End the graph with its real and imaginary parts",
        kind if kind.starts_with("float") => "End the graph with a `Cast` to float32 or float16",
        _ => "End the graph with a `Cast` to int8 or uint8",
    }
}

/// What an output is that is no tensor, if it can be told as JSON.
fn form(kind: &TypeProto) -> Option<Form> {
    fn tensor(kind: &TypeProto) -> Option<ElementType> {
        element(kind.tensor_type.as_ref()?.elem_type?)
    }
    fn map(map: &MapTypeProto) -> Option<MapForm> {
        let key = element(map.key_type?).filter(|key| matches!(key, ElementType::Int64 | ElementType::Text))?;
        // Those that ONNX Runtime has.
        let value = tensor(map.value_type.as_ref()?)
            .filter(|value| matches!(value, ElementType::Int64 | ElementType::Float32 | ElementType::Float64))?;
        Some(MapForm { key, value })
    }
    if let Some(own) = &kind.map_type {
        return map(own).map(Form::Map);
    }
    let of = kind.sequence_type.as_ref()?.elem_type.as_ref()?;
    match &of.map_type {
        Some(own) => map(own).map(Form::Maps),
        None => tensor(of).map(Form::Tensors),
    }
}

/// The element type that a data type number stands for, if Trackside has it.
fn element(number: i32) -> Option<ElementType> {
    Some(match number {
        data_type::FLOAT => ElementType::Float32,
        data_type::UINT8 => ElementType::Uint8,
        data_type::INT8 => ElementType::Int8,
        data_type::UINT16 => ElementType::Uint16,
        data_type::INT16 => ElementType::Int16,
        data_type::INT32 => ElementType::Int32,
        data_type::INT64 => ElementType::Int64,
        data_type::STRING => ElementType::Text,
        data_type::BOOL => ElementType::Boolean,
        data_type::FLOAT16 => ElementType::Float16,
        data_type::DOUBLE => ElementType::Float64,
        data_type::UINT32 => ElementType::Uint32,
        data_type::UINT64 => ElementType::Uint64,
        data_type::BFLOAT16 => ElementType::Bfloat16,
        _ => return None,
    })
}
