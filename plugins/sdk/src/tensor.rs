//! Tensors as artifacts, in the safetensors format: an 8-byte little-endian header length, a JSON header, the data.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
};

use serde::{Deserialize, Serialize};

use crate::{Artifact, ArtifactWriter, StepError};

/// The media type of tensor artifacts.
pub const MEDIA_TYPE: &str = "application/vnd.safetensors";

/// The largest header that is read. The format's own limit is 100 MB; a file with a few tensors needs a kilobyte.
const MAX_HEADER: u64 = 1 << 20;

/// Writes one tensor in pieces: the shape is known first, the data may be larger than memory.
///
/// ```no_run
/// # fn run(step: &trackside_sdk::Step) -> Result<(), trackside_sdk::StepError> {
/// use trackside_sdk::tensor::TensorWriter;
/// let file = step.create("tensor", "x.safetensors", trackside_sdk::tensor::MEDIA_TYPE)?;
/// let mut x = TensorWriter::f32(file, "x", &[2, 3])?;
/// x.write_f32(&[1.0, 2.0, 3.0])?;
/// x.write_f32(&[4.0, 5.0, 6.0])?;
/// x.commit()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TensorWriter {
    file: ArtifactWriter,
    name: String,
    missing: u64,
}

impl TensorWriter {
    /// A float32 tensor.
    ///
    /// # Errors
    /// `bad-tensor` when the shape is too large, or when writing fails.
    pub fn f32(file: ArtifactWriter, name: &str, shape: &[u64]) -> Result<Self, StepError> {
        Self::new(file, name, "F32", 4, shape)
    }

    /// An int32 tensor.
    ///
    /// # Errors
    /// As [`TensorWriter::f32`].
    pub fn i32(file: ArtifactWriter, name: &str, shape: &[u64]) -> Result<Self, StepError> {
        Self::new(file, name, "I32", 4, shape)
    }

    /// An int64 tensor.
    ///
    /// # Errors
    /// As [`TensorWriter::f32`].
    pub fn i64(file: ArtifactWriter, name: &str, shape: &[u64]) -> Result<Self, StepError> {
        Self::new(file, name, "I64", 8, shape)
    }

    /// A tensor of any of these elements, written by [`TensorWriter::write_bytes`].
    ///
    /// # Errors
    /// As [`TensorWriter::f32`].
    pub fn of(file: ArtifactWriter, name: &str, element: Element, shape: &[u64]) -> Result<Self, StepError> {
        Self::new(file, name, element.dtype(), element.size(), shape)
    }

    fn new(
        mut file: ArtifactWriter,
        name: &str,
        dtype: &'static str,
        size: u64,
        shape: &[u64],
    ) -> Result<Self, StepError> {
        let total = shape
            .iter()
            .try_fold(size, |bytes, &dim| bytes.checked_mul(dim))
            .filter(|&bytes| bytes < 1 << 53)
            .ok_or_else(|| StepError::fatal("bad-tensor", format!("shape {shape:?} is too large")))?;
        let entry = Entry { dtype: dtype.into(), shape: shape.to_vec(), data_offsets: [0, total] };
        let mut header = serde_json::to_vec(&BTreeMap::from([(name, entry)]))?;
        // The data starts at a multiple of 8, as the format's own writers have it.
        header.resize(header.len().next_multiple_of(8), b' ');
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        Ok(Self { file, name: name.to_owned(), missing: total })
    }

    /// Appends elements of a float32 tensor.
    ///
    /// # Errors
    /// `bad-tensor` when there are more than the shape holds.
    pub fn write_f32(&mut self, values: &[f32]) -> Result<(), StepError> {
        self.write_bytes(&f32_bytes(values))
    }

    /// Appends elements of an int32 tensor.
    ///
    /// # Errors
    /// As [`TensorWriter::write_f32`].
    pub fn write_i32(&mut self, values: &[i32]) -> Result<(), StepError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.write_bytes(&bytes)
    }

    /// Appends little-endian bytes.
    ///
    /// # Errors
    /// As [`TensorWriter::write_f32`].
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), StepError> {
        self.missing = self.missing.checked_sub(bytes.len() as u64).ok_or_else(|| {
            StepError::fatal("bad-tensor", format!("more data was written to `{}` than its shape holds", self.name))
        })?;
        Ok(self.file.write_all(bytes)?)
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// `bad-tensor` when data is missing, or when the disk fails.
    pub fn commit(self) -> Result<Artifact, StepError> {
        if self.missing > 0 {
            let message = format!("{} bytes of `{}` were not written", self.missing, self.name);
            return Err(StepError::fatal("bad-tensor", message));
        }
        self.file.commit()
    }
}

/// What a tensor's elements are; each in little-endian bytes. Read from its name in lower case, such as `float32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// A byte, 0 or 1.
    Boolean,
    /// 8 bits.
    Int8,
    /// 8 bits without a sign.
    Uint8,
    /// 16 bits.
    Int16,
    /// 16 bits without a sign.
    Uint16,
    /// 32 bits.
    Int32,
    /// 32 bits without a sign.
    Uint32,
    /// 64 bits.
    Int64,
    /// 64 bits without a sign.
    Uint64,
    /// Single precision.
    Float32,
    /// Double precision.
    Float64,
}

impl Element {
    /// Its name in the format.
    #[must_use]
    pub const fn dtype(self) -> &'static str {
        match self {
            Self::Boolean => "BOOL",
            Self::Int8 => "I8",
            Self::Uint8 => "U8",
            Self::Int16 => "I16",
            Self::Uint16 => "U16",
            Self::Int32 => "I32",
            Self::Uint32 => "U32",
            Self::Int64 => "I64",
            Self::Uint64 => "U64",
            Self::Float32 => "F32",
            Self::Float64 => "F64",
        }
    }

    /// How many bytes one has.
    #[must_use]
    pub const fn size(self) -> u64 {
        match self {
            Self::Boolean | Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Int64 | Self::Uint64 | Self::Float64 => 8,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// A tensor read back from an artifact, its elements as `f64`.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// The tensor's name in the file.
    pub name: String,
    /// The shape, outermost dimension first.
    pub shape: Vec<u64>,
    /// The elements in row-major order. 64-bit integers beyond 2^53 are rounded.
    pub values: Vec<f64>,
}

/// A tensor read back from an artifact as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The tensor's name in the file.
    pub name: String,
    /// The element type as the format calls it, `F32` say.
    pub dtype: String,
    /// The shape, outermost dimension first.
    pub shape: Vec<u64>,
    /// The elements in row-major order, each in little-endian bytes.
    pub bytes: Vec<u8>,
}

/// Reads one tensor of numbers. `name` may be left out when the file holds only one.
///
/// # Errors
/// `bad-tensor` when the artifact is no safetensors file, the tensor is not in it, its elements are not numbers, or it
/// has more than `limit` elements.
pub fn read(artifact: &Artifact, name: Option<&str>, limit: u64) -> Result<Values, StepError> {
    let raw = read_raw(artifact, name, limit)?;
    let values = match decoder(&raw.dtype) {
        Some(decode) => raw.bytes.chunks_exact(decode.size).map(decode.one).collect(),
        None => Vec::new(),
    };
    Ok(Values { name: raw.name, shape: raw.shape, values })
}

/// Reads one tensor of numbers and leaves its elements as they are: whole numbers of 64 bits keep their last digit.
///
/// # Errors
/// As [`read`].
pub fn read_raw(artifact: &Artifact, name: Option<&str>, limit: u64) -> Result<Raw, StepError> {
    let bad = |why: String| StepError::fatal("bad-tensor", format!("{}: {why}", artifact.name()));
    let mut reader = artifact.reader()?;
    let mut length = [0; 8];
    reader.read_exact(&mut length).map_err(|_| bad("too short for a safetensors file".into()))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER || length.saturating_add(8) > artifact.size() {
        return Err(bad("not a safetensors file: the header's length is wrong".into()));
    }
    let mut header = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut header)?;
    let mut entries: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|error| bad(format!("its header is no JSON object: {error}")))?;
    entries.remove("__metadata__");
    let found = match name {
        Some(name) => name.to_owned(),
        None if entries.len() == 1 => entries.keys().next().cloned().unwrap_or_default(),
        None => {
            let names = entries.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(bad(format!("it holds {} tensors ({names}): say which one", entries.len())));
        }
    };
    let entry = entries.remove(&found).ok_or_else(|| bad(format!("it holds no tensor named `{found}`")))?;
    let entry: Entry = serde_json::from_value(entry).map_err(|error| bad(format!("`{found}`: {error}")))?;
    let decode = decoder(&entry.dtype).ok_or_else(|| bad(format!("`{found}` holds {}, not numbers", entry.dtype)))?;

    let count = entry.shape.iter().try_fold(1u64, |count, &dim| count.checked_mul(dim));
    let [begin, end] = entry.data_offsets;
    let bytes = count.and_then(|count| count.checked_mul(decode.size as u64));
    if bytes != end.checked_sub(begin) || end.saturating_add(8 + length) > artifact.size() {
        return Err(bad(format!("the data of `{found}` does not fit its shape")));
    }
    let count = count.unwrap_or_default();
    if count > limit {
        return Err(bad(format!("`{found}` has {count} elements; at most {limit} are read")));
    }
    let mut data = Vec::new();
    artifact.range(8 + length + begin, Some(end - begin))?.read_to_end(&mut data)?;
    Ok(Raw { name: found, dtype: entry.dtype, shape: entry.shape, bytes: data })
}

struct Decoder {
    size: usize,
    one: fn(&[u8]) -> f64,
}

/// How elements of a safetensors type are read; the slice always has `size` bytes.
fn decoder(dtype: &str) -> Option<Decoder> {
    fn bytes<const N: usize>(slice: &[u8]) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(slice);
        array
    }
    let (size, one): (usize, fn(&[u8]) -> f64) = match dtype {
        "F64" => (8, |b| f64::from_le_bytes(bytes(b))),
        "F32" => (4, |b| f32::from_le_bytes(bytes(b)).into()),
        "F16" => (2, |b| half(u16::from_le_bytes(bytes(b))).into()),
        "BF16" => (2, |b| brain(u16::from_le_bytes(bytes(b))).into()),
        "I64" => (8, |b| i64::from_le_bytes(bytes(b)) as f64),
        "U64" => (8, |b| u64::from_le_bytes(bytes(b)) as f64),
        "I32" => (4, |b| i32::from_le_bytes(bytes(b)).into()),
        "U32" => (4, |b| u32::from_le_bytes(bytes(b)).into()),
        "I16" => (2, |b| i16::from_le_bytes(bytes(b)).into()),
        "U16" => (2, |b| u16::from_le_bytes(bytes(b)).into()),
        "I8" => (1, |b| i8::from_le_bytes(bytes(b)).into()),
        "U8" | "BOOL" => (1, |b| u8::from_le_bytes(bytes(b)).into()),
        _ => return None,
    };
    Some(Decoder { size, one })
}

/// A float of half precision (IEEE 754 binary16); every one is a float32.
#[must_use]
pub fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2.0f32.powi(-24),
        0x1f if fraction == 0.0 => sign * f32::INFINITY,
        0x1f => f32::NAN,
        _ => sign * (1.0 + fraction / 1_024.0) * 2.0f32.powi(exponent - 15),
    }
}

/// A float of 16 bits with the range of 32 (bfloat16): the upper half of a float32.
#[must_use]
pub fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

pub(crate) fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
