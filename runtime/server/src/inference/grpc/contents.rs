//! Tensors in the messages of gRPC: raw bytes, or lists of their type.

use trackside_spec::{ElementType, Tensor};

use super::super::{
    backend::{InferAnswer, InferRequest, Parameter, WantedOutput},
    datatype,
    failure::Failure,
    proto::{
        InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse, infer_parameter::ParameterChoice,
        model_infer_request::InferInputTensor, model_infer_response::InferOutputTensor,
    },
    raw,
    rest::request::{MAX_TENSORS, shared_memory, take_output_parameter, take_parameter},
    shape::{self, input, shown, wrong_count},
};

/// Reads a message.
///
/// # Errors
/// TS-0750 with what is wrong, TS-0756 for what is not served.
pub(crate) fn read(message: ModelInferRequest) -> Result<InferRequest, Failure> {
    let mut request = InferRequest { id: Some(message.id).filter(|id| !id.is_empty()), ..InferRequest::default() };
    for (name, value) in message.parameters {
        if let Some(value) = parameter(value) {
            take_parameter(&mut request, &name, value)?;
        }
    }
    let (inputs, raws) = (message.inputs, message.raw_input_contents);
    if inputs.len() > MAX_TENSORS || message.outputs.len() > MAX_TENSORS {
        return Err(Failure::invalid(format!("there are more than {MAX_TENSORS} inputs or outputs")));
    }
    let is_raw = !raws.is_empty();
    if is_raw && raws.len() != inputs.len() {
        let (raws, inputs) = (raws.len(), inputs.len());
        let why = "one for each input is needed, or none at all";
        return Err(Failure::invalid(format!("there are {raws} raw_input_contents for {inputs} inputs; {why}")));
    }
    let mut raws = raws.into_iter();
    for one in inputs {
        let (name, tensor) = tensor(one, raws.next(), is_raw)?;
        if request.inputs.iter().any(|(known, _)| *known == name) {
            return Err(Failure::invalid(format!("{} is there twice", input(&name))));
        }
        request.inputs.push((name, tensor));
    }
    for wanted in message.outputs {
        let mut output = WantedOutput { name: wanted.name, binary: None, classification: 0 };
        for (name, value) in wanted.parameters {
            if let Some(value) = parameter(value) {
                take_output_parameter(&mut output, &name, value)?;
            }
        }
        if request.outputs.iter().any(|known| known.name == output.name) {
            return Err(Failure::invalid(format!("output {:?} is asked for twice", shown(&output.name))));
        }
        request.outputs.push(output);
    }
    Ok(request)
}

fn tensor(one: InferInputTensor, raw: Option<Vec<u8>>, is_raw: bool) -> Result<(String, Tensor), Failure> {
    let InferInputTensor { name, datatype, shape: dims, parameters, contents } = one;
    if parameters.keys().any(|parameter| parameter.starts_with("shared_memory")) {
        return Err(shared_memory());
    }
    let element = shape::element(&name, &datatype)?;
    let (dims, count) = shape::checked(&name, &dims)?;
    let contents = contents.filter(|contents| *contents != InferTensorContents::default());
    let tensor = match (raw, contents) {
        (Some(_), Some(_)) if is_raw => {
            let why = "it has contents beside raw_input_contents; a request has the one or the other";
            return Err(Failure::invalid(format!("{}: {why}", input(&name))));
        }
        (Some(bytes), _) => owned(&name, element, dims, count, bytes)?,
        (None, contents) => typed(&name, element, dims, count, contents.unwrap_or_default())?,
    };
    Ok((name, tensor))
}

/// Of raw bytes that need not be copied.
fn owned(name: &str, element: ElementType, shape: Vec<u32>, count: usize, bytes: Vec<u8>) -> Result<Tensor, Failure> {
    match element.size() {
        Some(size) if element != ElementType::Boolean && bytes.len() == count * size => {
            Tensor::from_bytes(element, shape, bytes)
                .map_err(|error| Failure::invalid(format!("{}: {error}", input(name))))
        }
        _ => raw::read(name, element, shape, count, &bytes),
    }
}

fn typed(
    name: &str,
    element: ElementType,
    dims: Vec<u32>,
    count: usize,
    contents: InferTensorContents,
) -> Result<Tensor, Failure> {
    let lists = [
        ("bool_contents", contents.bool_contents.len()),
        ("int_contents", contents.int_contents.len()),
        ("int64_contents", contents.int64_contents.len()),
        ("uint_contents", contents.uint_contents.len()),
        ("uint64_contents", contents.uint64_contents.len()),
        ("fp32_contents", contents.fp32_contents.len()),
        ("fp64_contents", contents.fp64_contents.len()),
        ("bytes_contents", contents.bytes_contents.len()),
    ];
    let list = match element {
        ElementType::Boolean => "bool_contents",
        ElementType::Int8 | ElementType::Int16 | ElementType::Int32 => "int_contents",
        ElementType::Int64 => "int64_contents",
        ElementType::Uint8 | ElementType::Uint16 | ElementType::Uint32 => "uint_contents",
        ElementType::Uint64 => "uint64_contents",
        ElementType::Float32 => "fp32_contents",
        ElementType::Float64 => "fp64_contents",
        ElementType::Text => "bytes_contents",
        ElementType::Float16 | ElementType::Bfloat16 => {
            let what = datatype::name(element);
            return Err(Failure::invalid(format!("{}: {what} comes in raw_input_contents only", input(name))));
        }
    };
    if let Some((other, _)) = lists.iter().find(|(other, length)| *other != list && *length > 0) {
        let what = datatype::name(element);
        return Err(Failure::invalid(format!("{}: it has {other}; {what} comes in {list}", input(name))));
    }
    let came = lists.iter().map(|(_, length)| *length).sum::<usize>();
    shape::checked_texts(name, element, count)?;
    if came != count {
        return Err(wrong_count(name, element, &dims, count as u64, "elements", came as u64));
    }
    macro_rules! bytes {
        ($list:expr) => {
            $list.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
    }
    macro_rules! narrow {
        ($list:expr, $type:ty) => {{
            let mut bytes = Vec::with_capacity(count * size_of::<$type>());
            for value in &$list {
                let narrow = <$type>::try_from(*value).map_err(|_| {
                    Failure::invalid(format!("{}: {value} is no {}", input(name), datatype::name(element)))
                })?;
                bytes.extend_from_slice(&narrow.to_le_bytes());
            }
            bytes
        }};
    }
    let data: Vec<u8> = match element {
        ElementType::Boolean => contents.bool_contents.iter().map(|flag| u8::from(*flag)).collect(),
        ElementType::Int8 => narrow!(contents.int_contents, i8),
        ElementType::Int16 => narrow!(contents.int_contents, i16),
        ElementType::Int32 => bytes!(contents.int_contents),
        ElementType::Int64 => bytes!(contents.int64_contents),
        ElementType::Uint8 => narrow!(contents.uint_contents, u8),
        ElementType::Uint16 => narrow!(contents.uint_contents, u16),
        ElementType::Uint32 => bytes!(contents.uint_contents),
        ElementType::Uint64 => bytes!(contents.uint64_contents),
        ElementType::Float32 => bytes!(contents.fp32_contents),
        ElementType::Float64 => bytes!(contents.fp64_contents),
        ElementType::Float16 | ElementType::Bfloat16 | ElementType::Text => Vec::new(),
    };
    let made = if element == ElementType::Text {
        let mut texts = Vec::with_capacity(count);
        for (index, text) in contents.bytes_contents.into_iter().enumerate() {
            texts.push(String::from_utf8(text).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                Failure::invalid(format!("{}: element {index} is no UTF-8 at its byte {at}", input(name)))
            })?);
        }
        Tensor::from_text(dims, texts)
    } else {
        Tensor::from_bytes(element, dims, data)
    };
    made.map_err(|error| Failure::invalid(format!("{}: {error}", input(name))))
}

fn parameter(value: InferParameter) -> Option<Parameter> {
    Some(match value.parameter_choice? {
        ParameterChoice::BoolParam(value) => Parameter::Bool(value),
        ParameterChoice::Int64Param(value) => Parameter::Int(value),
        ParameterChoice::StringParam(value) => Parameter::Text(value),
        ParameterChoice::DoubleParam(value) => Parameter::Double(value),
        ParameterChoice::Uint64Param(value) => Parameter::Uint(value),
    })
}

fn choice(value: Parameter) -> InferParameter {
    let choice = match value {
        Parameter::Bool(value) => ParameterChoice::BoolParam(value),
        Parameter::Int(value) => ParameterChoice::Int64Param(value),
        Parameter::Text(value) => ParameterChoice::StringParam(value),
        Parameter::Double(value) => ParameterChoice::DoubleParam(value),
        Parameter::Uint(value) => ParameterChoice::Uint64Param(value),
    };
    InferParameter { parameter_choice: Some(choice) }
}

/// The message of an answer: all outputs raw, as all clients read them.
pub(crate) fn write(answer: InferAnswer, id: Option<String>) -> ModelInferResponse {
    let mut outputs = Vec::with_capacity(answer.outputs.len());
    let mut raws = Vec::with_capacity(answer.outputs.len());
    for (name, tensor) in answer.outputs {
        outputs.push(InferOutputTensor {
            name,
            datatype: datatype::name(tensor.element()).to_owned(),
            shape: tensor.shape().iter().map(|dim| i64::from(*dim)).collect(),
            ..InferOutputTensor::default()
        });
        let mut bytes = Vec::with_capacity(raw::size(&tensor));
        raw::write(&tensor, &mut bytes);
        raws.push(bytes);
    }
    ModelInferResponse {
        model_name: answer.model,
        model_version: answer.version,
        id: id.unwrap_or_default(),
        parameters: answer.parameters.into_iter().map(|(name, value)| (name, choice(value))).collect(),
        outputs,
        raw_output_contents: raws,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(datatype: &str, shape: &[i64], contents: Option<InferTensorContents>) -> InferInputTensor {
        let (name, datatype, shape) = ("x".to_owned(), datatype.to_owned(), shape.to_vec());
        InferInputTensor { name, datatype, shape, contents, ..InferInputTensor::default() }
    }

    fn message(inputs: Vec<InferInputTensor>, raws: &[&[u8]]) -> ModelInferRequest {
        let raw_input_contents = raws.iter().map(|raw| raw.to_vec()).collect();
        ModelInferRequest { inputs, raw_input_contents, ..ModelInferRequest::default() }
    }

    #[test]
    fn raw_and_typed_contents_are_the_same_tensor() {
        let typed = InferTensorContents { int_contents: vec![-1, 2], ..InferTensorContents::default() };
        let typed = read(message(vec![one("INT16", &[2], Some(typed))], &[])).unwrap();
        let raw = read(message(vec![one("INT16", &[2], None)], &[&[255, 255, 2, 0]])).unwrap();
        assert_eq!(typed, raw);
        let texts = InferTensorContents { bytes_contents: vec![b"a\0".to_vec()], ..InferTensorContents::default() };
        let typed = read(message(vec![one("BYTES", &[1], Some(texts))], &[])).unwrap();
        assert_eq!(typed, read(message(vec![one("BYTES", &[1], None)], &[&[2, 0, 0, 0, b'a', 0]])).unwrap());
        // Nothing of a tensor without elements is on the wire.
        assert!(read(message(vec![one("FP32", &[0, 4], None)], &[])).unwrap().inputs[0].1.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let floats = || Some(InferTensorContents { fp32_contents: vec![1.0], ..InferTensorContents::default() });
        let wide = Some(InferTensorContents { int_contents: vec![300], ..InferTensorContents::default() });
        for (message, part) in [
            (message(vec![one("FP32", &[1], floats())], &[&[0; 4]]), "beside raw_input_contents"),
            (message(vec![one("FP32", &[1], None)], &[&[0; 4], &[0; 4]]), "2 raw_input_contents for 1 inputs"),
            (message(vec![one("FP32", &[2], floats())], &[]), "FP32[2] needs 2 elements, 1 came"),
            (message(vec![one("INT8", &[1], floats())], &[]), "it has fp32_contents; INT8 comes in int_contents"),
            (message(vec![one("INT8", &[1], wide)], &[]), "300 is no INT8"),
            (message(vec![one("FP16", &[1], None)], &[]), "raw_input_contents only"),
            (message(vec![one("FP32", &[1], None)], &[&[0; 5]]), "needs 4 bytes, 5 came"),
            (message(vec![one("FP32", &[1 << 62, 4], None)], &[&[0; 4]]), "4611686018427387904"),
            (message(vec![one("FP32", &[-1], None)], &[&[0; 4]]), "the size -1"),
            (message(vec![one("FP8", &[1], None)], &[&[0; 4]]), "FP8"),
            (message(vec![one("FP32", &[1], floats()), one("FP32", &[1], floats())], &[]), "twice"),
        ] {
            let text = read(message).unwrap_err().to_string();
            assert!(text.contains(part), "{text}");
        }
    }
}
