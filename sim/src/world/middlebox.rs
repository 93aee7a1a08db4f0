//! What sits between an agent and its servers, and what it does to connections on which little is said.

use std::time::Duration;

use homing::engine::Input;
use homing::types::{Cause, ExchangeId, Failure, LinkId, Listening, News, Request};

use super::World;
use super::driver::Happening;

/// By default it does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Middlebox {
    /// Connections that are idle for so long are forgotten.
    pub idle: Option<Duration>,
    /// It says so with a reset.
    pub resets: bool,
    /// An answer is held back until it has ended.
    pub holds_back: bool,
    /// An answer that takes longer is cut off.
    pub longest: Option<Duration>,
    /// The server has no events.
    pub declines: bool,
}

impl World {
    pub fn between(&mut self, middlebox: Middlebox) -> &mut Self {
        self.middlebox = middlebox;
        self
    }

    /// A request to listen arrives at a server that is well.
    pub(super) fn listened(
        &mut self,
        exchange: ExchangeId,
        link: LinkId,
        listening: Listening,
        after: Duration,
    ) {
        let Middlebox { holds_back, longest, declines, .. } = self.middlebox;
        if declines {
            return self.later(after, Happening::Done(exchange));
        }
        if let Some(longest) = longest {
            self.later(longest, Happening::Lost(link, Failure::from(Cause::Truncated)));
        }
        match listening {
            Listening::Stream { .. } if holds_back => {}
            Listening::Stream { .. } => self.later(after, Happening::Told(exchange)),
            Listening::Poll { wait } if holds_back => {
                self.later(after + wait, Happening::Told(exchange));
                self.later(after + wait, Happening::Done(exchange));
            }
            Listening::Poll { wait } => {
                self.later(after, Happening::Told(exchange));
                if self.survives(link, after, wait) {
                    self.later(after + wait, Happening::Done(exchange));
                }
            }
            _ => unreachable!("{listening:?}"),
        }
    }

    /// Hello has come; what follows on a stream are signs of life.
    pub(super) fn hello(&mut self, exchange: ExchangeId) {
        let Some((link, listening)) = self.listening(exchange) else {
            return;
        };
        self.streams.insert(exchange, (link, self.links[&link].server.clone()));
        self.input(Input::Notice { exchange, news: News::Hello });
        if let Listening::Stream { silence } = listening
            && self.survives(link, Duration::ZERO, silence)
        {
            self.later(silence, Happening::Alive(exchange));
        }
    }

    pub(super) fn alive(&mut self, exchange: ExchangeId) {
        let Some((link, Listening::Stream { silence })) = self.listening(exchange) else {
            return;
        };
        self.input(Input::Notice { exchange, news: News::KeepAlive });
        if self.survives(link, Duration::ZERO, silence) {
            self.later(silence, Happening::Alive(exchange));
        }
    }

    /// Whether a connection on which nothing is said for so long is still there.
    fn survives(&mut self, link: LinkId, after: Duration, silence: Duration) -> bool {
        let Some(idle) = self.middlebox.idle.filter(|idle| *idle < silence) else {
            return true;
        };
        if self.middlebox.resets {
            self.later(after + idle, Happening::Lost(link, Failure::from(Cause::Reset)));
        }
        false
    }

    /// What is asked in an exchange that listens and goes on.
    fn listening(&self, exchange: ExchangeId) -> Option<(LinkId, Listening)> {
        match self.exchanges.get(&exchange) {
            Some((link, Request::Listen(listening))) => Some((*link, *listening)),
            Some(_) | None => None,
        }
    }

    /// Something is said on every stream and poll. A poll is answered by it.
    pub fn tell_streams(&mut self, news: News<'_>) -> &mut Self {
        for exchange in self.streams.keys().copied().collect::<Vec<_>>() {
            self.input(Input::Notice { exchange, news });
            if matches!(self.listening(exchange), Some((_, Listening::Poll { .. }))) {
                self.later(Duration::ZERO, Happening::Done(exchange));
            }
        }
        self.drain();
        self
    }
}
