//! The protocol's names of element types.

use trackside_spec::ElementType;

/// All of them, with ours.
const NAMES: [(&str, ElementType); 14] = [
    ("BOOL", ElementType::Boolean),
    ("UINT8", ElementType::Uint8),
    ("UINT16", ElementType::Uint16),
    ("UINT32", ElementType::Uint32),
    ("UINT64", ElementType::Uint64),
    ("INT8", ElementType::Int8),
    ("INT16", ElementType::Int16),
    ("INT32", ElementType::Int32),
    ("INT64", ElementType::Int64),
    ("FP16", ElementType::Float16),
    ("BF16", ElementType::Bfloat16),
    ("FP32", ElementType::Float32),
    ("FP64", ElementType::Float64),
    ("BYTES", ElementType::Text),
];

/// The type of this name.
pub(crate) fn of_name(name: &str) -> Option<ElementType> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, element)| *element)
}

/// The name of this type.
pub(crate) const fn name(element: ElementType) -> &'static str {
    match element {
        ElementType::Boolean => "BOOL",
        ElementType::Uint8 => "UINT8",
        ElementType::Int8 => "INT8",
        ElementType::Uint16 => "UINT16",
        ElementType::Int16 => "INT16",
        ElementType::Uint32 => "UINT32",
        ElementType::Int32 => "INT32",
        ElementType::Uint64 => "UINT64",
        ElementType::Int64 => "INT64",
        ElementType::Float16 => "FP16",
        ElementType::Bfloat16 => "BF16",
        ElementType::Float32 => "FP32",
        ElementType::Float64 => "FP64",
        ElementType::Text => "BYTES",
    }
}

/// All names, as messages list them.
pub(crate) fn all() -> String {
    NAMES.map(|(name, _)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_own_type_and_back() {
        for (known, element) in NAMES {
            assert_eq!(of_name(known), Some(element));
            assert_eq!(name(element), known);
        }
        assert_eq!(of_name("FP8"), None);
        assert_eq!(of_name("fp32"), None);
    }
}
