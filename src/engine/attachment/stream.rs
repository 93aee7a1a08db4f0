//! What the event stream says of the server in use: nothing that decides about it, but what it asks for holds.

use std::time::Duration;

use super::active::Active;
use super::ladders::{Ladders, remembered};
use super::{Attachment, Phase};
use crate::engine::context::Context;
use crate::engine::event::{Notice, span};
use crate::engine::fact::Fact;
use crate::engine::memory::PushMemory;
use crate::engine::owners::Owner;
use crate::engine::session::{Answer, Attempt, Document, Loss, Stream, Streamed};
use crate::engine::tuning::schedule::Tuning;
use crate::engine::{Ending, Event, Input, Rung};
use crate::settings::Mode;
use crate::types::{Cause, Failure, FailureClass, Moment, News, Printable, Proof};

impl Attachment {
    /// Hands an input to the stream. `false`: it is not about it.
    pub(super) fn stream_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let stream = self.active_mut().and_then(|active| active.stream.as_mut());
        let Some(streamed) = stream.and_then(|stream| stream.handle(cx, input)) else {
            return false;
        };
        self.streamed(cx, streamed);
        true
    }

    /// Begins the stream when it is due, and ends what takes too long.
    pub(super) fn tick_stream(&mut self, cx: &mut Context<'_>) {
        let Some(stream) = self.active_mut().and_then(|active| active.stream.as_mut()) else {
            return;
        };
        if stream.end_with_certificate(cx) {
            if let Some(server) = self.active_id() {
                cx.emit(Event::CertificateEnded { server });
            }
            let failure = Some(Cause::CertificateExpired.into());
            return self.stream_lost(cx, Loss { failure, drain: None, was_open: true });
        }
        let streamed = stream.expire(cx);
        self.streamed(cx, streamed);
        let Some(stream) = self.active_mut().and_then(|active| active.stream.as_mut()) else {
            return;
        };
        let Some(request) = stream.due(cx.now, cx.tuning) else {
            return stream.rest_if_due(cx);
        };
        let link = stream.take_link();
        let Some(target) = self.active_target(cx) else {
            return;
        };
        let floor = self.floor();
        // A link of its own may follow the heartbeat's at once.
        let opens = self.servers.opens_beside(cx.present(), target.record);
        let attempt = match link {
            Some(link) if floor.is_none_or(|floor| floor <= cx.now) => {
                Some(Attempt::on_link(cx, Owner::Stream, target, request, link))
            }
            Some(link) => {
                cx.queue.close(link.id, Ending::Idle);
                None
            }
            None => (opens <= cx.now).then(|| self.servers.begin_target(cx, Owner::Stream, target, request)),
        };
        if let Some(stream) = self.active_mut().and_then(|active| active.stream.as_mut()) {
            match attempt {
                Some(attempt) => stream.begin(cx.now, attempt),
                None => stream.put_off(cx),
            }
        }
    }

    /// A heartbeat looked the name of the server up. An old stream that stands where it no longer leads is opened anew.
    pub(super) fn stream_follows(&mut self, cx: &mut Context<'_>, answer: &Answer<'_>) {
        let Some(active) = self.active_mut() else {
            return;
        };
        let (Some(stream), Some(others)) = (&mut active.stream, &answer.others) else {
            return;
        };
        let server = &active.member.server;
        let is_elsewhere = stream.open_link().is_some_and(|link| {
            let at = link.looked_up(server).filter(|_| link.may_have_moved(server, cx.now));
            at.is_some_and(|at| answer.link.address != Some(at) && !others.contains(&at))
        });
        if is_elsewhere {
            stream.rest(cx, Ending::Replaced);
        }
    }

    /// The server has said that something waits at its events: an agent that does not listen asks for it, once.
    pub(super) fn called(&mut self, cx: &mut Context<'_>) {
        let Self { phase: Phase::Attached(active), ladders, .. } = self else {
            return;
        };
        match &mut active.stream {
            Some(stream) => stream.call(cx.now),
            None => {
                let (server, route) = (&active.member.server.id, active.reached.route);
                let ladder = ladders.take(server, route, &cx.tuning.schedule, cx.now);
                active.stream = Some(Box::new(Stream::once(ladder, route, cx.now)));
            }
        }
    }

    /// In push mode the server in use is listened to, else it is not.
    pub(super) fn set_mode(&mut self, cx: &mut Context<'_>, mode: Mode) {
        self.mode = mode;
        let Self { phase: Phase::Attached(active), ladders, .. } = self else {
            return;
        };
        let is_listened_to = active.stream.as_ref().is_some_and(|stream| !stream.is_once());
        match (mode, is_listened_to) {
            (Mode::Push, true) | (Mode::Pull, false) => {}
            (Mode::Push, false) => {
                active.end_stream(cx, ladders, Ending::Reconfigured);
                active.listen(ladders, &cx.tuning.schedule, cx.now);
                if let Some(stream) = &mut active.stream {
                    stream.want(cx.now);
                }
            }
            (Mode::Pull, true) => active.end_stream(cx, ladders, Ending::Reconfigured),
        }
    }

    /// What is worth remembering of all ways on which a server was listened to.
    pub(super) fn push_memory(&self, tuning: &Tuning, now: Moment) -> impl Iterator<Item = PushMemory> {
        let in_use = self.active().and_then(|active| {
            let stream = active.stream.as_ref()?;
            remembered(&active.member.server.id, stream.route, &stream.ladder, tuning, now)
        });
        self.ladders.memory(tuning, now).chain(in_use)
    }

    fn streamed(&mut self, cx: &mut Context<'_>, streamed: Streamed<'_>) {
        match streamed {
            Streamed::Nothing => {}
            Streamed::Opened(by) => {
                if let Some(server) = self.active_id() {
                    cx.emit(Event::PushOpened { server, by });
                }
            }
            Streamed::Told(news) => self.told(cx, news),
            Streamed::Answered { drain } => {
                self.drained(cx, drain);
                self.end_asking(cx);
            }
            Streamed::Declined { drain } => {
                self.drained(cx, drain);
                self.tell_unavailable(cx);
                self.end_asking(cx);
            }
            Streamed::Lost(loss) => self.stream_lost(cx, loss),
        }
    }

    fn told(&mut self, cx: &mut Context<'_>, news: News<'_>) {
        let Some(server) = self.active_id() else {
            return;
        };
        match news {
            News::Hello | News::KeepAlive => {}
            News::Settings { tag, within } => {
                self.announced.settings(cx, &server, Some(tag));
                self.want_document(cx, Document::Settings, within);
            }
            News::Policy { tag, within } => {
                self.announced.policy(cx, &server, Some(tag));
                self.want_document(cx, Document::Policy, within);
            }
            News::Content(name) => {
                let name = Some(Printable(name).to_string().into());
                cx.emit(Event::Notice { server, kind: Notice::Content, name });
            }
            // What an impostor may have written is no command.
            News::Command(name) if self.heard_over() <= Some(Proof::Tcp) => {
                let name = Printable(name).to_string().into();
                cx.emit(Event::CommandRefused { server, name });
            }
            News::Command(name) => {
                let name = Some(Printable(name).to_string().into());
                cx.emit(Event::Notice { server, kind: Notice::Command, name });
            }
            News::Drain(window) => self.drained(cx, Some(window)),
        }
    }

    fn stream_lost(&mut self, cx: &mut Context<'_>, loss: Loss) {
        self.drained(cx, loss.drain);
        let Some(active) = self.active() else {
            return;
        };
        let record = active.record();
        self.memorable = true;
        // The stream's death says nothing of the server, but what the server asks for holds.
        let throttled = |failure: &&Failure| failure.class() == FailureClass::Throttled;
        if let Some(failure) = loss.failure.as_ref().filter(throttled) {
            self.throttled(cx, failure);
        }
        let detail =
            loss.failure.map_or_else(|| "the server ended it".to_owned(), |failure| failure.to_string());
        cx.emit(Event::PushLost { server: self.servers.id(record), detail });
        if loss.was_open {
            self.facts.add(Fact::StreamLost);
        }
        self.tell_unavailable(cx);
        self.end_asking(cx);
    }

    /// If the server is not listened to any more, for how long.
    fn tell_unavailable(&mut self, cx: &mut Context<'_>) {
        self.memorable = true;
        let Some(active) = self.active() else {
            return;
        };
        let stream = active.stream.as_ref().filter(|stream| !stream.is_once());
        if let Some(ladder) = stream.map(|stream| &stream.ladder).filter(|l| l.rung(cx.now) == Rung::Pull) {
            let (server, retry) = (self.servers.id(active.record()), span(ladder.again().after(cx.now)));
            cx.emit(Event::PushUnavailable { server, retry });
        }
    }

    /// What waited was asked for: an agent in pull mode does not go on to listen.
    fn end_asking(&mut self, cx: &mut Context<'_>) {
        let Self { phase: Phase::Attached(active), ladders, mode, .. } = self else {
            return;
        };
        if active.stream.as_ref().is_some_and(|stream| stream.is_over()) {
            active.end_stream(cx, ladders, Ending::Idle);
            if *mode == Mode::Push {
                active.listen(ladders, &cx.tuning.schedule, cx.now);
            }
        }
    }

    /// What the server has proved on the connection on which it is listened to: another one than its heartbeats have.
    fn heard_over(&self) -> Option<Proof> {
        self.active()?.stream.as_ref()?.proof()
    }

    /// The policy the server names is to be read, at some instant within this time.
    pub(super) fn spread(cx: &mut Context<'_>, within: Duration) -> Moment {
        cx.now + cx.rng.up_to(within.min(cx.tuning.schedule.within_most))
    }
}

impl Active {
    /// Begins to listen with the next heartbeat.
    pub(super) fn listen(&mut self, ladders: &mut Ladders, tuning: &Tuning, now: Moment) {
        let route = self.reached.route;
        let ladder = ladders.take(&self.member.server.id, route, tuning, now);
        self.stream = Some(Box::new(Stream::new(ladder, route)));
    }

    /// Ends the stream, and keeps what was learnt.
    pub(super) fn end_stream(&mut self, cx: &mut Context<'_>, ladders: &mut Ladders, reason: Ending) {
        if let Some(mut stream) = self.stream.take() {
            stream.give_up(cx, reason);
            ladders.keep(&self.member.server.id, stream.route, stream.ladder);
        }
    }
}
