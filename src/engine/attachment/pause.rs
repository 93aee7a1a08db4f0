//! Why no server is looked for at present.

/// What keeps an agent that is attached to no server from searching on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// A wait that was drawn.
    Waiting,
    /// Nothing leaves this machine.
    NoNetwork,
    /// Something else answers in place of the servers.
    Captive,
    /// Every server rejected this agent.
    Rejected,
}
