//! Running requests together: their inputs one below the other, their outputs cut apart again.
//!
//! Rows are only joined where every input has the same type and the same shape but for the first dimension; nothing is padded, so
//! nothing of one request can come into the answer of another.

use trackside_models::Output;
use trackside_spec::{ElementType, Tensor};

/// Inputs by name.
pub type Inputs = Vec<(String, Tensor)>;

/// How many rows these inputs have, the same in each of them; `None` where they can not be joined with others.
#[must_use]
pub fn rows(inputs: &Inputs) -> Option<u32> {
    let mut rows = inputs.iter().map(|(_, tensor)| tensor.shape().first().copied());
    let first = rows.next()??;
    rows.all(|other| other == Some(first)).then_some(first)
}

/// Whether both have the same inputs, alike but for the number of rows.
#[must_use]
pub fn alike(one: &Inputs, other: &Inputs) -> bool {
    one.len() == other.len()
        && one.iter().all(|(name, tensor)| {
            let twin = other.iter().find(|(twin, _)| twin == name);
            twin.is_some_and(|(_, twin)| {
                twin.element() == tensor.element()
                    && twin.shape().len() == tensor.shape().len()
                    && twin.shape().get(1..) == tensor.shape().get(1..)
            })
        })
}

/// Puts inputs that are [`alike`] one below the other, in the order of the first; `None` when they are not.
#[must_use]
pub fn join(parts: &[&Inputs]) -> Option<Inputs> {
    let first = *parts.first()?;
    let mut joined = Vec::with_capacity(first.len());
    for (name, tensor) in first {
        let tensors: Vec<&Tensor> = parts
            .iter()
            .map(|part| part.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor))
            .collect::<Option<_>>()?;
        let mut rows = 0u32;
        for tensor in &tensors {
            rows = rows.checked_add(*tensor.shape().first()?)?;
        }
        let mut shape = tensor.shape().to_vec();
        *shape.first_mut()? = rows;
        let whole = if tensor.element() == ElementType::Text {
            Tensor::from_text(shape, tensors.iter().flat_map(|tensor| tensor.text().iter().cloned()).collect())
        } else {
            let mut data = Vec::with_capacity(tensors.iter().map(|tensor| tensor.data().len()).sum());
            tensors.iter().for_each(|tensor| data.extend_from_slice(tensor.data()));
            Tensor::from_bytes(tensor.element(), shape, data)
        };
        joined.push((name.clone(), whole.ok()?));
    }
    Some(joined)
}

/// Cuts an output into parts of so many rows each; `None` when it has another number of rows than they have together.
#[must_use]
pub fn split(output: &Output, rows: &[u32]) -> Option<Vec<Output>> {
    let all: usize = rows.iter().map(|rows| *rows as usize).sum();
    match output {
        Output::Tensor(tensor) => {
            if tensor.shape().first().map(|rows| *rows as usize) != Some(all) {
                return None;
            }
            let mut begin = 0usize;
            let parts = rows.iter().map(|rows| {
                let part = cut(tensor, begin, *rows)?;
                begin += *rows as usize;
                Some(Output::Tensor(part))
            });
            parts.collect()
        }
        Output::Json(list) => {
            let items = list.as_array().filter(|items| items.len() == all)?;
            let mut items = items.iter();
            let parts = rows.iter().map(|rows| items.by_ref().take(*rows as usize).cloned().collect());
            Some(parts.map(|part: Vec<_>| Output::Json(part.into())).collect())
        }
    }
}

fn cut(tensor: &Tensor, begin: usize, rows: u32) -> Option<Tensor> {
    let mut shape = tensor.shape().to_vec();
    *shape.first_mut()? = rows;
    let width = Tensor::count(tensor.shape().get(1..)?).ok()?;
    let (from, to) = (begin.checked_mul(width)?, (begin + rows as usize).checked_mul(width)?);
    match tensor.element().size() {
        None => Tensor::from_text(shape, tensor.text().get(from..to)?.to_vec()).ok(),
        Some(size) => {
            let bytes = tensor.data().get(from.checked_mul(size)?..to.checked_mul(size)?)?;
            Tensor::from_bytes(tensor.element(), shape, bytes.to_vec()).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(shape: &[u32], from: u8) -> Tensor {
        let count: u32 = shape.iter().product();
        Tensor::from_f32(shape.to_vec(), &(0..count).map(|n| n as f32 + f32::from(from)).collect::<Vec<_>>()).unwrap()
    }

    fn texts(rows: u32, text: &str) -> Tensor {
        Tensor::from_text(vec![rows, 1], vec![text.to_owned(); rows as usize]).unwrap()
    }

    #[test]
    fn what_is_joined_comes_apart_again() {
        let one = vec![("x".to_owned(), numbers(&[2, 3], 0)), ("t".to_owned(), texts(2, "a"))];
        // In another order, as clients may send them.
        let two = vec![("t".to_owned(), texts(1, "b")), ("x".to_owned(), numbers(&[1, 3], 50))];
        let none = vec![("x".to_owned(), numbers(&[0, 3], 0)), ("t".to_owned(), texts(0, ""))];
        assert!(alike(&one, &two) && alike(&one, &none));
        assert_eq!((rows(&one), rows(&two), rows(&none)), (Some(2), Some(1), Some(0)));
        let joined = join(&[&one, &two, &none]).unwrap();
        assert_eq!(joined[0].1.shape(), [3, 3]);
        assert_eq!(joined[1].1.text(), ["a", "a", "b"]);
        for (name, whole) in joined {
            let parts = split(&Output::Tensor(whole), &[2, 1, 0]).unwrap();
            for (part, given) in parts.iter().zip([&one, &two, &none]) {
                let given = given.iter().find(|(other, _)| *other == name).unwrap();
                assert!(matches!(part, Output::Tensor(part) if *part == given.1));
            }
        }
        let lists = Output::Json(vec![1, 2, 3].into());
        let parts = split(&lists, &[1, 2]).unwrap();
        assert!(matches!(&parts[1], Output::Json(part) if *part == serde_json::json!([2, 3])));
    }

    #[test]
    fn what_is_not_alike_is_not_joined() {
        let x = |tensor| vec![("x".to_owned(), tensor)];
        let base = x(numbers(&[2, 3], 0));
        let double = Tensor::from_bytes(ElementType::Float64, vec![2, 3], vec![0; 48]).unwrap();
        for other in [
            x(numbers(&[2, 4], 0)),
            x(numbers(&[2, 3, 1], 0)),
            x(numbers(&[], 0)),
            x(double),
            vec![("y".to_owned(), numbers(&[2, 3], 0))],
            vec![],
        ] {
            assert!(!alike(&base, &other), "{other:?}");
        }
        let uneven = vec![("x".to_owned(), numbers(&[2, 3], 0)), ("y".to_owned(), numbers(&[1, 3], 0))];
        assert_eq!((rows(&uneven), rows(&x(numbers(&[], 0))), rows(&vec![])), (None, None, None));
    }

    #[test]
    fn an_output_of_other_rows_is_not_cut() {
        assert!(split(&Output::Tensor(numbers(&[4, 3], 0)), &[2, 1]).is_none());
        assert!(split(&Output::Tensor(numbers(&[], 0)), &[1]).is_none());
        assert!(split(&Output::Json(serde_json::json!({ "a": 1 })), &[1]).is_none());
    }
}
