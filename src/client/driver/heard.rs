//! What happened, for the engine.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

#[allow(unused_imports, reason = "the documentation names it")]
use crate::engine::Input;
use crate::engine::{Command, NetworkChange, Reached, Turn};
use crate::net::Answer;
use crate::net::protocol::Announcement;
use crate::types::{
    Backlog, ExchangeId, Failure, Lane, LinkId, NetworkId, Outcome, ProbeId, Proof, QueryId, Request, Via,
};

/// Something the engine is to be told: [`Input`], owning what it lends.
pub(in crate::client) enum Heard {
    Timeout,
    Resumed,
    ClockStepped,
    Network(NetworkChange),
    OnNetwork(Option<NetworkId>),
    Command(Command),
    LookUp(QueryId, Turn),
    Resolved(QueryId, Result<Arc<[IpAddr]>, Failure>),
    Connected(LinkId, Via),
    Secured(LinkId, Proof, Option<Duration>),
    FirstByte(ExchangeId),
    /// A whole answer, to a heartbeat that covers the requests for one up to this.
    Answered {
        exchange: ExchangeId,
        request: Request,
        covers: u64,
        answer: Answer,
    },
    /// What was said to an exchange that listens; `None`: a sign that the server is there.
    Notice(ExchangeId, Option<Announcement>),
    /// An exchange ended of which there is nothing for the product.
    Done(ExchangeId, Outcome<'static>),
    Waiting(Lane, Backlog),
    Lost(LinkId, Failure),
    Probed(ProbeId, Result<Reached, Failure>),
    Remembered(u64),
    CannotRemember(u64),
}

impl Heard {
    pub(super) fn is_answer_to_heartbeat(&self) -> bool {
        matches!(self, Self::Answered { request: Request::Heartbeat { .. }, .. })
    }
}
