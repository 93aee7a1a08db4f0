//! States and reasons as numbers, and what the numbers mean.
//!
//! A number that was given a meaning keeps it for ever; later versions add some.

use super::text::homing_text;
use crate::engine::{Reason, Rung, State};

/// Made, and not yet begun.
pub const HOMING_STATE_STARTING: i32 = 1;
/// Searching, and attached to nobody.
pub const HOMING_STATE_SEARCHING: i32 = 2;
/// Attached to a server.
pub const HOMING_STATE_ATTACHED: i32 = 3;
/// Attached to nobody; the next search begins later.
pub const HOMING_STATE_WAITING: i32 = 4;
/// Attached to nobody, because this machine has no network.
pub const HOMING_STATE_NO_NETWORK: i32 = 5;
/// Attached to no server, because every server has rejected this agent.
pub const HOMING_STATE_REJECTED: i32 = 6;
/// Communication is switched off in the settings.
pub const HOMING_STATE_DISABLED: i32 = 7;
/// Finishing what is under way.
pub const HOMING_STATE_STOPPING: i32 = 8;
/// Stopped for good.
pub const HOMING_STATE_STOPPED: i32 = 9;
/// Attached to nobody, because somebody else answers in place of the servers.
pub const HOMING_STATE_CAPTIVE: i32 = 10;
/// Attached to no server, and no proxy leads to one.
pub const HOMING_STATE_NO_WAY: i32 = 11;

/// The engine has just been made.
pub const HOMING_REASON_START: i32 = 1;
/// The application asked.
pub const HOMING_REASON_ASKED: i32 = 2;
/// The settings changed.
pub const HOMING_REASON_NEW_SETTINGS: i32 = 3;
/// The application gave other credentials.
pub const HOMING_REASON_NEW_CREDENTIALS: i32 = 4;
/// The server in use failed.
pub const HOMING_REASON_SERVER_FAILED: i32 = 5;
/// The server in use makes no progress; others are tried beside it.
pub const HOMING_REASON_SERVER_SLOW: i32 = 6;
/// The server in use is silent; a second opinion is sought.
pub const HOMING_REASON_SERVER_SILENT: i32 = 7;
/// The server in use asked to be left.
pub const HOMING_REASON_SERVER_DRAINING: i32 = 8;
/// The server in use asks for more patience than there is.
pub const HOMING_REASON_SERVER_THROTTLED: i32 = 9;
/// An exchange with a better server, or the agent's own, succeeded.
pub const HOMING_REASON_BETTER_SERVER: i32 = 10;
/// Another server answered in its place.
pub const HOMING_REASON_OTHER_SERVER_ANSWERED: i32 = 11;
/// Every server of the list failed.
pub const HOMING_REASON_ALL_FAILED: i32 = 12;
/// Nobody answers: it may be the network.
pub const HOMING_REASON_NETWORK_SUSPECT: i32 = 13;
/// This machine has no usable network.
pub const HOMING_REASON_NO_NETWORK: i32 = 14;
/// The network changed, or came back.
pub const HOMING_REASON_NETWORK_CHANGED: i32 = 15;
/// The machine was suspended and runs again.
pub const HOMING_REASON_RESUMED: i32 = 16;
/// Every server has rejected this agent.
pub const HOMING_REASON_REJECTED: i32 = 17;
/// Every server asks for patience or may not be used now.
pub const HOMING_REASON_NOTHING_AVAILABLE: i32 = 18;
/// The waiting time is over.
pub const HOMING_REASON_WAIT_OVER: i32 = 19;
/// Too many attempts in ten minutes; the servers are spared.
pub const HOMING_REASON_TOO_MANY_ATTEMPTS: i32 = 20;
/// The agent moved often within two minutes, and calms down.
pub const HOMING_REASON_MOVED_OFTEN: i32 = 21;
/// Communication is switched off in the settings.
pub const HOMING_REASON_DISABLED: i32 = 22;
/// The application stops the agent.
pub const HOMING_REASON_STOPPING: i32 = 23;
/// The certificates of several servers are outside their validity, or the clock is known to be wrong.
pub const HOMING_REASON_CLOCK_WRONG: i32 = 24;
/// Something answers in place of the servers for a day, or on several networks: somebody is in between, or the authority
/// was changed.
pub const HOMING_REASON_INTERCEPTED: i32 = 25;
/// Something seems to answer in place of the servers: one server, or the control of the location, shows it.
pub const HOMING_REASON_CAPTIVE_SUSPECTED: i32 = 26;
/// Something answers in place of the servers, as several of them show: a captive portal, perhaps.
pub const HOMING_REASON_CAPTIVE_PORTAL: i32 = 27;
/// No heartbeat has been delivered for too long, whatever the server in use says.
pub const HOMING_REASON_UNFED: i32 = 28;
/// Every proxy failed or refused the way; the words of the servers say how.
pub const HOMING_REASON_NO_WAY: i32 = 29;
/// A critical report waits, and no server is attached.
pub const HOMING_REASON_REPORT_WAITS: i32 = 33;
/// The program gave other ways to the servers.
pub const HOMING_REASON_ROUTES_CHANGED: i32 = 34;
/// No name resolves: the name service does not answer.
pub const HOMING_REASON_NO_NAMES: i32 = 30;
/// This machine does not let connections out: its packet filter, or the program's socket hook.
pub const HOMING_REASON_HELD_BACK: i32 = 31;
/// This machine is out of sockets, ports or memory.
pub const HOMING_REASON_OUT_OF_RESOURCES: i32 = 32;

/// By an answer that does not end.
pub const HOMING_RUNG_STREAM: i32 = 1;
/// By answers that end with the first event.
pub const HOMING_RUNG_POLL: i32 = 2;
/// Not at all: heartbeats carry the news.
pub const HOMING_RUNG_PULL: i32 = 3;

/// What a reason means, in words that live for ever: `the server in use failed`. `data` is NULL for a number this
/// version does not know.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn homing_reason_text(reason: i32) -> homing_text {
    homing_text::of(reason_of(reason).map(Reason::explain))
}

/// The name of a state, as JSON has it, living for ever: `no_network`. `data` is NULL for a number this version
/// does not know.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn homing_state_name(state: i32) -> homing_text {
    homing_text::of(Some(match state {
        HOMING_STATE_STARTING => "starting",
        HOMING_STATE_SEARCHING => "searching",
        HOMING_STATE_ATTACHED => "attached",
        HOMING_STATE_WAITING => "waiting",
        HOMING_STATE_NO_NETWORK => "no_network",
        HOMING_STATE_REJECTED => "rejected",
        HOMING_STATE_DISABLED => "disabled",
        HOMING_STATE_STOPPING => "stopping",
        HOMING_STATE_STOPPED => "stopped",
        HOMING_STATE_CAPTIVE => "captive",
        HOMING_STATE_NO_WAY => "no_way",
        _ => return homing_text::NONE,
    }))
}

pub(super) const fn state_code(value: State) -> i32 {
    match value {
        State::Starting => HOMING_STATE_STARTING,
        State::Searching => HOMING_STATE_SEARCHING,
        State::Attached => HOMING_STATE_ATTACHED,
        State::Waiting => HOMING_STATE_WAITING,
        State::NoNetwork => HOMING_STATE_NO_NETWORK,
        State::Rejected => HOMING_STATE_REJECTED,
        State::Disabled => HOMING_STATE_DISABLED,
        State::Stopping => HOMING_STATE_STOPPING,
        State::Stopped => HOMING_STATE_STOPPED,
        State::Captive => HOMING_STATE_CAPTIVE,
        State::NoWay => HOMING_STATE_NO_WAY,
    }
}

pub(super) const fn reason_code(value: Reason) -> i32 {
    match value {
        Reason::Start => HOMING_REASON_START,
        Reason::Asked => HOMING_REASON_ASKED,
        Reason::NewSettings => HOMING_REASON_NEW_SETTINGS,
        Reason::NewCredentials => HOMING_REASON_NEW_CREDENTIALS,
        Reason::ServerFailed => HOMING_REASON_SERVER_FAILED,
        Reason::ServerSlow => HOMING_REASON_SERVER_SLOW,
        Reason::ServerSilent => HOMING_REASON_SERVER_SILENT,
        Reason::ServerDraining => HOMING_REASON_SERVER_DRAINING,
        Reason::ServerThrottled => HOMING_REASON_SERVER_THROTTLED,
        Reason::BetterServer => HOMING_REASON_BETTER_SERVER,
        Reason::OtherServerAnswered => HOMING_REASON_OTHER_SERVER_ANSWERED,
        Reason::AllFailed => HOMING_REASON_ALL_FAILED,
        Reason::NetworkSuspect => HOMING_REASON_NETWORK_SUSPECT,
        Reason::NoNetwork => HOMING_REASON_NO_NETWORK,
        Reason::NetworkChanged => HOMING_REASON_NETWORK_CHANGED,
        Reason::Resumed => HOMING_REASON_RESUMED,
        Reason::Rejected => HOMING_REASON_REJECTED,
        Reason::NothingAvailable => HOMING_REASON_NOTHING_AVAILABLE,
        Reason::WaitOver => HOMING_REASON_WAIT_OVER,
        Reason::TooManyAttempts => HOMING_REASON_TOO_MANY_ATTEMPTS,
        Reason::MovedOften => HOMING_REASON_MOVED_OFTEN,
        Reason::Disabled => HOMING_REASON_DISABLED,
        Reason::Stopping => HOMING_REASON_STOPPING,
        Reason::ClockWrong => HOMING_REASON_CLOCK_WRONG,
        Reason::Intercepted => HOMING_REASON_INTERCEPTED,
        Reason::CaptiveSuspected => HOMING_REASON_CAPTIVE_SUSPECTED,
        Reason::CaptivePortal => HOMING_REASON_CAPTIVE_PORTAL,
        Reason::Unfed => HOMING_REASON_UNFED,
        Reason::OutOfResources => HOMING_REASON_OUT_OF_RESOURCES,
        Reason::HeldBack => HOMING_REASON_HELD_BACK,
        Reason::NoNames => HOMING_REASON_NO_NAMES,
        Reason::NoWay => HOMING_REASON_NO_WAY,
        Reason::ReportWaits => HOMING_REASON_REPORT_WAITS,
        Reason::RoutesChanged => HOMING_REASON_ROUTES_CHANGED,
    }
}

pub(super) const fn reason_of(code: i32) -> Option<Reason> {
    Some(match code {
        HOMING_REASON_START => Reason::Start,
        HOMING_REASON_ASKED => Reason::Asked,
        HOMING_REASON_NEW_SETTINGS => Reason::NewSettings,
        HOMING_REASON_NEW_CREDENTIALS => Reason::NewCredentials,
        HOMING_REASON_SERVER_FAILED => Reason::ServerFailed,
        HOMING_REASON_SERVER_SLOW => Reason::ServerSlow,
        HOMING_REASON_SERVER_SILENT => Reason::ServerSilent,
        HOMING_REASON_SERVER_DRAINING => Reason::ServerDraining,
        HOMING_REASON_SERVER_THROTTLED => Reason::ServerThrottled,
        HOMING_REASON_BETTER_SERVER => Reason::BetterServer,
        HOMING_REASON_OTHER_SERVER_ANSWERED => Reason::OtherServerAnswered,
        HOMING_REASON_ALL_FAILED => Reason::AllFailed,
        HOMING_REASON_NETWORK_SUSPECT => Reason::NetworkSuspect,
        HOMING_REASON_NO_NETWORK => Reason::NoNetwork,
        HOMING_REASON_NETWORK_CHANGED => Reason::NetworkChanged,
        HOMING_REASON_RESUMED => Reason::Resumed,
        HOMING_REASON_REJECTED => Reason::Rejected,
        HOMING_REASON_NOTHING_AVAILABLE => Reason::NothingAvailable,
        HOMING_REASON_WAIT_OVER => Reason::WaitOver,
        HOMING_REASON_TOO_MANY_ATTEMPTS => Reason::TooManyAttempts,
        HOMING_REASON_MOVED_OFTEN => Reason::MovedOften,
        HOMING_REASON_DISABLED => Reason::Disabled,
        HOMING_REASON_STOPPING => Reason::Stopping,
        HOMING_REASON_CLOCK_WRONG => Reason::ClockWrong,
        HOMING_REASON_INTERCEPTED => Reason::Intercepted,
        HOMING_REASON_CAPTIVE_SUSPECTED => Reason::CaptiveSuspected,
        HOMING_REASON_CAPTIVE_PORTAL => Reason::CaptivePortal,
        HOMING_REASON_UNFED => Reason::Unfed,
        HOMING_REASON_OUT_OF_RESOURCES => Reason::OutOfResources,
        HOMING_REASON_HELD_BACK => Reason::HeldBack,
        HOMING_REASON_NO_NAMES => Reason::NoNames,
        HOMING_REASON_NO_WAY => Reason::NoWay,
        HOMING_REASON_REPORT_WAITS => Reason::ReportWaits,
        HOMING_REASON_ROUTES_CHANGED => Reason::RoutesChanged,
        _ => return None,
    })
}

pub(super) const fn rung_code(value: Rung) -> i32 {
    match value {
        Rung::Stream => HOMING_RUNG_STREAM,
        Rung::Poll => HOMING_RUNG_POLL,
        Rung::Pull => HOMING_RUNG_PULL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_words_and_every_state_its_name() {
        for code in 1..=HOMING_REASON_ROUTES_CHANGED {
            assert_eq!(reason_of(code).map(reason_code), Some(code));
            assert!(!homing_reason_text(code).data.is_null());
        }
        for code in 1..=HOMING_STATE_NO_WAY {
            assert!(!homing_state_name(code).data.is_null());
        }
        assert!(
            homing_reason_text(0).data.is_null()
                && homing_reason_text(HOMING_REASON_ROUTES_CHANGED + 1).data.is_null()
        );
        assert!(homing_state_name(-1).data.is_null() && homing_state_name(i32::MAX).data.is_null());
    }
}
