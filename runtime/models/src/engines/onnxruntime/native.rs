//! The one place of this crate that is not checked by the compiler: tensors as ONNX Runtime sees them, the flag that
//! ends a run, and the library's version.
//!
//! Reviewed for: length and alignment of every view (`align_to` gives a middle part only where both agree), validity of
//! every bit pattern for its type (booleans are checked before they are viewed as `bool`, and are read back as bytes),
//! lifetime (views borrow the tensor; outputs are copied while their owner lives), and sharing between threads.
#![expect(unsafe_code, reason = "views of tensor memory, an interrupt shared between threads, the library's version")]

use std::ffi::CStr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use trackside_codes::{Class, Reason};

use half::{bf16, f16};
use ort::session::{HasSelectedOutputs, RunOptions, SessionInputValue};
use ort::value::{
    DynTensorValueType, DynValue, PrimitiveTensorElementType, Tensor as OrtTensor, TensorElementType, TensorRef,
    ValueType,
};
use trackside_spec::{ElementType, Tensor};

const _: () = assert!(cfg!(target_endian = "little"), "tensors are kept little-endian and viewed in place");

/// Ends the run that its options are used in, from any thread.
pub(super) struct Interrupt {
    options: RunOptions<HasSelectedOutputs>,
    raised: AtomicBool,
}

// SAFETY: `ort` withholds `Sync` because options may carry preallocated outputs, which two runs would then share. Ours
// never do: they select outputs by name. Setting the terminate flag while a run uses the options is what ONNX Runtime
// documents `RunOptionsSetTerminate` for.
unsafe impl Sync for Interrupt {}

impl Interrupt {
    /// For one run with these options.
    pub(super) fn new(options: RunOptions<HasSelectedOutputs>) -> Self {
        Self { options, raised: AtomicBool::new(false) }
    }

    /// What to run with.
    pub(super) fn options(&self) -> &RunOptions<HasSelectedOutputs> {
        &self.options
    }

    /// Ends the run at its next operator.
    pub(super) fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        if let Err(error) = self.options.terminate() {
            tracing::warn!("failed to end a run of ONNX Runtime: {error}");
        }
    }

    /// Whether somebody ended it.
    pub(super) fn raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }
}

/// Types whose every bit pattern is a value.
trait Plain: PrimitiveTensorElementType + Copy + Default + std::fmt::Debug + 'static {}
impl Plain for u8 {}
impl Plain for i8 {}
impl Plain for u16 {}
impl Plain for i16 {}
impl Plain for u32 {}
impl Plain for i32 {}
impl Plain for u64 {}
impl Plain for i64 {}
impl Plain for f16 {}
impl Plain for bf16 {}
impl Plain for f32 {}
impl Plain for f64 {}

/// `tensor` as an input: a view of its memory where that is aligned, else a copy.
pub(super) fn value(tensor: &Tensor) -> Result<SessionInputValue<'_>, Reason> {
    match tensor.element() {
        ElementType::Boolean => booleans(tensor),
        ElementType::Uint8 => numbers::<u8>(tensor),
        ElementType::Int8 => numbers::<i8>(tensor),
        ElementType::Uint16 => numbers::<u16>(tensor),
        ElementType::Int16 => numbers::<i16>(tensor),
        ElementType::Uint32 => numbers::<u32>(tensor),
        ElementType::Int32 => numbers::<i32>(tensor),
        ElementType::Uint64 => numbers::<u64>(tensor),
        ElementType::Int64 => numbers::<i64>(tensor),
        ElementType::Float16 => numbers::<f16>(tensor),
        ElementType::Bfloat16 => numbers::<bf16>(tensor),
        ElementType::Float32 => numbers::<f32>(tensor),
        ElementType::Float64 => numbers::<f64>(tensor),
        ElementType::Text => {
            if let Some(position) = tensor.text().iter().position(|text| text.contains('\0')) {
                return Err(
                    format!("text element {position} holds a zero character, which ONNX Runtime cannot take").into()
                );
            }
            let strings = OrtTensor::from_string_array((shape(tensor), tensor.text()));
            strings.map(Into::into).map_err(|error| Reason::by(Class::Failed, error))
        }
    }
}

fn shape(tensor: &Tensor) -> Vec<i64> {
    tensor.shape().iter().map(|dim| i64::from(*dim)).collect()
}

fn numbers<T: Plain>(tensor: &Tensor) -> Result<SessionInputValue<'_>, Reason> {
    // SAFETY: `Plain` types take every bit pattern; `align_to` sees to alignment and length.
    let (before, middle, after) = unsafe { tensor.data().align_to::<T>() };
    let value = if before.is_empty() && after.is_empty() {
        TensorRef::from_array_view((shape(tensor), middle)).map(Into::into)
    } else {
        let mut copy = vec![T::default(); tensor.len()];
        // SAFETY: any bytes make valid `Plain` values, and bytes need no alignment.
        let (_, bytes, _) = unsafe { copy.align_to_mut::<u8>() };
        // The same length, because a tensor's bytes and elements always agree.
        bytes.copy_from_slice(tensor.data());
        OrtTensor::from_array((shape(tensor), copy)).map(Into::into)
    };
    value.map_err(|error| Reason::by(Class::Failed, error))
}

fn booleans(tensor: &Tensor) -> Result<SessionInputValue<'_>, Reason> {
    if tensor.data().iter().any(|byte| *byte > 1) {
        return Err("a boolean must be the byte 0 or 1".into());
    }
    // SAFETY: every byte is 0 or 1; `bool` has the size and alignment of a byte.
    let (_, view, _) = unsafe { tensor.data().align_to::<bool>() };
    TensorRef::from_array_view((shape(tensor), view)).map(Into::into).map_err(|error| Reason::by(Class::Failed, error))
}

/// The element type that an output has.
fn element(of: TensorElementType) -> Option<ElementType> {
    Some(match of {
        TensorElementType::Bool => ElementType::Boolean,
        TensorElementType::Uint8 => ElementType::Uint8,
        TensorElementType::Int8 => ElementType::Int8,
        TensorElementType::Uint16 => ElementType::Uint16,
        TensorElementType::Int16 => ElementType::Int16,
        TensorElementType::Uint32 => ElementType::Uint32,
        TensorElementType::Int32 => ElementType::Int32,
        TensorElementType::Uint64 => ElementType::Uint64,
        TensorElementType::Int64 => ElementType::Int64,
        TensorElementType::Float16 => ElementType::Float16,
        TensorElementType::Bfloat16 => ElementType::Bfloat16,
        TensorElementType::Float32 => ElementType::Float32,
        TensorElementType::Float64 => ElementType::Float64,
        TensorElementType::String => ElementType::Text,
        _ => return None,
    })
}

/// A copy of an output.
pub(super) fn tensor(value: DynValue, declared: ElementType) -> Result<Tensor, Reason> {
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else {
        return Err(format!("it is a {}, not a tensor", value.dtype()).into());
    };
    let kind = *ty;
    if element(kind) != Some(declared) {
        return Err(format!("the model declares {}, the engine gave {kind}", declared.name()).into());
    }
    let dims: Vec<u32> = shape
        .iter()
        .map(|dim| u32::try_from(*dim))
        .collect::<Result<_, _>>()
        .map_err(|_| format!("its shape {shape:?} is too large"))?;
    let Some(size) = declared.size() else {
        let (_, strings) = value.try_extract_strings().map_err(|error| Reason::by(Class::Failed, error))?;
        return Tensor::from_text(dims, strings).map_err(|error| Reason::by(Class::Failed, error));
    };
    let count = Tensor::count(&dims).map_err(|error| Reason::by(Class::Failed, error))?;
    let tensor = value.downcast::<DynTensorValueType>().map_err(|error| Reason::by(Class::Failed, error))?;
    if !tensor.memory_info().is_cpu_accessible() {
        return Err("it is not in the processor's memory".into());
    }
    let pointer = tensor.data_ptr().cast::<u8>();
    let mut bytes = if count == 0 || pointer.is_null() {
        Vec::new()
    } else {
        // SAFETY: a dense tensor of this type and shape holds `count * size` initialised bytes for as long as its value
        // lives, which is until the end of this function.
        unsafe { std::slice::from_raw_parts(pointer, count * size) }.to_vec()
    };
    if declared == ElementType::Boolean {
        bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
    }
    Tensor::from_bytes(declared, dims, bytes).map_err(|error| Reason::by(Class::Failed, error))
}

/// The version that the library gives itself. `ort` has loaded and checked it before.
pub(super) fn version(path: &Path) -> Option<String> {
    // SAFETY: the library is loaded already, so no initialiser runs; its handle is counted. The function's signature and
    // the struct are ONNX Runtime's frozen entry point, and the text is static.
    unsafe {
        let library = libloading::Library::new(path).ok()?;
        let base = library.get::<unsafe extern "C" fn() -> *const ort::sys::OrtApiBase>(b"OrtGetApiBase\0").ok()?();
        let text = (base.as_ref()?.GetVersionString)();
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    }
}
