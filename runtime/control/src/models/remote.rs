//! The operations on models, over the socket of a node. A model travels as the same archive that an export is, while it is being made.

use std::{
    io::{self, Read, Write},
    pin::Pin,
    task::{Context, Poll},
};

use hyper::{
    Method,
    body::{Body, Bytes, Frame},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use trackside_models::package::{Draft, Manifest, PackageError, PackageLimits, pack};

use super::{AddModel, AliasMoved, GivenModel, ModelAdded, ModelRemoved, ModelsError, MoveAlias};
use crate::{Client, ClientError, OperationError};

/// What needs no quoting in a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');
/// Bytes that are sent together.
const PART: usize = 64 << 10;

pub(crate) fn quoted(text: &str) -> String {
    utf8_percent_encode(text, IN_PATH).to_string()
}

impl Client {
    /// Adds a version of a model.
    ///
    /// # Errors
    /// Any [`ClientError`], and what is wrong with the model's files.
    pub async fn add_model(&self, request: &AddModel, given: GivenModel) -> Result<ModelAdded, OperationError> {
        let aliases: Vec<String> = request.aliases.iter().map(|alias| format!("alias={}", quoted(alias))).collect();
        let query = if aliases.is_empty() { String::new() } else { format!("?{}", aliases.join("&")) };
        let path = format!("/v1/models/{}/versions{query}", quoted(&request.name));
        // First: while a large model is read through, nobody waits for the next part of a request.
        let prepared = tokio::task::spawn_blocking(move || prepare(given)).await;
        let prepared = prepared.map_err(|_| self.lost("the archive was not made"))?.map_err(ModelsError::from)?;
        let (sender, parts) = channel(4);
        let making = tokio::task::spawn_blocking(move || make(prepared, Parts { sender, part: Vec::new() }));
        // No time limit: the node has a large file to take, and a model to try.
        let answer = self.ask_with(Method::POST, &path, "application/x-tar", Archive(parts)).await;
        let made = making.await.map_err(|_| self.lost("the archive was not made"))?;
        match (answer, made) {
            (Ok(added), _) => Ok(added),
            // What the node says of an archive that broke off is the consequence.
            (Err(_), Err(error)) if !matches!(error, PackageError::Cut(_)) => Err(ModelsError::from(error).into()),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Lets an alias name a version, or removes it.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn move_model_alias(&self, name: &str, alias: &str, to: Option<u32>) -> Result<AliasMoved, ClientError> {
        let path = format!("/v1/models/{}/aliases/{}", quoted(name), quoted(alias));
        self.quick(&path, self.json(&MoveAlias { version: to })?).await
    }

    /// Moves an alias back to what it named before.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn roll_back_model(&self, name: &str, alias: &str) -> Result<AliasMoved, ClientError> {
        self.quick(&format!("/v1/models/{}/aliases/{}/rollback", quoted(name), quoted(alias)), Bytes::new()).await
    }

    /// Removes a version.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn remove_model(&self, name: &str, version: u32) -> Result<ModelRemoved, ClientError> {
        self.quick(&format!("/v1/models/{}/versions/{version}/remove", quoted(name)), Bytes::new()).await
    }
}

/// What is to be sent, as far as it must be known before.
enum Prepared {
    Draft(Box<Draft>, Box<Manifest>, Vec<u8>),
    Archive(Box<dyn Read + Send>),
}

/// Reads all files through, on a thread that may block.
fn prepare(given: GivenModel) -> Result<Prepared, PackageError> {
    match given {
        GivenModel::Archive(from) => Ok(Prepared::Archive(from)),
        GivenModel::Draft(draft) => {
            // What a node takes, it says itself.
            let limits = PackageLimits::MOST;
            let manifest = draft.manifest(&limits)?;
            let bytes = manifest.to_bytes(&limits)?;
            Ok(Prepared::Draft(draft, Box::new(manifest), bytes))
        }
    }
}

/// Makes the archive, on a thread that may block.
fn make(prepared: Prepared, mut to: Parts) -> Result<(), PackageError> {
    let made = match prepared {
        Prepared::Archive(mut from) => io::copy(&mut from, &mut to).and_then(|_| to.flush()).map_err(PackageError::Cut),
        Prepared::Draft(draft, manifest, bytes) => {
            pack(None, &manifest, &bytes, draft.signatures(), |entry| draft.open(&entry.path), &mut to)
        }
    };
    if let Err(error) = &made {
        // Else the end of what was made would look like the end of the archive.
        let _ = to.sender.blocking_send(Err(io::Error::other(error.to_string())));
    }
    made
}

/// What is written, in parts.
struct Parts {
    sender: Sender<io::Result<Bytes>>,
    part: Vec<u8>,
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend_from_slice(bytes);
        if self.part.len() >= PART {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        let part = Bytes::from(std::mem::take(&mut self.part));
        self.sender.blocking_send(Ok(part)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// The archive as the body of a request.
struct Archive(Receiver<io::Result<Bytes>>);

impl Body for Archive {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}
