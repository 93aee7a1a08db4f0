//! The engine's only source of randomness: a seeded generator that replays on every platform.

use std::time::Duration;

use rand_core::{Rng as _, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Draws from a seed. Integer arithmetic throughout, so that one seed is one story everywhere.
#[derive(Clone, Debug)]
pub(super) struct Rng(Xoshiro256PlusPlus);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Uniform in `0..span`.
    pub(super) fn up_to(&mut self, span: Duration) -> Duration {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanos))
    }

    /// Uniform in `low..high`.
    pub(super) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        low + self.up_to(high.saturating_sub(low))
    }

    /// `mean` times a uniform factor in `low..high` percent.
    pub(super) fn around(&mut self, mean: Duration, low: u32, high: u32) -> Duration {
        self.between(mean * low / 100, mean * high / 100)
    }

    /// Exponential with this mean; at most 45 times the mean, because 64 bits were drawn.
    pub(super) fn exponential(&mut self, mean: Duration) -> Duration {
        // ln 2 with 40 fractional bits.
        const LN_2: u128 = 762_123_384_786;
        let drawn = (u128::from(negative_log2(self.0.next_u64())) * LN_2) >> FRACTION_BITS;
        let nanos = (mean.as_nanos() * drawn) >> FRACTION_BITS;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Uniform in `0..count`; 0 when `count` is 0. The bias of one multiplication is below 2⁻³² for every count used here.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(count)) >> 64) as u64
    }
}

/// How many bits of [`negative_log2`] stand behind the point.
pub(super) const FRACTION_BITS: u32 = 40;

/// −log₂((h + ½) / 2⁶⁴) as a fixed-point number with [`FRACTION_BITS`] fractional bits.
///
/// The fraction comes out bit by bit: squaring a number between 1 and 2 doubles its logarithm, and
/// whether the square passes 2 is the next bit.
pub(super) fn negative_log2(hash: u64) -> u64 {
    let value = 2 * u128::from(hash) + 1;
    let whole = value.ilog2();
    let mut mantissa = if whole <= 63 { value << (63 - whole) } else { value >> (whole - 63) };
    let mut fraction = 0u64;
    for _ in 0..FRACTION_BITS {
        mantissa = (mantissa * mantissa) >> 63;
        let bit = mantissa >> 64;
        mantissa >>= bit;
        fraction = (fraction << 1) | (bit as u64);
    }
    (65 << FRACTION_BITS) - ((u64::from(whole) << FRACTION_BITS) | fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_agrees_with_the_floating_one() {
        for hash in [0, 1, 2, 12_345, 1 << 32, u64::MAX / 3, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let exact = 64.0 - ((hash as f64) + 0.5).log2();
            let ours = negative_log2(hash) as f64 / 2f64.powi(40);
            assert!((exact - ours).abs() < 1e-9, "{hash}: {exact} {ours}");
        }
    }

    #[test]
    fn draws_have_the_mean_they_claim() {
        let mut rng = Rng::new(1);
        let mean = Duration::from_secs(900);
        let total: Duration = (0..20_000).map(|_| rng.exponential(mean)).sum();
        let average = total.as_secs_f64() / 20_000.0;
        assert!((850.0..950.0).contains(&average), "{average}");

        let total: Duration = (0..20_000).map(|_| rng.up_to(mean)).sum();
        let average = total.as_secs_f64() / 20_000.0;
        assert!((440.0..460.0).contains(&average), "{average}");
    }

    #[test]
    fn one_seed_is_one_story() {
        let draws = |seed| {
            let mut rng = Rng::new(seed);
            [rng.below(1_000_000), rng.below(1_000_000), rng.below(1_000_000)]
        };
        // Published: a port of the engine must draw the same.
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
    }
}
