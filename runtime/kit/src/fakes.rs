//! The node's side of a call, made up from a case.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Instant,
};
use trackside_codes::{Class, Reason};

use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};
use trackside_sandbox::{
    ArtifactSink, BoxFuture, HttpRequest, HttpResponse, InferenceFailure, ModelHandle, ModelPort, ModelSignature,
    SecretValue, StateEntry, StateScope, StepHost,
};
use trackside_spec::{Allow, ArtifactRef, Digest, ElementType, Origin, Tensor};
use trackside_sync::lock;

use crate::{
    case::{Case, FakeModel},
    script::Script,
};

/// What a case gives a plugin. Artifacts live in a temporary folder.
pub(crate) struct Fakes {
    folder: Arc<TempDir>,
    state: BTreeMap<(StateScope, String), Vec<u8>>,
    models: BTreeMap<String, Arc<Canned>>,
    secrets: BTreeMap<String, String>,
    /// Hosts that secrets may be sent to: those that the case allows.
    hosts: Vec<String>,
    script: Mutex<Script>,
    now_ms: u64,
}

impl Fakes {
    /// # Errors
    /// What is wrong with the case, or that there is no room for its artifacts.
    pub(crate) fn new(case: &Case, allow: &Allow, now_ms: u64) -> Result<Self, Reason> {
        let folder = TempDir::new()
            .map_err(|error| Reason::disk(error).told(|text| format!("there is no place for its artifacts: {text}")))?;
        let mut state = BTreeMap::new();
        for (scope, values) in [(StateScope::Step, &case.state), (StateScope::Workflow, &case.workflow_state)] {
            for (key, value) in values {
                state.insert((scope, key.clone()), value.to_string().into_bytes());
            }
        }
        let models = case.models.iter().map(|(name, model)| {
            let canned = Canned::new(model).map_err(|reason| reason.told(|text| format!("model `{name}`: {text}")))?;
            Ok((name.clone(), Arc::new(canned)))
        });
        let hosts = allow.http.iter().map(|grant| host_and_port(&grant.origin)).collect();
        Ok(Self {
            folder: Arc::new(folder),
            state,
            models: models.collect::<Result<_, Reason>>()?,
            secrets: case.secrets.clone(),
            hosts,
            script: Mutex::new(Script::new(&case.http)?),
            now_ms,
        })
    }

    /// Keeps bytes as an artifact.
    pub(crate) fn put(&self, bytes: &[u8], name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        let mut sink = self.create_artifact()?;
        sink.write(bytes)?;
        sink.commit(name, media_type)
    }

    /// The bytes of an artifact.
    pub(crate) fn get(&self, artifact: &ArtifactRef) -> io::Result<Vec<u8>> {
        std::fs::read(self.path(&artifact.digest))
    }

    /// Where the requests differed from the script.
    pub(crate) fn conversation(&self) -> Vec<String> {
        lock(&self.script).problems()
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.path().join(digest.hex())
    }
}

impl StepHost for Fakes {
    fn open_artifact(&self, artifact: &ArtifactRef) -> io::Result<File> {
        File::open(self.path(&artifact.digest))
    }

    fn create_artifact(&self) -> io::Result<Box<dyn ArtifactSink>> {
        let file = NamedTempFile::new_in(self.folder.path())?;
        Ok(Box::new(Sink { file, folder: self.folder.clone(), size: 0 }))
    }

    fn open_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Arc<dyn ModelHandle>, InferenceFailure>> {
        let found = self.models.get(name).cloned().map(|model| model as Arc<dyn ModelHandle>);
        let missing =
            || InferenceFailure::NotFound(format!("the case has no model `{name}`: add it under `models`").into());
        Box::pin(std::future::ready(found.ok_or_else(missing)))
    }

    fn state_get<'a>(&'a self, scope: StateScope, key: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, Reason>> {
        let entry = self.state.get(&(scope, key.to_owned())).cloned().map(|value| StateEntry { value, version: 1 });
        Box::pin(std::future::ready(Ok(entry)))
    }

    fn state_list<'a>(
        &'a self,
        scope: StateScope,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        let keys = self.state.keys().filter(|(known, _)| *known == scope).map(|(_, key)| key);
        let wanted = keys.filter(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
        Box::pin(std::future::ready(Ok(wanted.take(limit).cloned().collect())))
    }

    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn secret(&self, name: &str) -> Result<SecretValue, Reason> {
        let value = self.secrets.get(name).ok_or_else(|| format!("the case has no secret `{name}`: add it"))?;
        Ok(SecretValue { value: value.clone().into_bytes(), hosts: self.hosts.clone(), reveal: true })
    }

    fn plays_http(&self) -> bool {
        true
    }

    fn http(&self, request: HttpRequest) -> Result<HttpResponse, Reason> {
        lock(&self.script).answer(&request)
    }
}

fn host_and_port(origin: &Origin) -> String {
    let host = origin.host();
    if host.contains(':') { format!("[{host}]:{}", origin.port()) } else { format!("{host}:{}", origin.port()) }
}

/// An artifact that is being written.
struct Sink {
    file: NamedTempFile,
    folder: Arc<TempDir>,
    size: u64,
}

impl ArtifactSink for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.size = self.size.saturating_add(data.len() as u64);
        self.file.write_all(data)
    }

    fn commit(self: Box<Self>, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        let digest = digest_of(self.file.path())?;
        self.file.persist(self.folder.path().join(digest.hex()))?;
        Ok(ArtifactRef { digest, name: name.to_owned(), media_type: media_type.to_owned(), size: self.size })
    }
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    Ok(Digest::of(&std::fs::read(path)?))
}

/// A model that answers the same, whatever it is asked.
struct Canned {
    info: ModelSignature,
    outputs: Vec<(String, Tensor)>,
}

impl Canned {
    fn new(model: &FakeModel) -> Result<Self, Reason> {
        let outputs: Vec<(String, Tensor)> = model
            .outputs
            .iter()
            .map(|(name, value)| {
                Ok((
                    name.clone(),
                    tensor(value).map_err(|reason| reason.told(|text| format!("output `{name}`: {text}")))?,
                ))
            })
            .collect::<Result<_, Reason>>()?;
        let port = |name: &String, shape| ModelPort { name: name.clone(), element: ElementType::Float32, shape };
        let info = ModelSignature {
            digest: Digest::of(b"a model of a case").to_string(),
            inputs: model.inputs.iter().map(|(name, shape)| port(name, shape.clone())).collect(),
            outputs: outputs
                .iter()
                .map(|(name, tensor)| port(name, tensor.shape().iter().map(|size| Some(*size)).collect()))
                .collect(),
            metadata: Vec::new(),
        };
        Ok(Self { info, outputs })
    }
}

impl ModelHandle for Canned {
    fn info(&self) -> &ModelSignature {
        &self.info
    }

    fn run<'a>(
        &'a self,
        _inputs: Vec<(String, Arc<Tensor>)>,
        wanted: Vec<String>,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<(String, Tensor)>, InferenceFailure>> {
        let unknown = wanted.iter().find(|name| self.outputs.iter().all(|(known, _)| known != *name));
        let answer = match unknown {
            Some(name) => Err(InferenceFailure::BadTensor(format!("the case's model has no output `{name}`").into())),
            None => {
                let asked = |name: &String| wanted.is_empty() || wanted.contains(name);
                Ok(self.outputs.iter().filter(|(name, _)| asked(name)).cloned().collect())
            }
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Numbers in nested lists of equal length.
fn tensor(value: &Value) -> Result<Tensor, Reason> {
    let mut shape = Vec::new();
    let mut level = value;
    while let Value::Array(items) = level {
        shape.push(u32::try_from(items.len()).map_err(|_| "it is too long".to_owned())?);
        let Some(first) = items.first() else { break };
        level = first;
    }
    let mut numbers = Vec::new();
    flatten(value, &shape, &mut numbers)?;
    Tensor::from_f32(shape, &numbers).map_err(|error| Reason::by(Class::BadInput, error))
}

#[expect(clippy::cast_possible_truncation, reason = "a tensor of float32 is what is asked for")]
fn flatten(value: &Value, shape: &[u32], numbers: &mut Vec<f32>) -> Result<(), Reason> {
    match (value, shape.split_first()) {
        (Value::Array(items), Some((length, inner))) if items.len() == *length as usize => {
            items.iter().try_for_each(|item| flatten(item, inner, numbers))
        }
        (Value::Number(number), None) => {
            numbers.push(number.as_f64().unwrap_or(f64::NAN) as f32);
            Ok(())
        }
        _ => Err("must be numbers in lists that are equally long on every level".into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_lists_are_tensors_when_they_are_even() {
        let made = tensor(&json!([[1, 2.5], [3, 4]])).unwrap();
        assert_eq!((made.shape(), made.to_f32().unwrap()), ([2, 2].as_slice(), vec![1.0, 2.5, 3.0, 4.0]));
        assert_eq!(tensor(&json!(7)).unwrap().shape(), [0u32; 0]);
        for bad in [json!([[1, 2], [3]]), json!([1, [2]]), json!("x"), json!([null])] {
            assert!(tensor(&bad).is_err(), "{bad}");
        }
    }
}
