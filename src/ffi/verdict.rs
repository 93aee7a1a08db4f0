//! What a policy says of a chain, as C holds it.

use crate::trust::{Accepted, RejectReason, Time};

/// Whether a chain is believed; if not, why and what to do. It never changes; any thread may read it.
pub struct homing_judgement {
    pub(super) verdict: Result<Accepted, RejectReason>,
    /// The time at which it was judged.
    pub(super) time: Time,
    pub(super) text: String,
    pub(super) advice: String,
}

impl homing_judgement {
    pub(super) fn new(verdict: Result<Accepted, RejectReason>, time: Time) -> Self {
        let (text, advice) = match &verdict {
            Ok(_) => Default::default(),
            Err(reason) => (reason.to_string(), reason.explain().into_owned()),
        };
        Self { verdict, time, text, advice }
    }
}
