//! Broken node configs, and exactly what is said about them.

use crate::cases::{Case, check};
use trackside_spec::load_node_config;

#[test]
fn every_broken_file_gets_its_message() {
    check(CASES, |text| load_node_config("trackside.toml", text).map(drop).map_err(|error| error.to_string()));
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        name: "syntax",
        text: r##"[node
name = "x"
"##,
        error: r##"trackside.toml:1:6: error[TS-0101]: this is not TOML: unclosed table, expected `]`
1 | [node
  |      ^"##,
    },
    Case {
        name: "unknown_keys",
        text: r##"[node]
nmae = "x"
maxsteps = 1
[polcy]
http = []
"##,
        error: r##"trackside.toml:2:1: error[TS-0102]: there is no key `nmae` here
2 | nmae = "x"
  | ^^^^
  = help: did you mean `name`?
trackside.toml:3:1: error[TS-0102]: there is no key `maxsteps` here
3 | maxsteps = 1
  | ^^^^^^^^
  = help: did you mean `max_steps`?
trackside.toml:4:2: error[TS-0102]: there is no key `polcy` here
4 | [polcy]
  |  ^^^^^
  = help: did you mean `policy`?"##,
    },
    Case {
        name: "wrong_types",
        text: r##"[node]
durability = "ful"
max_steps = "many"
[limits]
memory = 64
cpu = "10"
"##,
        error: r##"trackside.toml:2:14: error[TS-0103]: `ful` is not possible here
2 | durability = "ful"
  |              ^^^^^
  = help: did you mean `full`?
trackside.toml:3:13: error[TS-0103]: expected a whole number, found the text "many"
3 | max_steps = "many"
  |             ^^^^^^
trackside.toml:5:10: error[TS-0103]: expected a size such as 64MiB or 10kB, found the number 64
5 | memory = 64
  |          ^^
trackside.toml:6:7: error[TS-0103]: "10" is not a duration: write a number and a unit: 200ms, 2s, 5m, 1h30m, 7d
6 | cpu = "10"
  |       ^^^^"##,
    },
    Case {
        name: "out_of_range",
        text: r##"[limits]
memory = "1KiB"
cpu = "1ms"
artifacts = 0
"##,
        error: r##"trackside.toml:2:10: error[TS-0103]: between 64KiB and 4GiB
2 | memory = "1KiB"
  |          ^^^^^^
trackside.toml:3:7: error[TS-0103]: between 10ms and 7d
3 | cpu = "1ms"
  |       ^^^^^
trackside.toml:4:13: error[TS-0103]: between 1 and 1000000
4 | artifacts = 0
  |             ^"##,
    },
    Case {
        name: "models",
        text: r##"[models.pump]
engine = "rten"
[models."a b"]
path = ""
engine = "tract"
"##,
        error: r##"trackside.toml:5:10: error[TS-0103]: `tract` is not possible here
5 | engine = "tract"
  |          ^^^^^^^
  = help: known here: auto, onnxruntime, rten"##,
    },
    Case {
        name: "model_bounds",
        text: r##"[models.pump]
sessions = 65
queue = 100001
timeout = "0ms"
rate = 0
burst = 1000001
failures = 3
labels = "a.txt"
selftest = "a.safetensors"
batching = { rows = 0, delay = "2s" }
breaker = { window = "1ms", failures = 0, open = "2h" }
[models.tap]
burst = 2
breaker = { failures = 101 }
batching = { rows = 65537 }
"##,
        error: r##"trackside.toml:2:12: error[TS-0103]: at most 64
2 | sessions = 65
  |            ^^
trackside.toml:3:9: error[TS-0103]: at most 100000
3 | queue = 100001
  |         ^^^^^^
trackside.toml:4:11: error[TS-0103]: between 1ms and 1h
4 | timeout = "0ms"
  |           ^^^^^
trackside.toml:5:8: error[TS-0103]: at least 1
5 | rate = 0
  |        ^
trackside.toml:6:9: error[TS-0103]: at most 1000000
6 | burst = 1000001
  |         ^^^^^^^
trackside.toml:8:10: error[TS-0103]: it belongs to `path`; a model in the registry brings its own
8 | labels = "a.txt"
  |          ^^^^^^^
trackside.toml:9:12: error[TS-0103]: it belongs to `path`; a model in the registry brings its own
9 | selftest = "a.safetensors"
  |            ^^^^^^^^^^^^^^^
trackside.toml:10:21: error[TS-0103]: at least 1, which is no batching
10 | batching = { rows = 0, delay = "2s" }
   |                     ^
trackside.toml:10:32: error[TS-0103]: at most 1s
10 | batching = { rows = 0, delay = "2s" }
   |                                ^^^^
trackside.toml:11:22: error[TS-0103]: between 100ms and 1h
11 | breaker = { window = "1ms", failures = 0, open = "2h" }
   |                      ^^^^^
trackside.toml:11:40: error[TS-0103]: at least 1 percent
11 | breaker = { window = "1ms", failures = 0, open = "2h" }
   |                                        ^
trackside.toml:11:50: error[TS-0103]: between 100ms and 1h
11 | breaker = { window = "1ms", failures = 0, open = "2h" }
   |                                                  ^^^^
trackside.toml:13:9: error[TS-0103]: it belongs to `rate`, which is not given
13 | burst = 2
   |         ^
trackside.toml:14:24: error[TS-0103]: at most 100
14 | breaker = { failures = 101 }
   |                        ^^^
trackside.toml:15:21: error[TS-0103]: at most 65536
15 | batching = { rows = 65537 }
   |                     ^^^^^"##,
    },
    Case {
        name: "drift_bounds",
        text: r##"[models.pump.drift]
rows = 19
time = "10ms"
reference = 0
effect = 11
share = -1
level = 0.6
raise = 4
clear = 0
elements = 65
"##,
        error: r##"trackside.toml:2:8: error[TS-0103]: between 20 and 1000000
2 | rows = 19
  |        ^^
trackside.toml:3:8: error[TS-0103]: between 1s and 30d
3 | time = "10ms"
  |        ^^^^^^
trackside.toml:4:13: error[TS-0103]: between 1 and 10000000
4 | reference = 0
  |             ^
trackside.toml:5:10: error[TS-0103]: between 0 and 10
5 | effect = 11
  |          ^^
trackside.toml:6:9: error[TS-0103]: between 0 and 1
6 | share = -1
  |         ^^
trackside.toml:7:9: error[TS-0103]: between 0.000001 and 0.5
7 | level = 0.6
  |         ^^^
trackside.toml:8:9: error[TS-0103]: between 1 and `of`
8 | raise = 4
  |         ^
trackside.toml:9:9: error[TS-0103]: between 1 and 1000
9 | clear = 0
  |         ^
trackside.toml:10:12: error[TS-0103]: between 1 and 64
10 | elements = 65
   |            ^^"##,
    },
    Case {
        name: "feedback",
        text: r##"[models.pump.feedback]
answer = "value"
rate = 0
keep = 1000001
age = "1s"
[models.tap.feedback]
tolerance = 1.0
confidence = "p"
[models.fan.feedback]
answer = "value"
tolerance = -1.0
confidence = "p"
"##,
        error: r##"trackside.toml:2:10: error[TS-0103]: a `value` is right within its `tolerance`, which is not given
2 | answer = "value"
  |          ^^^^^^^
trackside.toml:3:8: error[TS-0103]: between 1 and 10000
3 | rate = 0
  |        ^
trackside.toml:4:8: error[TS-0103]: between 1 and 1000000
4 | keep = 1000001
  |        ^^^^^^^
trackside.toml:5:7: error[TS-0103]: between 1m and 3650d
5 | age = "1s"
  |       ^^^^
trackside.toml:7:13: error[TS-0103]: it belongs to `answer = "value"`
7 | tolerance = 1.0
  |             ^^^
trackside.toml:8:14: error[TS-0103]: it belongs to `answer = "label"`; a `class` has it from its scores
8 | confidence = "p"
  |              ^^^
trackside.toml:11:13: error[TS-0103]: a number from 0 on
11 | tolerance = -1.0
   |             ^^^^
trackside.toml:12:14: error[TS-0103]: it belongs to `answer = "label"`; a `value` has none
12 | confidence = "p"
   |              ^^^"##,
    },
    Case {
        name: "feedback_words",
        text: r##"[models.mat.feedback]
answer = "clas"
outputs = "y"
"##,
        error: r##"trackside.toml:2:10: error[TS-0103]: `clas` is not possible here
2 | answer = "clas"
  |          ^^^^^^
  = help: did you mean `class`?
trackside.toml:3:1: error[TS-0102]: there is no key `outputs` here
3 | outputs = "y"
  | ^^^^^^^
  = help: did you mean `output`?"##,
    },
    Case {
        name: "mqtt_labels",
        text: r##"[mqtt.plant]
host = "broker"
labels = "a/#/b"
"##,
        error: r##"trackside.toml:3:10: error[TS-0103]: this is no topic filter: `#` stands alone at the end, after a `/`
3 | labels = "a/#/b"
  |          ^^^^^^^"##,
    },
    Case {
        name: "samples",
        text: r##"[models.pump.samples]
confidence = 1.5
bytes = "1B"
largest = "128MiB"
rate = 601
age = "1s"
redact = [""]
[models.tap.samples]
bytes = "1MiB"
largest = "2MiB"
"##,
        error: r##"trackside.toml:2:14: error[TS-0103]: between 0 and 1
2 | confidence = 1.5
  |              ^^^
trackside.toml:3:9: error[TS-0103]: between 1KiB and 64GiB
3 | bytes = "1B"
  |         ^^^^
trackside.toml:4:11: error[TS-0103]: between 1B and 64MiB, and no more than `bytes`
4 | largest = "128MiB"
  |           ^^^^^^^^
trackside.toml:5:8: error[TS-0103]: between 1 and 600
5 | rate = 601
  |        ^^^
trackside.toml:6:7: error[TS-0103]: between 1m and 3650d
6 | age = "1s"
  |       ^^^^
trackside.toml:7:10: error[TS-0103]: at most 64 names, none of them empty
7 | redact = [""]
  |          ^^^^
trackside.toml:10:11: error[TS-0103]: between 1B and 64MiB, and no more than `bytes`
10 | largest = "2MiB"
   |           ^^^^^^"##,
    },
    Case {
        name: "inference",
        text: r##"[inference]
listen = "localhost"
certificate = ""
body = "1B"
connections = 0
threads = 257
patience = "1ms"
[engine]
memory = "1kB"
"##,
        error: r##"trackside.toml:2:10: error[TS-0103]: this is no address with a port
2 | listen = "localhost"
  |          ^^^^^^^^^^^
  = help: listen = "127.0.0.1:8000"
trackside.toml:3:15: error[TS-0103]: this is no file: it is empty
3 | certificate = ""
  |               ^^
trackside.toml:3:15: error[TS-0103]: `certificate` and `key` belong together
3 | certificate = ""
  |               ^^
trackside.toml:4:8: error[TS-0103]: between 1KiB and 2GiB
4 | body = "1B"
  |        ^^^^
trackside.toml:5:15: error[TS-0103]: between 1 and 65536
5 | connections = 0
  |               ^
trackside.toml:6:11: error[TS-0103]: at most 256
6 | threads = 257
  |           ^^^
trackside.toml:7:12: error[TS-0103]: between 100ms and 1h
7 | patience = "1ms"
  |            ^^^^^
trackside.toml:9:10: error[TS-0103]: at least 1MiB
9 | memory = "1kB"
  |          ^^^^^"##,
    },
    Case {
        name: "inference_for_others",
        text: r##"[inference]
listen = "0.0.0.0:8000"
"##,
        error: r##"trackside.toml:2:10: error[TS-0103]: others can reach this address: it needs TLS (`certificate` and `key`), and clients need a token
2 | listen = "0.0.0.0:8000"
  |          ^^^^^^^^^^^^^^
  = help: listen = "127.0.0.1:8000""##,
    },
    Case {
        name: "model_names",
        text: r##"[models."a b"]
path = ""
"##,
        error: r##"trackside.toml:1:9: error[TS-0103]: a model's name is made of letters, digits, `.`, `_` and `-`, and does not end in .onnx
1 | [models."a b"]
  |         ^^^^^
trackside.toml:2:8: error[TS-0103]: this is no file: it is empty
2 | path = ""
  |        ^^"##,
    },
    Case {
        name: "limits_of_models",
        text: r##"[model_limits]
memory = "1KiB"
cpu = "1ms"
files = 0
path = 156
weights = 64
bytes = "2TiB"
"##,
        error: r##"trackside.toml:2:10: error[TS-0103]: between 64MiB and 1TiB
2 | memory = "1KiB"
  |          ^^^^^^
trackside.toml:3:7: error[TS-0103]: between 1s and 1d
3 | cpu = "1ms"
  |       ^^^^^
trackside.toml:4:9: error[TS-0103]: between 1 and 10000
4 | files = 0
  |         ^
trackside.toml:5:8: error[TS-0103]: between 8 and 155
5 | path = 156
  |        ^^^
trackside.toml:7:9: error[TS-0103]: between 1KiB and 1TiB
7 | bytes = "2TiB"
  |         ^^^^^^"##,
    },
    Case {
        name: "plugins_and_registries",
        text: r##"[plugins]
keys = ["a.pub", ""]
compile_memory = "1MiB"
compile_time = "2h"
[registries."http://x"]
plain_http = true
[registries."a.example"]
username = "a:b"
[registries."b.example:5000"]
username = "ops"
password_file = "p"
credential = "a b"
plain_http = true
ca = "x"
"##,
        error: r##"trackside.toml:2:18: error[TS-0103]: this is no file: it is empty
2 | keys = ["a.pub", ""]
  |                  ^^
trackside.toml:3:18: error[TS-0103]: between 64MiB and 64GiB
3 | compile_memory = "1MiB"
  |                  ^^^^^^
trackside.toml:4:16: error[TS-0103]: between 1s and 1h
4 | compile_time = "2h"
  |                ^^^^
trackside.toml:5:13: error[TS-0103]: a registry's name is its host, with the port if there is one
5 | [registries."http://x"]
  |             ^^^^^^^^^^
  = help: [registries."registry.example:5000"]
trackside.toml:7:1: error[TS-0110]: `username` and a password (`password_file` or `credential`) belong together
7 | [registries."a.example"]
  | ^^^^^^^^^^^^^^^^^^^^^^^^
trackside.toml:8:12: error[TS-0103]: a user's name has no `:` and no control characters
8 | username = "a:b"
  |            ^^^^^
trackside.toml:12:14: error[TS-0103]: a credential's name is made of letters, digits, `.`, `_` and `-`, at most 64
12 | credential = "a b"
   |              ^^^^^
trackside.toml:12:14: error[TS-0110]: one place for the password is enough: `password_file` or `credential`
12 | credential = "a b"
   |              ^^^^^
trackside.toml:14:6: error[TS-0110]: without TLS there are no certificates
14 | ca = "x"
   |      ^^^"##,
    },
    Case {
        name: "a_signature_without_a_key",
        text: r##"[plugins]
require_signature = true
"##,
        error: r##"trackside.toml:2:21: error[TS-0110]: a signature is required, but no key is given that it could be checked with
2 | require_signature = true
  |                     ^^^^
  = help: keys = ["keys/ops.pub"]"##,
    },
    Case {
        name: "signed_models_without_a_key",
        text: r##"[policy]
signed_models = true
"##,
        error: r##"trackside.toml:2:17: error[TS-0110]: models must be signed, but no key is given that a signature could be checked with
2 | signed_models = true
  |                 ^^^^
  = help: model_keys = ["keys/models.pub"]"##,
    },
    Case {
        name: "a_key_that_is_no_file",
        text: r##"[policy]
signed_models = true
model_keys = ["keys/models.pub", ""]
"##,
        error: r##"trackside.toml:3:34: error[TS-0103]: this is no file: it is empty
3 | model_keys = ["keys/models.pub", ""]
  |                                  ^^"##,
    },
    Case {
        name: "policy",
        text: r##"[node]
data = "workflows"
[policy]
http = ["a.example"]
deliver = ["../x"]
emit = ["batch done"]
"##,
        error: r##"trackside.toml:2:8: error[TS-0110]: the node's data needs a folder of its own
2 | data = "workflows"
  |        ^^^^^^^^^^^
  = help: data = ".trackside"
trackside.toml:4:9: error[TS-0103]: this is no origin: it must begin with https:// or http://
4 | http = ["a.example"]
  |         ^^^^^^^^^^^
trackside.toml:5:12: error[TS-0103]: a folder must not contain `..`
5 | deliver = ["../x"]
  |            ^^^^^^
trackside.toml:6:9: error[TS-0103]: an event's name is made of letters, digits, `.`, `_` and `-`, at most 64
6 | emit = ["batch done"]
  |         ^^^^^^^^^^^^"##,
    },
    Case {
        name: "secrets",
        text: r##"[secrets.both]
file = "a"
env = "B"
hosts = ["a.example"]
[secrets.none]
hosts = ["https://a.example"]
[secrets.nowhere]
env = "A-B"
[policy]
http = [{ origin = "http://127.1" }]
publish = ["a#"]
"##,
        error: r##"trackside.toml:1:10: error[TS-0110]: a secret has one of file, env, not all
1 | [secrets.both]
  |          ^^^^
trackside.toml:5:10: error[TS-0110]: a secret needs one of `file`, `env` and `credential`
5 | [secrets.none]
  |          ^^^^
trackside.toml:6:10: error[TS-0103]: write host or host:port: `//a.example` is no port
6 | hosts = ["https://a.example"]
  |          ^^^^^^^^^^^^^^^^^^^
trackside.toml:7:10: error[TS-0102]: a secret needs `hosts`: where may it be sent?
7 | [secrets.nowhere]
  |          ^^^^^^^
  = help: hosts = ["hooks.example.org"]
trackside.toml:8:7: error[TS-0103]: a variable's name is made of letters, digits and `_`, and does not begin with a digit
8 | env = "A-B"
  |       ^^^^^
trackside.toml:10:20: error[TS-0103]: this is no origin: `127.1` is no address: write four decimal numbers, as in 192.168.0.10
10 | http = [{ origin = "http://127.1" }]
   |                    ^^^^^^^^^^^^^^
trackside.toml:11:12: error[TS-0103]: this is no topic: `#` stands alone at the end, after a `/`
11 | publish = ["a#"]
   |            ^^^^"##,
    },
    Case {
        name: "duplicate",
        text: r##"[node]
name = "a"
name = "b"
"##,
        error: r##"trackside.toml:3:1: error[TS-0107]: this is not TOML: duplicate key
3 | name = "b"
  | ^^^^"##,
    },
];
