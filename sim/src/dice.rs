//! What is drawn.

use std::time::Duration;

/// Draws from a seed (SplitMix64): one number is one story.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// Uniform below `bound`, or 0 when that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Seconds between these, short ones as likely as long ones.
    pub fn span(&mut self, least: u64, most: u64) -> Duration {
        let doublings = (most as f64 / least as f64).log2();
        let part = self.below(1 << 20) as f64 / (1 << 20) as f64;
        Duration::from_secs_f64(least as f64 * (doublings * part).exp2())
    }
}
