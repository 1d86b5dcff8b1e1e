//! Does the model do on this engine what it should?
//!
//! With a sample: the same numbers within `|a - b| <= atol + rtol * |b|`, as NumPy's `allclose` has it, where the sample may say both
//! and they are 1e-4 and 1e-3 otherwise; whole numbers, booleans and text exactly. Without one: made-up input of the declared shape must
//! give finite numbers.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use trackside_codes::{Class, Reason};

use trackside_spec::{ByteSize, ElementType, Tensor};
use trackside_sync::CancelToken;

use crate::engines::{Ran, RunFailure, Runner};
use crate::error::ModelError;
use crate::output::{Output, OutputPort};
use crate::port::{Port, arrange, signature};
use crate::stop::Stop;
use crate::tensor_io::{self, SafetensorsFile, TensorLimits};

/// How far numbers may lie from those of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tolerance {
    relative: f64,
    absolute: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { relative: 1e-3, absolute: 1e-4 }
    }
}

/// The keys of a sample's metadata that say them.
const RTOL: &str = "rtol";
const ATOL: &str = "atol";

/// The key of a sample's metadata that says which engine made its outputs, as `onnxruntime 1.32.0`.
pub const MADE_ON: &str = "engine";
/// Most characters of it that are kept.
const MAX_MADE_ON: usize = 100;

/// Sizes tried for dimensions that the file leaves open, after 1.
const PLAUSIBLE: [u32; 8] = [2, 4, 8, 16, 32, 64, 224, 512];
/// Most elements of one made-up input.
const MAX_ELEMENTS: usize = 1 << 22;

/// Inputs and the outputs that belong to them.
pub(crate) struct Sample {
    /// Which engine made the outputs, when the file says so.
    pub(crate) made_on: Option<String>,
    tolerance: Tolerance,
    pub(crate) inputs: Vec<(String, Tensor)>,
    outputs: Vec<(String, Tensor)>,
}

impl Sample {
    /// Reads a safetensors file with tensors `in.NAME` and `out.NAME`; those of texts lie in its metadata.
    pub(crate) fn read(path: &Path, most: ByteSize) -> Result<Self, ModelError> {
        let fail = |reason: Reason| ModelError::Sample { path: path.to_owned(), reason };
        let size = fs::metadata(path).map_err(|error| fail(Reason::disk(error)))?.len();
        if size > most.as_bytes() {
            let reason = format!("it has {size} bytes; {most} are taken (`golden` in [model_limits])");
            return Err(fail(reason.into()));
        }
        let file = tensor_io::read_safetensors_file(path, &TensorLimits { bytes: most, ..TensorLimits::default() })
            .and_then(|file| file.with_texts(|key| key.starts_with("in.") || key.starts_with("out.")))
            .map_err(|error| fail(Reason::of(error)))?;
        let SafetensorsFile { tensors, metadata } = file;
        let made_on = metadata.get(MADE_ON).map(|text| text.trim().chars().take(MAX_MADE_ON).collect::<String>());
        let made_on = made_on.filter(|text| !text.is_empty());
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for (name, tensor) in tensors {
            match (name.strip_prefix("in."), name.strip_prefix("out.")) {
                (Some(input), _) => inputs.push((input.to_owned(), tensor)),
                (_, Some(output)) => outputs.push((output.to_owned(), tensor)),
                _ => return Err(fail(format!("its tensor {name:?} is neither in.NAME nor out.NAME").into())),
            }
        }
        if outputs.is_empty() {
            return Err(fail("it holds no out.NAME tensor to compare with".into()));
        }
        let said = |key: &str, usual: f64| match metadata.get(key) {
            None => Ok(usual),
            Some(text) => match text.trim().parse() {
                Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
                _ => {
                    let text: String = text.chars().take(40).collect();
                    Err(fail(format!("{key} in its metadata is {text:?}; it must be a number from 0 to 1").into()))
                }
            },
        };
        let Tolerance { relative, absolute } = Tolerance::default();
        let tolerance = Tolerance { relative: said(RTOL, relative)?, absolute: said(ATOL, absolute)? };
        Ok(Self { made_on, tolerance, inputs, outputs })
    }
}

/// A model on an engine, to be tested.
pub(crate) struct SelfTest<'a> {
    pub(crate) runner: &'a dyn Runner,
    pub(crate) inputs: &'a [Port],
    pub(crate) outputs: &'a [OutputPort],
    /// The longest that it may take.
    pub(crate) limit: Duration,
}

/// What a model did not do.
pub(crate) enum Failed {
    /// End in time.
    Endless(Reason),
    /// Run, or give what it should.
    Wrong(Reason),
}

impl Failed {
    fn told(self, tell: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Endless(reason) => Self::Endless(reason.told(tell)),
            Self::Wrong(reason) => Self::Wrong(reason.told(tell)),
        }
    }
}

impl SelfTest<'_> {
    /// Compares with a sample.
    ///
    /// # Errors
    /// What differs most, and where.
    pub(crate) fn on_sample(&self, sample: &Sample) -> Result<(), Failed> {
        let inputs = arrange(self.inputs, sample.inputs.clone())
            .map_err(|(name, why)| Failed::Wrong(why.told(|why| format!("in.{name}: {why}"))))?;
        let ran = self.run(inputs, Instant::now() + self.limit)?;
        for (name, expected) in &sample.outputs {
            let given = self.outputs.iter().zip(&ran.outputs).find(|(port, _)| port.name() == name);
            let (_, given) =
                given.ok_or_else(|| Failed::Wrong(format!("out.{name}: the model has no such output").into()))?;
            let Output::Tensor(given) = given else {
                return Err(Failed::Wrong(format!("out.{name}: the model gives no tensor there; leave it out").into()));
            };
            compare(given, expected, sample.tolerance)
                .map_err(|why| Failed::Wrong(why.told(|why| format!("output {name:?}: {why}"))))?;
        }
        Ok(())
    }

    /// Runs on made-up input, and gives it.
    ///
    /// # Errors
    /// What the last attempt came to.
    pub(crate) fn on_made_up_input(&self) -> Result<Vec<(String, Tensor)>, Failed> {
        let deadline = Instant::now() + self.limit;
        let first = match self.attempt(1, deadline) {
            Err(Failed::Wrong(reason)) => reason,
            other => return other,
        };
        let open = |port: &Port| port.shape.as_ref().is_none_or(|shape| shape.iter().any(Option::is_none));
        if self.needed().any(open) {
            for size in PLAUSIBLE {
                match self.attempt(size, deadline) {
                    Err(Failed::Wrong(_)) => {}
                    other => return other,
                }
            }
        }
        // The first reason is the one worth reading: it is about the smallest input.
        Err(Failed::Wrong(first))
    }

    /// The inputs that something must be made up for.
    fn needed(&self) -> impl Iterator<Item = &Port> {
        self.inputs.iter().filter(|port| !port.optional)
    }

    fn attempt(&self, size: u32, deadline: Instant) -> Result<Vec<(String, Tensor)>, Failed> {
        let mut random = SplitMix(0x7261_636b_7369_6465);
        let made_up = |port: &Port| if port.optional { Ok(None) } else { made_up(port, size, &mut random).map(Some) };
        let inputs: Vec<_> = self.inputs.iter().map(made_up).collect::<Result<_, _>>().map_err(Failed::Wrong)?;
        let shapes: Vec<_> = inputs.iter().flatten().map(signature).collect();
        let shapes =
            if shapes.is_empty() { String::new() } else { format!("on made-up input {}: ", shapes.join(", ")) };
        let on = |why: &str| format!("{shapes}{why}");
        let named =
            self.inputs.iter().zip(&inputs).filter_map(|(port, tensor)| Some((port.name.clone(), tensor.clone()?)));
        let named = named.collect();
        let ran = self.run(inputs, deadline).map_err(|failed| failed.told(on))?;
        for (port, output) in self.outputs.iter().zip(&ran.outputs) {
            plausible(port, output)
                .map_err(|why| Failed::Wrong(why.told(|why| on(&format!("output {:?}: {why}", port.name())))))?;
        }
        Ok(named)
    }

    fn run(&self, inputs: Vec<Option<Tensor>>, deadline: Instant) -> Result<Ran, Failed> {
        let all: Vec<usize> = (0..self.outputs.len()).collect();
        let stop = Stop { deadline: Some(deadline), cancel: &CancelToken::new() };
        self.runner.run(inputs, &all, stop).map_err(|failure| match failure {
            RunFailure::Stopped(_, note) => {
                let note = if note.is_empty() { note } else { format!(" ({note})") };
                let limit = self.limit.as_secs_f32();
                let words = format!("it did not end within {limit} s, the limit of a run ([limits] wall){note}");
                Failed::Endless(Reason::new(Class::TooSlow, words))
            }
            RunFailure::Input(index, reason) => {
                let name = self.inputs.get(index).map(|port| port.name.as_str()).unwrap_or_default();
                Failed::Wrong(reason.told(|reason| format!("input {name:?}: {reason}")))
            }
            RunFailure::Failed(reason) => Failed::Wrong(reason),
        })
    }
}

fn plausible(port: &OutputPort, output: &Output) -> Result<(), Reason> {
    let tensor = match (port, output) {
        // Its shape is not held against the declared one: exporters write one dimension where two come.
        (OutputPort::Tensor(_), Output::Tensor(tensor)) => tensor,
        (OutputPort::Json(port), Output::Json(value)) => {
            let floating = matches!(port.form.element(), ElementType::Float32 | ElementType::Float64);
            let odd = floating && tensor_io::has_odd_number(value);
            return if odd { Err("a number in it is not finite".into()) } else { Ok(()) };
        }
        (port, _) => return Err(format!("{} is declared, something else came", port.signature()).into()),
    };
    let odd = tensor_io::to_f64(tensor).unwrap_or_default().iter().position(|value| !value.is_finite());
    odd.map_or(Ok(()), |position| Err(format!("element {position} is not finite").into()))
}

/// Input that no model should choke on: floats in [0, 1), whole numbers and booleans 0 or 1, text `a`.
fn made_up(port: &Port, size: u32, random: &mut SplitMix) -> Result<Tensor, Reason> {
    // An open first dimension is nearly always the batch, and 1 is the batch that every model takes.
    let dims = port.shape.clone().unwrap_or_else(|| vec![None, None]);
    let sized =
        |(place, dim): (usize, &Option<u32>)| dim.unwrap_or(if place == 0 && dims.len() > 1 { 1 } else { size });
    let shape: Vec<u32> = dims.iter().enumerate().map(sized).collect();
    let count = Tensor::count(&shape).ok().filter(|count| *count <= MAX_ELEMENTS);
    let count = count.ok_or_else(|| format!("its shape {shape:?} is too large to make up"))?;
    if port.element == ElementType::Text {
        return Tensor::from_text(shape, vec!["a".to_owned(); count]).map_err(|error| Reason::by(Class::Bug, error));
    }
    let mut data = Vec::with_capacity(count * port.element.size().unwrap_or(1));
    for _ in 0..count {
        let unit = random.unit();
        let whole = u8::from(unit >= 0.5);
        match port.element {
            ElementType::Float32 => data.extend_from_slice(&(unit as f32).to_le_bytes()),
            ElementType::Float64 => data.extend_from_slice(&unit.to_le_bytes()),
            ElementType::Float16 => data.extend_from_slice(&half::f16::from_f64(unit).to_le_bytes()),
            ElementType::Bfloat16 => data.extend_from_slice(&half::bf16::from_f64(unit).to_le_bytes()),
            other => {
                data.push(whole);
                data.extend(std::iter::repeat_n(0, other.size().unwrap_or(1) - 1));
            }
        }
    }
    Tensor::from_bytes(port.element, shape, data).map_err(|error| Reason::by(Class::Bug, error))
}

fn compare(given: &Tensor, expected: &Tensor, tolerance: Tolerance) -> Result<(), Reason> {
    if given.element() != expected.element() || given.shape() != expected.shape() {
        return Err(format!("{} is expected, {} came", signature(expected), signature(given)).into());
    }
    let floating = matches!(
        given.element(),
        ElementType::Float16 | ElementType::Bfloat16 | ElementType::Float32 | ElementType::Float64
    );
    if !floating {
        if given == expected {
            return Ok(());
        }
        let mut texts = given.text().iter().zip(expected.text()).enumerate();
        return Err(match texts.find(|(_, (a, b))| a != b) {
            Some((position, (a, b))) => {
                let short = |text: &str| text.chars().take(40).collect::<String>();
                let (a, b) = (short(a), short(b));
                format!("its texts must agree exactly; element {position} is {a:?} instead of {b:?}").into()
            }
            None => "its elements, which must agree exactly, differ".into(),
        });
    }
    let values = |tensor: &Tensor| tensor_io::to_f64(tensor).unwrap_or_default();
    let mut off = 0usize;
    let mut worst = (0, 0.0f64, 0.0, 0.0);
    for (position, (a, b)) in values(given).into_iter().zip(values(expected)).enumerate() {
        // An infinity or NaN that is expected must come; the tolerance of an infinity would allow everything.
        let same = a == b || (a.is_nan() && b.is_nan());
        let difference = if same { 0.0 } else { (a - b).abs() };
        let within = same || (b.is_finite() && difference <= tolerance.absolute + tolerance.relative * b.abs());
        if !within {
            off += 1;
            if off == 1 || difference.is_nan() || difference > worst.1 {
                worst = (position, difference, a, b);
            }
        }
    }
    if off == 0 {
        return Ok(());
    }
    let (position, difference, a, b) = worst;
    let count = given.len();
    Err(format!("{off} of {count} values differ, most at element {position}: {a} instead of {b} (by {difference:.3e})")
        .into())
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, seeded, the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}
