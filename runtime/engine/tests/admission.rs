//! Who comes in next, against a list that is searched from the front.
//!
//! `TRACKSIDE_CASES` and `TRACKSIDE_SEED` as for the model of a run.

use std::collections::BTreeMap;

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use trackside_engine::{
    Admission, AdmissionCommand, AdmissionDecision, Gate, Holder, PLACES_PER_POINT, Request, RunId,
};
use trackside_spec::{OnConflict, StepIndex};

fn gate(number: u8) -> Gate {
    if number == 0 { Gate::Mutex("m".into()) } else { Gate::Group(format!("g{number}")) }
}

fn holder(number: u8) -> Holder {
    let step = number.is_multiple_of(2).then(|| (StepIndex(u16::from(number % 3)), None));
    Holder { run: RunId::from_i64(i64::from(number)), step }
}

#[derive(Clone, Debug)]
enum Op {
    Enter {
        gate: u8,
        holder: u8,
        priority: i32,
        on_conflict: OnConflict,
    },
    Leave {
        gate: u8,
        holder: u8,
    },
    /// Whoever is in somewhere, picked by number, leaves.
    LeaveInside(u8),
    Crash,
}

fn op() -> impl Strategy<Value = Op> {
    let conflict = prop_oneof![
        6 => Just(OnConflict::Queue), 1 => Just(OnConflict::Skip), 1 => Just(OnConflict::CancelRunning),
    ];
    let enter = (0..3u8, 0..24u8, -100..=100i32, conflict);
    prop_oneof![
        10 => enter.prop_map(|(gate, holder, priority, on_conflict)| {
            Op::Enter { gate, holder, priority: priority / 25, on_conflict }
        }),
        2 => (0..3u8, 0..24u8).prop_map(|(gate, holder)| Op::Leave { gate, holder }),
        6 => any::<u8>().prop_map(Op::LeaveInside),
        1 => Just(Op::Crash),
    ]
}

fn limit(gate: u8) -> u32 {
    u32::from(gate) + 1
}

/// Somebody who waits, in the model.
#[derive(Clone, Debug)]
struct Waiting {
    holder: Holder,
    priority: i32,
    arrival: i64,
}

/// The model of one gate: lists in the order of coming.
#[derive(Clone, Debug, Default)]
struct Model {
    inside: Vec<(Holder, bool)>,
    waiting: Vec<Waiting>,
}

impl Model {
    /// The first of those whom nobody behind overtakes.
    fn first(&self) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (place, waiting) in self.waiting.iter().enumerate() {
            let overtakes = |other: usize| {
                let other = &self.waiting[other];
                let lead = i64::from(waiting.priority - other.priority) * PLACES_PER_POINT;
                lead > waiting.arrival - other.arrival
            };
            if best.is_none_or(overtakes) {
                best = Some(place);
            }
        }
        best
    }

    fn fill(&mut self, limit: u32) -> Vec<Holder> {
        let mut admitted = Vec::new();
        while self.inside.len() < limit as usize {
            let Some(place) = self.first() else { break };
            let waiting = self.waiting.remove(place);
            self.inside.push((waiting.holder, false));
            admitted.push(waiting.holder);
        }
        admitted
    }
}

#[test]
fn those_come_in_whom_the_model_lets_in() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("TRACKSIDE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRACKSIDE_CASES").unwrap_or(10_000),
    };
    let ops = prop::collection::vec(op(), 1..80);
    for seed in seeds {
        let mut bytes = [1; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = Config { cases: 1, failure_persistence: None, max_shrink_iters: 50_000, ..Config::default() };
        if let Err(error) = TestRunner::new_with_rng(config, rng).run(&ops, |ops| check(&ops)) {
            panic!("TRACKSIDE_SEED={seed}: {error}");
        }
    }
}

fn check(ops: &[Op]) -> Result<(), TestCaseError> {
    let mut admission = Admission::new();
    let mut models: BTreeMap<u8, Model> = BTreeMap::new();
    let mut arrivals = 0;
    for op in ops {
        match *op {
            Op::Enter { gate, holder: number, priority, on_conflict } => {
                arrivals += 1;
                let model = models.entry(gate).or_default();
                let decision = enter(&mut admission, gate, holder(number), priority, on_conflict);
                let wanted = model_enter(model, gate, holder(number), priority, on_conflict, arrivals);
                prop_assert_eq!(decision, wanted);
            }
            Op::Leave { gate, holder: number } => leave(&mut admission, &mut models, gate, holder(number))?,
            Op::LeaveInside(number) => {
                let inside: Vec<(u8, Holder)> =
                    models.iter().flat_map(|(gate, model)| model.inside.iter().map(|(h, _)| (*gate, *h))).collect();
                if let Some((gate, holder)) = inside.get(usize::from(number) % inside.len().max(1)).copied() {
                    leave(&mut admission, &mut models, gate, holder)?;
                }
            }
            Op::Crash => {
                // First those who were in, then those who wait, in the order of coming.
                admission = Admission::new();
                arrivals = 0;
                for (number, model) in &mut models {
                    for (holder, leaving) in &mut model.inside {
                        arrivals += 1;
                        *leaving = false;
                        let nothing = AdmissionDecision::default();
                        let rejoin = AdmissionCommand::Rejoin { gate: gate(*number), holder: *holder };
                        prop_assert_eq!(admission.handle(rejoin), nothing);
                    }
                }
                for (number, model) in &mut models {
                    model.waiting.sort_by_key(|waiting| waiting.arrival);
                    for waiting in &mut model.waiting {
                        arrivals += 1;
                        waiting.arrival = arrivals;
                        let decision =
                            enter(&mut admission, *number, waiting.holder, waiting.priority, OnConflict::Queue);
                        prop_assert_eq!(decision, AdmissionDecision::default(), "nobody comes in by a crash");
                    }
                }
            }
        }
        for (number, model) in &models {
            prop_assert!(model.inside.len() <= limit(*number) as usize, "too many are in {number}");
            let mut inside: Vec<Holder> = model.inside.iter().map(|(holder, _)| *holder).collect();
            inside.sort();
            let (found, waiting) = admission.standing(&gate(*number));
            prop_assert_eq!(found, inside);
            prop_assert_eq!(waiting.len(), model.waiting.len());
            prop_assert!(waiting.is_empty() || model.inside.len() == limit(*number) as usize, "room and a queue");
        }
    }
    // Everybody leaves; everybody who waited comes in on the way, and nothing is left.
    while let Some((gate, holder)) =
        models.iter().find_map(|(gate, model)| model.inside.first().map(|(holder, _)| (*gate, *holder)))
    {
        leave(&mut admission, &mut models, gate, holder)?;
    }
    prop_assert!(admission.is_empty());
    Ok(())
}

fn enter(
    admission: &mut Admission,
    number: u8,
    holder: Holder,
    priority: i32,
    on_conflict: OnConflict,
) -> AdmissionDecision {
    let request = Request { gate: gate(number), holder, limit: limit(number), priority, on_conflict };
    admission.handle(AdmissionCommand::Enter(request))
}

fn model_enter(
    model: &mut Model,
    number: u8,
    holder: Holder,
    priority: i32,
    on_conflict: OnConflict,
    arrival: i64,
) -> AdmissionDecision {
    let with_gate = |holders: Vec<Holder>| holders.into_iter().map(|holder| (gate(number), holder)).collect();
    let mut decision = AdmissionDecision::default();
    if model.inside.iter().any(|(inside, _)| *inside == holder) {
        decision.admitted = with_gate(vec![holder]);
        return decision;
    }
    if model.waiting.iter().any(|waiting| waiting.holder == holder) {
        return decision;
    }
    model.waiting.push(Waiting { holder, priority, arrival });
    decision.admitted = with_gate(model.fill(limit(number)));
    if !decision.admitted.is_empty() {
        return decision;
    }
    match on_conflict {
        OnConflict::Queue => {}
        OnConflict::Skip => {
            model.waiting.retain(|waiting| waiting.holder != holder);
            decision.skipped = with_gate(vec![holder]);
        }
        OnConflict::CancelRunning => {
            let mut cancelled: Vec<Holder> =
                model.waiting.iter().map(|waiting| waiting.holder).filter(|other| *other != holder).collect();
            cancelled.sort();
            model.waiting.retain(|waiting| waiting.holder == holder);
            let staying = model.inside.iter().filter(|(_, leaving)| !leaving).count();
            let mut surplus = (staying + 1).saturating_sub(limit(number) as usize);
            for (inside, leaving) in model.inside.iter_mut().filter(|(_, leaving)| !leaving) {
                if surplus > 0 {
                    *leaving = true;
                    cancelled.push(*inside);
                    surplus -= 1;
                }
            }
            decision.cancelled = with_gate(cancelled);
        }
    }
    decision
}

fn leave(
    admission: &mut Admission,
    models: &mut BTreeMap<u8, Model>,
    number: u8,
    holder: Holder,
) -> Result<(), TestCaseError> {
    let model = models.entry(number).or_default();
    model.inside.retain(|(inside, _)| *inside != holder);
    model.waiting.retain(|waiting| waiting.holder != holder);
    let admitted: Vec<Holder> = model.fill(limit(number));
    let decision = admission.handle(AdmissionCommand::Leave { gate: gate(number), holder });
    prop_assert_eq!(decision.admitted.iter().map(|(_, holder)| *holder).collect::<Vec<_>>(), admitted);
    Ok(())
}

fn queue(admission: &mut Admission, run: i64, priority: i32) -> AdmissionDecision {
    let holder = Holder { run: RunId::from_i64(run), step: None };
    let (gate, on_conflict) = (Gate::Group("g".into()), OnConflict::Queue);
    admission.handle(AdmissionCommand::Enter(Request { gate, holder, limit: 1, priority, on_conflict }))
}

#[test]
fn nobody_starves_however_many_of_a_higher_priority_keep_coming() {
    let mut admission = Admission::new();
    queue(&mut admission, 1, 0);
    queue(&mut admission, 2, -100);
    let mut inside = 1;
    for run in 3.. {
        queue(&mut admission, run, 100);
        let holder = Holder { run: RunId::from_i64(inside), step: None };
        let decision = admission.handle(AdmissionCommand::Leave { gate: Gate::Group("g".into()), holder });
        inside = decision.admitted[0].1.run.as_i64();
        if inside == 2 {
            assert_eq!(run - 2, 200 * PLACES_PER_POINT, "overtaken as often as is promised and not once more");
            return;
        }
    }
}

#[test]
fn of_one_priority_the_first_to_come_is_the_first_in() {
    let mut admission = Admission::new();
    for run in 1..=50 {
        queue(&mut admission, run, 7);
    }
    for run in 1..50 {
        let holder = Holder { run: RunId::from_i64(run), step: None };
        let decision = admission.handle(AdmissionCommand::Leave { gate: Gate::Group("g".into()), holder });
        assert_eq!(decision.admitted[0].1.run, RunId::from_i64(run + 1));
    }
}
