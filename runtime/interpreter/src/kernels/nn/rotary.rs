//! `RotaryEmbedding`: pairs of values of each head are turned by an angle that depends on the position.

use super::plain::{Dense, Made, Room, View, misfit, must};

/// The attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RotarySpec {
    /// Pairs are neighbours, not halves.
    pub(crate) interleaved: bool,
    /// Needed where heads lie side by side (three axes).
    pub(crate) heads: usize,
    /// How many values of each head are turned; 0: all.
    pub(crate) turned: usize,
}

/// Turns `x`; the caches are (positions, half) where ids are given, else (batch, sequence, half).
pub(crate) fn rotary(
    room: Room<'_>,
    x: View<'_, f32>,
    [cos, sin]: [View<'_, f32>; 2],
    ids: Option<View<'_, i64>>,
    spec: RotarySpec,
) -> Made<Dense<f32>> {
    // Strides of batch, position and head; the values of a head lie together.
    let (batch, sequence, heads, size, strides) = match *x.shape {
        [batch, heads, sequence, size] => {
            (batch, sequence, heads, size, [heads * sequence * size, size, sequence * size])
        }
        [batch, sequence, width] => {
            let heads = spec.heads;
            must!(
                heads > 0 && width % heads == 0 && heads <= width.max(1),
                "{width} values can not be cut into {heads} heads"
            );
            (batch, sequence, heads, width / heads, [sequence * width, width, width / heads])
        }
        _ => return misfit(format!("a rotary embedding wants three or four axes, not the shape {:?}", x.shape)),
    };
    let turned = if spec.turned == 0 { size } else { spec.turned };
    must!(turned <= size && turned % 2 == 0, "{turned} of {size} values can not be turned in pairs");
    let half = turned / 2;
    must!(cos.shape == sin.shape, "the caches have different shapes, {:?} and {:?}", cos.shape, sin.shape);
    let rows = match (ids, cos.shape) {
        (Some(ids), [_, width]) if *width == half => {
            let one = ids.len() == 1 && ids.rank() <= 1;
            must!(
                one || ids.shape == [batch, sequence],
                "position_ids has the shape {:?}, not {:?}",
                ids.shape,
                [batch, sequence]
            );
            cos.shape[0]
        }
        (None, [b, s, width]) if [*b, *s, *width] == [batch, sequence, half] => batch * sequence,
        _ => return misfit(format!("caches of shape {:?} do not fit an input of shape {:?}", cos.shape, x.shape)),
    };
    let mut out = room.tensor(x.shape, 0.0_f32)?;
    out.data.copy_from_slice(x.data);
    for item in 0..batch {
        for position in 0..sequence {
            let row = match ids {
                None => item * sequence + position,
                Some(ids) => {
                    let one = ids.len() == 1 && ids.rank() <= 1;
                    let id = if one {
                        ids.data[0].checked_add(i64::try_from(position).unwrap_or(i64::MAX))
                    } else {
                        Some(ids.data[item * sequence + position])
                    };
                    match id.and_then(|id| usize::try_from(id).ok()).filter(|id| *id < rows) {
                        Some(id) => id,
                        None => return misfit(format!("a position is outside of the cache with {rows} rows")),
                    }
                }
            };
            let (cos, sin) = (&cos.data[row * half..][..half], &sin.data[row * half..][..half]);
            for head in 0..heads {
                let values = &mut out.data[item * strides[0] + position * strides[1] + head * strides[2]..][..turned];
                for pair in 0..half {
                    let (a, b) = if spec.interleaved { (2 * pair, 2 * pair + 1) } else { (pair, pair + half) };
                    let (x, y) = (values[a], values[b]);
                    values[a] = x * cos[pair] - y * sin[pair];
                    values[b] = x * sin[pair] + y * cos[pair];
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    #[test]
    fn heads_without_values_are_no_endless_loop() {
        let spec = RotarySpec { interleaved: false, heads: 1 << 62, turned: 0 };
        let x = View { shape: &[1, 1, 0], data: &[] };
        let cache = View { shape: &[1, 1, 0], data: &[] };
        assert!(rotary(boundless(), x, [cache, cache], None, spec).is_err());
    }
}
