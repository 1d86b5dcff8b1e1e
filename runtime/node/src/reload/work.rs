//! The thread that waits for changes to be complete, looks, and takes what is right into use.
//!
//! Events are hints; how the files look is the truth. With nothing going on nothing wakes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use notify::RecommendedWatcher;
use tokio::sync::watch;
use trackside_spec::{Digest, config::load_node_config};
use trackside_steps::Workshop;
use trackside_store::Clock;

use super::{
    Change, InForce, Intakes, Reloaded, changes,
    folder::{self, Looks},
    signals::{self, Places, Stir},
};
use crate::project::{Project, ProjectError, WorkflowReason};

/// So long nothing may change before anybody looks: several files are often written together.
const QUIET: Duration = Duration::from_millis(200);
/// So long a file may be open for writing and stand still; then it is taken as it is.
const OPEN: Duration = Duration::from_secs(10);
/// Nobody waits longer than this, however much goes on.
const LONGEST: Duration = Duration::from_secs(30);
/// File systems keep time in steps: a file that was changed just now is looked at once more.
const GRAIN: Duration = Duration::from_millis(100);
/// How often the files are looked at where no event tells of them.
const POLL: Duration = Duration::from_secs(30);

/// How often a folder that is not there is looked for.
const AWAY: Duration = Duration::from_secs(2);

/// Who saw to a change when it was the folder itself.
const FOLDER: &str = "the folder";

/// Called once with what a reload did.
pub(crate) type ReloadReply = Box<dyn FnOnce(Result<Reloaded, ProjectError>) + Send>;

/// To the thread.
pub(crate) enum Notice {
    /// Something happened to a file.
    Stirred(Stir),
    /// Events were lost.
    Lost,
    /// Somebody wants the files read now.
    Reload {
        /// Who.
        by: String,
        /// Called when what is right is in use.
        reply: ReloadReply,
    },
    /// The end.
    Stop,
}

/// The thread's handle. Dropping it ends the thread, and with it the file watcher.
pub(crate) struct Reloader {
    notices: Sender<Notice>,
    thread: Option<JoinHandle<()>>,
}

impl Reloader {
    /// Starts the thread. `looks` is how the files in use looked before they were read.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(
        notices: (Sender<Notice>, Receiver<Notice>),
        workshop: Arc<Workshop>,
        in_force: watch::Sender<Arc<InForce>>,
        intakes: Intakes,
        looks: Option<Looks>,
    ) -> std::io::Result<Self> {
        let (tell, inbox) = notices;
        let project = in_force.borrow().project.clone();
        let places =
            Places { root: project.root.clone(), workflows: project.workflow_dir(), plugins: project.plugin_dir() };
        let config_digest = project.config_digest;
        let work = Work {
            inbox,
            tell: tell.clone(),
            clock: workshop.clock.clone(),
            workshop,
            in_force,
            intakes,
            places,
            watcher: None,
            polls: false,
            looks,
            config_seen: config_digest,
            told: problem_texts(&project),
            open: BTreeSet::new(),
            first: None,
            due: None,
        };
        let (watching, is_watching) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("definitions".into()).spawn(move || work.run(watching))?;
        // It is dropped when the watches are set, so that whatever changes from now on is heard of.
        let _: Result<(), _> = is_watching.recv();
        Ok(Self { notices: tell, thread: Some(thread) })
    }
}

impl Drop for Reloader {
    fn drop(&mut self) {
        // The thread may have ended already.
        let _ = self.notices.send(Notice::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("[TS-0628] the definitions' thread had panicked; changes were not taken up since");
        }
    }
}

struct Work {
    inbox: Receiver<Notice>,
    tell: Sender<Notice>,
    clock: Arc<dyn Clock>,
    workshop: Arc<Workshop>,
    in_force: watch::Sender<Arc<InForce>>,
    intakes: Intakes,
    places: Places,
    watcher: Option<RecommendedWatcher>,
    /// There are no events: the files are looked at every so often.
    polls: bool,
    /// How the files looked before they were read the last time.
    looks: Option<Looks>,
    config_seen: Digest,
    /// What was said of files that cannot be used.
    told: BTreeMap<PathBuf, String>,
    /// Files that somebody is writing.
    open: BTreeSet<PathBuf>,
    /// When the first of the changes came that nobody has looked at.
    first: Option<Instant>,
    due: Option<Instant>,
}

impl Work {
    fn run(mut self, watching: Sender<()>) {
        self.watch();
        drop(watching);
        // What changed between the start's reading and the watches may still be changing.
        if folder::looks(&self.places.workflows).ok() != self.looks {
            self.wait(QUIET);
        }
        loop {
            let away = self.in_force.borrow().project.is_without_folder();
            let period = if away { Some(AWAY) } else { self.polls.then_some(POLL) };
            let poll = period.map(|period| Instant::now() + period);
            let next = self.due.into_iter().chain(poll).min();
            let notice = match next {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => self.inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match notice {
                Ok(Notice::Stirred(stir)) => self.stirred(stir),
                Ok(Notice::Lost) => {
                    self.open.clear();
                    self.watch();
                    self.wait(QUIET);
                }
                Ok(Notice::Reload { by, reply }) => {
                    self.watch();
                    let done = self.read(&by);
                    reply(done);
                }
                Err(RecvTimeoutError::Timeout) => {
                    (self.first, self.due) = (None, None);
                    self.open.clear();
                    self.look(self.waits_for_plugins());
                }
                Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn stirred(&mut self, stir: Stir) {
        match stir {
            Stir::Writing(path) => drop(self.open.insert(path)),
            Stir::Done(path) => {
                self.open.remove(&path);
                if self.places.is_folder(&path) {
                    // Another folder may be there now, with other files.
                    self.open.clear();
                    self.watch();
                }
            }
        }
        self.wait(if self.open.is_empty() { QUIET } else { OPEN });
    }

    /// Looks after this time, if nothing else comes in between.
    fn wait(&mut self, time: Duration) {
        let now = Instant::now();
        let first = *self.first.get_or_insert(now);
        self.due = Some((now + time).min(first + LONGEST));
    }

    fn watch(&mut self) {
        // The old watches go when the new ones are set, so that nothing comes in unseen between.
        match signals::watch(&self.places, &self.tell) {
            Ok(watcher) => (self.watcher, self.polls) = (Some(watcher), false),
            Err(error) => {
                if !self.polls {
                    let reason = error.to_string();
                    tracing::warn!(
                        reason,
                        "[TS-0627] the workflow files cannot be watched and are looked at every 30 s; raise \
                         fs.inotify.max_user_watches, or run `trackside reload` after a change"
                    );
                }
                (self.watcher, self.polls) = (None, true);
            }
        }
    }

    fn waits_for_plugins(&self) -> bool {
        let problems = &self.in_force.borrow().project.problems;
        problems.iter().any(|problem| matches!(problem.reason, WorkflowReason::Plugin { .. }))
    }

    /// Reads the files if they look different, or at any rate.
    fn look(&mut self, at_any_rate: bool) {
        self.look_at_config();
        let looks = folder::looks(&self.places.workflows).ok();
        if looks.is_some() && looks != self.looks && self.in_force.borrow().project.is_without_folder() {
            // It is back, or another one is there: what was watched is not what is there now.
            self.watch();
        }
        if at_any_rate || looks != self.looks {
            // Told where it went wrong.
            let _ = self.read(FOLDER);
        }
    }

    fn read(&mut self, by: &str) -> Result<Reloaded, ProjectError> {
        self.look_at_config();
        self.looks = folder::looks(&self.places.workflows).ok();
        let before = self.in_force.borrow().clone();
        let last = before.project.in_use();
        let workshop = &self.workshop;
        let plugin = |name: &str| workshop.plugins.get(name).err().map(|problem| problem.to_string());
        let bare = if by == FOLDER { before.project.bare() } else { before.project.bare().taking_any_folder() };
        let read = bare.with_workflows(&last, Some(&plugin));
        let project = match read {
            Ok(project) => Arc::new(project),
            Err(error) => {
                self.tell_unreadable(&error);
                return Err(error);
            }
        };
        let (changes, rows) = changes(&last, &project, self.clock.now_ms(), by);
        let now = Arc::new(InForce { project: project.clone(), config_note: before.config_note.clone() });
        // Also when no definition has changed: a trigger that could not work may do so now, and the other way round.
        if !rows.is_empty() || by != FOLDER || problem_texts(&project) != self.told {
            let in_force = &self.in_force;
            let publish = || drop(in_force.send_replace(now.clone()));
            self.intakes.switch(&project, rows, publish);
            // A rollout may rest on what was changed.
            self.workshop.models.serving().bell().ring();
        }
        self.say(&changes, &project, by);
        // A file that was changed during this, or just before, is looked at once more.
        let after = folder::looks(&self.places.workflows).ok();
        let young = after.iter().flatten().any(|(_, stamp)| stamp.is_some_and(|stamp| stamp.is_young_now()));
        if after != self.looks || young {
            self.looks = if young { None } else { self.looks.take() };
            self.wait(GRAIN);
        }
        Ok(Reloaded { changes, now })
    }

    fn tell_unreadable(&mut self, error: &ProjectError) {
        let text = error.to_string();
        if self.told.insert(self.places.workflows.clone(), text.clone()).as_ref() != Some(&text) {
            tracing::error!("the workflows are used as they were:\n{text}");
        }
    }

    /// Says what is in use now, and of each file what is wrong with it, once.
    fn say(&mut self, changes: &[Change], project: &Project, by: &str) {
        for Change { workflow, file, was, is } in changes {
            let short = |digest: &Digest| digest.hex().chars().take(12).collect::<String>();
            let file = file.display();
            match (was, is) {
                (None, Some(is)) => tracing::info!(by, "workflow {workflow} is in use: {} ({file})", short(is)),
                (Some(was), Some(is)) => {
                    tracing::info!(by, "workflow {workflow} is in use: {} after {} ({file})", short(is), short(was));
                }
                (Some(was), None) => tracing::info!(by, "workflow {workflow} was taken out: {} ({file})", short(was)),
                (None, None) => {}
            }
        }
        let texts = problem_texts(project);
        for (file, text) in &texts {
            if self.told.get(file) == Some(text) {
                continue;
            }
            let kept = project.problems.iter().find(|problem| problem.file == *file).and_then(|p| p.kept.as_ref());
            match kept {
                Some((workflow, digest)) => tracing::error!(
                    "[TS-0625] {} is not used; workflow {workflow} goes on with its last good version {}:\n{text}",
                    file.display(),
                    digest.hex().chars().take(12).collect::<String>(),
                ),
                None if project.is_without_folder() => tracing::error!("{text}"),
                None => tracing::error!("{} is not used:\n{text}", file.display()),
            }
        }
        let is_mended = |file: &&PathBuf| !texts.contains_key(*file);
        for file in self.told.keys().filter(is_mended) {
            tracing::info!("nothing is wrong with {} any more", file.display());
        }
        self.told = texts;
    }

    /// `trackside.toml` is read at a start; here only that it is another one now is told.
    fn look_at_config(&mut self) {
        if !self.places.root.is_dir() {
            return;
        }
        let text = std::fs::read_to_string(self.places.root.join("trackside.toml")).unwrap_or_default();
        let digest = Digest::of(text.as_bytes());
        if digest == self.config_seen {
            return;
        }
        self.config_seen = digest;
        let at_start = self.in_force.borrow().project.config_digest;
        let note = (digest != at_start).then(|| match load_node_config("trackside.toml", &text) {
            Ok(_) => "trackside.toml has changed: it is read at the next start".to_owned(),
            Err(error) => format!("trackside.toml has changed, and with it the node will not start again:\n{error}"),
        });
        match &note {
            Some(note) => tracing::warn!("[TS-0626] {note}"),
            None => tracing::info!("trackside.toml is as it was at the start"),
        }
        self.in_force.send_modify(|now| {
            *now = Arc::new(InForce { project: now.project.clone(), config_note: note });
        });
    }
}

/// What is wrong, by file.
fn problem_texts(project: &Project) -> BTreeMap<PathBuf, String> {
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    for problem in project.problems.iter() {
        let text = texts.entry(problem.file.clone()).or_default();
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&problem.reason.to_string());
    }
    texts
}
