//! A wish to start a run, and what becomes of it.

use serde_json::{Map, Value};
use trackside_engine::RunId;
use trackside_facts::TriggerDocument;
use trackside_spec::Digest;
use trackside_store::{Hold, Write};

/// A wish to start a run.
#[derive(Debug)]
pub struct Fire {
    /// Which workflow.
    pub workflow: String,
    /// What the list of runs says of it: [`Cause::run_kind`](trackside_facts::Cause::run_kind).
    pub kind: &'static str,
    /// What started it.
    pub trigger: TriggerDocument,
    /// Parameters as given; defaults are filled in when the run is accepted.
    pub params: Map<String, Value>,
    /// The time that the run is about, milliseconds since 1970.
    pub logical_time_ms: i64,
    /// One for each file that starts the run: at most one run for each identity.
    pub ledger: Vec<LedgerEntry>,
    /// Artifacts that the trigger document refers to.
    pub artifacts: Vec<Digest>,
    /// What keeps them until the run is on disk.
    pub hold: Option<Hold>,
    /// What the trigger wants on disk with the run, or not at all.
    pub rows: Vec<Write>,
}

/// The ledger row that a file's run brings with it.
#[derive(Debug, Clone)]
pub struct LedgerEntry {
    /// The trigger's id.
    pub trigger: String,
    /// What makes the file itself.
    pub identity: String,
    /// Its path below the folder.
    pub path: String,
    /// Size, times and inode.
    pub stat: String,
}

/// How an identity begins that was made up for one request: nobody comes with it again. The database's index of the ledger by
/// path leaves these out.
const ONCE: &str = "r:";

impl LedgerEntry {
    /// An identity that no other request has. Those of one trigger are in the order of their time, so that their rows lie beside
    /// each other.
    #[must_use]
    pub fn once(now_us: i64) -> String {
        // Without the kernel's randomness two requests would have to come within a microsecond.
        let mark = getrandom::u32().unwrap_or(0);
        format!("{ONCE}{}{}", digits(now_us.unsigned_abs(), 11), digits(mark.into(), 6))
    }

    /// Whether there is nothing that could have had its run before: the ledger need not be asked.
    #[must_use]
    pub fn is_once(&self) -> bool {
        self.identity.starts_with(ONCE)
    }
}

/// So many digits of base 36, the last ones.
fn digits(mut number: u64, count: usize) -> String {
    let mut text = vec![b'0'; count];
    for place in text.iter_mut().rev() {
        *place = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
    }
    String::from_utf8(text).unwrap_or_default()
}

/// What became of a [`Fire`]. `Accepted` and `Duplicate` are answered only when they are on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FireAnswer {
    /// The run is on disk.
    Accepted(RunId),
    /// The ledger has it; the path is where the first one lay.
    Duplicate(String),
    /// It can never be accepted as it is: what is wrong, for people.
    Refused(String),
    /// Too much is under way; try again.
    Busy,
    /// Its trigger is paused.
    Paused,
    /// Its concurrency group has no room, and the workflow says that it is not to wait; what is in the way, for people.
    Skipped(String),
}

/// Called once with the answer.
pub type Reply = Box<dyn FnOnce(FireAnswer) + Send>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_identities_are_in_the_order_of_their_time_and_told_apart() {
        let all: Vec<String> = [0, 35, 36, 1_796_020_161_698_734, i64::MAX].map(LedgerEntry::once).into();
        assert!(all.is_sorted() && all.iter().all(|one| one.len() == ONCE.len() + 17), "{all:?}");
        assert_ne!(LedgerEntry::once(7), LedgerEntry::once(7));
        let entry = |identity| LedgerEntry {
            trigger: "w/webhook-0".into(),
            identity,
            path: String::new(),
            stat: String::new(),
        };
        assert!(entry(all[0].clone()).is_once() && !entry("event:1:a:b".into()).is_once());
    }
}
