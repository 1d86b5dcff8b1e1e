//! Models that need no engine.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;
use trackside_codes::code;
use trackside_server::inference::{
    Answering, Backend, BatchStatistics, Batching, Failure, IndexEntry, InferAnswer, InferRequest, ModelConfig,
    ModelMetadata, ModelState, Statistics, TensorInfo, Took, Wanted,
};
use trackside_spec::ElementType;

/// `echo` gives each of its inputs under the same name, whatever it is; `one` declares `x` (FP32 [-1,2]) and echoes it; `held` answers
/// when it is let; `gone` is a model that can not be loaded; `late` waits until the time is over.
pub struct Models {
    /// Turns off `ready`.
    pub is_down: AtomicBool,
    /// Lets `held` answer.
    pub let_go: Semaphore,
    /// What came last.
    pub last: Mutex<Option<InferRequest>>,
    /// What was loaded and unloaded.
    pub told: Mutex<Vec<String>>,
}

impl Default for Models {
    fn default() -> Self {
        let (is_down, last, told) = Default::default();
        Self { is_down, let_go: Semaphore::new(0), last, told }
    }
}

fn info(name: &str, element: ElementType, shape: &[i64]) -> TensorInfo {
    TensorInfo { name: name.to_owned(), element, shape: shape.to_vec(), optional: false }
}

fn known(wanted: &Wanted) -> Result<(), Failure> {
    if !["echo", "one", "held", "gone", "late"].contains(&wanted.name.as_str()) {
        return Err(Failure::new(code!("TS-0611"), format!("there is no model `{}`", wanted.name)));
    }
    match wanted.version.as_deref() {
        None | Some("3" | "champion") => Ok(()),
        Some(other) => {
            Err(Failure::new(code!("TS-0552"), format!("the model `{}` has no version {other}", wanted.name)))
        }
    }
}

fn metadata(wanted: &Wanted) -> Result<ModelMetadata, Failure> {
    known(wanted)?;
    let inputs = match wanted.name.as_str() {
        "one" => vec![info("x", ElementType::Float32, &[-1, 2])],
        _ => vec![info("a", ElementType::Text, &[-1]), info("b", ElementType::Int64, &[2])],
    };
    let versions = vec!["3".to_owned()];
    Ok(ModelMetadata { name: wanted.name.clone(), versions, platform: "onnx_onnxv1", outputs: inputs.clone(), inputs })
}

impl Backend for Models {
    fn ready(&self) -> bool {
        !self.is_down.load(Ordering::Relaxed)
    }

    fn models(&self) -> Answering<'_, Vec<String>> {
        Box::pin(async { Ok(vec!["echo".to_owned(), "one".to_owned()]) })
    }

    fn model_ready<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, bool> {
        Box::pin(async { known(wanted).map(|()| wanted.name != "gone") })
    }

    fn metadata<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, Arc<ModelMetadata>> {
        Box::pin(async { metadata(wanted).map(Arc::new) })
    }

    fn config<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, ModelConfig> {
        Box::pin(async {
            let metadata = metadata(wanted)?;
            let batches = metadata.name == "one";
            Ok(ModelConfig {
                engine: "onnxruntime".to_owned(),
                max_batch: if batches { 8 } else { 0 },
                sessions: 2,
                batching: batches.then_some(Batching {
                    max_delay: Duration::from_millis(2),
                    queue: 64,
                    priorities: 2,
                    default_priority: 2,
                }),
                file: "model.onnx".to_owned(),
                parameters: vec![("timeout".to_owned(), "60s".to_owned())],
                metadata,
            })
        })
    }

    fn infer<'a>(&'a self, wanted: &'a Wanted, request: InferRequest) -> Answering<'a, InferAnswer> {
        Box::pin(async move {
            known(wanted)?;
            *self.last.lock().unwrap() = Some(request.clone());
            match wanted.name.as_str() {
                "gone" => return Err(Failure::new(code!("TS-0507"), "the engine refuses it").unavailable()),
                "late" => return Err(Failure::new(code!("TS-0579"), "its time is over")),
                "held" => self.let_go.acquire().await.unwrap().forget(),
                _ => {}
            }
            let mut outputs = request.inputs;
            if !request.outputs.is_empty() {
                let wanted = request.outputs.iter().map(|output| {
                    let found = outputs.iter().find(|(name, _)| *name == output.name).cloned();
                    found.ok_or_else(|| Failure::new(code!("TS-0511"), format!("it has no output {:?}", output.name)))
                });
                outputs = wanted.collect::<Result<_, _>>()?;
            }
            let labels = vec![("x".to_owned(), vec!["cat".to_owned(), "dog".to_owned()])];
            Ok(InferAnswer { model: wanted.name.clone(), version: "3".to_owned(), outputs, parameters: vec![], labels })
        })
    }

    fn index(&self) -> Answering<'_, Vec<IndexEntry>> {
        let entry = |name: &str, state, reason: &str| IndexEntry {
            name: name.to_owned(),
            version: "3".to_owned(),
            state,
            reason: reason.to_owned(),
        };
        let entries =
            vec![entry("echo", ModelState::Ready, ""), entry("gone", ModelState::Unavailable, "it is broken")];
        Box::pin(async { Ok(entries) })
    }

    fn load<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, ()> {
        Box::pin(async {
            known(wanted)?;
            self.told.lock().unwrap().push(format!("load {} {:?}", wanted.name, wanted.version));
            Ok(())
        })
    }

    fn unload<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, ()> {
        Box::pin(async {
            known(wanted)?;
            self.told.lock().unwrap().push(format!("unload {} {:?}", wanted.name, wanted.version));
            Ok(())
        })
    }

    fn statistics<'a>(&'a self, wanted: Option<&'a Wanted>) -> Answering<'a, Vec<Statistics>> {
        Box::pin(async move {
            wanted.map_or(Ok(()), known)?;
            let (name, version) = (wanted.map_or("echo", |wanted| &wanted.name).to_owned(), "3".to_owned());
            let success = Took { count: 2, ns: 50 };
            Ok(vec![Statistics {
                name,
                version,
                inferences: 5,
                executions: 2,
                success,
                queue: Took { count: 2, ns: 5 },
                input: Took { count: 2, ns: 7 },
                infer: Took { count: 2, ns: 21 },
                output: Took { count: 2, ns: 11 },
                batches: vec![BatchStatistics {
                    size: 4,
                    input: Took { count: 1, ns: 6 },
                    infer: Took { count: 1, ns: 20 },
                    output: Took { count: 1, ns: 10 },
                }],
                memory: Some(9),
                ..Statistics::default()
            }])
        })
    }
}
