//! How long a request may take. Each request brings its own limits.

use std::time::Duration;

use crate::engine::tuning::attachment::Tuning;
use crate::types::{Listening, Purpose, Request};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// From the request to the first byte of its answer.
    pub(super) first_byte: Duration,
    /// From the request to the end of its answer. An event stream has opened by then, and may last for ever.
    pub(super) answer: Duration,
    /// From the look-up of the name to the end of the answer.
    pub(super) whole: Duration,
}

impl Limits {
    pub(super) fn of(request: &Request, tuning: &Tuning) -> Self {
        let (usual, whole) = (tuning.exchange_limit, tuning.attempt_limit);
        match request {
            // A server that is too slow to be used is no better one.
            Request::Heartbeat { purpose: Purpose::Probe } => {
                Self { first_byte: tuning.silence_most, answer: usual, whole }
            }
            Request::Heartbeat { purpose: Purpose::Attach { .. } | Purpose::Beat } => {
                Self { first_byte: usual, answer: usual, whole }
            }
            // What holds a stream back until it ends brings not even its first word.
            Request::Listen(Listening::Stream { .. }) => {
                Self { first_byte: tuning.hello_limit, answer: tuning.hello_limit, whole }
            }
            // It says hello at once, unless something holds that back with the rest.
            Request::Listen(Listening::Poll { wait }) => {
                let answer = *wait + tuning.hello_limit;
                Self { first_byte: answer, answer, whole: whole + answer }
            }
            Request::Settings { .. } | Request::Policy { .. } => {
                let answer = tuning.document_limit;
                Self { first_byte: usual, answer, whole: whole + answer }
            }
            // The product says how long it may take.
            Request::Call { within_ms, .. } => {
                let within = Duration::from_millis((*within_ms).into());
                Self { first_byte: within, answer: within, whole: within }
            }
            Request::Register(_) => Self { first_byte: usual, answer: usual, whole },
            // A batch that is too large for a slow line is sent again as half of it.
            Request::Upload { .. } => Self { first_byte: usual, answer: usual, whole },
        }
    }
}
