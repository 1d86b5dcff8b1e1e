//! The grid straight on the interpreter: what its table takes, it computes right. `TRACKSIDE_GRID` and
//! `TRACKSIDE_GRID_REPORT` as in main.rs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[allow(dead_code, reason = "each suite uses its part")]
mod archive;
#[allow(dead_code, reason = "counts that only the other runner asks for")]
mod cells;
#[allow(dead_code, reason = "each suite uses its part")]
mod compare;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use half::{bf16, f16};
use prost::Message;
use trackside_interpreter::proto::ModelProto;
use trackside_interpreter::{Data, Element, NoWeights, Program, ProgramError, Value};

use self::archive::{Cell, Tensor};
use self::cells::Verdict;
use self::compare::difference;

/// The longest that one cell may run.
const LIMIT: Duration = Duration::from_secs(20);
/// What the values of a cell may take.
const ROOM: usize = 1 << 30;

#[test]
fn what_the_table_takes_is_right() {
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/grid/small.zip");
    let path = std::env::var_os("TRACKSIDE_GRID").map_or(small, Into::into);
    cells::run(&path, || judge);
}

fn judge(cell: &Cell) -> Verdict {
    let model = match ModelProto::decode(&*cell.model) {
        Ok(model) => model,
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    let program = match Program::load(&model, &NoWeights) {
        Ok(program) => program,
        Err(refusals) => {
            let reason =
                |one: &trackside_interpreter::Refusal| format!("{} {}: {}", one.operator, one.opset, one.reason);
            let reasons: Vec<_> = refusals.iter().map(reason).collect();
            return Verdict::Refused(reasons.join("; "));
        }
    };
    let mut inputs = Vec::new();
    for input in program.inputs() {
        inputs.push(cell.inputs.iter().find(|tensor| tensor.name == input.name).map(to_value));
    }
    let end = Instant::now() + LIMIT;
    let given = match program.run(inputs, ROOM, &|| Instant::now() > end) {
        Ok(given) => given,
        Err(ProgramError::Failed(misfit)) => return Verdict::Failed(misfit.to_string()),
        Err(ProgramError::Stopped) => return Verdict::Failed("it did not end".to_owned()),
    };
    for ((name, _), value) in program.outputs().iter().zip(&given) {
        let expected = cell.outputs.iter().find(|tensor| tensor.name == *name);
        if let Some(difference) = expected.and_then(|expected| difference(&of_value(name, value), expected)) {
            return Verdict::Wrong(format!("{name}: {difference}"));
        }
    }
    Verdict::Right
}

fn to_value(tensor: &Tensor) -> Value {
    fn numbers<T: Element, const N: usize>(tensor: &Tensor, of: fn([u8; N]) -> T) -> Value {
        let elements = tensor.data.as_chunks::<N>().0.iter().map(|bytes| of(*bytes)).collect();
        Value::new(shape(tensor), elements).unwrap()
    }
    fn shape(tensor: &Tensor) -> Vec<usize> {
        tensor.shape.iter().map(|dim| *dim as usize).collect()
    }
    match &*tensor.r#type {
        "float32" => numbers(tensor, f32::from_le_bytes),
        "float64" => numbers(tensor, f64::from_le_bytes),
        "float16" => numbers(tensor, f16::from_le_bytes),
        "bfloat16" => numbers(tensor, bf16::from_le_bytes),
        "int8" => numbers(tensor, i8::from_le_bytes),
        "int16" => numbers(tensor, i16::from_le_bytes),
        "int32" => numbers(tensor, i32::from_le_bytes),
        "int64" => numbers(tensor, i64::from_le_bytes),
        "uint8" => numbers(tensor, u8::from_le_bytes),
        "uint16" => numbers(tensor, u16::from_le_bytes),
        "uint32" => numbers(tensor, u32::from_le_bytes),
        "uint64" => numbers(tensor, u64::from_le_bytes),
        "boolean" => numbers(tensor, |[byte]: [u8; 1]| byte != 0),
        _ => Value::new(shape(tensor), tensor.text.iter().map(|text| Arc::<str>::from(&**text)).collect()).unwrap(),
    }
}

fn of_value(name: &str, value: &Value) -> Tensor {
    macro_rules! bytes {
        ($elements:expr) => {
            $elements.iter().flat_map(|element| element.to_le_bytes()).collect()
        };
    }
    let mut text = Vec::new();
    let data = match value.data() {
        Data::F32(elements) => bytes!(elements),
        Data::F64(elements) => bytes!(elements),
        Data::F16(elements) => bytes!(elements),
        Data::BF16(elements) => bytes!(elements),
        Data::I8(elements) => bytes!(elements),
        Data::I16(elements) => bytes!(elements),
        Data::I32(elements) => bytes!(elements),
        Data::I64(elements) => bytes!(elements),
        Data::U8(elements) => bytes!(elements),
        Data::U16(elements) => bytes!(elements),
        Data::U32(elements) => bytes!(elements),
        Data::U64(elements) => bytes!(elements),
        Data::Bool(elements) => elements.iter().map(|element| u8::from(*element)).collect(),
        Data::Text(elements) => {
            text = elements.iter().map(|element| element.to_string()).collect();
            Vec::new()
        }
    };
    let shape = value.shape().iter().map(|dim| u32::try_from(*dim).unwrap()).collect();
    Tensor::new(name, value.ty().name(), shape, data, text)
}
