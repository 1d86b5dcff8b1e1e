//! What of the processor decides whether ONNX Runtime's products of small integers are exact.

/// A processor, as far as quantised models are concerned.
///
/// On x86-64, ONNX Runtime multiplies uint8 with int8 by an instruction that adds two products in 16 bits and saturates
/// (`vpmaddubsw`), unless the processor has VNNI, which adds in 32 bits. 255 * 127 twice is 64770 and comes out as 32767.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Whether it is an x86-64.
    pub x86: bool,
    /// Whether it has VNNI, in either of its two forms (AVX-512 VNNI, AVX-VNNI).
    pub vnni: bool,
}

impl Processor {
    /// The one that this process runs on.
    #[must_use]
    pub fn this() -> Self {
        #[cfg(target_arch = "x86_64")]
        let this =
            Self { x86: true, vnni: is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni") };
        #[cfg(not(target_arch = "x86_64"))]
        let this = Self { x86: false, vnni: false };
        this
    }

    /// Whether sums of products of uint8 and int8 may saturate.
    #[must_use]
    pub const fn saturates(self) -> bool {
        self.x86 && !self.vnni
    }
}
