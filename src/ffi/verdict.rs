//! What a policy says of a chain, as C holds it.

use crate::trust::{Accepted, RejectReason};

/// Whether a chain is believed; if not, why and what to do. It never changes; any thread may read it.
pub struct homing_judgement {
    pub(super) verdict: Result<Accepted, RejectReason>,
    pub(super) text: String,
    pub(super) advice: String,
}

impl From<Result<Accepted, RejectReason>> for homing_judgement {
    fn from(verdict: Result<Accepted, RejectReason>) -> Self {
        let (text, advice) = match &verdict {
            Ok(_) => Default::default(),
            Err(reason) => (reason.to_string(), reason.explain().into_owned()),
        };
        Self { verdict, text, advice }
    }
}
