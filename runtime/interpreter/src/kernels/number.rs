//! Numbers of all types by one name, with the arithmetic that ONNX Runtime does on them: integers wrap around, half
//! precision is computed in float32 and rounded after each call.

use half::f16;

use crate::value::Element;

/// A number.
pub(crate) trait Number: Element + Copy + PartialOrd + Default {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// The caller has looked for zeros where [`Self::EXACT`] holds.
    fn over(self, other: Self) -> Self;
    fn zero() -> Self;
    fn one() -> Self;
    /// Whether it is no number.
    fn is_none(self) -> bool;
    /// Whether it is an integer type, in which nothing can be divided by zero.
    const EXACT: bool;

    /// The larger one; no number if either is none.
    fn larger(self, other: Self) -> Self {
        if self.is_none() || self > other { self } else { other }
    }

    /// The smaller one; no number if either is none.
    fn smaller(self, other: Self) -> Self {
        if self.is_none() || self < other { self } else { other }
    }
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        impl Number for $type {
            const EXACT: bool = true;
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn over(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_div(other) }
            }
            fn zero() -> Self {
                0
            }
            fn one() -> Self {
                1
            }
            fn is_none(self) -> bool {
                false
            }
        }
    )+};
}
integers!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! floats {
    ($($type:ty, $zero:expr, $one:expr);+) => {$(
        impl Number for $type {
            const EXACT: bool = false;
            fn plus(self, other: Self) -> Self {
                self + other
            }
            fn minus(self, other: Self) -> Self {
                self - other
            }
            fn times(self, other: Self) -> Self {
                self * other
            }
            fn over(self, other: Self) -> Self {
                self / other
            }
            fn zero() -> Self {
                $zero
            }
            fn one() -> Self {
                $one
            }
            fn is_none(self) -> bool {
                self.is_nan()
            }
        }
    )+};
}
floats!(f32, 0.0, 1.0; f64, 0.0, 1.0; f16, f16::ZERO, f16::ONE);

/// Goes from a type that is known when the model is loaded to code for it.
macro_rules! typed {
    ($ty:expr, [$($name:ident $type:ty),+ $(,)?], $alias:ident => $body:expr) => {
        match $ty {
            $($crate::value::Type::$name => {
                type $alias = $type;
                $body
            })+
            other => Err(format!("{} is not proved", other.name())),
        }
    };
}
pub(crate) use typed;
