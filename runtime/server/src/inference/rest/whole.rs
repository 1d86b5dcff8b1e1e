//! Raw mode: the body is one tensor, and nothing else is said.

use trackside_spec::Tensor;

use super::super::{
    backend::{InferRequest, ModelMetadata, TensorInfo},
    failure::Failure,
    raw,
    shape::{input, listed},
};

/// The request that a body without JSON is: the model's only input, all outputs as bytes.
///
/// # Errors
/// When the model has more than one input, or its shape can not be told from the number of bytes.
pub(crate) fn request(metadata: &ModelMetadata, body: &[u8]) -> Result<InferRequest, Failure> {
    let [info] = metadata.inputs.as_slice() else {
        let (name, inputs) = (&metadata.name, metadata.inputs.len());
        return Err(Failure::invalid(format!(
            "a body without JSON (Inference-Header-Content-Length: 0) is for a model of one input; {name} has {inputs}"
        )));
    };
    let tensor = match info.element.size() {
        None => text(info, body)?,
        Some(size) => numbers(info, size, body)?,
    };
    Ok(InferRequest { inputs: vec![(info.name.clone(), tensor)], binary_default: true, ..InferRequest::default() })
}

/// One text, without its length.
fn text(info: &TensorInfo, body: &[u8]) -> Result<Tensor, Failure> {
    if info.shape.iter().any(|dim| !matches!(dim, -1 | 1)) {
        let shape = listed(&info.shape);
        return Err(Failure::invalid(format!(
            "{} is BYTES{shape}; a body without JSON is one text",
            input(&info.name)
        )));
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| Failure::invalid(format!("{}: the body is no UTF-8", input(&info.name))))?;
    let shape = vec![1; info.shape.len()];
    Tensor::from_text(shape, vec![text.to_owned()])
        .map_err(|error| Failure::invalid(format!("{}: {error}", input(&info.name))))
}

fn numbers(info: &TensorInfo, size: usize, body: &[u8]) -> Result<Tensor, Failure> {
    let refuse =
        |why: String| Err(Failure::invalid(format!("{} is {}: {why}", input(&info.name), listed(&info.shape))));
    let open = info.shape.iter().filter(|dim| **dim < 0).count();
    let mut shape = info.shape.clone();
    // The first of several is the batch, of one row.
    if open == 2
        && let [first @ -1, ..] = shape.as_mut_slice()
    {
        *first = 1;
    } else if open > 1 {
        return refuse(format!("of {open} open dimensions a body without JSON tells no sizes"));
    }
    let fixed = shape.iter().filter(|dim| **dim >= 0).try_fold(size as i64, |all, dim| all.checked_mul(*dim));
    let Some(fixed) = fixed.filter(|fixed| *fixed > 0) else {
        return refuse("a body without JSON can not have this shape".to_owned());
    };
    let bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
    if let Some(at) = shape.iter().position(|dim| *dim < 0)
        && bytes % fixed != 0
    {
        let one = if at == 0 { "a row".to_owned() } else { format!("each of dimension {at}") };
        return refuse(format!("{bytes} bytes came, and {one} takes {fixed}; send whole ones"));
    }
    for dim in &mut shape {
        if *dim < 0 {
            *dim = bytes / fixed;
        }
    }
    let (shape, count) = super::super::shape::checked(&info.name, &shape)?;
    raw::read(&info.name, info.element, shape, count, body)
}

#[cfg(test)]
mod tests {
    use trackside_spec::ElementType;

    use super::*;

    fn model(inputs: &[(ElementType, &[i64])]) -> ModelMetadata {
        let info = |(element, shape): &(ElementType, &[i64])| TensorInfo {
            name: "x".to_owned(),
            element: *element,
            shape: shape.to_vec(),
            optional: false,
        };
        ModelMetadata {
            name: "m".to_owned(),
            versions: vec!["1".to_owned()],
            platform: "onnx_onnxv1",
            inputs: inputs.iter().map(info).collect(),
            outputs: Vec::new(),
        }
    }

    fn shape(element: ElementType, declared: &[i64], body: &[u8]) -> Result<Vec<u32>, Failure> {
        let request = request(&model(&[(element, declared)]), body)?;
        assert!(request.binary_default);
        Ok(request.inputs[0].1.shape().to_vec())
    }

    #[test]
    fn the_open_dimension_is_told_by_the_bytes() {
        assert_eq!(shape(ElementType::Float32, &[-1, 2], &[0; 24]).unwrap(), [3, 2]);
        assert_eq!(shape(ElementType::Float32, &[-1, -1, 2], &[0; 24]).unwrap(), [1, 3, 2]);
        assert_eq!(shape(ElementType::Uint8, &[1, 4], &[0; 4]).unwrap(), [1, 4]);
        assert_eq!(shape(ElementType::Text, &[-1, 1], b"abc").unwrap(), [1, 1]);
    }

    #[test]
    fn what_can_not_be_told_is_refused() {
        for (element, declared, body, part) in [
            (ElementType::Float32, &[-1, 2][..], &[0u8; 23][..], "23 bytes came, and a row takes 8"),
            (ElementType::Float32, &[-1, 4], &[0; 5], "is [-1,4]: 5 bytes came, and a row takes 16"),
            (ElementType::Float32, &[-1, -1, 2], &[0; 23], "23 bytes came, and each of dimension 1 takes 8"),
            (ElementType::Float32, &[2, -1, -1], &[0; 24], "2 open dimensions"),
            (ElementType::Float32, &[3], &[0; 4], "needs 12 bytes, 4 came"),
            (ElementType::Float32, &[0, -1], &[0; 4], "can not have this shape"),
            (ElementType::Float32, &[i64::MAX, 4], &[0; 4], "can not have this shape"),
            (ElementType::Text, &[2], b"abc", "one text"),
        ] {
            let text = shape(element, declared, body).unwrap_err().to_string();
            assert!(text.contains(part), "{text}");
        }
        let two = model(&[(ElementType::Float32, &[1]), (ElementType::Float32, &[1])]);
        assert!(request(&two, &[0; 8]).unwrap_err().to_string().contains("m has 2"));
    }
}
