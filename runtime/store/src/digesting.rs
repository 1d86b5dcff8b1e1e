//! The digest of an artifact while it is written: on the same thread as long as it is small, then on one of its own, so
//! that large artifacts are written at the disk's pace and not at the digest's.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, channel, sync_channel},
    thread::{self, JoinHandle},
};

use sha2::{Digest as _, Sha256};

/// From here on a thread pays: it costs about as much as the digest of some ten kilobytes.
const SMALL: u64 = 4 << 20;
/// Bytes handed over at a time.
const CHUNK: usize = 256 << 10;
/// Chunks that may wait. More than that and the writer waits.
const WAITING: usize = 4;

/// A digest under way.
#[derive(Debug)]
pub(crate) struct Digesting {
    seen: u64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Here(Sha256),
    /// No thread could be had; it is not tried again.
    HereForGood(Sha256),
    Beside(Beside),
}

#[derive(Debug)]
struct Beside {
    /// Not yet handed over.
    chunk: Vec<u8>,
    sender: SyncSender<Vec<u8>>,
    /// Chunks that were taken in and can be used again.
    returned: Receiver<Vec<u8>>,
    thread: JoinHandle<Sha256>,
}

impl Digesting {
    pub(crate) fn new() -> Self {
        Self { seen: 0, place: Place::Here(Sha256::new()) }
    }

    /// Bytes so far.
    pub(crate) const fn seen(&self) -> u64 {
        self.seen
    }

    /// Takes bytes in.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.seen += bytes.len() as u64;
        if self.seen > SMALL
            && let Place::Here(hasher) = &self.place
        {
            self.place = match Beside::new(hasher.clone()) {
                Ok(beside) => Place::Beside(beside),
                Err(_) => Place::HereForGood(hasher.clone()),
            };
        }
        match &mut self.place {
            Place::Here(hasher) | Place::HereForGood(hasher) => hasher.update(bytes),
            Place::Beside(beside) => beside.update(bytes),
        }
    }

    /// The digest of all bytes.
    ///
    /// # Errors
    /// When the thread that computed it is gone.
    pub(crate) fn finish(self) -> io::Result<[u8; 32]> {
        let hasher = match self.place {
            Place::Here(hasher) | Place::HereForGood(hasher) => hasher,
            Place::Beside(beside) => beside.finish()?,
        };
        Ok(hasher.finalize().into())
    }
}

impl Beside {
    fn new(mut hasher: Sha256) -> io::Result<Self> {
        let (sender, chunks) = sync_channel::<Vec<u8>>(WAITING);
        let (give_back, returned) = channel();
        let thread = thread::Builder::new().name("digest".to_owned()).spawn(move || {
            for chunk in chunks {
                hasher.update(&chunk);
                // Nobody may want it any more.
                let _ = give_back.send(chunk);
            }
            hasher
        })?;
        Ok(Self { chunk: Vec::with_capacity(CHUNK), sender, returned, thread })
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
            if self.chunk.len() == CHUNK {
                let mut empty = self.returned.try_recv().unwrap_or_else(|_| Vec::with_capacity(CHUNK));
                empty.clear();
                // A thread that is gone is noticed when it is asked for the digest.
                let _ = self.sender.send(std::mem::replace(&mut self.chunk, empty));
            }
        }
    }

    fn finish(self) -> io::Result<Sha256> {
        let Self { chunk, sender, thread, .. } = self;
        let gone = || io::Error::other("the thread that computes the artifact's digest is gone");
        sender.send(chunk).map_err(|_| gone())?;
        drop(sender);
        thread.join().map_err(|_| gone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_same_wherever_it_is_computed() {
        let bytes: Vec<u8> = (0..(SMALL as usize + 3 * CHUNK + 17)).map(|i| (i * 7 % 251) as u8).collect();
        for length in [0, 1, CHUNK, SMALL as usize, SMALL as usize + 1, SMALL as usize + CHUNK, bytes.len()] {
            for piece in [1_000, 64 << 10, 3 << 20] {
                let mut digesting = Digesting::new();
                bytes[..length].chunks(piece).for_each(|piece| digesting.update(piece));
                assert_eq!(digesting.seen(), length as u64);
                let expected: [u8; 32] = Sha256::digest(&bytes[..length]).into();
                assert_eq!(digesting.finish().unwrap(), expected, "{length} bytes in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_digest_that_nobody_wants_leaves_no_thread_behind() {
        let mut digesting = Digesting::new();
        digesting.update(&vec![1; SMALL as usize + CHUNK]);
        let Place::Beside(beside) = digesting.place else { panic!("no thread") };
        let Beside { sender, thread, .. } = beside;
        drop(sender);
        thread.join().unwrap();
    }
}
