//! `DFT` and `STFT`, computed in double.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use super::plain::{Dense, Made, Real, Room, View, count, misfit, must};

/// The attributes of `DFT`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DftSpec {
    /// Counted from the front; not the last, which holds real and imaginary parts.
    pub(crate) axis: usize,
    /// The length that signals are cut or filled up with zeros to.
    pub(crate) length: usize,
    pub(crate) inverse: bool,
    /// Only the first half of the frequencies (and the middle one).
    pub(crate) onesided: bool,
}

/// The longest signal: beyond it nothing is computed.
const LONGEST: usize = 1 << 22;

/// `DFT` along an axis; the last axis holds real parts, or real and imaginary ones.
pub(crate) fn dft<T: Real>(room: Room<'_>, x: View<'_, T>, spec: DftSpec) -> Made<Dense<T>> {
    let Some((&parts, outer)) = x.shape.split_last() else {
        return misfit("a transform wants a signal, not a scalar");
    };
    must!(
        matches!(parts, 1 | 2) && spec.axis < outer.len(),
        "a signal of shape {:?} can not be transformed along axis {}",
        x.shape,
        spec.axis
    );
    must!((1..=LONGEST).contains(&spec.length), "a transform of {} values is beyond what is computed", spec.length);
    let bins = if spec.onesided { spec.length / 2 + 1 } else { spec.length };
    let mut shape = x.shape.to_vec();
    let own = shape[spec.axis];
    shape[spec.axis] = bins;
    if let Some(last) = shape.last_mut() {
        *last = 2;
    }
    let mut out = room.tensor(&shape, T::zero())?;
    // A length that is prime takes a transform of up to four times it, with factors and passing results.
    room.claim(spec.length * 24 * size_of::<Complex<f64>>())?;
    room.work(spec.length * 24)?;
    let mut planner = FftPlanner::<f64>::new();
    let plan = if spec.inverse { planner.plan_fft_inverse(spec.length) } else { planner.plan_fft_forward(spec.length) };
    let scale = if spec.inverse { 1.0 / f64::of_count(spec.length) } else { 1.0 };
    let (before, behind) = (count(&outer[..spec.axis])?, count(&outer[spec.axis + 1..])?);
    let mut line = vec![Complex::new(0.0, 0.0); spec.length];
    for item in 0..before {
        for at in 0..behind {
            for (time, value) in line.iter_mut().enumerate() {
                *value = Complex::new(0.0, 0.0);
                if time < own {
                    let place = ((item * own + time) * behind + at) * parts;
                    value.re = x.data[place].wide();
                    value.im = if parts == 2 { x.data[place + 1].wide() } else { 0.0 };
                }
            }
            room.work(spec.length * 32)?;
            plan.process(&mut line);
            for (bin, value) in line.iter().take(bins).enumerate() {
                let place = ((item * bins + bin) * behind + at) * 2;
                out.data[place] = T::of(value.re * scale);
                out.data[place + 1] = T::of(value.im * scale);
            }
        }
    }
    Ok(out)
}

/// `STFT`: the transform of frames of `length` every `step` values, each times the window.
pub(crate) fn stft<T: Real>(
    room: Room<'_>,
    signal: View<'_, T>,
    step: usize,
    window: Option<View<'_, T>>,
    length: usize,
    onesided: bool,
) -> Made<Dense<T>> {
    let &[batch, size, parts] = signal.shape else {
        return misfit(format!("a signal wants batch, values and parts, not the shape {:?}", signal.shape));
    };
    must!(
        matches!(parts, 1 | 2) && step > 0 && length > 0,
        "a signal of shape {:?} can not be cut into frames of {length} every {step}",
        signal.shape
    );
    must!(!(onesided && parts == 2), "half of the spectrum of a complex signal is not enough");
    must!(size >= length, "a signal of {size} values has no frame of {length}");
    must!(window.is_none_or(|window| window.shape == [length]), "the window does not fit frames of {length}");
    let frames = (size - length) / step + 1;
    let mut cut = room.tensor(&[batch, frames, length, parts], T::zero())?;
    for (frame, values) in cut.data.chunks_exact_mut(length * parts).enumerate() {
        let from = (frame / frames * size + frame % frames * step) * parts;
        for (at, value) in values.iter_mut().enumerate() {
            let weight = window.map_or(T::one(), |window| window.data[at / parts]);
            *value = signal.data[from + at] * weight;
        }
    }
    dft(room, cut.view(), DftSpec { axis: 2, length, inverse: false, onesided })
}
