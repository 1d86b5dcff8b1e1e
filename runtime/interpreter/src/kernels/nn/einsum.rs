//! `Einsum`: operands are multiplied two at a time, each as a stack of matrix products.

use super::gemm::Product;
use super::plain::{Dense, Made, Room, View, advance, count, misfit, must};

/// A label of the equation: a letter, or an axis of the ellipsis counted from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

/// Most operands of an equation.
const MOST_OPERANDS: usize = 64;

/// An equation that was read.
#[derive(Clone, Debug)]
pub(crate) struct Equation {
    operands: Vec<Vec<Option<char>>>,
    result: Option<Vec<Option<char>>>,
}

impl Equation {
    /// Reads an equation; `None` in a term is its ellipsis.
    pub(crate) fn read(text: &str) -> Made<Self> {
        let text: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (text.as_str(), None),
        };
        let term = |term: &str| -> Made<Vec<Option<char>>> {
            let mut labels = Vec::new();
            let mut rest = term;
            while let Some(letter) = rest.chars().next() {
                if let Some(after) = rest.strip_prefix("...") {
                    must!(!labels.contains(&None), "the term {term:?} has two ellipses");
                    labels.push(None);
                    rest = after;
                } else if letter.is_ascii_alphabetic() {
                    labels.push(Some(letter));
                    rest = &rest[1..];
                } else {
                    return misfit(format!("{letter:?} in the term {term:?} is no letter"));
                }
            }
            Ok(labels)
        };
        must!(
            left.split(',').count() <= MOST_OPERANDS,
            "more than {MOST_OPERANDS} operands are beyond what is computed"
        );
        let operands = left.split(',').map(term).collect::<Made<Vec<_>>>()?;
        let result = right.map(term).transpose()?;
        if let Some(result) = &result {
            for (at, label) in result.iter().enumerate() {
                must!(!result[..at].contains(label), "the result names an axis twice");
                let known = label.is_none() || operands.iter().any(|operand| operand.contains(label));
                must!(known, "the result names an axis that no operand has");
            }
        }
        Ok(Self { operands, result })
    }

    /// How many operands it wants.
    pub(crate) fn operands(&self) -> usize {
        self.operands.len()
    }

    /// The labels of an operand of that rank.
    fn labels(term: &[Option<char>], rank: usize) -> Made<Vec<Label>> {
        let letters = term.iter().flatten().count();
        let ellipsis = term.contains(&None);
        let fits = if ellipsis { letters <= rank } else { letters == rank };
        must!(fits, "a term with {letters} letters does not fit an operand of rank {rank}");
        let mut labels = Vec::with_capacity(rank);
        for label in term {
            match label {
                Some(letter) => labels.push(Label::Letter(*letter)),
                None => labels.extend((0..rank - letters).rev().map(Label::Ellipsis)),
            }
        }
        Ok(labels)
    }
}

/// An operand with a label for each axis, all different.
#[derive(Clone)]
struct Labelled<T> {
    labels: Vec<Label>,
    values: Dense<T>,
}

fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = strides[at] * shape[at];
    }
    strides
}

/// Reads the axes with these labels, in their order; equal labels walk along the diagonal, missing ones are stretched.
fn gathered<T: Copy + Default>(
    room: Room<'_>,
    labels: &[Label],
    values: View<'_, T>,
    wanted: &[Label],
    sizes: &dyn Fn(Label) -> usize,
) -> Made<Dense<T>> {
    let own = strides(values.shape);
    let shape: Vec<usize> = wanted.iter().map(|label| sizes(*label)).collect();
    let step = |label: &Label| {
        let axes = labels.iter().enumerate().filter(|(_, own)| *own == label);
        axes.map(|(axis, _)| if values.shape[axis] == 1 { 0 } else { own[axis] }).sum::<usize>()
    };
    let steps: Vec<usize> = wanted.iter().map(step).collect();
    let mut out = room.tensor(&shape, T::default())?;
    let mut index = vec![0; shape.len()];
    room.work(out.data.len().saturating_mul(shape.len()))?;
    for value in &mut out.data {
        *value = values.data[index.iter().zip(&steps).map(|(i, step)| i * step).sum::<usize>()];
        advance(&mut index, &shape);
    }
    Ok(out)
}

/// Adds up the axes that are not in `kept`.
fn summed<T: Copy + Default>(
    room: Room<'_>,
    operand: Labelled<T>,
    kept: &dyn Fn(Label) -> bool,
    add: &dyn Fn(T, T) -> T,
) -> Made<Labelled<T>> {
    let (stay, gone): (Vec<Label>, Vec<Label>) = operand.labels.iter().partition(|label| kept(**label));
    if gone.is_empty() {
        return Ok(operand);
    }
    let order: Vec<Label> = stay.iter().chain(&gone).copied().collect();
    let sizes = |label: Label| size_in(&operand, label);
    let moved = gathered(room, &operand.labels, operand.values.view(), &order, &sizes)?;
    let shape: Vec<usize> = stay.iter().map(|label| sizes(*label)).collect();
    let mut out = room.tensor(&shape, T::default())?;
    let inner = count(&gone.iter().map(|label| sizes(*label)).collect::<Vec<_>>())?;
    if inner > 0 {
        for (sum, values) in out.data.iter_mut().zip(moved.data.chunks_exact(inner)) {
            *sum = values.iter().fold(T::default(), |sum, value| add(sum, *value));
        }
    }
    Ok(Labelled { labels: stay, values: out })
}

fn size_in<T>(operand: &Labelled<T>, label: Label) -> usize {
    operand.labels.iter().position(|own| *own == label).map_or(1, |axis| operand.values.shape[axis])
}

/// `Einsum`.
pub(crate) fn einsum<T: Product>(
    room: Room<'_>,
    equation: &Equation,
    operands: &[View<'_, T>],
    add: impl Fn(T, T) -> T,
) -> Made<Dense<T>> {
    must!(operands.len() == equation.operands.len(), "{} operands do not fit the equation", operands.len());
    let terms = equation.operands.iter().zip(operands);
    let labels = terms.map(|(term, view)| Equation::labels(term, view.rank())).collect::<Made<Vec<_>>>()?;
    let mut sizes: Vec<(Label, usize)> = Vec::new();
    for (label, size) in labels.iter().zip(operands).flat_map(|(labels, view)| labels.iter().zip(view.shape)) {
        match sizes.iter_mut().find(|(known, _)| known == label) {
            None => sizes.push((*label, *size)),
            Some((_, known)) if *known == 1 => *known = *size,
            Some((_, known)) => must!(*size == 1 || size == known, "an axis of {size} does not fit one of {known}"),
        }
    }
    let size = |label: Label| sizes.iter().find(|(known, _)| *known == label).map_or(1, |(_, size)| *size);
    let result = result_labels(equation, &labels, &sizes);
    let mut rest: Vec<Labelled<T>> = Vec::with_capacity(operands.len());
    for (labels, view) in labels.iter().zip(operands) {
        let mut unique: Vec<Label> = Vec::new();
        for label in labels {
            if !unique.contains(label) {
                unique.push(*label);
            }
        }
        // An axis of one element that is stretched by another operand stays one element here.
        let own = |label: Label| {
            let axes = labels.iter().zip(view.shape).filter(|(own, _)| **own == label);
            axes.map(|(_, size)| *size).max().unwrap_or(1).min(size(label))
        };
        let values = gathered(room, labels, *view, &unique, &own)?;
        rest.push(Labelled { labels: unique, values });
    }
    let mut now = rest.remove(0);
    while !rest.is_empty() {
        let next = rest.remove(0);
        let needed = |label: Label| result.contains(&label) || rest.iter().any(|other| other.labels.contains(&label));
        now = multiplied(room, now, next, &needed, &size, &add)?;
    }
    let now = summed(room, now, &|label| result.contains(&label), &add)?;
    gathered(room, &now.labels, now.values.view(), &result, &size)
}

/// The labels of the result; without an arrow, those that stand once, in the order of the alphabet.
fn result_labels(equation: &Equation, labels: &[Vec<Label>], sizes: &[(Label, usize)]) -> Vec<Label> {
    let ellipsis = sizes.iter().filter_map(|(label, _)| match label {
        Label::Ellipsis(at) => Some(*at + 1),
        Label::Letter(_) => None,
    });
    let ellipsis = ellipsis.max().unwrap_or(0);
    let front = (0..ellipsis).rev().map(Label::Ellipsis);
    match &equation.result {
        Some(term) => term
            .iter()
            .flat_map(|label| match label {
                Some(letter) => vec![Label::Letter(*letter)],
                None => front.clone().collect(),
            })
            .collect(),
        None => {
            let once = |label: &Label| labels.iter().flatten().filter(|other| *other == label).count() == 1;
            let mut letters: Vec<Label> = labels.iter().flatten().copied().collect();
            letters.retain(|label| matches!(label, Label::Letter(_)) && once(label));
            letters.sort();
            front.chain(letters).collect()
        }
    }
}

/// Multiplies two operands and adds up the axes that nothing needs any more.
fn multiplied<T: Product>(
    room: Room<'_>,
    left: Labelled<T>,
    right: Labelled<T>,
    needed: &dyn Fn(Label) -> bool,
    size: &dyn Fn(Label) -> usize,
    add: &dyn Fn(T, T) -> T,
) -> Made<Labelled<T>> {
    // Axes that only one side has and nothing needs are added up before.
    let (left_labels, right_labels) = (left.labels.clone(), right.labels.clone());
    let left = summed(room, left, &|label| needed(label) || right_labels.contains(&label), add)?;
    let right = summed(room, right, &|label| needed(label) || left_labels.contains(&label), add)?;
    let both = |label: &&Label| right.labels.contains(label);
    let stack: Vec<Label> = left.labels.iter().filter(both).filter(|label| needed(**label)).copied().collect();
    let inner: Vec<Label> = left.labels.iter().filter(both).filter(|label| !needed(**label)).copied().collect();
    let rows: Vec<Label> = left.labels.iter().filter(|label| !both(label)).copied().collect();
    let columns: Vec<Label> = right.labels.iter().filter(|label| !left.labels.contains(label)).copied().collect();
    let join = |parts: [&[Label]; 3]| parts.concat();
    let a = gathered(room, &left.labels, left.values.view(), &join([&stack, &rows, &inner]), &|label| {
        if rows.contains(&label) { size_in(&left, label) } else { size(label) }
    })?;
    let b = gathered(room, &right.labels, right.values.view(), &join([&stack, &inner, &columns]), &|label| {
        if columns.contains(&label) { size_in(&right, label) } else { size(label) }
    })?;
    let product =
        |labels: &[Label], of: &dyn Fn(Label) -> usize| count(&labels.iter().map(|l| of(*l)).collect::<Vec<_>>());
    let (m, k) = (product(&rows, &|label| size_in(&left, label))?, product(&inner, size)?);
    let n = product(&columns, &|label| size_in(&right, label))?;
    let labels = join([&stack, &rows, &columns]);
    let shape: Vec<usize> = labels
        .iter()
        .map(|label| {
            if rows.contains(label) {
                size_in(&left, *label)
            } else if columns.contains(label) {
                size_in(&right, *label)
            } else {
                size(*label)
            }
        })
        .collect();
    let mut out = room.tensor(&shape, T::default())?;
    if m * n > 0 && k > 0 {
        let parts = a.data.chunks_exact(m * k).zip(b.data.chunks_exact(k * n));
        for (out, (a, b)) in out.data.chunks_exact_mut(m * n).zip(parts) {
            T::product(room, [m, k, n], a, b, out)?;
        }
    }
    Ok(Labelled { labels, values: out })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    #[test]
    fn hostile_equations_are_errors() {
        let many = vec!["a"; 65].join(",");
        for text in ["...i...->i", "i->ii", "i->j", "i,,j;->i", "i1->i", "é->é", &many] {
            assert!(Equation::read(text).is_err(), "{text}");
        }
        let product = Equation::read("ij,jk->ik").unwrap();
        let (a, b) = ([1.0_f32; 6], [1.0_f32; 4]);
        let (a, b) = (View { shape: &[2, 3], data: &a }, View { shape: &[2, 2], data: &b });
        assert!(einsum(boundless(), &product, &[a, b], |a, b| a + b).is_err());
    }

    #[test]
    fn a_diagonal_is_summed() {
        let x = [1.0_f32, 2.0, 3.0, 4.0];
        let trace = Equation::read("ii").unwrap();
        let made = einsum(boundless(), &trace, &[View { shape: &[2, 2], data: &x }], |a, b| a + b).unwrap();
        assert_eq!((made.shape, made.data), (vec![], vec![5.0]));
    }
}
