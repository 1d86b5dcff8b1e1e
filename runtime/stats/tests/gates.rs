use trackside_stats::sequential::*;
use trackside_stats::*;
use crate::support::*;

fn gate(extra: f64) -> ErrorGate {
    let l = Level::FIVE_PERCENT;
    ErrorGate { alpha: l, beta: l, tolerated: Margin::NONE, margin: Margin { ratio: 1.0, extra }, expected: 0.02 }
}

#[test]
fn explore() {
    for (share, b, c, extra) in [(0.5,0.02,0.02,0.04),(0.1,0.02,0.02,0.04),(0.5,0.02,0.06,0.04),(0.1,0.02,0.06,0.04),(0.5,0.02,0.10,0.04),(0.5,0.02,0.5,0.04),(0.1,0.02,0.5,0.04),(0.5,0.02,0.04,0.04)] {
        let mut counts = [[0usize;2];4];
        let runs = 1000;
        let mut ch = Chance::new(1);
        let mut times = vec![];
        for _ in 0..runs {
            let mut t = TwoArms::new(gate(extra)).unwrap();
            for n in 1..=3000 {
                let cand = ch.happens(share);
                let err = ch.happens(if cand { c } else { b });
                t.observe(if cand { Arm::Candidate } else { Arm::Stable }, err);
                if t.verdict() != Verdict::Inconclusive {
                    times.push(n);
                    for (i, h) in [30,100,300,3000].iter().enumerate() { if n <= *h { counts[i][(t.verdict()==Verdict::Fail) as usize]+=1; } }
                    break;
                }
            }
        }
        times.sort();
        println!("share {share} {b} {c} margin {extra}: (pass,fail) {:?} median {:?}", counts.map(|x| x.map(|y| y as f64 / runs as f64)), times.get(runs/2));
    }
}
