//! Workflows that read well and make no sense, and exactly what is said about them.

use crate::cases::{Case, check};
use trackside_spec::load_workflow;

#[test]
fn every_broken_file_gets_its_message() {
    check(CASES, |text| load_workflow("w.yaml", text).map(drop).map_err(|error| error.to_string()));
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        name: "wrong_version",
        text: r##"version: 2
name: w
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:1:10: error[TS-0103]: version 2 is not known to this program
1 | version: 2
  |          ^
  = help: write version: 1"##,
    },
    Case {
        name: "bad_name",
        text: r##"version: 1
name: My Workflow
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:2:7: error[TS-0103]: a workflow's name is made of lower-case letters, digits and `-`, at most 64
2 | name: My Workflow
  |       ^^^^^^^^^^^"##,
    },
    Case {
        name: "limits_out_of_range",
        text: r##"version: 1
name: w
timeout: 0s
steps:
  a: { plugin: echo, limits: { memory: 1KiB, cpu: 0s, wall: 0ms } }
"##,
        error: r##"w.yaml:3:10: error[TS-0103]: a timeout of nothing would fail at once
3 | timeout: 0s
  |          ^^
w.yaml:5:40: error[TS-0103]: between 64KiB and 4GiB
5 |   a: { plugin: echo, limits: { memory: 1KiB, cpu: 0s, wall: 0ms } }
  |                                        ^^^^
w.yaml:5:51: error[TS-0103]: between 10ms and 7d
5 |   a: { plugin: echo, limits: { memory: 1KiB, cpu: 0s, wall: 0ms } }
  |                                                   ^^
w.yaml:5:61: error[TS-0103]: between 10ms and 7d
5 |   a: { plugin: echo, limits: { memory: 1KiB, cpu: 0s, wall: 0ms } }
  |                                                             ^^^"##,
    },
    Case {
        name: "trigger_of_unknown_kind",
        text: r##"version: 1
name: w
triggers:
  - kafka: { topic: x }
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:4:5: error[TS-0103]: `kafka` is not possible here
4 |   - kafka: { topic: x }
  |     ^^^^^
  = help: known here: file, cron, webhook, mqtt, workflow, dataset, event, drift, poll"##,
    },
    Case {
        name: "trigger_of_two_kinds",
        text: r##"version: 1
name: w
triggers:
  - file: { path: a }
    cron: { schedule: "@daily" }
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:4:5: error[TS-0103]: expected exactly one of the keys file, cron, webhook, mqtt, workflow, dataset, event, drift, poll
4 |   - file: { path: a }
  |     ^"##,
    },
    Case {
        name: "bad_glob",
        text: r##"version: 1
name: w
triggers:
  - file: { path: inbox, glob: "[a" }
  - file: { path: "", glob: ../x }
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:4:32: error[TS-0103]: this is no pattern: unclosed character class; missing ']'
4 |   - file: { path: inbox, glob: "[a" }
  |                                ^^^^^
w.yaml:5:19: error[TS-0103]: this is no folder: it is empty
5 |   - file: { path: "", glob: ../x }
  |                   ^^
w.yaml:5:29: error[TS-0103]: the pattern is for paths below the folder
5 |   - file: { path: "", glob: ../x }
  |                             ^^^^
  = help: put the folder into `path` and a pattern such as "**/*.csv" here"##,
    },
    Case {
        name: "folders_outside",
        text: r##"version: 1
name: w
triggers:
  - file: { path: ../in, to: inbox/../../out }
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:4:19: error[TS-0103]: a folder below the project has no `..`
4 |   - file: { path: ../in, to: inbox/../../out }
  |                   ^^^^^
  = help: write the whole path, such as /data/in, if a folder outside of the project is meant
w.yaml:4:30: error[TS-0103]: a folder below the project has no `..`
4 |   - file: { path: ../in, to: inbox/../../out }
  |                              ^^^^^^^^^^^^^^^
  = help: write the whole path, such as /data/in, if a folder outside of the project is meant"##,
    },
    Case {
        name: "bad_schedules",
        text: r##"version: 1
name: w
triggers:
  - cron: { schedule: "* * *" }
  - cron: { schedule: "@dayly" }
  - cron: { schedule: "0 2 * * $", timezone: "Paris time" }
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:4:23: error[TS-0109]: a schedule has five fields, or six with seconds first; this has 3
4 |   - cron: { schedule: "* * *" }
  |                       ^^^^^^^^
  = help: minute hour day-of-month month day-of-week, for example "30 2 * * *"
w.yaml:5:23: error[TS-0109]: there is no schedule called `@dayly`
5 |   - cron: { schedule: "@dayly" }
  |                       ^^^^^^^^^
  = help: did you mean `@daily`?
w.yaml:6:23: error[TS-0109]: `$` has no meaning in a schedule
6 |   - cron: { schedule: "0 2 * * $", timezone: "Paris time" }
  |                       ^^^^^^^^^^^
w.yaml:6:46: error[TS-0109]: this is no time zone
6 |   - cron: { schedule: "0 2 * * $", timezone: "Paris time" }
  |                                              ^^^^^^^^^^^^^
  = help: write an IANA name such as Europe/Paris or UTC"##,
    },
    Case {
        name: "bad_params",
        text: r##"version: 1
name: w
params:
  Threshold: { type: number, default: 2, maximum: 1 }
  mode: { type: string, default: slow, choices: [fast, safe] }
  n: { type: integer, minimum: 5, maximum: 1 }
  in: { type: string, minimum: 1 }
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:4:3: error[TS-0103]: `Threshold` cannot be a name in expressions
4 |   Threshold: { type: number, default: 2, maximum: 1 }
  |   ^^^^^^^^^
  = help: use lower-case letters, digits and `_`, beginning with a letter: `threshold`
w.yaml:4:39: error[TS-0103]: the default does not fit: 2 is above the maximum 1
4 |   Threshold: { type: number, default: 2, maximum: 1 }
  |                                       ^
w.yaml:5:34: error[TS-0103]: the default does not fit: "slow" is not one of "fast", "safe"
5 |   mode: { type: string, default: slow, choices: [fast, safe] }
  |                                  ^^^^
w.yaml:6:32: error[TS-0103]: the minimum 5 is above the maximum 1
6 |   n: { type: integer, minimum: 5, maximum: 1 }
  |                                ^
w.yaml:7:3: error[TS-0103]: `in` is a reserved word
7 |   in: { type: string, minimum: 1 }
  |   ^^
  = help: `in` is a word of the expression language; choose another name
w.yaml:7:23: error[TS-0103]: `minimum` is for numbers and integers
7 |   in: { type: string, minimum: 1 }
  |                       ^^^^^^^"##,
    },
    Case {
        name: "unknown_param_type",
        text: r##"version: 1
name: w
params:
  t: { type: text }
  u: 5
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:4:14: error[TS-0103]: `text` is not possible here
4 |   t: { type: text }
  |              ^^^^
  = help: known here: string, number, integer, boolean, object, array
w.yaml:5:6: error[TS-0103]: expected a parameter: a mapping with `type`, found the number 5
5 |   u: 5
  |      ^"##,
    },
    Case {
        name: "default_of_wrong_type",
        text: r##"version: 1
name: w
params:
  n: { type: integer, default: 1.5 }
steps:
  a: { plugin: echo }
"##,
        error: r##"w.yaml:4:32: error[TS-0103]: the default does not fit: 1.5 is not an integer
4 |   n: { type: integer, default: 1.5 }
  |                                ^^^"##,
    },
    Case {
        name: "bad_step_ids",
        text: r##"version: 1
name: w
steps:
  my-step: { plugin: echo }
  Score: { plugin: echo }
  in: { plugin: echo }
"##,
        error: r##"w.yaml:4:3: error[TS-0103]: `my-step` cannot be a name in expressions
4 |   my-step: { plugin: echo }
  |   ^^^^^^^
  = help: use lower-case letters, digits and `_`, beginning with a letter: `my_step`
w.yaml:5:3: error[TS-0103]: `Score` cannot be a name in expressions
5 |   Score: { plugin: echo }
  |   ^^^^^
  = help: use lower-case letters, digits and `_`, beginning with a letter: `score`
w.yaml:6:3: error[TS-0103]: `in` is a reserved word
6 |   in: { plugin: echo }
  |   ^^
  = help: `in` is a word of the expression language; choose another name"##,
    },
    Case {
        name: "no_steps",
        text: r##"version: 1
name: w
steps: {}
"##,
        error: r##"w.yaml:3:1: error[TS-0102]: a workflow needs at least one step
3 | steps: {}
  | ^^^^^"##,
    },
    Case {
        name: "step_that_does_nothing",
        text: r##"version: 1
name: w
steps:
  a: { needs: [] }
  b: { plugin: echo, model: m }
  c: { model: m, with: {}, allow: { state: true } }
  d: { plugin: echo, inputs: {} }
"##,
        error: r##"w.yaml:4:3: error[TS-0102]: the step does nothing: it has no `plugin`, `model`, `workflow`, `approval`, `wait` or `label`
4 |   a: { needs: [] }
  |   ^
  = help: add `plugin: NAME` or `model: NAME`
w.yaml:5:22: error[TS-0103]: a step has `plugin` or `model`, not both
5 |   b: { plugin: echo, model: m }
  |                      ^^^^^
  = help: make two steps of it
w.yaml:6:3: error[TS-0102]: the key `inputs` is missing: what does the model get?
6 |   c: { model: m, with: {}, allow: { state: true } }
  |   ^
  = help: write inputs: { NAME: "${steps.ID.tensor}" }
w.yaml:6:18: error[TS-0102]: `with` is for plugins
6 |   c: { model: m, with: {}, allow: { state: true } }
  |                  ^^^^
  = help: a model takes its tensors under `inputs`
w.yaml:6:28: error[TS-0102]: `allow` is for plugins
6 |   c: { model: m, with: {}, allow: { state: true } }
  |                            ^^^^^
w.yaml:7:22: error[TS-0102]: `inputs` is for models
7 |   d: { plugin: echo, inputs: {} }
  |                      ^^^^^^
  = help: a plugin takes its input under `with`"##,
    },
    Case {
        name: "bad_plugin_and_model_names",
        text: r##"version: 1
name: w
steps:
  a: { plugin: My/Plugin }
  b: { plugin: "${params.p}" }
  c: { model: "x@Prod", inputs: { x: [1] } }
  d: { plugin: "oci://ghcr.io/acme/line-stats" }
"##,
        error: r##"w.yaml:4:16: error[TS-0103]: a plugin is a name (lower-case letters, digits and `-`), a reference (oci://…) or a path that ends in .wasm
4 |   a: { plugin: My/Plugin }
  |                ^^^^^^^^^
w.yaml:5:16: error[TS-0103]: this is no plugin: it must be fixed: expressions are not possible here
5 |   b: { plugin: "${params.p}" }
  |                ^^^^^^^^^^^^^^
w.yaml:6:15: error[TS-0103]: a model is a name of the registry or of [models] in trackside.toml (NAME, NAME@alias, NAME@3), or a path that ends in .onnx
6 |   c: { model: "x@Prod", inputs: { x: [1] } }
  |               ^^^^^^^^
w.yaml:7:16: error[TS-0103]: "oci://ghcr.io/acme/line-stats" is no reference to a registry: it has no tag and no digest; write oci://host/repository:tag or oci://host/repository@sha256:…
7 |   d: { plugin: "oci://ghcr.io/acme/line-stats" }
  |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"##,
    },
    Case {
        name: "unknown_needs",
        text: r##"version: 1
name: w
steps:
  score: { plugin: echo, needs: [skore, score, b, b] }
  scorer: { plugin: echo }
  b: { plugin: echo }
"##,
        error: r##"w.yaml:4:34: error[TS-0106]: there is no step `skore`
4 |   score: { plugin: echo, needs: [skore, score, b, b] }
  |                                  ^^^^^
  = help: did you mean `scorer`?
w.yaml:4:41: error[TS-0106]: a step cannot need itself
4 |   score: { plugin: echo, needs: [skore, score, b, b] }
  |                                         ^^^^^
w.yaml:4:51: error[TS-0107]: `b` is there twice
4 |   score: { plugin: echo, needs: [skore, score, b, b] }
  |                                                   ^"##,
    },
    Case {
        name: "needs_in_a_circle",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, needs: [c] }
  b: { plugin: echo, needs: [a] }
  c: { plugin: echo, needs: [b] }
  d: { plugin: echo, needs: [c] }
"##,
        error: r##"w.yaml:4:22: error[TS-0106]: these steps wait for each other: a -> c -> b -> a
4 |   a: { plugin: echo, needs: [c] }
  |                      ^^^^^"##,
    },
    Case {
        name: "bad_retry",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, timeout: 0s, retry: { times: 1000, factor: 0.5, wait: 10m } }
"##,
        error: r##"w.yaml:4:31: error[TS-0103]: a timeout of nothing would fail at once
4 |   a: { plugin: echo, timeout: 0s, retry: { times: 1000, factor: 0.5, wait: 10m } }
  |                               ^^
w.yaml:4:51: error[TS-0103]: at most 100 retries
4 |   a: { plugin: echo, timeout: 0s, retry: { times: 1000, factor: 0.5, wait: 10m } }
  |                                                   ^^^^
w.yaml:4:65: error[TS-0103]: the factor is between 1 and 100
4 |   a: { plugin: echo, timeout: 0s, retry: { times: 1000, factor: 0.5, wait: 10m } }
  |                                                                 ^^^
w.yaml:4:76: error[TS-0103]: the longest wait (1m) is shorter than the first (10m)
4 |   a: { plugin: echo, timeout: 0s, retry: { times: 1000, factor: 0.5, wait: 10m } }
  |                                                                            ^^^"##,
    },
    Case {
        name: "grant_of_a_later_version",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, allow: { secret: [x], http: https://a.example } }
"##,
        error: r##"w.yaml:4:31: error[TS-0102]: there is no key `secret` here
4 |   a: { plugin: echo, allow: { secret: [x], http: https://a.example } }
  |                               ^^^^^^
  = help: did you mean `secrets`?
w.yaml:4:50: error[TS-0103]: expected a list, found the text "https://a.example"
4 |   a: { plugin: echo, allow: { secret: [x], http: https://a.example } }
  |                                                  ^^^^^^^^^^^^^^^^^"##,
    },
    Case {
        name: "grants_with_more_to_say",
        text: r##"version: 1
name: w
steps:
  a:
    plugin: echo
    allow:
      http:
        - { origin: "https://a.example", methods: [GET, CONNECT] }
        - { origin: "https://a.example/v1", path: /v2 }
        - { origin: "https://a.example", path: /../v2 }
        - { origin: "http://0x7f.1", private: true }
      secrets: ["a b", { name: "" }]
      env: { 1A: x, B: "${params.b}" }
      publish: ["a/#/b"]
"##,
        error: r##"w.yaml:8:42: error[TS-0103]: `CONNECT` is no method that a step may use
8 |         - { origin: "https://a.example", methods: [GET, CONNECT] }
  |                                          ^^^^^^^
w.yaml:9:51: error[TS-0103]: the path stands in `origin` already
9 |         - { origin: "https://a.example/v1", path: /v2 }
  |                                                   ^^^
w.yaml:10:48: error[TS-0103]: its path must not contain `.` or `..`
10 |         - { origin: "https://a.example", path: /../v2 }
   |                                                ^^^^^^
w.yaml:11:21: error[TS-0103]: this is no origin: `0x7f.1` is no address: write four decimal numbers, as in 192.168.0.10
11 |         - { origin: "http://0x7f.1", private: true }
   |                     ^^^^^^^^^^^^^^^
w.yaml:12:17: error[TS-0103]: a secret's name is made of letters, digits, `.`, `_` and `-`, at most 64
12 |       secrets: ["a b", { name: "" }]
   |                 ^^^^^
w.yaml:12:32: error[TS-0103]: a secret's name is made of letters, digits, `.`, `_` and `-`, at most 64
12 |       secrets: ["a b", { name: "" }]
   |                                ^^^
w.yaml:13:18: error[TS-0103]: a variable's name is made of letters, digits and `_`, and does not begin with a digit
13 |       env: { 1A: x, B: "${params.b}" }
   |                  ^
w.yaml:13:24: error[TS-0103]: a variable's value must be fixed: expressions are not possible here
13 |       env: { 1A: x, B: "${params.b}" }
   |                        ^^^^^^^^^^^^^^
w.yaml:14:17: error[TS-0103]: this is no topic: `#` stands alone at the end, after a `/`
14 |       publish: ["a/#/b"]
   |                 ^^^^^^^"##,
    },
    Case {
        name: "grants_with_unknown_keys",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo, allow: { http: [{ origin: "https://a.example", privat: true }], secrets: [{ reveal: true }] } }
"##,
        error: r##"w.yaml:4:69: error[TS-0102]: there is no key `privat` here
4 | …o, allow: { http: [{ origin: "https://a.example", privat: true }], secrets: [{ reveal: true }] } }
  |                                                    ^^^^^^
  = help: did you mean `private`?
w.yaml:4:96: error[TS-0102]: the key `name` is missing
4 | …: "https://a.example", privat: true }], secrets: [{ reveal: true }] } }
  |                                                    ^"##,
    },
    Case {
        name: "bad_grants",
        text: r##"version: 1
name: w
steps:
  a:
    plugin: echo
    allow: { http: [hooks.example.org, "https://*.example.org"], deliver: [../out, ""], models: ["a b"] }
"##,
        error: r##"w.yaml:6:21: error[TS-0103]: this is no origin: it must begin with https:// or http://
6 |     allow: { http: [hooks.example.org, "https://*.example.org"], deliver: [../out, ""], models: ["a …
  |                     ^^^^^^^^^^^^^^^^^
w.yaml:6:40: error[TS-0103]: this is no origin: `*` has no place in an origin; it is scheme://host[:port][/path-prefix]
6 |     allow: { http: [hooks.example.org, "https://*.example.org"], deliver: [../out, ""], models: ["a …
  |                                        ^^^^^^^^^^^^^^^^^^^^^^^
w.yaml:6:76: error[TS-0103]: a folder must not contain `..`
6 | ….example.org, "https://*.example.org"], deliver: [../out, ""], models: ["a b"] }
  |                                                    ^^^^^^
w.yaml:6:84: error[TS-0103]: this is no folder: it is empty
6 | ….org, "https://*.example.org"], deliver: [../out, ""], models: ["a b"] }
  |                                                    ^^
w.yaml:6:98: error[TS-0103]: a model is a name of the registry or of [models] in trackside.toml (NAME, NAME@alias, NAME@3), or a path that ends in .onnx
6 | …/*.example.org"], deliver: [../out, ""], models: ["a b"] }
  |                                                    ^^^^^"##,
    },
    Case {
        name: "needs_in_finally",
        text: r##"version: 1
name: w
steps:
  a: { plugin: echo }
finally:
  failed: { plugin: echo, needs: [a] }
  done: { plugin: echo }
"##,
        error: r##"w.yaml:6:27: error[TS-0102]: there is no key `needs` here
6 |   failed: { plugin: echo, needs: [a] }
  |                           ^^^^^
  = help: known here: plugin, model, with, command, engine, inputs, retry, timeout, limits, reuse, allow
w.yaml:7:3: error[TS-0102]: there is no key `done` here
7 |   done: { plugin: echo }
  |   ^^^^
  = help: known here: succeeded, failed, cancelled, always"##,
    },
];
