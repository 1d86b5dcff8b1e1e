//! Normalisation by the statistics of channels, groups and neighbours.

use super::plain::{Dense, Made, Real, Room, View, axis_of, count, misfit, must};

/// Batch, channels and the size of what lies behind them.
fn channels(shape: &[usize]) -> Made<(usize, usize, usize)> {
    match shape {
        [batch, channels, rest @ ..] => Ok((*batch, *channels, count(rest)?)),
        [batch] => Ok((*batch, 1, 1)),
        [] => misfit("a normalisation wants a batch and channels, not a scalar"),
    }
}

/// `BatchNormalization` with the statistics given (inference).
pub(crate) fn batch<T: Real>(
    room: Room<'_>,
    x: View<'_, T>,
    [scale, bias, mean, variance]: [View<'_, T>; 4],
    epsilon: f32,
) -> Made<Dense<T>> {
    let (_, channels, size) = channels(x.shape)?;
    for part in [scale, bias, mean, variance] {
        must!(part.shape == [channels], "statistics of shape {:?} do not fit {channels} channels", part.shape);
    }
    let mut out = room.tensor(x.shape, T::zero())?;
    let epsilon = T::of(f64::from(epsilon));
    let factors: Vec<(T, T)> = (0..channels)
        .map(|c| {
            let factor = scale.data[c] / (variance.data[c] + epsilon).sqrt();
            (factor, bias.data[c] - mean.data[c] * factor)
        })
        .collect();
    if size > 0 {
        let planes = out.data.chunks_exact_mut(size).zip(x.data.chunks_exact(size));
        for ((made, values), (factor, shift)) in planes.zip(factors.iter().cycle()) {
            made.iter_mut().zip(values).for_each(|(made, value)| *made = *value * *factor + *shift);
        }
    }
    Ok(out)
}

/// The mean and the variance of some values, summed in double.
fn moments<T: Real>(values: &[T]) -> (f64, f64) {
    let size = T::of_count(values.len()).wide();
    let mean = values.iter().map(|value| value.wide()).sum::<f64>() / size;
    let variance = values.iter().map(|value| (value.wide() - mean).powi(2)).sum::<f64>() / size;
    (mean, variance)
}

/// `InstanceNormalization`.
pub(crate) fn instance<T: Real>(
    room: Room<'_>,
    x: View<'_, T>,
    scale: View<'_, T>,
    bias: View<'_, T>,
    epsilon: f32,
) -> Made<Dense<T>> {
    must!(x.rank() >= 3, "an instance normalisation wants a batch, channels and values, not the shape {:?}", x.shape);
    let (_, channels, size) = channels(x.shape)?;
    let fits = scale.shape == [channels] && bias.shape == [channels];
    must!(fits, "scale of shape {:?} and bias of shape {:?} do not fit {channels} channels", scale.shape, bias.shape);
    group(room, x, channels, scale, bias, epsilon, size)
}

/// `GroupNormalization`: `scale` and `bias` belong to channels, or to groups where they have one value for each.
pub(crate) fn group_norm<T: Real>(
    room: Room<'_>,
    x: View<'_, T>,
    groups: usize,
    scale: View<'_, T>,
    bias: View<'_, T>,
    epsilon: f32,
) -> Made<Dense<T>> {
    let (_, channels, size) = channels(x.shape)?;
    must!(groups > 0 && channels % groups == 0, "{channels} channels can not be cut into {groups} groups");
    let fits = scale.len() == bias.len() && (scale.len() == channels || scale.len() == groups);
    must!(fits, "scale of shape {:?} and bias of shape {:?} do not fit {channels} channels", scale.shape, bias.shape);
    group(room, x, groups, scale, bias, epsilon, channels / groups * size)
}

fn group<T: Real>(
    room: Room<'_>,
    x: View<'_, T>,
    groups: usize,
    scale: View<'_, T>,
    bias: View<'_, T>,
    epsilon: f32,
    size: usize,
) -> Made<Dense<T>> {
    let mut out = room.tensor(x.shape, T::zero())?;
    if size == 0 || groups == 0 {
        return Ok(out);
    }
    let lines = scale.len();
    // Values that share one scale, in each group.
    let run = (size * groups / lines).min(size);
    let blocks = out.data.chunks_exact_mut(size).zip(x.data.chunks_exact(size));
    for (number, (made, values)) in blocks.enumerate() {
        let (mean, variance) = moments(values);
        let factor = 1.0 / (variance + f64::from(epsilon)).sqrt();
        let first = number % groups * (size / run);
        for (part, (made, values)) in made.chunks_exact_mut(run).zip(values.chunks_exact(run)).enumerate() {
            let (scale, bias) = (scale.data[first + part].wide(), bias.data[first + part].wide());
            for (made, value) in made.iter_mut().zip(values) {
                *made = T::of((value.wide() - mean) * factor * scale + bias);
            }
        }
    }
    Ok(out)
}

/// `MeanVarianceNormalization` over the axes.
pub(crate) fn mean_variance(room: Room<'_>, x: View<'_, f32>, axes: &[i64]) -> Made<Dense<f32>> {
    let mut over = vec![false; x.rank()];
    for axis in axes {
        over[axis_of(*axis, x.rank())?] = true;
    }
    let mut out = room.tensor(x.shape, 0.0_f32)?;
    let kept: Vec<usize> = x.shape.iter().zip(&over).map(|(dim, over)| if *over { 1 } else { *dim }).collect();
    let cells = count(&kept)?;
    let mut sums = room.fill(cells, (0.0_f64, 0.0_f64, 0.0_f64))?;
    let mut owner = room.fill(x.len(), 0_usize)?;
    let mut index = vec![0; x.rank()];
    for owner in &mut owner {
        let mut at = 0;
        for ((i, dim), over) in index.iter().zip(&kept).zip(&over) {
            at = at * dim + if *over { 0 } else { *i };
        }
        *owner = at;
        super::plain::advance(&mut index, x.shape);
    }
    for (value, owner) in x.data.iter().zip(&owner) {
        sums[*owner].0 += f64::from(*value);
        sums[*owner].1 += 1.0;
    }
    for (value, owner) in x.data.iter().zip(&owner) {
        let (sum, size, _) = sums[*owner];
        sums[*owner].2 += (f64::from(*value) - sum / size).powi(2);
    }
    for ((made, value), owner) in out.data.iter_mut().zip(x.data).zip(&owner) {
        let (sum, size, squares) = sums[*owner];
        // The small number is what the operator's definition adds.
        *made = f32::of((f64::from(*value) - sum / size) / ((squares / size).sqrt() + 1e-9));
    }
    Ok(out)
}

/// The attributes of `LRN`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LrnSpec {
    pub(crate) alpha: f32,
    pub(crate) beta: f32,
    pub(crate) bias: f32,
    pub(crate) size: usize,
}

/// `LRN`: divides by the squares of neighbouring channels.
pub(crate) fn lrn(room: Room<'_>, x: View<'_, f32>, spec: LrnSpec) -> Made<Dense<f32>> {
    must!(x.rank() >= 2 && spec.size > 0, "LRN of size {} does not fit a tensor of shape {:?}", spec.size, x.shape);
    let (batch, channels, size) = channels(x.shape)?;
    let mut out = room.tensor(x.shape, 0.0_f32)?;
    let (before, after) = ((spec.size - 1) / 2, spec.size / 2);
    let scale = spec.alpha / f32::of_count(spec.size);
    for item in 0..batch {
        for channel in 0..channels {
            let neighbours =
                channel.saturating_sub(before)..channels.min(channel.saturating_add(after).saturating_add(1));
            room.work(neighbours.len().saturating_mul(size))?;
            for at in 0..size {
                let of = |channel: usize| (item * channels + channel) * size + at;
                let squares: f32 = neighbours.clone().map(|channel| x.data[of(channel)].powi(2)).sum();
                out.data[of(channel)] = x.data[of(channel)] / (spec.bias + scale * squares).powf(spec.beta);
            }
        }
    }
    Ok(out)
}

/// `LpNormalization` along an axis; a norm of zero gives zeros.
pub(crate) fn lp<T: Real>(room: Room<'_>, x: View<'_, T>, axis: i64, p: i64) -> Made<Dense<T>> {
    let axis = axis_of(axis, x.rank())?;
    let (size, inner) = (x.shape[axis], count(&x.shape[axis + 1..])?);
    let mut out = room.tensor(x.shape, T::zero())?;
    if out.data.is_empty() {
        return Ok(out);
    }
    for (made, values) in out.data.chunks_exact_mut(size * inner).zip(x.data.chunks_exact(size * inner)) {
        for at in 0..inner {
            let line = || values.iter().skip(at).step_by(inner);
            let norm = if p == 1 {
                line().fold(T::zero(), |sum, value| sum + value.abs())
            } else {
                line().fold(T::zero(), |sum, value| sum + *value * *value).sqrt()
            };
            for (made, value) in made.iter_mut().skip(at).step_by(inner).zip(line()) {
                *made = if norm == T::zero() { T::zero() } else { *value / norm };
            }
        }
    }
    Ok(out)
}
