//! How the servers of a world register agents.

use homing::types::{AccountMode, Cause, Outcome, Verdict};

/// How registrations are answered where a server is well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Registers {
    /// The server puts the agent into this group and gives it this mode.
    As(Option<&'static str>, Option<AccountMode>),
    /// It has no such request.
    Declines(u16),
    /// It fails like this.
    Fails(Cause),
}

/// See the module.
pub struct Registry {
    pub answers: Registers,
    /// Whether each answer to a heartbeat asks the agent to register again.
    pub asks: bool,
    /// Whether each answer to a heartbeat says that the agent's id is there twice.
    pub sees_twice: bool,
}

impl Default for Registry {
    fn default() -> Self {
        Self { answers: Registers::As(Some("Default"), None), asks: false, sees_twice: false }
    }
}

impl Registry {
    /// A server that is well has heard a registration.
    pub(super) fn registered(&self) -> Outcome<'static> {
        let success = Verdict::Success { status: 200, settings: None, policy: None };
        match self.answers {
            Registers::As(group, mode) => {
                let group = group.map(|group| group.parse().unwrap());
                Outcome::from(success).with_registered(group, mode)
            }
            Registers::Declines(status) => Verdict::Declined { status }.into(),
            Registers::Fails(cause) => Verdict::Failed(cause.into()).into(),
        }
    }
}
