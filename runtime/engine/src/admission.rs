//! Who comes in next where there is no room for all: concurrency groups and mutexes, across runs.
//!
//! A second pure machine beside that of a run: commands in, decisions out. It knows no time and keeps nothing for later
//! starts: after a crash the node makes an empty one, first lets those back in that were in before
//! ([`AdmissionCommand::Rejoin`]), then queues the others in the order of their runs.

use std::collections::{BTreeMap, BTreeSet};

use trackside_spec::{OnConflict, StepIndex};

use crate::id::RunId;

/// So many later requests a point of priority lets a request overtake. A request is overtaken by at most this many times
/// the difference of the priorities, however many keep coming: nobody starves.
pub const PLACES_PER_POINT: i64 = 8;

/// What has room for some at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gate {
    /// A concurrency group; runs are in it.
    Group(String),
    /// A mutex; one attempt holds it.
    Mutex(String),
}

/// Who is in or wants in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// The step and its item, where it is not the run as a whole.
    pub step: Option<(StepIndex, Option<u32>)>,
}

/// A wish to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where.
    pub gate: Gate,
    /// Who.
    pub holder: Holder,
    /// So many may be in, this one counted; at least one.
    pub limit: u32,
    /// Which of those that wait comes first, from -100 to 100.
    pub priority: i32,
    /// What happens when there is no room.
    pub on_conflict: OnConflict,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmissionCommand {
    /// Somebody wants in. Who is in or waits already is answered as things stand.
    Enter(Request),
    /// Somebody was in when the node went down.
    Rejoin {
        /// Where.
        gate: Gate,
        /// Who.
        holder: Holder,
    },
    /// Somebody who is in, or waits, does not need it any more.
    Leave {
        /// Where.
        gate: Gate,
        /// Who.
        holder: Holder,
    },
}

/// What follows. Everybody who entered and is named nowhere waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmissionDecision {
    /// Came in, in this order.
    pub admitted: Vec<(Gate, Holder)>,
    /// Is not in and does not wait: there was no room, and the request was to be skipped then.
    pub skipped: Vec<(Gate, Holder)>,
    /// To be cancelled: a later request takes their place. Those that are in stay in until they leave.
    pub cancelled: Vec<(Gate, Holder)>,
}

/// Who is in where, and who waits.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    gates: BTreeMap<Gate, Room>,
    /// Counts requests; the order of coming.
    arrivals: i64,
}

#[derive(Clone, Debug, Default)]
struct Room {
    /// Who is in, and as the how manieth they came in.
    inside: BTreeMap<Holder, u64>,
    /// How many came in so far.
    entries: u64,
    /// Of those inside, who was asked to leave.
    leaving: BTreeSet<Holder>,
    /// Who waits, best first: (rank, arrival).
    waiting: BTreeMap<(i64, i64), (Holder, u32)>,
    /// Where in `waiting` somebody is.
    places: BTreeMap<Holder, (i64, i64)>,
}

impl Admission {
    /// Nobody is in anywhere.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Works a command in.
    pub fn handle(&mut self, command: AdmissionCommand) -> AdmissionDecision {
        let mut decision = AdmissionDecision::default();
        match command {
            AdmissionCommand::Enter(request) => self.enter(request, &mut decision),
            AdmissionCommand::Rejoin { gate, holder } => {
                let room = self.gates.entry(gate).or_default();
                room.forget(holder);
                room.let_in(holder);
            }
            AdmissionCommand::Leave { gate, holder } => {
                if let Some(room) = self.gates.get_mut(&gate) {
                    room.forget(holder);
                    room.inside.remove(&holder);
                    room.leaving.remove(&holder);
                    room.fill(&gate, &mut decision);
                    if room.inside.is_empty() && room.waiting.is_empty() {
                        self.gates.remove(&gate);
                    }
                }
            }
        }
        decision
    }

    fn enter(&mut self, request: Request, decision: &mut AdmissionDecision) {
        let Request { gate, holder, limit, priority, on_conflict } = request;
        self.arrivals += 1;
        let room = self.gates.entry(gate.clone()).or_default();
        if room.inside.contains_key(&holder) {
            decision.admitted.push((gate, holder));
            return;
        }
        if room.places.contains_key(&holder) {
            return;
        }
        let limit = limit.max(1);
        let place = (self.arrivals - i64::from(priority) * PLACES_PER_POINT, self.arrivals);
        room.places.insert(holder, place);
        room.waiting.insert(place, (holder, limit));
        room.fill(&gate, decision);
        if room.inside.contains_key(&holder) {
            return;
        }
        match on_conflict {
            OnConflict::Queue => {}
            OnConflict::Skip => {
                room.forget(holder);
                decision.skipped.push((gate, holder));
            }
            OnConflict::CancelRunning => {
                let others: Vec<Holder> = room.places.keys().copied().filter(|other| *other != holder).collect();
                for other in others {
                    room.forget(other);
                    decision.cancelled.push((gate.clone(), other));
                }
                for other in room.surplus(limit) {
                    room.leaving.insert(other);
                    decision.cancelled.push((gate.clone(), other));
                }
            }
        }
    }

    /// Who is in, and who waits, best first.
    #[must_use]
    pub fn standing(&self, gate: &Gate) -> (Vec<Holder>, Vec<Holder>) {
        self.gates.get(gate).map_or_else(Default::default, |room| {
            (room.inside.keys().copied().collect(), room.waiting.values().map(|(holder, _)| *holder).collect())
        })
    }

    /// Whether nobody is in or waits anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty()
    }
}

impl Room {
    /// Takes somebody out of those who wait.
    fn forget(&mut self, holder: Holder) {
        if let Some(place) = self.places.remove(&holder) {
            self.waiting.remove(&place);
        }
    }

    fn let_in(&mut self, holder: Holder) {
        self.entries += 1;
        self.inside.insert(holder, self.entries);
    }

    /// Lets in who comes first, as long as there is room for them. Who comes first and finds no room lets nobody pass:
    /// otherwise requests with a larger limit would keep it out for ever.
    fn fill(&mut self, gate: &Gate, decision: &mut AdmissionDecision) {
        while let Some((&place, &(holder, limit))) = self.waiting.first_key_value() {
            if self.inside.len() >= limit as usize {
                return;
            }
            self.waiting.remove(&place);
            self.places.remove(&holder);
            self.let_in(holder);
            decision.admitted.push((gate.clone(), holder));
        }
    }

    /// The oldest of those inside who must leave so that there is room for one more, without those who leave already.
    fn surplus(&self, limit: u32) -> Vec<Holder> {
        let mut staying: Vec<(u64, Holder)> = self
            .inside
            .iter()
            .filter(|(holder, _)| !self.leaving.contains(holder))
            .map(|(holder, came)| (*came, *holder))
            .collect();
        staying.sort_unstable();
        let too_many = (staying.len() + 1).saturating_sub(limit as usize);
        staying.into_iter().take(too_many).map(|(_, holder)| holder).collect()
    }
}
