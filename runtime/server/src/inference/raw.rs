//! Tensors as bytes: little-endian, row-major, no padding; a BOOL is one byte, a text its length as a 32-bit number and its
//! UTF-8 bytes.

use trackside_spec::{ElementType, Tensor};

use super::{
    failure::Failure,
    shape::{checked_texts, input, wrong_count},
};

/// Bytes of the length before a text.
const LENGTH: usize = 4;

/// The tensor that these bytes are, all of them.
pub(crate) fn read(
    name: &str,
    element: ElementType,
    shape: Vec<u32>,
    count: usize,
    bytes: &[u8],
) -> Result<Tensor, Failure> {
    let refuse = |error: trackside_spec::TensorError| Failure::invalid(format!("{}: {error}", input(name)));
    let Some(size) = element.size() else {
        let texts = texts(name, &shape, count, bytes)?;
        return Tensor::from_text(shape, texts).map_err(refuse);
    };
    // The count fits into memory sixteen times over.
    if bytes.len() != count * size {
        return Err(wrong_count(name, element, &shape, (count * size) as u64, "bytes", bytes.len() as u64));
    }
    if element == ElementType::Boolean
        && let Some(at) = bytes.iter().position(|byte| *byte > 1)
    {
        let byte = bytes[at];
        return Err(Failure::invalid(format!("{}: element {at} is the byte {byte}; a BOOL is 0 or 1", input(name))));
    }
    Tensor::from_bytes(element, shape, bytes.to_vec()).map_err(refuse)
}

fn texts(name: &str, shape: &[u32], count: usize, mut bytes: &[u8]) -> Result<Vec<String>, Failure> {
    checked_texts(name, ElementType::Text, count)?;
    // Each takes its length at least.
    if count > bytes.len() / LENGTH {
        let came = bytes.len() as u64;
        return Err(wrong_count(name, ElementType::Text, shape, (count * LENGTH) as u64, "bytes or more", came));
    }
    let mut texts = Vec::with_capacity(count);
    while let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() {
        let length = u32::from_le_bytes(*length) as usize;
        let index = texts.len();
        if index == count {
            break;
        }
        let Some((text, rest)) = rest.split_at_checked(length) else {
            let left = rest.len();
            let why = format!("element {index} says that it has {length} bytes, {left} are left");
            return Err(Failure::invalid(format!("{}: {why}", input(name))));
        };
        let text = std::str::from_utf8(text).map_err(|error| {
            let why = format!("element {index} is no UTF-8 at its byte {}; a model takes text", error.valid_up_to());
            Failure::invalid(format!("{}: {why}", input(name)))
        })?;
        texts.push(text.to_owned());
        bytes = rest;
    }
    if texts.len() < count {
        return Err(wrong_count(name, ElementType::Text, shape, count as u64, "texts", texts.len() as u64));
    }
    if !bytes.is_empty() {
        let why = format!("{} bytes are left behind its {count} texts", bytes.len());
        return Err(Failure::invalid(format!("{}: {why}", input(name))));
    }
    Ok(texts)
}

/// How many bytes a tensor is.
pub(crate) fn size(tensor: &Tensor) -> usize {
    match tensor.element() {
        ElementType::Text => tensor.text().iter().map(|text| LENGTH + text.len()).sum(),
        _ => tensor.data().len(),
    }
}

/// How many bytes of memory it takes.
pub(crate) fn in_memory(tensor: &Tensor) -> usize {
    size(tensor) + size_of_val(tensor.text())
}

/// Appends the bytes of a tensor.
pub(crate) fn write(tensor: &Tensor, into: &mut Vec<u8>) {
    if tensor.element() != ElementType::Text {
        into.extend_from_slice(tensor.data());
        return;
    }
    for text in tensor.text() {
        // No text in memory is longer: bodies are bounded far below, and so is what engines give.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        into.extend_from_slice(&length.to_le_bytes());
        into.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts_of(shape: &[u32], bytes: &[u8]) -> Result<Tensor, Failure> {
        let count = Tensor::count(shape).unwrap();
        read("t", ElementType::Text, shape.to_vec(), count, bytes)
    }

    #[test]
    fn texts_come_back_as_they_went() {
        let texts = ["", "a\0b", "é😀", &"x".repeat(1 << 20)].map(str::to_owned).to_vec();
        let tensor = Tensor::from_text(vec![2, 2], texts).unwrap();
        let mut bytes = Vec::new();
        write(&tensor, &mut bytes);
        assert_eq!(bytes.len(), size(&tensor));
        assert_eq!(texts_of(&[2, 2], &bytes).unwrap(), tensor);
        assert!(texts_of(&[0], &[]).unwrap().is_empty());
    }

    #[test]
    fn lengths_that_lie_are_refused_by_name() {
        for (shape, bytes, part) in [
            (&[1][..], &[255u8, 255, 255, 255, 1][..], "4294967295 bytes, 1 are left"),
            (&[1], &[0, 0, 0], "needs 4 bytes or more, 3 came"),
            (&[2], &[4, 0, 0, 0, 1, 2, 3, 4], "needs 2 texts, 1 came"),
            (&[1], &[0, 0, 0, 0, 9], "1 bytes are left"),
            (&[1], &[0, 0, 0, 0, 0, 0, 0, 0], "4 bytes are left"),
            (&[1], &[1, 0, 0, 0, 255], "no UTF-8"),
            (&[1_000_000], &[1, 0, 0, 0, 255], "needs 4000000 bytes or more"),
            (&[4_000_000_000], &[1, 0, 0, 0, 255], "4000000000 texts are more than one tensor may have"),
        ] {
            let text = texts_of(shape, bytes).unwrap_err().to_string();
            assert!(text.contains("input \"t\"") && text.contains(part), "{text}");
        }
    }

    #[test]
    fn numbers_are_counted_and_booleans_looked_at() {
        let error = |element, bytes: &[u8]| read("n", element, vec![2], 2, bytes).unwrap_err().to_string();
        assert!(error(ElementType::Float32, &[0; 7]).contains("FP32[2] needs 8 bytes, 7 came"));
        assert!(error(ElementType::Boolean, &[1, 2]).contains("element 1 is the byte 2"));
        assert_eq!(read("n", ElementType::Int16, vec![2], 2, &[1, 0, 2, 0]).unwrap().data(), [1, 0, 2, 0]);
    }
}
