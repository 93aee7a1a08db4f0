//! A report that may be what a server cannot bear.

use crate::types::Series;

/// A report that was refused alone so often in a row may be what is wrong, and not the server. Whether it is, the report behind
/// it tells.
pub(super) const ENOUGH: u32 = 12;

/// The report behind it tells only right after a refusal, in seconds: later, the server may have become well in between.
pub(super) const AT_ONCE: u64 = 10;

/// The first report of a series, which was refused alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub(super) series: Series,
    pub(super) number: u64,
    pub(super) bytes: usize,
    /// How often in a row.
    pub(super) refusals: u32,
    /// The second of the last time.
    pub(super) at: u64,
}
