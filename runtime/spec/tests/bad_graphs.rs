//! Graphs of steps that read well and make no sense, and exactly what is said about them.

mod cases;

use cases::{Case, check};
use trackside_spec::load_workflow;

#[test]
fn every_broken_file_gets_its_message() {
    check(CASES, |text| load_workflow("w.yaml", text).map(drop).map_err(|error| error.to_string()));
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        name: "foreach_over_what_is_no_list",
        text: r##"version: 1
name: w
params:
  name: { type: string, default: x }
  list: { type: array, default: [] }
steps:
  a: { plugin: echo, foreach: 5 }
  b: { plugin: echo, foreach: "x ${params.list}" }
  c: { plugin: echo, foreach: "${params.name}" }
  d: { plugin: echo, foreach: "${1 + 1}" }
  e: { plugin: echo, foreach: "${params.list}" }
  f: { plugin: echo, needs: [e], foreach: "${steps.e}" }
  g: { plugin: echo, foreach: { a: 1 } }
  h: { plugin: echo, foreach: "${run.id}", matrix: { a: [1] } }
  i: { plugin: echo, foreach: "${run.id}" }
"##,
        error: r##""##,
    },
    Case {
        name: "keys_that_need_a_foreach",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, max_parallel: 2, on_failure: collect, when_item: "true", exclude: [{ a: 1 }] }
  b: { plugin: echo, foreach: [1], exclude: [{ a: 1 }], max_parallel: 0 }
  c: { plugin: echo, foreach: [1], max_parallel: 300 }
"##,
        error: r##""##,
    },
    Case {
        name: "failure_policy_that_is_none",
        text: r##"version: 1
name: w
steps:
  c: { plugin: echo, foreach: [1], on_failure: colect }
"##,
        error: r##""##,
    },
    Case {
        name: "bad_matrices",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, matrix: {} }
  b: { plugin: echo, matrix: { Size: [1], b: 2, c: "${params}" }, exclude: [{ d: 1 }, {}, { b: "${run.id}" }] }
  c: { plugin: echo, matrix: { a: [1], b: [1], c: [1], d: [1], e: [1], f: [1], g: [1], h: [1], i: [1] } }
"##,
        error: r##""##,
    },
    Case {
        name: "items_where_there_are_none",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, with: { x: "${item}", y: "${matrix.k}", z: "${index + 1}" } }
  b: { plugin: echo, foreach: [1], when: item > 0, with: { x: "${matrix.k}" } }
  c: { plugin: echo, foreach: "${[item]}" }
  d: { plugin: echo, matrix: { size: [1] }, with: { x: "${matrix.siz}", y: "${item.width}" } }
  e: { plugin: echo, needs: [d], with: { x: "${steps.d.result}", y: "${steps.d.results[0].anything}" } }
finally:
  always: { plugin: echo, with: { x: "${item}" } }
"##,
        error: r##""##,
    },
    Case {
        name: "needs_with_ends",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo }
  b: { plugin: echo, needs: [{ step: a, on: [succeded] }] }
  c: { plugin: echo, needs: [{ step: a, when: true }] }
  d: { plugin: echo, needs: [5] }
"##,
        error: r##""##,
    },
    Case {
        name: "needs_with_ends_that_make_no_sense",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo }
  b: { plugin: echo, needs: [{ step: a, on: [] }] }
  c: { plugin: echo, needs: [a, { step: a, on: [skipped] }] }
  d: { plugin: echo, needs: [{ step: aa }, { step: d }] }
"##,
        error: r##""##,
    },
    Case {
        name: "a_circle_through_ends",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, needs: [{ step: b, on: [skipped] }] }
  b: { plugin: echo, needs: [a] }
"##,
        error: r##""##,
    },
    Case {
        name: "duplicate_steps",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo }
  a: { plugin: echo }
"##,
        error: r##""##,
    },
    Case {
        name: "bad_approvals",
        text: r##"version: 1
name: w
steps:
  a: { approval: { message: " ", approvers: [ana, ana, " bo"], deadline: 0s } }
  b: { approval: { message: "ok? ${params.x}", on_timeout: aprove } }
  c: { approval: { message: ok?, on_timeout: fail }, timeout: 1h, foreach: [1], retry: { times: 1 }, with: {} }
  d: { approval: { text: ok? } }
"##,
        error: r##""##,
    },
    Case {
        name: "approvals_that_make_no_sense",
        text: r##"version: 1
name: w
steps:
  a: { approval: { message: " ", approvers: [ana, ana, " bo"], deadline: 0s } }
  b: { approval: { message: "ok? ${params.x}" } }
  c: { approval: { message: ok?, on_timeout: fail }, timeout: 1h, foreach: [1], retry: { times: 1 }, with: {} }
  d: { plugin: echo, approval: { message: ok? } }
  e: { plugin: echo, needs: [b], with: { x: "${steps.b.approve}" } }
"##,
        error: r##""##,
    },
    Case {
        name: "bad_sub_workflows",
        text: r##"version: 1
name: w
steps:
  a: { workflow: My Flow }
  b: { workflow: other, with: { x: 1 }, params: [1] }
  c: { workflow: other, model: m }
  d: { plugin: echo, params: { x: 1 } }
  e: { plugin: echo, needs: [b], with: { x: "${steps.b.output}" } }
outputs: [1]
"##,
        error: r##""##,
    },
    Case {
        name: "bad_groups_and_mutexes",
        text: r##"version: 1
name: w
concurrency: { group: "x ${steps.a} ${run.id} ${params.y}", limit: 0, on_conflict: wait }
priority: 101
steps:
  a: { plugin: echo }
"##,
        error: r##""##,
    },
    Case {
        name: "groups_and_mutexes_that_make_no_sense",
        text: r##"version: 1
name: w
concurrency: { group: "x ${steps.a} ${run.id} ${params.y}", limit: 0 }
priority: 101
steps:
  a: { plugin: echo, mutex: Big Press, priority: -101 }
  b: { plugin: echo, queue_timeout: 5s }
  c: { plugin: echo, mutex: press, queue_timeout: 0s }
"##,
        error: r##""##,
    },
    Case {
        name: "a_queue_timeout_without_a_queue",
        text: r##"version: 1
name: w
queue_timeout: 5s
steps:
  a: { plugin: echo }
"##,
        error: r##""##,
    },
    Case {
        name: "retries_that_make_no_sense",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, retry: { times: 1, never: [Busy], only: [bad] } }
  b: { plugin: echo, retry: { times: 1, give_up_after: 0s } }
"##,
        error: r##""##,
    },
    Case {
        name: "caches_of_steps_that_are_not_pure",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, cache: true, allow: { clock: true, deliver: [out] } }
  b: { model: m, inputs: {}, cache: true }
  c: { plugin: echo, cache: true, allow: { env: { A: b } } }
"##,
        error: r##""##,
    },
    Case {
        name: "bad_contracts",
        text: r##"version: 1
name: w
steps:
  a:
    plugin: echo
    with: { x: "${requires.redings}", y: "${requires.rows}" }
    requires:
      - { of: data.csv, name: readings, severity: quarantine, rows: { minimum: 3, maximum: 1 } }
      - { of: "${run.id}", name: readings, schema: { type: strin } }
      - { of: "${run.id}", name: rows }
      - { of: "${run.id}", name: Both, schema: {}, columns: { a: { type: string } } }
      - { of: "${requires.rows}", name: e, columns: {} }
      - of: "${trigger.file}"
        name: table
        columns:
          t: { type: string, minimum: 1, pattern: "(" }
          n: { type: number, minimum: 2, maximum: 1, pattern: a, enum: [1, x] }
          m: { type: integer, max_null_fraction: 2 }
  b: { plugin: echo, with: { x: "${requires.a}" } }
"##,
        error: r##""##,
    },
    Case {
        name: "contract_of_unknown_kind",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, requires: [{ of: "${run.id}", name: r, severity: eror, columns: { c: { type: text } } }] }
"##,
        error: r##""##,
    },
];
