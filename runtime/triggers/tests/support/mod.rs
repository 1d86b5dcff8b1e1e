//! An in-memory host and a folder to watch.

#![allow(dead_code, reason = "each test binary uses its own part")]

#[path = "../../../../tests/support/wait.rs"]
pub mod wait;

use std::{
    collections::HashMap,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use sha2::Digest as _;
use tempfile::TempDir;
use trackside_spec::{ArtifactRef, Claim, Digest, Existing, FileBatch, FileTrigger, Identity};
use trackside_triggers::files::{
    FileDecision, FileFire, FileHost, FileWatcher, FireOutcome, FireReply, FiredFile, FolderNotice, LedgerState,
    SeenFile, WatchedFolder,
};
use wait::patience;

/// What happened, in order.
#[derive(Clone, Debug)]
pub enum Told {
    Fire(FileFire),
    Claimed(String),
    Decision(FileDecision),
    Scanned,
    Notice(FolderNotice),
}

type Hook = Box<dyn FnMut(&str) + Send>;

/// A host that remembers everything in memory and accepts every fire at once, unless told otherwise.
#[derive(Default)]
pub struct Host {
    pub told: Mutex<Vec<Told>>,
    changed: Condvar,
    /// By trigger and identity.
    pub ledger: Mutex<HashMap<(String, String), LedgerState>>,
    /// The identities of a trigger's path: asked for with each look at a file, so a search through all would cost the
    /// square of their number.
    paths: Mutex<HashMap<(String, String), Vec<String>>>,
    pub known: AtomicBool,
    /// Called with the file's name after its bytes were read.
    pub after_read: Mutex<Option<Hook>>,
    /// Files read.
    pub reads: AtomicUsize,
    /// The next fires get these outcomes instead, the last first.
    pub outcomes: Mutex<Vec<FireOutcome>>,
    /// The store fails so many times.
    pub store_failures: AtomicUsize,
    /// Replies are held back while true.
    pub hold: AtomicBool,
    pub held: Mutex<Vec<(FileFire, FireReply)>>,
}

/// Where the thread that takes files up stands still.
pub struct Gate {
    entered: mpsc::Receiver<()>,
    leave: mpsc::Sender<()>,
}

impl Gate {
    /// Moves the file in, and waits until the thread stands.
    pub fn close(&self, inbox: &Inbox) {
        inbox.move_in("gate.csv", "gate");
        self.entered.recv().unwrap();
    }

    /// Lets it go on.
    pub fn open(&self) {
        self.leave.send(()).unwrap();
    }
}

impl Host {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn tell(&self, told: Told) {
        self.told.lock().unwrap().push(told);
        self.changed.notify_all();
    }

    /// Waits until `done` is true of what was told. It looks at all of it each time: for many, [`Self::wait_number`].
    pub fn wait_for(&self, what: &str, done: impl Fn(&[Told]) -> bool) {
        let end = Instant::now() + patience();
        let mut told = self.told.lock().unwrap();
        while !done(&told) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}; told: {:#?}", &told[..told.len().min(20)]);
            told = self.changed.wait_timeout(told, left).unwrap().0;
        }
    }

    /// Holds the thread that takes files up once it has read the file `gate.csv`, which [`Gate::close`] moves in; hints wait until
    /// the gate is opened.
    pub fn gate(&self) -> Gate {
        let (enter, entered) = mpsc::channel();
        let (leave, left) = mpsc::channel::<()>();
        *self.after_read.lock().unwrap() = Some(Box::new(move |name| {
            if name == "gate.csv" {
                enter.send(()).unwrap();
                left.recv().unwrap();
            }
        }));
        Gate { entered, leave }
    }

    /// Waits until what was told counts for so many. Each thing is looked at once.
    pub fn wait_number(&self, what: &str, number: usize, counts: impl Fn(&Told) -> usize) {
        let end = Instant::now() + patience();
        let (mut looked_at, mut came) = (0, 0);
        let mut told = self.told.lock().unwrap();
        loop {
            came += told[looked_at..].iter().map(&counts).sum::<usize>();
            looked_at = told.len();
            if came >= number {
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{came} of {number} {what} came; told: {:#?}", &told[..told.len().min(20)]);
            told = self.changed.wait_timeout(told, left).unwrap().0;
        }
    }

    pub fn whole_fires(&self) -> Vec<FileFire> {
        whole_fires(&self.told.lock().unwrap())
    }

    pub fn fires(&self) -> Vec<FiredFile> {
        fires(&self.told.lock().unwrap())
    }

    pub fn decisions(&self) -> Vec<FileDecision> {
        decisions(&self.told.lock().unwrap())
    }

    pub fn wait_fires(&self, count: usize) -> Vec<FiredFile> {
        self.wait_number("fires", count, |told| if let Told::Fire(fire) = told { fire.files.len() } else { 0 });
        self.fires()
    }

    pub fn wait_claims(&self, count: usize) {
        self.wait_number("claims", count, |told| usize::from(matches!(told, Told::Claimed(_))));
    }

    pub fn wait_decisions(&self, count: usize) -> Vec<FileDecision> {
        self.wait_number("decisions", count, |told| usize::from(matches!(told, Told::Decision(_))));
        self.decisions()
    }

    pub fn wait_scanned(&self) {
        self.wait_for("the first scan", |told| told.iter().any(|told| matches!(told, Told::Scanned)));
    }

    pub fn wait_notice(&self, what: &str, wanted: impl Fn(&FolderNotice) -> bool) {
        self.wait_for(what, |told| told.iter().any(|told| matches!(told, Told::Notice(notice) if wanted(notice))));
    }

    fn accept(&self, fire: &FileFire) -> FireOutcome {
        if let Some(outcome) = self.outcomes.lock().unwrap().pop() {
            return outcome;
        }
        let mut ledger = self.ledger.lock().unwrap();
        let key = |file: &FiredFile| (fire.trigger_id.clone(), file.identity.clone());
        if let Some(first) = fire.files.iter().find_map(|file| ledger.get(&key(file))) {
            return FireOutcome::Duplicate { path: first.path.clone() };
        }
        for file in &fire.files {
            let state = LedgerState {
                identity: file.identity.clone(),
                started: true,
                claimed: false,
                path: file.relative.clone(),
                stat: file.stat,
                at_ms: self.now_ms(),
            };
            self.remember(&fire.trigger_id, &state);
            assert!(ledger.insert(key(file), state).is_none(), "twins in one fire: {}", file.relative);
        }
        FireOutcome::Accepted
    }

    fn remember(&self, trigger: &str, state: &LedgerState) {
        let key = (trigger.to_owned(), state.path.clone());
        self.paths.lock().unwrap().entry(key).or_default().push(state.identity.clone());
    }

    /// Answers the fires held back.
    pub fn release(&self) {
        self.hold.store(false, Ordering::SeqCst);
        for (fire, reply) in std::mem::take(&mut *self.held.lock().unwrap()) {
            reply.send(self.accept(&fire));
        }
    }
}

/// The files of all fires, in order.
pub fn fires(told: &[Told]) -> Vec<FiredFile> {
    whole_fires(told).into_iter().flat_map(|fire| fire.files).collect()
}

pub fn whole_fires(told: &[Told]) -> Vec<FileFire> {
    told.iter().filter_map(|told| if let Told::Fire(fire) = told { Some(fire.clone()) } else { None }).collect()
}

pub fn decisions(told: &[Told]) -> Vec<FileDecision> {
    told.iter().filter_map(|told| if let Told::Decision(it) = told { Some(it.clone()) } else { None }).collect()
}

impl FileHost for Host {
    fn now_ms(&self) -> i64 {
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
    }

    fn store_file(&self, content: &mut dyn Read, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        if self.store_failures.load(Ordering::SeqCst) > 0 {
            self.store_failures.fetch_sub(1, Ordering::SeqCst);
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let (mut hasher, mut size, mut buffer) = (sha2::Sha256::new(), 0, [0; 65_536]);
        loop {
            let read = content.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            size += read as u64;
        }
        self.reads.fetch_add(1, Ordering::SeqCst);
        // Under the lock, so that nobody who waits misses it.
        drop(self.told.lock().unwrap());
        self.changed.notify_all();
        if let Some(hook) = self.after_read.lock().unwrap().as_mut() {
            hook(name);
        }
        let digest = Digest::from_bytes(hasher.finalize().into());
        Ok(ArtifactRef { digest, name: name.to_owned(), media_type: media_type.to_owned(), size })
    }

    fn lookup(&self, trigger: &str, identity: &str) -> io::Result<Option<LedgerState>> {
        Ok(self.ledger.lock().unwrap().get(&(trigger.to_owned(), identity.to_owned())).cloned())
    }

    fn lookup_path(&self, trigger: &str, relative: &str) -> io::Result<Vec<LedgerState>> {
        let ledger = self.ledger.lock().unwrap();
        let paths = self.paths.lock().unwrap();
        let identities = paths.get(&(trigger.to_owned(), relative.to_owned()));
        Ok(identities
            .into_iter()
            .flatten()
            .filter_map(|it| ledger.get(&(trigger.to_owned(), it.clone())))
            .cloned()
            .collect())
    }

    fn fire(&self, fire: FileFire, reply: FireReply) {
        if self.hold.load(Ordering::SeqCst) {
            self.held.lock().unwrap().push((fire.clone(), reply));
            return self.tell(Told::Fire(fire));
        }
        let outcome = self.accept(&fire);
        self.tell(Told::Fire(fire));
        reply.send(outcome);
    }

    fn claimed(&self, trigger: &str, identity: &str) {
        if let Some(state) = self.ledger.lock().unwrap().get_mut(&(trigger.to_owned(), identity.to_owned())) {
            state.claimed = true;
        }
        self.tell(Told::Claimed(identity.to_owned()));
    }

    fn decision(&self, decision: FileDecision) {
        self.tell(Told::Decision(decision));
    }

    fn first_seen(&self, _: &str) -> io::Result<bool> {
        Ok(!self.known.load(Ordering::SeqCst))
    }

    fn record_existing(&self, trigger: &str, files: &[SeenFile]) -> io::Result<()> {
        let mut ledger = self.ledger.lock().unwrap();
        for file in files {
            let identity = format!("existing:{}", file.relative);
            let state = LedgerState {
                identity: identity.clone(),
                started: false,
                claimed: false,
                path: file.relative.clone(),
                stat: file.stat,
                at_ms: self.now_ms(),
            };
            self.remember(trigger, &state);
            ledger.insert((trigger.to_owned(), identity), state);
        }
        Ok(())
    }

    fn scanned(&self, _: &str) -> io::Result<()> {
        self.known.store(true, Ordering::SeqCst);
        self.tell(Told::Scanned);
        Ok(())
    }

    fn notice(&self, _: &str, notice: FolderNotice) {
        self.tell(Told::Notice(notice));
    }
}

/// A folder below a temporary one, and how it is watched.
pub struct Inbox {
    pub base: TempDir,
    pub folder: PathBuf,
    pub trigger: FileTrigger,
}

impl Inbox {
    /// Watched for `*` with a settle time of an hour, so that only closing or moving can complete a file.
    pub fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("in");
        std::fs::create_dir(&folder).unwrap();
        let trigger = FileTrigger {
            path: "in".into(),
            globs: vec!["*".into()],
            exclude: Vec::new(),
            settle: trackside_spec::Duration::from_millis(3_600_000),
            max_wait: trackside_spec::Duration::from_millis(3_600_000),
            identity: Identity::Content,
            existing: Existing::Run,
            claim: Claim::Move,
            shared: false,
            batch: None,
        };
        Self { base, folder, trigger }
    }

    pub fn glob(mut self, glob: &str) -> Self {
        self.trigger.globs = vec![glob.into()];
        self
    }

    pub fn exclude(mut self, globs: &[&str]) -> Self {
        self.trigger.exclude = globs.iter().map(|glob| (*glob).into()).collect();
        self
    }

    pub fn claim(mut self, claim: Claim) -> Self {
        self.trigger.claim = claim;
        self
    }

    pub fn batch(mut self, max_files: u32, max_wait_ms: u64) -> Self {
        let max_wait = trackside_spec::Duration::from_millis(max_wait_ms);
        self.trigger.batch = Some(FileBatch { max_files, max_wait });
        self
    }

    pub fn settle(mut self, ms: u64) -> Self {
        self.trigger.settle = trackside_spec::Duration::from_millis(ms);
        self
    }

    pub fn keep(mut self) -> Self {
        self.trigger.claim = Claim::Keep;
        self
    }

    pub fn identity(mut self, identity: Identity) -> Self {
        self.trigger.identity = identity;
        self
    }

    pub fn ignore_existing(mut self) -> Self {
        self.trigger.existing = Existing::Ignore;
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Writes elsewhere on the same file system and moves in.
    pub fn move_in(&self, name: &str, content: &str) {
        let outside = self.base.path().join("outside");
        std::fs::write(&outside, content).unwrap();
        std::fs::rename(outside, self.path(name)).unwrap();
    }

    pub fn watched(&self, id: &str) -> WatchedFolder {
        WatchedFolder {
            trigger_id: id.into(),
            workflow: "w".into(),
            trigger: self.trigger.clone(),
            folder: self.folder.clone(),
            shared_as: None,
            to: match &self.trigger.claim {
                Claim::MoveTo(to) | Claim::CopyTo(to) => Some(self.base.path().join(to)),
                Claim::Move | Claim::Keep => None,
            },
        }
    }

    /// Starts watching and waits until the folder was looked through once.
    pub fn start(&self, host: &Arc<Host>) -> FileWatcher {
        host.known.store(false, Ordering::SeqCst);
        self.start_known(host)
    }

    /// The same for a host that may know the trigger, so that no first scan is announced: waits until the folder is
    /// watched.
    pub fn start_known(&self, host: &Arc<Host>) -> FileWatcher {
        let known = host.known.load(Ordering::SeqCst);
        let watching = |told: &[Told]| {
            told.iter().filter(|told| matches!(told, Told::Notice(FolderNotice::Watching { .. }))).count()
        };
        let before = watching(&host.told.lock().unwrap());
        let watcher =
            FileWatcher::start(vec![self.watched("w/file-0")], Arc::clone(host) as Arc<dyn FileHost>).unwrap();
        host.wait_for("the watch", |told| watching(told) > before);
        if !known {
            host.wait_scanned();
        }
        watcher
    }
}

/// Sends one more file through and waits for it: whatever the watcher was to do before, it has done.
pub fn fence(inbox: &Inbox, host: &Host, name: &str) {
    inbox.move_in(name, &format!("fence {name}"));
    host.wait_number("fence", 1, |told| match told {
        Told::Fire(fire) => fire.files.iter().filter(|file| file.name == name).count(),
        Told::Decision(decision) => usize::from(decision.relative == name),
        Told::Claimed(_) | Told::Scanned | Told::Notice(_) => 0,
    });
}

pub fn names(fires: &[FiredFile]) -> Vec<String> {
    fires.iter().map(|fire| fire.relative.clone()).collect()
}

pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
