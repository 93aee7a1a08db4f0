//! What the application's threads want from the client's, until its loop looks.
//!
//! A callback may block the loop for as long as it likes while other threads go on asking. Of each kind of message only
//! the newest waits, so that what waits is bounded: nothing is gained by beating twice.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::arrived::Arrived;
use super::consent::Consent;
use super::prepare::PreparedSettings;
use super::routes::RouteChoice;
use super::stamp::Stamps;
use crate::engine::{Command, NetworkChange};
use crate::types::{Call, CallId, SettingsId};

/// What the application's threads want from the client's.
pub(super) enum Message {
    Command(Command),
    Network(NetworkChange),
    Resumed,
    Routes(Vec<RouteChoice>),
    /// There are as many as may be open at once.
    Call(CallId, Arc<Call>),
    Reconfigure(PreparedSettings),
    /// Settings that came from a server, or that an earlier life tried.
    Arrived(Arrived),
    /// The product decides about settings of this tag.
    Decide(Arc<str>, Consent),
    /// The files of the policies were looked at.
    Reread(Found),
    Stop(Duration),
}

/// What a look at the files of the policies found.
#[derive(Default)]
pub(super) struct Found(pub(super) Vec<Changed>);

/// Settings of which files changed.
pub(super) struct Changed {
    pub(super) id: SettingsId,
    /// As they are now.
    pub(super) files: Stamps,
    pub(super) made: Result<PreparedSettings, String>,
}

/// Messages in the order in which the newest of each kind came.
#[derive(Default)]
pub(super) struct Mail {
    messages: Vec<Message>,
    /// Those that were replaced.
    replaced: u64,
}

/// A message that will not be heard, and how many there were.
pub(super) struct Replaced {
    pub(super) message: Message,
    pub(super) count: u64,
}

impl Mail {
    /// What the worker hears first.
    pub(super) fn at_the_start(location: Option<Arc<str>>, candidate: Option<Arrived>) -> Self {
        let location = location.map(|name| Message::Command(Command::SetLocation(Some(name))));
        // Each is the first of its kind, so it replaces none.
        Self { messages: candidate.map(Message::Arrived).into_iter().chain(location).collect(), replaced: 0 }
    }

    /// Adds a message. Returns the one it replaces: to drop it may take a while, which nobody should wait for.
    pub(super) fn push(&mut self, message: Message) -> Option<Replaced> {
        let same = |other: &Message| is_replaced_by(other, &message);
        let Some(index) = self.messages.iter().position(same) else {
            self.messages.push(message);
            return None;
        };
        self.replaced += 1;
        let older = self.messages.remove(index);
        // The first grace counts.
        let is_stop = matches!(older, Message::Stop(_));
        let (kept, message) = if is_stop { (older, message) } else { (message, older) };
        self.messages.push(kept);
        Some(Replaced { message, count: self.replaced })
    }

    pub(super) fn take(&mut self) -> Vec<Message> {
        mem::take(&mut self.messages)
    }
}

/// Whether nothing is lost when only the newer one is heard.
fn is_replaced_by(older: &Message, newer: &Message) -> bool {
    match (older, newer) {
        (Message::Network(older), Message::Network(newer)) => older == newer,
        // Each is one.
        (Message::Call(..), Message::Call(..)) => false,
        (Message::Command(older), Message::Command(newer)) => {
            mem::discriminant(older) == mem::discriminant(newer)
        }
        (older, newer) => mem::discriminant(older) == mem::discriminant(newer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(mail: &mut Mail) -> Vec<String> {
        let name = |message| match message {
            Message::Command(command) => format!("{command:?}"),
            Message::Network(change) => format!("{change:?}"),
            Message::Resumed => "Resumed".to_owned(),
            Message::Routes(_) => "Routes".to_owned(),
            Message::Call(call, _) => format!("Call {}", call.0),
            Message::Reconfigure(_) => "Reconfigure".to_owned(),
            Message::Arrived(_) => "Arrived".to_owned(),
            Message::Decide(tag, _) => format!("Decide {tag}"),
            Message::Reread(_) => "Reread".to_owned(),
            Message::Stop(grace) => format!("Stop {grace:?}"),
        };
        mail.take().into_iter().map(name).collect()
    }

    #[test]
    fn of_each_kind_the_newest_waits_in_its_order_and_the_others_are_counted() {
        let (mut mail, mut replaced) = (Mail::default(), 0);
        let place = |name: &str| Message::Command(Command::SetLocation(Some(name.into())));
        for round in 0..1000 {
            for message in [
                Message::Command(Command::BeatNow),
                place("Office"),
                Message::Network(NetworkChange::Changed),
                Message::Network(NetworkChange::Gone),
                Message::Resumed,
                place("Road"),
                Message::Stop(Duration::from_secs(round)),
                Message::Network(NetworkChange::Returned),
            ] {
                replaced = mail.push(message).map_or(replaced, |replaced| replaced.count);
            }
        }
        let expected =
            ["BeatNow", "Changed", "Gone", "Resumed", "SetLocation(Some(\"Road\"))", "Stop 0ns", "Returned"];
        assert_eq!(names(&mut mail), expected);
        assert_eq!(replaced, 8000 - 7);
        assert!(names(&mut mail).is_empty());
    }
}
