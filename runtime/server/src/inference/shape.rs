//! Shapes as clients write them, checked before anything is made of them.

use trackside_spec::{ElementType, Tensor};

use super::{datatype, failure::Failure};

/// Most dimensions.
pub(crate) const MAX_RANK: usize = 32;

/// Most texts of one tensor: each takes 24 bytes beside its own, and three in a body.
pub(crate) const MAX_TEXTS: usize = 1 << 20;

/// That a tensor of this type may have so many elements.
pub(crate) fn checked_texts(name: &str, element: ElementType, count: usize) -> Result<(), Failure> {
    if element == ElementType::Text && count > MAX_TEXTS {
        let why = format!("{count} texts are more than one tensor may have, {MAX_TEXTS}");
        return Err(Failure::invalid(format!("{}: {why}", input(name))));
    }
    Ok(())
}

/// What is being read, for messages: `input "x"`.
pub(crate) fn input(name: &str) -> String {
    format!("input {:?}", shown(name))
}

/// A name that came from outside, cut to what a message can carry.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(100).collect()
}

/// The type of that name.
pub(crate) fn element(name: &str, datatype: &str) -> Result<ElementType, Failure> {
    datatype::of_name(datatype).ok_or_else(|| {
        let all = datatype::all();
        Failure::invalid(format!("{}: the datatype {:?} is none of {all}", input(name), shown(datatype)))
    })
}

/// A shape with the number of its elements. Nothing is made of that number yet: it may be more than came.
pub(crate) fn checked(name: &str, dims: &[i64]) -> Result<(Vec<u32>, usize), Failure> {
    let refuse = |why: String| Err(Failure::invalid(format!("{}: the shape {} {why}", input(name), listed(dims))));
    if dims.len() > MAX_RANK {
        return refuse(format!("has {} dimensions; {MAX_RANK} are the most", dims.len()));
    }
    let mut shape = Vec::with_capacity(dims.len());
    for dim in dims {
        match u32::try_from(*dim) {
            Ok(dim) => shape.push(dim),
            Err(_) if *dim < 0 => return refuse(format!("has the size {dim}; a size is 0 or more in a request")),
            Err(_) => return refuse(format!("has the size {dim}; {} is the largest", u32::MAX)),
        }
    }
    match Tensor::count(&shape) {
        Ok(count) => Ok((shape, count)),
        Err(_) => refuse("has more elements than fit into memory".to_owned()),
    }
}

/// `[1,12]`, its first dimensions where there are many.
pub(crate) fn listed(dims: &[i64]) -> String {
    let first: Vec<_> = dims.iter().take(8).map(i64::to_string).collect();
    let more = if dims.len() > 8 { ",…" } else { "" };
    format!("[{}{more}]", first.join(","))
}

/// What a shape needs that came in another number.
pub(crate) fn wrong_count(
    name: &str,
    element: ElementType,
    dims: &[u32],
    needed: u64,
    unit: &str,
    came: u64,
) -> Failure {
    let dims: Vec<_> = dims.iter().map(|dim| i64::from(*dim)).collect();
    let what = datatype::name(element);
    Failure::invalid(format!("{}: {what}{} needs {needed} {unit}, {came} came", input(name), listed(&dims)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_can_not_be_are_refused_by_name() {
        assert_eq!(checked("x", &[2, 3]).unwrap(), (vec![2, 3], 6));
        assert_eq!(checked("x", &[]).unwrap(), (vec![], 1));
        assert_eq!(checked("x", &[0, 4_294_967_295]).unwrap().1, 0);
        for (dims, part) in [
            (&[-1, 2][..], "the size -1"),
            (&[1 << 62, 4], "4611686018427387904"),
            (&[4_294_967_295, 4_294_967_295, 4], "more elements"),
            (&[1; 33], "33 dimensions"),
        ] {
            let text = checked("x", dims).unwrap_err().to_string();
            assert!(text.contains("input \"x\"") && text.contains(part), "{text}");
        }
    }
}
