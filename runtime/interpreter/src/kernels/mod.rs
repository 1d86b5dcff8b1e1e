//! The kernels, a file for each family; each has a table of the operators that it builds.

pub(crate) mod cast;
pub(crate) mod control;
pub(crate) mod elementwise;
pub(crate) mod layout;
pub(crate) mod logic;
pub(crate) mod made;
pub(crate) mod maths;
pub(crate) mod ml;
pub(crate) mod nn;
pub(crate) mod number;
pub(crate) mod order;
pub(crate) mod pace;
pub(crate) mod parts;
pub(crate) mod pick;
pub(crate) mod quick;
pub(crate) mod reduce;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod scatter;
pub(crate) mod strided;
pub(crate) mod unique;
pub(crate) mod variadic;

use crate::table::Entry;

/// All tables.
pub(crate) static TABLES: &[&[Entry]] = &[
    cast::TABLE,
    control::TABLE,
    elementwise::TABLE,
    layout::TABLE,
    logic::TABLE,
    made::TABLE,
    maths::TABLE,
    ml::tables::TABLE,
    nn::tables::activations::TABLE,
    nn::tables::images::TABLE,
    nn::tables::language::TABLE,
    nn::tables::moves::TABLE,
    nn::tables::norms::TABLE,
    nn::tables::products::TABLE,
    nn::tables::recurrent::TABLE,
    nn::tables::spatial::TABLE,
    nn::tables::spectra::TABLE,
    order::TABLE,
    parts::TABLE,
    pick::TABLE,
    reduce::TABLE,
    rows::TABLE,
    scan::TABLE,
    scatter::TABLE,
    unique::TABLE,
    variadic::TABLE,
];
