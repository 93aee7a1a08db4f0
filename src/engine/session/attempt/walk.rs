//! Where an attempt goes: over the addresses its server's name leads to, and over the routes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::{Attempt, NEVER};
use crate::engine::context::Context;
use crate::engine::owners::Owner;
use crate::engine::session::endpoints::{Onward, interleaved, is_of_endpoint};
use crate::engine::session::link::Link;
use crate::engine::session::stage::Stage;
use crate::engine::session::step::Step;
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Action, Ending};
use crate::types::{Cause, Failure, Host, Moment, Request, Route};

impl Attempt {
    pub(super) fn resolved<'a>(
        &mut self,
        cx: &mut Context<'_>,
        answer: Result<&'a [IpAddr], Failure>,
    ) -> Step<'a> {
        let moved = answer.as_ref().is_ok_and(|addresses| {
            let leads_to = |spare: &Link| spare.address.is_some_and(|at| addresses.contains(&at));
            !addresses.is_empty() && !self.spare.as_deref().is_some_and(leads_to)
        });
        if self.has_spare() && !moved {
            self.fall_back(cx, answer.err());
            return Step::Nothing;
        }
        let failure = match answer {
            Ok([]) => Cause::NameNotFound.into(),
            Ok(addresses) => {
                match self.target.last_good.filter(|_| self.target.prefers_last_good) {
                    Some(good) if addresses.contains(&good) => {
                        let others = addresses.iter().copied().filter(|&address| address != good);
                        self.dial(cx, &std::iter::once(good).chain(others).collect::<Vec<_>>());
                    }
                    Some(_) | None => self.dial(cx, addresses),
                }
                return Step::Nothing;
            }
            Err(failure) => failure,
        };
        // A name service that is down must not take the servers down with it.
        match self.target.last_good {
            Some(address) => {
                self.dial(cx, &[address]);
                Step::Nothing
            }
            None => self.unreached(cx, failure),
        }
    }

    /// Until when a connection may lead to nothing while another endpoint is left.
    pub(super) fn endpoint_limit(&self, tuning: &Tuning) -> Moment {
        if !self.has_spare() && (!self.may_walk() || !self.target.endpoints.has_other()) {
            return NEVER;
        }
        self.connected + tuning.endpoint_limit.max(self.connect_time.unwrap_or_default() * 6)
    }

    /// Whether an endpoint that was reached and failed leads to the next. What breaks on a kept link, or instead of an event
    /// stream, shows itself in the heartbeat on a fresh one that follows.
    pub(super) fn may_walk(&self) -> bool {
        !self.reused && !self.stays && !matches!(self.request, Request::Listen(_))
    }

    /// Begins on the route whose turn it is.
    pub(super) fn take_route(&mut self, cx: &mut Context<'_>) {
        match (self.target.endpoints.route(), self.target.server.host.clone()) {
            (Route::Direct, Host::Address(address)) | (Route::Proxy(_), Host::Address(address)) => {
                match self.target.server.literal.clone() {
                    Some(to) => self.dial_to(cx, to),
                    None => self.dial(cx, &[address]),
                }
            }
            (Route::Direct, Host::Name(host)) => {
                let query = cx.queue.next_query(self.owner);
                cx.act(Action::Resolve { query, host });
                self.stage = Stage::Resolving { query, since: Some(cx.now) };
            }
            // The proxy looks the name up: ours may not know it.
            (Route::Proxy(_), Host::Name(_)) => self.dial(cx, &[]),
        }
    }

    /// The present route could not be reached.
    pub(super) fn unreached<'a>(&mut self, cx: &mut Context<'_>, failure: Failure) -> Step<'a> {
        if self.has_spare() {
            self.fall_back(cx, Some(failure));
            return Step::Nothing;
        }
        let onward = self.target.endpoints.unreached(failure);
        self.go_on(cx, onward)
    }

    /// The endpoint was reached and failed: on to the next, unless that was the server's own word.
    pub(super) fn endpoint_failed<'a>(
        &mut self,
        cx: &mut Context<'_>,
        failure: Failure,
        drain: Option<Duration>,
    ) -> Step<'a> {
        let of_endpoint = drain.is_none() && is_of_endpoint(failure.cause);
        if self.has_spare() && of_endpoint {
            self.fall_back(cx, Some(failure));
            return Step::Nothing;
        }
        if !self.may_walk() || !of_endpoint {
            self.close_spare(cx, Ending::Failed);
            self.stage = Stage::Ended;
            return Step::Failed { failure, drain };
        }
        let onward = self.target.endpoints.failed(failure, cx.rng);
        self.go_on(cx, onward)
    }

    fn go_on<'a>(&mut self, cx: &mut Context<'_>, onward: Onward) -> Step<'a> {
        self.stage = Stage::Ended;
        match onward {
            Onward::Addresses(addresses) => self.dial(cx, &addresses),
            Onward::Route => self.take_route(cx),
            Onward::End => {
                let failure = self.target.endpoints.verdict();
                return Step::Failed {
                    failure: failure.unwrap_or(Cause::AttemptTimeout.into()),
                    drain: None,
                };
            }
        }
        Step::Nothing
    }

    pub(super) fn dial(&mut self, cx: &mut Context<'_>, addresses: &[IpAddr]) {
        let port = self.target.server.port;
        let addresses: Vec<IpAddr> = interleaved(addresses).collect();
        let to = addresses.iter().map(|&address| SocketAddr::new(address, port)).collect();
        self.target.endpoints.dialled(addresses);
        self.dial_to(cx, to);
    }

    pub(super) fn dial_to(&mut self, cx: &mut Context<'_>, to: Arc<[SocketAddr]>) {
        // Calls of the product have a guard of their own.
        if self.owner != Owner::Call {
            cx.guard.spend(cx.now, &cx.tuning.attachment);
        }
        let link = cx.queue.next_link(self.owner);
        self.dialled_under = self.target.policy.settings;
        cx.act(Action::Dial {
            link,
            server: self.target.server.clone(),
            certificate_policy: self.target.policy,
            to,
            stagger: cx.tuning.attachment.address_stagger,
            route: self.target.endpoints.route(),
        });
        self.stage = Stage::Connecting { link, since: cx.now };
    }
}
