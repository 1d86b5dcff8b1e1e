//! What the kinds of steps differ in, as far as the workflow alone says it.

use crate::{
    expr::{Expr, Template},
    limits::Limits,
};

/// One kind of step: what the rest of the house must know of it. How an executed kind is run is the business of the crate
/// `steps`, how a kind waits that of `engine`.
pub trait StepKind {
    /// What is evaluated for each attempt and given to it.
    fn input(&self) -> Option<&Template>;

    /// Every template of its own, with the key that it stands under.
    fn templates(&self) -> Vec<(&'static str, &Template)>;

    /// Every condition of its own, with the key that it stands under.
    fn conditions(&self) -> Vec<(&'static str, &Expr)> {
        Vec::new()
    }

    /// Its own bounds; those of the node hold where it has none.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Whether everything that it rests on must be on disk before it starts: it has direct effects, or reads what steps
    /// before it wrote.
    fn needs_barrier(&self) -> bool {
        self.uses_state()
    }

    /// Whether it reads and writes the workflow's state: of those one attempt is under way at a time.
    fn uses_state(&self) -> bool {
        false
    }

    /// Why another attempt may give something else for the same input; none of a pure function of it.
    fn impurity(&self) -> Option<&'static str>;
}

#[cfg(test)]
mod tests {
    use crate::load_workflow;

    #[test]
    fn each_kind_says_what_the_house_must_know_of_it() {
        let text = "version: 1\nname: w\nsteps:\n\
                    \x20 pure: { plugin: echo, with: { a: 1 }, limits: { wall: 5s } }\n\
                    \x20 calls: { plugin: http-request, allow: { http: [\"https://a.example\"] } }\n\
                    \x20 counts: { plugin: tally, allow: { state: true } }\n\
                    \x20 lives: { plugin: echo, reuse: { runs: 5 } }\n\
                    \x20 guesses: { model: m.onnx, inputs: { x: [1] } }\n\
                    \x20 starts: { workflow: other, params: { a: 1 } }\n\
                    \x20 asks: { approval: { message: \"go on?\" } }\n\
                    \x20 sleeps: { wait: { for: 10m } }\n\
                    \x20 tells: { label: { request: r, value: 1 } }\n\
                    \x20 hears: { wait: { event: e, where: event.data.a } }\n";
        let plan = load_workflow("w.yaml", text).unwrap_or_else(|error| panic!("{error}"));
        let told = plan.steps.iter().map(|step| {
            let kind = step.action.kind();
            let keys: Vec<&str> = kind.templates().iter().map(|(key, _)| *key).collect();
            let answers = [
                kind.needs_barrier(),
                kind.uses_state(),
                kind.impurity().is_some(),
                kind.input().is_some(),
                kind.limits().wall.is_some(),
            ];
            (step.id.as_str(), keys.join(" "), answers.map(u8::from))
        });
        let told: Vec<_> = told.collect();
        let expected = [
            ("pure", "with", [0, 0, 0, 1, 1]),
            ("calls", "with", [1, 0, 1, 1, 0]),
            ("counts", "with", [1, 1, 1, 1, 0]),
            ("lives", "with", [0, 0, 1, 1, 0]),
            ("guesses", "inputs", [0, 0, 0, 1, 0]),
            ("starts", "params", [0, 0, 1, 1, 0]),
            ("asks", "message", [0, 0, 1, 0, 0]),
            ("sleeps", "for", [0, 0, 1, 0, 0]),
            ("tells", "label", [0, 0, 0, 1, 0]),
            ("hears", "", [0, 0, 1, 0, 0]),
        ];
        assert_eq!(told, expected.map(|(id, keys, answers)| (id, keys.to_owned(), answers)));
    }
}
