//! The account of a round: who was asked, and what each answered.

use std::net::IpAddr;
use std::time::Duration;

use super::finding::is_disbelief;
use super::question::{Names, Try, TryState};
use super::{Finding, LEAD, Round};
use crate::engine::Reached;
use crate::engine::event::span;
use crate::engine::location::evidence::{Asked, Evidence, Reply};
use crate::settings::Settings;
use crate::types::{Failure, FailureClass, Host, Moment};

impl Round {
    pub(in crate::engine::location) fn evidence(
        &self,
        now: Moment,
        settings: &Settings,
        finding: Finding,
    ) -> Evidence {
        let references = settings.reference_servers();
        let mut asked = Vec::new();
        if let Some((lead, one)) = self.lead.as_deref().zip(self.tries.iter().find(|one| one.server == LEAD))
        {
            let (reply, end) = self.reply(now, settings, one);
            asked.push(Asked {
                place: 0,
                server: written(&lead.server.host),
                port: one.port,
                wanted: lead.proof,
                reply,
                elapsed: span(end.since(one.started)),
            });
        }
        for (index, (server, reference)) in self.servers.iter().zip(references).enumerate() {
            let place = index + 1;
            let line = |port: u16, reply, elapsed| Asked {
                place,
                server: written(&reference.host),
                port,
                wanted: reference.proof,
                reply,
                elapsed: span(elapsed),
            };
            let ours: Vec<&Try> = self.tries.iter().filter(|one| usize::from(one.server) == index).collect();
            if let Names::Failed(failure) = &server.names {
                let port = reference.ports.first().copied().unwrap_or_default();
                let reply = Reply::NoAddress { detail: failure.to_string() };
                asked.push(line(port, reply, now.since(self.started)));
            } else if ours.is_empty() {
                let port = reference.ports.first().copied().unwrap_or_default();
                asked.push(line(port, Reply::NotAwaited {}, Duration::ZERO));
            }
            for one in ours {
                let (reply, end) = self.reply(now, settings, one);
                asked.push(line(one.port, reply, end.since(one.started)));
            }
        }
        let best = self.best.and_then(|index| {
            let (one, _) = self.answered().find(|(one, reached)| {
                usize::from(one.server) == index && self.shows(settings, one, reached).is_some()
            })?;
            let host = match references.get(index) {
                Some(reference) => &reference.host,
                None => &self.lead.as_deref()?.server.host,
            };
            Some(format!("{}:{}", written(host), one.port))
        });
        Evidence {
            trigger: self.trigger,
            finding,
            elapsed: span(now.since(self.started)),
            servers: references.len(),
            best,
            asked,
            control: self.control.report(),
        }
    }

    /// What came of one question, and when.
    fn reply(&self, now: Moment, settings: &Settings, one: &Try) -> (Reply, Moment) {
        match &one.state {
            TryState::Running(_) => (Reply::NotAwaited {}, now),
            TryState::Dropped { at } => (Reply::NotAwaited {}, *at),
            TryState::Silent { at } => (Reply::Silent {}, *at),
            TryState::Answered { reached, at } => {
                let counts = self.shows(settings, one, reached).is_some();
                let Reached { proof, via } = *reached;
                (Reply::Proved { proof, path: via.medium, counts }, *at)
            }
            TryState::Failed { failure, at } => (said(failure), *at),
        }
    }
}

/// A host as it stands before a port.
fn written(host: &Host) -> String {
    match host {
        Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        Host::Address(IpAddr::V4(_)) | Host::Name(_) => host.to_string(),
    }
}

fn said(failure: &Failure) -> Reply {
    let detail = failure.to_string();
    match failure.class() {
        FailureClass::LocalNetwork => Reply::NotSent { detail },
        _ if is_disbelief(failure) => Reply::NotBelieved { detail },
        FailureClass::NoAnswer | FailureClass::Silent => Reply::Silent {},
        FailureClass::Refused
        | FailureClass::Name
        | FailureClass::Certificate
        | FailureClass::ServerError
        | FailureClass::Throttled
        | FailureClass::NotAllowed
        | FailureClass::TooLarge
        | FailureClass::Misunderstood
        | FailureClass::WrongServer
        | FailureClass::Broken
        | FailureClass::Limit
        | FailureClass::Proxy
        | FailureClass::Draining
        | FailureClass::ClosedIdle => Reply::Refused { detail },
    }
}
