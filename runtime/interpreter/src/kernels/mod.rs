//! The kernels, a file for each family; each has a table of the operators that it builds.

pub(crate) mod control;
pub(crate) mod elementwise;
pub(crate) mod ml;
pub(crate) mod nn;

use crate::table::Entry;

/// All tables.
pub(crate) static TABLES: &[&[Entry]] = &[
    control::TABLE,
    elementwise::TABLE,
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
