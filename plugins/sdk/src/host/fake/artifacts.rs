//! `artifacts`.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::with;

/// The host's cap on one read or write.
const MAX_PART: usize = 1 << 20;

/// Why an artifact could not be opened, read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactError {
    /// There is no such artifact or port.
    NotFound,
    /// Not allowed, and why.
    Denied(String),
    /// A limit is used up, and which.
    QuotaExceeded(String),
    /// The disk failed, or the writer is committed.
    Io(String),
}

/// An artifact's bytes and what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub name: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
    pub attributes: Vec<(String, String)>,
}

pub struct Digest {
    pub algorithm: String,
    pub hex: String,
}

pub struct Stat {
    pub name: String,
    pub media_type: String,
    pub size: u64,
    pub digest: Option<Digest>,
}

pub struct Reader {
    content: Rc<Content>,
    position: Cell<usize>,
    end: usize,
}

impl Reader {
    pub fn read(&self, max: u32) -> Result<Vec<u8>, ArtifactError> {
        let (from, max) = (self.position.get(), (max as usize).min(MAX_PART));
        let to = self.end.min(from + max);
        self.position.set(to);
        Ok(self.content.bytes[from..to].to_vec())
    }
}

pub struct Artifact {
    content: Rc<Content>,
}

impl Artifact {
    pub fn content(&self) -> &Rc<Content> {
        &self.content
    }

    pub fn stat(&self) -> Stat {
        Stat {
            name: self.content.name.clone(),
            media_type: self.content.media_type.clone(),
            size: self.content.bytes.len() as u64,
            digest: None,
        }
    }

    pub fn open(&self) -> Result<Reader, ArtifactError> {
        self.open_range(0, None)
    }

    pub fn open_range(&self, offset: u64, length: Option<u64>) -> Result<Reader, ArtifactError> {
        let (start, end) = self.range(offset, length);
        Ok(Reader { content: Rc::clone(&self.content), position: Cell::new(start), end })
    }

    pub fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>, ArtifactError> {
        let (start, end) = self.range(offset, Some(u64::from(max).min(MAX_PART as u64)));
        Ok(self.content.bytes[start..end].to_vec())
    }

    /// The part that lies inside the content.
    fn range(&self, offset: u64, length: Option<u64>) -> (usize, usize) {
        let size = self.content.bytes.len();
        let start = usize::try_from(offset).unwrap_or(size).min(size);
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(size);
        (start, start.saturating_add(length).min(size))
    }
}

pub struct ArtifactWriter {
    port: String,
    /// `None` once it is committed.
    content: RefCell<Option<Content>>,
}

impl ArtifactWriter {
    pub fn write(&self, data: &[u8]) -> Result<(), ArtifactError> {
        if data.len() > MAX_PART {
            return Err(ArtifactError::Io("more than 1 MiB in one call".into()));
        }
        self.change(|content| content.bytes.extend_from_slice(data))
    }

    pub fn splice_from(&self, source: &Artifact, offset: u64, length: Option<u64>) -> Result<u64, ArtifactError> {
        let (start, end) = source.range(offset, length);
        self.change(|content| content.bytes.extend_from_slice(&source.content.bytes[start..end]))?;
        Ok((end - start) as u64)
    }

    pub fn set_attribute(&self, key: &str, value: &str) -> Result<(), ArtifactError> {
        self.change(|content| content.attributes.push((key.into(), value.into())))
    }

    pub fn commit(&self) -> Result<Artifact, ArtifactError> {
        let content = self.content.borrow_mut().take().ok_or_else(committed)?;
        let content = Rc::new(content);
        with(|world| world.committed.push((self.port.clone(), Rc::clone(&content))));
        Ok(Artifact { content })
    }

    fn change(&self, act: impl FnOnce(&mut Content)) -> Result<(), ArtifactError> {
        self.content.borrow_mut().as_mut().map(act).ok_or_else(committed)
    }
}

fn committed() -> ArtifactError {
    ArtifactError::Io("committed".into())
}

pub fn input(port: &str) -> Result<Vec<Artifact>, ArtifactError> {
    let found = with(|world| world.inputs.get(port).cloned()).ok_or(ArtifactError::NotFound)?;
    Ok(found.into_iter().map(|content| Artifact { content }).collect())
}

pub fn create(port: &str, name: &str, media_type: &str) -> Result<ArtifactWriter, ArtifactError> {
    if !with(|world| world.output_ports.contains(port)) {
        return Err(ArtifactError::Denied(format!("`{port}` is no output port of this plugin")));
    }
    let content =
        Content { name: name.into(), media_type: media_type.into(), bytes: Vec::new(), attributes: Vec::new() };
    Ok(ArtifactWriter { port: port.into(), content: RefCell::new(Some(content)) })
}
