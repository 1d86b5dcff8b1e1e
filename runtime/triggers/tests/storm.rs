//! A hundred thousand files in one burst, on a real folder. Alone in its process, because it measures its memory.
//!
//! `TRACKSIDE_STORM_FILES` sets the number of files.

use std::{
    collections::HashSet,
    fs,
    io::Read,
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    alone::alone,
    support::{
        Inbox,
        wait::{patient, wait_until_within},
    },
};
use trackside_spec::{ArtifactRef, Digest};
use trackside_triggers::files::{
    FileDecision, FileFire, FileHost, FileStat, FileWatcher, FireOutcome, FireReply, FolderNotice, LedgerState,
    SeenFile,
};

/// Remembers eight bytes for a file, so that what grows is the watcher.
#[derive(Default)]
struct Counter {
    seen: Mutex<HashSet<u64>>,
    twice: AtomicUsize,
    claimed: AtomicUsize,
    rescans: AtomicUsize,
    backlog: AtomicUsize,
    /// While it is shut the watcher's thread waits in the first file's reading.
    gate: (Mutex<bool>, Condvar),
    known: AtomicBool,
}

fn number(identity: &str) -> u64 {
    u64::from_str_radix(&identity.trim_start_matches("sha256:")[..16], 16).unwrap()
}

impl FileHost for Counter {
    fn now_ms(&self) -> i64 {
        1_800_000_000_000
    }

    fn store_file(&self, content: &mut dyn Read, name: &str, media_type: &str) -> std::io::Result<ArtifactRef> {
        let shut = self.gate.0.lock().unwrap();
        drop(self.gate.1.wait_while(shut, |shut| *shut).unwrap());
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        let size = bytes.len() as u64;
        Ok(ArtifactRef { digest: Digest::of(&bytes), name: name.into(), media_type: media_type.into(), size })
    }

    fn lookup(&self, _: &str, identity: &str) -> std::io::Result<Option<LedgerState>> {
        let known = self.seen.lock().unwrap().contains(&number(identity));
        let stat = FileStat { size: 0, modified_ns: 0, inode: 0 };
        let state = LedgerState {
            identity: identity.into(),
            started: true,
            claimed: false,
            path: String::new(),
            stat,
            at_ms: 0,
        };
        Ok(known.then_some(state))
    }

    fn lookup_path(&self, _: &str, _: &str) -> std::io::Result<Vec<LedgerState>> {
        Ok(Vec::new())
    }

    fn fire(&self, fire: FileFire, reply: FireReply) {
        for file in &fire.files {
            if !self.seen.lock().unwrap().insert(number(&file.identity)) {
                self.twice.fetch_add(1, Ordering::SeqCst);
            }
        }
        reply.send(FireOutcome::Accepted);
    }

    fn claimed(&self, _: &str, _: &str) {
        self.claimed.fetch_add(1, Ordering::SeqCst);
    }

    fn decision(&self, decision: FileDecision) {
        panic!("{decision:?}");
    }

    fn first_seen(&self, _: &str) -> std::io::Result<bool> {
        self.rescans.fetch_add(1, Ordering::SeqCst);
        Ok(!self.known.load(Ordering::SeqCst))
    }

    fn record_existing(&self, _: &str, _: &[SeenFile]) -> std::io::Result<()> {
        Ok(())
    }

    fn scanned(&self, _: &str) -> std::io::Result<()> {
        self.known.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn notice(&self, _: &str, notice: FolderNotice) {
        if matches!(notice, FolderNotice::Backlog { .. }) {
            self.backlog.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn memory_kib(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn make(folder: &Path, files: usize) {
    for number in 0..files {
        fs::write(folder.join(number.to_string()), number.to_string()).unwrap();
    }
}

#[test]
fn a_hundred_thousand_files_moved_in_at_once_start_one_run_each_in_bounded_memory() {
    alone(|| {
        let files: usize = std::env::var("TRACKSIDE_STORM_FILES").map_or(100_000, |text| text.parse().unwrap());
        let (inbox, host) = (Inbox::new(), Arc::new(Counter::default()));
        let staging = inbox.base.path().join("staging");
        fs::create_dir(&staging).unwrap();
        make(&staging, files);
        *host.gate.0.lock().unwrap() = true;
        let before = memory_kib("VmRSS");
        let watcher =
            FileWatcher::start(vec![inbox.watched("w/file-0")], Arc::clone(&host) as Arc<dyn FileHost>).unwrap();
        let scans = host.rescans.load(Ordering::SeqCst);
        let start = Instant::now();
        // The watcher's thread is held in the first file, so nobody takes hints while the rest comes in: they overflow.
        for number in 0..files {
            let name = number.to_string();
            fs::rename(staging.join(&name), inbox.path(&name)).unwrap();
        }
        let moved = start.elapsed();
        *host.gate.0.lock().unwrap() = false;
        host.gate.1.notify_all();
        wait_until_within(patient(Duration::from_secs(1200)), "all files claimed", || {
            (host.claimed.load(Ordering::SeqCst) >= files).then_some(())
        });
        let done = start.elapsed();
        watcher.stop();
        let grown = memory_kib("VmHWM").saturating_sub(before);
        let scans = host.rescans.load(Ordering::SeqCst) - scans;
        println!(
            "storm: {files} files moved in within {moved:.1?}, all runs accepted after {done:.1?}; memory grew by at most {grown} \
             KiB (the test's own set of files included); {scans} looks through the folder"
        );
        assert_eq!((host.seen.lock().unwrap().len(), host.twice.load(Ordering::SeqCst)), (files, 0));
        assert_eq!(fs::read_dir(&inbox.folder).unwrap().count(), 0);
        if files > 20_000 {
            assert!(scans > 1, "no hint was lost, so nothing was shown");
            assert!(host.backlog.load(Ordering::SeqCst) >= 1);
        }
        // 16,384 hints, 10,000 pending files, and 9 bytes a file in the test's own set.
        assert!(grown < 48 * 1024, "{grown} KiB");
    });
}
