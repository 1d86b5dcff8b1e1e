//! One column: how its rows are gathered, what its reference is, and what is counted in a window.

use trackside_stats::{
    StatsError,
    drift::{BlockDesign, SeasonalReference, Used},
    sketch::{CategoryColumn, CategoryList, Cell, Edges, Frequent, Moments, NumericColumn},
};

use super::packing::{Parts, SavedError, pack};

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Numbers.
    Number,
    /// Whole numbers: categories where the reference has few of them.
    Whole,
    /// Texts.
    Category,
}

/// Cells of a reference's bulk; beyond its range there are a few more, so that what leaves it can be told apart.
const CELLS: usize = 10;
/// Ranges beyond the reference's own at which further cells begin.
const BEYOND: [f64; 4] = [0.25, 0.5, 1.0, 2.0];
/// The most whole numbers that are taken for categories.
const MOST_CLASSES: usize = 50;
/// The most categories of which the design is measured; rarer ones are one.
const MOST_CELLS: usize = 32;
/// The most texts that are told apart before the reference is made.
const MOST_NAMES: usize = 192;
/// Weeks that an hour of the week must have been seen in.
const WEEKS: u32 = 2;

/// The bits of "nothing" and "of another type" among gathered numbers: no engine gives these NaN, and real ones are made one.
const NULL: u64 = 0x7ff8_0000_0000_0d01;
const STRANGE: u64 = 0x7ff8_0000_0000_0d02;
const ABSENT: u64 = 0x7ff8_0000_0000_0d03;
const NAMES: u16 = 0xfff0;
const NO_NAME: [u16; 4] = [NAMES, NAMES + 1, NAMES + 2, NAMES + 3];

/// Rows as they came, until there are enough to say where cells end.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Numbers { values: Vec<f64>, kind: Kind },
    Names { names: Vec<Box<str>>, places: Vec<u16> },
}

impl Raw {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Number | Kind::Whole => Self::Numbers { values: Vec::new(), kind },
            Kind::Category => Self::Names { names: Vec::new(), places: Vec::new() },
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers { values, .. } => values.len(),
            Self::Names { places, .. } => places.len(),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Numbers { kind, .. } => *kind,
            Self::Names { .. } => Kind::Category,
        }
    }

    pub(super) fn observe(&mut self, cell: Option<Cell<'_>>) {
        match self {
            Self::Numbers { values, .. } => values.push(match cell {
                Some(Cell::Number(value)) if value.is_nan() => f64::NAN,
                Some(Cell::Number(value)) => value,
                Some(Cell::Null) => f64::from_bits(NULL),
                Some(Cell::Text(_)) => f64::from_bits(STRANGE),
                None => f64::from_bits(ABSENT),
            }),
            Self::Names { names, places } => {
                let [null, strange, absent, other] = NO_NAME;
                places.push(match cell {
                    Some(Cell::Null) => null,
                    Some(Cell::Number(_)) => strange,
                    None => absent,
                    Some(Cell::Text(text)) => {
                        let known = names.iter().position(|name| **name == *text);
                        let at = known.or_else(|| {
                            (names.len() < MOST_NAMES && text.len() <= 1024).then(|| {
                                names.push(text.into());
                                names.len() - 1
                            })
                        });
                        at.and_then(|at| u16::try_from(at).ok()).unwrap_or(other)
                    }
                });
            }
        }
    }

    /// A row that was gathered.
    pub(super) fn cell(&self, at: usize) -> Option<Cell<'_>> {
        match self {
            Self::Numbers { values, .. } => match values.get(at)?.to_bits() {
                NULL => Some(Cell::Null),
                STRANGE => Some(Cell::Text("")),
                ABSENT => None,
                bits => Some(Cell::Number(f64::from_bits(bits))),
            },
            Self::Names { names, places } => {
                let [null, strange, absent, _] = NO_NAME;
                let place = *places.get(at)?;
                match names.get(usize::from(place)) {
                    Some(name) => Some(Cell::Text(name)),
                    None if place == null => Some(Cell::Null),
                    None if place == strange => Some(Cell::Number(0.0)),
                    None if place == absent => None,
                    // One of too many: as new here as it would be later.
                    None => Some(Cell::Text("\u{1a}others")),
                }
            }
        }
    }

    fn finite(&self) -> Vec<f64> {
        match self {
            Self::Numbers { values, .. } => values.iter().copied().filter(|value| value.is_finite()).collect(),
            Self::Names { .. } => Vec::new(),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Numbers { values, .. } => values.iter().flat_map(|value| value.to_bits().to_le_bytes()).collect(),
            Self::Names { names, places } => {
                let mut parts: Vec<Vec<u8>> = vec![places.iter().flat_map(|place| place.to_le_bytes()).collect()];
                parts.extend(names.iter().map(|name| name.as_bytes().to_vec()));
                pack(&parts)
            }
        }
    }

    pub(super) fn from_bytes(kind: Kind, bytes: &[u8]) -> Result<Self, SavedError> {
        if kind != Kind::Category {
            let (values, rest) = bytes.as_chunks::<8>();
            SavedError::unless(rest.is_empty(), "rows that are cut off")?;
            let values = values.iter().map(|bytes| f64::from_bits(u64::from_le_bytes(*bytes))).collect();
            return Ok(Self::Numbers { values, kind });
        }
        let mut parts = Parts::of(bytes)?;
        let (places, rest) = parts.next()?.as_chunks::<2>();
        SavedError::unless(rest.is_empty(), "rows that are cut off")?;
        let places = places.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
        let mut names = Vec::new();
        while !parts.is_empty() {
            SavedError::unless(names.len() < MOST_NAMES, "more names than there can be")?;
            let name = std::str::from_utf8(parts.next()?).map_err(|_| SavedError("a name that is no text"))?;
            names.push(name.into());
        }
        Ok(Self::Names { names, places })
    }
}

/// A column's part of the reference.
#[derive(Debug, Clone)]
pub(super) struct Frozen {
    pub(super) counts: Counts,
    pub(super) design: Option<BlockDesign>,
    /// Means of the reference's windows.
    pub(super) means: Moments,
    pub(super) season: Option<SeasonalReference>,
}

/// What was counted of a column, in a reference or in a window.
#[derive(Debug, Clone)]
pub(super) enum Counts {
    Numbers(NumericColumn),
    /// Whole numbers that are categories are written as texts.
    Classes(CategoryColumn, bool),
}

impl Frozen {
    /// Where cells end, and which categories there are, by the rows that were gathered.
    pub(super) fn of(raw: &Raw, season: bool) -> Result<Self, StatsError> {
        let names = match raw {
            Raw::Names { names, .. } => Some(names.iter().map(ToString::to_string).collect()),
            Raw::Numbers { kind: Kind::Whole, .. } => classes(&raw.finite()),
            Raw::Numbers { .. } => None,
        };
        let (counts, cells) = if let Some(names) = names {
            let whole = raw.kind() == Kind::Whole;
            let list = CategoryList::new(names.iter().map(String::as_str))?;
            (Counts::Classes(CategoryColumn::new(list)?, whole), names.len() + 1)
        } else {
            let edges = edges(&raw.finite())?;
            let cells = edges.cells();
            (Counts::Numbers(NumericColumn::new(edges)), cells)
        };
        let season = match &counts {
            Counts::Numbers(column) if season => {
                Some(SeasonalReference::new(column.histogram().edges().clone(), WEEKS)?)
            }
            _ => None,
        };
        let design = BlockDesign::new(cells.clamp(2, MOST_CELLS + 1)).ok();
        Ok(Self { counts, design, means: Moments::default(), season })
    }

    /// One more window of the reference, at a time in seconds since 1970.
    ///
    /// By the hour of the week, a window varies against its own hour: what is measured is how it differs from that, from the third week on.
    pub(super) fn add(&mut self, window: &Counts, at: i64) -> Result<(), StatsError> {
        let mut cells = Some(self.folded(window));
        if let (Some(season), Counts::Numbers(column)) = (&mut self.season, window) {
            let used = season.at(at, 0);
            let usual = matches!(used, Used::HourOfWeek(_)).then(|| used.histogram().cells().to_vec());
            let all = self.counts.cells();
            cells = usual.map(|usual| around(&all, &usual, column.histogram().cells()));
            season.add(at, 0, column.histogram())?;
        }
        self.counts.merge(window)?;
        if let (Some(design), Some(cells)) = (&mut self.design, cells) {
            design.add(&cells)?;
        }
        if let Counts::Numbers(column) = window
            && let Some(mean) = column.moments().mean()
        {
            // One that is beyond what moments take is told as out of range.
            let _ = self.means.observe(mean);
        }
        Ok(())
    }

    /// The cells that a distribution is compared by: of many categories, the later ones of the list are one.
    pub(super) fn folded(&self, counts: &Counts) -> Vec<u64> {
        match counts {
            Counts::Numbers(column) => column.histogram().cells().to_vec(),
            Counts::Classes(column, _) => {
                let mut cells = column.known().cells();
                let rest: u64 = cells.split_off(cells.len().min(MOST_CELLS)).iter().sum();
                if column.known().counts().len() + 1 > MOST_CELLS {
                    cells.push(rest);
                }
                if cells.len() < 2 {
                    cells.resize(2, 0);
                }
                cells
            }
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let maybe = |bytes: Option<Vec<u8>>| bytes.unwrap_or_default();
        pack(&[
            self.counts.to_bytes(),
            maybe(self.design.as_ref().map(BlockDesign::to_bytes)),
            self.means.to_bytes(),
            maybe(self.season.as_ref().map(SeasonalReference::to_bytes)),
        ])
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, SavedError> {
        let mut parts = Parts::of(bytes)?;
        let counts = Counts::from_bytes(parts.next()?)?;
        let some = |bytes: &[u8]| (!bytes.is_empty()).then(|| bytes.to_vec());
        Ok(Self {
            counts,
            design: some(parts.next()?).map(|bytes| BlockDesign::from_bytes(&bytes)).transpose()?,
            means: Moments::from_bytes(parts.next()?)?,
            season: some(parts.next()?).map(|bytes| SeasonalReference::from_bytes(&bytes)).transpose()?,
        })
    }
}

impl Counts {
    /// Rows by cell.
    fn cells(&self) -> Vec<u64> {
        match self {
            Self::Numbers(column) => column.histogram().cells().to_vec(),
            Self::Classes(column, _) => column.known().cells(),
        }
    }

    /// The same column with nothing counted: for a window of the reference, whose range nobody knows yet.
    pub(super) fn block(&self) -> Self {
        match self {
            Self::Numbers(column) => Self::Numbers(NumericColumn::new(column.histogram().edges().clone())),
            Self::Classes(..) => self.window(),
        }
    }

    /// An empty window of this reference.
    pub(super) fn window(&self) -> Self {
        match self {
            Self::Numbers(column) => Self::Numbers(column.window()),
            Self::Classes(column, whole) => match CategoryColumn::new(column.known().list().clone()) {
                Ok(column) => Self::Classes(column, *whole),
                // It was made once with the same list.
                Err(_) => self.clone(),
            },
        }
    }

    pub(super) fn observe(&mut self, cell: Cell<'_>) {
        match self {
            Self::Numbers(column) => column.observe(cell),
            Self::Classes(column, false) => column.observe(cell),
            Self::Classes(column, true) => match cell {
                Cell::Number(value) => column.observe(Cell::Text(Digits::of(value).text())),
                Cell::Text(_) => column.observe(Cell::Number(0.0)),
                Cell::Null => column.observe(Cell::Null),
            },
        }
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        match (self, other) {
            (Self::Numbers(mine), Self::Numbers(theirs)) => mine.merge(theirs),
            (Self::Classes(mine, _), Self::Classes(theirs, _)) => mine.merge(theirs),
            _ => Err(StatsError::Mismatch { what: "columns of other kinds" }),
        }
    }

    /// Rows, those with nothing, and those of another type.
    pub(super) const fn rows(&self) -> (u64, u64, u64) {
        match self {
            Self::Numbers(column) => column.rows(),
            Self::Classes(column, _) => column.rows(),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Numbers(column) => pack(&[vec![0], column.to_bytes()]),
            Self::Classes(column, whole) => pack(&[vec![1 + u8::from(*whole)], column.to_bytes()]),
        }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, SavedError> {
        let mut parts = Parts::of(bytes)?;
        match parts.next()? {
            [0] => Ok(Self::Numbers(NumericColumn::from_bytes(parts.next()?)?)),
            [kind @ (1 | 2)] => Ok(Self::Classes(CategoryColumn::from_bytes(parts.next()?)?, *kind == 2)),
            _ => Err(SavedError("a kind of column that there is not")),
        }
    }
}

/// A window as it would be if its hour had the distribution of the whole: what is usual for the hour taken away, what is usual put in.
fn around(all: &[u64], usual: &[u64], window: &[u64]) -> Vec<u64> {
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let share = |cells: &[u64], at: usize| cells[at] as f64 / cells.iter().sum::<u64>().max(1) as f64;
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    let rows = window.iter().sum::<u64>() as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never below 0, never above all rows")]
    let moved = |at: usize| (rows * (share(window, at) - share(usual, at) + share(all, at))).round().max(0.0) as u64;
    (0..window.len().min(all.len()).min(usual.len())).map(moved).collect()
}

/// Where cells end: tenths of the reference, its range, and a few steps beyond.
fn edges(values: &[f64]) -> Result<Edges, StatsError> {
    if values.is_empty() {
        // Nothing but nulls: what comes later is out of range of nothing.
        return Edges::new(vec![0.0]);
    }
    let bulk = Edges::of_values(values, CELLS)?;
    let (low, high) =
        values.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
    let width = high - low;
    if !(width > 0.0 && width.is_finite()) {
        return Ok(bulk);
    }
    let mut edges: Vec<f64> = bulk.list().to_vec();
    edges.extend([low.next_down(), high]);
    edges.extend(BEYOND.iter().flat_map(|ranges| [low - ranges * width, high + ranges * width]));
    edges.retain(|edge| edge.is_finite());
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup_by(|a, b| *a == *b);
    Edges::new(edges)
}

/// The texts of whole numbers, where there are few.
fn classes(values: &[f64]) -> Option<Vec<String>> {
    let mut texts: Vec<String> = Vec::new();
    for value in values {
        let digits = Digits::of(*value);
        if !texts.iter().any(|text| text == digits.text()) {
            texts.push(digits.text().to_owned());
        }
        if texts.len() > MOST_CLASSES {
            return None;
        }
    }
    Some(texts)
}

/// A whole number as text, without an allocation.
struct Digits([u8; 24], usize);

impl Digits {
    fn of(value: f64) -> Self {
        use std::io::Write as _;
        let mut digits = Self([0; 24], 0);
        let mut left = &mut digits.0[..];
        // A number that is none has no digits: it is a category of its own.
        #[expect(clippy::cast_possible_truncation, reason = "texts of whole numbers; what is beyond saturates")]
        let written = if value.is_finite() { write!(left, "{}", value as i64) } else { write!(left, "{value}") };
        let rest = left.len();
        digits.1 = if written.is_ok() { 24 - rest } else { 0 };
        digits
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.0[..self.1]).unwrap_or("")
    }
}

/// What came of categories that were in no list, most frequent first.
pub(super) fn new_names(new: &Frequent, most: usize) -> Vec<(String, u64)> {
    new.items().into_iter().take(most).map(|item| (item.name, item.least)).collect()
}
