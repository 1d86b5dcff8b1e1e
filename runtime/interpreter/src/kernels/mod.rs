//! The kernels, a file for each family; each has a table of the operators that it builds.

pub(crate) mod along;
pub(crate) mod cast;
pub(crate) mod choose;
pub(crate) mod control;
pub(crate) mod elementwise;
pub(crate) mod elementwise_table;
pub(crate) mod generate;
pub(crate) mod layout;
pub(crate) mod ml;
pub(crate) mod nn;
pub(crate) mod pieces;
pub(crate) mod reduce;
pub(crate) mod strided;

use crate::table::Entry;

/// All tables.
pub(crate) static TABLES: &[&[Entry]] = &[
    along::TABLE,
    cast::TABLE,
    choose::TABLE,
    control::TABLE,
    elementwise::TABLE,
    elementwise_table::TABLE,
    generate::TABLE,
    layout::TABLE,
    pieces::TABLE,
    reduce::TABLE,
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
];
