//! `trackside trigger test`: what a trigger would do now. Nothing is started, moved or written.

use clap::Args;
use trackside_control::{InUse, trigger_outlook};
use trackside_store::SystemClock;

use crate::{
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Table, escape, shorten, zoned_time},
};

/// Say what a trigger would do now, without doing it
///
/// For a schedule: the next times, and what a run under way would mean to them. For a file trigger: each file that lies in
/// its folder and what would become of it. Nothing is started, moved or written.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Its id, as `trackside trigger list` prints it
    trigger: String,
}

/// Says it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    let reader = context.reader_of(&project)?;
    let in_use = runtime()?.block_on(InUse::of(&project, reader.as_ref()))?;
    let answer = trigger_outlook(&project, &in_use, reader.as_ref(), &arguments.trigger, &SystemClock)?;
    let console = context.console;
    if console.json {
        console.print_json(&answer)?;
    } else {
        let mut table = Table::plain(2);
        for one in &answer.outlook {
            let time = one.at_ms.map(|at| zoned_time(at, &answer.zone));
            table.row([
                Cell::new(one.would),
                shorten(&escape(time.as_ref().unwrap_or(&one.about)), 80).into(),
                shorten(&escape(&one.detail), 120).into(),
            ]);
        }
        let pause = if answer.paused { "  paused" } else { "" };
        console.print(&format!("{}  {}{pause}", console.out.bold(&answer.trigger), escape(&answer.what)))?;
        if !answer.outlook.is_empty() {
            console.print(table.render(console.out).trim_end())?;
        } else if let Some(folder) = &answer.folder {
            console.say(&format!("No file that fits lies in {} now.", escape(folder)));
        }
        console.say(&in_use.source());
        if let Some(problem) = &answer.problem {
            console.complain(format!("its runs are refused: {}", escape(problem)));
        }
    }
    if answer.problem.is_some() { Err(Failure::bad()) } else { Ok(()) }
}
