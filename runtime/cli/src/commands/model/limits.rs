//! What bounds a model, for people.

use std::fmt::Write as _;

use trackside_control::{ModelBounds, ServedLimits};

use crate::output::{Cell, Paint, Table, bytes, duration_ms};

/// A key and its value.
type Row = (&'static str, String);

/// The limits of one model, under the names of their keys.
pub fn own(limits: &ServedLimits, paint: Paint) -> String {
    format!("\n{}\n{}", paint.bold("Limits"), table(own_rows(limits), paint))
}

/// Those, and what bounds all models of the box.
pub fn all(bounds: &ModelBounds, name: &str, paint: Paint) -> String {
    let files = &bounds.model_limits;
    // A file that nobody declares has what such a table has that says nothing.
    let title = if name.ends_with(".onnx") { "[models.NAME]".to_owned() } else { format!("[models.{name}]") };
    let parts: [(String, Vec<Row>); 5] = [
        (title, own_rows(&bounds.models)),
        (
            "[model_limits]".to_owned(),
            vec![
                ("memory", bytes(files.memory_bytes)),
                ("cpu", ms(files.cpu_ms)),
                ("wall", ms(files.wall_ms)),
                ("files", files.files.to_string()),
                ("bytes", bytes(files.bytes)),
                ("weights", files.weights.to_string()),
                ("path", files.path.to_string()),
                ("depth", files.depth.to_string()),
                ("manifest", bytes(files.manifest_bytes)),
                ("signatures", bytes(files.signatures_bytes)),
                ("golden", bytes(files.golden_bytes)),
            ],
        ),
        (
            "[engine]".to_owned(),
            vec![("memory", bounds.engine.memory_bytes.map_or_else(|| "as much as there is".to_owned(), bytes))],
        ),
        (
            "[limits]".to_owned(),
            vec![("wall", ms(bounds.limits.wall_ms)), ("tensor", bytes(bounds.limits.tensor_bytes))],
        ),
        (
            "[inference]".to_owned(),
            vec![
                ("body", bytes(bounds.inference.body_bytes)),
                ("connections", bounds.inference.connections.to_string()),
                ("patience", ms(bounds.inference.patience_ms)),
            ],
        ),
    ];
    let mut text = format!("\n{}\n", paint.bold("Limits"));
    for (title, rows) in parts {
        let _ = write!(text, "  {title}\n{}", table(rows, paint));
    }
    text
}

fn table(rows: Vec<Row>, paint: Paint) -> String {
    let mut facts = Table::plain(2);
    for (name, value) in rows {
        facts.row([Cell::dressed(name, Paint::dim), value.into()]);
    }
    facts.render(paint)
}

fn ms(ms: u64) -> String {
    if ms == 0 { "none".to_owned() } else { duration_ms(i64::try_from(ms).unwrap_or(i64::MAX)) }
}

fn own_rows(limits: &ServedLimits) -> Vec<Row> {
    let each = |number: usize| if number == 0 { "one for each core".to_owned() } else { number.to_string() };
    let rate = match (limits.rate, limits.burst) {
        (Some(rate), burst) => format!("{rate} a second, {} at once", burst.unwrap_or(rate)),
        (None, _) => "as many as come".to_owned(),
    };
    vec![
        ("load", if limits.at_start { "start" } else { "lazy" }.to_owned()),
        ("sessions", each(limits.sessions)),
        ("queue", limits.queue.to_string()),
        ("timeout", ms(limits.timeout_ms)),
        ("rate", rate),
        ("failures", if limits.failures == 0 { "never made anew".to_owned() } else { limits.failures.to_string() }),
        ("batching.rows", if limits.batching_rows <= 1 { "off".to_owned() } else { limits.batching_rows.to_string() }),
        ("batching.delay", ms(limits.batching_delay_ms)),
        (
            "breaker",
            if limits.breaker_requests == 0 {
                "off".to_owned()
            } else {
                format!(
                    "{} % of at least {} requests in {}, then closed to all for {}",
                    limits.breaker_failures,
                    limits.breaker_requests,
                    ms(limits.breaker_window_ms),
                    ms(limits.breaker_open_ms)
                )
            },
        ),
    ]
}
