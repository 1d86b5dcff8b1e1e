//! `trackside prune`

use clap::Args;
use trackside_control::{PrunePreview, Session, prune_preview};
use trackside_store::SystemClock;

use crate::{
    accepting::accepted,
    console::Console,
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Table, bytes, count, escape},
};

/// Who prunes where no node runs.
const HERE: &str = "the command line";

/// Remove runs, logs and artifacts that are not to be kept, now
///
/// A node does this by itself, beside its work; what is kept says `[retention]` in trackside.toml and `retention` in a workflow.
/// Never touched: runs under way and what they need, runs whose effects wait, the newest run of each workflow that has ended.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside prune --dry-run\n  trackside prune")]
pub struct Arguments {
    /// Print what would go and how many bytes; remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// Removes it, or says what would go.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let console = context.console;
    if arguments.dry_run {
        let (project, reader) = context.reader()?;
        let preview = prune_preview(&project, &reader, &SystemClock)?;
        return if console.json { console.print_json(&preview) } else { tell(console, &preview) };
    }
    // Where nothing has run there is nothing to remove, and no data folder is made for it.
    let (project, _) = context.reader()?;
    let removed = runtime()?.block_on(async {
        let session = Session::without_node(project, HERE).await?;
        let asked = session.control().prune();
        accepted(console, &session, "the node accepts it", asked).await
    })?;
    if console.json {
        return console.print_json(&removed);
    }
    console.say(&format!(
        "{} and {} removed, about {}",
        count(removed.runs, "run"),
        count(removed.files, "artifact"),
        bytes(removed.bytes)
    ));
    Ok(())
}

fn tell(console: Console, preview: &PrunePreview) -> Result<(), Failure> {
    let mut table = Table::headed(&["WORKFLOW", "BECAUSE OF", "RUNS", "BYTES"]);
    for one in &preview.would_go {
        table.row([
            escape(&one.workflow).into_owned().into(),
            one.because_of.into(),
            Cell::right(one.runs.to_string()),
            Cell::right(bytes(one.bytes)),
        ]);
    }
    if !preview.would_go.is_empty() {
        console.print(&table.render(console.out))?;
    }
    if preview.free_artifacts > 0 {
        console.say(&format!(
            "{} that no run names any more ({}) would go",
            count(preview.free_artifacts, "artifact"),
            bytes(preview.free_artifact_bytes)
        ));
    } else if preview.would_go.is_empty() {
        console.say("Nothing would go.");
    }
    if preview.entries_not_counted > 0 {
        console.warn(format!(
            "not counted yet: {} of the journal; a running node does it within seconds, `trackside prune` before it removes \
             anything",
            count(preview.entries_not_counted, "fact")
        ));
    }
    console.say(&format!(
        "The database holds {} and artifacts {}; together they may take {}",
        bytes(preview.database_bytes),
        bytes(preview.artifact_bytes),
        bytes(preview.bytes_allowed)
    ));
    Ok(())
}
