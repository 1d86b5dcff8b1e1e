//! Matrix products: float32 by rten's kernels, everything else by loops of our own.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::NdTensorView;

use super::plain::{Made, Misfit, Room, must};

/// The width of one piece of a vector-matrix product: rten hands wider ones to its thread pool, which costs more than a
/// small product takes.
const PIECE: usize = 128;
/// From this many multiplications on the pool is worth its hand-over.
const POOLED: usize = 1 << 21;
/// Most multiplications between two questions whether the run is to end.
pub(super) const AT_ONCE: usize = 1 << 29;

/// Multiplies matrices of one type.
pub(crate) trait Product: Copy + Default + Send + Sync + 'static {
    /// `out (m x n) = a (m x k) * b (k x n)`, all row-major.
    fn product(room: Room<'_>, sizes: [usize; 3], a: &[Self], b: &[Self], out: &mut [Self]) -> Made<()>;
}

// rten's float32 kernel, chosen once for each thread: it can not be sent between threads.
thread_local!(static KERNEL: GemmExecutor<f32, f32, f32> = GemmExecutor::default());

fn sizes_hold<T>([m, k, n]: [usize; 3], a: &[T], b: &[T], out: &[T]) -> Made<()> {
    let fits = |rows: usize, columns: usize, len: usize| rows.checked_mul(columns) == Some(len);
    must!(
        fits(m, k, a.len()) && fits(k, n, b.len()) && fits(m, n, out.len()),
        "matrices of {m} x {k} and {k} x {n} do not fit the {} and {} values given",
        a.len(),
        b.len()
    );
    Ok(())
}

impl Product for f32 {
    fn product(room: Room<'_>, sizes: [usize; 3], a: &[Self], b: &[Self], out: &mut [Self]) -> Made<()> {
        sizes_hold(sizes, a, b, out)?;
        let [m, k, n] = sizes;
        if m == 0 || n == 0 {
            return Ok(());
        }
        if k == 0 {
            out.fill(0.0);
            return Ok(());
        }
        let right = NdTensorView::from_data([k, n], b);
        let failed = |error: rten_gemm::GemmError| Misfit(format!("the matrix product failed: {error:?}"));
        if m == 1 && n > PIECE && k * n < POOLED {
            let left = NdTensorView::from_data([m, k], a);
            for (piece, part) in out.chunks_mut(PIECE).enumerate() {
                let from = piece * PIECE;
                let right = right.slice((.., from..from + part.len()));
                let input = (GemmInputA::Unpacked(left), GemmInputB::Unpacked(right));
                KERNEL.with(|gemm| gemm.gemm(part, input.0, input.1, GemmOptions::default())).map_err(failed)?;
            }
            return room.work(products(1, k, n));
        }
        let rows = (AT_ONCE / k.saturating_mul(n)).max(1);
        for (a, out) in a.chunks(rows.saturating_mul(k)).zip(out.chunks_mut(rows.saturating_mul(n))) {
            let left = NdTensorView::from_data([a.len() / k, k], a);
            let input = (GemmInputA::Unpacked(left), GemmInputB::Unpacked(right));
            KERNEL.with(|gemm| gemm.gemm(out, input.0, input.1, GemmOptions::default())).map_err(failed)?;
            room.work(products(a.len() / k, k, n))?;
        }
        Ok(())
    }
}

/// What a product counts as work: many multiplications take the time of one byte that is copied.
fn products(m: usize, k: usize, n: usize) -> usize {
    m.saturating_mul(k).saturating_mul(n) / 16
}

impl Product for f64 {
    fn product(room: Room<'_>, sizes: [usize; 3], a: &[Self], b: &[Self], out: &mut [Self]) -> Made<()> {
        sizes_hold(sizes, a, b, out)?;
        by_rows(room, sizes, a, b, out, |sum, a, b| sum + a * b)
    }
}

macro_rules! whole_numbers {
    ($($kind:ty),+) => { $(
        impl Product for $kind {
            fn product(room: Room<'_>, sizes: [usize; 3], a: &[Self], b: &[Self], out: &mut [Self]) -> Made<()> {
                sizes_hold(sizes, a, b, out)?;
                by_rows(room, sizes, a, b, out, |sum, a, b| sum.wrapping_add(a.wrapping_mul(b)))
            }
        }
    )+ };
}
whole_numbers!(i32, i64, u32, u64);

fn by_rows<T: Copy + Default>(
    room: Room<'_>,
    [m, k, n]: [usize; 3],
    a: &[T],
    b: &[T],
    out: &mut [T],
    step: impl Fn(T, T, T) -> T,
) -> Made<()> {
    out.fill(T::default());
    if n == 0 || k == 0 {
        return Ok(());
    }
    for (row, left) in out.chunks_exact_mut(n).zip(a.chunks_exact(k)).take(m) {
        for (&factor, right) in left.iter().zip(b.chunks_exact(n)) {
            for (sum, &value) in row.iter_mut().zip(right) {
                *sum = step(*sum, factor, value);
            }
        }
        room.work(k.saturating_mul(n))?;
    }
    Ok(())
}

/// The product of a matrix of `rows x k` with one of `k x columns` that lies transposed, in whole numbers: wraps at 32
/// bits, as the formula has it, and never before.
pub(crate) fn whole_product(room: Room<'_>, k: usize, left: &[i16], right: &[i16], out: &mut [i32]) -> Made<()> {
    if k == 0 {
        out.fill(0);
        return Ok(());
    }
    let columns = right.len() / k;
    if columns == 0 {
        return Ok(());
    }
    for (row, left) in out.chunks_exact_mut(columns).zip(left.chunks_exact(k)) {
        for (sum, right) in row.iter_mut().zip(right.chunks_exact(k)) {
            *sum = dot(left, right);
        }
        room.work(right.len() / 4)?;
    }
    Ok(())
}

/// The sum of products of two rows of the same length.
pub(crate) fn dot(left: &[i16], right: &[i16]) -> i32 {
    // Both factors lie within ±255, so a product fits; the sum wraps as ONNX's int32 does.
    left.iter().zip(right).fold(0_i32, |sum, (a, b)| sum.wrapping_add(i32::from(*a).wrapping_mul(i32::from(*b))))
}

/// A matrix of `rows x columns` transposed.
pub(crate) fn transposed<T: Copy + Default>(rows: usize, columns: usize, data: &[T]) -> Vec<T> {
    let mut out = vec![T::default(); data.len()];
    for (row, values) in data.chunks_exact(columns.max(1)).enumerate().take(rows) {
        for (column, value) in values.iter().enumerate() {
            out[column * rows + row] = *value;
        }
    }
    out
}
