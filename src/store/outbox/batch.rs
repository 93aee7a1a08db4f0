//! The next reports of one lane, ready to be sent.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::types::{Lane, ReportId, ReportKind, Series};

/// The oldest reports of one lane that wait, all of one series, with the body of the request that uploads them.
///
/// A batch is a copy: the reports wait on until [`Outbox::settle`](super::Outbox::settle). Numbers rise and may have gaps, where a report
/// could not be read.
///
/// The body has each report behind one line, and a line feed behind each report:
///
/// ```text
/// NUMBER KIND LENGTH\n
/// LENGTH bytes\n
/// ```
#[derive(Clone)]
pub struct Batch {
    lane: Lane,
    series: Series,
    body: Arc<[u8]>,
    frames: Arc<[Frame]>,
}

/// One report in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// Its name, the same whenever it is sent.
    pub id: ReportId,
    /// What it is about.
    pub kind: ReportKind,
    /// What the product submitted.
    pub body: &'a [u8],
}

#[derive(Debug)]
struct Frame {
    number: u64,
    kind: ReportKind,
    body: Range<usize>,
}

impl Batch {
    /// Where the reports wait.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// The series of all of them.
    pub fn series(&self) -> Series {
        self.series
    }

    /// The number of the first report.
    pub fn first(&self) -> u64 {
        self.frames.first().map_or(0, |frame| frame.number)
    }

    /// The number of the last report.
    pub fn last(&self) -> u64 {
        self.frames.last().map_or(0, |frame| frame.number)
    }

    /// How many reports there are; one at least.
    #[allow(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether the report of this number is in it.
    pub(super) fn has(&self, number: u64) -> bool {
        self.frames.binary_search_by_key(&number, |frame| frame.number).is_ok()
    }

    /// The body of the request, shared and not copied.
    pub fn body(&self) -> &Arc<[u8]> {
        &self.body
    }

    /// The reports one by one, oldest first, for a product with a wire protocol of its own.
    pub fn reports(&self) -> impl Iterator<Item = Waiting<'_>> {
        self.frames.iter().map(|frame| Waiting {
            id: ReportId { lane: self.lane, series: self.series, number: frame.number },
            kind: frame.kind,
            body: self.body.get(frame.body.clone()).unwrap_or_default(),
        })
    }
}

impl fmt::Debug for Batch {
    /// Without the reports, which may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first(), self.last());
        write!(f, "Batch({}/{}/{first}-{last}, {} bytes)", self.lane, self.series, self.body.len())
    }
}

/// What a report has in a batch beside its body, at least: `1 log 0`, and two line feeds.
pub(super) const LEAST_FRAME: usize = 9;

/// A batch that is being put together.
pub(super) struct Builder {
    lane: Lane,
    series: Series,
    body: Vec<u8>,
    frames: Vec<Frame>,
}

impl Builder {
    pub(super) fn new(lane: Lane, series: Series) -> Self {
        Self { lane, series, body: Vec::new(), frames: Vec::new() }
    }

    /// Adds a report, unless the body would be longer than this with it; the first one is added whatever its size.
    pub(super) fn push(&mut self, number: u64, kind: ReportKind, body: &[u8], at_most: usize) -> bool {
        let line = format!("{number} {} {}\n", kind.as_str(), body.len());
        let with = self.body.len() + line.len() + body.len() + 1;
        if !self.frames.is_empty() && with > at_most {
            return false;
        }
        self.body.reserve(line.len() + body.len() + 1);
        self.body.extend_from_slice(line.as_bytes());
        let start = self.body.len();
        self.body.extend_from_slice(body);
        self.frames.push(Frame { number, kind, body: start..self.body.len() });
        self.body.push(b'\n');
        true
    }

    pub(super) fn finish(self) -> Option<Batch> {
        let Self { lane, series, body, frames } = self;
        (!frames.is_empty()).then(|| Batch { lane, series, body: body.into(), frames: frames.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_each_report_behind_its_number_kind_and_length() {
        let mut builder = Builder::new(Lane::Critical, Series(1));
        assert!(builder.push(3, ReportKind::RiskFound, b"two\nlines", 1));
        assert!(!builder.push(5, ReportKind::Intrusion, b"", 39));
        assert!(builder.push(5, ReportKind::Intrusion, b"", 40));
        let batch = builder.finish().unwrap();
        assert_eq!(&batch.body()[..], b"3 risk_found 9\ntwo\nlines\n5 intrusion 0\n\n");
        assert_eq!((batch.first(), batch.last(), batch.len()), (3, 5, 2));
        let bodies: Vec<_> = batch.reports().map(|report| (report.id.number, report.body)).collect();
        assert_eq!(bodies, [(3, b"two\nlines".as_slice()), (5, b"")]);
        assert_eq!(format!("{batch:?}"), "Batch(critical/0000000000000001/3-5, 40 bytes)");
        assert!(Builder::new(Lane::Log, Series(1)).finish().is_none());
    }
}
