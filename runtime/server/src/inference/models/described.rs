//! Models in service in the protocol's terms.

use trackside_models::{ModelInfo, OutputPort, Port};
use trackside_serving::{Entry, Served, SlotState, Statistics as Counted, Total, VersionState};
use trackside_spec::ElementType;

use super::{
    super::backend::{BatchStatistics, Batching, ModelConfig, ModelMetadata, Statistics, TensorInfo, Took},
    USUAL,
};

fn input(port: &Port) -> TensorInfo {
    // A rank that the file does not say has no form in the protocol.
    let dims = |shape: &Vec<Option<u32>>| shape.iter().map(|dim| dim.map_or(-1, i64::from)).collect();
    TensorInfo {
        name: port.name.clone(),
        element: port.element,
        shape: port.shape.as_ref().map_or_else(|| vec![-1], dims),
        optional: port.optional,
    }
}

fn output(port: &OutputPort) -> TensorInfo {
    match port.tensor() {
        Some(port) => input(port),
        None => {
            let name = port.name().to_owned();
            TensorInfo { name, element: ElementType::Text, shape: vec![-1], optional: false }
        }
    }
}

/// What a version takes and gives.
pub(super) fn metadata(served: &Served, entry: &Entry) -> ModelMetadata {
    let info: &ModelInfo = served.info();
    ModelMetadata {
        name: served.name().to_owned(),
        versions: entry.versions.keys().map(u32::to_string).collect(),
        platform: "onnx_onnxv1",
        inputs: info.inputs.iter().map(input).collect(),
        outputs: info.outputs.iter().map(output).collect(),
    }
}

/// How a version is run.
pub(super) fn config(metadata: ModelMetadata, entry: &Entry, served: &Served) -> ModelConfig {
    let settings = &entry.settings;
    let batches = settings.batching.rows > 1;
    let file = entry.versions.get(&served.version()).and_then(|version| version.path.file_name());
    let parameters = [
        ("timeout_ms", settings.timeout.as_millis().to_string()),
        ("queue", settings.queue.to_string()),
        ("engine", served.info().engine.to_string()),
    ];
    ModelConfig {
        engine: "onnxruntime".to_owned(),
        max_batch: if batches { settings.batching.rows } else { 0 },
        sessions: u32::try_from(served.info().sessions).unwrap_or(u32::MAX),
        batching: batches.then(|| Batching {
            max_delay: settings.batching.delay,
            queue: u32::try_from(settings.queue).unwrap_or(u32::MAX),
            priorities: u64::from(USUAL) * 2,
            default_priority: u64::from(USUAL),
        }),
        file: file.map(|file| file.to_string_lossy().into_owned()).unwrap_or_default(),
        parameters: parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        metadata,
    }
}

const fn took(total: Total) -> Took {
    Took { count: total.count, ns: total.ns }
}

fn sum(one: &mut Took, more: Total) {
    one.count += more.count;
    one.ns = one.ns.saturating_add(more.ns);
}

/// The counts of a version, on whatever engine.
pub(super) fn statistics(name: &str, state: &VersionState) -> Statistics {
    let mut all = Statistics { name: name.to_owned(), version: state.version.to_string(), ..Statistics::default() };
    for (_, slot, counted) in &state.engines {
        let Counted { inferences, executions, last_inference_ms, .. } = counted;
        all.last_ms = all.last_ms.max(*last_inference_ms);
        all.inferences += inferences;
        all.executions += executions;
        for (one, more) in [
            (&mut all.success, counted.success),
            (&mut all.fail, counted.fail),
            (&mut all.queue, counted.queue),
            (&mut all.input, counted.compute_input),
            (&mut all.infer, counted.compute_infer),
            (&mut all.output, counted.compute_output),
        ] {
            sum(one, more);
        }
        for (rows, batch) in &counted.batches {
            let size = u64::from(*rows);
            match all.batches.iter_mut().find(|known| known.size == size) {
                Some(known) => {
                    sum(&mut known.input, batch.input);
                    sum(&mut known.infer, batch.infer);
                    sum(&mut known.output, batch.output);
                }
                None => all.batches.push(BatchStatistics {
                    size,
                    input: took(batch.input),
                    infer: took(batch.infer),
                    output: took(batch.output),
                }),
            }
        }
        if let SlotState::Ready { bytes, .. } = slot {
            all.memory = Some(all.memory.unwrap_or(0) + bytes);
        }
    }
    all
}
