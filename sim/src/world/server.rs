//! How the servers of a world behave.

use std::time::Duration;

use homing::types::Cause;

use super::ms;

/// How a server is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Server {
    pub reach: Reach,
    pub answer: Answer,
    /// From the request to the answer, beyond the round trip.
    pub think: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// Connects and secures, each within this round trip.
    Connects(Duration),
    /// Connects within this round trip, then says nothing at all.
    Mute(Duration),
    /// Refuses after this round trip.
    Refuses(Duration),
    /// Never answers.
    Drops,
    /// The machine has no way there.
    NoRoute,
    /// Connects, and fails the handshake like this.
    BadHandshake(Cause),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Good,
    /// Good, and asks to be left within this time.
    Drain(Duration),
    /// Says nothing.
    Silent,
    /// Fails like this.
    Fails(Cause),
    /// Breaks the connection.
    Breaks,
    /// Takes attaches and probes, and fails beats like this.
    Gray(Cause),
}

/// How calls of the product fare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Calls {
    AnsweredAfter(Duration),
    /// The connection breaks when one comes.
    Break,
}

pub const ROUND_TRIP: Duration = Duration::from_millis(5);

pub fn up() -> Server {
    Server { reach: Reach::Connects(ROUND_TRIP), answer: Answer::Good, think: Duration::ZERO }
}

pub fn slow(think: Duration) -> Server {
    Server { think, ..up() }
}

pub fn far(round_trip: Duration) -> Server {
    Server { reach: Reach::Connects(round_trip), ..up() }
}

pub fn down() -> Server {
    Server { reach: Reach::Refuses(ms(1)), ..up() }
}

pub fn black_hole() -> Server {
    Server { reach: Reach::Drops, ..up() }
}

pub fn mute() -> Server {
    Server { reach: Reach::Mute(ROUND_TRIP), ..up() }
}

pub fn silent() -> Server {
    Server { answer: Answer::Silent, ..up() }
}

pub fn failing(cause: Cause) -> Server {
    Server { answer: Answer::Fails(cause), ..up() }
}

/// Takes attaches and probes, and fails beats.
pub fn gray(cause: Cause) -> Server {
    Server { answer: Answer::Gray(cause), ..up() }
}

/// Asks for patience.
pub fn throttling(status: u16, seconds: u64) -> Server {
    failing(Cause::Throttled { status, retry_after: Some(Duration::from_secs(seconds)) })
}

pub fn status(status: u16) -> Server {
    failing(match status {
        429 => Cause::Throttled { status, retry_after: None },
        401 | 403 => Cause::NotAllowed { status },
        413 => Cause::TooLarge,
        404 | 410 => Cause::NotAManager { status },
        400..=499 => Cause::Misunderstood { status },
        500.. => Cause::ServerError { status },
        _ => Cause::NotAManager { status },
    })
}

/// Ten letters are enough for every story; larger lists count on.
pub fn name(index: usize) -> String {
    match u8::try_from(index) {
        Ok(small @ 0..26) => char::from(b'a' + small).to_string(),
        _ => format!("s{index}"),
    }
}
