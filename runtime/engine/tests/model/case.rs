//! Random workflows and what happens to them, and the YAML that they are.

use std::fmt::Write as _;

use proptest::prelude::*;

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    Good,
    Kept,
    Nothing,
    Bad,
    /// Retryable.
    BadAgain,
    /// Retryable, but of a code that the step never retries.
    BadNever,
    Blocked,
}

/// One letter for each attempt; the last one repeats.
pub type Script = Vec<Ending>;

#[derive(Clone, Debug)]
pub enum Kind {
    Plugin(Script),
    /// A run of another workflow: anything but `Good` is a failed child.
    Child(Script),
    Approval(Answer),
    Each {
        /// One script for each item; none = its condition is false.
        items: Vec<Option<Script>>,
        parallel: u16,
        collect: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Yes,
    No,
    /// Nobody answers: what the timeout does.
    Late(&'static str),
}

#[derive(Clone, Debug)]
pub struct Need {
    pub step: usize,
    pub succeeded: bool,
    pub skipped: bool,
    pub failed: bool,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub needs: Vec<Need>,
    pub when: Option<bool>,
    pub retries: u32,
    /// Steps with the same number share a mutex.
    pub mutex: Option<u8>,
    /// In seconds; only in cases that are not checked against the model in full.
    pub timeout: Option<u8>,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub steps: Vec<Step>,
    /// Endings of the handlers for succeeded, failed, cancelled, always; none = no such handler.
    pub handlers: [Option<Ending>; 4],
    pub group: bool,
    /// In seconds.
    pub timeout: Option<u8>,
    /// Drives every choice: what happens next, whether the node goes down.
    pub choices: Vec<u8>,
    pub cancel_after: Option<u8>,
    /// Turns at which somebody pauses the run.
    pub pauses: Vec<u8>,
}

pub const HANDLERS: [&str; 4] = ["succeeded", "failed", "cancelled", "always"];

impl Case {
    /// Whether time decides how it ends, and so the order of what happens.
    pub fn is_timed(&self) -> bool {
        self.timeout.is_some() || self.steps.iter().any(|step| step.timeout.is_some())
    }

    pub fn yaml(&self) -> String {
        let mut yaml = String::from("version: 1\nname: model\n");
        if let Some(seconds) = self.timeout {
            writeln!(yaml, "timeout: {seconds}s").unwrap();
        }
        if self.group {
            yaml.push_str("concurrency: { group: all }\n");
        }
        yaml.push_str("steps:\n");
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(yaml, "  s{number}:").unwrap();
            step.yaml(&mut yaml);
        }
        if self.handlers.iter().any(Option::is_some) {
            yaml.push_str("finally:\n");
        }
        for (name, _) in HANDLERS.iter().zip(self.handlers).filter(|(_, ending)| ending.is_some()) {
            writeln!(yaml, "  {name}: {{ plugin: echo }}").unwrap();
        }
        yaml
    }
}

impl Step {
    fn yaml(&self, yaml: &mut String) {
        let retry = format!("times: {}, wait: 1s, factor: 2, max: 10s, jitter: none", self.retries);
        match &self.kind {
            Kind::Plugin(_) => writeln!(yaml, "    plugin: echo\n    retry: {{ {retry}, never: [never] }}").unwrap(),
            Kind::Child(_) => {
                writeln!(yaml, "    workflow: other\n    retry: {{ {retry}, only: [child-failed] }}").unwrap();
            }
            Kind::Approval(answer) => {
                let deadline = match answer {
                    Answer::Late(how) => format!(", deadline: 5s, on_timeout: {how}"),
                    _ => String::new(),
                };
                writeln!(yaml, "    approval: {{ message: really?{deadline} }}").unwrap();
            }
            Kind::Each { items, parallel, collect } => {
                let list: Vec<String> = (0..items.len()).map(|n| n.to_string()).collect();
                let skipped = |n: &usize| items[*n].is_none();
                let skipped: Vec<String> = (0..items.len()).filter(skipped).map(|n| n.to_string()).collect();
                let policy = if *collect { "collect" } else { "fail-fast" };
                write!(yaml, "    plugin: echo\n    retry: {{ {retry}, never: [never] }}\n").unwrap();
                write!(yaml, "    foreach: [{}]\n    max_parallel: {parallel}\n", list.join(", ")).unwrap();
                write!(yaml, "    on_failure: {policy}\n    when_item: \"!(item in [{}])\"\n", skipped.join(", "))
                    .unwrap();
            }
        }
        let need = |need: &Need| {
            let words = [("succeeded", need.succeeded), ("skipped", need.skipped), ("failed", need.failed)];
            let on: Vec<&str> = words.iter().filter(|(_, on)| *on).map(|(word, _)| *word).collect();
            match on.as_slice() {
                ["succeeded"] => format!("s{}", need.step),
                on => format!("{{ step: s{}, on: [{}] }}", need.step, on.join(", ")),
            }
        };
        let needs: Vec<String> = self.needs.iter().map(need).collect();
        writeln!(yaml, "    needs: [{}]", needs.join(", ")).unwrap();
        if let Some(when) = self.when {
            writeln!(yaml, "    when: {when}").unwrap();
        }
        if let Some(mutex) = self.mutex {
            writeln!(yaml, "    mutex: m{mutex}").unwrap();
        }
        if let Some(seconds) = self.timeout {
            writeln!(yaml, "    timeout: {seconds}s").unwrap();
        }
    }
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        8 => Just(Ending::Good), 1 => Just(Ending::Kept), 1 => Just(Ending::Nothing), 1 => Just(Ending::Bad),
        3 => Just(Ending::BadAgain), 1 => Just(Ending::BadNever), 1 => Just(Ending::Blocked),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    prop::collection::vec(ending(), 1..4)
}

fn kind() -> impl Strategy<Value = Kind> {
    let answer = prop_oneof![
        4 => Just(Answer::Yes), 1 => Just(Answer::No), 1 => Just(Answer::Late("approve")),
        1 => Just(Answer::Late("reject")), 1 => Just(Answer::Late("fail")),
    ];
    let items = prop::collection::vec(prop::option::weighted(0.9, script()), 0..8);
    prop_oneof![
        6 => script().prop_map(Kind::Plugin),
        2 => script().prop_map(Kind::Child),
        1 => answer.prop_map(Kind::Approval),
        3 => (items, 1..4u16, any::<bool>())
            .prop_map(|(items, parallel, collect)| Kind::Each { items, parallel, collect }),
    ]
}

fn need() -> impl Strategy<Value = (bool, bool, bool)> {
    prop_oneof![
        12 => Just((true, false, false)), 3 => Just((true, true, false)), 1 => Just((false, false, true)),
        2 => Just((true, true, true)), 1 => Just((false, true, false)),
    ]
}

type Wish = Option<(bool, bool, bool)>;

fn step() -> impl Strategy<Value = (Vec<Wish>, Step)> {
    let when = prop_oneof![6 => Just(None), 2 => Just(Some(true)), 1 => Just(Some(false))];
    let mutex = prop::option::weighted(0.2, 0..2u8);
    let timeout = prop::option::weighted(0.3, 1..9u8);
    let wishes = prop::collection::vec(prop::option::weighted(0.25, need()), 11);
    (wishes, when, 0..3u32, mutex, timeout, kind()).prop_map(|(wishes, when, retries, mutex, timeout, kind)| {
        let approval = matches!(kind, Kind::Approval(_));
        let (mutex, timeout) = if approval { (None, None) } else { (mutex, timeout) };
        (wishes, Step { needs: Vec::new(), when, retries, mutex, timeout, kind })
    })
}

pub fn case() -> impl Strategy<Value = Case> {
    let handler = || prop::option::weighted(0.3, ending());
    (
        prop::collection::vec(step(), 1..=12),
        [handler(), handler(), handler(), handler()],
        prop::bool::weighted(0.2),
        prop::option::weighted(0.15, prop::option::weighted(0.3, 1..20u8)),
        prop::collection::vec(any::<u8>(), 1..64),
        prop::option::weighted(0.2, 0..40u8),
        prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(0..40u8, 1..4)],
    )
        .prop_map(|(steps, handlers, group, timed, choices, cancel_after, pauses)| {
            let with_needs = |(number, (wishes, mut step)): (usize, (Vec<Wish>, Step))| {
                for (other, wish) in wishes.into_iter().enumerate().take(number) {
                    if let Some((succeeded, skipped, failed)) = wish {
                        step.needs.push(Need { step: other, succeeded, skipped, failed });
                    }
                }
                if timed.is_none() {
                    step.timeout = None;
                }
                step
            };
            let steps = steps.into_iter().enumerate().map(with_needs).collect();
            Case { steps, handlers, group, timeout: timed.flatten(), choices, cancel_after, pauses }
        })
}
