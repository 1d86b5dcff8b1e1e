//! `inference`: models by granted name; tensors stay in the host.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use trackside_spec::{ElementType as Element, Tensor as Values};
use wasmtime::component::Resource;

use super::artifacts::{Artifact, CHUNK};
use crate::{
    bindings::trackside::plugin::{
        artifacts::ArtifactError,
        inference::{ElementType, Host, HostModel, HostTensor, InferenceError, ModelPort},
    },
    files::blocking,
    host_api::ModelPort as Port,
    host_api::{InferenceFailure, ModelHandle},
    store_data::{CallData, quoted},
    top_k::top_k,
};

/// Dimensions of a tensor.
const RANK: usize = 16;
/// What one string costs besides its bytes.
const TEXT_OVERHEAD: u64 = 32;

/// Bytes of live tensors of one call.
#[derive(Clone, Debug)]
pub(crate) struct TensorBudget {
    used: Arc<AtomicU64>,
    peak: Arc<AtomicU64>,
    limit: u64,
}

/// A booked part of the budget, given back when dropped.
#[derive(Debug)]
struct Booked {
    used: Arc<AtomicU64>,
    bytes: u64,
}

impl TensorBudget {
    pub(crate) fn new(limit: u64) -> Self {
        Self { used: Arc::default(), peak: Arc::default(), limit }
    }

    /// The most that was alive at one time.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    fn book(&self, bytes: u64) -> Result<Booked, InferenceError> {
        let book = |used: u64| used.checked_add(bytes).filter(|total| *total <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, book) {
            Ok(used) => {
                self.peak.fetch_max(used.saturating_add(bytes), Ordering::Relaxed);
                Ok(Booked { used: self.used.clone(), bytes })
            }
            Err(used) => Err(InferenceError::ResourceExhausted(format!(
                "a tensor of {bytes} bytes beside {used} bytes of live tensors goes over the step's limit of {}: \
                 drop tensors that are done with",
                self.limit
            ))),
        }
    }
}

impl Drop for Booked {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A tensor that the guest holds.
pub struct Tensor {
    values: Arc<Values>,
    _booked: Booked,
}

/// A model that the guest holds, pinned to a version.
pub struct Model {
    handle: Arc<dyn ModelHandle>,
}

type Answer<T> = wasmtime::Result<Result<T, InferenceError>>;

impl CallData {
    fn push_tensor(&mut self, values: Values) -> Answer<Resource<Tensor>> {
        let booked = match self.tensors.book(size_of_values(&values)) {
            Ok(booked) => booked,
            Err(error) => return Ok(Err(error)),
        };
        self.push_booked(values, booked)
    }

    fn push_booked(&mut self, values: Values, booked: Booked) -> Answer<Resource<Tensor>> {
        Ok(Ok(self.table.push(Tensor { values: Arc::new(values), _booked: booked })?))
    }
}

/// Bytes that a tensor occupies.
fn size_of_values(values: &Values) -> u64 {
    let text = values.text().iter().map(|text| text.len() as u64 + TEXT_OVERHEAD).sum::<u64>();
    values.data().len() as u64 + text
}

/// Bytes of a numeric tensor, checked before anything is allocated.
fn numeric_size(element: Element, shape: &[u32]) -> Result<usize, InferenceError> {
    let bad = |text: String| InferenceError::BadTensor(text);
    if shape.len() > RANK {
        return Err(bad(format!("a tensor has at most {RANK} dimensions, not {}", shape.len())));
    }
    let size = element.size().ok_or_else(|| bad("a text tensor has no bytes: use from-text".to_owned()))?;
    let count = Values::count(shape).map_err(|error| bad(error.to_string()))?;
    count.checked_mul(size).ok_or_else(|| bad(format!("shape {shape:?} has too many elements")))
}

impl HostTensor for CallData {
    fn from_bytes(&mut self, element: ElementType, shape: Vec<u32>, data: Vec<u8>) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let element = element_in(element);
        if let Err(error) = numeric_size(element, &shape) {
            return Ok(Err(error));
        }
        match Values::from_bytes(element, shape, data) {
            Ok(values) => self.push_tensor(values),
            Err(error) => Ok(Err(InferenceError::BadTensor(error.to_string()))),
        }
    }

    fn from_text(&mut self, shape: Vec<u32>, data: Vec<String>) -> Answer<Resource<Tensor>> {
        self.enter()?;
        if shape.len() > RANK {
            return Ok(Err(InferenceError::BadTensor(format!("a tensor has at most {RANK} dimensions"))));
        }
        match Values::from_text(shape, data) {
            Ok(values) => self.push_tensor(values),
            Err(error) => Ok(Err(InferenceError::BadTensor(error.to_string()))),
        }
    }

    fn zeroed(&mut self, element: ElementType, shape: Vec<u32>) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let element = element_in(element);
        // Booked before it is allocated: the shape alone may ask for terabytes.
        let booked =
            numeric_size(element, &shape).and_then(|size| self.tensors.book(size as u64).map(|booked| (booked, size)));
        let (booked, size) = match booked {
            Ok(booked) => booked,
            Err(error) => return Ok(Err(error)),
        };
        match Values::from_bytes(element, shape, vec![0; size]) {
            Ok(values) => self.push_booked(values, booked),
            Err(error) => Ok(Err(InferenceError::BadTensor(error.to_string()))),
        }
    }

    async fn from_artifact(
        &mut self,
        element: ElementType,
        shape: Vec<u32>,
        src: Resource<Artifact>,
        offset: u64,
    ) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let element = element_in(element);
        let booked =
            numeric_size(element, &shape).and_then(|size| self.tensors.book(size as u64).map(|booked| (booked, size)));
        let (booked, size) = match booked {
            Ok(booked) => booked,
            Err(error) => return Ok(Err(error)),
        };
        let file = match self.artifact_file(&src).await? {
            Ok(file) => file,
            Err(error) => return Ok(Err(InferenceError::Runtime(artifact_text(error)))),
        };
        let end = offset.checked_add(size as u64);
        if end.is_none_or(|end| end > file.length()) {
            return Ok(Err(InferenceError::BadTensor(format!(
                "{size} bytes at offset {offset} do not lie in an artifact of {} bytes",
                file.length()
            ))));
        }
        let read = blocking(move || {
            let mut data = vec![0; size];
            file.read_exact_at(&mut data, offset)?;
            Ok(data)
        })
        .await;
        let data = match read {
            Ok(data) => data,
            Err(error) => return Ok(Err(InferenceError::Runtime(error.to_string()))),
        };
        self.usage.artifact_bytes_read = self.usage.artifact_bytes_read.saturating_add(size as u64);
        match Values::from_bytes(element, shape, data) {
            Ok(values) => self.push_booked(values, booked),
            Err(error) => Ok(Err(InferenceError::BadTensor(error.to_string()))),
        }
    }

    fn element(&mut self, tensor: Resource<Tensor>) -> wasmtime::Result<ElementType> {
        self.enter()?;
        Ok(element_out(self.table.get(&tensor)?.values.element()))
    }

    fn shape(&mut self, tensor: Resource<Tensor>) -> wasmtime::Result<Vec<u32>> {
        self.enter()?;
        Ok(self.table.get(&tensor)?.values.shape().to_vec())
    }

    fn byte_length(&mut self, tensor: Resource<Tensor>) -> wasmtime::Result<u64> {
        self.enter()?;
        Ok(self.table.get(&tensor)?.values.data().len() as u64)
    }

    fn write_at(&mut self, tensor: Resource<Tensor>, offset: u64, data: Vec<u8>) -> Answer<()> {
        self.enter()?;
        // A tensor that a model run still reads is copied first; nothing else shares it.
        let values = Arc::make_mut(&mut self.table.get_mut(&tensor)?.values);
        let length = values.data().len();
        let range = usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(data.len())?));
        match range.and_then(|range| values.data_mut().get_mut(range)) {
            Some(target) => {
                target.copy_from_slice(&data);
                Ok(Ok(()))
            }
            None => Ok(Err(InferenceError::BadTensor(format!(
                "{} bytes at offset {offset} do not lie in a tensor of {length} bytes",
                data.len()
            )))),
        }
    }

    fn read(&mut self, tensor: Resource<Tensor>) -> Answer<Vec<u8>> {
        self.enter()?;
        let data = self.table.get(&tensor)?.values.data();
        if data.len() > CHUNK {
            return Ok(Err(InferenceError::ResourceExhausted(format!(
                "the tensor has {} bytes and one read gives at most {CHUNK}: use read-at or top-k",
                data.len()
            ))));
        }
        Ok(Ok(data.to_vec()))
    }

    fn read_at(&mut self, tensor: Resource<Tensor>, offset: u64, max: u32) -> Answer<Vec<u8>> {
        self.enter()?;
        let data = self.table.get(&tensor)?.values.data();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
        let end = start.saturating_add((max as usize).min(CHUNK)).min(data.len());
        Ok(Ok(data[start..end].to_vec()))
    }

    fn read_text(&mut self, tensor: Resource<Tensor>) -> Answer<Vec<String>> {
        self.enter()?;
        let values = &self.table.get(&tensor)?.values;
        if values.element() != Element::Text {
            return Ok(Err(InferenceError::BadTensor(format!(
                "the tensor holds {}, not text",
                values.element().name()
            ))));
        }
        if size_of_values(values) > CHUNK as u64 {
            return Ok(Err(InferenceError::ResourceExhausted(format!("the texts have more than {CHUNK} bytes"))));
        }
        Ok(Ok(values.text().to_vec()))
    }

    fn top_k(&mut self, tensor: Resource<Tensor>, k: u32) -> Answer<Vec<(u32, f32)>> {
        self.enter()?;
        let values = &self.table.get(&tensor)?.values;
        Ok(top_k(values, k).map_err(|reason| InferenceError::BadTensor(reason.to_string())))
    }

    fn drop(&mut self, tensor: Resource<Tensor>) -> wasmtime::Result<()> {
        self.table.delete(tensor)?;
        Ok(())
    }
}

impl HostModel for CallData {
    async fn open(&mut self, name: String) -> Answer<Resource<Model>> {
        self.enter()?;
        if let Err(refused) = self.grants.model(&name) {
            let name = quoted(&name.chars().take(200).collect::<String>());
            return Ok(Err(InferenceError::Denied(self.refuse(&format!("use the model {name}"), refused))));
        }
        let host = self.host.clone();
        match host.open_model(&name).await {
            Ok(handle) => Ok(Ok(self.table.push(Model { handle })?)),
            Err(error) => Ok(Err(told(error))),
        }
    }

    fn digest(&mut self, model: Resource<Model>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table.get(&model)?.handle.info().digest.clone())
    }

    fn inputs(&mut self, model: Resource<Model>) -> wasmtime::Result<Vec<ModelPort>> {
        self.enter()?;
        Ok(self.table.get(&model)?.handle.info().inputs.iter().map(port_out).collect())
    }

    fn outputs(&mut self, model: Resource<Model>) -> wasmtime::Result<Vec<ModelPort>> {
        self.enter()?;
        Ok(self.table.get(&model)?.handle.info().outputs.iter().map(port_out).collect())
    }

    fn metadata(&mut self, model: Resource<Model>) -> wasmtime::Result<Vec<(String, String)>> {
        self.enter()?;
        Ok(self.table.get(&model)?.handle.info().metadata.clone())
    }

    async fn run(
        &mut self,
        model: Resource<Model>,
        inputs: Vec<(String, Resource<Tensor>)>,
        wanted: Vec<String>,
    ) -> Answer<Vec<(String, Resource<Tensor>)>> {
        self.enter()?;
        let handle = self.table.get(&model)?.handle.clone();
        let mut named = Vec::with_capacity(inputs.len());
        for (name, tensor) in inputs {
            named.push((name, self.table.get(&tensor)?.values.clone()));
        }
        self.usage.model_runs = self.usage.model_runs.saturating_add(1);
        let deadline = Instant::now() + self.remaining();
        let outputs = match handle.run(named, wanted, deadline).await {
            Ok(outputs) => outputs,
            Err(error) => return Ok(Err(told(error))),
        };
        let mut tensors = Vec::with_capacity(outputs.len());
        for (name, values) in outputs {
            match self.push_tensor(values)? {
                Ok(tensor) => tensors.push((name, tensor)),
                Err(error) => {
                    // All or nothing: the guest gets no handle to the tensors before this one.
                    for (_, tensor) in tensors {
                        self.table.delete(tensor)?;
                    }
                    return Ok(Err(error));
                }
            }
        }
        Ok(Ok(tensors))
    }

    fn drop(&mut self, model: Resource<Model>) -> wasmtime::Result<()> {
        self.table.delete(model)?;
        Ok(())
    }
}

impl Host for CallData {}

fn told(error: InferenceFailure) -> InferenceError {
    match error {
        InferenceFailure::NotFound(reason) => InferenceError::ModelNotFound(reason.to_string()),
        InferenceFailure::BadTensor(reason) => InferenceError::BadTensor(reason.to_string()),
        InferenceFailure::Exhausted(reason) => InferenceError::ResourceExhausted(reason.to_string()),
        InferenceFailure::Timeout => InferenceError::Timeout,
        InferenceFailure::Runtime(reason) => InferenceError::Runtime(reason.to_string()),
    }
}

fn artifact_text(error: ArtifactError) -> String {
    match error {
        ArtifactError::NotFound => "the artifact is not there".to_owned(),
        ArtifactError::Denied(text) | ArtifactError::QuotaExceeded(text) | ArtifactError::Io(text) => text,
    }
}

fn port_out(port: &Port) -> ModelPort {
    ModelPort { name: port.name.clone(), element: element_out(port.element), shape: port.shape.clone() }
}

/// Writes both directions of the mapping from one list.
macro_rules! elements {
    ($($name:ident),*) => {
        fn element_in(element: ElementType) -> Element {
            match element { $(ElementType::$name => Element::$name),* }
        }
        fn element_out(element: Element) -> ElementType {
            match element { $(Element::$name => ElementType::$name),* }
        }
    };
}

elements!(Boolean, Uint8, Int8, Uint16, Int16, Uint32, Int32, Uint64, Int64, Float16, Bfloat16, Float32, Float64, Text);
