//! `trackside demo`: a complete example, unpacked, run and told.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use trackside_codes::code;

use clap::Args;
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;
use trackside_control::{Followed, RunFollower};
use trackside_engine::{Event, RunId};
use trackside_node::{Handle, Node, NodeOptions, Project, core::RunUpdate};
use trackside_store::{Reader, SystemClock};

use super::serve::stay;
use crate::{
    console::Console,
    context::{Context, runtime, temp_dir},
    failure::{Exit, Failure},
    live::LiveView,
    output::{duration_ms, escape, shorten},
    progress::Progress,
    view::{DeliveryState, RunView, failure},
};

/// See it work: run a complete example in a folder of its own
///
/// Unpacks the example pump-watch into a temporary folder, starts a node on it, drops two days
/// of a real water meter into its inbox and shows what happens: a component checks the data, another cuts it into
/// windows, an ONNX model scores them, an alert is delivered.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Leave the folder, to look around and to go on
    #[arg(long)]
    keep: bool,
    /// Leave the node running until Ctrl-C
    #[arg(long)]
    serve: bool,
}

/// The example's files: path and content.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/demo_files.rs"));
/// What is dropped into the inbox, and what it shows.
const DAYS: [(&str, &str); 2] = [
    ("data/flow-2022-04-30.csv", "an ordinary day"),
    ("data/flow-2022-04-27.csv", "the day on which a pipe began to leak"),
];
const INBOX: &str = "inbox";
/// No part of the demo takes this long on any box: compiling its plugins takes minutes on one that is slow and busy.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How long the deliveries of a run that has ended are waited for.
const DELIVERY_TIME: Duration = Duration::from_secs(5);
/// Lines of a delivered file that are shown.
const LINES: usize = 12;

/// Runs the demo.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let began = Instant::now();
    let console = context.console;
    let folder = temp_dir("trackside-demo-")?;
    let root = folder.path().to_owned();
    unpack(&root)
        .map_err(|error| Failure::new(code!("TS-0871"), format!("cannot write to {}: {error}", root.display())))?;
    let project = Arc::new(context.at(&root).project()?);
    // From here on the folder stays when it is wanted, also when something goes wrong: then it is wanted most.
    let folder = if arguments.keep { Kept::At(folder.keep()) } else { Kept::Until(folder) };
    console.say(&format!(
        "A water meter reports its flow, hour by hour. The project is in {}\n",
        console.err.bold(&root.display().to_string())
    ));
    let node = Node::start(&project, &NodeOptions { triggers: true, clock: Arc::new(SystemClock) })?;
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let views = days(console, &node, &project).await?;
        result(console, &project, &views, began)?;
        next(console, &folder, arguments.serve);
        if arguments.serve { stay(console, &node).await } else { Ok(()) }
    });
    // Outside of the runtime: it waits for its threads. Then the folder may go.
    drop(node);
    ended
}

/// The demo's folder.
enum Kept {
    /// It goes when the demo ends.
    Until(TempDir),
    /// It stays.
    At(PathBuf),
}

impl Kept {
    fn path(&self) -> &Path {
        match self {
            Self::Until(folder) => folder.path(),
            Self::At(path) => path,
        }
    }
}

fn unpack(root: &Path) -> io::Result<()> {
    for (path, content) in FILES {
        let file = root.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, content)?;
    }
    fs::create_dir_all(root.join(INBOX))
}

/// Drops one day after the other and shows its run.
async fn days(console: Console, node: &Node, project: &Project) -> Result<Vec<RunView>, Failure> {
    let handle = node.handle();
    let mut started = handle.watch()?;
    let mut views = Vec::new();
    for (path, what) in DAYS {
        let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        console.say(&format!("{} {INBOX}/{name}  {}", console.err.cyan(console.glyphs.arrow), console.err.dim(what)));
        drop_file(&project.root, path, &name).map_err(|error| {
            Failure::new(code!("TS-0871"), format!("cannot write to {}: {error}", project.root.display()))
        })?;
        // On a terminal a line shows what is under way; elsewhere something is said now and then.
        let progress = (!console.live).then(|| Progress::start(console, format!("{INBOX}/{name}")));
        let waited = tokio::time::timeout(PATIENCE, one_day(console, &handle, project, &mut started)).await;
        let run = waited.map_err(|_| {
            let minutes = PATIENCE.as_secs() / 60;
            let text = format!("the demo's run did not end within {minutes} minutes");
            Failure::new(code!("TS-0872"), format!("{text}; `trackside demo --keep -v` tells more"))
        })??;
        drop(progress);
        let reader = Reader::open(&project.data_dir())?;
        let view = RunView::read(&reader, run)?;
        let view = view.ok_or_else(|| Failure::new(code!("TS-0820"), format!("run {run} is not in the store")))?;
        let took = view.duration_ms.map(duration_ms).unwrap_or_default();
        console.say(&format!("  {} in {took}\n", console.err.state(&view.state, &format!("run {run} {}", view.state))));
        views.push(view);
    }
    Ok(views)
}

/// As a careful program does it: under another name first, then moved to where it is seen.
fn drop_file(root: &Path, path: &str, name: &str) -> io::Result<()> {
    let part = root.join(format!(".{name}.part"));
    let mut file = fs::File::create(&part)?;
    file.write_all(&fs::read(root.join(path))?)?;
    file.sync_all()?;
    fs::rename(part, root.join(INBOX).join(name))
}

/// Waits for the run that the file starts, and shows it to its end.
async fn one_day(
    console: Console,
    handle: &Handle,
    project: &Project,
    started: &mut Receiver<RunUpdate>,
) -> Result<RunId, Failure> {
    let (run, trigger) = loop {
        let update = started.recv().await.ok_or_else(|| Failure::new(code!("TS-0632"), "the node is going down"))?;
        let first = update.events.iter().find_map(|event| match event {
            Event::Started { trigger, .. } => Some(trigger.id().unwrap_or_default().to_owned()),
            _ => None,
        });
        if let Some(trigger) = first {
            break (update.run, trigger);
        }
    };
    let workflow = trigger.split('/').next().unwrap_or_default();
    let plan = project
        .workflows
        .get(workflow)
        .ok_or_else(|| Failure::ended(Exit::Unable, code!("TS-0711"), format!("no workflow {workflow}")))?;
    let mut view = LiveView::new(console, plan);
    let follower = RunFollower::open(handle.clone(), run).await?;
    let mut follower =
        follower.ok_or_else(|| Failure::new(code!("TS-0820"), format!("run {run} is not in the store")))?;
    let mut patience = PATIENCE;
    // A delivery that can not be made is tried for ever; nobody who watches waits for that.
    while let Ok(next) = tokio::time::timeout(patience, follower.next()).await {
        let Some(Followed::Event { at_ms, event }) = next? else { break };
        if matches!(event, Event::Ended { .. }) {
            patience = DELIVERY_TIME;
        }
        view.event(at_ms, &event);
    }
    view.clear();
    Ok(run)
}

/// What came out of it. The demo is bad when a run failed.
fn result(console: Console, project: &Project, views: &[RunView], began: Instant) -> Result<(), Failure> {
    for view in views {
        if let Some((summary, details)) = failure(view) {
            console.complain(&summary);
            details.iter().for_each(|line| console.tell(&format!("  {line}")));
            return Err(Failure::bad());
        }
    }
    if console.json {
        console.print_json(&views)?;
    } else {
        for delivery in views.iter().flat_map(|view| &view.deliveries).filter(|d| d.state == DeliveryState::Delivered) {
            console.print(&console.out.bold(&escape(&delivery.target)))?;
            for line in first_lines(&project.root.join(&delivery.target)) {
                console.print(&format!("  {line}"))?;
            }
        }
    }
    let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    console.say(&format!("\nAll of it took {}.", duration_ms(took)));
    Ok(())
}

/// The beginning of a file; JSON on one line is laid out first.
fn first_lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let laid_out = serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok());
    let text = laid_out.unwrap_or(text);
    let mut lines: Vec<String> = text.lines().take(LINES).map(|line| shorten(&escape(line), 110)).collect();
    if text.lines().count() > LINES {
        lines.push("…".to_owned());
    }
    lines
}

/// Where everything is and what to try.
fn next(console: Console, folder: &Kept, serves: bool) {
    let root = folder.path().display();
    let program = program();
    let at = format!("{program} --project {root}");
    let data = folder.path().join(".trackside");
    console.say(&format!("Database and artifacts: {}", data.display()));
    let commands = match (folder, serves) {
        (_, true) => {
            console.say(&format!(
                "The node runs on; drop CSV files into {root}/{INBOX}. {}\n\nTry in another shell:",
                if matches!(folder, Kept::Until(_)) {
                    "The folder is removed at the end; --keep leaves it."
                } else {
                    "The folder stays."
                }
            ));
            vec![format!("{at} runs list"), format!("{at} runs show last"), format!("{at} run pump-watch")]
        }
        (Kept::At(_), false) => {
            console.say("\nTry next:");
            vec![format!("{at} runs show last"), format!("{at} run pump-watch"), format!("{at} serve")]
        }
        (Kept::Until(_), false) => {
            console.say("The folder is removed now; --keep leaves it, --serve leaves the node running.\n\nTry next:");
            vec![
                format!("{program} demo --keep"),
                format!("{program} init my-project"),
                format!("{program} --project my-project run hello"),
            ]
        }
    };
    for command in commands {
        console.say(&format!("  {command}"));
    }
}

/// This program as it can be typed here: by its name when that is found, else by its path.
fn program() -> String {
    let Ok(own) = std::env::current_exe() else { return "trackside".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("trackside")).find(|file| file.is_file());
    if found.and_then(|file| file.canonicalize().ok()) == own.canonicalize().ok() {
        return "trackside".to_owned();
    }
    let here = std::env::current_dir().unwrap_or_default();
    let below = own.strip_prefix(&here).ok().filter(|below| below.components().count() > 1);
    below.unwrap_or(&own).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_demo_drops_is_part_of_the_binary() {
        for (path, _) in DAYS {
            assert!(FILES.iter().any(|(file, _)| *file == path), "{path} is missing in demo.txt");
        }
        assert!(FILES.iter().any(|(file, _)| *file == "trackside.toml"));
        let size: usize = FILES.iter().map(|(_, content)| content.len()).sum();
        assert!(size < 300 << 10, "{size} bytes are a heavy demo");
    }

    #[test]
    fn unpacking_makes_a_project() {
        let root = tempfile::tempdir().unwrap();
        unpack(root.path()).unwrap();
        let project = Project::open(root.path()).unwrap();
        assert!(project.problems.is_empty(), "{:?}", project.problems);
        assert!(root.path().join(INBOX).is_dir());
    }
}
