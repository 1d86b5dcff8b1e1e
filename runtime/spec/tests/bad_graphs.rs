//! Graphs of steps that read well and make no sense, and exactly what is said about them.

use crate::cases::{Case, check};
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
        error: r##"w.yaml:7:31: error[TS-0103]: `foreach` needs a list, and this is the number 5
7 |   a: { plugin: echo, foreach: 5 }
  |                               ^
w.yaml:8:31: error[TS-0103]: `foreach` needs a list, and this is the text "x ${params.list}"
8 |   b: { plugin: echo, foreach: "x ${params.list}" }
  |                               ^^^^^^^^^^^^^^^^^^^
  = help: write a list, [a, b], or one expression that makes one, "${params.names}"
w.yaml:9:31: error[TS-0103]: `foreach` needs a list, and this is the parameter `name`, a string
9 |   c: { plugin: echo, foreach: "${params.name}" }
  |                               ^^^^^^^^^^^^^^^^^
  = help: declare `name` with type: array
w.yaml:10:31: error[TS-0103]: `foreach` needs a list, and this is the number 2
10 |   d: { plugin: echo, foreach: "${1 + 1}" }
   |                               ^^^^^^^^^^^
w.yaml:12:43: error[TS-0103]: `foreach` needs a list, and this is the output of `e`, an object
12 |   f: { plugin: echo, needs: [e], foreach: "${steps.e}" }
   |                                           ^^^^^^^^^^^^^
  = help: write "${steps.e.results}"
w.yaml:13:22: error[TS-0103]: `foreach` needs a list, and this is an object
13 |   g: { plugin: echo, foreach: { a: 1 } }
   |                      ^^^^^^^
w.yaml:14:44: error[TS-0103]: a step has `foreach` or `matrix`, not both
14 |   h: { plugin: echo, foreach: "${run.id}", matrix: { a: [1] } }
   |                                            ^^^^^^
  = help: put the list of `foreach` under a name of `matrix`
w.yaml:15:31: error[TS-0103]: `foreach` needs a list, and this is `run.id`
15 |   i: { plugin: echo, foreach: "${run.id}" }
   |                               ^^^^^^^^^^^^"##,
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
        error: r##"w.yaml:4:22: error[TS-0102]: `max_parallel` is for steps with `foreach` or `matrix`
4 |   a: { plugin: echo, max_parallel: 2, on_failure: collect, when_item: "true", exclude: [{ a: 1 }] }
  |                      ^^^^^^^^^^^^
w.yaml:4:39: error[TS-0102]: `on_failure` is for steps with `foreach` or `matrix`
4 |   a: { plugin: echo, max_parallel: 2, on_failure: collect, when_item: "true", exclude: [{ a: 1 }] }
  |                                       ^^^^^^^^^^
w.yaml:4:60: error[TS-0102]: `when_item` is for steps with `foreach` or `matrix`
4 |   a: { plugin: echo, max_parallel: 2, on_failure: collect, when_item: "true", exclude: [{ a: 1 }] }
  |                                                            ^^^^^^^^^
w.yaml:4:79: error[TS-0102]: `exclude` is for steps with `foreach` or `matrix`
4 |   a: { plugin: echo, max_parallel: 2, on_failure: collect, when_item: "true", exclude: [{ a: 1 }] }
  |                                                                               ^^^^^^^
w.yaml:5:36: error[TS-0102]: `exclude` is for steps with `matrix`
5 |   b: { plugin: echo, foreach: [1], exclude: [{ a: 1 }], max_parallel: 0 }
  |                                    ^^^^^^^
w.yaml:5:71: error[TS-0103]: between 1 and 256 items at one time
5 |   b: { plugin: echo, foreach: [1], exclude: [{ a: 1 }], max_parallel: 0 }
  |                                                                       ^
w.yaml:6:50: error[TS-0103]: between 1 and 256 items at one time
6 |   c: { plugin: echo, foreach: [1], max_parallel: 300 }
  |                                                  ^^^"##,
    },
    Case {
        name: "failure_policy_that_is_none",
        text: r##"version: 1
name: w
steps:
  c: { plugin: echo, foreach: [1], on_failure: colect }
"##,
        error: r##"w.yaml:4:48: error[TS-0103]: `colect` is not possible here
4 |   c: { plugin: echo, foreach: [1], on_failure: colect }
  |                                                ^^^^^^
  = help: did you mean `collect`?"##,
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
        error: r##"w.yaml:4:22: error[TS-0102]: a matrix needs at least one name with a list
4 |   a: { plugin: echo, matrix: {} }
  |                      ^^^^^^
w.yaml:5:32: error[TS-0103]: `Size` cannot be a name in expressions
5 |   b: { plugin: echo, matrix: { Size: [1], b: 2, c: "${params}" }, exclude: [{ d: 1 }, {}, { b: "${ru…
  |                                ^^^^
  = help: use lower-case letters, digits and `_`, beginning with a letter: `size`
w.yaml:5:46: error[TS-0103]: `b` needs a list, and this is the number 2
5 |   b: { plugin: echo, matrix: { Size: [1], b: 2, c: "${params}" }, exclude: [{ d: 1 }, {}, { b: "${ru…
  |                                              ^
w.yaml:5:52: error[TS-0103]: `c` needs a list, and this is `params`
5 | … b: { plugin: echo, matrix: { Size: [1], b: 2, c: "${params}" }, exclude: [{ d: 1 }, {}, { b: "${run…
  |                                                    ^^^^^^^^^^^^
w.yaml:5:76: error[TS-0103]: this would leave every combination out
5 | …ix: { Size: [1], b: 2, c: "${params}" }, exclude: [{ d: 1 }, {}, { b: "${run.id}" }] }
  |                                                    ^
w.yaml:5:79: error[TS-0103]: the matrix has no `d`
5 | … { Size: [1], b: 2, c: "${params}" }, exclude: [{ d: 1 }, {}, { b: "${run.id}" }] }
  |                                                    ^
  = help: known here: Size, b, c
w.yaml:5:96: error[TS-0103]: what is excluded must be fixed: expressions are not possible here
5 | …2, c: "${params}" }, exclude: [{ d: 1 }, {}, { b: "${run.id}" }] }
  |                                                    ^^^^^^^^^^^^
w.yaml:6:22: error[TS-0108]: 9 names; the limit is 8
6 |   c: { plugin: echo, matrix: { a: [1], b: [1], c: [1], d: [1], e: [1], f: [1], g: [1], h: [1], i: [1…
  |                      ^^^^^^"##,
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
        error: r##"w.yaml:4:36: error[TS-0104]: there is nothing called `item`
4 |   a: { plugin: echo, with: { x: "${item}", y: "${matrix.k}", z: "${index + 1}" } }
  |                                    ^^^^
  = help: `item` is for steps with `foreach` or `matrix`
w.yaml:4:50: error[TS-0104]: there is nothing called `matrix`
4 |   a: { plugin: echo, with: { x: "${item}", y: "${matrix.k}", z: "${index + 1}" } }
  |                                                  ^^^^^^^^
  = help: `matrix` is for steps with `matrix`
w.yaml:4:68: error[TS-0104]: there is nothing called `index`
4 |   a: { plugin: echo, with: { x: "${item}", y: "${matrix.k}", z: "${index + 1}" } }
  |                                                                    ^^^^^
  = help: `index` is for steps with `foreach` or `matrix`
w.yaml:5:42: error[TS-0104]: `item` has no value here: this is evaluated once, before the items are known
5 |   b: { plugin: echo, foreach: [1], when: item > 0, with: { x: "${matrix.k}" } }
  |                                          ^^^^
  = help: evaluated for each item: `when_item`, `requires` and what the step is given
w.yaml:5:66: error[TS-0104]: this step has `foreach`, no `matrix`
5 |   b: { plugin: echo, foreach: [1], when: item > 0, with: { x: "${matrix.k}" } }
  |                                                                  ^^^^^^^^
  = help: write `item`
w.yaml:6:35: error[TS-0104]: `item` has no value here: this is evaluated once, before the items are known
6 |   c: { plugin: echo, foreach: "${[item]}" }
  |                                   ^^^^
  = help: evaluated for each item: `when_item`, `requires` and what the step is given
w.yaml:7:59: error[TS-0104]: there is no `matrix.siz`
7 |   d: { plugin: echo, matrix: { size: [1] }, with: { x: "${matrix.siz}", y: "${item.width}" } }
  |                                                           ^^^^^^^^^^
  = help: did you mean `size`?
w.yaml:7:79: error[TS-0104]: there is no `item.width`
7 |   d: { plugin: echo, matrix: { size: [1] }, with: { x: "${matrix.siz}", y: "${item.width}" } }
  |                                                                               ^^^^^^^^^^
  = help: only `size` is known here
w.yaml:8:48: error[TS-0104]: there is no `steps.d.result`
8 |   e: { plugin: echo, needs: [d], with: { x: "${steps.d.result}", y: "${steps.d.results[0].anything}"…
  |                                                ^^^^^^^^^^^^^^
  = help: did you mean `results`?
w.yaml:10:41: error[TS-0104]: there is nothing called `item`
10 |   always: { plugin: echo, with: { x: "${item}" } }
   |                                         ^^^^
  = help: known here: params, trigger, steps, run"##,
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
        error: r##"w.yaml:5:46: error[TS-0103]: `succeded` is not possible here
5 |   b: { plugin: echo, needs: [{ step: a, on: [succeded] }] }
  |                                              ^^^^^^^^
  = help: did you mean `succeeded`?
w.yaml:6:41: error[TS-0102]: there is no key `when` here
6 |   c: { plugin: echo, needs: [{ step: a, when: true }] }
  |                                         ^^^^
  = help: known here: step, on
w.yaml:7:30: error[TS-0103]: expected a text or a mapping, found the number 5
7 |   d: { plugin: echo, needs: [5] }
  |                              ^"##,
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
        error: r##"w.yaml:5:41: error[TS-0103]: the step could never start: no end would let it
5 |   b: { plugin: echo, needs: [{ step: a, on: [] }] }
  |                                         ^^
  = help: write on: [succeeded]
w.yaml:6:41: error[TS-0107]: `a` is there twice
6 |   c: { plugin: echo, needs: [a, { step: a, on: [skipped] }] }
  |                                         ^
w.yaml:7:38: error[TS-0106]: there is no step `aa`
7 |   d: { plugin: echo, needs: [{ step: aa }, { step: d }] }
  |                                      ^^
  = help: did you mean `a`?
w.yaml:7:52: error[TS-0106]: a step cannot need itself
7 |   d: { plugin: echo, needs: [{ step: aa }, { step: d }] }
  |                                                    ^"##,
    },
    Case {
        name: "a_circle_through_ends",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, needs: [{ step: b, on: [skipped] }] }
  b: { plugin: echo, needs: [a] }
"##,
        error: r##"w.yaml:4:22: error[TS-0106]: these steps wait for each other: a -> b -> a
4 |   a: { plugin: echo, needs: [{ step: b, on: [skipped] }] }
  |                      ^^^^^"##,
    },
    Case {
        name: "duplicate_steps",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo }
  a: { plugin: echo }
"##,
        error: r##"w.yaml:5:3: error[TS-0107]: the key `a` is there twice
5 |   a: { plugin: echo }
  |   ^
  = help: it is on line 4 already"##,
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
        error: r##"w.yaml:5:60: error[TS-0103]: `aprove` is not possible here
5 |   b: { approval: { message: "ok? ${params.x}", on_timeout: aprove } }
  |                                                            ^^^^^^
  = help: did you mean `approve`?
w.yaml:7:20: error[TS-0102]: there is no key `text` here
7 |   d: { approval: { text: ok? } }
  |                    ^^^^
  = help: known here: message, deadline, approvers, on_timeout"##,
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
        error: r##"w.yaml:4:29: error[TS-0103]: an approval without a message: what is to be decided?
4 |   a: { approval: { message: " ", approvers: [ana, ana, " bo"], deadline: 0s } }
  |                             ^^^
w.yaml:4:51: error[TS-0107]: `ana` is there twice
4 |   a: { approval: { message: " ", approvers: [ana, ana, " bo"], deadline: 0s } }
  |                                                   ^^^
w.yaml:4:56: error[TS-0103]: a name has 1 to 128 bytes, no space at its ends and no expression
4 |   a: { approval: { message: " ", approvers: [ana, ana, " bo"], deadline: 0s } }
  |                                                        ^^^^^
w.yaml:4:74: error[TS-0103]: a deadline of nothing would pass at once
4 |   a: { approval: { message: " ", approvers: [ana, ana, " bo"], deadline: 0s } }
  |                                                                          ^^
w.yaml:5:36: error[TS-0104]: there is no `params.x`
5 |   b: { approval: { message: "ok? ${params.x}" } }
  |                                    ^^^^^^^^
  = help: declare `x` under `params`
w.yaml:6:34: error[TS-0102]: without a deadline there is no timeout
6 |   c: { approval: { message: ok?, on_timeout: fail }, timeout: 1h, foreach: [1], retry: { times: 1 },…
  |                                  ^^^^^^^^^^
  = help: add `deadline`, how long the decision may take
w.yaml:6:54: error[TS-0102]: `timeout` is not for approvals
6 | …: { approval: { message: ok?, on_timeout: fail }, timeout: 1h, foreach: [1], retry: { times: 1 }, wi…
  |                                                    ^^^^^^^
  = help: write `deadline` inside of `approval`
w.yaml:6:67: error[TS-0102]: `foreach` is not for approvals
6 | … { message: ok?, on_timeout: fail }, timeout: 1h, foreach: [1], retry: { times: 1 }, with: {} }
  |                                                    ^^^^^^^
w.yaml:6:81: error[TS-0102]: `retry` is not for approvals
6 | …?, on_timeout: fail }, timeout: 1h, foreach: [1], retry: { times: 1 }, with: {} }
  |                                                    ^^^^^
w.yaml:6:102: error[TS-0102]: `with` is for plugins
6 | …, timeout: 1h, foreach: [1], retry: { times: 1 }, with: {} }
  |                                                    ^^^^
w.yaml:7:22: error[TS-0103]: a step has `plugin` or `approval`, not both
7 |   d: { plugin: echo, approval: { message: ok? } }
  |                      ^^^^^^^^
  = help: make two steps of it
w.yaml:8:48: error[TS-0104]: there is no `steps.b.approve`
8 |   e: { plugin: echo, needs: [b], with: { x: "${steps.b.approve}" } }
  |                                                ^^^^^^^^^^^^^^^
  = help: did you mean `approved`?"##,
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
        error: r##"w.yaml:4:18: error[TS-0103]: a workflow's name is made of lower-case letters, digits and `-`, at most 64
4 |   a: { workflow: My Flow }
  |                  ^^^^^^^
w.yaml:5:25: error[TS-0102]: `with` is for plugins
5 |   b: { workflow: other, with: { x: 1 }, params: [1] }
  |                         ^^^^
  = help: another workflow takes its parameters under `params`
w.yaml:5:41: error[TS-0103]: `params` is a mapping of names to values
5 |   b: { workflow: other, with: { x: 1 }, params: [1] }
  |                                         ^^^^^^
w.yaml:6:8: error[TS-0103]: a step has `model` or `workflow`, not both
6 |   c: { workflow: other, model: m }
  |        ^^^^^^^^
  = help: make two steps of it
w.yaml:7:22: error[TS-0102]: `params` is for steps with `workflow`
7 |   d: { plugin: echo, params: { x: 1 } }
  |                      ^^^^^^
w.yaml:8:48: error[TS-0104]: there is no `steps.b.output`
8 |   e: { plugin: echo, needs: [b], with: { x: "${steps.b.output}" } }
  |                                                ^^^^^^^^^^^^^^
  = help: did you mean `outputs`?
w.yaml:9:1: error[TS-0103]: `outputs` is a mapping of names to values
9 | outputs: [1]
  | ^^^^^^^"##,
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
        error: r##"w.yaml:3:84: error[TS-0103]: `wait` is not possible here
3 | concurrency: { group: "x ${steps.a} ${run.id} ${params.y}", limit: 0, on_conflict: wait }
  |                                                                                    ^^^^
  = help: known here: queue, skip, cancel-running"##,
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
        error: r##"w.yaml:3:28: error[TS-0104]: `steps` has no value before the run begins
3 | concurrency: { group: "x ${steps.a} ${run.id} ${params.y}", limit: 0 }
  |                            ^^^^^^^
  = help: a group's name is made of `params` and `trigger`
w.yaml:3:39: error[TS-0104]: `run` has no value before the run begins
3 | concurrency: { group: "x ${steps.a} ${run.id} ${params.y}", limit: 0 }
  |                                       ^^^^^^
  = help: a group's name is made of `params` and `trigger`
w.yaml:3:49: error[TS-0104]: there is no `params.y`
3 | concurrency: { group: "x ${steps.a} ${run.id} ${params.y}", limit: 0 }
  |                                                 ^^^^^^^^
  = help: declare `y` under `params`
w.yaml:3:68: error[TS-0103]: the limit is between 1 and 10000
3 | concurrency: { group: "x ${steps.a} ${run.id} ${params.y}", limit: 0 }
  |                                                                    ^
w.yaml:4:11: error[TS-0103]: a priority is a whole number between -100 and 100
4 | priority: 101
  |           ^^^
w.yaml:6:29: error[TS-0103]: the name of a mutex is made of lower-case letters, digits and `-`, at most 64
6 |   a: { plugin: echo, mutex: Big Press, priority: -101 }
  |                             ^^^^^^^^^
w.yaml:6:50: error[TS-0103]: a priority is a whole number between -100 and 100
6 |   a: { plugin: echo, mutex: Big Press, priority: -101 }
  |                                                  ^^^^
w.yaml:7:22: error[TS-0102]: a step without `mutex` waits in no queue
7 |   b: { plugin: echo, queue_timeout: 5s }
  |                      ^^^^^^^^^^^^^
  = help: for the step as a whole there is `timeout`
w.yaml:8:51: error[TS-0103]: a timeout of nothing would fail at once
8 |   c: { plugin: echo, mutex: press, queue_timeout: 0s }
  |                                                   ^^"##,
    },
    Case {
        name: "a_queue_timeout_without_a_queue",
        text: r##"version: 1
name: w
queue_timeout: 5s
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:3:1: error[TS-0102]: a workflow without `concurrency` waits in no queue
3 | queue_timeout: 5s
  | ^^^^^^^^^^^^^
  = help: for the run as a whole there is `timeout`"##,
    },
    Case {
        name: "retries_that_make_no_sense",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, retry: { times: 1, never: [Busy], only: [bad] } }
  b: { plugin: echo, retry: { times: 1, give_up_after: 0s } }
"##,
        error: r##"w.yaml:4:41: error[TS-0103]: what `only` does not name is never retried anyway
4 |   a: { plugin: echo, retry: { times: 1, never: [Busy], only: [bad] } }
  |                                         ^^^^^
  = help: keep one of the two lists
w.yaml:4:49: error[TS-0103]: `Busy` is no error code: lower-case letters, digits and `-`
4 |   a: { plugin: echo, retry: { times: 1, never: [Busy], only: [bad] } }
  |                                                 ^^^^
w.yaml:5:56: error[TS-0103]: nothing would ever be retried
5 |   b: { plugin: echo, retry: { times: 1, give_up_after: 0s } }
  |                                                        ^^
  = help: write times: 0 for no retry"##,
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
        error: r##"w.yaml:4:29: error[TS-0103]: only a pure step can be cached, and this one is granted `deliver`, `clock`
4 |   a: { plugin: echo, cache: true, allow: { clock: true, deliver: [out] } }
  |                             ^^^^
  = help: take `cache` out, or those grants
w.yaml:5:30: error[TS-0102]: `cache` is for plugins
5 |   b: { model: m, inputs: {}, cache: true }
  |                              ^^^^^"##,
    },
    Case {
        name: "contracts_that_watch_what_can_not_be_watched",
        text: r##"version: 1
name: w
steps:
  a:
    plugin: echo
    requires:
      - { of: "${run.id}", name: a, schema: {}, drift: readings }
      - { of: "${run.id}", name: b, columns: { t: { type: string } }, drift: a b }
      - { of: "${run.id}", name: c, columns: { t: { type: string } }, drift: { name: "", rows: 3, raise: 4 } }
"##,
        error: r##"w.yaml:7:49: error[TS-0103]: only the columns of a table are watched: this contract has no `columns`
7 |       - { of: "${run.id}", name: a, schema: {}, drift: readings }
  |                                                 ^^^^^
w.yaml:8:78: error[TS-0103]: a dataset's name is made of letters, digits, `.`, `_` and `-`, at most 64
8 |       - { of: "${run.id}", name: b, columns: { t: { type: string } }, drift: a b }
  |                                                                              ^^^
w.yaml:9:86: error[TS-0103]: a dataset's name is made of letters, digits, `.`, `_` and `-`, at most 64
9 | … columns: { t: { type: string } }, drift: { name: "", rows: 3, raise: 4 } }
  |                                                    ^^
w.yaml:9:96: error[TS-0103]: between 20 and 1000000
9 | …{ t: { type: string } }, drift: { name: "", rows: 3, raise: 4 } }
  |                                                    ^
w.yaml:9:106: error[TS-0103]: between 1 and `of`
9 | …e: string } }, drift: { name: "", rows: 3, raise: 4 } }
  |                                                    ^"##,
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
        error: r##"w.yaml:6:19: error[TS-0104]: there is no `requires.redings`
6 |     with: { x: "${requires.redings}", y: "${requires.rows}" }
  |                   ^^^^^^^^^^^^^^^^
  = help: did you mean `readings`?
w.yaml:8:15: error[TS-0103]: a contract is about one input: a single ${expression}
8 |       - { of: data.csv, name: readings, severity: quarantine, rows: { minimum: 3, maximum: 1 } }
  |               ^^^^^^^^
w.yaml:8:51: error[TS-0103]: only the rows of a table can go into quarantine: this contract has no `columns`
8 |       - { of: data.csv, name: readings, severity: quarantine, rows: { minimum: 3, maximum: 1 } }
  |                                                   ^^^^^^^^^^
w.yaml:8:80: error[TS-0103]: the minimum 3 is above the maximum 1
8 |       - { of: data.csv, name: readings, severity: quarantine, rows: { minimum: 3, maximum: 1 } }
  |                                                                                ^
w.yaml:9:34: error[TS-0107]: `readings` is there twice
9 |       - { of: "${run.id}", name: readings, schema: { type: strin } }
  |                                  ^^^^^^^^
w.yaml:9:44: error[TS-0103]: this is no JSON Schema: `/type`: "strin" is not valid under any of the schemas listed in the 'anyOf' keyword
9 |       - { of: "${run.id}", name: readings, schema: { type: strin } }
  |                                            ^^^^^^
w.yaml:10:28: error[TS-0102]: the contract asks for nothing
10 |       - { of: "${run.id}", name: rows }
   |                            ^^^^
  = help: add `schema`, `columns` or `rows`
w.yaml:11:34: error[TS-0103]: `Both` cannot be a name in expressions
11 |       - { of: "${run.id}", name: Both, schema: {}, columns: { a: { type: string } } }
   |                                  ^^^^
  = help: use lower-case letters, digits and `_`, beginning with a letter: `both`
w.yaml:11:52: error[TS-0103]: a contract has a `schema` or `columns`, not both
11 |       - { of: "${run.id}", name: Both, schema: {}, columns: { a: { type: string } } }
   |                                                    ^^^^^^^
  = help: make two contracts of it
w.yaml:12:18: error[TS-0104]: `requires` has no value here: the inputs have not been checked yet
12 |       - { of: "${requires.rows}", name: e, columns: {} }
   |                  ^^^^^^^^^^^^^
w.yaml:12:44: error[TS-0102]: no column is named
12 |       - { of: "${requires.rows}", name: e, columns: {} }
   |                                            ^^^^^^^
w.yaml:16:30: error[TS-0103]: `minimum` is for numbers and integers
16 |           t: { type: string, minimum: 1, pattern: "(" }
   |                              ^^^^^^^
w.yaml:16:51: error[TS-0103]: this is no regular expression: unclosed group
16 |           t: { type: string, minimum: 1, pattern: "(" }
   |                                                   ^^^^
w.yaml:17:39: error[TS-0103]: the minimum 2 is above the maximum 1
17 |           n: { type: number, minimum: 2, maximum: 1, pattern: a, enum: [1, x] }
   |                                       ^
w.yaml:17:54: error[TS-0103]: `pattern` is for strings
17 |           n: { type: number, minimum: 2, maximum: 1, pattern: a, enum: [1, x] }
   |                                                      ^^^^^^^
w.yaml:17:76: error[TS-0103]: the text "x" is not a number
17 |           n: { type: number, minimum: 2, maximum: 1, pattern: a, enum: [1, x] }
   |                                                                            ^
w.yaml:18:50: error[TS-0103]: a fraction is between 0 and 1
18 |           m: { type: integer, max_null_fraction: 2 }
   |                                                  ^
w.yaml:19:36: error[TS-0104]: there is nothing called `requires`
19 |   b: { plugin: echo, with: { x: "${requires.a}" } }
   |                                    ^^^^^^^^^^
  = help: `requires` is for steps with `requires`"##,
    },
    Case {
        name: "contract_of_unknown_kind",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, requires: [{ of: "${run.id}", name: r, severity: eror, columns: { c: { type: text } } }] }
"##,
        error: r##"w.yaml:4:71: error[TS-0103]: `eror` is not possible here
4 | … requires: [{ of: "${run.id}", name: r, severity: eror, columns: { c: { type: text } } }] }
  |                                                    ^^^^
  = help: did you mean `error`?
w.yaml:4:99: error[TS-0103]: `text` is not possible here
4 | …", name: r, severity: eror, columns: { c: { type: text } } }] }
  |                                                    ^^^^
  = help: known here: string, number, integer, boolean"##,
    },
];
