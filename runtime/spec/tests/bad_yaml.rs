//! Files that are no strict YAML or have the wrong shape, and exactly what is said about them.

use crate::cases::{Case, check};
use trackside_spec::load_workflow;

#[test]
fn every_broken_file_gets_its_message() {
    check(CASES, |text| load_workflow("w.yaml", text).map(drop).map_err(|error| error.to_string()));
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        name: "yaml_syntax",
        text: r##"version: 1
name: w
steps: [a
"##,
        error: r##"w.yaml:3:10: error[TS-0101]: this is not YAML: while parsing a flow sequence, expected ',' or ']'
3 | steps: [a
  |          ^"##,
    },
    Case {
        name: "tab_indentation",
        text: r##"version: 1
name: w
steps:
	a: { plugin: echo }
"##,
        error: r##"w.yaml:4:2: error[TS-0101]: this is not YAML: tabs disallowed within this context (block indentation)
4 |  a: { plugin: echo }
  |  ^
  = help: indent with spaces"##,
    },
    Case {
        name: "colon_in_a_plain_value",
        text: r##"version: 1
name: w
description: see: this
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:3:17: error[TS-0101]: this is not YAML: mapping values are not allowed in this context
3 | description: see: this
  |                 ^
  = help: quote a value that contains `: `"##,
    },
    Case {
        name: "empty_file",
        text: r##""##,
        error: r##"w.yaml:1:1: error[TS-0101]: the file is empty"##,
    },
    Case {
        name: "two_documents",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo }
---
version: 1
"##,
        error: r##"w.yaml:5:1: error[TS-0101]: a file holds one document
5 | ---
  | ^^^"##,
    },
    Case {
        name: "anchor",
        text: r##"version: 1
name: w
steps:
  a: &x { plugin: echo }
"##,
        error: r##"w.yaml:4:6: error[TS-0101]: anchors are not allowed
4 |   a: &x { plugin: echo }
  |      ^^^^^
  = help: write the value out; quote a text that begins with `&`"##,
    },
    Case {
        name: "alias",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo }
  b: *a
"##,
        error: r##"w.yaml:5:6: error[TS-0101]: aliases are not allowed
5 |   b: *a
  |      ^
  = help: write the value out; quote a text that begins with `*`"##,
    },
    Case {
        name: "tag",
        text: r##"version: 1
name: w
description: !!str hello
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:3:14: error[TS-0101]: tags are not allowed
3 | description: !!str hello
  |              ^^^^^^^^^^^
  = help: quote a text that begins with `!`"##,
    },
    Case {
        name: "merge_key",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, <<: {} }
"##,
        error: r##"w.yaml:4:22: error[TS-0101]: merge keys are not allowed
4 |   a: { plugin: echo, <<: {} }
  |                      ^^"##,
    },
    Case {
        name: "duplicate_key",
        text: r##"version: 1
name: w
name: other
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:3:1: error[TS-0107]: the key `name` is there twice
3 | name: other
  | ^^^^
  = help: it is on line 2 already"##,
    },
    Case {
        name: "key_that_is_no_text",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, with: { 1: one, true: two } }
"##,
        error: r##"w.yaml:4:30: error[TS-0101]: a key must be a text
4 |   a: { plugin: echo, with: { 1: one, true: two } }
  |                              ^
  = help: write "1""##,
    },
    Case {
        name: "number_too_large",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, with: { n: 99999999999999999999 } }
"##,
        error: r##"w.yaml:4:33: error[TS-0103]: 99999999999999999999 does not fit into 64 bits
4 |   a: { plugin: echo, with: { n: 99999999999999999999 } }
  |                                 ^^^^^^^^^^^^^^^^^^^^
  = help: quote it to make it a text"##,
    },
    Case {
        name: "infinity",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, with: { n: .inf } }
"##,
        error: r##"w.yaml:4:33: error[TS-0103]: .inf is no number that JSON can hold
4 |   a: { plugin: echo, with: { n: .inf } }
  |                                 ^^^^
  = help: quote it to make it a text"##,
    },
    Case {
        name: "nested_too_deeply",
        text: r##"version: 1
name: w
steps:
  a:
    plugin: echo
    with: { x: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] }
"##,
        error: r##"w.yaml:6:44: error[TS-0108]: nested deeper than 32 levels
6 |     with: { x: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] }
  |                                            ^"##,
    },
    Case {
        name: "unknown_keys_everywhere",
        text: r##"version: 1
name: w
timeoutt: 2m
steps:
  a: { plugin: echo, need: [b], wiht: {} }
  b: { plugin: echo, limits: { mem: 1MiB }, turns: [] }
"##,
        error: r##"w.yaml:3:1: error[TS-0102]: there is no key `timeoutt` here
3 | timeoutt: 2m
  | ^^^^^^^^
  = help: did you mean `timeout`?
w.yaml:5:22: error[TS-0102]: there is no key `need` here
5 |   a: { plugin: echo, need: [b], wiht: {} }
  |                      ^^^^
  = help: did you mean `needs`?
w.yaml:5:33: error[TS-0102]: there is no key `wiht` here
5 |   a: { plugin: echo, need: [b], wiht: {} }
  |                                 ^^^^
  = help: did you mean `with`?
w.yaml:6:32: error[TS-0102]: there is no key `mem` here
6 |   b: { plugin: echo, limits: { mem: 1MiB }, turns: [] }
  |                                ^^^
  = help: known here: memory, cpu, wall, input, output, output_depth, log, log_lines, log_rate, artifact, artifacts, state, state_value, state_entries, tensor, http_requests, http_body, http_total, http_headers, http_timeout, deliveries, handles, table, instances, host_call, fuel
w.yaml:6:45: error[TS-0102]: there is no key `turns` here
6 |   b: { plugin: echo, limits: { mem: 1MiB }, turns: [] }
  |                                             ^^^^^
  = help: known here: needs, when, foreach, matrix, exclude, when_item, max_parallel, on_failure, requires, workflow, params, approval, wait, label, mutex, queue_timeout, priority, cache, plugin, model, with, command, engine, inputs, retry, timeout, limits, reuse, allow"##,
    },
    Case {
        name: "missing_keys",
        text: r##"name: w
"##,
        error: r##"w.yaml:1:1: error[TS-0102]: the key `version` is missing
1 | name: w
  | ^"##,
    },
    Case {
        name: "not_a_mapping",
        text: r##"- version: 1
"##,
        error: r##"w.yaml:1:1: error[TS-0103]: expected a workflow: a mapping with version, name, steps, found a list
1 | - version: 1
  | ^"##,
    },
    Case {
        name: "version_as_text",
        text: r##"version: "1"
name: w
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:1:10: error[TS-0103]: expected a whole number, found the text "1"
1 | version: "1"
  |          ^^^"##,
    },
    Case {
        name: "key_without_value",
        text: r##"version: 1
name: w
timeout:
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:3:1: error[TS-0103]: expected a duration such as 200ms, 2s, 5m or 1h30m, found nothing
3 | timeout:
  | ^^^^^^^"##,
    },
    Case {
        name: "duration_without_unit",
        text: r##"version: 1
name: w
timeout: 120
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:3:10: error[TS-0103]: expected a duration such as 200ms, 2s, 5m or 1h30m, found the number 120
3 | timeout: 120
  |          ^^^"##,
    },
    Case {
        name: "duration_in_wrong_order",
        text: r##"version: 1
name: w
timeout: 30m1h
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:3:10: error[TS-0103]: "30m1h" is not a duration: write a number and a unit: 200ms, 2s, 5m, 1h30m, 7d
3 | timeout: 30m1h
  |          ^^^^^"##,
    },
    Case {
        name: "size_with_fraction",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, limits: { memory: 1.5MiB } }
"##,
        error: r##"w.yaml:4:40: error[TS-0103]: "1.5MiB" is not a size: write a whole number and a unit: 64MiB, 10kB, 2GiB, 512B
4 |   a: { plugin: echo, limits: { memory: 1.5MiB } }
  |                                        ^^^^^^"##,
    },
    Case {
        name: "unknown_choice",
        text: r##"version: 1
name: w
triggers:
  - file: { path: inbox, identity: contents, claim: on }
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:4:36: error[TS-0103]: `contents` is not possible here
4 |   - file: { path: inbox, identity: contents, claim: on }
  |                                    ^^^^^^^^
  = help: did you mean `content`?
w.yaml:4:53: error[TS-0103]: `on` is not possible here
4 |   - file: { path: inbox, identity: contents, claim: on }
  |                                                     ^^
  = help: known here: move, copy, keep"##,
    },
    Case {
        name: "list_instead_of_steps",
        text: r##"version: 1
name: w
steps:
  - a: { plugin: echo }
"##,
        error: r##"w.yaml:3:1: error[TS-0103]: expected a mapping of names, found a list
3 | steps:
  | ^^^^^"##,
    },
    Case {
        name: "text_instead_of_a_step",
        text: r##"version: 1
name: w
steps:
  a: echo
  b: { plugin: [echo] }
"##,
        error: r##"w.yaml:4:6: error[TS-0103]: expected a step: a mapping with `plugin` or `model`, found the text "echo"
4 |   a: echo
  |      ^^^^
w.yaml:5:8: error[TS-0103]: expected a text, found a list
5 |   b: { plugin: [echo] }
  |        ^^^^^^"##,
    },
    Case {
        name: "control_character",
        text: "version: 1\nname: w\ndescription: \"a\x1bb\"\nsteps:\n  a: { plugin: echo }\n",
        error: r##"w.yaml:3:16: error[TS-0101]: control characters are not allowed here
3 | description: "a b"
  |                ^"##,
    },
];
