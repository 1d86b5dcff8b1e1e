//! The workflows of every simulated world.

use std::{path::Path, sync::OnceLock};

use crate::project::Project;

const CONFIG: &str = "[mqtt.plant]\nhost = \"127.0.0.1\"\n[models.pump]\nrate = 2\nburst = 3\n";

/// Everything that a workflow can say, in small pieces.
const WORKFLOWS: [(&str, &str); 27] = [
    ("score", "steps:\n  ask: { model: pump, inputs: { x: [1] }, retry: { times: 3, wait: 2s } }\n"),
    (
        "chain",
        "triggers:
  - file: { path: inbox, glob: '*' }
steps:
  a: { plugin: echo, retry: { times: 2, wait: 1s, factor: 2, max: 5s, jitter: full } }
  make: { plugin: echo, needs: [a] }
  deliver: { plugin: deliver-file, needs: [make], allow: { deliver: [out] } }
  call: { plugin: http-request, needs: [a], retry: { times: 1, wait: 2s }, allow: { http: ['https://example.org'] } }
timeout: 10m
finally:
  failed: { plugin: echo }
",
    ),
    (
        "watch",
        "triggers:
  - poll: { url: 'https://example.org/version', every: 1m, changed: digest }
steps:
  a: { plugin: echo, with: { is: '${trigger.version}' } }
",
    ),
    (
        "batch",
        "triggers:
  - file: { path: many, glob: '*', batch: { max_files: 4, max_wait: 1m } }
steps:
  each: { plugin: echo, foreach: '${trigger.files}', max_parallel: 2, on_failure: collect, retry: { times: 1, wait: 1s } }
  sum: { plugin: echo, needs: [each], with: { of: '${steps.each.results}', lost: '${steps.each.failed}' } }
",
    ),
    (
        "count",
        "steps:
  first: { plugin: tally, allow: { state: true } }
  second: { plugin: tally, needs: [first], allow: { state: true }, timeout: 30s }
",
    ),
    (
        "fan",
        "timeout: 30m
steps:
  grid: { plugin: echo, matrix: { a: [1, 2], b: [x, y] }, exclude: [{ a: 2, b: y }], with: { a: '${matrix.a}' } }
  strict:
    plugin: tally
    needs: [grid]
    foreach: [1, 2, 3]
    when_item: item != 2
    max_parallel: 3
    on_failure: fail-fast
    allow: { state: true }
  children:
    workflow: leaf
    needs: [grid]
    foreach: [1, 2]
    params: { n: '${item}' }
    max_parallel: 2
    on_failure: collect
    retry: { times: 1, wait: 1s, only: [child-failed] }
finally:
  always: { plugin: echo }
",
    ),
    (
        "leaf",
        "params:
  n: { type: integer, default: 0 }
priority: 5
outputs: { n: '${params.n}' }
steps:
  work: { plugin: echo, mutex: robot, queue_timeout: 20m, retry: { times: 1, wait: 1s } }
",
    ),
    (
        "nested",
        "params:
  list: { type: array, default: [1] }
steps:
  down:
    workflow: middle
    requires: [{ of: '${params.list}', name: list, rows: { minimum: 1 } }]
    mutex: arm
    timeout: 20m
  again: { plugin: echo, mutex: arm, needs: [{ step: down, on: [succeeded, skipped, failed] }] }
",
    ),
    (
        "middle",
        "concurrency: { group: middle, limit: 2 }
queue_timeout: 15m
steps:
  deeper: { workflow: leaf, params: { n: 7 } }
",
    ),
    (
        "ask",
        "steps:
  first: { plugin: echo }
  go: { approval: { message: go?, approvers: [ana, bo], deadline: 15m, on_timeout: reject }, needs: [first] }
  sure: { approval: { message: sure?, deadline: 10m, on_timeout: approve } }
  ever: { approval: { message: ever? }, needs: [go] }
  last: { plugin: echo, needs: [go, { step: sure, on: [succeeded, failed] }] }
finally:
  cancelled: { plugin: echo }
  failed: { plugin: echo }
",
    ),
    (
        "contract",
        "params:
  list: { type: array, default: [1] }
priority: 30
steps:
  arm:
    plugin: echo
    mutex: arm
    queue_timeout: 10m
    requires: [{ of: '${params.list}', name: list, rows: { minimum: 1 } }]
    with: { list: '${requires.list}' }
    retry: { times: 2, wait: 1s }
",
    ),
    (
        "pure",
        "params:
  n: { type: integer, default: 0 }
steps:
  same: { plugin: echo, cache: true, with: { n: '${params.n}' } }
  after: { plugin: echo, cache: true, needs: [same], with: { n: '${steps.same.n}' } }
",
    ),
    (
        "line-queue",
        "concurrency: { group: line, limit: 2, on_conflict: queue }
queue_timeout: 30m
priority: -3
steps:
  a: { plugin: echo }
  b: { plugin: echo, needs: [a] }
",
    ),
    (
        "line-skip",
        "concurrency: { group: line, limit: 2, on_conflict: skip }
steps:
  a: { plugin: echo }
",
    ),
    (
        "solo",
        "concurrency: { group: solo, limit: 1, on_conflict: cancel-running }
steps:
  a: { plugin: echo }
  b: { plugin: echo, needs: [a] }
finally:
  cancelled: { plugin: echo }
",
    ),
    (
        "publish",
        "steps:
  a: { plugin: echo }
  tell: { plugin: misbehave, needs: [a], allow: { publish: ['site/#'] }, retry: { times: 1, wait: 1s } }
  also: { plugin: misbehave, foreach: [1, 2], allow: { publish: ['site/#'] } }
",
    ),
    (
        "after",
        "triggers:
  - workflow: { name: chain, on: [succeeded, failed, cancelled] }
  - workflow: { name: count, on: [failed] }
steps:
  a: { plugin: echo }
",
    ),
    (
        "after-line",
        "triggers:
  - workflow: { name: line-skip }
concurrency: { group: line, limit: 2, on_conflict: skip }
steps:
  a: { plugin: echo }
",
    ),
    (
        "signal",
        "steps:
  a: { plugin: echo }
  tell: { plugin: emit, needs: [a], with: { event: done }, allow: { emit: [done] }, retry: { times: 1, wait: 1s } }
",
    ),
    ("hears", "triggers: [{ event: { name: done, where: 'event.workflow == \"signal\"' } }]\nsteps:\n  a: { plugin: echo }\n"),
    (
        "waits",
        "steps:
  first: { plugin: echo }
  nap: { wait: { for: 3m } }
  hears: { wait: { event: done, where: 'event.data.of == run.workflow', timeout: 25m, on_timeout: continue }, needs: [first] }
  last: { plugin: echo, needs: [nap, hears] }
",
    ),
    ("ping", "triggers: [{ dataset: pong }, { dataset: readings }]\nsteps:\n  make: { plugin: echo }\n"),
    ("pong", "triggers: [{ dataset: ping }]\nsteps:\n  make: { plugin: echo, foreach: [1, 2] }\n"),
    ("tick", "triggers:\n  - cron: { schedule: '*/5 * * * *', misfire: all, misfire_max: 3 }\nsteps:\n  a: { plugin: echo }\n"),
    (
        "tick-skip",
        "triggers:\n  - cron: { schedule: '*/7 * * * *', misfire: skip, overlap: skip }\nsteps:\n  a: { plugin: echo }\n",
    ),
    (
        "tick-queue",
        "triggers:\n  - cron: { every: 11m, misfire: all, misfire_max: 3, overlap: queue }\nsteps:\n  a: { plugin: echo }\n",
    ),
    (
        "tick-cancel",
        "triggers:\n  - cron: { schedule: '*/13 * * * *', misfire: latest, overlap: cancel-previous }\nsteps:\n  a: { plugin: echo }\n  \
         b: { plugin: echo, needs: [a] }\n",
    ),
];

/// Those that somebody starts by hand.
pub const BY_HAND: [&str; 13] = [
    "score",
    "count",
    "fan",
    "nested",
    "ask",
    "contract",
    "pure",
    "line-queue",
    "line-skip",
    "solo",
    "publish",
    "signal",
    "waits",
];

/// The project, read once and put into any folder.
pub fn at(root: &Path) -> Project {
    let read = read();
    Project {
        root: root.to_owned(),
        config: read.config.clone(),
        config_digest: read.config_digest,
        workflows: read.workflows.clone(),
        origins: read.origins.clone(),
        problems: Default::default(),
        folder_identity: None,
        compile_program: None,
        model_program: None,
    }
}

pub fn read() -> &'static Project {
    static READ: OnceLock<Project> = OnceLock::new();
    READ.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("workflows")).unwrap();
        std::fs::write(folder.path().join("trackside.toml"), CONFIG).unwrap();
        for (name, text) in WORKFLOWS {
            let file = folder.path().join(format!("workflows/{name}.yaml"));
            std::fs::write(file, format!("version: 1\nname: {name}\n{text}")).unwrap();
        }
        let project = Project::open(folder.path()).unwrap();
        assert!(project.problems.is_empty(), "{:?}", project.problems);
        project
    })
}
