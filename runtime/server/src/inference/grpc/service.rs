//! The methods of `inference.GRPCInferenceService`.

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use prost::Message;

use tonic::{
    Request, Response, Status, Streaming,
    codegen::tokio_stream::{Stream, StreamExt},
    metadata::MetadataMap,
};

use super::{
    super::{
        aside::{LARGE, aside},
        ask,
        backend::{Backend, InferRequest, ModelMetadata, ModelState, TensorInfo, Wanted},
        body::Holds,
        datatype,
        failure::Failure,
        proto::{
            InferParameter, ModelConfigRequest, ModelConfigResponse, ModelInferRequest, ModelInferResponse,
            ModelMetadataRequest, ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse,
            ModelRepositoryParameter, ModelStatisticsRequest, ModelStatisticsResponse, ModelStreamInferResponse,
            RepositoryIndexRequest, RepositoryIndexResponse, RepositoryModelLoadRequest, RepositoryModelLoadResponse,
            RepositoryModelUnloadRequest, RepositoryModelUnloadResponse, ServerLiveRequest, ServerLiveResponse,
            ServerMetadataRequest, ServerMetadataResponse, ServerReadyRequest, ServerReadyResponse,
            grpc_inference_service_server::GrpcInferenceService, infer_parameter::ParameterChoice,
            model_metadata_response::TensorMetadata, repository_index_response::ModelIndex,
        },
        raw,
    },
    contents, of_message, told,
};

/// Answers over a backend.
pub(crate) struct Service {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) max_body: usize,
}

type Answer<T> = Result<Response<T>, Status>;

fn wanted(name: String, version: String) -> Result<Wanted, Failure> {
    Wanted::of(name, version)
}

async fn infer(
    backend: &dyn Backend,
    message: ModelInferRequest,
    metadata: &MetadataMap,
    deadline: Option<Duration>,
) -> Result<ModelInferResponse, Failure> {
    let mut message = message;
    let wanted = wanted(std::mem::take(&mut message.model_name), std::mem::take(&mut message.model_version))?;
    // Of the message; what its numbers take is counted where they are.
    let is_large = message.encoded_len() > LARGE;
    let mut request: InferRequest = aside(is_large, move || contents::read(message)).await?;
    // The earlier of the protocol's own and that of gRPC.
    request.timeout = [request.timeout, deadline].into_iter().flatten().min();
    if let Some(name) = backend.subject_header(&wanted) {
        request.subject = metadata.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    }
    let id = request.id.clone();
    let answer = ask::infer(backend, &wanted, request).await?;
    let size: usize = answer.outputs.iter().map(|(_, tensor)| raw::in_memory(tensor)).sum();
    aside(size > LARGE, move || Ok(contents::write(answer, id))).await
}

/// `grpc-timeout`: at most eight digits and a unit.
fn deadline(metadata: &MetadataMap) -> Option<Duration> {
    let value = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

fn tensors(infos: &[TensorInfo]) -> Vec<TensorMetadata> {
    let one = |info: &TensorInfo| TensorMetadata {
        name: info.name.clone(),
        datatype: datatype::name(info.element).to_owned(),
        shape: info.shape.clone(),
    };
    infos.iter().map(one).collect()
}

fn metadata(metadata: &ModelMetadata) -> ModelMetadataResponse {
    ModelMetadataResponse {
        name: metadata.name.clone(),
        versions: metadata.versions.clone(),
        platform: metadata.platform.to_owned(),
        inputs: tensors(&metadata.inputs),
        outputs: tensors(&metadata.outputs),
        properties: HashMap::new(),
    }
}

/// A model that is loaded is the one that was added; a request brings none.
fn no_overrides(parameters: &HashMap<String, ModelRepositoryParameter>) -> Result<(), Failure> {
    match parameters.keys().find(|name| *name == "config" || name.starts_with("file:")) {
        Some(_) => Err(overrides()),
        None => Ok(()),
    }
}

/// A request to load brings a configuration or a file.
pub(crate) fn overrides() -> Failure {
    Failure::unsupported(
        "a request to load brings no configuration and no file; add a version with `trackside model add`",
    )
}

type Answers = Pin<Box<dyn Stream<Item = Result<ModelStreamInferResponse, Status>> + Send>>;

#[tonic::async_trait]
impl GrpcInferenceService for Service {
    async fn server_live(&self, _: Request<ServerLiveRequest>) -> Answer<ServerLiveResponse> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(&self, _: Request<ServerReadyRequest>) -> Answer<ServerReadyResponse> {
        Ok(Response::new(ServerReadyResponse { ready: self.backend.ready() }))
    }

    async fn model_ready(&self, request: Request<ModelReadyRequest>) -> Answer<ModelReadyResponse> {
        let ModelReadyRequest { name, version } = request.into_inner();
        let wanted = wanted(name, version)?;
        let ready = self.backend.model_ready(&wanted).await?;
        Ok(Response::new(ModelReadyResponse { ready }))
    }

    async fn server_metadata(&self, _: Request<ServerMetadataRequest>) -> Answer<ServerMetadataResponse> {
        Ok(Response::new(ServerMetadataResponse {
            name: ask::NAME.to_owned(),
            version: ask::VERSION.to_owned(),
            extensions: ask::EXTENSIONS.map(str::to_owned).to_vec(),
        }))
    }

    async fn model_metadata(&self, request: Request<ModelMetadataRequest>) -> Answer<ModelMetadataResponse> {
        let ModelMetadataRequest { name, version } = request.into_inner();
        let wanted = wanted(name, version)?;
        Ok(Response::new(metadata(&*self.backend.metadata(&wanted).await?)))
    }

    async fn model_infer(&self, request: Request<ModelInferRequest>) -> Answer<ModelInferResponse> {
        let (metadata, _, message) = request.into_parts();
        let deadline = deadline(&metadata);
        Ok(Response::new(infer(&*self.backend, message, &metadata, deadline).await?))
    }

    type ModelStreamInferStream = Answers;

    async fn model_stream_infer(&self, request: Request<Streaming<ModelInferRequest>>) -> Answer<Answers> {
        let (backend, max_body) = (self.backend.clone(), self.max_body);
        let (metadata, extensions, messages) = request.into_parts();
        let (holds, metadata) = (extensions.get::<Holds>().cloned(), Arc::new(metadata));
        // One after the other: who sends the next before it has the answer is answered in order.
        let answers = messages.then(move |message| {
            let (backend, holds, metadata) = (backend.clone(), holds.clone(), metadata.clone());
            async move {
                let message = message.map_err(|status| of_message(&status, max_body).map_or(status, Status::from))?;
                let id = message.id.clone();
                let answered = infer(&*backend, message, &metadata, None).await;
                if let Some(holds) = holds {
                    holds.clear();
                }
                Ok(match answered {
                    Ok(mut response) => {
                        let last = InferParameter { parameter_choice: Some(ParameterChoice::BoolParam(true)) };
                        response.parameters.insert("triton_final_response".to_owned(), last);
                        ModelStreamInferResponse { error_message: String::new(), infer_response: Some(response) }
                    }
                    Err(failure) => ModelStreamInferResponse {
                        error_message: failure.to_string(),
                        infer_response: Some(ModelInferResponse { id, ..ModelInferResponse::default() }),
                    },
                })
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn model_config(&self, request: Request<ModelConfigRequest>) -> Answer<ModelConfigResponse> {
        let ModelConfigRequest { name, version } = request.into_inner();
        let wanted = wanted(name, version)?;
        let config = told::config(self.backend.config(&wanted).await?);
        Ok(Response::new(ModelConfigResponse { config: Some(config) }))
    }

    async fn model_statistics(&self, request: Request<ModelStatisticsRequest>) -> Answer<ModelStatisticsResponse> {
        let ModelStatisticsRequest { name, version } = request.into_inner();
        let wanted = if name.is_empty() { None } else { Some(wanted(name, version)?) };
        let statistics = self.backend.statistics(wanted.as_ref()).await?;
        let model_stats = statistics.into_iter().map(told::statistics).collect();
        Ok(Response::new(ModelStatisticsResponse { model_stats }))
    }

    async fn repository_index(&self, request: Request<RepositoryIndexRequest>) -> Answer<RepositoryIndexResponse> {
        let only_ready = request.into_inner().ready;
        let entries = self.backend.index().await?.into_iter();
        let kept = entries.filter(|entry| !only_ready || entry.state == ModelState::Ready);
        let models = kept.map(|entry| ModelIndex {
            name: entry.name,
            version: entry.version,
            state: entry.state.name().to_owned(),
            reason: entry.reason,
        });
        Ok(Response::new(RepositoryIndexResponse { models: models.collect() }))
    }

    async fn repository_model_load(
        &self,
        request: Request<RepositoryModelLoadRequest>,
    ) -> Answer<RepositoryModelLoadResponse> {
        let RepositoryModelLoadRequest { model_name, parameters, .. } = request.into_inner();
        no_overrides(&parameters)?;
        self.backend.load(&wanted(model_name, String::new())?).await?;
        Ok(Response::new(RepositoryModelLoadResponse {}))
    }

    async fn repository_model_unload(
        &self,
        request: Request<RepositoryModelUnloadRequest>,
    ) -> Answer<RepositoryModelUnloadResponse> {
        let model = request.into_inner().model_name;
        self.backend.unload(&wanted(model, String::new())?).await?;
        Ok(Response::new(RepositoryModelUnloadResponse {}))
    }
}
