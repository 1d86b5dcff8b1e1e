//! `trackside backfill`: runs for past times of a schedule, each at most once.

use std::collections::VecDeque;
use trackside_codes::code;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;
use trackside_control::{
    BackfillTime, Followed, PastTimes, RunEvents, Session, SortedTimes, StartRun, find_workflow, past_times,
};
use trackside_engine::{Event, RunEnd, RunId};
use trackside_node::{Project, rfc3339};
use trackside_spec::Plan;
use trackside_store::{Clock, SystemClock};

use super::run::{bring_up_to_date, params};
use crate::{
    accepting::{HERE, accepted},
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Table, count, duration_ms, escape},
    view::dress,
};

/// Run a workflow for past times of its schedule
///
/// Each time has one run, whoever started it: times that have had theirs are left out, so the same command may be repeated,
/// also after it was interrupted. `trigger.logical_time` of a run is its time, and `trigger.backfill` is true. A paused
/// trigger, `misfire` and `overlap` do not matter here.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside backfill report --from 2026-03-01 --to 2026-03-31 --dry-run")]
pub struct Arguments {
    /// The workflow's name
    workflow: String,
    /// The first time: RFC 3339 such as 2026-03-01T00:00:00Z, or a day such as 2026-03-01 (its beginning in UTC)
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: i64,
    /// The last time, itself included
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: i64,
    /// Which schedule, where the workflow has several
    #[arg(long, value_name = "ID")]
    trigger: Option<String>,
    /// Print the times and what would become of them; start nothing
    #[arg(long)]
    dry_run: bool,
    /// Runs under way at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    max_parallel: u16,
    /// A parameter of every run; may be given several times
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
}

/// Times of one command: more are refused, not cut off.
const MAX_TIMES: usize = 10_000;

/// What became of a time, or would.
#[derive(Debug, Clone, Serialize)]
struct Outcome {
    time: String,
    /// `succeeded`, `failed`, `cancelled`; `done` when it has had its run before; `would-run`.
    state: String,
    run: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<i64>,
    #[serde(skip)]
    at_ms: i64,
}

/// Runs them.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    let plan = find_workflow(&project, &arguments.workflow)?.clone();
    if arguments.from > arguments.to {
        return Err(Failure::new(code!("TS-0883"), "--from is later than --to; exchange them"));
    }
    let until = arguments.to.min(SystemClock.now_ms());
    let times = past_times(&plan, arguments.trigger.as_deref(), (arguments.from, until), MAX_TIMES)?;
    if times.more {
        return Err(Failure::new(
            code!("TS-0884"),
            format!(
                "there are more than {MAX_TIMES} times from {} to {}; give a shorter span",
                rfc3339(arguments.from),
                rfc3339(until)
            ),
        ));
    }
    let given = params(&plan, &arguments.params)?;
    plan.bind_params(&given).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(code!("TS-0712"), format!("workflow `{}`: {}", plan.name, lines.join("; ")))
    })?;
    let SortedTimes { done, open } = times.sorted(context.reader_of(&project)?.as_ref())?;
    let done = done.into_iter().map(|(at, run)| Outcome { state: "done".to_owned(), run, ..Outcome::new(at) });
    let mut outcomes: Vec<Outcome> = done.collect();
    if arguments.dry_run {
        let would = |at: &i64| Outcome { state: "would-run".to_owned(), ..Outcome::new(*at) };
        outcomes.extend(open.iter().map(would));
    } else if !open.is_empty() {
        let request = StartRun { workflow: plan.name.clone(), params: given, file: None, backfill: None };
        let wanted = Wanted { trigger: times.trigger.clone(), request, parallel: usize::from(arguments.max_parallel) };
        outcomes.extend(wanted.run(&project, &plan, open.into(), context)?);
    }
    outcomes.sort_by_key(|outcome| outcome.at_ms);
    tell(context, &plan, &times, &outcomes)
}

impl Outcome {
    fn new(at_ms: i64) -> Self {
        Self { time: rfc3339(at_ms), state: String::new(), run: None, took_ms: None, at_ms }
    }
}

/// What is to be started.
struct Wanted {
    trigger: String,
    request: StartRun,
    parallel: usize,
}

impl Wanted {
    fn run(
        &self,
        project: &Project,
        plan: &Plan,
        mut open: VecDeque<i64>,
        context: &Context,
    ) -> Result<Vec<Outcome>, Failure> {
        let runtime = runtime()?;
        let session = Session::open(project, HERE, &runtime)?;
        // The node is dropped outside of the runtime: it waits for its threads.
        let outcomes: Result<Vec<Outcome>, Failure> = runtime.block_on(async {
            // A time has one run: none is to be spent on what the file said before.
            bring_up_to_date(session.control(), plan, context.console).await;
            let mut outcomes = Vec::new();
            let mut under_way = JoinSet::new();
            loop {
                while under_way.len() < self.parallel {
                    let Some(at) = open.pop_front() else { break };
                    match self.start(&session, at, context).await? {
                        // Somebody else was faster.
                        None => outcomes.push(Outcome { state: "done".to_owned(), ..Outcome::new(at) }),
                        Some(run) => {
                            let events = session.control().follow(run).await?;
                            under_way.spawn(end_of(at, run, events));
                        }
                    }
                }
                let Some(ended) = under_way.join_next().await else { return Ok(outcomes) };
                let ended = ended.map_err(|error| Failure::new(code!("TS-0885"), error.to_string()))??;
                context.console.say(&format!("{}  {}", ended.time, ended.state));
                outcomes.push(ended);
            }
        });
        drop(session);
        outcomes
    }

    /// Starts the run of a time; none when it has had one.
    async fn start(&self, session: &Session, at_ms: i64, context: &Context) -> Result<Option<RunId>, Failure> {
        let backfill = Some(BackfillTime { trigger: self.trigger.clone(), at_ms });
        let request = StartRun { backfill, ..self.request.clone() };
        let asked = session.control().start(request);
        match accepted(context.console, session, "the node accepts the run", asked).await {
            Ok(run) => Ok(Some(run)),
            Err(error) if error.is_done_before() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

async fn end_of(at_ms: i64, run: RunId, mut events: RunEvents) -> Result<Outcome, Failure> {
    let mut end = RunEnd::Cancelled;
    let (mut first, mut last) = (None, None);
    while let Some(Followed::Event { at_ms, event }) = events.next().await? {
        first.get_or_insert(at_ms);
        if let Event::Ended { end: how, .. } = event {
            (end, last) = (how, Some(at_ms));
        }
    }
    let took_ms = first.zip(last).map(|(first, last)| last.saturating_sub(first).max(0));
    Ok(Outcome { state: end.name().to_owned(), run: Some(run), took_ms, ..Outcome::new(at_ms) })
}

fn tell(context: &Context, plan: &Plan, times: &PastTimes, outcomes: &[Outcome]) -> Result<(), Failure> {
    let console = context.console;
    if console.json {
        console.print_json(&json!({ "workflow": plan.name, "trigger": times.trigger, "times": outcomes }))?;
    } else {
        let mut table = Table::headed(&["TIME", "STATE", "RUN", "TOOK"]);
        for outcome in outcomes {
            table.row([
                Cell::new(outcome.time.as_str()),
                Cell::dressed(outcome.state.as_str(), dress(&outcome.state)),
                outcome.run.map(|run| run.to_string()).unwrap_or_default().into(),
                Cell::right(outcome.took_ms.map(duration_ms).unwrap_or_default()),
            ]);
        }
        if !outcomes.is_empty() {
            console.print(table.render(console.out).trim_end())?;
        }
        let having = |state: &str| outcomes.iter().filter(|outcome| outcome.state == state).count() as u64;
        console.say(&format!(
            "{} of {}: {} done before, {} to run, {} succeeded",
            count(outcomes.len() as u64, "time"),
            escape(&times.trigger),
            having("done"),
            having("would-run"),
            having("succeeded")
        ));
    }
    let bad = outcomes.iter().any(|outcome| matches!(outcome.state.as_str(), "failed" | "cancelled"));
    if bad { Err(Failure::bad()) } else { Ok(()) }
}

/// A time as people type it.
pub fn instant(text: &str) -> Result<i64, String> {
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let day = text.parse::<chrono::NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    day.map(|begin| begin.and_utc().timestamp_millis())
        .ok_or_else(|| "give a time such as 2026-03-01T00:00:00Z or +01:00, or a day such as 2026-03-01".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_a_zone_or_as_a_day() {
        assert_eq!(instant("1970-01-02"), Ok(86_400_000));
        assert_eq!(instant("1970-01-01T01:00:01+01:00"), Ok(1_000));
        for bad in ["", "yesterday", "1970-01-01 00:00", "1970-13-01"] {
            assert!(instant(bad).is_err(), "{bad}");
        }
    }
}
