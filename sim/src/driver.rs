//! The smallest driver of an engine: its links, and what comes of what it asks for where every server is well.

use std::net::SocketAddr;
use std::time::Duration;

use homing::engine::{Action, Engine, Input};
use homing::types::{
    Cause, ExchangeId, LinkId, Listening, Medium, Moment, News, Proof, Request, Verdict, Via,
};

/// An engine, and what its driver keeps for it.
pub struct Driver {
    pub engine: Engine,
    /// How long a packet takes to a server and back.
    pub round_trip: Duration,
    /// Which policy its servers name.
    pub policy: Option<&'static str>,
    /// How many inputs the engine was given.
    pub inputs: u64,
    links: Vec<Link>,
}

pub struct Link {
    pub id: LinkId,
    pub peer: SocketAddr,
    /// The event stream that is open on it.
    stream: Option<ExchangeId>,
}

/// What is on its way to an engine.
#[derive(Clone, Copy, Debug)]
pub enum Happening {
    Connected(LinkId),
    Secured(LinkId),
    /// A request is answered, and all is well.
    Answered(LinkId, ExchangeId),
    /// An event stream shows that it is there, and will again after this time.
    Streams(LinkId, ExchangeId, Duration),
    Lost(LinkId, Cause),
}

impl Happening {
    const fn link(self) -> LinkId {
        match self {
            Self::Connected(link)
            | Self::Secured(link)
            | Self::Answered(link, _)
            | Self::Streams(link, ..)
            | Self::Lost(link, _) => link,
        }
    }
}

impl Driver {
    pub fn new(engine: Engine, round_trip: Duration) -> Self {
        Self { engine, round_trip, policy: None, inputs: 0, links: Vec::new() }
    }

    /// The links there are, some of them on their way.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    pub fn input(&mut self, now: Moment, input: Input<'_>) {
        self.inputs += 1;
        self.engine.handle(now, input);
    }

    /// The engine hears of it, unless the link is gone. Returns what comes of it by itself, and how much later.
    pub fn happen(&mut self, now: Moment, happening: Happening) -> Option<(Duration, Happening)> {
        let place = self.links.iter().position(|link| link.id == happening.link())?;
        match happening {
            Happening::Connected(link) => {
                let via = Via { peer: self.links[place].peer, medium: Medium::Direct };
                self.input(now, Input::Connected { link, via });
                Some((self.round_trip, Happening::Secured(link)))
            }
            Happening::Secured(link) => {
                self.input(now, Input::Secured { link, proof: Proof::Tls, valid_for: None });
                None
            }
            Happening::Answered(_, exchange) => {
                self.input(now, Input::FirstByte { exchange });
                let verdict = Verdict::Success { status: 200, settings: Some("\"7\""), policy: self.policy };
                self.input(now, Input::Done { exchange, outcome: verdict.into() });
                None
            }
            Happening::Streams(_, exchange, silence) => {
                let is_new = self.links[place].stream.replace(exchange) != Some(exchange);
                let news = if is_new { News::Hello } else { News::KeepAlive };
                self.input(now, Input::Notice { exchange, news });
                Some((silence, happening))
            }
            Happening::Lost(link, cause) => {
                self.links.swap_remove(place);
                self.input(now, Input::Lost { link, failure: cause.into() });
                None
            }
        }
    }

    /// Does what the engine asks for. Returns what comes of it, and how much later.
    pub fn act(&mut self, action: &Action) -> Option<(Duration, Happening)> {
        let comes = match action {
            Action::Dial { link, to, .. } => {
                let peer = *to.first().expect("a direct dial names an address");
                self.links.push(Link { id: *link, peer, stream: None });
                Happening::Connected(*link)
            }
            Action::Exchange { exchange, link, request: Request::Listen(listening), .. } => {
                let Listening::Stream { silence } = listening else { unreachable!("streams come through") };
                Happening::Streams(*link, *exchange, *silence)
            }
            Action::Exchange { exchange, link, .. } => Happening::Answered(*link, *exchange),
            Action::Close { link, .. } => {
                self.links.retain(|known| known.id != *link);
                return None;
            }
            _ => return None,
        };
        Some((self.round_trip, comes))
    }
}
