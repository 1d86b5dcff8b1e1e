//! Broken expressions and templates in workflows, and exactly what is said about them.

use crate::cases::{Case, check};
use trackside_spec::load_workflow;

#[test]
fn every_broken_file_gets_its_message() {
    check(CASES, |text| load_workflow("w.yaml", text).map(drop).map_err(|error| error.to_string()));
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        name: "unknown_names_in_expressions",
        text: r##"version: 1
name: w
params:
  threshold: { type: number }
steps:
  a:
    plugin: echo
    when: params.treshold > 1 && trigger.fil != null
    with:
      x: "now: ${run.idd} and ${foo} and ${threshold}"
      y: ["${steps.b.x}", "${steps.a.x}", "${steps.zzz}", "${run.error}", "${trigger.scheduled}"]
  b: { plugin: echo }
"##,
        error: r##"w.yaml:8:11: error[TS-0104]: there is no `params.treshold`
8 |     when: params.treshold > 1 && trigger.fil != null
  |           ^^^^^^^^^^^^^^^
  = help: did you mean `threshold`?
w.yaml:8:34: error[TS-0104]: there is no `trigger.fil`
8 |     when: params.treshold > 1 && trigger.fil != null
  |                                  ^^^^^^^^^^^
  = help: did you mean `file`?
w.yaml:10:18: error[TS-0104]: there is no `run.idd`
10 |       x: "now: ${run.idd} and ${foo} and ${threshold}"
   |                  ^^^^^^^
  = help: did you mean `id`?
w.yaml:10:33: error[TS-0104]: there is nothing called `foo`
10 |       x: "now: ${run.idd} and ${foo} and ${threshold}"
   |                                 ^^^
  = help: known here: params, trigger, steps, run
w.yaml:10:44: error[TS-0104]: there is nothing called `threshold`
10 |       x: "now: ${run.idd} and ${foo} and ${threshold}"
   |                                            ^^^^^^^^^
  = help: did you mean `params.threshold`?
w.yaml:11:14: error[TS-0104]: step `b` need not have ended before `a` starts
11 |       y: ["${steps.b.x}", "${steps.a.x}", "${steps.zzz}", "${run.error}", "${trigger.scheduled}"]
   |              ^^^^^^^^^
  = help: add `b` to the needs of `a`
w.yaml:11:30: error[TS-0104]: a step cannot use its own output
11 |       y: ["${steps.b.x}", "${steps.a.x}", "${steps.zzz}", "${run.error}", "${trigger.scheduled}"]
   |                              ^^^^^^^^^
w.yaml:11:46: error[TS-0104]: there is no step `zzz`
11 |       y: ["${steps.b.x}", "${steps.a.x}", "${steps.zzz}", "${run.error}", "${trigger.scheduled}"]
   |                                              ^^^^^^^^^
w.yaml:11:62: error[TS-0104]: run.error is known only in `finally`
11 |       y: ["${steps.b.x}", "${steps.a.x}", "${steps.zzz}", "${run.error}", "${trigger.scheduled}"]
   |                                                              ^^^^^^^^^
w.yaml:11:78: error[TS-0104]: trigger.scheduled is for cron triggers, and this workflow has none
11 |       y: ["${steps.b.x}", "${steps.a.x}", "${steps.zzz}", "${run.error}", "${trigger.scheduled}"]
   |                                                                              ^^^^^^^^^^^^^^^^^"##,
    },
    Case {
        name: "steps_as_a_whole",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, with: { all: "${steps}" } }
"##,
        error: r##"w.yaml:4:38: error[TS-0104]: `steps` as a whole is not a value here
4 |   a: { plugin: echo, with: { all: "${steps}" } }
  |                                      ^^^^^
  = help: name a step that this one needs: steps.ID"##,
    },
    Case {
        name: "bad_expressions",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, when: "params.x = 1" }
  b: { plugin: echo, when: "1 +" }
  c: { plugin: echo, when: "siez(run) > 1" }
  d: { plugin: echo, when: "run.id.matches('[')" }
  e: { plugin: echo, when: "'open" }
  f: { plugin: echo, when: "${run.id == 1}" }
  g: { plugin: echo, when: "now() > 1" }
  i: { plugin: echo, when: "[1].map(a, [1].map(b, [1].map(c, c))) == []" }
"##,
        error: r##"w.yaml:4:38: error[TS-0105]: `=` does not exist here: write `==` to compare
4 |   a: { plugin: echo, when: "params.x = 1" }
  |                                      ^
w.yaml:5:32: error[TS-0105]: the expression ends too early
5 |   b: { plugin: echo, when: "1 +" }
  |                                ^
w.yaml:6:29: error[TS-0105]: there is no function `siez`; did you mean `size`?
6 |   c: { plugin: echo, when: "siez(run) > 1" }
  |                             ^
w.yaml:7:36: error[TS-0105]: the pattern is no regular expression: unclosed character class
7 |   d: { plugin: echo, when: "run.id.matches('[')" }
  |                                    ^
w.yaml:8:29: error[TS-0105]: this string has no end
8 |   e: { plugin: echo, when: "'open" }
  |                             ^
w.yaml:9:28: error[TS-0105]: `when` holds the expression itself, without ${ }
9 |   f: { plugin: echo, when: "${run.id == 1}" }
  |                            ^^^^^^^^^^^^^^^^^
  = help: write when: run.id == 1
w.yaml:10:29: error[TS-0105]: there is no clock in expressions: use trigger.logical_time or run.started_ms
10 |   g: { plugin: echo, when: "now() > 1" }
   |                             ^
w.yaml:11:29: error[TS-0105]: macros (all, exists, map, filter …) may be nested two deep: use a plugin step
11 |   i: { plugin: echo, when: "[1].map(a, [1].map(b, [1].map(c, c))) == []" }
   |                             ^"##,
    },
    Case {
        name: "when_of_wrong_type",
        text: r##"version: 1
name: w
steps:
  h: { plugin: echo, when: 5 }
"##,
        error: r##"w.yaml:4:28: error[TS-0103]: expected an expression, or true or false
4 |   h: { plugin: echo, when: 5 }
  |                            ^"##,
    },
    Case {
        name: "bad_templates",
        text: r##"version: 1
name: w
steps:
  a:
    plugin: echo
    with:
      open: "value ${run.id"
      inner: "value ${run.id +} end"
      "${run.id}": 1
"##,
        error: r##"w.yaml:7:20: error[TS-0105]: `${` has no closing `}`; write `$${` for the two characters themselves
7 |       open: "value ${run.id"
  |                    ^
w.yaml:8:31: error[TS-0105]: the expression ends too early
8 |       inner: "value ${run.id +} end"
  |                               ^
w.yaml:9:7: error[TS-0105]: keys hold no expressions: build the object with one, "${{'key': value}}"
9 |       "${run.id}": 1
  |       ^^^^^^^^^^^"##,
    },
    Case {
        name: "names_in_blocks",
        text: r##"version: 1
name: w
steps:
  a:
    plugin: echo
    when: >
      run.id == params.x
    with:
      block: |
        first line
        second ${run.nope} line
      quoted: "tab\t ${run.nope}"
"##,
        error: r##"w.yaml:7:17: error[TS-0104]: there is no `params.x`
7 |       run.id == params.x
  |                 ^^^^^^^^
  = help: declare `x` under `params`
w.yaml:11:18: error[TS-0104]: there is no `run.nope`
11 |         second ${run.nope} line
   |                  ^^^^^^^^
  = help: known here: id, workflow, started_ms
w.yaml:12:15: error[TS-0104]: there is no `run.nope`
12 |       quoted: "tab\t ${run.nope}"
   |               ^^^^^^^^^^^^^^^^^^^
  = help: known here: id, workflow, started_ms"##,
    },
    Case {
        name: "expression_in_long_line",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, with: { text: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx${run.idd}yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" } }
"##,
        error: r##"w.yaml:4:159: error[TS-0104]: there is no `run.idd`
4 | …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx${run.idd}yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
  |                                                    ^^^^^^^
  = help: did you mean `id`?"##,
    },
    Case {
        name: "input_that_is_no_mapping",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, with: [1] }
  b: { plugin: echo, with: text }
  c: { model: m }
"##,
        error: r##"w.yaml:4:22: error[TS-0103]: `with` is a mapping of names to values
4 |   a: { plugin: echo, with: [1] }
  |                      ^^^^
w.yaml:5:28: error[TS-0103]: `with` is a mapping of names to values
5 |   b: { plugin: echo, with: text }
  |                            ^^^^
w.yaml:6:3: error[TS-0102]: the key `inputs` is missing: what does the model get?
6 |   c: { model: m }
  |   ^
  = help: write inputs: { NAME: "${steps.ID.tensor}" }"##,
    },
];
