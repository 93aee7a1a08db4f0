//! How much a server may send before it is given up.

use std::time::Duration;

/// The most a peer may make the agent take in. Everything a server sends is held in memory against
/// one of these numbers; going beyond is a failure of class `limit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one head: status line and fields. Default 16 KiB, twice what common servers
    /// accept themselves, so nothing legitimate comes near it.
    pub head_bytes: usize,
    /// Header fields of one answer. Default 100, as in most servers. At most 128 are ever parsed.
    pub head_fields: usize,
    /// Interim (1xx) answers before the final one. Default 8: one is common, more than two are not.
    pub interim_answers: u32,
    /// Bytes of one body. Default 1 MiB: the bodies of heartbeats are the product's small messages.
    pub body_bytes: usize,
    /// Bytes of one entity tag in `Homing-Settings` or `Homing-Policy`. Default 256; a hash in any
    /// spelling is below 130.
    pub tag_bytes: usize,
    /// How often the progress of an answer is looked at once it began. Default 5 s: long enough to
    /// ride out a retransmission or two.
    pub drip_window: Duration,
    /// Bytes an unfinished answer must bring within each window. Default 1,280, that is 256 bytes a
    /// second, a tenth of what the slowest mobile network gives.
    pub drip_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 16 * 1024,
            head_fields: 100,
            interim_answers: 8,
            body_bytes: 1024 * 1024,
            tag_bytes: 256,
            drip_window: Duration::from_secs(5),
            drip_bytes: 1280,
        }
    }
}
