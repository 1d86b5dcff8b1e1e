//! What a grant covers. Pure functions: text in, decision out.

pub(crate) mod decide;
pub(crate) mod deliver;
pub(crate) mod url;
