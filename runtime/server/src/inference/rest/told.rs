//! What the server tells of itself and its models, as JSON. Names and units are those of Triton.

use serde_json::{Value, json};

use super::super::{
    backend::{IndexEntry, ModelMetadata, TensorInfo},
    datatype,
    proto::{
        DataType, InferBatchStatistics, ModelConfig, ModelStatistics, StatisticDuration,
        model_config::SchedulingChoice, model_instance_group::Kind,
    },
};

/// What a model takes and gives.
pub(crate) fn metadata(metadata: &ModelMetadata) -> Value {
    let tensors = |infos: &[TensorInfo]| -> Vec<Value> {
        let one = |info: &TensorInfo| json!({"name": info.name, "datatype": datatype::name(info.element), "shape": info.shape});
        infos.iter().map(one).collect()
    };
    json!({
        "name": metadata.name,
        "versions": metadata.versions,
        "platform": metadata.platform,
        "inputs": tensors(&metadata.inputs),
        "outputs": tensors(&metadata.outputs),
    })
}

/// One line of the index.
pub(crate) fn entry(entry: &IndexEntry) -> Value {
    json!({"name": entry.name, "version": entry.version, "state": entry.state.name(), "reason": entry.reason})
}

fn type_name(data_type: i32) -> &'static str {
    DataType::try_from(data_type).unwrap_or(DataType::TypeInvalid).as_str_name()
}

/// How a model is run. What clients look for is there also where it says nothing.
pub(crate) fn config(config: &ModelConfig) -> Value {
    let input = |input: &super::super::proto::ModelInput| {
        json!({
            "name": input.name, "data_type": type_name(input.data_type), "format": "FORMAT_NONE", "dims": input.dims,
            "is_shape_tensor": false, "allow_ragged_batch": false, "optional": input.optional,
        })
    };
    let output = |output: &super::super::proto::ModelOutput| {
        json!({
            "name": output.name, "data_type": type_name(output.data_type), "dims": output.dims,
            "label_filename": output.label_filename, "is_shape_tensor": false,
        })
    };
    let group = |group: &super::super::proto::ModelInstanceGroup| {
        let kind = Kind::try_from(group.kind).unwrap_or(Kind::Auto).as_str_name();
        json!({"name": group.name, "kind": kind, "count": group.count, "gpus": []})
    };
    let parameters: serde_json::Map<_, _> = config
        .parameters
        .iter()
        .map(|(name, parameter)| (name.clone(), json!({"string_value": parameter.string_value})))
        .collect();
    let mut told = json!({
        "name": config.name,
        "platform": config.platform,
        "backend": config.backend,
        "version_policy": {"all": {}},
        "max_batch_size": config.max_batch_size,
        "input": config.input.iter().map(input).collect::<Vec<_>>(),
        "output": config.output.iter().map(output).collect::<Vec<_>>(),
        "instance_group": config.instance_group.iter().map(group).collect::<Vec<_>>(),
        "default_model_filename": config.default_model_filename,
        "parameters": parameters,
        "model_transaction_policy": {"decoupled": false},
    });
    if let Some(SchedulingChoice::DynamicBatching(batching)) = &config.scheduling_choice {
        let policy = batching.default_queue_policy.unwrap_or_default();
        told["dynamic_batching"] = json!({
            "preferred_batch_size": batching.preferred_batch_size,
            "max_queue_delay_microseconds": batching.max_queue_delay_microseconds,
            "preserve_ordering": batching.preserve_ordering,
            "priority_levels": batching.priority_levels,
            "default_priority_level": batching.default_priority_level,
            "default_queue_policy": {
                "timeout_action": "REJECT",
                "default_timeout_microseconds": policy.default_timeout_microseconds,
                "allow_timeout_override": policy.allow_timeout_override,
                "max_queue_size": policy.max_queue_size,
            },
        });
    }
    told
}

fn duration(duration: Option<StatisticDuration>) -> Value {
    let StatisticDuration { count, ns } = duration.unwrap_or_default();
    json!({"count": count, "ns": ns})
}

/// What a version answered.
pub(crate) fn statistics(of: &ModelStatistics) -> Value {
    let stats = of.inference_stats.unwrap_or_default();
    let batch = |batch: &InferBatchStatistics| {
        json!({
            "batch_size": batch.batch_size,
            "compute_input": duration(batch.compute_input),
            "compute_infer": duration(batch.compute_infer),
            "compute_output": duration(batch.compute_output),
        })
    };
    let memory = |usage: &super::super::proto::MemoryUsage| json!({"type": usage.r#type, "id": usage.id, "byte_size": usage.byte_size});
    json!({
        "name": of.name,
        "version": of.version,
        "last_inference": of.last_inference,
        "inference_count": of.inference_count,
        "execution_count": of.execution_count,
        "inference_stats": {
            "success": duration(stats.success),
            "fail": duration(stats.fail),
            "queue": duration(stats.queue),
            "compute_input": duration(stats.compute_input),
            "compute_infer": duration(stats.compute_infer),
            "compute_output": duration(stats.compute_output),
            "cache_hit": duration(stats.cache_hit),
            "cache_miss": duration(stats.cache_miss),
        },
        "batch_stats": of.batch_stats.iter().map(batch).collect::<Vec<_>>(),
        "memory_usage": of.memory_usage.iter().map(memory).collect::<Vec<_>>(),
        "response_stats": {},
    })
}
