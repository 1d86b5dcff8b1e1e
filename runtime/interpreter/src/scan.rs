//! A walk over a file's wire format that builds nothing: it finds truncation, too deep nesting and files whose decoded
//! form would be many times their size (an empty message takes two bytes in a file and hundreds in memory).

use std::mem::size_of;

use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

use crate::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, TypeProto,
    ValueInfoProto,
};

/// How deep subgraphs may nest. Real models use two or three.
pub const MAX_GRAPH_DEPTH: u32 = 16;
/// How deep types may nest below the graph that they stand in: real ones are a sequence of maps of tensors.
const MAX_TYPE_DEPTH: u32 = 8;
/// Upper bound on the estimated memory of the decoded structure, weights not counted.
pub const MAX_STRUCTURE_BYTES: u64 = 512 * 1024 * 1024;

/// What a string or scalar costs besides its bytes.
const FIELD_COST: u64 = 32;

/// Messages whose insides are looked at; [`Kind::Leaf`] stands for strings and packed numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    /// A sequence's or a map's type, which holds other types.
    Holder,
    TensorType,
    Shape,
    Function,
    Flat,
    /// Bytes that decoding views in place, single fields that cannot pile up, and everything that it skips.
    Free,
    Leaf,
    /// Numbers of fixed width and byte strings: as large in memory as in the file.
    Fixed,
}

const fn child(parent: Kind, field: u32) -> Kind {
    match (parent, field) {
        (Kind::Model, 7) | (Kind::Attribute, 6 | 11) => Kind::Graph,
        (Kind::Model, 8 | 14) | (Kind::Tensor, 13) | (Kind::Shape, 1) | (Kind::Function, 9) => Kind::Flat,
        (Kind::Model, 25) => Kind::Function,
        (Kind::Graph, 1) | (Kind::Function, 7) => Kind::Node,
        (Kind::Graph, 5) | (Kind::Attribute, 5 | 10) => Kind::Tensor,
        (Kind::Graph, 11 | 12) => Kind::ValueInfo,
        (Kind::Node, 5) | (Kind::Function, 11) => Kind::Attribute,
        (Kind::ValueInfo, 2) | (Kind::Holder, 1 | 2) => Kind::Type,
        (Kind::Type, 1) => Kind::TensorType,
        (Kind::Type, 4 | 5) => Kind::Holder,
        (Kind::TensorType, 2) => Kind::Shape,
        (Kind::Graph, 2) | (Kind::Function, 1 | 4..=6 | 10) | (Kind::Attribute, 1) | (Kind::ValueInfo, 1) => Kind::Leaf,
        (Kind::Node, 1..=4 | 7) | (Kind::Tensor, 1 | 5 | 7 | 8 | 11) | (Kind::Attribute, 8 | 21) => Kind::Leaf,
        (Kind::Tensor, 4 | 6 | 10) | (Kind::Attribute, 7 | 9) => Kind::Fixed,
        (Kind::Graph, 15) => Kind::Flat,
        _ => Kind::Free,
    }
}

/// What a decoded message costs besides its fields: its place in a vector, which may have grown to twice what it needs.
const fn message_cost(kind: Kind) -> u64 {
    let size = match kind {
        Kind::Model => size_of::<ModelProto>(),
        Kind::Graph => size_of::<GraphProto>(),
        Kind::Node => size_of::<NodeProto>(),
        Kind::Attribute => size_of::<AttributeProto>(),
        Kind::Tensor => size_of::<TensorProto>(),
        Kind::ValueInfo => size_of::<ValueInfoProto>(),
        Kind::Function => size_of::<FunctionProto>(),
        Kind::Type | Kind::Holder | Kind::TensorType | Kind::Shape => size_of::<TypeProto>(),
        Kind::Flat | Kind::Free | Kind::Leaf | Kind::Fixed => size_of::<StringStringEntryProto>(),
    };
    2 * size as u64
}

/// Why a file is not decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// It is no model, or a damaged one: what is wrong, and at which byte.
    #[error("{0}")]
    Broken(String),
    /// It goes over a limit, and may be whole.
    #[error("{0}")]
    TooMuch(String),
}

/// Checks that `file` is a well-formed protobuf message that can be decoded within the limits.
///
/// # Errors
/// What is wrong, or which limit it goes over.
pub fn scan(file: &[u8]) -> Result<(), Undecodable> {
    let mut scanner = Scanner { cost: 0, graph_seen: false, total: file.len() };
    scanner.message(file, Kind::Model, 0)?;
    if scanner.graph_seen { Ok(()) } else { Err(Undecodable::Broken("it holds no graph".to_owned())) }
}

struct Scanner {
    cost: u64,
    graph_seen: bool,
    total: usize,
}

impl Scanner {
    /// Walks one message. Recursion is bounded: only graphs and types can contain themselves, and their depth is limited.
    fn message(&mut self, mut bytes: &[u8], kind: Kind, depth: u32) -> Result<(), Undecodable> {
        let whole = bytes;
        // Positions are counted from the end, which a slice of the file shares with no other; good enough to find it.
        let position = |rest: &[u8]| rest.as_ptr() as usize - whole.as_ptr() as usize;
        self.spend(message_cost(kind))?;
        while bytes.has_remaining() {
            let at = position(bytes);
            let (field, wire) = decode_key(&mut bytes).map_err(|error| self.broken(at, &error.to_string()))?;
            match wire {
                WireType::Varint => {
                    decode_varint(&mut bytes).map_err(|error| self.broken(at, &error.to_string()))?;
                    self.spend(FIELD_COST)?;
                }
                WireType::ThirtyTwoBit => bytes = self.skip(bytes, 4, at)?,
                WireType::SixtyFourBit => bytes = self.skip(bytes, 8, at)?,
                WireType::LengthDelimited => {
                    let length = decode_varint(&mut bytes).map_err(|error| self.broken(at, &error.to_string()))?;
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    let Some((inside, rest)) = bytes.split_at_checked(length) else {
                        return Err(self.broken(at, &format!("a field of {length} bytes runs past its end")));
                    };
                    bytes = rest;
                    self.inside(inside, child(kind, field), depth)?;
                }
                WireType::StartGroup | WireType::EndGroup => {
                    return Err(self.broken(at, "it uses groups, which ONNX does not"));
                }
            }
        }
        Ok(())
    }

    fn inside(&mut self, inside: &[u8], kind: Kind, depth: u32) -> Result<(), Undecodable> {
        match kind {
            Kind::Free => Ok(()),
            // Packed numbers grow from one byte to eight.
            Kind::Leaf => self.spend(FIELD_COST + inside.len() as u64 * 8),
            Kind::Fixed => self.spend(FIELD_COST + inside.len() as u64),
            Kind::Graph if depth >= MAX_GRAPH_DEPTH => Err(Undecodable::TooMuch(format!(
                "its subgraphs (`If`, `Loop`, `Scan`) nest deeper than {MAX_GRAPH_DEPTH} levels. Export it with \
                     fewer conditions and loops inside one another"
            ))),
            Kind::Graph => {
                self.graph_seen = true;
                self.message(inside, kind, depth + 1)
            }
            Kind::Holder if depth >= MAX_GRAPH_DEPTH + MAX_TYPE_DEPTH => {
                Err(Undecodable::TooMuch(format!("its types nest deeper than {MAX_TYPE_DEPTH} levels")))
            }
            Kind::Holder => self.message(inside, kind, depth + 1),
            _ => self.message(inside, kind, depth),
        }
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], count: usize, at: usize) -> Result<&'a [u8], Undecodable> {
        self.spend(FIELD_COST)?;
        bytes.get(count..).ok_or_else(|| self.broken(at, "it ends in the middle of a number"))
    }

    fn spend(&mut self, cost: u64) -> Result<(), Undecodable> {
        self.cost += cost;
        if self.cost > MAX_STRUCTURE_BYTES {
            let mib = MAX_STRUCTURE_BYTES >> 20;
            return Err(Undecodable::TooMuch(format!(
                "its structure (nodes, names, shapes) would take more than {mib} MiB in memory"
            )));
        }
        Ok(())
    }

    fn broken(&self, at: usize, what: &str) -> Undecodable {
        Undecodable::Broken(format!("{what} ({at} bytes into a message of a {} byte file)", self.total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_and_amplification_are_refused_before_decoding() {
        // Each round wraps the graph in an attribute (6) of a node (1 in graph, 5 = attribute in node).
        let field = |number: u8, inside: &[u8]| {
            let mut bytes = vec![number << 3 | 2];
            prost::encoding::encode_varint(inside.len() as u64, &mut bytes);
            bytes.extend_from_slice(inside);
            bytes
        };
        let mut graph = Vec::new();
        for _ in 0..20 {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        let error = scan(&field(7, &graph)).unwrap_err();
        assert!(matches!(&error, Undecodable::TooMuch(reason) if reason.contains("nest deeper")), "{error}");

        // Four megabytes of empty nodes would be half a gigabyte of structs.
        let error = scan(&field(7, &[0x0a, 0x00].repeat(2_000_000))).unwrap_err();
        assert!(matches!(&error, Undecodable::TooMuch(reason) if reason.contains("structure")), "{error}");
    }

    #[test]
    fn types_that_nest_without_an_end_are_refused_before_decoding() {
        let field = |number: u8, inside: &[u8]| {
            let mut bytes = vec![number << 3 | 2];
            prost::encoding::encode_varint(inside.len() as u64, &mut bytes);
            bytes.extend_from_slice(inside);
            bytes
        };
        // An output (12 in graph) of the type (2) sequence (4) of (1) sequence …
        let nested = |levels: usize| {
            let deep = (0..levels).fold(Vec::new(), |inner: Vec<u8>, _| field(4, &field(1, &inner)));
            scan(&field(7, &field(12, &field(2, &deep))))
        };
        nested(3).unwrap();
        for levels in [30, 100_000] {
            let error = nested(levels).unwrap_err();
            assert!(matches!(&error, Undecodable::TooMuch(reason) if reason.contains("types nest")), "{error}");
        }
    }

    #[test]
    fn a_cut_file_is_refused_with_the_place() {
        assert!(scan(&[0x3a, 0x10, 0x0a]).unwrap_err().to_string().contains("runs past its end"));
        assert!(scan(b"").unwrap_err().to_string().contains("no graph"));
        assert!(scan(b"{\"not\": \"a model\"}").is_err());
    }
}
