//! Text tensors as files. Safetensors has no strings, so they are JSON, as the Open Inference Protocol writes a tensor:
//! `{"name": "sex", "datatype": "BYTES", "shape": [2, 1], "data": ["male", "female"]}`, the data flat and in row-major order.

use serde::{Deserialize, Serialize, de::IgnoredAny};
use trackside_codes::{Class, Reason};
use trackside_spec::{ElementType, Tensor};

use super::TensorIoError;

/// The media type of such a file.
pub const TEXT_MEDIA_TYPE: &str = "application/json";

/// The largest such file. Its texts take up to ten times as much memory, when they are short.
pub const MAX_TEXT_FILE: u64 = 32 << 20;

/// What the protocol calls the element type of texts.
const BYTES: &str = "BYTES";

#[derive(Serialize)]
struct Written<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: &'a [u32],
    data: &'a [String],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(default)]
    name: String,
    datatype: String,
    shape: Vec<u32>,
    data: Vec<String>,
    /// The protocol allows them anywhere, and gives them no meaning here.
    #[serde(default, rename = "parameters")]
    _parameters: Option<IgnoredAny>,
}

/// The content of a file with this tensor.
///
/// # Errors
/// When it holds no text, or more than [`MAX_TEXT_FILE`] bytes of it.
pub fn to_text_file(name: &str, tensor: &Tensor) -> Result<Vec<u8>, TensorIoError> {
    if tensor.element() != ElementType::Text {
        return Err(refuse(format!("{name:?} holds {}, no text", tensor.element().name())));
    }
    let written = Written { name, datatype: BYTES, shape: tensor.shape(), data: tensor.text() };
    let bytes = serde_json::to_vec(&written).map_err(|error| refuse(Reason::by(Class::BadInput, error)))?;
    check_size(bytes.len() as u64)?;
    Ok(bytes)
}

/// The tensor that such a file holds, and its name, which may be empty.
///
/// # Errors
/// When it is something else, or larger than [`MAX_TEXT_FILE`].
pub fn from_text_file(bytes: &[u8]) -> Result<(String, Tensor), TensorIoError> {
    check_size(bytes.len() as u64)?;
    let read: Read = serde_json::from_slice(bytes).map_err(|error| refuse(Reason::by(Class::BadInput, error)))?;
    if read.datatype != BYTES {
        let why =
            format!("its datatype is {:?}; this form is for texts (BYTES), numbers go as safetensors", read.datatype);
        return Err(refuse(why));
    }
    Ok((read.name, Tensor::from_text(read.shape, read.data)?))
}

fn check_size(size: u64) -> Result<(), TensorIoError> {
    if size > MAX_TEXT_FILE {
        return Err(refuse(format!("{size} bytes; at most {MAX_TEXT_FILE} are possible")));
    }
    Ok(())
}

fn refuse(reason: impl Into<Reason>) -> TensorIoError {
    TensorIoError::TextFile(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_went() {
        let texts = ["", "a", "é\"\\\n\u{0}", "😀"].map(str::to_owned).to_vec();
        let tensor = Tensor::from_text(vec![2, 2], texts).unwrap();
        let file = to_text_file("t", &tensor).unwrap();
        assert_eq!(from_text_file(&file).unwrap(), ("t".to_owned(), tensor));
        let none = Tensor::from_text(vec![0, 1], Vec::new()).unwrap();
        assert_eq!(from_text_file(&to_text_file("", &none).unwrap()).unwrap().1, none);
    }

    #[test]
    fn what_is_none_is_refused_in_words() {
        for (text, part) in [
            ("[[\"a\"]]", "invalid"),
            (r#"{"datatype": "FP32", "shape": [1], "data": []}"#, "FP32"),
            (r#"{"datatype": "BYTES", "shape": [1], "data": [1]}"#, "expected a string"),
            (r#"{"datatype": "BYTES", "shape": [2], "data": ["a"]}"#, "needs 2 strings, not 1"),
            (r#"{"datatype": "BYTES", "shape": [4294967295, 4294967295, 4294967295], "data": ["a"]}"#, ""),
            (r#"{"datatype": "BYTES", "shape": [-1], "data": ["a"]}"#, "-1"),
            (r#"{"datatype": "BYTES", "shape": [1], "data": ["a"], "dat": 1}"#, "dat"),
            ("", "EOF"),
        ] {
            let error = from_text_file(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let numbers = Tensor::from_f32(vec![1], &[1.0]).unwrap();
        assert!(to_text_file("x", &numbers).unwrap_err().to_string().contains("float32"));
    }
}
