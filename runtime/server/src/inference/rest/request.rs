//! A request for inference from the bytes of its body: JSON, and what is behind it.

use std::{borrow::Cow, fmt, time::Duration};

use trackside_spec::{ElementType, Tensor};

use super::{
    super::{
        backend::{InferRequest, Parameter, WantedOutput},
        failure::Failure,
        raw,
        shape::{self, input, shown},
    },
    elements,
    json::{Kind, Reader},
    keys::Keys,
};

/// Most inputs or outputs that one request names.
pub(crate) const MAX_TENSORS: usize = 1024;
/// Most parameters that are kept.
const MAX_PARAMETERS: usize = 64;

/// Reads a body. `json_length` is what `Inference-Header-Content-Length` says, above 0.
///
/// # Errors
/// TS-0750 with what is wrong, TS-0756 for what is not served.
pub(crate) fn read(body: &[u8], json_length: Option<usize>) -> Result<InferRequest, Failure> {
    let (json, behind) = match json_length {
        None => (body, &[][..]),
        Some(length) => body.split_at_checked(length).ok_or_else(|| {
            let came = body.len();
            Failure::invalid(format!(
                "Inference-Header-Content-Length says {length} bytes of JSON; the body has {came}"
            ))
        })?,
    };
    let mut request = Request { behind, ..Request::default() };
    let mut reader = Reader::new(json);
    request.read(&mut reader)?;
    reader.end()?;
    request.finish()
}

#[derive(Default)]
struct Request<'a> {
    /// Bytes behind the JSON that no input took yet.
    behind: &'a [u8],
    done: InferRequest,
    has_inputs: bool,
}

impl<'a> Request<'a> {
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), Failure> {
        object(reader, &"the request")?;
        let (mut is_first, mut keys) = (true, Keys::default());
        while let Some(key) = reader.key(&mut is_first)? {
            keys.take(&key, &["id", "parameters", "inputs", "outputs"], &"the request")?;
            match &*key {
                "id" if reader.kind()? == Kind::Null => reader.null()?,
                "id" => self.done.id = Some(text(reader, &"`id`")?.into_owned()),
                "parameters" => self.parameters(reader)?,
                "inputs" => {
                    self.has_inputs = true;
                    self.inputs(reader)?;
                }
                "outputs" => self.outputs(reader)?,
                // Some clients repeat the model's name here, and more.
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<InferRequest, Failure> {
        if !self.has_inputs {
            return Err(Failure::invalid("the request has no `inputs`, an array with one object for each input"));
        }
        if !self.behind.is_empty() {
            let left = self.behind.len();
            let why = "Content-Length, Inference-Header-Content-Length and binary_data_size do not agree";
            return Err(Failure::invalid(format!("{left} bytes are left behind the inputs: {why}")));
        }
        Ok(self.done)
    }

    fn parameters(&mut self, reader: &mut Reader<'a>) -> Result<(), Failure> {
        for_each_parameter(reader, &"`parameters`", &mut |name, value| take_parameter(&mut self.done, name, value))
    }

    fn inputs(&mut self, reader: &mut Reader<'a>) -> Result<(), Failure> {
        array(reader, &"`inputs`")?;
        let mut is_first = true;
        while reader.another(&mut is_first)? {
            if self.done.inputs.len() == MAX_TENSORS {
                return Err(Failure::invalid(format!("there are more than {MAX_TENSORS} inputs")));
            }
            let (name, tensor) = self.input(reader)?;
            if self.done.inputs.iter().any(|(known, _)| *known == name) {
                return Err(Failure::invalid(format!("{} is there twice", input(&name))));
            }
            self.done.inputs.push((name, tensor));
        }
        Ok(())
    }

    fn input(&mut self, reader: &mut Reader<'a>) -> Result<(String, Tensor), Failure> {
        let index = self.done.inputs.len();
        object(reader, &format_args!("inputs[{index}]"))?;
        let mut head = Head::default();
        head.read(reader, index)?;
        let Head { name, dims, datatype, binary, data } = head;
        let missing = |what: &str| match &name {
            Some(name) => Failure::invalid(format!("{} has no `{what}`", input(name))),
            None => Failure::invalid(format!("inputs[{index}] has no `{what}`")),
        };
        let Some(name) = &name else { return Err(missing("name")) };
        let dims = dims.ok_or_else(|| missing("shape"))?;
        let element = shape::element(name, &datatype.ok_or_else(|| missing("datatype"))?)?;
        let (shape, count) = shape::checked(name, &dims)?;
        let tensor = match (data, binary) {
            (Data::None, None) => {
                let why = "neither `data` nor the parameter binary_data_size";
                return Err(Failure::invalid(format!("{} has {why}", input(name))));
            }
            (Data::Here(_) | Data::Read(_), Some(_)) => {
                return Err(Failure::invalid(format!("{} has both `data` and binary_data_size", input(name))));
            }
            (Data::None, Some(size)) => self.behind(name, element, shape, count, size)?,
            (Data::Read(tensor), None) => tensor,
            // It stood before its shape or its type.
            (Data::Here(place), None) => elements::read(&mut Reader::at(reader, place), name, element, shape, count)?,
        };
        Ok((name.to_string(), tensor))
    }

    /// The next bytes behind the JSON.
    fn behind(
        &mut self,
        name: &str,
        element: ElementType,
        shape: Vec<u32>,
        count: usize,
        size: u64,
    ) -> Result<Tensor, Failure> {
        let left = self.behind.len();
        let split = usize::try_from(size).ok().and_then(|size| self.behind.split_at_checked(size));
        let (bytes, rest) = split.ok_or_else(|| {
            let why = format!("binary_data_size says {size} bytes; {left} are left behind the JSON");
            Failure::invalid(format!("{}: {why}", input(name)))
        })?;
        self.behind = rest;
        raw::read(name, element, shape, count, bytes)
    }

    fn outputs(&mut self, reader: &mut Reader<'a>) -> Result<(), Failure> {
        if reader.kind()? == Kind::Null {
            return reader.null();
        }
        array(reader, &"`outputs`")?;
        let mut is_first = true;
        while reader.another(&mut is_first)? {
            let index = self.done.outputs.len();
            if index == MAX_TENSORS {
                return Err(Failure::invalid(format!("there are more than {MAX_TENSORS} outputs")));
            }
            let output = output(reader, index)?;
            if self.done.outputs.iter().any(|known| known.name == output.name) {
                return Err(Failure::invalid(format!("output {:?} is asked for twice", shown(&output.name))));
            }
            self.done.outputs.push(output);
        }
        Ok(())
    }
}

/// What an input says of itself.
#[derive(Default)]
struct Head<'a> {
    name: Option<Cow<'a, str>>,
    dims: Option<Vec<i64>>,
    datatype: Option<Cow<'a, str>>,
    binary: Option<u64>,
    data: Data,
}

#[derive(Default)]
enum Data {
    #[default]
    None,
    /// It begins there.
    Here(usize),
    Read(Tensor),
}

impl<'a> Head<'a> {
    fn read(&mut self, reader: &mut Reader<'a>, index: usize) -> Result<(), Failure> {
        let (mut is_first, mut keys) = (true, Keys::default());
        while let Some(key) = reader.key(&mut is_first)? {
            let known = ["name", "datatype", "shape", "parameters", "data"];
            keys.take(&key, &known, &format_args!("inputs[{index}]"))?;
            match &*key {
                "name" => self.name = Some(text(reader, &format_args!("inputs[{index}].name"))?),
                "datatype" => self.datatype = Some(text(reader, &format_args!("inputs[{index}].datatype"))?),
                "shape" => self.dims = Some(dims(reader, index)?),
                "parameters" => self.parameters(reader, index)?,
                "data" => self.data(reader)?,
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    /// Reads `data` if it is known what it is, and keeps its place otherwise.
    fn data(&mut self, reader: &mut Reader<'a>) -> Result<(), Failure> {
        if let (Some(name), Some(dims), Some(datatype)) = (&self.name, &self.dims, &self.datatype) {
            let element = shape::element(name, datatype)?;
            let (shape, count) = shape::checked(name, dims)?;
            self.data = Data::Read(elements::read(reader, name, element, shape, count)?);
        } else {
            self.data = Data::Here(reader.place());
            reader.skip()?;
        }
        Ok(())
    }

    fn parameters(&mut self, reader: &mut Reader<'a>, index: usize) -> Result<(), Failure> {
        for_each_parameter(reader, &format_args!("inputs[{index}].parameters"), &mut |name, value| match name {
            "binary_data_size" => match value {
                Parameter::Uint(size) => {
                    self.binary = Some(size);
                    Ok(())
                }
                _ => Err(Failure::invalid(format!(
                    "inputs[{index}]: binary_data_size is a whole number of bytes, 0 or more"
                ))),
            },
            name if name.starts_with("shared_memory") => Err(shared_memory()),
            _ => Ok(()),
        })
    }
}

/// Shared memory is not served.
pub(crate) fn shared_memory() -> Failure {
    Failure::unsupported("shared memory is not served; send the tensor in the request")
}

fn dims(reader: &mut Reader<'_>, index: usize) -> Result<Vec<i64>, Failure> {
    let what = format_args!("inputs[{index}].shape");
    array(reader, &what)?;
    let (mut is_first, mut dims) = (true, Vec::new());
    while reader.another(&mut is_first)? {
        if reader.kind()? != Kind::Number {
            return Err(Failure::invalid(format!("{what} has {}; sizes are whole numbers", reader.kind()?.name())));
        }
        let text = reader.number()?;
        let dim = text
            .parse()
            .map_err(|_| Failure::invalid(format!("{what} has {}; sizes are whole numbers of 64 bits", shown(text))))?;
        if dims.len() > shape::MAX_RANK {
            return Err(Failure::invalid(format!("{what} has more than {} dimensions", shape::MAX_RANK)));
        }
        dims.push(dim);
    }
    Ok(dims)
}

fn output(reader: &mut Reader<'_>, index: usize) -> Result<WantedOutput, Failure> {
    object(reader, &format_args!("outputs[{index}]"))?;
    let (mut is_first, mut found, mut keys) = (true, None, Keys::default());
    let mut output = WantedOutput { name: String::new(), binary: None, classification: 0 };
    while let Some(key) = reader.key(&mut is_first)? {
        keys.take(&key, &["name", "parameters"], &format_args!("outputs[{index}]"))?;
        match &*key {
            "name" => found = Some(text(reader, &format_args!("outputs[{index}].name"))?.into_owned()),
            "parameters" => {
                for_each_parameter(reader, &format_args!("outputs[{index}].parameters"), &mut |name, value| {
                    take_output_parameter(&mut output, name, value)
                })?;
            }
            _ => reader.skip()?,
        }
    }
    output.name = found.ok_or_else(|| Failure::invalid(format!("outputs[{index}] has no `name`")))?;
    Ok(output)
}

/// A parameter of a wanted output.
pub(crate) fn take_output_parameter(output: &mut WantedOutput, name: &str, value: Parameter) -> Result<(), Failure> {
    match (name, value) {
        ("binary_data", Parameter::Bool(binary)) => output.binary = Some(binary),
        ("binary_data", _) => return Err(Failure::invalid("binary_data of an output is true or false")),
        ("classification", value) => {
            output.classification = whole(&value).and_then(|count| u32::try_from(count).ok()).ok_or_else(|| {
                Failure::invalid("classification of an output is the number of classes, a whole number of 0 or more")
            })?;
        }
        (name, _) if name.starts_with("shared_memory") => return Err(shared_memory()),
        _ => {}
    }
    Ok(())
}

/// A parameter of a request.
pub(crate) fn take_parameter(request: &mut InferRequest, name: &str, value: Parameter) -> Result<(), Failure> {
    match name {
        "binary_data_output" => match value {
            Parameter::Bool(binary) => request.binary_default = binary,
            _ => return Err(Failure::invalid("the parameter binary_data_output is true or false")),
        },
        "priority" => {
            let why = "the parameter priority is a whole number, 1 the highest, 0 for the model's default";
            request.priority = whole(&value).ok_or_else(|| Failure::invalid(why))?;
        }
        "timeout" => {
            let why = "the parameter timeout is a whole number of microseconds, 0 for none";
            let micros = whole(&value).ok_or_else(|| Failure::invalid(why))?;
            request.timeout = (micros > 0).then(|| Duration::from_micros(micros));
        }
        _ if request.parameters.len() < MAX_PARAMETERS => request.parameters.push((name.to_owned(), value)),
        _ => return Err(Failure::invalid(format!("there are more than {MAX_PARAMETERS} parameters"))),
    }
    Ok(())
}

/// A whole number of 0 or more; some clients write them as texts.
fn whole(value: &Parameter) -> Option<u64> {
    match value {
        Parameter::Uint(number) => Some(*number),
        Parameter::Int(number) => u64::try_from(*number).ok(),
        Parameter::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// Hands on the parameters that are plain values; others have no meaning here.
fn for_each_parameter(
    reader: &mut Reader<'_>,
    what: &dyn fmt::Display,
    take: &mut impl FnMut(&str, Parameter) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if reader.kind()? == Kind::Null {
        return reader.null();
    }
    object(reader, what)?;
    let (mut is_first, mut keys) = (true, Keys::default());
    while let Some(key) = reader.key(&mut is_first)? {
        keys.take(&key, &[], what)?;
        let value = match reader.kind()? {
            Kind::Bool => Parameter::Bool(reader.boolean()?),
            Kind::Text => Parameter::Text(reader.text()?.into_owned()),
            Kind::Number => number(reader.number()?),
            Kind::Object | Kind::Array | Kind::Null => {
                reader.skip()?;
                continue;
            }
        };
        take(&key, value)?;
    }
    Ok(())
}

fn number(text: &str) -> Parameter {
    if let Ok(number) = text.parse() {
        Parameter::Uint(number)
    } else if let Ok(number) = text.parse() {
        Parameter::Int(number)
    } else {
        Parameter::Double(text.parse().unwrap_or(f64::NAN))
    }
}

fn text<'a>(reader: &mut Reader<'a>, what: &dyn fmt::Display) -> Result<Cow<'a, str>, Failure> {
    match reader.kind()? {
        Kind::Text => reader.text(),
        kind => Err(another(reader, kind, what, "a string")),
    }
}

fn object(reader: &mut Reader<'_>, what: &dyn fmt::Display) -> Result<(), Failure> {
    let kind = reader.kind()?;
    if reader.take(b'{') { Ok(()) } else { Err(another(reader, kind, what, "an object")) }
}

fn array(reader: &mut Reader<'_>, what: &dyn fmt::Display) -> Result<(), Failure> {
    let kind = reader.kind()?;
    if reader.take(b'[') { Ok(()) } else { Err(another(reader, kind, what, "an array")) }
}

/// A value of another kind, unless it is none at all.
#[cold]
fn another(reader: &mut Reader<'_>, kind: Kind, what: &dyn fmt::Display, needed: &str) -> Failure {
    match reader.skip() {
        Ok(()) => Failure::invalid(format!("{what} is {}; {needed} is needed", kind.name())),
        Err(broken) => broken,
    }
}
