//! What the event stream says of the server in use: nothing that decides about it, but what it asks for holds.

use super::Attachment;
use crate::engine::Event;
use crate::engine::Input;
use crate::engine::context::Context;
use crate::engine::event::{Notice, span};
use crate::engine::fact::Fact;
use crate::engine::owners::Owner;
use crate::engine::session::{Loss, Streamed};
use crate::types::{FailureClass, News, Printable, Request};

impl Attachment {
    /// Hands an input to the stream. `false`: it is not about it.
    pub(super) fn stream_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let stream = self.active_mut().and_then(|active| active.stream.as_mut());
        let Some(streamed) = stream.and_then(|stream| stream.handle(cx, input)) else {
            return false;
        };
        match streamed {
            Streamed::Nothing => {}
            Streamed::Notice { news, opened } => self.told(cx, news, opened),
            Streamed::Declined { drain } => {
                self.drained(cx, drain);
                if let Some(server) = self.active_id() {
                    cx.emit(Event::PushUnavailable { server, retry: span(cx.tuning.schedule.push_retry) });
                }
            }
            Streamed::Lost(loss) => self.stream_lost(cx, loss),
        }
        true
    }

    /// Opens the stream when it is due, and ends an opening that takes too long.
    pub(super) fn tick_stream(&mut self, cx: &mut Context<'_>) {
        let Some(stream) = self.active_mut().and_then(|active| active.stream.as_mut()) else {
            return;
        };
        if let Some(failure) = stream.expire(cx) {
            return self.stream_lost(cx, Loss { failure: Some(failure), drain: None, was_open: false });
        }
        if !stream.is_due(cx.now) {
            return;
        }
        let Some(target) = self.active_target(cx) else {
            return;
        };
        // A link of its own may follow the heartbeat's at once.
        let opens = self.servers.opens(cx.present(), target.record, true);
        let attempt =
            (opens <= cx.now).then(|| self.servers.begin_target(cx, Owner::Stream, target, Request::Listen));
        if let Some(stream) = self.active_mut().and_then(|active| active.stream.as_mut()) {
            match attempt {
                Some(attempt) => stream.open(attempt),
                None => stream.lose(cx),
            }
        }
    }

    fn told(&mut self, cx: &mut Context<'_>, news: News<'_>, opened: bool) {
        let Some(server) = self.active_id() else {
            return;
        };
        if opened {
            cx.emit(Event::PushOpened { server: server.clone() });
        }
        match news {
            News::KeepAlive => {}
            News::Settings(tag) => self.announced.settings(cx, &server, Some(tag)),
            News::Policy(tag) => self.announced.policy(cx, &server, Some(tag)),
            News::Content(name) => {
                let name = Some(Printable(name).to_string().into());
                cx.emit(Event::Notice { server, kind: Notice::Content, name });
            }
            News::Command => cx.emit(Event::Notice { server, kind: Notice::Command, name: None }),
            News::Drain(window) => self.drained(cx, Some(window)),
        }
    }

    fn stream_lost(&mut self, cx: &mut Context<'_>, loss: Loss) {
        self.drained(cx, loss.drain);
        let Some(active) = self.active() else {
            return;
        };
        let (record, policy) = (active.record(), active.member.server.policy);
        // The stream's death says nothing of the server, but what the server asks for holds.
        let throttled = |failure: &&crate::types::Failure| failure.class() == FailureClass::Throttled;
        if let Some(failure) = loss.failure.as_ref().filter(throttled) {
            self.servers.charge(cx, record, policy, failure);
            self.memorable = true;
        }
        let detail =
            loss.failure.map_or_else(|| "the server ended it".to_owned(), |failure| failure.to_string());
        cx.emit(Event::PushLost { server: self.servers.id(record), detail });
        if loss.was_open {
            self.facts.add(Fact::StreamLost);
        }
    }
}
