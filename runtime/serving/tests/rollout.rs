//! Rollouts as a state machine: what is due, and when.

use std::time::Duration;

use trackside_serving::rollout::{Arm, Due, Machine, Missing, Split, Status, Told, Verdict};
use trackside_spec::RolloutPlan;

fn plan(text: &str) -> RolloutPlan {
    let plan = serde_json::from_str::<RolloutPlan>(text).unwrap().filled();
    assert_eq!(plan.problems(), []);
    plan
}

fn answer(arm: Arm, failed: bool) -> Told {
    Told::Answer { arm, subject: None, failed, seconds: Some(0.010), score: None }
}

/// Requests at a rate a second, from a seed: each arm fails as often as it says.
struct Traffic {
    seed: u64,
    fails: [f64; 2],
}

impl Traffic {
    fn unit(&mut self) -> f64 {
        // SplitMix64.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// So many requests; what was due is done. Says what was.
    fn run(&mut self, machine: &mut Machine, requests: u32, every: Duration) -> Vec<Due> {
        let mut done = Vec::new();
        for _ in 0..requests {
            machine.pass(every);
            let arm = if self.unit() * 100_000.0 < f64::from(machine.share()) { Arm::Candidate } else { Arm::Stable };
            let failed = self.unit() < self.fails[arm as usize];
            machine.tell(&answer(arm, failed));
            while let Some(due) = machine.due() {
                machine.done(&due);
                done.push(due);
            }
            if machine.status().is_over() {
                break;
            }
        }
        done
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_good_candidate_goes_from_step_to_step_and_takes_over() {
    let mut machine = Machine::new(plan(r#"{"gates":["errors=+4%"],"bake":"10m","evidence":50}"#)).unwrap();
    let mut traffic = Traffic { seed: 1, fails: [0.01, 0.01] };
    assert_eq!(machine.share(), 5_000);
    let done = traffic.run(&mut machine, 20_000, SECOND);
    assert_eq!(done, [Due::Advance, Due::Advance, Due::Promote]);
    assert_eq!((machine.status(), machine.share()), (&Status::Promoted, 0));
    // Half an hour at least: three times the bake time.
    assert!(machine.standing().ran.0 >= Duration::from_secs(1800));
    assert!(!machine.tell(&answer(Arm::Candidate, true)));
    assert!(!machine.say(Status::Running), "what is over stays over");
}

#[test]
fn a_bad_candidate_is_taken_back_with_the_reason() {
    let mut machine = Machine::new(plan(r#"{"gates":["errors=+4%","p95=x1.5"]}"#)).unwrap();
    let mut traffic = Traffic { seed: 2, fails: [0.01, 0.4] };
    let done = traffic.run(&mut machine, 20_000, SECOND);
    let Some(Due::RollBack { why }) = done.last() else { panic!("{done:?}") };
    assert!(why.starts_with("the gate errors=+4% is broken: in service ") && why.contains("candidate"), "{why}");
    assert_eq!(machine.share(), 0);
    let seen = machine.standing().seen.0;
    assert!(seen[1] < 120, "{seen:?}");
}

#[test]
fn nothing_is_promoted_for_want_of_evidence() {
    let text = r#"{"mode":"ab","gates":["errors=+4%"],"bake":"1m","evidence":10,"ask_after":"1h"}"#;
    let mut machine = Machine::new(plan(text)).unwrap();
    let mut traffic = Traffic { seed: 3, fails: [0.02, 0.02] };
    // Three requests, then a week without any.
    assert_eq!(traffic.run(&mut machine, 3, SECOND), []);
    machine.pass(Duration::from_secs(7 * 86_400));
    let Some(Due::Ask { why }) = machine.due() else { panic!("{:?}", machine.due()) };
    assert!(why.contains("no verdict after 1h") && why.contains("more requests"), "{why}");
    machine.done(&Due::Ask { why });
    assert_eq!((machine.due(), machine.next()), (None, None), "it is asked once");
    assert_eq!(machine.share(), 50_000);
    // What is missing comes after all, and it goes on by itself.
    let done = traffic.run(&mut machine, 3_000, SECOND);
    assert_eq!(done, [Due::Promote]);
}

#[test]
fn what_is_missing_is_said_in_time() {
    let mut machine = Machine::new(plan(r#"{"mode":"ab","gates":["errors=+4%"],"evidence":100}"#)).unwrap();
    let missing = machine.standing().missing;
    assert!(
        missing[0].contains("100 more requests of the candidate") && missing[0].contains("no request came yet"),
        "{missing:?}"
    );
    let mut traffic = Traffic { seed: 4, fails: [0.0, 0.0] };
    traffic.run(&mut machine, 40, Duration::from_secs(1800));
    let standing = machine.standing();
    let gate = &standing.gates[0];
    assert_eq!((gate.verdict, gate.unit), (Verdict::Inconclusive, "requests"));
    assert!(matches!(gate.missing, Missing::About(50..=2000)), "{:?}", gate.missing);
    let text = standing.missing.join("\n");
    assert!(text.contains("days at the present rate"), "{text}");
}

#[test]
fn a_person_holds_lets_go_and_aborts() {
    let mut machine = Machine::new(plan(r#"{"mode":"ab","gates":["errors=+4%"],"bake":"1s","evidence":1}"#)).unwrap();
    assert!(machine.say(Status::Held { by: "ana".to_owned() }));
    let mut good = Traffic { seed: 5, fails: [0.0, 0.0] };
    assert_eq!(good.run(&mut machine, 3_000, SECOND), []);
    assert_eq!(machine.share(), 50_000, "the share stays");
    machine.say(Status::Running);
    assert_eq!(machine.due(), Some(Due::Promote));
    machine.say(Status::Aborted { by: "ana".to_owned() });
    assert_eq!((machine.due(), machine.share()), (None, 0));
    // Held, and broken.
    let mut machine = Machine::new(plan(r#"{"mode":"ab","gates":["errors=+4%"]}"#)).unwrap();
    machine.say(Status::Held { by: "ana".to_owned() });
    let done = Traffic { seed: 6, fails: [0.0, 0.5] }.run(&mut machine, 500, SECOND);
    assert!(matches!(done[..], [Due::RollBack { .. }]), "{done:?}");
}

#[test]
fn it_goes_on_where_it_was_after_every_request() {
    for text in [
        r#"{"gates":["errors=+4%","p95=x1.5","scores=0.2","accuracy=-3%"],"evidence":20,"bake":"1m"}"#,
        r#"{"mode":"blue-green","gates":["errors=+4%","accuracy=90%"],"evidence":20,"bake":"1m"}"#,
        r#"{"mode":"shadow","gates":["errors=+4%","agreement=90%","accuracy=-3%"],"evidence":20,"bake":"1m"}"#,
        r#"{"mode":"ab","gates":["errors=x2"],"subject":"header:x-user","bake":"1m"}"#,
    ] {
        let plan = plan(text);
        let (mut one, mut again) = (Machine::new(plan.clone()).unwrap(), Machine::new(plan.clone()).unwrap());
        let mut traffic = Traffic { seed: 7, fails: [0.0; 2] };
        for number in 0..400_u64 {
            let arm = if traffic.unit() < f64::from(one.share()) / 100_000.0 { Arm::Candidate } else { Arm::Stable };
            let (failed, right, score) = (traffic.unit() < 0.02, traffic.unit() < 0.95, traffic.unit());
            let told = [
                Told::Answer {
                    arm,
                    subject: Some(number % 70),
                    failed,
                    seconds: Some(0.01 + score / 100.0),
                    score: Some(score),
                },
                Told::Pair {
                    failed: (false, failed),
                    seconds: (0.01, 0.02),
                    agreed: Some(score.round()),
                    scores: Some((score, score)),
                },
                Told::Truth { arm, right },
                Told::PairTruth { right: (right, !failed) },
            ];
            for told in &told {
                assert_eq!(one.tell(told), again.tell(told), "{text}: {number}");
            }
            one.pass(SECOND);
            again.pass(SECOND);
            assert_eq!(one.due(), again.due());
            if let Some(due) = one.due() {
                one.done(&due);
                again.done(&due);
            }
            // A clean end, and a start.
            again = Machine::read(plan.clone(), &again.kept(false)).unwrap();
            assert_eq!(one.standing(), again.standing(), "{text}: {number}");
        }
    }
}

#[test]
fn a_candidate_that_takes_the_process_down_is_given_nothing_more() {
    let plan = plan(r#"{"gates":["errors=+4%"]}"#);
    let machine = Machine::new(plan.clone()).unwrap();
    // A power cut may happen once.
    let machine = Machine::read(plan.clone(), &machine.kept(true)).unwrap();
    assert_eq!((machine.status(), machine.share()), (&Status::Running, 5_000));
    let mut machine = Machine::read(plan.clone(), &machine.kept(true)).unwrap();
    let Status::Stopped { why } = machine.status().clone() else { panic!("{:?}", machine.status()) };
    assert!(why.contains("ended 2 times") && machine.share() == 0, "{why}");
    // Clean ends say nothing, and a person may let it go on.
    let again = Machine::read(plan.clone(), &machine.kept(false)).unwrap();
    assert_eq!(again.status(), &Status::Stopped { why });
    machine.say(Status::Running);
    let machine = Machine::read(plan, &machine.kept(true)).unwrap();
    assert_eq!(machine.share(), 5_000);
}

#[test]
fn what_is_damaged_is_not_gone_on_with() {
    let (one, other) = (plan(r#"{"gates":["errors=+4%"]}"#), plan(r#"{"gates":["errors=+4%","p95=x2"]}"#));
    let kept = Machine::new(one.clone()).unwrap().kept(false);
    for (plan, bytes) in [
        (&one, &b""[..]),
        (&one, b"{}"),
        (&other, &kept),
        (&one, &kept[..kept.len() - 1]),
        (&one, &vec![b' '; 2 << 20]),
    ] {
        assert!(Machine::read(plan.clone(), bytes).is_err());
    }
}

#[test]
fn few_who_ask_are_counted_once_each() {
    // Five pumps, one of which is broken and fails with every version: not the candidate's fault.
    let mut machine = Machine::new(plan(r#"{"mode":"ab","gates":["errors=+4%"],"subject":"parameter:pump"}"#)).unwrap();
    let split = Split { key: "k".to_owned(), share: 50_000 };
    let pumps: Vec<u64> = (0..10).map(|pump| split.number(&format!("pump-{pump}"))).collect();
    let broken = pumps.iter().copied().find(|pump| split.arm(*pump) == Arm::Candidate).unwrap();
    for round in 0..300 {
        for pump in &pumps {
            let told = Told::Answer {
                arm: split.arm(*pump),
                subject: Some(*pump),
                failed: *pump == broken,
                seconds: None,
                score: None,
            };
            machine.tell(&told);
        }
        assert_eq!(machine.due(), None, "after {round} rounds");
    }
    assert_eq!(machine.standing().gates[0].unit, "subjects");
    assert_eq!(machine.standing().gates[0].observations, 10);
    // Requests of nobody are drawn one by one, and count as such; how many there were is told.
    machine.tell(&answer(Arm::Candidate, false));
    assert_eq!(machine.standing().subjects.unwrap().1, 1);
}

#[test]
fn blue_green_observes_first_and_then_gives_all() {
    let text = r#"{"mode":"blue-green","gates":["errors=+5%"],"evidence":100,"bake":"1m"}"#;
    let mut machine = Machine::new(plan(text)).unwrap();
    assert_eq!(machine.share(), 0);
    let mut traffic = Traffic { seed: 8, fails: [0.02, 0.02] };
    let done = traffic.run(&mut machine, 5_000, SECOND);
    assert_eq!(done, [Due::Advance, Due::Promote]);
    let mut machine = Machine::new(plan(text)).unwrap();
    let done = Traffic { seed: 9, fails: [0.02, 0.3] }.run(&mut machine, 5_000, SECOND);
    assert!(matches!(&done[..], [Due::Advance, Due::RollBack { .. }]), "{done:?}");
}

#[test]
fn a_shadow_is_judged_by_pairs() {
    let text = r#"{"mode":"shadow","gates":["agreement=90%","accuracy=-5%"],"evidence":50,"bake":"1m"}"#;
    let run = |agrees: f64, right: f64| {
        let mut machine = Machine::new(plan(text)).unwrap();
        assert_eq!((machine.share(), machine.shadowed()), (0, 100_000));
        let mut traffic = Traffic { seed: 10, fails: [0.0; 2] };
        for _ in 0..5_000 {
            let agreed = f64::from(u8::from(traffic.unit() < agrees));
            let candidate = traffic.unit() < right;
            machine.tell(&Told::Pair {
                failed: (false, false),
                seconds: (0.01, 0.01),
                agreed: Some(agreed),
                scores: None,
            });
            machine.tell(&Told::PairTruth { right: (traffic.unit() < 0.95, candidate) });
            machine.pass(SECOND);
            if let Some(due) = machine.due() {
                return due;
            }
        }
        panic!("{:?}", machine.standing())
    };
    assert_eq!(run(0.97, 0.95), Due::Promote);
    assert!(matches!(run(0.7, 0.95), Due::RollBack { why } if why.contains("agreement=90%")));
    assert!(matches!(run(0.97, 0.7), Due::RollBack { why } if why.contains("accuracy=-5%")));
}

#[test]
fn scores_that_move_are_seen() {
    let text = r#"{"mode":"ab","gates":["scores=0.2"],"evidence":50,"bake":"1m"}"#;
    let run = |shift: f64| {
        let mut machine = Machine::new(plan(text)).unwrap();
        let mut traffic = Traffic { seed: 11, fails: [0.0; 2] };
        for _ in 0..20_000 {
            let arm = if traffic.unit() < 0.5 { Arm::Candidate } else { Arm::Stable };
            let score = traffic.unit() + if arm == Arm::Candidate { shift } else { 0.0 };
            machine.tell(&Told::Answer { arm, subject: None, failed: false, seconds: None, score: Some(score) });
            // None of these is a score.
            machine.tell(&Told::Answer {
                arm,
                subject: None,
                failed: false,
                seconds: Some(f64::NAN),
                score: Some(f64::NAN),
            });
            machine.pass(SECOND);
            if let Some(due) = machine.due() {
                return due;
            }
        }
        panic!("{:?}", machine.standing())
    };
    assert_eq!(run(0.0), Due::Promote);
    assert!(matches!(run(0.5), Due::RollBack { .. }));
}

/// Many rollouts of a candidate that is as good, and of one that is worse, at edge traffic: at most the promised share errs.
#[test]
fn as_many_are_wrong_as_was_promised() {
    let text = r#"{"mode":"ab","gates":["errors=+4%"],"bake":"1s","evidence":1}"#;
    let machine = Machine::new(plan(text)).unwrap();
    let outcomes = |fails: [f64; 2]| {
        let mut outcomes = [0_u32; 3];
        for seed in 0..400 {
            let mut machine = machine.clone();
            Traffic { seed: 1_000_003 * (seed + 1), fails }.run(&mut machine, 1_500, SECOND);
            outcomes[match machine.status() {
                Status::Promoted => 0,
                Status::RolledBack { .. } => 1,
                _ => 2,
            }] += 1;
        }
        outcomes
    };
    let [promoted, back, _] = outcomes([0.02, 0.02]);
    // Five in a hundred are twenty of 400, and chance adds up to thirteen (three deviations).
    assert!(back <= 20 && promoted >= 320, "as good: {promoted} promoted, {back} taken back of 400");
    let [promoted, back, _] = outcomes([0.02, 0.06]);
    assert!(promoted <= 33, "at the margin: {promoted} promoted of 400");
    assert!(back >= 200, "at the margin: {back} taken back of 400");
}
