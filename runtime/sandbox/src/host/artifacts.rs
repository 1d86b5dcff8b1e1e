//! `artifacts`: large data in chunks. No path crosses this interface, and no artifact is ever whole in memory.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
};

use trackside_spec::ArtifactRef;
use wasmtime::component::Resource;

use crate::{
    bindings::trackside::plugin::artifacts::{
        ArtifactError, Host, HostArtifact, HostArtifactWriter, HostReader, Stat,
    },
    bindings::trackside::plugin::common,
    files::{FileSlots, OpenFile, Slot, StopOnDrop, blocking},
    host_api::{ArtifactSink, StepHost},
    store_data::CallData,
};

/// The largest chunk that one call moves.
pub(crate) const CHUNK: usize = 1 << 20;
/// Writes are gathered up to this size, so that a guest that writes line by line costs no thread switch per line.
const BUFFER: usize = 256 << 10;
const ATTRIBUTES: usize = 32;

/// An artifact that the guest holds: an input, or one that it has committed.
pub struct Artifact {
    pub(crate) reference: ArtifactRef,
    attributes: Vec<(String, String)>,
    /// Kept after the first use, so that random access does not open it again for every read.
    file: Option<Arc<OpenFile>>,
}

/// A sequential reader.
pub struct Reader {
    file: Arc<OpenFile>,
    position: u64,
    end: u64,
}

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

/// An I/O error as the guest sees it.
fn io_error(error: &io::Error) -> ArtifactError {
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

impl HostArtifactWriter for CallData {
    async fn write(
        &mut self,
        writer: Resource<Writer>,
        data: Vec<u8>,
    ) -> wasmtime::Result<Result<(), ArtifactError>> {
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
            return Ok(Err(ArtifactError::Io("an attribute has a name of 1 to 128 bytes and a value of up to 4 KiB".into())));
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
            return Ok(Err(ArtifactError::Io(reason)));
        }
        let Some(slot) = self.files.take() else {
            return Ok(Err(ArtifactError::QuotaExceeded(FileSlots::refusal())));
        };
        let pending = Pending { sink: None, buffer: Vec::new(), host: self.host.clone(), _slot: slot };
        let writer = Writer { port, name, media_type, attributes: Vec::new(), body: Body::Open(pending) };
        Ok(Ok(self.table.push(writer)?))
    }
}

/// A name is for people and for delivered files: one path segment that is harmless in every file system.
fn check_name(name: &str) -> Result<(), String> {
    let bad = name.is_empty()
        || name.len() > 255
        || matches!(name, "." | "..")
        || name.contains(['/', '\\'])
        || crate::recorder::one_line(name) != name;
    if bad {
        let shown = crate::recorder::one_line(&name.chars().take(60).collect::<String>());
        return Err(format!(
            "`{shown}` is no artifact name: 1 to 255 bytes without slashes and control characters, not `.` or `..`"
        ));
    }
    Ok(())
}

fn check_media_type(text: &str) -> Result<(), String> {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let fits = text.len() <= 255
        && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        && essence.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub));
    if fits {
        Ok(())
    } else {
        let shown = crate::recorder::one_line(&text.chars().take(60).collect::<String>());
        Err(format!("`{shown}` is no media type: write text/csv or application/octet-stream, for example"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_harmless_segment() {
        for good in ["a.csv", "Übersicht 2.pdf", "..a", &"x".repeat(255)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "../a", "a\\b", "a\0b", "a\nb", "\u{202e}gpj.exe", &"x".repeat(256)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn media_types_are_type_and_subtype() {
        for good in ["text/csv", "application/vnd.x+json", "text/plain; charset=utf-8"] {
            assert!(check_media_type(good).is_ok(), "{good}");
        }
        for bad in ["", "text", "text/", "/csv", "te xt/csv", "text/csv\r\nx: y", "a/b/c"] {
            assert!(check_media_type(bad).is_err(), "{bad}");
        }
    }
}
