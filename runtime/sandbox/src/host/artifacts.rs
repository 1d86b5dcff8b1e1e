//! `artifacts`: large data in chunks. No path crosses this interface, and no artifact is ever whole in memory.

use std::{io, sync::Arc};

use trackside_spec::ArtifactRef;
use wasmtime::component::Resource;

use super::{
    names::{check_media_type, check_name},
    writer::Writer,
};
use crate::{
    bindings::trackside::plugin::{
        artifacts::{ArtifactError, Host, HostArtifact, HostReader, Stat},
        common,
    },
    files::{FileSlots, OpenFile, blocking},
    store_data::CallData,
};

/// The largest chunk that one call moves.
pub(crate) const CHUNK: usize = 1 << 20;

/// An artifact that the guest holds: an input, or one that it has committed.
pub struct Artifact {
    pub(crate) reference: ArtifactRef,
    pub(super) attributes: Vec<(String, String)>,
    /// Kept after the first use, so that random access does not open it again for every read.
    pub(super) file: Option<Arc<OpenFile>>,
}

/// A sequential reader.
pub struct Reader {
    file: Arc<OpenFile>,
    position: u64,
    end: u64,
}

/// An I/O error as the guest sees it.
pub(super) fn io_error(error: &io::Error) -> ArtifactError {
    match error.kind() {
        io::ErrorKind::NotFound => ArtifactError::NotFound,
        io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull => ArtifactError::QuotaExceeded(error.to_string()),
        _ => ArtifactError::Io(error.to_string()),
    }
}

impl CallData {
    /// The open file of an artifact.
    pub(crate) async fn artifact_file(
        &mut self,
        artifact: &Resource<Artifact>,
    ) -> wasmtime::Result<Result<Arc<OpenFile>, ArtifactError>> {
        let entry = self.table.get(artifact)?;
        if let Some(file) = &entry.file {
            return Ok(Ok(file.clone()));
        }
        let Some(slot) = self.files.take() else {
            return Ok(Err(ArtifactError::QuotaExceeded(FileSlots::refusal())));
        };
        let (host, reference) = (self.host.clone(), entry.reference.clone());
        let opened = blocking(move || OpenFile::new(host.open_artifact(&reference)?, slot)).await;
        match opened {
            Ok(file) => {
                let file = Arc::new(file);
                self.table.get_mut(artifact)?.file = Some(file.clone());
                Ok(Ok(file))
            }
            Err(error) => Ok(Err(io_error(&error))),
        }
    }
}

impl HostReader for CallData {
    async fn read(&mut self, reader: Resource<Reader>, max: u32) -> wasmtime::Result<Result<Vec<u8>, ArtifactError>> {
        self.enter()?;
        let entry = self.table.get(&reader)?;
        let (file, position) = (entry.file.clone(), entry.position);
        let left = usize::try_from(entry.end.saturating_sub(position)).unwrap_or(usize::MAX);
        // A reader that is asked for nothing still makes progress: an empty list means the end.
        let length = (max as usize).clamp(1, CHUNK).min(left);
        let bytes = match file.read(position, length).await {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Err(io_error(&error))),
        };
        self.usage.artifact_bytes_read = self.usage.artifact_bytes_read.saturating_add(bytes.len() as u64);
        self.table.get_mut(&reader)?.position = position + bytes.len() as u64;
        Ok(Ok(bytes))
    }

    fn drop(&mut self, reader: Resource<Reader>) -> wasmtime::Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}

impl HostArtifact for CallData {
    fn stat(&mut self, artifact: Resource<Artifact>) -> wasmtime::Result<Stat> {
        self.enter()?;
        let Artifact { reference, attributes, file } = self.table.get(&artifact)?;
        Ok(Stat {
            name: reference.name.clone(),
            media_type: reference.media_type.clone(),
            size: file.as_ref().map_or(reference.size, |file| file.length()),
            digest: Some(common::Digest { algorithm: "sha256".to_owned(), hex: reference.digest.hex() }),
            extra: attributes.clone(),
        })
    }

    async fn open(
        &mut self,
        artifact: Resource<Artifact>,
    ) -> wasmtime::Result<Result<Resource<Reader>, ArtifactError>> {
        self.open_range(artifact, 0, None).await
    }

    async fn open_range(
        &mut self,
        artifact: Resource<Artifact>,
        offset: u64,
        length: Option<u64>,
    ) -> wasmtime::Result<Result<Resource<Reader>, ArtifactError>> {
        self.enter()?;
        let file = match self.artifact_file(&artifact).await? {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let end = length.map_or(u64::MAX, |length| offset.saturating_add(length)).min(file.length());
        Ok(Ok(self.table.push(Reader { file, position: offset, end })?))
    }

    async fn read_at(
        &mut self,
        artifact: Resource<Artifact>,
        offset: u64,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, ArtifactError>> {
        self.enter()?;
        let file = match self.artifact_file(&artifact).await? {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        match file.read(offset, (max as usize).min(CHUNK)).await {
            Ok(bytes) => {
                self.usage.artifact_bytes_read = self.usage.artifact_bytes_read.saturating_add(bytes.len() as u64);
                Ok(Ok(bytes))
            }
            Err(error) => Ok(Err(io_error(&error))),
        }
    }

    fn drop(&mut self, artifact: Resource<Artifact>) -> wasmtime::Result<()> {
        self.table.delete(artifact)?;
        Ok(())
    }
}

impl Host for CallData {
    fn input(&mut self, port: String) -> wasmtime::Result<Result<Vec<Resource<Artifact>>, ArtifactError>> {
        self.enter()?;
        let Some(references) = self.call.inputs.get(&port) else {
            let declared = self.descriptor().is_some_and(|descriptor| descriptor.input(&port).is_some());
            return Ok(if declared { Ok(Vec::new()) } else { Err(ArtifactError::NotFound) });
        };
        let mut artifacts = Vec::with_capacity(references.len());
        for reference in references {
            let artifact = Artifact { reference: reference.clone(), attributes: Vec::new(), file: None };
            artifacts.push(self.table.push(artifact)?);
        }
        Ok(Ok(artifacts))
    }

    fn create(
        &mut self,
        port: String,
        name: String,
        media_type: String,
    ) -> wasmtime::Result<Result<Resource<Writer>, ArtifactError>> {
        self.enter()?;
        if let Some(descriptor) = self.descriptor()
            && descriptor.output(&port).is_none()
        {
            let known = descriptor.outputs.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none".to_owned() } else { known };
            let port = crate::recorder::one_line(&port);
            return Ok(Err(ArtifactError::Denied(format!(
                "the plugin declares no output port `{port}` (declared: {known})"
            ))));
        }
        if let Err(reason) = check_name(&name).and_then(|()| check_media_type(&media_type)) {
            return Ok(Err(ArtifactError::Io(reason.to_string())));
        }
        let Some(slot) = self.files.take() else {
            return Ok(Err(ArtifactError::QuotaExceeded(FileSlots::refusal())));
        };
        let writer = Writer::new(port, name, media_type, self.host.clone(), slot);
        Ok(Ok(self.table.push(writer)?))
    }
}
