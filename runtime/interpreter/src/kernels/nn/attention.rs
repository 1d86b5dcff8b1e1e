//! Scaled dot-product attention on heads, the common ground of `Attention` and of ONNX Runtime's operators for it.

use super::gemm::{Product, transposed};
use super::plain::{Dense, Made, Room, View, count, must};

/// Queries, keys or values: batch, heads, positions, size of a head.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heads {
    pub(crate) shape: [usize; 4],
    pub(crate) data: Vec<f32>,
}

impl Heads {
    /// From four axes (batch, heads, positions, size), or from three with the heads behind the positions.
    pub(crate) fn new(room: Room<'_>, x: View<'_, f32>, heads: usize) -> Made<Self> {
        match *x.shape {
            [batch, own, positions, size] => {
                let mut data = room.fill(x.len(), 0.0_f32)?;
                data.copy_from_slice(x.data);
                Ok(Self { shape: [batch, own, positions, size], data })
            }
            [batch, positions, width] => {
                must!(heads > 0 && width % heads == 0, "{width} values can not be cut into {heads} heads");
                let size = width / heads;
                count(&[batch, heads, positions, size])?;
                let mut data = room.fill(x.len(), 0.0_f32)?;
                if size > 0 {
                    for (at, values) in x.data.chunks_exact(size).enumerate() {
                        let (head, row) = (at % heads, at / heads);
                        let to = ((row / positions * heads + head) * positions + row % positions) * size;
                        data[to..to + size].copy_from_slice(values);
                    }
                }
                Ok(Self { shape: [batch, heads, positions, size], data })
            }
            _ => super::plain::misfit(format!("attention wants three or four axes, not the shape {:?}", x.shape)),
        }
    }

    /// Batch, positions, heads side by side.
    pub(crate) fn flat(&self, room: Room<'_>) -> Made<Dense<f32>> {
        let [batch, heads, positions, size] = self.shape;
        let mut out = room.tensor(&[batch, positions, heads * size], 0.0_f32)?;
        if size > 0 {
            for (at, values) in self.data.chunks_exact(size).enumerate() {
                let (row, position) = (at / positions, at % positions);
                let to = ((row / heads * positions + position) * heads + row % heads) * size;
                out.data[to..to + size].copy_from_slice(values);
            }
        }
        Ok(out)
    }

    /// As a tensor of four axes.
    pub(crate) fn dense(self) -> Dense<f32> {
        Dense { shape: self.shape.to_vec(), data: self.data }
    }

    /// These positions behind others.
    pub(crate) fn behind(self, room: Room<'_>, past: View<'_, f32>) -> Made<Self> {
        let [batch, heads, positions, size] = self.shape;
        let fits = matches!(*past.shape, [b, h, _, s] if [b, h, s] == [batch, heads, size]);
        must!(fits, "a past of shape {:?} does not fit heads of shape {:?}", past.shape, self.shape);
        let before = past.shape[2];
        let all = count(&[batch, heads, before + positions, size])?;
        let mut data = room.fill(all, 0.0_f32)?;
        for head in 0..batch * heads {
            let to = &mut data[head * (before + positions) * size..][..(before + positions) * size];
            to[..before * size].copy_from_slice(&past.data[head * before * size..][..before * size]);
            to[before * size..].copy_from_slice(&self.data[head * positions * size..][..positions * size]);
        }
        Ok(Self { shape: [batch, heads, before + positions, size], data })
    }
}

/// What is added to the scores of each head, or takes positions out.
pub(crate) struct Rules<'a> {
    pub(crate) scale: f32,
    /// `cap * tanh(score / cap)` where above zero.
    pub(crate) softcap: f32,
    /// What is added to the score of a query and a key (batch, head, query, key); minus infinity takes it out.
    pub(crate) mask: &'a dyn Fn(usize, usize, usize, usize) -> f32,
}

/// The scores and the sums of values, for each query.
pub(crate) fn attend(room: Room<'_>, q: &Heads, k: &Heads, v: &Heads, rules: &Rules<'_>) -> Made<Heads> {
    let [batch, heads, queries, size] = q.shape;
    let [_, kv_heads, keys, value_size] = v.shape;
    let fits = k.shape == [batch, kv_heads, keys, size] && v.shape[0] == batch;
    must!(fits, "queries {:?}, keys {:?} and values {:?} do not fit together", q.shape, k.shape, v.shape);
    must!(kv_heads > 0 && heads % kv_heads == 0, "{heads} heads of queries can not share {kv_heads} heads of keys");
    let mut out = room.fill(count(&[batch, heads, queries, value_size])?, 0.0_f32)?;
    let mut scores = room.fill(count(&[queries, keys])?, 0.0_f32)?;
    room.claim(keys.saturating_mul(size).saturating_mul(size_of::<f32>()))?;
    let share = heads / kv_heads;
    for item in 0..batch {
        for head in 0..heads {
            let at = item * heads + head;
            room.work(queries.saturating_mul(keys).saturating_mul(4))?;
            let source = item * kv_heads + head / share;
            let q = &q.data[at * queries * size..][..queries * size];
            let k = transposed(keys, size, &k.data[source * keys * size..][..keys * size]);
            f32::product(room, [queries, size, keys], q, &k, &mut scores)?;
            for (query, row) in scores.chunks_exact_mut(keys.max(1)).enumerate() {
                for (key, score) in row.iter_mut().enumerate() {
                    *score *= rules.scale;
                    if rules.softcap > 0.0 {
                        *score = rules.softcap * (*score / rules.softcap).tanh();
                    }
                    *score += (rules.mask)(item, head, query, key);
                }
                softmax(row);
            }
            let v = &v.data[source * keys * value_size..][..keys * value_size];
            let out = &mut out[at * queries * value_size..][..queries * value_size];
            f32::product(room, [queries, keys, value_size], &scores, v, out)?;
        }
    }
    Ok(Heads { shape: [batch, heads, queries, value_size], data: out })
}

/// The softmax of a row, in place.
fn softmax(row: &mut [f32]) {
    let most = row.iter().fold(f32::NEG_INFINITY, |most, value| most.max(*value));
    if most == f32::NEG_INFINITY {
        // Nothing may be looked at: nothing is seen.
        row.fill(0.0);
        return;
    }
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = (*value - most).exp();
        sum += *value;
    }
    row.iter_mut().for_each(|value| *value /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    #[test]
    fn heads_without_values_are_no_endless_loop() {
        assert!(Heads::new(boundless(), View { shape: &[1, 1, 0], data: &[] }, 1 << 62).is_err());
    }
}
