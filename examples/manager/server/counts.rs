//! What was asked of a manager.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use tokio_rustls::rustls::HandshakeKind;

/// Requests and connections since the start. `GET /stats` shows it as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// TCP connections accepted.
    pub(crate) connections: u64,
    /// TLS handshakes with the whole certificate chain.
    pub(crate) full_handshakes: u64,
    /// TLS handshakes that resumed an earlier session.
    pub(crate) resumed_handshakes: u64,
    /// TLS handshakes that the client broke off, or that failed.
    pub(crate) failed_handshakes: u64,
    /// Heartbeats with `Homing-Purpose: attach`.
    pub(crate) attach: u64,
    /// Heartbeats with `Homing-Purpose: beat`.
    pub(crate) beat: u64,
    /// Heartbeats with `Homing-Purpose: probe`.
    pub(crate) probe: u64,
    /// Attaches whose `Idempotency-Key` was seen before.
    pub(crate) repeated: u64,
    /// Requests for the settings.
    pub(crate) settings: u64,
    /// Requests for the policy.
    pub(crate) policy: u64,
    /// Event streams and polls.
    pub(crate) events: u64,
    /// Uploads of reports.
    pub(crate) uploads: u64,
    /// Reports in its books.
    pub(crate) reports: u64,
    /// Reports that came again, under the same numbers.
    pub(crate) repeated_reports: u64,
    /// Registrations.
    pub(crate) registrations: u64,
    /// Calls of products.
    pub(crate) calls: u64,
    /// Requests that the contract does not know.
    pub(crate) other: u64,
    /// Answers by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    #[serde(skip)]
    keys: VecDeque<String>,
}

/// More searches than are ever under way at one example server; an older key is forgotten.
const KEYS: usize = 1024;

impl Counts {
    pub(crate) fn handshake(&mut self, kind: Option<HandshakeKind>) {
        match kind {
            Some(HandshakeKind::Resumed) => self.resumed_handshakes += 1,
            Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) => self.full_handshakes += 1,
            None => self.failed_handshakes += 1,
        }
    }

    /// An attach with this key has arrived.
    pub(crate) fn key(&mut self, key: &str) {
        if self.keys.iter().any(|seen| seen == key) {
            self.repeated += 1;
            return;
        }
        if self.keys.len() == KEYS {
            self.keys.pop_front();
        }
        self.keys.push_back(key.to_owned());
    }

    pub(crate) fn answered(&mut self, status: u16) {
        *self.answers.entry(status).or_default() += 1;
    }
}
