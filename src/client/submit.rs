//! What a product reports.

use super::Client;
use crate::store::outbox::Outbox;
use crate::types::{Durability, Report, ReportId, SubmitError};

impl Client {
    /// Takes a report for the management server, and returns its name. It waits in the [outbox](Self::outbox) until a server
    /// has acknowledged it, however long that takes and whichever server that is: it arrives at least once, always under the same name.
    ///
    /// A critical report ([`ReportKind::lane`](crate::types::ReportKind::lane)) leaves at once where the settings say
    /// `upload_critical_immediately`, which is the default: the first of a burst by itself, those that follow together, once
    /// a second. All others follow the next heartbeat, in the order of [`Lane::ALL`](crate::types::Lane::ALL).
    /// [`Event::Uploaded`](crate::engine::Event::Uploaded) tells what a server has taken.
    ///
    /// With [`Durability::Durable`] the calling thread waits until the report is on the disk; the client's thread never does.
    /// After the client has stopped, a report waits for the next client with this outbox.
    ///
    /// # Errors
    /// After [`SubmitError::NotDurable`] the report waits in memory and will be sent; after every other error it was not
    /// taken. In a callback or hook of the client nothing can be submitted durably: [`SubmitError::InCallback`].
    pub fn submit(&self, report: Report, durability: Durability) -> Result<ReportId, SubmitError> {
        if durability == Durability::Durable && self.shared.ending.is_here() {
            return Err(SubmitError::InCallback);
        }
        self.shared.reports.outbox().submit(report, durability)
    }

    /// The outbox: what waits in it, and what became of every report.
    pub fn outbox(&self) -> &Outbox {
        self.shared.reports.outbox()
    }
}
