//! A reference model that knows no order, and a node that makes any order happen.

pub mod case;
pub mod expected;
pub mod node;
