//! Whatever the text, an answer or an error: never a panic, never much time or stack.

use serde_json::json;
use trackside_spec::{Expr, Scope, Template, check_project, load_node_config, load_workflow};

/// Knuth's MMIX generator: the same inputs on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}

const PIECES: [&str; 48] = [
    "${",
    "}",
    "{",
    "[",
    "]",
    "(",
    ")",
    "'",
    "\"",
    "\\",
    "\n",
    "  ",
    ": ",
    "- ",
    "#",
    "&a",
    "*a",
    "!!str",
    "<<",
    "|",
    ">",
    "---",
    "...",
    "?",
    "%",
    "é",
    "\u{1F600}",
    "\t",
    "0x",
    "1e999",
    "-",
    "!",
    "||",
    "&&",
    "==",
    "in",
    "steps.",
    "params.x",
    ".map(x, ",
    "has(",
    "\u{feff}",
    "\0",
    "99999999999999999999",
    "r'",
    "b\"",
    "'''",
    "`",
    ",",
];

fn mutate(seed: &str, random: &mut Random) -> String {
    let mut text: Vec<char> = seed.chars().collect();
    for _ in 0..=random.below(4) {
        let at = random.below(text.len() + 1);
        match random.below(5) {
            0 if !text.is_empty() => {
                let end = (at + random.below(12)).min(text.len());
                text.drain(at.min(end)..end);
            }
            1 => text.splice(at..at, PIECES[random.below(PIECES.len())].chars()).for_each(drop),
            2 if at < text.len() => text[at] = char::from_u32(random.below(0x300) as u32).unwrap_or('x'),
            3 => {
                let end = (at + random.below(40)).min(text.len());
                let copy: Vec<char> = text[at.min(end)..end].to_vec();
                text.splice(at..at, copy).for_each(drop);
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                text.splice(at..at, piece.repeat(random.below(30)).chars()).for_each(drop);
            }
        }
    }
    text.into_iter().collect()
}

/// Runs `work` on a quarter of the stack that a thread of the node has.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(512 << 10).spawn(work).unwrap().join().unwrap();
}

const WORKFLOW: &str = r#"version: 1
name: pump-watch
params:
  threshold: { type: number, default: 0.85, minimum: 0, maximum: 1 }
triggers:
  - file: { path: inbox, glob: "**/*.csv", settle: 2s, claim: move }
  - cron: { schedule: "30 2 * * *", timezone: Europe/Paris }
steps:
  validate:
    plugin: csv-check
    with: { file: "${trigger.file}", list: [1, "a ${run.id} b"] }
  alert:
    needs: [validate]
    when: steps.validate.rows.exists(r, r.v > params.threshold) && has(steps.validate.x)
    plugin: http-request
    with: |
      ${{'a': [1, 2].map(x, x + 1)}}
    allow: { http: ["https://hooks.example.org/x"], state: true }
    retry: { times: 3, wait: 200ms }
finally:
  failed: { plugin: echo, with: { text: "${run.error}" } }
"#;

const GRAPH: &str = r#"version: 1
name: graph
params: { files: { type: array, default: [] } }
concurrency: { group: "g ${trigger.kind}", limit: 2, on_conflict: queue }
queue_timeout: 5m
priority: 3
outputs: { all: "${steps.each.results}" }
steps:
  each:
    foreach: "${params.files}"
    when_item: index < 3
    requires: [{ of: "${item}", name: r, severity: quarantine, columns: { a: { type: string, pattern: "^a+$" } } }]
    plugin: echo
    with: { x: "${requires.r}" }
    mutex: press
    retry: { times: 2, only: [busy], give_up_after: 1m }
  grid: { matrix: { a: [1, 2], b: ["x"] }, exclude: [{ a: 1 }], workflow: graph, params: { files: "${[matrix.b]}" } }
  ask: { needs: [each, { step: grid, on: [skipped] }], approval: { message: "ok ${steps.each.count}?", deadline: 1h } }
"#;

#[test]
fn mutated_workflows_never_panic() {
    on_a_small_stack(|| {
        assert!(load_workflow("w.yaml", WORKFLOW).is_ok() && load_workflow("w.yaml", GRAPH).is_ok());
        let mut random = Random(1);
        let mut loaded = 0;
        for round in 0..20_000 {
            let text = mutate(if round % 2 == 0 { WORKFLOW } else { GRAPH }, &mut random);
            match load_workflow("w.yaml", &text) {
                Ok(plan) => {
                    loaded += 1;
                    let problems = check_project(&[("w.yaml", &plan)]);
                    assert!(problems.values().all(|error| !error.problems.is_empty()));
                    assert!(plan.ordinary_steps() >= 1);
                    for step in &plan.steps {
                        assert!(step.needs.iter().all(|need| need.get() < plan.ordinary_steps()));
                    }
                }
                Err(error) => {
                    assert!(!error.problems.is_empty());
                    assert!(error.to_string().chars().all(|c| c == '\n' || !c.is_control()), "{error}");
                    assert!(error.problems.iter().all(|problem| problem.line >= 1 && problem.column >= 1));
                }
            }
        }
        assert!((100..19_000).contains(&loaded), "{loaded} loaded");
    });
}

#[test]
fn mutated_expressions_never_panic() {
    on_a_small_stack(|| {
        let seeds = [
            "steps.score.outputs.score[0] > params.threshold && trigger.file.name.endsWith('.csv')",
            "[1, 2, 3].map(x, x * 2).filter(y, y > 2).exists(z, z == 4) ? {'a': -1.5e3} : null",
            "has(run.id) || !(size('é😀') == 2u) || 'a'.matches('^[a-z]+$')",
            "\"\"\"triple\"\"\" + r'raw' + '\\u00e9'.substring(0, 1).replace('a', 'b')",
        ];
        let params = json!({"threshold": 1, "x": [1, {"y": null}]});
        let scope = Scope::new(&params, &params, &params, &params);
        let mut random = Random(2);
        let mut compiled = 0;
        for round in 0..20_000 {
            let text = mutate(seeds[round % seeds.len()], &mut random);
            if let Ok(expr) = Expr::compile(&text) {
                compiled += 1;
                let _ = expr.eval(&scope);
                let _ = expr.eval_bool(&scope);
                assert!(expr.names().iter().all(|name| name.offset < text.len()));
            }
            if let Ok(template) = Template::compile(&json!({"a": format!("x ${{{text}}} y")})) {
                let _ = template.eval(&scope);
            }
        }
        assert!(compiled > 100, "{compiled} compiled");
    });
}

#[test]
fn mutated_node_configs_never_panic() {
    on_a_small_stack(|| {
        let seed = "[node]\nname = \"box\"\nmax_steps = 4\n[limits]\nmemory = \"64MiB\"\n[models.pump]\npath = \"m.onnx\"\nengine = \
                    \"rten\"\n[policy]\nhttp = [\"https://a.example\"]\n";
        assert!(load_node_config("trackside.toml", seed).is_ok());
        let mut random = Random(3);
        for _ in 0..20_000 {
            let _ = load_node_config("trackside.toml", &mutate(seed, &mut random));
        }
    });
}

#[test]
fn deep_and_wide_files_are_refused_quickly() {
    on_a_small_stack(|| {
        let head = "version: 1\nname: w\nsteps: ";
        for body in [
            "[".repeat(100_000),
            "{a: ".repeat(100_000),
            "- ".repeat(100_000),
            format!("[{}]", "1,".repeat(100_000)),
            format!("{{{}}}", "a: 1, ".repeat(100_000)),
            format!("{{ {} }}", (0..5_000).map(|n| format!("s{n}: {{ plugin: echo }}")).collect::<Vec<_>>().join(", ")),
            "\"".repeat(100_000),
            "x".repeat(2 << 20),
        ] {
            let error = load_workflow("w.yaml", &format!("{head}{body}")).expect_err("a limit");
            assert!(error.to_string().len() < 100_000);
        }
        for body in
            [format!("a = {}", "[".repeat(100_000)), format!("a = {}", "{b=".repeat(100_000)), "a.".repeat(100_000)]
        {
            assert!(load_node_config("trackside.toml", &body).is_err());
        }
    });
}
