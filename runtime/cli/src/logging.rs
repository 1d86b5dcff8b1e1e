//! Log lines on standard error: with times for people, with levels for the journal.

use std::{fmt, fmt::Write as _, io};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{args::Global, console::Console, output::escape};

/// The environment variable with levels by module.
const VARIABLE: &str = "TRACKSIDE_LOG";

/// Starts logging. `usual` is the level of a command that was not asked to say more or less.
pub fn start(global: &Global, console: Console, usual: &str) {
    let usual = levels(global.quiet, global.verbose, usual);
    let wished = std::env::var(VARIABLE).ok().filter(|filter| !filter.is_empty());
    let (filter, problem) = match wished.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(&usual), Some(error)),
        None => (EnvFilter::new(&usual), None),
    };
    let format = if is_journal() { Format::Journal } else { Format::Terminal };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(console.err.0)
        .log_internal_errors(false)
        .event_format(format);
    // A second call is a defect of a test, not of a user.
    let _ = subscriber.try_init();
    if let Some(problem) = problem {
        tracing::warn!(
            "{VARIABLE} is not a filter ({problem}): write a level, or levels by module as in info,trackside_node=debug"
        );
    }
}

/// Levels by module. Only this program's own modules get louder, all of whose names begin alike: what libraries trace is for
/// those who name them.
fn levels(quiet: bool, verbose: u8, usual: &str) -> String {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (_, 0) => usual,
        (_, 1) => "debug",
        _ => "trace",
    };
    let libraries = if verbose > 1 { "debug" } else { "warn" };
    format!("{libraries},trackside={level}")
}

/// Whether standard error is the journal's own pipe, as systemd tells in `JOURNAL_STREAM` (device and inode).
pub fn is_journal() -> bool {
    let Ok(told) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(io::stderr()).is_ok_and(|stat| told == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// One line of talk of a service: with a level where the journal reads it.
pub fn service_line(line: &str) -> String {
    if is_journal() { format!("<6>{line}") } else { line.to_owned() }
}

#[derive(Clone, Copy)]
enum Format {
    Journal,
    Terminal,
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        let mut text = String::new();
        context.field_format().format_fields(Writer::new(&mut text), event)?;
        match self {
            Self::Journal => {
                // Each line is an entry of its own there, so each needs its level.
                for line in text.lines() {
                    writeln!(writer, "<{}>{}", priority(level), escape(line))?;
                }
                Ok(())
            }
            Self::Terminal => {
                let mut heading = String::new();
                write!(heading, "{} {:5}", chrono::Local::now().format("%Y-%m-%d %H:%M:%S%.3f"), level.as_str())?;
                if writer.has_ansi_escapes() {
                    heading = format!("\x1b[{}m{heading}\x1b[0m", colour(level));
                }
                for line in text.lines() {
                    writeln!(writer, "{heading} {}", escape(line))?;
                }
                Ok(())
            }
        }
    }
}

/// The level as syslog numbers it.
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

const fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG | Level::TRACE => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, log: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .event_format(format)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_room_of_this_program_gets_louder_and_no_library_does() {
        let shows = |levels: &str, log: fn()| {
            let memory = Memory::default();
            let writer = memory.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(EnvFilter::new(levels))
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::with_default(subscriber, log);
            let bytes = memory.0.lock().unwrap();
            !bytes.is_empty()
        };
        let (usual, loud) = (levels(false, 0, "info"), levels(false, 1, "info"));
        for log in [
            || tracing::debug!(target: "trackside_packages::client", "x"),
            || tracing::debug!(target: "trackside_kit", "x"),
            || tracing::debug!(target: "trackside_net", "x"),
            || tracing::debug!(target: "trackside", "x"),
        ] as [fn(); 4]
        {
            assert!(shows(&loud, log) && !shows(&usual, log));
        }
        assert!(!shows(&loud, || tracing::info!(target: "hyper", "x")));
        assert!(!shows(&levels(true, 0, "info"), || tracing::warn!(target: "trackside_node", "x")));
    }

    #[test]
    fn the_journal_gets_levels_and_no_times() {
        let text = logged(Format::Journal, || {
            tracing::warn!(run = "a", "one\ntwo");
            tracing::info!("three");
        });
        assert_eq!(text, "<4>one\n<4>two run=\"a\"\n<6>three\n");
    }

    #[test]
    fn people_get_times_and_nothing_that_moves_the_terminal() {
        let text = logged(Format::Terminal, || tracing::error!("bad \u{9b}31m news"));
        assert!(text.contains("ERROR bad \\u{9b}31m news"), "{text}");
        assert!(text.starts_with("20"), "{text}");
    }
}
