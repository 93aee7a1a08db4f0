//! When the agent registers, and what comes of it: nothing that decides about a server, but what it asks for holds.
//!
//! Once after the first heartbeat that was delivered, and again when something that is said has changed, or the server asks
//! for it; never to a server that was not verified, whose decision might be an impostor's. What fails is told and tried again
//! later, and what was remembered stays.

use std::sync::Arc;

use super::active::Active;
use super::registration::{Keeps, Registrar};
use super::{Attachment, Tuning};
use crate::engine::context::Context;
use crate::engine::event::span;
use crate::engine::owners::Owner;
use crate::engine::session::{Attempt, Link, Registered, Registering};
use crate::engine::{Ending, Event, Input, Memory, RegistrationSnapshot};
use crate::settings::Effective;
use crate::types::{
    AccountMode, Failure, FailureClass, Identity, Moment, Name, Proof, Request, ServerId, Span,
};

impl Attachment {
    // --- getters ---

    /// When a registration begins, or has taken too long.
    pub(super) fn registration_deadline(&self, active: &Active, tuning: &Tuning) -> Option<Moment> {
        self.registrar.as_ref()?.deadline(may_begin(active), tuning)
    }

    /// Whether one is under way or about to begin, on the kept link: what is read waits for it.
    pub(super) fn registers(&self, now: Moment) -> bool {
        let registrar = self.registrar.as_ref();
        registrar.is_some_and(|registrar| registrar.under_way.is_some() || registrar.is_due(now))
    }

    pub(super) fn registration_snapshot(&self, now: Moment) -> Option<RegistrationSnapshot> {
        let registrar = self.registrar.as_ref()?;
        Some(RegistrationSnapshot {
            group: registrar.group.clone(),
            mode: registrar.mode,
            server: registrar.by.clone(),
            next: registrar.from().map(|at| span(at.after(now))),
        })
    }

    // --- commands ---

    /// The product says of the machine what it can.
    pub(in crate::engine) fn identify(&mut self, identity: Arc<Identity>, now: Moment) {
        self.registrar.get_or_insert_default().identify(identity, now);
    }

    /// Another user uses the machine, or none.
    pub(in crate::engine) fn user_changed(&mut self, cx: &Context<'_>, user: Option<Name>) {
        self.registrar.get_or_insert_default().user_changed(cx.now, user, &cx.tuning.attachment);
    }

    /// What the settings say of it. Where that changed, the agent registers again.
    pub(super) fn switch_reconnection(&mut self, cx: &Context<'_>, effective: &Effective) {
        let keeps = Keeps::new(effective);
        let changed = std::mem::replace(&mut self.keeps, keeps) != keeps;
        if let Some(registrar) = self.registrar.as_mut().filter(|_| changed) {
            registrar.want(cx.now, &cx.tuning.attachment);
        }
    }

    /// A heartbeat was delivered, and its answer says this of the agent.
    pub(super) fn heard_of_registration(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        (register, duplicate): (bool, bool),
    ) {
        let Some(server) = self.active_id() else {
            return;
        };
        let is_verified = link.proof > Proof::Tcp;
        if let Some(registrar) = &mut self.registrar {
            registrar.delivered(cx.now, &server, is_verified);
            if register {
                registrar.asked(cx.now, &cx.tuning.attachment);
            }
        }
        // What tells two machines apart is said to verified servers only.
        let duplicate = duplicate && is_verified;
        if !std::mem::replace(&mut self.is_duplicate, duplicate) && duplicate {
            cx.emit(Event::Duplicate { server });
        }
    }

    /// A floor was heard of the server in use: what has not asked it yet stops for it.
    pub(super) fn stop_registration_unless_asked(&mut self, cx: &mut Context<'_>) {
        let asks = |registering: &Registering| registering.attempt.is_exchanging();
        let under_way = self.registrar.as_ref().and_then(|registrar| registrar.under_way.as_ref());
        if under_way.is_some_and(|registering| !asks(registering)) {
            self.give_registration_up(cx, Ending::Failed);
        }
    }

    /// What is under way ends, and is begun anew when there is a server for it.
    pub(super) fn give_registration_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        let now = cx.now;
        if let Some(mut under_way) = self.registrar.as_mut().and_then(|registrar| registrar.interrupt(now)) {
            under_way.give_up(cx, reason);
        }
    }

    /// Begins the registration whose time has come, and ends one that takes too long.
    pub(super) fn tick_registration(&mut self, cx: &mut Context<'_>) {
        let Some(registrar) = &mut self.registrar else {
            return;
        };
        if let Some(failure) = registrar.under_way.as_mut().and_then(|under_way| under_way.expire(cx)) {
            return self.registration_failed(cx, &failure);
        }
        if !registrar.is_due(cx.now) || !self.active().is_some_and(may_begin) {
            return;
        }
        self.begin_registration(cx);
    }

    fn begin_registration(&mut self, cx: &mut Context<'_>) {
        let keeps = self.keeps;
        let says = self.registrar.as_ref().and_then(|registrar| registrar.says(keeps));
        let (Some(says), Some(target), Some(active)) = (says, self.active_target(cx), self.active()) else {
            return;
        };
        if active.reached.proof == Proof::Tcp {
            return self.refuse_unverified_registration(cx);
        }
        let record = target.record;
        let floor = self.servers.record(record).and_then(|record| record.throttled_until());
        let opens = self.servers.opens_beside(cx.present(), record);
        let request = Request::Register(Arc::new(says));
        let lent = match floor.filter(|&floor| floor > cx.now) {
            Some(floor) => return self.put_registration_off(floor),
            None => self.active_mut().and_then(|active| active.lend_link(cx.now)),
        };
        let attempt = match lent {
            Some(link) => {
                cx.queue.hand_over(link.id.0, Owner::Register);
                Attempt::on_link(cx, Owner::Register, target, request, link)
            }
            None if opens <= cx.now => self.servers.begin_target(cx, Owner::Register, target, request),
            None => return self.put_registration_off(opens),
        };
        if let Some(registrar) = &mut self.registrar {
            registrar.begins(cx.now, Registering { attempt });
        }
    }

    // --- handle ---

    /// Hands an input to the registration. `false`: it is not about it.
    pub(super) fn registration_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let under_way = self.registrar.as_mut().and_then(|registrar| registrar.under_way.as_mut());
        let Some(registering) = under_way.filter(|registering| registering.attempt.is_about(&input)) else {
            return false;
        };
        match registering.handle(cx, input) {
            Registered::Nothing => {}
            Registered::Answered { link, group, mode, drain } => {
                if let Some(active) = self.active_mut() {
                    active.heartbeat.give_back(cx, link);
                }
                self.registered(cx, &link, group, mode);
                self.drained(cx, drain);
            }
            Registered::Declined { status, drain } => {
                self.registration_declined(cx, status);
                self.drained(cx, drain);
            }
            Registered::Failed { failure, drain } => {
                self.registration_failed(cx, &failure);
                self.drained(cx, drain);
            }
        }
        true
    }

    // --- helpers ---

    fn registered(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        group: Option<Name>,
        mode: Option<AccountMode>,
    ) {
        let (Some(server), Some(registrar)) = (self.active_id(), &mut self.registrar) else {
            return;
        };
        registrar.under_way = None;
        // Settings may have dropped the verification while it was on its way to another address.
        if link.proof == Proof::Tcp {
            return self.refuse_unverified_registration(cx);
        }
        registrar.decided(server.clone(), group.clone(), mode);
        self.memorable = true;
        cx.emit(Event::Registered { server, group, mode });
    }

    fn registration_declined(&mut self, cx: &mut Context<'_>, status: u16) {
        let (Some(server), Some(registrar)) = (self.active_id(), &mut self.registrar) else {
            return;
        };
        registrar.under_way = None;
        // A driver that registers nothing knows that.
        if status != 0 {
            let at = registrar.declined(cx, server.clone());
            let detail = format!("the server registers no agents ({status})");
            tell_failure(cx, server, detail, Some(at));
        }
    }

    fn registration_failed(&mut self, cx: &mut Context<'_>, failure: &Failure) {
        let (Some(server), Some(registrar)) = (self.active_id(), &mut self.registrar) else {
            return;
        };
        let was_reused = registrar.under_way.take().is_some_and(|registering| registering.attempt.reused);
        if was_reused && matches!(failure.class(), FailureClass::ClosedIdle | FailureClass::Broken) {
            // The kept link may have been closed before the first byte: a fresh one tells.
            return registrar.put_off(cx.now);
        }
        let has_refused = failure.class() == FailureClass::NotAllowed;
        let at = registrar.failed(cx, server.clone(), has_refused);
        // What the server asks for holds, whatever it was asked.
        if failure.class() == FailureClass::Throttled {
            self.throttled(cx, failure);
        }
        tell_failure(cx, server, failure.to_string(), Some(at));
    }

    fn refuse_unverified_registration(&mut self, cx: &mut Context<'_>) {
        let (Some(server), Some(registrar)) = (self.active_id(), &mut self.registrar) else {
            return;
        };
        registrar.wait_for_proof();
        let detail =
            "the agent registers with no server that was not verified; use https, and verify the server";
        tell_failure(cx, server, detail.to_owned(), None);
    }

    fn put_registration_off(&mut self, until: Moment) {
        if let Some(registrar) = &mut self.registrar {
            registrar.put_off(until);
        }
    }
}

/// Whether the kept link, if there is one, serves nothing else but heartbeats at present.
fn may_begin(active: &Active) -> bool {
    !active.reader.is_reading() && !active.upload.is_under_way()
}

fn tell_failure(cx: &mut Context<'_>, server: ServerId, detail: String, at: Option<Moment>) {
    let retry: Option<Span> = at.map(|at| span(at.after(cx.now)));
    cx.emit(Event::RegistrationFailed { server, detail, retry });
}

/// What a memory knows of it, for an agent that begins.
pub(super) fn restore(memory: &Memory) -> Option<Box<Registrar>> {
    memory.registration.as_ref().map(|known| Box::new(Registrar::restored(known)))
}
