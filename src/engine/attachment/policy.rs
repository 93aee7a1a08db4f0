//! What the read of the policy says of the server in use: nothing that decides about it, but what it asks for holds.

use std::sync::Arc;
use std::time::Duration;

use super::Attachment;
use super::active::Active;
use crate::engine::context::Context;
use crate::engine::owners::Owner;
use crate::engine::session::{Attempt, Read};
use crate::engine::{Action, Ending, Event, Input};
use crate::types::{Failure, FailureClass, Proof, Request};

impl Attachment {
    /// The product has taken this policy over for good.
    pub(in crate::engine) fn confirm_policy(&mut self, cx: &mut Context<'_>, tag: Arc<str>) {
        let fits = self.announced.confirm(tag);
        self.memorable |= fits;
        cx.queue.stale_inputs += u64::from(!fits);
    }

    /// The server has named a policy: is it another, to be read at some instant within this time?
    pub(super) fn want_policy(&mut self, cx: &mut Context<'_>, within: Duration) {
        if !self.reads_policies || !self.announced.has_another_policy() {
            return;
        }
        let Some(active) = self.active_mut() else {
            return;
        };
        if active.reached.proof > Proof::Tcp {
            let at = Self::spread(cx, within);
            if let Some(active) = self.active_mut() {
                active.policy_read.want(at);
            }
            return;
        }
        self.refuse_unverified(cx);
    }

    /// What an impostor may have written is no policy.
    fn refuse_unverified(&mut self, cx: &mut Context<'_>) {
        self.announced.looked_up();
        if let Some(server) = self.active_id() {
            let detail =
                "it is not taken from a server that was not verified; use https, and verify the server";
            cx.emit(Event::PolicyFailed { server, detail: detail.to_owned() });
        }
    }

    /// Begins the read that is wanted, and ends one that takes too long.
    pub(super) fn tick_policy(&mut self, cx: &mut Context<'_>) {
        let Some(active) = self.active_mut() else {
            return;
        };
        if let Some(failure) = active.policy_read.expire(cx) {
            return self.policy_failed(cx, &failure);
        }
        if !active.policy_read.is_due(cx.now) {
            return;
        }
        let request = Request::Policy { known: self.announced.known_policy() };
        let Some(target) = self.active_target(cx) else {
            return;
        };
        let floor = self.servers.record(target.record).and_then(|record| record.throttled_until());
        let may_dial = self.servers.opens(cx.present(), target.record, true) <= cx.now;
        let lends = |active: &mut Active| {
            active.heartbeat.link().filter(|link| !link.has_ended(cx.now))?;
            active.heartbeat.lend_link()
        };
        let lent = self.active_mut().and_then(lends);
        let attempt = match lent {
            Some(link) if floor.is_none_or(|floor| floor <= cx.now) => {
                cx.queue.hand_over(link.id.0, Owner::Policy);
                Some(Attempt::on_link(cx, Owner::Policy, target, request, link))
            }
            None if may_dial => Some(self.servers.begin_target(cx, Owner::Policy, target, request)),
            Some(link) => {
                if let Some(active) = self.active_mut() {
                    active.heartbeat.give_back(cx, link);
                }
                None
            }
            None => None,
        };
        if let Some(active) = self.active_mut() {
            match attempt {
                Some(attempt) => active.policy_read.begin(attempt),
                None => active.policy_read.put_off(),
            }
        }
    }

    /// Hands an input to the read of the policy. `false`: it is not about it.
    pub(super) fn policy_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let Some(active) = self.active_mut() else {
            return false;
        };
        let Some(read) = active.policy_read.handle(cx, input) else {
            return false;
        };
        match read {
            Read::Nothing => {}
            Read::Answered { exchange, link, unchanged, tag, drain } => {
                active.heartbeat.give_back(cx, link);
                self.announced.looked_up();
                // Settings may have dropped the verification while it was on its way to another address.
                if link.proof == Proof::Tcp {
                    cx.queue.abandon(exchange, Ending::Failed);
                    self.refuse_unverified(cx);
                } else if unchanged {
                    cx.queue.abandon(exchange, Ending::Unchanged);
                } else if let (Some(server), Some(tag)) = (self.active_id(), self.announced.hand_over(tag)) {
                    cx.act(Action::Adopt { exchange });
                    cx.emit(Event::Policy { server, tag });
                }
                self.drained(cx, drain);
            }
            Read::Declined { status, drain } => {
                self.announced.looked_up();
                // A driver that reads no policies knows that.
                if let Some(server) = self.active_id().filter(|_| status != 0) {
                    let detail = format!("the server has none for this agent ({status})");
                    cx.emit(Event::PolicyFailed { server, detail });
                }
                self.drained(cx, drain);
            }
            Read::Failed { failure, drain } => {
                self.policy_failed(cx, &failure);
                self.drained(cx, drain);
            }
        }
        true
    }

    fn policy_failed(&mut self, cx: &mut Context<'_>, failure: &Failure) {
        let Some(active) = self.active() else {
            return;
        };
        let (record, certificate_policy) = (active.record(), active.member.server.policy);
        // What the server asks for holds, whatever it was asked.
        if failure.class() == FailureClass::Throttled {
            self.servers.charge(cx, record, certificate_policy, failure);
            self.memorable = true;
        }
        cx.emit(Event::PolicyFailed { server: self.servers.id(record), detail: failure.to_string() });
    }
}
