//! Large data, in pieces: nothing here ever holds a whole artifact unless it is asked to.

use std::{
    fmt,
    io::{self, BufRead, Read, Write},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    StepError,
    host::artifacts::{self, ArtifactError},
};

/// Bytes fetched or sent per host call. 64 KiB keeps call overhead below the cost of copying.
const CHUNK: usize = 64 * 1024;

/// An artifact's reference as it stands in a step's input document.
///
/// A plugin that refuses unknown keys declares its artifact ports with this type; the content is opened through
/// [`crate::Step::input`] by the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRef {
    /// The digest, `sha256:…`.
    pub artifact: String,
    /// A file name for people.
    #[serde(default)]
    pub name: String,
    /// The media type.
    #[serde(default)]
    pub media_type: String,
    /// Length in bytes.
    #[serde(default)]
    pub size: u64,
}

/// An immutable artifact.
pub struct Artifact {
    inner: artifacts::Artifact,
    stat: artifacts::Stat,
}

impl Artifact {
    pub(crate) fn from_host(inner: artifacts::Artifact) -> Self {
        let stat = inner.stat();
        Self { inner, stat }
    }

    pub(crate) fn host(&self) -> &artifacts::Artifact {
        &self.inner
    }

    /// The file name; never a path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.stat.name
    }

    /// The media type.
    #[must_use]
    pub fn media_type(&self) -> &str {
        &self.stat.media_type
    }

    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.stat.size
    }

    /// The digest as `ALGORITHM:HEX`, when it is known.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        self.stat.digest.as_ref().map(|digest| format!("{}:{}", digest.algorithm, digest.hex))
    }

    /// Reads from the first byte to the last.
    ///
    /// # Errors
    /// When the host cannot open it.
    pub fn reader(&self) -> Result<Reader, StepError> {
        Ok(Reader::new(self.inner.open()?))
    }

    /// Reads `length` bytes from `offset`, or to the end.
    ///
    /// # Errors
    /// When the host cannot open it.
    pub fn range(&self, offset: u64, length: Option<u64>) -> Result<Reader, StepError> {
        Ok(Reader::new(self.inner.open_range(offset, length)?))
    }

    /// At most `max` bytes from `offset`; fewer only at the end, or above the host's cap of 1 MiB.
    ///
    /// # Errors
    /// When reading fails.
    pub fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>, StepError> {
        Ok(self.inner.read_at(offset, max)?)
    }

    /// The whole content, when it has at most `limit` bytes.
    ///
    /// # Errors
    /// `too-large` above the limit.
    pub fn bytes(&self, limit: u64) -> Result<Vec<u8>, StepError> {
        if self.size() > limit {
            let message = format!("{} has {} bytes; at most {limit} are read", self.name(), self.size());
            return Err(StepError::fatal("too-large", message));
        }
        let mut content = Vec::new();
        self.reader()?.take(limit).read_to_end(&mut content)?;
        Ok(content)
    }

    /// The whole content as UTF-8 text, when it has at most `limit` bytes.
    ///
    /// # Errors
    /// `too-large` above the limit, `not-utf8` for other bytes.
    pub fn text(&self, limit: u64) -> Result<String, StepError> {
        String::from_utf8(self.bytes(limit)?).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            StepError::fatal("not-utf8", format!("{} is not UTF-8 text (byte {at})", self.name()))
        })
    }

    /// The content as JSON, when it has at most `limit` bytes.
    ///
    /// # Errors
    /// `too-large`, `bad-json`.
    pub fn json<T: DeserializeOwned>(&self, limit: u64) -> Result<T, StepError> {
        serde_json::from_slice(&self.bytes(limit)?).map_err(|error| StepError::from(error).context(self.name()))
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifact").field("name", &self.name()).field("size", &self.size()).finish_non_exhaustive()
    }
}

/// Reads an artifact in order. It is buffered already: wrap it in nothing.
pub struct Reader {
    inner: artifacts::Reader,
    chunk: Vec<u8>,
    used: usize,
    ended: bool,
}

impl Reader {
    fn new(inner: artifacts::Reader) -> Self {
        Self { inner, chunk: Vec::new(), used: 0, ended: false }
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let count = ready.len().min(into.len());
        into[..count].copy_from_slice(&ready[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.chunk.len() && !self.ended {
            self.chunk = self.inner.read(CHUNK as u32).map_err(io::Error::other)?;
            self.used = 0;
            self.ended = self.chunk.is_empty();
        }
        Ok(&self.chunk[self.used..])
    }

    fn consume(&mut self, count: usize) {
        self.used = (self.used + count).min(self.chunk.len());
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

/// Writes a new artifact in order. It is buffered already: wrap it in nothing.
///
/// Dropped without [`ArtifactWriter::commit`], nothing remains of it.
pub struct ArtifactWriter {
    inner: artifacts::ArtifactWriter,
    buffer: Vec<u8>,
    written: u64,
}

impl ArtifactWriter {
    pub(crate) fn from_host(inner: artifacts::ArtifactWriter) -> Self {
        Self { inner, buffer: Vec::new(), written: 0 }
    }

    pub(crate) fn host(&self) -> &artifacts::ArtifactWriter {
        &self.inner
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Appends a part of another artifact; no byte of it enters the plugin's memory. Returns how many were copied.
    ///
    /// # Errors
    /// When reading or writing fails, or a quota is used up.
    pub fn splice(&mut self, source: &Artifact, offset: u64, length: Option<u64>) -> Result<u64, StepError> {
        self.flush()?;
        let copied = self.inner.splice_from(&source.inner, offset, length)?;
        self.written += copied;
        Ok(copied)
    }

    /// Attaches a key and value for people and tools.
    ///
    /// # Errors
    /// When the host refuses it.
    pub fn attribute(&mut self, key: &str, value: &str) -> Result<(), StepError> {
        Ok(self.inner.set_attribute(key, value)?)
    }

    /// Writes one JSON value and a line feed: a line of a JSONL artifact.
    ///
    /// # Errors
    /// When the value is no JSON or writing fails.
    pub fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), StepError> {
        serde_json::to_writer(&mut *self, value)?;
        self.write_all(b"\n")?;
        Ok(())
    }

    /// Makes it durable. Later steps see it if this step succeeds.
    ///
    /// # Errors
    /// When the disk fails or a quota is used up.
    pub fn commit(mut self) -> Result<Artifact, StepError> {
        self.flush()?;
        Ok(Artifact::from_host(self.inner.commit()?))
    }

    fn send(&self, data: &[u8]) -> io::Result<()> {
        // The host takes at most 1 MiB per call.
        data.chunks(16 * CHUNK).try_for_each(|part| self.inner.write(part)).map_err(io::Error::other)
    }
}

impl Write for ArtifactWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + data.len() > CHUNK {
            self.flush()?;
        }
        if data.len() >= CHUNK {
            self.send(data)?;
        } else {
            self.buffer.extend_from_slice(data);
        }
        self.written += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.send(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

impl fmt::Debug for ArtifactWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArtifactWriter").field("written", &self.written).finish_non_exhaustive()
    }
}

/// Lets callers match on why a read failed.
impl From<ArtifactError> for io::Error {
    fn from(error: ArtifactError) -> Self {
        Self::other(error)
    }
}
