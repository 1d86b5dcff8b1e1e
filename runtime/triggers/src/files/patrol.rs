//! The slow scan that makes up for what no event told.
//!
//! It goes round through all watched folders, a few at a time, and looks at each from outside. A folder whose change time is
//! what it was when the patrol read it last has no new entries: that time can not be set by hand, as the modification time
//! can. One that has changed is read, and what is not watched below it is taken up whatever the events said.
//!
//! What it costs is bounded by construction: after a part of its round it rests [`SHARE`] times as long as that has kept a
//! processor busy, and [`AT_WORK`] times as long as it took, on a slow disk. Time for which other programs kept it waiting
//! for a processor is none of its cost: on a busy box it would rest for many minutes.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

use super::{look_through::Reach, watcher::Round};

/// Between two parts of a round while things go on.
const BUSY_PERIOD: Duration = Duration::from_secs(10);
/// The same when a whole round found nothing and no event came.
const IDLE_PERIOD: Duration = Duration::from_secs(60);
/// One part in so many of a processor's time is the most that the patrol takes.
const SHARE: u32 = 2000;
/// One part in so many of the time is the most for which it is at work.
const AT_WORK: u32 = 100;
/// File systems keep time in steps, of up to two seconds: a folder that has changed since is read once more.
const GRAIN_NS: i64 = 2_500_000_000;

/// What a folder looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Which folder it is.
    is: (u64, u64),
    changed: [i64; 4],
    /// Whether its change was long enough ago that a later one shows.
    old: bool,
}

impl Stamp {
    fn of(metadata: &Metadata, now_ns: i64) -> Self {
        let (seconds, rest) = (metadata.ctime(), metadata.ctime_nsec());
        let changed_ns = seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            is: (metadata.dev(), metadata.ino()),
            changed: [seconds, rest, metadata.mtime(), metadata.mtime_nsec()],
            old: now_ns.saturating_sub(changed_ns) > GRAIN_NS,
        }
    }
}

/// For how long this thread has kept a processor busy.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, rest) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), rest.unwrap_or(0))
}

/// Where the patrol is.
#[derive(Debug, Default)]
pub(super) struct Patrol {
    /// When it goes on.
    at: Duration,
    /// Until when it rests whatever goes on, for what it has cost.
    rests_until: Duration,
    /// The folder that it looked at last in this round.
    last: Option<PathBuf>,
    /// Whether anything was found or heard of since this round began.
    stirred: bool,
    /// Whether the round before passed without that.
    idle: bool,
}

impl Patrol {
    fn period(&self) -> Duration {
        if self.idle { IDLE_PERIOD } else { BUSY_PERIOD }
    }
}

impl Round {
    /// When the patrol goes on; `None` while there is nothing to look at.
    pub(super) fn patrol_at(&self) -> Option<Duration> {
        self.folders.iter().any(|folder| folder.root.is_some()).then_some(self.patrol.at)
    }

    /// Something goes on: the patrol does not wait for the rest of a long period.
    pub(super) fn patrol_soon(&mut self) {
        let soon = self.now().saturating_add(BUSY_PERIOD);
        let patrol = &mut self.patrol;
        (patrol.stirred, patrol.idle) = (true, false);
        patrol.at = patrol.at.min(soon).max(patrol.rests_until);
    }

    /// Goes on with the round when it is time.
    pub(super) fn walk_patrol(&mut self) {
        if self.now() < self.patrol.at || !self.has_room() {
            return;
        }
        let (began, busy_before) = (Instant::now(), processor_time());
        let busy = || processor_time().saturating_sub(busy_before);
        let period = self.patrol.period();
        loop {
            let Some(path) = self.signals.next_after(self.patrol.last.as_deref()) else {
                self.end_round();
                break;
            };
            self.visit(&path);
            self.patrol.last = Some(path);
            if busy() >= period / SHARE || began.elapsed() >= period / AT_WORK {
                break;
            }
        }
        let now = self.now();
        let rest = busy().saturating_mul(SHARE).max(began.elapsed().saturating_mul(AT_WORK));
        self.patrol.rests_until = now.saturating_add(rest);
        self.patrol.at = self.patrol.rests_until.max(now.saturating_add(self.patrol.period()));
    }

    /// Parts that could not be read have no watch that would tell of a change for the better.
    fn end_round(&mut self) {
        self.patrol.last = None;
        self.patrol.idle = !std::mem::take(&mut self.patrol.stirred);
        for index in 0..self.folders.len() {
            let parts: Vec<PathBuf> = self.folders[index].reported.iter().cloned().collect();
            for part in parts {
                self.scan(index, &part, Reach::All);
            }
        }
    }

    fn visit(&mut self, path: &Path) {
        let is_root = |round: &Self| round.folders.iter().position(|folder| folder.root.as_deref() == Some(path));
        let root = is_root(self);
        let now_ns = self.host.now_ms().saturating_mul(1_000_000);
        let stamp = path.symlink_metadata().ok().filter(Metadata::is_dir).map(|meta| Stamp::of(&meta, now_ns));
        let known = self.signals.stamp(path);
        let watched = self.signals.identity(path);
        let replaced = stamp.is_none_or(|stamp| watched.is_some_and(|watched| watched != stamp.is));
        // A link that leads elsewhere now is another folder, too.
        let led_elsewhere = || {
            let elsewhere = |index: usize| self.folders[index].resolve().is_ok_and(|real| real != path);
            root.is_some_and(elsewhere)
        };
        if let Some(index) = root.filter(|_| replaced || led_elsewhere()) {
            self.patrol.stirred = true;
            return self.check_root(index);
        }
        let Some(stamp) = stamp else {
            return self.signals.uncover(path);
        };
        if replaced {
            self.signals.uncover(path);
        } else if known == Some(stamp) && stamp.old {
            return;
        } else if known.is_some_and(|known| known.changed != stamp.changed) {
            // Whether an event told of it or none: from now on one will.
            self.signals.affirm(path);
        }
        self.signals.set_stamp(path, stamp);
        let reach = if replaced { Reach::All } else { Reach::OneFolder };
        for index in 0..self.folders.len() {
            let folder = &self.folders[index];
            let Some(relative) = folder.root.as_ref().and_then(|root| path.strip_prefix(root).ok()) else { continue };
            let wanted = relative.as_os_str().is_empty() || folder.reaches_below(relative);
            // What is looked through at intervals anyway, or left alone until somebody resumes it, is passed over.
            if !wanted || folder.remote || self.host.is_paused(&folder.watched.trigger_id) {
                continue;
            }
            let relative = relative.to_owned();
            self.scan(index, &relative, reach);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_whose_modification_time_was_set_back_shows_that_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let far = i64::MAX;
        let look = || Stamp::of(&fs::symlink_metadata(folder.path()).unwrap(), far);
        let time = fs::metadata(folder.path()).unwrap().modified().unwrap();
        let before = look();
        // Until the file system's clock has moved on.
        while look() == before {
            fs::write(folder.path().join("a"), "a").unwrap();
            fs::File::open(folder.path()).unwrap().set_modified(time).unwrap();
        }
        assert_eq!(fs::metadata(folder.path()).unwrap().modified().unwrap(), time);
        assert!(look().old && !Stamp::of(&fs::symlink_metadata(folder.path()).unwrap(), 0).old);
    }
}
