//! What a product reports to its management server, and the names a report has on the way.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The queues in which reports wait, in the order in which a heartbeat uploads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Uploaded at once. When it is full, a new report is refused, so that the caller knows.
    Critical,
    /// How the machine is. When it is full, the oldest report is dropped.
    Status,
    /// What happened. When it is full, the oldest report is dropped.
    Log,
    /// Applications that were seen for the first time. When it is full, the oldest report is dropped.
    Applications,
}

impl Lane {
    /// All of them, in the order in which they are uploaded.
    pub const ALL: [Self; 4] = [Self::Critical, Self::Status, Self::Log, Self::Applications];

    /// The name in paths and file names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Status => "status",
            Self::Log => "log",
            Self::Applications => "applications",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a report is about. This alone decides which reports are critical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// Malware or another risk was found. Critical.
    RiskFound,
    /// A tracking cookie was found: a risk by name, and not critical.
    CookieFound,
    /// An intrusion was attempted or blocked. Critical.
    Intrusion,
    /// Something of the system changed, such as a host file or the registry. Not critical.
    SystemChange,
    /// How the machine is.
    Status,
    /// Anything else that is worth a line in a log.
    Log,
    /// An application that ran. Its body names the application; the same body is reported once.
    Application,
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ReportKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::RiskFound,
        Self::CookieFound,
        Self::Intrusion,
        Self::SystemChange,
        Self::Status,
        Self::Log,
        Self::Application,
    ];

    /// Where a report of this kind waits.
    pub const fn lane(self) -> Lane {
        match self {
            Self::RiskFound | Self::Intrusion => Lane::Critical,
            Self::Status => Lane::Status,
            Self::CookieFound | Self::SystemChange | Self::Log => Lane::Log,
            Self::Application => Lane::Applications,
        }
    }

    /// The name in uploads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RiskFound => "risk_found",
            Self::CookieFound => "cookie_found",
            Self::Intrusion => "intrusion",
            Self::SystemChange => "system_change",
            Self::Status => "status",
            Self::Log => "log",
            Self::Application => "application",
        }
    }
}

/// One report. The body belongs to the product: any bytes, none included.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// What it is about.
    pub kind: ReportKind,
    /// What the server gets.
    pub body: Vec<u8>,
}

impl fmt::Debug for Report {
    /// Without the body, which may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("kind", &self.kind).field("bytes", &self.body.len()).finish()
    }
}

/// Names reports that were submitted between one opening of an outbox and the next. Random, so that a folder restored
/// from a backup never gives a number twice. Written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Series(pub u64);

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Names one report for ever: a report that is sent twice has the same id both times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ReportId {
    /// Where it waits.
    pub lane: Lane,
    /// In which opening of the outbox it was submitted.
    pub series: Series,
    /// Counts the reports of one lane, from 1 at each opening; rises within a series.
    pub number: u64,
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.lane, self.series, self.number)
    }
}

/// How much waits in a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Reports.
    pub reports: u64,
    /// Their bytes, 32 for each report included.
    pub bytes: u64,
}

/// When a submit returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// After the report was forced to the disk. The calling thread waits for the disk, and shares that wait with other threads.
    Durable,
    /// At once. A thread writes the report within moments; a crash before that loses it.
    Buffered,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Durable => "durable",
            Self::Buffered => "buffered",
        })
    }
}

/// Why a report was not taken, or not as safely as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The report is larger than any report may be, or than its lane can hold. It was not taken.
    #[error("the report has {bytes} bytes, and at most {most} are taken")]
    TooLarge {
        /// Bytes of its body.
        bytes: usize,
        /// The most a body of this lane may have.
        most: usize,
    },
    /// The lane is full, and it drops nothing to make room. The report was not taken.
    #[error("the lane `{lane}` is full: no server has taken its reports")]
    Full {
        /// Which lane.
        lane: Lane,
    },
    /// The report was taken and will be sent, but is in memory only: it is lost if the process ends before that. Submitting it again
    /// would send it twice.
    #[error("report {id} waits in memory only: {problem}")]
    NotDurable {
        /// Its name.
        id: ReportId,
        /// What is the matter with the disk.
        problem: String,
    },
    /// A callback or hook of the client must not wait for the disk. The report was not taken; submit it
    /// [`Buffered`](Durability::Buffered), or on another thread.
    #[error("a callback must not wait for the disk: submit buffered, or on another thread")]
    InCallback,
    /// Learning applications is off. The report was not taken.
    #[error("learning applications is off")]
    NotLearning,
    /// The same application was submitted before. There is nothing to do.
    #[error("the application was reported before")]
    AlreadyLearned,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_risk_other_than_a_cookie_and_any_intrusion_are_critical_and_nothing_else_is() {
        let critical: Vec<_> =
            ReportKind::ALL.into_iter().filter(|kind| kind.lane() == Lane::Critical).collect();
        assert_eq!(critical, [ReportKind::RiskFound, ReportKind::Intrusion]);
    }

    #[test]
    fn an_id_is_written_as_lane_series_and_number() {
        let id = ReportId { lane: Lane::Log, series: Series(0xabc), number: 7 };
        assert_eq!(id.to_string(), "log/0000000000000abc/7");
        let report = Report { kind: ReportKind::Log, body: b"secret".to_vec() };
        assert_eq!(format!("{report:?}"), "Report { kind: Log, bytes: 6 }");
    }
}
