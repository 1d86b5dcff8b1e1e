//! Forests of decision trees, laid out so that one row is quick: trees are walked side by side without a jump that the
//! processor must guess, and every leaf is its own child, so that all trees of a group take the same number of steps.

use crate::kernels::nn::plain::{Made, Real, Room, misfit, must};

/// What a node asks of its feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// At most the value.
    AtMost,
    /// Below the value.
    Below,
    /// At least the value.
    AtLeast,
    /// Above the value.
    Above,
    /// The value.
    Equal,
    /// Another value.
    Unequal,
}

/// A node as a model gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<T> {
    /// A question; the two places are indices into the list of nodes.
    Split {
        feature: usize,
        test: Test,
        value: T,
        /// Whether NaN counts as yes.
        missing: bool,
        yes: usize,
        no: usize,
    },
    /// A member of a set: as [`Self::Split`], with the place and number of the values.
    Member { feature: usize, values: (usize, usize), missing: bool, yes: usize, no: usize },
    /// An answer: the first of its weights, and how many it has.
    Leaf { first: usize, count: usize },
}

#[derive(Clone, Copy, Debug)]
struct Node<T> {
    value: T,
    feature: u32,
    yes: u32,
    no: u32,
}

/// What a node needs beside the quick test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct More {
    test: Test,
    missing: bool,
    set: Option<(u32, u32)>,
}

/// A weight of a leaf: the target and the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weight<T> {
    pub(crate) target: usize,
    pub(crate) value: T,
}

/// A forest that is ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Forest<T> {
    nodes: Vec<Node<T>>,
    /// Only where some node asks for more than [`Test::AtMost`] with NaN as no.
    more: Option<Vec<More>>,
    members: Vec<T>,
    /// The root of each tree and its depth, in the model's order.
    trees: Vec<(u32, u32)>,
    /// First weight and number of weights of each leaf.
    answers: Vec<(u32, u32)>,
    weights: Vec<Weight<T>>,
    /// One more than the last feature that is asked for.
    features: usize,
    targets: usize,
}

/// Trees that are walked at a time: enough to hide the wait for memory.
const SIDE_BY_SIDE: usize = 8;

impl<T: Real> Forest<T> {
    /// Checks and lays out a forest: every place must exist, nothing may lead back to itself.
    pub(crate) fn new(
        given: &[Given<T>],
        roots: &[usize],
        members: Vec<T>,
        weights: Vec<Weight<T>>,
        targets: usize,
    ) -> Made<Self> {
        must!(
            u32::try_from(given.len()).is_ok() && u32::try_from(weights.len()).is_ok(),
            "a forest of {} nodes is beyond what is computed",
            given.len()
        );
        must!(
            weights.iter().all(|weight| weight.target < targets),
            "a weight belongs to none of the {targets} targets"
        );
        let order = ordered(given, roots)?;
        let mut forest = Self {
            nodes: Vec::with_capacity(order.sequence.len()),
            more: None,
            members,
            trees: Vec::with_capacity(roots.len()),
            answers: Vec::with_capacity(order.sequence.len()),
            weights,
            features: 0,
            targets,
        };
        let mut more = Vec::with_capacity(order.sequence.len());
        for (own, at) in order.sequence.iter().enumerate() {
            let own = narrow(own)?;
            let (node, answer, rest) = match given[*at] {
                Given::Leaf { first, count } => {
                    let end = first.checked_add(count);
                    must!(end.is_some_and(|end| end <= forest.weights.len()), "a leaf has weights that are not there");
                    let node = Node { value: T::zero(), feature: 0, yes: own, no: own };
                    (node, (narrow(first)?, narrow(count)?), More { test: Test::AtMost, missing: false, set: None })
                }
                Given::Split { feature, test, value, missing, yes, no } => {
                    forest.features = forest.features.max(feature.saturating_add(1));
                    let node = Node { value, feature: narrow(feature)?, yes: order.place[yes], no: order.place[no] };
                    (node, (0, 0), More { test, missing, set: None })
                }
                Given::Member { feature, values: (first, count), missing, yes, no } => {
                    let end = first.checked_add(count);
                    must!(end.is_some_and(|end| end <= forest.members.len()), "a node has members that are not there");
                    forest.features = forest.features.max(feature.saturating_add(1));
                    let node = Node {
                        value: T::zero(),
                        feature: narrow(feature)?,
                        yes: order.place[yes],
                        no: order.place[no],
                    };
                    let set = Some((narrow(first)?, narrow(count)?));
                    (node, (0, 0), More { test: Test::Equal, missing, set })
                }
            };
            forest.nodes.push(node);
            forest.answers.push(answer);
            more.push(rest);
        }
        for root in roots {
            forest.trees.push((order.place[*root], order.depth[*root]));
        }
        forest.quicken(more);
        Ok(forest)
    }

    /// Keeps the slow questions only where the quick one does not say the same.
    fn quicken(&mut self, mut more: Vec<More>) {
        for (node, more) in self.nodes.iter_mut().zip(&mut more) {
            if more.test == Test::Below && more.set.is_none() {
                // Below a number is at most the one before it; nothing is below minus infinity.
                node.value = before(node.value);
                more.test = Test::AtMost;
            }
        }
        let quick = |more: &More| more.test == Test::AtMost && !more.missing && more.set.is_none();
        if !more.iter().all(quick) {
            self.more = Some(more);
        }
    }

    /// One more than the last feature that is asked for.
    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// The number of trees.
    pub(crate) fn trees(&self) -> usize {
        self.trees.len()
    }

    /// The number of targets.
    pub(crate) fn targets(&self) -> usize {
        self.targets
    }

    /// Whether every leaf has a weight for each target.
    pub(crate) fn speaks_of_all(&self) -> bool {
        let leaves = self.nodes.iter().enumerate().filter(|(own, node)| node.yes as usize == *own);
        let mut answers = leaves.map(|(own, _)| self.answers[own]);
        answers.all(|(first, count)| {
            let weights = &self.weights[first as usize..][..count as usize];
            (0..self.targets).all(|target| weights.iter().any(|weight| weight.target == target))
        })
    }

    /// All weights.
    pub(crate) fn weights(&self) -> &[Weight<T>] {
        &self.weights
    }

    /// Calls `each` with the weights of the leaf that every tree, in order, leads the row to.
    ///
    /// The row must have [`Self::features`] values.
    pub(crate) fn answers(&self, room: Room<'_>, row: &[T], mut each: impl FnMut(&[Weight<T>])) -> Made<()> {
        let mut at = [0_u32; SIDE_BY_SIDE];
        for group in self.trees.chunks(SIDE_BY_SIDE) {
            let at = &mut at[..group.len()];
            let mut depth = 0;
            for (at, (root, own)) in at.iter_mut().zip(group) {
                *at = *root;
                depth = depth.max(*own);
            }
            room.work((depth as usize).saturating_mul(SIDE_BY_SIDE))?;
            match &self.more {
                None => self.walk(row, at, depth),
                Some(more) => self.walk_slowly(row, at, depth, more),
            }
            for at in &*at {
                let (first, count) = self.answers[*at as usize];
                each(&self.weights[first as usize..][..count as usize]);
            }
        }
        Ok(())
    }

    fn walk(&self, row: &[T], at: &mut [u32], depth: u32) {
        if let Ok(at) = <&mut [u32; SIDE_BY_SIDE]>::try_from(&mut *at) {
            for _ in 0..depth {
                for at in at.iter_mut() {
                    *at = self.step(row, *at);
                }
            }
            return;
        }
        for _ in 0..depth {
            for at in at.iter_mut() {
                *at = self.step(row, *at);
            }
        }
    }

    #[inline(always)]
    fn step(&self, row: &[T], at: u32) -> u32 {
        let node = &self.nodes[at as usize];
        let next = [node.no, node.yes];
        next[usize::from(row[node.feature as usize] <= node.value)]
    }

    fn walk_slowly(&self, row: &[T], at: &mut [u32], depth: u32, more: &[More]) {
        for _ in 0..depth {
            for at in at.iter_mut() {
                let (node, more) = (&self.nodes[*at as usize], &more[*at as usize]);
                let x = row[node.feature as usize];
                let yes = match (more.set, more.test) {
                    (Some((first, count)), _) => self.members[first as usize..][..count as usize].contains(&x),
                    (None, Test::AtMost) => x <= node.value,
                    (None, Test::Below) => x < node.value,
                    (None, Test::AtLeast) => x >= node.value,
                    (None, Test::Above) => x > node.value,
                    (None, Test::Equal) => x == node.value,
                    (None, Test::Unequal) => x != node.value,
                };
                *at = if yes || (more.missing && x.is_nan()) { node.yes } else { node.no };
            }
        }
    }
}

fn narrow(number: usize) -> Made<u32> {
    u32::try_from(number).map_or_else(|_| misfit(format!("{number} is beyond what a forest can hold")), Ok)
}

/// The next number below; NaN, which nothing is at most, below minus infinity.
fn before<T: Real>(value: T) -> T {
    if value == T::neg_infinity() || value.is_nan() {
        return T::nan();
    }
    // Halving the gap to the next representable number is not exact in general: go by the bits.
    let wide = value.wide();
    if size_of::<T>() == size_of::<f32>() {
        T::of(f64::from(f32::of(wide).next_down()))
    } else {
        T::of(wide.next_down())
    }
}

/// Where each node goes and how deep the tree below it is.
struct Order {
    sequence: Vec<usize>,
    place: Vec<u32>,
    depth: Vec<u32>,
}

/// Orders nodes so that a parent's children lie near, by a walk that keeps its own stack.
fn ordered<T: Copy>(given: &[Given<T>], roots: &[usize]) -> Made<Order> {
    const NEW: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut order =
        Order { sequence: Vec::with_capacity(given.len()), place: vec![0; given.len()], depth: vec![0; given.len()] };
    let mut state = vec![NEW; given.len()];
    let mut stack = Vec::new();
    for root in roots {
        must!(*root < given.len(), "a tree begins at a node that is not there");
        stack.push(*root);
        while let Some(&at) = stack.last() {
            let children = match given[at] {
                Given::Leaf { .. } => None,
                Given::Split { yes, no, .. } | Given::Member { yes, no, .. } => Some([no, yes]),
            };
            if state[at] == NEW {
                state[at] = OPEN;
                order.place[at] = narrow(order.sequence.len())?;
                order.sequence.push(at);
                for child in children.into_iter().flatten() {
                    must!(child < given.len(), "a node leads to a node that is not there");
                    must!(state[child] != OPEN, "a tree leads back to itself");
                    if state[child] == NEW {
                        stack.push(child);
                    }
                }
                continue;
            }
            stack.pop();
            if state[at] == OPEN {
                state[at] = DONE;
                if let Some(children) = children {
                    for child in children {
                        must!(state[child] == DONE, "a tree leads back to itself");
                        order.depth[at] = order.depth[at].max(order.depth[child].saturating_add(1));
                    }
                }
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(yes: usize, no: usize) -> Given<f32> {
        Given::Split { feature: 0, test: Test::AtMost, value: 0.0, missing: false, yes, no }
    }

    #[test]
    fn trees_that_lead_nowhere_or_back_are_errors() {
        let leaf = Given::Leaf { first: 0, count: 1 };
        let weights = vec![Weight { target: 0, value: 1.0 }];
        let build = |given: &[Given<f32>], roots: &[usize]| Forest::new(given, roots, Vec::new(), weights.clone(), 1);
        assert!(build(&[split(1, 1), leaf], &[0]).is_ok());
        assert!(build(&[split(0, 1), leaf], &[0]).is_err());
        assert!(build(&[split(1, 2), split(0, 2), leaf], &[0]).is_err());
        assert!(build(&[split(1, 7), leaf], &[0]).is_err());
        assert!(build(&[leaf], &[3]).is_err());
        assert!(build(&[Given::Leaf { first: 0, count: 2 }], &[0]).is_err());
        assert!(build(&[Given::Leaf { first: usize::MAX, count: 2 }], &[0]).is_err());
    }

    #[test]
    fn a_chain_of_a_million_nodes_takes_no_stack() {
        let size = 1_000_000;
        let mut given: Vec<_> = (1..size).map(|next| split(next, size - 1)).collect();
        given.push(Given::Leaf { first: 0, count: 1 });
        assert!(Forest::new(&given, &[0], Vec::new(), vec![Weight { target: 0, value: 1.0 }], 1).is_ok());
    }
}
