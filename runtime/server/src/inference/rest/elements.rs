//! `data` of an input: flat, or nested as the shape says, read straight into the tensor's bytes.

use trackside_spec::{ElementType, Tensor};

use super::{
    super::{
        datatype,
        failure::Failure,
        shape::{checked_texts, input, wrong_count},
    },
    json::{Kind, Reader},
};

/// The largest whole number up to which every one is a float64.
const EXACT: f64 = (1u64 << 53) as f64;

/// The tensor of this type and shape that the next value is.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    name: &str,
    element: ElementType,
    shape: Vec<u32>,
    count: usize,
) -> Result<Tensor, Failure> {
    macro_rules! numbers {
        ($type:ty) => {{
            let mut bytes = Vec::with_capacity(likely(reader, count) * size_of::<$type>());
            let elements = &mut Elements { name, element, shape: &shape, count, read: 0 };
            elements.all(reader, &mut |reader| {
                let number: $type = Number::read(reader).map_err(|why| why.of(name, element))?;
                bytes.extend_from_slice(&number.to_le_bytes());
                Ok(())
            })?;
            Tensor::from_bytes(element, shape, bytes)
        }};
    }
    let tensor = match element {
        ElementType::Float16 | ElementType::Bfloat16 => {
            let what = datatype::name(element);
            let why = format!("{what} has no form in JSON; send it as binary data (binary_data_size)");
            return Err(Failure::invalid(format!("{}: {why}", input(name))));
        }
        ElementType::Text => {
            checked_texts(name, element, count)?;
            let mut texts = Vec::with_capacity(likely(reader, count));
            let elements = &mut Elements { name, element, shape: &shape, count, read: 0 };
            elements.all(reader, &mut |reader| {
                if reader.kind()? != Kind::Text {
                    return Err(Unfit::at(reader)?.of(name, element));
                }
                texts.push(reader.text()?.into_owned());
                Ok(())
            })?;
            Tensor::from_text(shape, texts)
        }
        ElementType::Boolean => {
            let mut bytes = Vec::with_capacity(likely(reader, count));
            let elements = &mut Elements { name, element, shape: &shape, count, read: 0 };
            elements.all(reader, &mut |reader| {
                let flag = match reader.kind()? {
                    Kind::Bool => reader.boolean()?,
                    Kind::Number => u8::read(reader)
                        .and_then(
                            |number| if number > 1 { Err(Unfit::Value(number.to_string())) } else { Ok(number == 1) },
                        )
                        .map_err(|why| why.of(name, element))?,
                    _ => return Err(Unfit::at(reader)?.of(name, element)),
                };
                bytes.push(u8::from(flag));
                Ok(())
            })?;
            Tensor::from_bytes(element, shape, bytes)
        }
        ElementType::Uint8 => numbers!(u8),
        ElementType::Uint16 => numbers!(u16),
        ElementType::Uint32 => numbers!(u32),
        ElementType::Uint64 => numbers!(u64),
        ElementType::Int8 => numbers!(i8),
        ElementType::Int16 => numbers!(i16),
        ElementType::Int32 => numbers!(i32),
        ElementType::Int64 => numbers!(i64),
        ElementType::Float32 => numbers!(f32),
        ElementType::Float64 => numbers!(f64),
    };
    tensor.map_err(|error| Failure::invalid(format!("{}: {error}", input(name))))
}

/// How many elements there can be: each takes two bytes of the body, but for the last.
fn likely(reader: &Reader<'_>, count: usize) -> usize {
    count.min(reader.left() / 2 + 1)
}

/// The walk over the arrays.
struct Elements<'a> {
    name: &'a str,
    element: ElementType,
    shape: &'a [u32],
    count: usize,
    read: usize,
}

impl Elements<'_> {
    fn all(
        &mut self,
        reader: &mut Reader<'_>,
        one: &mut impl FnMut(&mut Reader<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if !reader.take(b'[') {
            // A scalar may be bare.
            if self.shape.is_empty() && reader.kind()? != Kind::Object {
                return one(reader);
            }
            let kind = reader.kind()?.name();
            return Err(self.refuse(&format!("its data is {kind}; an array is needed")));
        }
        match reader.peek()? {
            b'[' if self.shape.len() > 1 => self.nested(reader, 0, one)?,
            _ => self.flat(reader, self.count, one)?,
        }
        Ok(())
    }

    /// All elements of an array whose bracket was taken.
    #[inline]
    fn flat(
        &mut self,
        reader: &mut Reader<'_>,
        count: usize,
        one: &mut impl FnMut(&mut Reader<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (mut is_first, mut read) = (true, 0);
        while reader.another(&mut is_first)? {
            if read == count {
                let mut more = 0u64;
                loop {
                    reader.skip()?;
                    more += 1;
                    if !reader.another(&mut is_first)? {
                        break;
                    }
                }
                return Err(self.miscounted(count, read as u64 + more));
            }
            one(reader)?;
            read += 1;
        }
        if read < count {
            return Err(self.miscounted(count, read as u64));
        }
        self.read += read;
        Ok(())
    }

    fn nested(
        &mut self,
        reader: &mut Reader<'_>,
        depth: usize,
        one: &mut impl FnMut(&mut Reader<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let length = self.shape[depth] as usize;
        if depth + 1 == self.shape.len() {
            return self.flat(reader, length, one);
        }
        let (mut is_first, mut read) = (true, 0);
        while reader.another(&mut is_first)? {
            if read == length {
                return Err(self.refuse(&format!(
                    "an array of its dimension {depth} has more than the {length} elements that the shape says"
                )));
            }
            if !reader.take(b'[') {
                let kind = reader.kind()?.name();
                return Err(
                    self.refuse(&format!("dimension {} of its data has {kind} where an array is needed", depth + 1))
                );
            }
            self.nested(reader, depth + 1, one)?;
            read += 1;
        }
        // Without elements nothing need be said of the dimensions further in.
        if read < length && !(read == 0 && self.count == 0) {
            return Err(self.refuse(&format!(
                "an array of its dimension {depth} has {read} elements where the shape says {length}"
            )));
        }
        Ok(())
    }

    fn miscounted(&self, count: usize, came: u64) -> Failure {
        if count == self.count {
            return wrong_count(self.name, self.element, self.shape, count as u64, "elements", came);
        }
        self.refuse(&format!("an array of its last dimension has {came} elements where the shape says {count}"))
    }

    fn refuse(&self, why: &str) -> Failure {
        Failure::invalid(format!("{}: {why}", input(self.name)))
    }
}

/// Why a value is no element.
enum Unfit {
    /// What it is.
    Value(String),
    /// The body is broken there.
    Broken(Failure),
}

impl From<Failure> for Unfit {
    fn from(failure: Failure) -> Self {
        Self::Broken(failure)
    }
}

impl Unfit {
    /// The value that comes next.
    #[cold]
    fn at(reader: &mut Reader<'_>) -> Result<Self, Failure> {
        let kind = reader.kind()?;
        let start = reader.place();
        Ok(Self::Value(match kind {
            Kind::Object | Kind::Array => kind.name().to_owned(),
            _ => {
                reader.skip()?;
                String::from_utf8_lossy(reader.since(start)).chars().take(40).collect()
            }
        }))
    }

    #[cold]
    fn of(self, name: &str, element: ElementType) -> Failure {
        match self {
            Self::Broken(failure) => failure,
            Self::Value(value) => {
                let what = datatype::name(element);
                Failure::invalid(format!("{}: {} is no {what}", input(name), value.trim()))
            }
        }
    }
}

/// A number that JSON can hold.
trait Number: Sized {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit>;
}

/// The text of the next number; one that is no number is told.
#[inline]
fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Unfit> {
    match reader.kind()? {
        Kind::Number => Ok(reader.number()?),
        _ => Err(Unfit::at(reader)?),
    }
}

macro_rules! whole {
    ($($type:ty),*) => {$(
        impl Number for $type {
            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
                let text = text(reader)?;
                if let Ok(number) = text.parse() {
                    return Ok(number);
                }
                fractional(text).and_then(|number| Self::try_from(number).ok()).ok_or_else(|| unfit(text))
            }
        }
    )*};
}

whole!(u8, u16, u32, u64, i8, i16, i32, i64);

/// A whole number that is written `3.0` or `1e3`, or `-0`.
#[cold]
fn fractional(text: &str) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() <= EXACT && text.contains(['.', 'e', 'E', '-'])).then_some(number as i64)
}

macro_rules! float {
    ($($type:ty),*) => {$(
        impl Number for $type {
            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
                if reader.kind()? == Kind::Text {
                    let word = reader.text()?;
                    return match &*word {
                        "NaN" => Ok(Self::NAN),
                        "Infinity" => Ok(Self::INFINITY),
                        "-Infinity" => Ok(Self::NEG_INFINITY),
                        _ => Err(unfit(&word)),
                    };
                }
                let text = text(reader)?;
                match text.parse::<Self>() {
                    Ok(number) if number.is_finite() || !text.ends_with(|last: char| last.is_ascii_digit()) => Ok(number),
                    _ => Err(unfit(text)),
                }
            }
        }
    )*};
}

float!(f32, f64);

#[cold]
fn unfit(text: &str) -> Unfit {
    Unfit::Value(text.chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(element: ElementType, dims: &[u32], data: &str) -> Result<Tensor, Failure> {
        let mut reader = Reader::new(data.as_bytes());
        let tensor = read(&mut reader, "x", element, dims.to_vec(), Tensor::count(dims).unwrap())?;
        reader.end()?;
        Ok(tensor)
    }

    fn bytes<const N: usize>(element: ElementType, dims: &[u32], data: &str) -> Vec<[u8; N]> {
        tensor(element, dims, data).unwrap().data().as_chunks::<N>().0.to_vec()
    }

    #[test]
    fn flat_and_nested_are_the_same() {
        let flat = tensor(ElementType::Int16, &[2, 3], "[1, 2,3,4,5,6]").unwrap();
        assert_eq!(tensor(ElementType::Int16, &[2, 3], "[[1,2,3],[4,5,6]]").unwrap(), flat);
        assert_eq!(tensor(ElementType::Int16, &[1, 1, 1], "[[[7]]]").unwrap().data(), [7, 0]);
        assert_eq!(tensor(ElementType::Int16, &[], "[7]").unwrap(), tensor(ElementType::Int16, &[], "7").unwrap());
        for data in ["[]", "[[],[]]"] {
            assert!(tensor(ElementType::Text, &[2, 0], data).unwrap().is_empty());
        }
        assert!(tensor(ElementType::Float32, &[0, 4], "[]").unwrap().is_empty());
    }

    #[test]
    fn whole_numbers_are_exact_to_the_last() {
        let all = "[-9223372036854775808,9223372036854775807,9007199254740993]";
        let read = bytes::<8>(ElementType::Int64, &[3], all).into_iter().map(i64::from_le_bytes).collect::<Vec<_>>();
        assert_eq!(read, [i64::MIN, i64::MAX, (1 << 53) + 1]);
        let most = bytes::<8>(ElementType::Uint64, &[1], "[18446744073709551615]");
        assert_eq!(u64::from_le_bytes(most[0]), u64::MAX);
        assert_eq!(bytes::<1>(ElementType::Uint8, &[3], "[3.0,1e2,-0]"), [[3], [100], [0]]);
    }

    #[test]
    fn floats_are_those_nearest_and_may_be_none() {
        let read = bytes::<4>(ElementType::Float32, &[6], r#"[0.1,1,-1e-45,"NaN",Infinity,"-Infinity"]"#);
        let read: Vec<_> = read.into_iter().map(f32::from_le_bytes).collect();
        assert_eq!(read[..3], [0.1, 1.0, -1e-45]);
        assert!(read[3].is_nan() && read[4] == f32::INFINITY && read[5] == f32::NEG_INFINITY);
        let read = bytes::<8>(ElementType::Float64, &[2], "[0.1,1.7976931348623157e308]");
        assert_eq!(read.into_iter().map(f64::from_le_bytes).collect::<Vec<_>>(), [0.1, f64::MAX]);
    }

    #[test]
    fn booleans_are_words_or_0_and_1() {
        assert_eq!(tensor(ElementType::Boolean, &[4], "[true,false,1,0]").unwrap().data(), [1, 0, 1, 0]);
    }

    #[test]
    fn texts_are_unescaped() {
        let texts = tensor(ElementType::Text, &[3], r#"["", "a\u0000\n", "é😀"]"#).unwrap();
        assert_eq!(texts.text(), ["", "a\0\n", "é😀"]);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        for (element, dims, data, part) in [
            (ElementType::Float32, &[2, 3][..], "[1,2,3,4,5]", "FP32[2,3] needs 6 elements, 5 came"),
            (ElementType::Float32, &[2], "[1,2,3,[4]]", "needs 2 elements, 4 came"),
            (ElementType::Float32, &[2, 2], "[[1,2],[3]]", "last dimension has 1 elements where the shape says 2"),
            (ElementType::Float32, &[2, 2], "[[1,2]]", "dimension 0 has 1 elements where the shape says 2"),
            (ElementType::Float32, &[1, 2], "[[1,2],[3,4]]", "more than the 1 elements"),
            (ElementType::Float32, &[2, 1], "[[1],2]", "a number where an array is needed"),
            (ElementType::Float32, &[1], "[[1]]", "an array is no FP32"),
            (ElementType::Float32, &[1], "[null]", "null is no FP32"),
            (ElementType::Float32, &[1], "[1e39]", "1e39 is no FP32"),
            (ElementType::Float32, &[1], "[\"abc\"]", "abc is no FP32"),
            (ElementType::Float64, &[1], "[1e999]", "1e999 is no FP64"),
            (ElementType::Uint8, &[1], "[256]", "256 is no UINT8"),
            (ElementType::Uint8, &[1], "[-1]", "-1 is no UINT8"),
            (ElementType::Int64, &[1], "[9223372036854775808]", "9223372036854775808 is no INT64"),
            (ElementType::Int64, &[1], "[1.5]", "1.5 is no INT64"),
            (ElementType::Int64, &[1], "[1e17]", "1e17 is no INT64"),
            (ElementType::Int64, &[1], "[NaN]", "NaN is no INT64"),
            (ElementType::Boolean, &[1], "[2]", "2 is no BOOL"),
            (ElementType::Text, &[1], "[1]", "1 is no BYTES"),
            (ElementType::Float16, &[1], "[1]", "no form in JSON"),
            (ElementType::Bfloat16, &[1], "[1]", "binary_data_size"),
            (ElementType::Float32, &[1], "{}", "an object; an array is needed"),
            (ElementType::Float32, &[4_000_000_000], "[1]", "needs 4000000000 elements, 1 came"),
        ] {
            let text = tensor(element, dims, data).unwrap_err().to_string();
            assert!(text.contains("input \"x\"") && text.contains(part), "{data}: {text}");
        }
    }
}
