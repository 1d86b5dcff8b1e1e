//! Configurations and statistics as messages.

use trackside_spec::ElementType;

use super::super::{
    backend::{BatchStatistics, ModelConfig, Statistics, TensorInfo, Took},
    proto::{
        DataType, InferBatchStatistics, InferStatistics, MemoryUsage, ModelConfig as Config, ModelDynamicBatching,
        ModelInput, ModelInstanceGroup, ModelOutput, ModelParameter, ModelQueuePolicy, ModelStatistics,
        ModelTransactionPolicy, ModelVersionPolicy, StatisticDuration, model_config::SchedulingChoice,
        model_instance_group::Kind, model_version_policy,
    },
};

const fn data_type(element: ElementType) -> DataType {
    match element {
        ElementType::Boolean => DataType::TypeBool,
        ElementType::Uint8 => DataType::TypeUint8,
        ElementType::Int8 => DataType::TypeInt8,
        ElementType::Uint16 => DataType::TypeUint16,
        ElementType::Int16 => DataType::TypeInt16,
        ElementType::Uint32 => DataType::TypeUint32,
        ElementType::Int32 => DataType::TypeInt32,
        ElementType::Uint64 => DataType::TypeUint64,
        ElementType::Int64 => DataType::TypeInt64,
        ElementType::Float16 => DataType::TypeFp16,
        ElementType::Bfloat16 => DataType::TypeBf16,
        ElementType::Float32 => DataType::TypeFp32,
        ElementType::Float64 => DataType::TypeFp64,
        ElementType::Text => DataType::TypeString,
    }
}

/// The shape without the dimension of the batch, where the model has one.
fn dims(info: &TensorInfo, max_batch: u32) -> Vec<i64> {
    let skipped = usize::from(max_batch > 0);
    info.shape.iter().skip(skipped).copied().collect()
}

fn number(value: impl TryInto<i32>) -> i32 {
    value.try_into().unwrap_or(i32::MAX)
}

/// A configuration.
pub(crate) fn config(config: ModelConfig) -> Config {
    let ModelConfig { metadata, engine, max_batch, sessions, batching, file, parameters } = config;
    let input = |info: &TensorInfo| ModelInput {
        name: info.name.clone(),
        data_type: data_type(info.element).into(),
        dims: dims(info, max_batch),
        optional: info.optional,
    };
    let output = |info: &TensorInfo| ModelOutput {
        name: info.name.clone(),
        data_type: data_type(info.element).into(),
        dims: dims(info, max_batch),
        label_filename: String::new(),
    };
    let scheduling = batching.map(|batching| {
        SchedulingChoice::DynamicBatching(ModelDynamicBatching {
            max_queue_delay_microseconds: u64::try_from(batching.max_delay.as_micros()).unwrap_or(u64::MAX),
            priority_levels: batching.priorities,
            default_priority_level: batching.default_priority,
            default_queue_policy: Some(ModelQueuePolicy {
                allow_timeout_override: true,
                max_queue_size: batching.queue,
                ..ModelQueuePolicy::default()
            }),
            ..ModelDynamicBatching::default()
        })
    });
    let group = ModelInstanceGroup { name: metadata.name.clone(), count: number(sessions), kind: Kind::Cpu.into() };
    Config {
        platform: metadata.platform.to_owned(),
        version_policy: Some(ModelVersionPolicy {
            policy_choice: Some(model_version_policy::PolicyChoice::All(model_version_policy::All {})),
        }),
        max_batch_size: number(max_batch),
        input: metadata.inputs.iter().map(input).collect(),
        output: metadata.outputs.iter().map(output).collect(),
        instance_group: vec![group],
        default_model_filename: file,
        scheduling_choice: scheduling,
        parameters: parameters
            .into_iter()
            .map(|(name, string_value)| (name, ModelParameter { string_value }))
            .collect(),
        backend: engine,
        model_transaction_policy: Some(ModelTransactionPolicy { decoupled: false }),
        name: metadata.name,
    }
}

fn took(took: Took) -> Option<StatisticDuration> {
    Some(StatisticDuration { count: took.count, ns: took.ns })
}

/// The statistics of a version.
pub(crate) fn statistics(statistics: Statistics) -> ModelStatistics {
    let batch = |batch: BatchStatistics| InferBatchStatistics {
        batch_size: batch.size,
        compute_input: took(batch.input),
        compute_infer: took(batch.infer),
        compute_output: took(batch.output),
    };
    let memory = |byte_size| MemoryUsage { r#type: "CPU".to_owned(), id: 0, byte_size };
    ModelStatistics {
        name: statistics.name,
        version: statistics.version,
        last_inference: statistics.last_ms,
        inference_count: statistics.inferences,
        execution_count: statistics.executions,
        inference_stats: Some(InferStatistics {
            success: took(statistics.success),
            fail: took(statistics.fail),
            queue: took(statistics.queue),
            compute_input: took(statistics.input),
            compute_infer: took(statistics.infer),
            compute_output: took(statistics.output),
            // There is no cache of answers; who asks gets the same fields as everywhere.
            cache_hit: took(Took::default()),
            cache_miss: took(Took::default()),
        }),
        batch_stats: statistics.batches.into_iter().map(batch).collect(),
        memory_usage: statistics.memory.map(memory).into_iter().collect(),
    }
}
