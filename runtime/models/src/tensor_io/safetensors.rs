//! Safetensors: the file format of tensor artifacts.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use ::safetensors::tensor::TensorView;
use ::safetensors::{Dtype, SafeTensors, serialize};
use trackside_codes::{Class, Reason};
use trackside_spec::{ByteSize, ElementType, Tensor};

use super::{TensorIoError, from_text_file, to_text_file};

/// Bounds on a file from outside.
#[derive(Clone, Copy, Debug)]
pub struct TensorLimits {
    /// Most bytes of the whole. Default: 1 GiB.
    pub bytes: ByteSize,
    /// Most tensors. Default: 1,024.
    pub tensors: usize,
    /// Most dimensions of one tensor. Default: 32.
    pub rank: usize,
}

impl Default for TensorLimits {
    fn default() -> Self {
        Self { bytes: ByteSize::from_mib(1024), tensors: 1024, rank: 32 }
    }
}

fn refuse(what: &str, reason: impl Into<Reason>) -> TensorIoError {
    TensorIoError::Safetensors { what: what.to_owned(), reason: reason.into() }
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct SafetensorsFile {
    /// The tensors, in the order in which their bytes lie there.
    pub tensors: Vec<(String, Tensor)>,
    /// The texts of its `__metadata__`.
    pub metadata: BTreeMap<String, String>,
}

impl SafetensorsFile {
    /// Its tensors and those of texts, for which the format has no place of their own: an entry of the metadata with a tensor's name
    /// and such a text as [`from_text_file`] reads.
    ///
    /// # Errors
    /// When an entry whose name begins as `is_tensor` says is something else, or a tensor has the same name.
    pub fn with_texts(self, is_tensor: impl Fn(&str) -> bool) -> Result<Self, TensorIoError> {
        let (texts, metadata): (BTreeMap<_, _>, _) = self.metadata.into_iter().partition(|(key, _)| is_tensor(key));
        let mut tensors = self.tensors;
        for (name, text) in texts {
            let of = |reason: Reason| refuse("the file", reason.told(|why| format!("{name:?} of its metadata: {why}")));
            if tensors.iter().any(|(other, _)| *other == name) {
                return Err(of("a tensor has that name, too".into()));
            }
            let (_, tensor) = from_text_file(text.as_bytes()).map_err(|error| of(Reason::of(error)))?;
            tensors.push((name, tensor));
        }
        Ok(Self { tensors, metadata })
    }
}

/// Reads a file whole.
///
/// # Errors
/// When the file cannot be read, breaks a limit, or holds an element type that Trackside has no name for.
pub fn read_safetensors_file(path: &Path, limits: &TensorLimits) -> Result<SafetensorsFile, TensorIoError> {
    let what = path.display().to_string();
    let fail = |error: std::io::Error| refuse(&what, Reason::disk(error));
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(refuse(&what, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let most = limits.bytes.as_bytes();
    File::open(path).map_err(fail)?.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
    parse(&what, &bytes, limits)
}

/// Reads all tensors of a file, in the order in which their bytes lie there.
///
/// # Errors
/// As [`read_safetensors_file`].
pub fn read_safetensors(path: &Path, limits: &TensorLimits) -> Result<Vec<(String, Tensor)>, TensorIoError> {
    read_safetensors_file(path, limits).map(|file| file.tensors)
}

/// Reads all tensors of a file's content, in the order in which their bytes lie there.
///
/// # Errors
/// As [`read_safetensors_file`].
pub fn from_safetensors_bytes(bytes: &[u8], limits: &TensorLimits) -> Result<Vec<(String, Tensor)>, TensorIoError> {
    parse("the data", bytes, limits).map(|file| file.tensors)
}

/// The file with this content.
#[cfg(fuzzing)]
pub(crate) fn safetensors_file_of(bytes: &[u8]) -> Result<SafetensorsFile, TensorIoError> {
    parse("the data", bytes, &TensorLimits::default())
}

fn parse(what: &str, bytes: &[u8], limits: &TensorLimits) -> Result<SafetensorsFile, TensorIoError> {
    if bytes.len() as u64 > limits.bytes.as_bytes() {
        return Err(refuse(what, format!("it is larger than {}", limits.bytes)));
    }
    // The header is JSON that grows in memory; as many bytes a tensor are far more than any writer needs.
    let header = bytes.first_chunk::<8>().map_or(0, |length| u64::from_le_bytes(*length));
    if header > limits.tensors as u64 * 1024 + 65_536 {
        return Err(refuse(what, format!("its header claims {header} bytes")));
    }
    let (_, about) =
        SafeTensors::read_metadata(bytes).map_err(|error| refuse(what, Reason::by(Class::BadInput, error)))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| refuse(what, Reason::by(Class::BadInput, error)))?;
    if file.len() > limits.tensors {
        return Err(refuse(what, format!("it holds {} tensors, {} are allowed", file.len(), limits.tensors)));
    }
    let mut views: Vec<_> = file.iter().collect();
    views.sort_by_key(|(_, view)| view.data().as_ptr() as usize);
    let mut tensors = Vec::with_capacity(views.len());
    for (name, view) in views {
        let element = element(view.dtype()).ok_or_else(|| {
            refuse(
                what,
                format!("its tensor {name:?} is {:?}, an element type that Trackside cannot carry", view.dtype()),
            )
        })?;
        if view.shape().len() > limits.rank {
            return Err(refuse(what, format!("its tensor {name:?} has {} dimensions", view.shape().len())));
        }
        let shape = view.shape().iter().map(|dim| u32::try_from(*dim)).collect::<Result<Vec<_>, _>>();
        let shape = shape.map_err(|_| refuse(what, format!("its tensor {name:?} has a dimension over 2^32")))?;
        if element == ElementType::Boolean && view.data().iter().any(|byte| *byte > 1) {
            return Err(refuse(what, format!("its tensor {name:?} holds a boolean that is neither 0 nor 1")));
        }
        tensors.push((name.to_owned(), Tensor::from_bytes(element, shape, view.data().to_vec())?));
    }
    let metadata = about.metadata().iter().flatten().map(|(key, text)| (key.clone(), text.clone())).collect();
    Ok(SafetensorsFile { tensors, metadata })
}

/// The content of a safetensors file with these tensors. The same tensors in any order give the same bytes.
///
/// # Errors
/// When a name stands twice, or a tensor holds text: the format has no strings.
pub fn to_safetensors_bytes(tensors: &[(String, Tensor)]) -> Result<Vec<u8>, TensorIoError> {
    to_bytes(tensors, &BTreeMap::new())
}

/// `entries`: keys and texts for `__metadata__`.
fn to_bytes(tensors: &[(String, Tensor)], entries: &BTreeMap<String, String>) -> Result<Vec<u8>, TensorIoError> {
    let mut views: Vec<(&str, TensorView<'_>)> = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let dtype = dtype(tensor.element()).ok_or_else(|| {
            refuse("the file", format!("the tensor {name:?} holds text, which the format cannot hold"))
        })?;
        if views.iter().any(|(other, _)| other == name) {
            return Err(refuse("the file", format!("two tensors are called {name:?}")));
        }
        let shape = tensor.shape().iter().map(|dim| *dim as usize).collect();
        let view = TensorView::new(dtype, shape, tensor.data())
            .map_err(|error| refuse("the file", Reason::by(Class::BadInput, error)))?;
        views.push((name, view));
    }
    let bytes = serialize(views, None).map_err(|error| refuse("the file", Reason::by(Class::BadInput, error)))?;
    if entries.is_empty() { Ok(bytes) } else { with_entries(&bytes, entries) }
}

/// The same file with these entries before all others: the library's own writer puts several in no order.
fn with_entries(bytes: &[u8], entries: &BTreeMap<String, String>) -> Result<Vec<u8>, TensorIoError> {
    let odd = || refuse("the file", Reason::new(Class::Bug, "its header is no header"));
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(odd)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| odd())?;
    let (header, data) = rest.split_at_checked(length).ok_or_else(odd)?;
    let others = header.trim_ascii().strip_prefix(b"{").ok_or_else(odd)?;
    let entries = serde_json::to_vec(entries).map_err(|error| refuse("the file", Reason::by(Class::Bug, error)))?;
    let comma: &[u8] = if others == b"}" { b"" } else { b"," };
    let mut header = [b"{\"__metadata__\":", entries.as_slice(), comma, others].concat();
    // Tensors begin at a multiple of 8.
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok([&(header.len() as u64).to_le_bytes(), header.as_slice(), data].concat())
}

/// Writes a safetensors file: a new file beside the old one, flushed to disk, then renamed over it.
///
/// # Errors
/// As [`to_safetensors_bytes`], and when the file cannot be written.
pub fn write_safetensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), TensorIoError> {
    write(path, &to_bytes(tensors, &BTreeMap::new())?)
}

/// As [`write_safetensors`], with a key and a text in the file's `__metadata__`. Tensors of texts go there, too, as
/// [`SafetensorsFile::with_texts`] reads them.
///
/// # Errors
/// When a name stands twice, or the file cannot be written.
pub fn write_safetensors_with(
    path: &Path,
    tensors: &[(String, Tensor)],
    entry: (&str, &str),
) -> Result<(), TensorIoError> {
    let (texts, tensors): (Vec<_>, Vec<_>) =
        tensors.iter().cloned().partition(|(_, tensor)| tensor.element() == ElementType::Text);
    let mut entries = BTreeMap::from([(entry.0.to_owned(), entry.1.to_owned())]);
    for (name, tensor) in texts {
        let text = String::from_utf8(to_text_file(&name, &tensor)?);
        let text = text.map_err(|error| refuse("the file", Reason::by(Class::Bug, error)))?;
        let twice = tensors.iter().any(|(other, _)| *other == name) || entries.contains_key(&name);
        if twice {
            return Err(refuse("the file", format!("two tensors are called {name:?}")));
        }
        entries.insert(name, text);
    }
    write(path, &to_bytes(&tensors, &entries)?)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), TensorIoError> {
    let what = path.display().to_string();
    let fail = |error: std::io::Error| refuse(&what, Reason::disk(error));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

const fn dtype(element: ElementType) -> Option<Dtype> {
    Some(match element {
        ElementType::Boolean => Dtype::BOOL,
        ElementType::Uint8 => Dtype::U8,
        ElementType::Int8 => Dtype::I8,
        ElementType::Uint16 => Dtype::U16,
        ElementType::Int16 => Dtype::I16,
        ElementType::Uint32 => Dtype::U32,
        ElementType::Int32 => Dtype::I32,
        ElementType::Uint64 => Dtype::U64,
        ElementType::Int64 => Dtype::I64,
        ElementType::Float16 => Dtype::F16,
        ElementType::Bfloat16 => Dtype::BF16,
        ElementType::Float32 => Dtype::F32,
        ElementType::Float64 => Dtype::F64,
        ElementType::Text => return None,
    })
}

const fn element(dtype: Dtype) -> Option<ElementType> {
    Some(match dtype {
        Dtype::BOOL => ElementType::Boolean,
        Dtype::U8 => ElementType::Uint8,
        Dtype::I8 => ElementType::Int8,
        Dtype::U16 => ElementType::Uint16,
        Dtype::I16 => ElementType::Int16,
        Dtype::U32 => ElementType::Uint32,
        Dtype::I32 => ElementType::Int32,
        Dtype::U64 => ElementType::Uint64,
        Dtype::I64 => ElementType::Int64,
        Dtype::F16 => ElementType::Float16,
        Dtype::BF16 => ElementType::Bfloat16,
        Dtype::F32 => ElementType::Float32,
        Dtype::F64 => ElementType::Float64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> Vec<(String, Tensor)> {
        let bytes = |element, shape: Vec<u32>, data| Tensor::from_bytes(element, shape, data).unwrap();
        vec![
            ("f".to_owned(), Tensor::from_f32(vec![2, 1], &[1.5, -2.0]).unwrap()),
            ("flags".to_owned(), bytes(ElementType::Boolean, vec![3], vec![0, 1, 1])),
            ("scalar".to_owned(), bytes(ElementType::Int64, vec![], 7i64.to_le_bytes().to_vec())),
            ("empty".to_owned(), bytes(ElementType::Bfloat16, vec![0, 4], vec![])),
        ]
    }

    #[test]
    fn tensors_come_back_as_they_went() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        write_safetensors(&path, &tensors()).unwrap();
        let mut back = read_safetensors(&path, &TensorLimits::default()).unwrap();
        let mut went = tensors();
        back.sort_by(|a, b| a.0.cmp(&b.0));
        went.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(back, went);
        let mut turned = tensors();
        turned.reverse();
        assert_eq!(to_safetensors_bytes(&turned).unwrap(), fs::read(&path).unwrap());
    }

    #[test]
    fn texts_lie_in_the_metadata_and_come_back_as_they_went() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        let text = |texts: &[&str]| Tensor::from_text(vec![2, 1], texts.iter().map(ToString::to_string).collect());
        let (b, a) = (text(&["", "ü\"\n"]).unwrap(), text(&["x", "{}"]).unwrap());
        let texts = [("t.b".to_owned(), b.clone()), ("t.a".to_owned(), a.clone())];
        for numbers in [tensors(), Vec::new()] {
            write_safetensors_with(&path, &[numbers.as_slice(), &texts].concat(), ("k", "v")).unwrap();
            let first = fs::read(&path).unwrap();
            write_safetensors_with(&path, &[texts.as_slice(), &numbers].concat(), ("k", "v")).unwrap();
            assert_eq!(fs::read(&path).unwrap(), first, "in any order the same file");
            let read = read_safetensors_file(&path, &TensorLimits::default()).unwrap();
            assert_eq!((read.tensors.len(), read.metadata.len()), (numbers.len(), 3), "to others they are metadata");
            let read = read.with_texts(|key| key.starts_with("t.")).unwrap();
            assert_eq!(read.metadata, BTreeMap::from([("k".to_owned(), "v".to_owned())]));
            assert_eq!(read.tensors[numbers.len()..], [("t.a".to_owned(), a.clone()), ("t.b".to_owned(), b.clone())]);
        }
        for other in ["no JSON", "{\"datatype\": \"BYTES\", \"shape\": [3], \"data\": [\"a\"]}"] {
            write_safetensors_with(&path, &tensors(), ("t.a", other)).unwrap();
            let read = read_safetensors_file(&path, &TensorLimits::default()).unwrap();
            let error = read.with_texts(|key| key.starts_with("t.")).unwrap_err();
            assert!(error.to_string().contains("\"t.a\" of its metadata"), "{error}");
        }
    }

    #[test]
    fn bad_content_is_refused_in_words() {
        let limits = TensorLimits::default();
        let good = to_safetensors_bytes(&tensors()).unwrap();
        for cut in [0, 4, 8, 20, good.len() - 1] {
            assert!(from_safetensors_bytes(&good[..cut], &limits).is_err(), "{cut}");
        }
        let few = TensorLimits { tensors: 3, ..limits };
        assert!(from_safetensors_bytes(&good, &few).unwrap_err().to_string().contains("3 are allowed"));
        let small = TensorLimits { bytes: ByteSize::from_bytes(10), ..limits };
        assert!(from_safetensors_bytes(&good, &small).unwrap_err().to_string().contains("larger than 10B"));
        let mut flags = good.clone();
        *flags.last_mut().unwrap() = 7;
        assert!(from_safetensors_bytes(&flags, &limits).unwrap_err().to_string().contains("neither 0 nor 1"));
        let huge = [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat();
        assert!(from_safetensors_bytes(&huge, &limits).unwrap_err().to_string().contains("header claims"));
    }

    #[test]
    fn text_and_double_names_are_refused() {
        let text = Tensor::from_text(vec![1], vec!["a".to_owned()]).unwrap();
        assert!(to_safetensors_bytes(&[("t".to_owned(), text)]).unwrap_err().to_string().contains("text"));
        let twice = [tensors(), tensors()].concat();
        assert!(to_safetensors_bytes(&twice).unwrap_err().to_string().contains("two tensors"));
    }
}
