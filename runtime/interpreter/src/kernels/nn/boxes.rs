//! `NonMaxSuppression`: the best boxes of each class that do not cover each other.

use super::plain::{Dense, Made, Room, View, misfit, must};

/// The attributes and the small inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NmsSpec {
    /// Boxes are given by centre and size, not by two corners.
    pub(crate) centred: bool,
    /// At most so many of each class.
    pub(crate) most: usize,
    /// From this part of the union on two boxes cover each other.
    pub(crate) overlap: f32,
    pub(crate) least_score: Option<f32>,
}

/// A box by its lower and upper corner.
#[derive(Clone, Copy)]
struct Corners {
    low: [f32; 2],
    high: [f32; 2],
}

impl Corners {
    fn new(values: &[f32], centred: bool) -> Self {
        let [a, b, c, d] = [values[0], values[1], values[2], values[3]];
        if centred {
            let (width, height) = (c / 2.0, d / 2.0);
            Self { low: [a - width, b - height], high: [a + width, b + height] }
        } else {
            let order = |a: f32, b: f32| if a > b { (b, a) } else { (a, b) };
            let ((top, bottom), (left, right)) = (order(a, c), order(b, d));
            Self { low: [left, top], high: [right, bottom] }
        }
    }

    fn area(&self) -> f32 {
        (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])
    }

    /// Whether the part that two boxes share is larger than `overlap` of their union.
    fn covers(&self, other: &Self, overlap: f32) -> bool {
        let side = |at: usize| {
            let (a, b) = (self.high[at], other.high[at]);
            let (c, d) = (self.low[at], other.low[at]);
            (if a < b { a } else { b }) - (if c > d { c } else { d })
        };
        let (width, height) = (side(0), side(1));
        if width <= 0.0 || height <= 0.0 {
            return false;
        }
        let shared = width * height;
        let (own, others) = (self.area(), other.area());
        let union = own + others - shared;
        own > 0.0 && others > 0.0 && union > 0.0 && shared / union > overlap
    }
}

/// `NonMaxSuppression`: rows of batch, class and box.
pub(crate) fn non_max_suppression(
    room: Room<'_>,
    boxes: View<'_, f32>,
    scores: View<'_, f32>,
    spec: NmsSpec,
) -> Made<Dense<i64>> {
    let (&[batches, count, 4], &[score_batches, classes, score_count]) = (boxes.shape, scores.shape) else {
        return misfit(format!("boxes of shape {:?} and scores of shape {:?} do not fit", boxes.shape, scores.shape));
    };
    let fits = batches == score_batches && count == score_count;
    must!(fits, "boxes of shape {:?} do not fit scores of shape {:?}", boxes.shape, scores.shape);
    must!((0.0..=1.0).contains(&spec.overlap), "iou_threshold must lie between 0 and 1, not {}", spec.overlap);
    let mut rows: Vec<i64> = Vec::new();
    let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    if spec.most > 0 {
        room.claim(count.saturating_mul(size_of::<(f32, usize, Corners)>()))?;
        for batch in 0..batches {
            for class in 0..classes {
                let scores = &scores.data[(batch * classes + class) * count..][..count];
                let mut order: Vec<usize> =
                    (0..count).filter(|at| spec.least_score.is_none_or(|least| scores[*at] > least)).collect();
                must!(order.iter().all(|at| !scores[*at].is_nan()), "a score is not a number");
                // Equal scores keep the order of the boxes.
                order.sort_by(|a, b| scores[*b].partial_cmp(&scores[*a]).unwrap_or(std::cmp::Ordering::Equal));
                let mut kept: Vec<Corners> = Vec::new();
                for at in order {
                    if kept.len() >= spec.most {
                        break;
                    }
                    let this = Corners::new(&boxes.data[(batch * count + at) * 4..][..4], spec.centred);
                    room.work(kept.len().saturating_mul(4))?;
                    if kept.iter().any(|other| this.covers(other, spec.overlap)) {
                        continue;
                    }
                    kept.push(this);
                    room.claim(3 * size_of::<i64>())?;
                    rows.extend([whole(batch), whole(class), whole(at)]);
                }
            }
        }
    }
    Ok(Dense { shape: vec![rows.len() / 3, 3], data: rows })
}
