//! Why an engine wants to be called.

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wake {
    /// Actions or events wait to be drained.
    Drain,
    /// A limit, a start, a probe or the end of a wait.
    Attachment,
    /// A heartbeat or a stream is due.
    Schedule,
    /// The reference servers are asked, or have had their time.
    Location,
    /// The budget of settings on trial is looked at.
    Trial,
}
