//! The side link of push mode: an event stream from the server in use, on a link of its own.
//!
//! If only the stream dies, the server is not charged: a fresh exchange gives the second opinion.

use super::active::Active;
use super::attempt::Step;
use super::{Attachment, Fact, Tuning};
use crate::engine::context::Context;
use crate::engine::event::{Told, span};
use crate::engine::owners::Owner;
use crate::engine::{Ending, Event, Input};
use crate::words::{Errand, FailureClass, Moment, News};

impl Attachment {
    /// When opening it has taken too long. An open stream may last for ever.
    pub(super) fn stream_limit(&self, tuning: &Tuning) -> Option<Moment> {
        self.stream.as_ref().filter(|_| !self.stream_is_open).map(|stream| stream.limit(tuning).0)
    }

    /// Opens the stream to the server in use, unless it is there already.
    pub(in crate::engine) fn open_stream(&mut self, cx: &mut Context<'_>) {
        if self.stream.is_some() {
            return;
        }
        let Some(target) = self.active_target(cx) else {
            return;
        };
        // A link of its own may follow the heartbeat's at once.
        if self.servers.opens(cx.present(), target.record, true) > cx.now {
            return self.facts.add(Fact::StreamLost { was_open: false });
        }
        self.stream_is_open = false;
        self.stream = Some(Box::new(self.servers.begin_target(cx, Owner::Stream, target, Errand::Listen)));
    }

    /// Ends the stream; nobody is told.
    pub(in crate::engine) fn end_stream(&mut self, cx: &mut Context<'_>, reason: Ending) {
        if let Some(mut stream) = self.stream.take() {
            stream.give_up(cx, reason);
        }
    }

    /// Hands an input to the stream. `false`: it is not about it.
    pub(super) fn stream_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.is_about(&input)) else {
            return false;
        };
        let was_open = self.stream_is_open;
        let record = stream.target.record;
        let step = stream.handle(cx, input);
        let server = self.servers.id(record);
        match step {
            Step::Nothing | Step::Progress => {}
            Step::Told(news) => {
                if !was_open {
                    self.stream_is_open = true;
                    cx.tell(Event::PushOpened { server: server.clone() });
                    self.facts.add(Fact::StreamOpened);
                }
                match news {
                    News::KeepAlive => {}
                    News::Settings(tag) => self.announced.settings(cx, &server, Some(tag)),
                    News::Policy(tag) => self.announced.policy(cx, &server, Some(tag)),
                    News::Content(name) => {
                        cx.tell(Event::Told { server, kind: Told::Content, name: Some(name.into()) });
                    }
                    News::Command => cx.tell(Event::Told { server, kind: Told::Command, name: None }),
                    News::Drain(window) => self.drained(cx, Some(window)),
                }
            }
            Step::Declined { drain, .. } => {
                self.stream = None;
                self.drained(cx, drain);
                cx.tell(Event::PushUnavailable { server, retry: span(cx.tuning.agenda.push_retry) });
                self.facts.add(Fact::StreamDeclined);
            }
            Step::Answered(answer) => {
                // The server ended the stream in good order.
                cx.queue.abandon(answer.exchange, Ending::Failed);
                cx.queue.close(answer.link.id, Ending::Failed);
                self.stream_lost(cx, was_open, "the server ended it");
            }
            Step::Failed { failure, drain } => {
                self.drained(cx, drain);
                // The stream's death says nothing of the server, but what the server asks for holds.
                if failure.class() == FailureClass::Throttled {
                    let policy = self.active().map_or(0, |active| active.member.server.policy);
                    self.servers.charge(cx, record, policy, &failure);
                    self.memorable = true;
                }
                self.stream_lost(cx, was_open, &failure.to_string());
            }
        }
        true
    }

    pub(super) fn tick_stream(&mut self, cx: &mut Context<'_>) {
        let due = self.stream_limit(&cx.tuning.attachment);
        if due.is_none_or(|due| due > cx.now) {
            return;
        }
        if let Some(stream) = &mut self.stream
            && let Some(failure) = stream.expire(cx)
        {
            self.stream_lost(cx, false, &failure.to_string());
        }
    }

    fn stream_lost(&mut self, cx: &mut Context<'_>, was_open: bool, reason: &str) {
        self.stream = None;
        if let Some(record) = self.active().map(Active::record) {
            cx.tell(Event::PushLost { server: self.servers.id(record), reason: reason.to_owned() });
        }
        self.facts.add(Fact::StreamLost { was_open });
    }
}
