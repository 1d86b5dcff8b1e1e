//! Numbers that look random and are the same for the same seed.

/// A generator (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % u64::try_from(end.max(1)).unwrap()) as usize
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// A whole number of the kind that breaks things.
    pub fn whole(&mut self) -> i64 {
        match self.below(6) {
            0 => self.pick(&[i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, 1 << 62, -(1 << 62)]),
            1 => self.pick(&[1 << 31, -(1 << 31), (1 << 31) - 1, 1 << 32, 1 << 24, 1 << 20, 65_536, 1 << 40]),
            2 => self.pick(&[-1, -2, -3, -4, -5, -64]),
            _ => self.pick(&[0, 0, 1, 1, 2, 2, 3, 4, 5, 7, 8, 16, 31, 63, 100]),
        }
    }

    pub fn float(&mut self) -> f32 {
        self.pick(&[
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            f32::MIN_POSITIVE,
            1e-45,
            -0.0,
            0.0,
            0.5,
            1.0,
            -1.0,
            2.0,
            3.5,
            1e9,
            -1e9,
            1e20,
        ])
    }
}
