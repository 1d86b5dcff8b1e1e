//! Small steps on tables: scaling, filling in, thresholds, choosing columns.

use super::trees::rows;
use crate::kernels::nn::plain::{Dense, Made, Room, View, count, misfit, must};
use crate::value::Element;

/// `Scaler`: `(x - offset) * scale`, with one of each or one for each column.
pub(crate) fn scale<T: Copy>(
    room: Room<'_>,
    x: View<'_, T>,
    offset: &[f32],
    scale: &[f32],
    step: impl Fn(T, f32, f32) -> f32,
) -> Made<Dense<f32>> {
    let columns = x.shape.last().copied().unwrap_or(0);
    must!(offset.len() == scale.len(), "{} offsets do not fit {} scales", offset.len(), scale.len());
    must!(scale.len() == 1 || scale.len() == columns, "{} scales do not fit {columns} columns", scale.len());
    let mut out = room.tensor(x.shape, 0.0_f32)?;
    for (at, (made, value)) in out.data.iter_mut().zip(x.data).enumerate() {
        let at = at % scale.len();
        *made = step(*value, offset[at], scale[at]);
    }
    Ok(out)
}

/// The attribute `norm` of `Normalizer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Norm {
    /// The largest value.
    Max,
    /// The sum of absolute values.
    L1,
    /// The root of the sum of squares.
    L2,
}

/// `Normalizer`: each row over its norm; a norm of zero leaves the row as it is.
pub(crate) fn normalize(room: Room<'_>, x: View<'_, f32>, norm: Norm) -> Made<Dense<f32>> {
    let (_, columns) = rows(x.shape)?;
    let mut out = room.tensor(x.shape, 0.0_f32)?;
    if columns == 0 {
        return Ok(out);
    }
    for (made, row) in out.data.chunks_exact_mut(columns).zip(x.data.chunks_exact(columns)) {
        let over = match norm {
            Norm::Max => row.iter().fold(f32::MIN, |most, value| if *value > most { *value } else { most }),
            Norm::L1 => row.iter().map(|value| value.abs()).sum(),
            Norm::L2 => row.iter().map(|value| value * value).sum::<f32>().sqrt(),
        };
        made.iter_mut().zip(row).for_each(|(made, value)| *made = if over == 0.0 { *value } else { *value / over });
    }
    Ok(out)
}

/// `Imputer`: puts `filled` (one, or one for each column) where `missing` says so.
pub(crate) fn impute<T: Copy>(
    room: Room<'_>,
    x: View<'_, T>,
    filled: &[T],
    missing: impl Fn(T) -> bool,
) -> Made<Dense<T>> {
    let columns = x.shape.last().copied().unwrap_or(0);
    let fits = filled.len() == 1 || (filled.len() == columns && columns > 0);
    must!(fits, "{} values to fill in do not fit {columns} columns", filled.len());
    let mut out = Dense { shape: x.shape.to_vec(), data: room.fill(x.len(), filled[0])? };
    for (at, (made, value)) in out.data.iter_mut().zip(x.data).enumerate() {
        *made = if missing(*value) { filled[at % filled.len()] } else { *value };
    }
    Ok(out)
}

/// `Binarizer`: 1 above the threshold.
pub(crate) fn binarize(room: Room<'_>, x: View<'_, f32>, threshold: f32) -> Made<Dense<f32>> {
    let mut out = room.tensor(x.shape, 0.0_f32)?;
    out.data.iter_mut().zip(x.data).for_each(|(made, value)| *made = if *value > threshold { 1.0 } else { 0.0 });
    Ok(out)
}

/// `ArrayFeatureExtractor`: these places of the last axis.
pub(crate) fn extract<T: Element>(room: Room<'_>, x: View<'_, T>, places: View<'_, i64>) -> Made<Dense<T>> {
    let Some((columns, outer)) = x.shape.split_last() else {
        return misfit("features can not be taken of a scalar");
    };
    must!(places.len() > 0, "no features are asked for");
    let mut shape = if outer.is_empty() { vec![1] } else { outer.to_vec() };
    shape.push(places.len());
    let mut data = room.fill(count(&shape)?, T::blank())?;
    for (made, row) in data.chunks_exact_mut(places.len()).zip(x.data.chunks_exact((*columns).max(1))) {
        for (made, place) in made.iter_mut().zip(places.data) {
            match usize::try_from(*place).ok().and_then(|place| row.get(place)) {
                Some(value) => made.clone_from(value),
                None => return misfit(format!("feature {place} is none of the {columns}")),
            }
        }
    }
    Ok(Dense { shape, data })
}

/// `OneHotEncoder`: one column for each category, 1 where the value is it. What is no category makes a row of zeros, or
/// an error.
pub(crate) fn one_hot<T: PartialEq>(room: Room<'_>, x: View<'_, T>, categories: &[T], zeros: bool) -> Made<Dense<f32>> {
    let mut shape = x.shape.to_vec();
    shape.push(categories.len());
    let mut out = room.tensor(&shape, 0.0_f32)?;
    for (row, value) in out.data.chunks_exact_mut(categories.len().max(1)).zip(x.data) {
        room.work(categories.len())?;
        match categories.iter().rposition(|category| category == value) {
            Some(place) => row[place] = 1.0,
            None if zeros => {}
            None => return misfit("a value is none of the categories"),
        }
    }
    Ok(out)
}

/// `FeatureVectorizer`: tables of the same rows side by side.
pub(crate) fn side_by_side(room: Room<'_>, tables: &[Dense<f32>], widths: &[usize]) -> Made<Dense<f32>> {
    let mut count = None;
    for (table, width) in tables.iter().zip(widths) {
        let (rows, columns) = rows(&table.shape)?;
        must!(columns == *width, "a table of {columns} columns is declared to have {width}");
        must!(count.is_none_or(|count| count == rows), "the tables have different numbers of rows");
        count = Some(rows);
    }
    let count = count.unwrap_or(0);
    let all = widths.iter().fold(0_usize, |all, width| all.saturating_add(*width));
    let mut out = room.tensor(&[count, all], 0.0_f32)?;
    for (at, row) in out.data.chunks_exact_mut(all.max(1)).enumerate() {
        let mut rest = row;
        for (table, width) in tables.iter().zip(widths) {
            let (own, further) = rest.split_at_mut(*width);
            own.copy_from_slice(&table.data[at * width..][..*width]);
            rest = further;
        }
    }
    Ok(out)
}
