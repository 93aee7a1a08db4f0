//! What a segment's file is called.

use std::fmt;
use std::str::FromStr;

use crate::types::{Lane, Series};

/// What a segment's file is called: lane, opening, series, and which file of that opening it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentName {
    pub(super) lane: Lane,
    /// Counts the openings of the folder.
    pub(super) opening: u32,
    /// Counts the files of one lane and opening.
    pub(super) count: u32,
    pub(super) series: Series,
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane, opening, series, count } = self;
        write!(f, "{lane}-{opening:08x}-{series}-{count:08x}")
    }
}

impl FromStr for SegmentName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let mut part = || parts.next().ok_or(());
        let (lane, opening, series, count) = (part()?, part()?, part()?, part()?);
        let lane = Lane::ALL.into_iter().find(|known| known.as_str() == lane).ok_or(())?;
        let digits = |text: &str| u64::from_str_radix(text, 16).map_err(drop);
        let name = Self {
            lane,
            opening: u32::try_from(digits(opening)?).map_err(drop)?,
            series: Series(digits(series)?),
            count: u32::try_from(digits(count)?).map_err(drop)?,
        };
        // One spelling for each name.
        if name.to_string() == text { Ok(name) } else { Err(()) }
    }
}
