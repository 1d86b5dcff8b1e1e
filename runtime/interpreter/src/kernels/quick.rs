//! Functions in a form that compilers turn into vector code, as ONNX Runtime computes them.

/// The hyperbolic tangent as a quotient of polynomials; beyond 9 it is 1 in float32.
#[expect(clippy::excessive_precision, reason = "as the approximation was published")]
pub(crate) fn tanh(x: f32) -> f32 {
    // What is no number stays none.
    let x = x.clamp(-9.0, 9.0);
    let square = x * x;
    let mut above = square * -2.760_768_477_423_55e-16 + 2.000_187_904_824_77e-13;
    above = above * square - 8.604_671_522_137_35e-11;
    above = above * square + 5.122_297_090_371_14e-8;
    above = above * square + 1.485_722_357_179_79e-5;
    above = above * square + 6.372_619_288_754_36e-4;
    above = above * square + 4.893_524_558_917_86e-3;
    let mut below = square * 1.198_258_394_667_02e-6 + 1.185_347_056_866_54e-4;
    below = below * square + 2.268_434_632_439_00e-3;
    below = below * square + 4.893_525_185_543_85e-3;
    above * x / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_near_and_keeps_what_is_no_number() {
        assert!(tanh(f32::NAN).is_nan());
        assert_eq!(tanh(-0.0).to_bits(), (-0.0_f32).to_bits());
        for x in (-2000..=2000_i16).map(|x| f32::from(x) / 100.0).chain([f32::INFINITY, f32::NEG_INFINITY, 1e-30]) {
            let right = f64::from(x).tanh();
            assert!((f64::from(tanh(x)) - right).abs() <= 1e-6 * right.abs(), "{x}");
        }
    }
}
