//! What a look at the disk finds.

/// What may be the matter with an entry of the file system.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// All is well.
    Private,
    /// It is there no more: it was removed after it was opened.
    Gone,
    /// It may be somebody else's doing, and what to do about that.
    Refused(String),
}
