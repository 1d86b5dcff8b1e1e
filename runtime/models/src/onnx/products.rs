//! Operators that multiply uint8 with int8: where a graph has them, and whether ONNX Runtime can be made to compute them
//! exactly on a processor without VNNI.
//!
//! ONNX Runtime has a setting, `session.x64quantprecision`, with which it turns constant int8 weights into uint8 ones when
//! it loads a model; uint8 times uint8 is exact everywhere. Measured with 1.31.1 on a processor without VNNI: it reaches
//! weights that are constants of the same graph, directly or through other constant nodes; not those that come from
//! outside, that a caller may replace, or that a subgraph takes from the graph around it. `ConvInteger` is exact with and
//! without it (168 shapes), and so is a pair of `QuantizeLinear` and `DequantizeLinear` on both sides of a product.

use std::collections::{HashMap, HashSet};

use super::inspect::{domain, element_of};
use super::ports::are_defaults;
use super::proto::{GraphProto, ModelProto, NodeProto, data_type};

/// Most operators that are named; the others are counted.
const NAMED: usize = 3;

/// The products of uint8 and int8 in a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Products {
    /// Those whose int8 side ONNX Runtime can replace when it loads the model.
    pub(crate) constant: Vec<String>,
    /// Those whose int8 side is known only when the model runs.
    pub(crate) open: Vec<String>,
}

impl Products {
    pub(crate) fn is_empty(&self) -> bool {
        self.constant.is_empty() && self.open.is_empty()
    }

    /// The operators in one line, the first few by name; those without a name of their own are counted.
    pub(crate) fn named(operators: &[String]) -> String {
        let mut counted: Vec<(&String, usize)> = Vec::new();
        for operator in operators {
            match counted.iter().position(|(known, _)| *known == operator) {
                Some(place) => counted[place].1 += 1,
                None if counted.len() < NAMED => counted.push((operator, 1)),
                None => {}
            }
        }
        let more = operators.len() - counted.iter().map(|(_, count)| count).sum::<usize>();
        let told =
            |(name, count): (&String, usize)| if count == 1 { name.clone() } else { format!("{name} ({count} times)") };
        let named = counted.into_iter().map(told).collect::<Vec<_>>().join(", ");
        if more == 0 { named } else { format!("{named} and {more} more") }
    }
}

/// Finds them. What is not known of an operand counts against it.
pub(crate) fn products(model: &ModelProto) -> Products {
    let mut finder = Finder { scopes: Vec::new(), found: Products::default() };
    if let Some(graph) = &model.graph {
        finder.graph(graph, are_defaults(model));
    }
    for function in &model.functions {
        // Its inputs are whatever it is called with: no types, no constants.
        finder.scopes.push(Scope::default());
        function.node.iter().for_each(|node| finder.node(node));
        finder.scopes.pop();
    }
    finder.found
}

/// What is known of the values of one graph.
#[derive(Default)]
struct Scope<'m> {
    types: HashMap<&'m str, i32>,
    constants: HashSet<&'m str>,
    /// Outputs of `DequantizeLinear` and what was dequantised.
    dequantised: HashMap<&'m str, &'m str>,
    /// Outputs of `QuantizeLinear`.
    quantised: HashSet<&'m str>,
}

struct Finder<'m> {
    /// The graph that is looked at last, those around it before.
    scopes: Vec<Scope<'m>>,
    found: Products,
}

/// Which inputs an operator multiplies: the uint8 side (`None` where the operator quantises it itself) and the int8 side.
fn operands(domain: &str, operator: &str) -> &'static [(Option<usize>, usize)] {
    match (domain, operator) {
        ("ai.onnx", "MatMulInteger") | ("com.microsoft", "MatMulIntegerToFloat" | "QAttention") => &[(Some(0), 1)],
        ("ai.onnx" | "com.microsoft", "QLinearMatMul" | "QLinearConv") | ("com.microsoft", "QGemm") => &[(Some(0), 3)],
        ("com.microsoft", "DynamicQuantizeMatMul") => &[(None, 1)],
        ("com.microsoft", "DynamicQuantizeLSTM") => &[(None, 1), (None, 2)],
        _ => &[],
    }
}

/// Operators that ONNX Runtime computes in integers when both sides were dequantised.
const FUSED: [&str; 3] = ["MatMul", "Gemm", "Conv"];

/// Operators that give the type of their first input.
const SAME_TYPE: [&str; 14] = [
    "Concat",
    "Expand",
    "Flatten",
    "Gather",
    "Identity",
    "MaxPool",
    "Pad",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

impl<'m> Finder<'m> {
    /// `defaults`: whether initializers that are listed as inputs may be replaced by the caller.
    fn graph(&mut self, graph: &'m GraphProto, defaults: bool) {
        let mut scope = Scope::default();
        let listed: HashSet<&str> = graph.input.iter().filter_map(|value| value.name.as_deref()).collect();
        for value in &graph.input {
            if let (Some(name), Some(element)) = (value.name.as_deref(), element_of(value)) {
                scope.types.insert(name, element);
            }
        }
        for tensor in &graph.initializer {
            let Some(name) = tensor.name.as_deref() else { continue };
            scope.types.insert(name, tensor.data_type.unwrap_or(0));
            if !(defaults && listed.contains(name)) {
                scope.constants.insert(name);
            }
        }
        self.scopes.push(scope);
        graph.node.iter().for_each(|node| self.node(node));
        self.scopes.pop();
    }

    fn node(&mut self, node: &'m NodeProto) {
        let domain = domain(node.domain.as_deref());
        let operator = node.op_type.as_deref().unwrap_or_default();
        let input = |index: usize| node.input.get(index).map(String::as_str).filter(|name| !name.is_empty());
        let mut sides = Vec::new();
        for (unsigned, signed) in operands(&domain, operator) {
            let Some(signed) = input(*signed) else { continue };
            let unsigned = unsigned.map(|index| input(index).and_then(|name| self.element(name)));
            if unsigned.is_none_or(|element| element.is_none_or(|element| element == data_type::UINT8)) {
                sides.push(signed);
            }
        }
        if domain == "ai.onnx" && FUSED.contains(&operator) {
            sides.extend(self.dequantised_side(input(0), input(1)));
        }
        sides.retain(|signed| self.element(signed).is_none_or(|element| element == data_type::INT8));
        if !sides.is_empty() {
            self.tell(node, operator, &sides);
        }
        self.learn(node, operator);
        for attribute in &node.attribute {
            attribute.g.iter().chain(&attribute.graphs).for_each(|graph| self.graph(graph, false));
        }
    }

    /// The element type of a value, as far as it is known.
    fn element(&self, name: &str) -> Option<i32> {
        self.scopes.iter().rev().find_map(|scope| scope.types.get(name).copied())
    }

    /// What was dequantised to be the second side of a product whose first side was dequantised too. A second side that is
    /// quantised while the model runs becomes uint8: exact.
    fn dequantised_side(&self, first: Option<&str>, second: Option<&str>) -> Option<&'m str> {
        let scope = self.scopes.last()?;
        scope.dequantised.get(first?)?;
        let side = *scope.dequantised.get(second?)?;
        (!scope.quantised.contains(side) || scope.constants.contains(side)).then_some(side)
    }

    fn tell(&mut self, node: &NodeProto, operator: &str, sides: &[&str]) {
        let label = match node.name.as_deref() {
            None | Some("") => operator.to_owned(),
            Some(name) => format!("{operator} {name:?}"),
        };
        let constant = |side: &&str| self.scopes.last().is_some_and(|scope| scope.constants.contains(side));
        let list = if sides.iter().all(constant) { &mut self.found.constant } else { &mut self.found.open };
        list.push(label);
    }

    /// What a node makes: the type of its first output, and whether it is a constant.
    fn learn(&mut self, node: &'m NodeProto, operator: &str) {
        let Some(output) = node.output.first().map(String::as_str) else { return };
        let input = |index: usize| node.input.get(index).map(String::as_str).filter(|name| !name.is_empty());
        let attribute = |wanted: &str| {
            let found = node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(wanted));
            found.and_then(|attribute| attribute.i).and_then(|number| i32::try_from(number).ok())
        };
        let like = |index: usize| input(index).and_then(|name| self.element(name));
        let element = match operator {
            "Constant" => node.attribute.iter().find_map(|attribute| attribute.t.as_ref()?.data_type),
            "Cast" => attribute("to"),
            "DynamicQuantizeLinear" => Some(data_type::UINT8),
            "QuantizeLinear" => {
                let declared = attribute("output_dtype").filter(|number| *number != 0);
                if input(2).is_some() { like(2) } else { declared.or(Some(data_type::UINT8)) }
            }
            "QLinearMatMul" | "QLinearConv" => like(7),
            "MatMulInteger" | "ConvInteger" => Some(data_type::INT32),
            name if SAME_TYPE.contains(&name) => like(0),
            _ => None,
        };
        let has_graph = node.attribute.iter().any(|attribute| attribute.g.is_some() || !attribute.graphs.is_empty());
        let Some(scope) = self.scopes.last_mut() else { return };
        let constant = |name: &String| name.is_empty() || scope.constants.contains(name.as_str());
        // What ONNX Runtime computes when it loads the model.
        let is_constant = !has_graph && node.input.iter().all(constant) && !operator.starts_with("Random");
        if is_constant {
            scope.constants.extend(node.output.iter().map(String::as_str));
        }
        if let Some(element) = element {
            scope.types.insert(output, element);
        }
        match operator {
            "DequantizeLinear" => drop(input(0).map(|from| scope.dequantised.insert(output, from))),
            "QuantizeLinear" => drop(scope.quantised.insert(output)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::{TensorProto, TensorTypeProto, TypeProto, ValueInfoProto};
    use super::*;

    fn value(name: &str, element: i32) -> ValueInfoProto {
        let tensor_type = Some(TensorTypeProto { elem_type: Some(element), shape: None });
        ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type, ..Default::default() }) }
    }

    fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            op_type: Some(operator.to_owned()),
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            ..Default::default()
        }
    }

    fn found(nodes: Vec<NodeProto>, inputs: &[(&str, i32)], constants: &[(&str, i32)]) -> (usize, usize) {
        let tensor = |(name, element): &(&str, i32)| TensorProto {
            name: Some((*name).to_owned()),
            data_type: Some(*element),
            ..Default::default()
        };
        let graph = GraphProto {
            node: nodes,
            input: inputs.iter().map(|(name, element)| value(name, *element)).collect(),
            initializer: constants.iter().map(tensor).collect(),
            ..Default::default()
        };
        let found = products(&ModelProto { ir_version: Some(8), graph: Some(graph), ..Default::default() });
        (found.constant.len(), found.open.len())
    }

    const U8: i32 = data_type::UINT8;
    const S8: i32 = data_type::INT8;

    #[test]
    fn only_uint8_times_int8_counts() {
        let product = || vec![node("MatMulInteger", &["a", "b"], "y")];
        assert_eq!(found(product(), &[("a", U8)], &[("b", S8)]), (1, 0));
        assert_eq!(found(product(), &[("a", U8), ("b", S8)], &[]), (0, 1));
        for (a, b) in [(U8, U8), (S8, S8), (S8, U8)] {
            assert_eq!(found(product(), &[("a", a)], &[("b", b)]), (0, 0), "{a} {b}");
        }
        assert_eq!(found(vec![node("ConvInteger", &["a", "b"], "y")], &[("a", U8)], &[("b", S8)]), (0, 0));
        assert_eq!(found(vec![node("Conv", &["a", "b"], "y")], &[("a", 1)], &[("b", 1)]), (0, 0));
    }

    #[test]
    fn weights_that_the_caller_may_replace_are_not_constant() {
        let product = vec![node("MatMulInteger", &["a", "b"], "y")];
        assert_eq!(found(product, &[("a", U8), ("b", S8)], &[("b", S8)]), (0, 1));
    }

    #[test]
    fn types_are_followed_through_the_graph() {
        let dynamic = vec![
            node("DynamicQuantizeLinear", &["x"], "q"),
            node("Reshape", &["q", "shape"], "r"),
            node("Transpose", &["b"], "bt"),
            node("MatMulInteger", &["r", "bt"], "y"),
        ];
        assert_eq!(found(dynamic, &[("x", 1)], &[("b", S8), ("shape", 7)]), (1, 0));
        let pairs = |zero: i32| {
            let nodes = vec![
                node("QuantizeLinear", &["x", "s", "z"], "q"),
                node("DequantizeLinear", &["q", "s", "z"], "d"),
                node("DequantizeLinear", &["w", "s", "wz"], "wd"),
                node("Conv", &["d", "wd"], "y"),
            ];
            found(nodes, &[("x", 1)], &[("s", 1), ("z", zero), ("w", S8), ("wz", S8)])
        };
        assert_eq!((pairs(U8), pairs(S8)), ((1, 0), (1, 0)), "int8 activations become uint8 ones");
    }

    #[test]
    fn a_subgraph_does_not_own_the_constants_around_it() {
        let inner = GraphProto { node: vec![node("MatMulInteger", &["a", "b"], "z")], ..Default::default() };
        let mut choice = node("If", &["c"], "y");
        choice.attribute = vec![super::super::proto::AttributeProto { g: Some(inner), ..Default::default() }];
        assert_eq!(found(vec![choice], &[("a", U8), ("c", 9)], &[("b", S8)]), (0, 1));
    }
}
