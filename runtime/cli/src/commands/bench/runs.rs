//! Runs through a whole node in this process.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, json};
use tokio::sync::mpsc::Receiver;
use trackside_engine::{Event, RunEnd};
use trackside_facts::TriggerDocument;
use trackside_node::{
    Handle, Node, NodeOptions, Project,
    core::{Fire, FireAnswer, RunUpdate},
};
use trackside_sandbox::Plugin;
use trackside_store::SystemClock;

use super::{
    Figure,
    figures::{BenchError, cpu_seconds, figure, percentile, written_bytes},
};

/// How many runs are under way at a time where there are many.
const CROWD: usize = 64;
/// Longer than any single thing here should take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node on the temporary project.
pub struct Bench {
    node: Node,
    root: PathBuf,
}

impl Bench {
    pub fn start(root: &Path) -> Result<Self, BenchError> {
        let project = Project::open(root).map_err(|error| BenchError::Other(error.to_string()))?;
        let options = NodeOptions { triggers: true, clock: Arc::new(SystemClock) };
        Ok(Self { node: Node::start(&project, &options)?, root: root.to_owned() })
    }

    pub fn echo(&self) -> Result<Arc<Plugin>, BenchError> {
        self.handle().workshop().plugins.get("echo").map_err(|error| BenchError::Other(error.to_string()))
    }

    fn handle(&self) -> Handle {
        self.node.handle()
    }

    /// One run after the other, each waited for until its end is on disk.
    pub async fn alone(&self, time: Duration) -> Result<Vec<Figure>, BenchError> {
        let handle = self.handle();
        for _ in 0..20 {
            run_one(&handle, "one").await?;
        }
        let (bytes, commits) = (written_bytes(), handle.commits());
        let mut samples = Vec::new();
        let start = Instant::now();
        while start.elapsed() < time {
            let begun = Instant::now();
            run_one(&handle, "one").await?;
            samples.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        let count = samples.len() as f64;
        let (bytes, commits) = (written_bytes() - bytes, handle.commits() - commits);
        Ok(vec![
            figure("run_ms_p50", "one-step run, asked for to end on disk, median", "ms", percentile(&mut samples, 0.5)),
            figure(
                "run_ms_p99",
                "one-step run, asked for to end on disk, 99th percentile",
                "ms",
                percentile(&mut samples, 0.99),
            ),
            figure("bytes_per_run_1", "written for each run, one at a time", "bytes", bytes / count),
            figure(
                "fsyncs_per_run_1",
                "commits (one flush each) for each run, one at a time",
                "",
                commits as f64 / count,
            ),
        ])
    }

    /// A run of several steps, one run after the other: how long one takes, and its commits.
    pub async fn shape(&self, workflow: &str, time: Duration) -> Result<(f64, f64), BenchError> {
        let handle = self.handle();
        run_one(&handle, workflow).await?;
        let commits = handle.commits();
        let mut samples = Vec::new();
        let start = Instant::now();
        while start.elapsed() < time {
            let begun = Instant::now();
            run_one(&handle, workflow).await?;
            samples.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        let commits = (handle.commits() - commits) as f64 / samples.len() as f64;
        Ok((percentile(&mut samples, 0.5), commits))
    }

    /// A schedule of every second: from each time to the first instruction of the step.
    pub async fn schedule(&self, time: Duration) -> Result<Vec<Figure>, BenchError> {
        let mut updates = self.handle().watch()?;
        let mut samples = Vec::new();
        let start = Instant::now();
        while start.elapsed() < time || samples.is_empty() {
            let (due_ms, began_us) = due_and_began(&mut updates).await?;
            samples.push((began_us as f64 - due_ms as f64 * 1e3) / 1e3);
        }
        let value = percentile(&mut samples, 0.5);
        Ok(vec![figure(
            "cron_to_step_ms_p50",
            "time of a schedule to first instruction of its step, median",
            "ms",
            value,
        )])
    }

    /// Files dropped one at a time: from their close to the first instruction of the step.
    pub async fn files(&self, time: Duration) -> Result<Vec<Figure>, BenchError> {
        let mut updates = self.handle().watch()?;
        let inbox = self.root.join("inbox");
        let mut samples = Vec::new();
        let start = Instant::now();
        while start.elapsed() < time && samples.len() < 500 {
            // Its content makes each file another one.
            fs::write(inbox.join(format!("{}.txt", samples.len())), format!("file {}", samples.len()))?;
            let closed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
            let (_, began) = due_and_began(&mut updates).await?;
            samples.push((began as f64 - closed as f64) / 1e3);
        }
        let value = percentile(&mut samples, 0.5);
        Ok(vec![figure("file_to_step_ms_p50", "file closed to first instruction of its step, median", "ms", value)])
    }

    /// Many runs at a time.
    pub async fn crowd(&self, workflow: &str, steps: u32, time: Duration) -> Result<Vec<Figure>, BenchError> {
        let handle = self.handle();
        let (bytes, cpu, commits) = (written_bytes(), cpu_seconds(), handle.commits());
        let start = Instant::now();
        let mut updates = handle.watch()?;
        for _ in 0..CROWD {
            handle.fire(fire(workflow), Box::new(|_| {}))?;
        }
        let mut done = 0u64;
        let mut open = CROWD;
        while open > 0 {
            let update = next(&mut updates).await?;
            if !update.settled {
                continue;
            }
            done += 1;
            open -= 1;
            if start.elapsed() < time {
                handle.fire(fire(workflow), Box::new(|_| {}))?;
                open += 1;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let rate = done as f64 / seconds;
        if steps > 1 {
            let rate = rate * f64::from(steps);
            return Ok(vec![figure(
                "chain_steps_per_s_64",
                "steps per second, 64 chains of ten at a time",
                "/s",
                rate,
            )]);
        }
        let cpu = (cpu_seconds() - cpu) * 1e3 / done as f64;
        let bytes = (written_bytes() - bytes) / done as f64;
        let commits = (handle.commits() - commits) as f64 / done as f64;
        Ok(vec![
            figure("runs_per_s_64", "one-step runs per second, 64 at a time", "/s", rate),
            figure("cpu_s_per_1000_runs", "processor time for 1000 of them", "s", cpu),
            figure("bytes_per_run_64", "written for each run, 64 at a time", "bytes", bytes),
            figure("fsyncs_per_run_64", "commits (one flush each) for each run, 64 at a time", "", commits),
        ])
    }
}

fn fire(workflow: &str) -> Fire {
    Fire {
        workflow: workflow.to_owned(),
        kind: "manual",
        trigger: TriggerDocument::from_json(json!({ "kind": "manual" })),
        params: Map::new(),
        logical_time_ms: 0,
        ledger: Vec::new(),
        artifacts: Vec::new(),
        hold: None,
        rows: Vec::new(),
    }
}

async fn next(updates: &mut Receiver<RunUpdate>) -> Result<RunUpdate, BenchError> {
    match tokio::time::timeout(PATIENCE, updates.recv()).await {
        Ok(Some(update)) => Ok(update),
        Ok(None) => Err(BenchError::Other("the node stopped telling what it does".into())),
        Err(_) => Err(BenchError::Other("a run did not end within 30 s".into())),
    }
}

async fn run_one(handle: &Handle, workflow: &str) -> Result<(), BenchError> {
    match handle.fire_and_wait(fire(workflow))?.until(tokio::time::sleep(PATIENCE)).await? {
        (FireAnswer::Accepted(_), Some(end)) if end.end == RunEnd::Succeeded => Ok(()),
        (FireAnswer::Accepted(_), Some(end)) => Err(BenchError::Other(format!("the run failed: {:?}", end.error))),
        (FireAnswer::Accepted(_), None) => Err(BenchError::Other("a run did not end within 30 s".into())),
        (answer, _) => Err(BenchError::Other(format!("the run was not accepted: {answer:?}"))),
    }
}

/// A run that fails is no measurement.
fn failure(event: &Event) -> Option<BenchError> {
    match event {
        Event::StepFailed { error, .. } => Some(BenchError::Other(error.message.clone())),
        _ => None,
    }
}

/// Waits for the end of a run and gives the time that it is about, milliseconds since 1970, and that of its first
/// instruction, microseconds since 1970.
async fn due_and_began(updates: &mut Receiver<RunUpdate>) -> Result<(i64, u64), BenchError> {
    let (mut due, mut began) = (0, None);
    loop {
        let update = next(updates).await?;
        if let Some(error) = update.events.iter().find_map(failure) {
            return Err(error);
        }
        for event in update.events.iter() {
            match event {
                Event::Started { logical_time_ms, .. } => due = *logical_time_ms,
                Event::StepSucceeded { report, .. } => {
                    began = report.as_ref().and_then(|report| report.began_us?.try_into().ok())
                }
                _ => {}
            }
        }
        if let (true, Some(began)) = (update.settled, began) {
            return Ok((due, began));
        }
    }
}
