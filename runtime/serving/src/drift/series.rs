//! What is watched of one version, or of one table: rows come in, windows come out.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use trackside_stats::StatsError;

use super::{
    column::{Counts, Frozen, Kind, Raw},
    document::{ReferenceColumn, ReferenceDocument},
    held::Held,
    judge::counted,
    packing::{Parts, SavedError, pack},
    settings::DriftSettings,
    words::categories,
};

/// Rows that are kept as they came until it is said where cells end: 16 KiB a column.
const GATHERED: usize = 2_048;
/// Closed windows that wait to be judged. More come only while the disk takes nothing; then they are merged.
const WAITING: usize = 16;
/// How long a reference by the hour of the week takes.
const SEASON_MS: i64 = 21 * 86_400_000;

/// A column that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
}

/// A reference that is complete.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) columns: Vec<Frozen>,
    pub(super) rows: u64,
    pub(super) windows: u64,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

impl Reference {
    /// Whether its windows tell how rows hang together.
    pub(super) const fn design(&self) -> bool {
        self.windows >= DriftSettings::DESIGN
    }
}

/// A window that is full.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    pub(super) columns: Vec<Counts>,
    pub(super) rows: u64,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) reference: Arc<Reference>,
}

/// How far it is.
#[derive(Debug, Clone)]
enum Stage {
    /// Rows are kept as they come. `ends` has the rows at which windows ended.
    Gathers { columns: Vec<Raw>, ends: Vec<(u32, i64)> },
    /// It is known where cells end; windows of the reference are counted.
    Counts { reference: Box<Reference>, window: Vec<Counts> },
    /// Windows are compared with the reference.
    Compares { reference: Arc<Reference>, window: Vec<Counts> },
}

/// The window that is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Open {
    rows: u64,
    /// How old it was when this process began with it.
    before: Duration,
    /// When this process began with it, by the clock that never goes back.
    #[serde(skip)]
    since: Option<Duration>,
    from_ms: i64,
    to_ms: i64,
}

/// What is watched of one version or table.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) settings: DriftSettings,
    pub(super) watched: Vec<Watched>,
    /// Columns that are too many.
    pub(super) left_out: u64,
    stage: Stage,
    open: Open,
    /// The first row's time, of the reference.
    from_ms: i64,
    rows: u64,
    pub(super) closed: VecDeque<Closed>,
    /// Whether something of the reference is new since it was kept.
    pub(super) moved_on: bool,
    /// Whether rows have come since it was kept.
    pub(super) touched: bool,
    /// Whether windows end with tables: rows of one table hang together.
    pub(super) whole: bool,
}

/// The times of a row.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// By the clock that never goes back.
    pub running: Duration,
    /// Milliseconds since 1970.
    pub wall_ms: i64,
}

impl Series {
    pub(super) fn new(watched: Vec<Watched>, left_out: u64, settings: DriftSettings) -> Self {
        let columns = watched.iter().map(|column| Raw::new(column.kind)).collect();
        Self {
            settings,
            watched,
            left_out,
            stage: Stage::Gathers { columns, ends: Vec::new() },
            open: Open::default(),
            from_ms: 0,
            rows: 0,
            closed: VecDeque::new(),
            // So that whoever asks sees that it is watched.
            moved_on: true,
            touched: false,
            whole: false,
        }
    }

    /// More rows, one behind the other. Says whether a window has closed.
    pub(super) fn rows(&mut self, values: &[Held], now: Now) -> bool {
        let columns = self.watched.len();
        let mut closed = self.close_if_due(now);
        let mut rest = values;
        while columns > 0 && rest.len() >= columns {
            let room = if self.whole { usize::MAX } else { self.room() };
            let rows = (rest.len() / columns).min(room).min(self.gathers().map_or(usize::MAX, |have| GATHERED - have));
            let (part, next) = rest.split_at(rows.max(1) * columns);
            // Column by column: what one is counted in is looked up once.
            let of = |column: usize| part.iter().skip(column).step_by(columns).map(Held::cell);
            match &mut self.stage {
                Stage::Gathers { columns, .. } => {
                    for (at, column) in columns.iter_mut().enumerate() {
                        of(at).for_each(|cell| column.observe(cell));
                    }
                }
                Stage::Counts { window, .. } | Stage::Compares { window, .. } => {
                    for (at, column) in window.iter_mut().enumerate() {
                        of(at).flatten().for_each(|cell| column.observe(cell));
                    }
                }
            }
            self.came((part.len() / columns) as u64, now);
            if self.gathers().is_some_and(|have| have >= GATHERED) {
                self.freeze();
            }
            if !self.whole && self.room() == 0 {
                self.close();
                closed = true;
            }
            rest = next;
        }
        closed
    }

    /// Rows have come.
    fn came(&mut self, rows: u64, now: Now) {
        if self.rows == 0 {
            self.from_ms = now.wall_ms;
        }
        if self.open.rows == 0 {
            self.open = Open { from_ms: now.wall_ms, to_ms: now.wall_ms, ..Open::default() };
        }
        self.open.since = self.open.since.or(Some(now.running));
        self.open.rows += rows;
        // A clock that was set back makes no window end before it began.
        self.open.to_ms = self.open.to_ms.max(now.wall_ms);
        self.rows += rows;
        self.touched = true;
    }

    /// Whether so many rows more make the window full, or one that is closed when it is old.
    pub(super) fn is_near(&self, rows: usize) -> bool {
        let fewest = u64::from(DriftSettings::FEWEST.min(self.settings.rows));
        let then = self.open.rows + rows as u64;
        then >= u64::from(self.settings.rows) || (self.open.rows < fewest && then >= fewest)
    }

    /// Rows until the window is full.
    fn room(&self) -> usize {
        let room = u64::from(self.settings.rows).saturating_sub(self.open.rows);
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// How many rows are kept as they came, where they still are.
    fn gathers(&self) -> Option<usize> {
        if let Stage::Gathers { columns, .. } = &self.stage { columns.first().map(Raw::len) } else { None }
    }

    /// A table has ended. Says whether a window has closed with it.
    pub(super) fn table_ended(&mut self) -> bool {
        let full = self.open.rows >= u64::from(self.settings.rows);
        if full {
            self.close();
        }
        full
    }

    /// How long a window may stay open.
    fn longest(&self) -> Duration {
        if self.settings.season { self.settings.time.min(Duration::from_secs(3600)) } else { self.settings.time }
    }

    /// When the window that is open is to be closed, by the clock that never goes back.
    pub(super) fn due(&self) -> Option<Duration> {
        let since = self.open.since?;
        let enough = self.open.rows >= u64::from(DriftSettings::FEWEST.min(self.settings.rows));
        enough.then(|| since + self.longest().saturating_sub(self.open.before))
    }

    /// Closes the window where it is old enough and has rows enough; with too few it goes on, and what comes is merged with it.
    pub(super) fn close_if_due(&mut self, now: Now) -> bool {
        let due = self.due().is_some_and(|due| due <= now.running);
        if due {
            self.close();
        }
        due
    }

    fn close(&mut self) {
        let open = std::mem::take(&mut self.open);
        let middle = open.from_ms.midpoint(open.to_ms);
        match &mut self.stage {
            Stage::Gathers { columns, ends } => {
                let rows = u32::try_from(columns.first().map_or(0, Raw::len)).unwrap_or(u32::MAX);
                ends.push((rows, middle));
                self.moved_on = true;
                if self.is_complete(open.to_ms) {
                    self.freeze();
                    self.finish(open.to_ms);
                }
            }
            Stage::Counts { reference, window } => {
                let block: Vec<Counts> = window.iter().map(Counts::block).collect();
                let full = std::mem::replace(window, block);
                reference.add(&full, open.rows, middle);
                reference.to_ms = open.to_ms;
                self.moved_on = true;
                self.finish(open.to_ms);
            }
            Stage::Compares { reference, window } => {
                let empty: Vec<Counts> = reference.columns.iter().map(|column| column.counts.window()).collect();
                let columns = std::mem::replace(window, empty);
                let closed = Closed {
                    columns,
                    rows: open.rows,
                    from_ms: open.from_ms,
                    to_ms: open.to_ms,
                    reference: reference.clone(),
                };
                if self.closed.len() < WAITING {
                    self.closed.push_back(closed);
                } else if let Some(last) = self.closed.back_mut() {
                    last.merge(&closed);
                }
            }
        }
    }

    fn is_complete(&self, now_ms: i64) -> bool {
        let long = !self.settings.season || now_ms.saturating_sub(self.from_ms) >= SEASON_MS;
        self.rows >= u64::from(self.settings.reference) && long
    }

    /// From rows as they came to counts between edges.
    fn freeze(&mut self) {
        let Stage::Gathers { columns, ends } = &self.stage else { return };
        let made: Result<Vec<Frozen>, StatsError> =
            columns.iter().map(|column| Frozen::of(column, self.settings.season)).collect();
        let Ok(frozen) = made else {
            // Columns that can not be counted: none is, and the next rows are gathered anew.
            *self = Self::new(std::mem::take(&mut self.watched), self.left_out, self.settings);
            return;
        };
        let mut reference =
            Reference { columns: frozen, rows: 0, windows: 0, from_ms: self.from_ms, to_ms: self.from_ms };
        let counted = |reference: &Reference, rows: std::ops::Range<usize>| {
            let mut window: Vec<Counts> = reference.columns.iter().map(|column| column.counts.block()).collect();
            for at in rows {
                for (column, raw) in window.iter_mut().zip(columns) {
                    if let Some(cell) = raw.cell(at) {
                        column.observe(cell);
                    }
                }
            }
            window
        };
        let mut first = 0;
        for (end, middle) in ends {
            let end = *end as usize;
            let window = counted(&reference, first..end);
            reference.add(&window, (end - first) as u64, *middle);
            reference.to_ms = *middle;
            first = end;
        }
        // The window that is open goes on.
        let window = counted(&reference, first..columns.first().map_or(0, Raw::len));
        self.stage = Stage::Counts { reference: Box::new(reference), window };
    }

    /// From a reference that is complete to windows.
    fn finish(&mut self, now_ms: i64) {
        let complete = self.is_complete(now_ms);
        let Stage::Counts { reference, .. } = &mut self.stage else { return };
        reference.to_ms = reference.to_ms.max(now_ms);
        if complete {
            let reference = Arc::new((**reference).clone());
            let window = reference.columns.iter().map(|column| column.counts.window()).collect();
            self.stage = Stage::Compares { reference, window };
        }
    }

    /// The reference, once it is complete.
    pub(super) fn reference(&self) -> Option<&Arc<Reference>> {
        if let Stage::Compares { reference, .. } = &self.stage { Some(reference) } else { None }
    }

    /// The reference, or how far it is.
    pub(super) fn document(&self) -> ReferenceDocument {
        let of = u64::from(self.settings.reference);
        let begun =
            ReferenceDocument { of, left_out: self.left_out, from_ms: self.from_ms, ..ReferenceDocument::default() };
        let (reference, complete) = match &self.stage {
            Stage::Gathers { columns, ends } => {
                let rows = columns.first().map_or(0, Raw::len) as u64;
                let to_ms = self.open.to_ms.max(self.from_ms);
                return ReferenceDocument { rows, windows: ends.len() as u64, to_ms, ..begun };
            }
            Stage::Counts { reference, .. } => (&**reference, false),
            Stage::Compares { reference, .. } => (&**reference, true),
        };
        let columns = reference.columns.iter().zip(&self.watched).map(|(column, watched)| ReferenceColumn {
            name: watched.name.clone(),
            kind: watched.kind,
            edges: match &column.counts {
                Counts::Numbers(column) => column.histogram().edges().list().to_vec(),
                Counts::Classes(..) => Vec::new(),
            },
            categories: categories(&column.counts),
            counted: counted(&column.counts),
        });
        ReferenceDocument {
            rows: if complete { reference.rows } else { self.rows },
            windows: reference.windows,
            from_ms: reference.from_ms,
            to_ms: reference.to_ms,
            complete,
            columns: if complete { columns.collect() } else { Vec::new() },
            ..begun
        }
    }

    /// All of it, to be kept. The window that is open goes with it only where `open` says so.
    pub(super) fn to_bytes(&self, open: bool, now: Now) -> Vec<u8> {
        let age = self.open.since.map_or(Duration::ZERO, |since| now.running.saturating_sub(since));
        let so_far = Open { before: self.open.before + age, ..self.open };
        let head = Head {
            watched: self.watched.clone(),
            left_out: self.left_out,
            from_ms: self.from_ms,
            rows: self.rows,
            open: Open::default(),
        };
        // Made of texts and numbers: nothing in it can not be written.
        let head = |open| serde_json::to_vec(&Head { open, ..head.clone() }).unwrap_or_default();
        let none = Open::default();
        match &self.stage {
            Stage::Gathers { columns, ends } => {
                let ends = ends.iter().flat_map(|(end, at)| [end.to_le_bytes().to_vec(), at.to_le_bytes().to_vec()]);
                let mut parts = vec![head(so_far), vec![0], ends.flatten().collect()];
                parts.extend(columns.iter().map(Raw::to_bytes));
                pack(&parts)
            }
            Stage::Counts { reference, window } => {
                let mut parts = vec![head(if open { so_far } else { none }), vec![1], reference.to_bytes()];
                if open {
                    parts.extend(window.iter().map(Counts::to_bytes));
                }
                pack(&parts)
            }
            Stage::Compares { reference, window } => {
                let mut parts = vec![head(if open { so_far } else { none }), vec![2], reference.to_bytes()];
                if open {
                    parts.extend(window.iter().map(Counts::to_bytes));
                }
                pack(&parts)
            }
        }
    }

    /// What was kept of the same columns; rows that have come meanwhile go on from there.
    pub(super) fn from_bytes(bytes: &[u8], settings: DriftSettings) -> Result<Self, SavedError> {
        let mut parts = Parts::of(bytes)?;
        let head: Head = serde_json::from_slice(parts.next()?).map_err(|_| SavedError("a head that is damaged"))?;
        SavedError::unless(head.watched.len() <= super::MOST_COLUMNS, "more columns than there can be")?;
        let stage = parts.next()?;
        let stage = match stage {
            [0] => {
                let (ends, rest) = parts.next()?.as_chunks::<12>();
                SavedError::unless(rest.is_empty(), "ends that are cut off")?;
                let ends = ends.iter().map(|end| {
                    let (rows, at) = end.split_at(4);
                    let rows = rows.try_into().map(u32::from_le_bytes).unwrap_or_default();
                    (rows, at.try_into().map(i64::from_le_bytes).unwrap_or_default())
                });
                let ends: Vec<(u32, i64)> = ends.collect();
                let columns = head.watched.iter().map(|column| Raw::from_bytes(column.kind, parts.next()?));
                let columns = columns.collect::<Result<Vec<_>, SavedError>>()?;
                let rows = columns.first().map_or(0, Raw::len);
                let alike = rows <= GATHERED && columns.iter().all(|column| column.len() == rows);
                let ordered = ends.windows(2).all(|pair| pair[0].0 <= pair[1].0);
                let within = ends.last().is_none_or(|(end, _)| *end as usize <= rows);
                SavedError::unless(alike && ordered && within, "rows that do not fit each other")?;
                Stage::Gathers { columns, ends }
            }
            [kind @ (1 | 2)] => {
                let reference = Reference::from_bytes(parts.next()?)?;
                SavedError::unless(reference.columns.len() == head.watched.len(), "columns that are not watched")?;
                let window: Vec<Counts> = if parts.is_empty() {
                    let empty = |column: &Frozen| {
                        if *kind == 1 { column.counts.block() } else { column.counts.window() }
                    };
                    reference.columns.iter().map(empty).collect()
                } else {
                    let window = reference.columns.iter().map(|_| Counts::from_bytes(parts.next()?));
                    window.collect::<Result<_, SavedError>>()?
                };
                if *kind == 1 {
                    Stage::Counts { reference: Box::new(reference), window }
                } else {
                    Stage::Compares { reference: Arc::new(reference), window }
                }
            }
            _ => return Err(SavedError("a stage that there is not")),
        };
        let Head { watched, left_out, from_ms, rows, open } = head;
        // Rows of a window that was lost are not among those of the reference.
        let rows = match &stage {
            Stage::Gathers { columns, .. } => columns.first().map_or(0, Raw::len) as u64,
            Stage::Counts { reference, .. } => reference.rows + open.rows,
            Stage::Compares { .. } => rows,
        };
        Ok(Self {
            settings,
            watched,
            left_out,
            stage,
            open,
            from_ms,
            rows,
            closed: VecDeque::new(),
            moved_on: false,
            touched: false,
            whole: false,
        })
    }

    /// Rows that came before what was kept was there: they come after it.
    pub(super) fn then(mut self, early: &Self, now: Now) -> Self {
        if let Stage::Gathers { columns, .. } = &early.stage
            && early.watched == self.watched
        {
            let rows = 0..columns.first().map_or(0, Raw::len);
            let values = rows.flat_map(|at| columns.iter().map(move |column| Held::of(column.cell(at))));
            self.rows(&values.collect::<Vec<_>>(), now);
        }
        self
    }
}

/// What is said of a series before its bytes.
#[derive(Clone, Serialize, Deserialize)]
struct Head {
    watched: Vec<Watched>,
    left_out: u64,
    from_ms: i64,
    rows: u64,
    open: Open,
}

impl Closed {
    /// Another window after this one.
    fn merge(&mut self, other: &Self) {
        let merged = self.columns.iter_mut().zip(&other.columns).all(|(mine, theirs)| mine.merge(theirs).is_ok());
        if merged {
            self.rows += other.rows;
            self.to_ms = self.to_ms.max(other.to_ms);
        }
    }
}

impl Reference {
    /// One more window of it. One that can not be counted is left out as a whole, which can only be for counts beyond 2^53.
    fn add(&mut self, window: &[Counts], rows: u64, at_ms: i64) {
        let at = at_ms.div_euclid(1000);
        for (column, counts) in self.columns.iter_mut().zip(window) {
            if column.add(counts, at).is_err() {
                return;
            }
        }
        self.rows += rows;
        self.windows += 1;
    }

    fn to_bytes(&self) -> Vec<u8> {
        let numbers = [self.rows, self.windows, self.from_ms.cast_unsigned(), self.to_ms.cast_unsigned()];
        let mut parts = vec![numbers.iter().flat_map(|number| number.to_le_bytes()).collect()];
        parts.extend(self.columns.iter().map(Frozen::to_bytes));
        pack(&parts)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, SavedError> {
        let mut parts = Parts::of(bytes)?;
        let (numbers, _) = parts.next()?.as_chunks::<8>();
        let &[rows, windows, from, to] = numbers else { return Err(SavedError("a reference that is cut off")) };
        let mut columns = Vec::new();
        while !parts.is_empty() {
            SavedError::unless(columns.len() < super::MOST_COLUMNS, "more columns than there can be")?;
            columns.push(Frozen::from_bytes(parts.next()?)?);
        }
        Ok(Self {
            columns,
            rows: u64::from_le_bytes(rows),
            windows: u64::from_le_bytes(windows),
            from_ms: i64::from_le_bytes(from),
            to_ms: i64::from_le_bytes(to),
        })
    }
}
