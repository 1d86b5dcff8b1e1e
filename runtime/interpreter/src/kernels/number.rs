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
    /// The nearest float64.
    fn wide(self) -> f64;
    /// A float64 as this type: floats are rounded, integers cut off and held to their range, and what is no number is
    /// the smallest one.
    fn near(wide: f64) -> Self;
    /// What no number is below.
    fn below() -> Self;
    /// What no number is above.
    fn above() -> Self;
    /// Whether it is no number.
    fn is_none(self) -> bool;
    /// The smallest number that is not infinite.
    const LEAST: Self;
    /// The largest number that is not infinite.
    const MOST: Self;
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
            const LEAST: Self = <$type>::MIN;
            const MOST: Self = <$type>::MAX;
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
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless, reason = "the nearest value is wanted")]
            fn wide(self) -> f64 {
                self as f64
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is held to the range")]
            fn near(wide: f64) -> Self {
                if wide.is_nan() { Self::MIN } else { wide as Self }
            }
            fn below() -> Self {
                Self::MIN
            }
            fn above() -> Self {
                Self::MAX
            }
            fn is_none(self) -> bool {
                false
            }
        }
    )+};
}
integers!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! floats {
    ($($type:ty, $zero:expr, $one:expr, $wide:expr, $near:expr);+) => {$(
        impl Number for $type {
            const LEAST: Self = <$type>::MIN;
            const MOST: Self = <$type>::MAX;
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
            fn wide(self) -> f64 {
                $wide(self)
            }
            fn near(wide: f64) -> Self {
                $near(wide)
            }
            fn below() -> Self {
                Self::NEG_INFINITY
            }
            fn above() -> Self {
                Self::INFINITY
            }
            fn is_none(self) -> bool {
                self.is_nan()
            }
        }
    )+};
}
floats!(
    f32, 0.0, 1.0, f64::from, |x| x as f32;
    f64, 0.0, 1.0, |x| x, |x| x;
    f16, f16::ZERO, f16::ONE, f16::to_f64, f16::from_f64
);

/// Goes from a type that is known when the model is loaded to code for it.
macro_rules! typed {
    ($ty:expr, [$($name:ident $type:ty),+ $(,)?], $alias:ident => $body:expr) => {
        match $ty {
            $($crate::value::Type::$name => {
                type $alias = $type;
                $body
            })+
            #[allow(unreachable_patterns, reason = "where every type is named")]
            other => $crate::unsupported::unsupported(format!("{} is not proved", other.name())),
        }
    };
}
pub(crate) use typed;
