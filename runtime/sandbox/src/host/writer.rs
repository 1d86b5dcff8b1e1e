//! `artifacts.artifact-writer`: artifacts that a guest makes.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
};

use wasmtime::component::Resource;

use super::artifacts::{Artifact, CHUNK, io_error};
use crate::{
    bindings::trackside::plugin::artifacts::{ArtifactError, HostArtifactWriter},
    files::{Slot, StopOnDrop, blocking},
    host_api::{ArtifactSink, StepHost},
    store_data::CallData,
};

/// Writes are gathered up to this size, so that a guest that writes line by line costs no thread switch per line.
const BUFFER: usize = 256 << 10;
const ATTRIBUTES: usize = 32;

/// An artifact that is being written.
pub struct Writer {
    port: String,
    name: String,
    media_type: String,
    attributes: Vec<(String, String)>,
    body: Body,
}

enum Body {
    /// The sink is made with the first write to disk: small artifacts cost one thread switch, at the commit.
    Open(Pending),
    /// A write is on its way, or one was given up half-way.
    Busy,
    Committed,
    Failed(String),
}

/// What a blocking thread needs to go on writing.
struct Pending {
    sink: Option<Box<dyn ArtifactSink>>,
    buffer: Vec<u8>,
    host: Arc<dyn StepHost>,
    _slot: Slot,
}

impl Pending {
    /// Writes the buffer out. Blocks.
    fn flush(&mut self) -> io::Result<&mut Box<dyn ArtifactSink>> {
        let sink = match &mut self.sink {
            Some(sink) => sink,
            empty => empty.insert(self.host.create_artifact()?),
        };
        if !self.buffer.is_empty() {
            sink.write(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(sink)
    }
}

impl Writer {
    pub(super) fn new(port: String, name: String, media_type: String, host: Arc<dyn StepHost>, slot: Slot) -> Self {
        let pending = Pending { sink: None, buffer: Vec::new(), host, _slot: slot };
        Self { port, name, media_type, attributes: Vec::new(), body: Body::Open(pending) }
    }

    /// Takes the body out for a piece of work; it must be put back.
    fn take(&mut self) -> Result<Pending, ArtifactError> {
        match std::mem::replace(&mut self.body, Body::Busy) {
            Body::Open(pending) => Ok(pending),
            Body::Busy => Err(ArtifactError::Io("the writer is broken: a write was given up".to_owned())),
            Body::Committed => {
                self.body = Body::Committed;
                Err(ArtifactError::Io("committed".to_owned()))
            }
            Body::Failed(reason) => {
                let error = ArtifactError::Io(reason.clone());
                self.body = Body::Failed(reason);
                Err(error)
            }
        }
    }
}

impl CallData {
    /// Books bytes that are about to be written.
    fn book_write(&mut self, bytes: u64) -> Result<(), ArtifactError> {
        let total = self.usage.artifact_bytes_written.saturating_add(bytes);
        let limit = self.call.limits.artifact_bytes;
        if total > limit {
            return Err(ArtifactError::QuotaExceeded(format!(
                "the artifacts of this step would have {total} bytes; the limit is {limit}"
            )));
        }
        self.usage.artifact_bytes_written = total;
        Ok(())
    }

    /// Appends to a writer; also used by `http` to save a body.
    pub(crate) async fn append(
        &mut self,
        writer: &Resource<Writer>,
        data: &[u8],
    ) -> wasmtime::Result<Result<(), ArtifactError>> {
        let mut pending = match self.table.get_mut(writer)?.take() {
            Ok(pending) => pending,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = self.book_write(data.len() as u64) {
            self.table.get_mut(writer)?.body = Body::Open(pending);
            return Ok(Err(error));
        }
        pending.buffer.extend_from_slice(data);
        if pending.buffer.len() < BUFFER {
            self.table.get_mut(writer)?.body = Body::Open(pending);
            return Ok(Ok(()));
        }
        let result = blocking(move || {
            let flushed = pending.flush().map(|_| ());
            Ok((pending, flushed))
        })
        .await;
        self.put_back(writer, result)
    }

    /// Puts a writer's body back after work on a blocking thread.
    fn put_back<T>(
        &mut self,
        writer: &Resource<Writer>,
        result: io::Result<(Pending, io::Result<T>)>,
    ) -> wasmtime::Result<Result<T, ArtifactError>> {
        let body = &mut self.table.get_mut(writer)?.body;
        match result {
            Ok((pending, Ok(value))) => {
                *body = Body::Open(pending);
                Ok(Ok(value))
            }
            Ok((_, Err(error))) | Err(error) => {
                *body = Body::Failed(format!("an earlier write failed: {error}"));
                Ok(Err(io_error(&error)))
            }
        }
    }
}

impl HostArtifactWriter for CallData {
    async fn write(&mut self, writer: Resource<Writer>, data: Vec<u8>) -> wasmtime::Result<Result<(), ArtifactError>> {
        self.enter()?;
        if data.len() > CHUNK {
            return Ok(Err(ArtifactError::Io(format!(
                "one write takes at most {CHUNK} bytes, not {}: write in pieces",
                data.len()
            ))));
        }
        self.append(&writer, &data).await
    }

    async fn splice_from(
        &mut self,
        writer: Resource<Writer>,
        src: Resource<Artifact>,
        offset: u64,
        length: Option<u64>,
    ) -> wasmtime::Result<Result<u64, ArtifactError>> {
        self.enter()?;
        let file = match self.artifact_file(&src).await? {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let length = file.length().saturating_sub(offset).min(length.unwrap_or(u64::MAX));
        let mut pending = match self.table.get_mut(&writer)?.take() {
            Ok(pending) => pending,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = self.book_write(length) {
            self.table.get_mut(&writer)?.body = Body::Open(pending);
            return Ok(Err(error));
        }
        let stop = StopOnDrop::default();
        let stopped = stop.flag();
        let result = blocking(move || {
            let copied = (|| {
                let mut chunk = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(BUFFER)];
                let mut done = 0;
                while done < length {
                    if stopped.load(Ordering::Relaxed) {
                        return Err(io::Error::other("the step was stopped"));
                    }
                    let size = usize::try_from(length - done).unwrap_or(usize::MAX).min(chunk.len());
                    file.read_exact_at(&mut chunk[..size], offset + done)?;
                    pending.flush()?.write(&chunk[..size])?;
                    done += size as u64;
                }
                Ok(length)
            })();
            Ok((pending, copied))
        })
        .await;
        drop(stop);
        self.put_back(&writer, result)
    }

    fn set_attribute(
        &mut self,
        writer: Resource<Writer>,
        key: String,
        value: String,
    ) -> wasmtime::Result<Result<(), ArtifactError>> {
        self.enter()?;
        let entry = self.table.get_mut(&writer)?;
        if !matches!(entry.body, Body::Open(_)) {
            return Ok(Err(ArtifactError::Io("committed".to_owned())));
        }
        if key.is_empty() || key.len() > 128 || value.len() > 4_096 {
            return Ok(Err(ArtifactError::Io(
                "an attribute has a name of 1 to 128 bytes and a value of up to 4 KiB".into(),
            )));
        }
        entry.attributes.retain(|(existing, _)| *existing != key);
        if entry.attributes.len() == ATTRIBUTES {
            return Ok(Err(ArtifactError::QuotaExceeded(format!("an artifact has at most {ATTRIBUTES} attributes"))));
        }
        entry.attributes.push((key, value));
        Ok(Ok(()))
    }

    async fn commit(
        &mut self,
        writer: Resource<Writer>,
    ) -> wasmtime::Result<Result<Resource<Artifact>, ArtifactError>> {
        self.enter()?;
        let limit = self.call.limits.artifact_count;
        if self.produced.len() >= limit as usize {
            return Ok(Err(ArtifactError::QuotaExceeded(format!("a step commits at most {limit} artifacts"))));
        }
        let descriptor = self.descriptor();
        let entry = self.table.get_mut(&writer)?;
        let single = descriptor.is_some_and(|d| d.output(&entry.port).is_some_and(|port| !port.many));
        if single && self.produced.iter().any(|(port, _)| *port == entry.port) {
            return Ok(Err(ArtifactError::QuotaExceeded(format!("output port `{}` takes one artifact", entry.port))));
        }
        let mut pending = match entry.take() {
            Ok(pending) => pending,
            Err(error) => return Ok(Err(error)),
        };
        let (port, name, media_type) = (entry.port.clone(), entry.name.clone(), entry.media_type.clone());
        let attributes = entry.attributes.clone();
        let result = blocking(move || {
            pending.flush()?;
            let sink = pending.sink.take().ok_or_else(|| io::Error::other("the artifact was never begun"))?;
            sink.commit(&name, &media_type)
        })
        .await;
        match result {
            Ok(reference) => {
                self.table.get_mut(&writer)?.body = Body::Committed;
                self.produced.push((port, reference.clone()));
                Ok(Ok(self.table.push(Artifact { reference, attributes, file: None })?))
            }
            Err(error) => {
                self.table.get_mut(&writer)?.body = Body::Failed(format!("the commit failed: {error}"));
                Ok(Err(io_error(&error)))
            }
        }
    }

    fn drop(&mut self, writer: Resource<Writer>) -> wasmtime::Result<()> {
        self.table.delete(writer)?;
        Ok(())
    }
}
