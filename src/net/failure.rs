//! What an error of the system means.

use std::io::{Error, ErrorKind};

use crate::types::{Cause, Failure};

/// Why a connection could not be made.
pub(super) fn of_dial(error: &Error) -> Failure {
    with_words(common(error).unwrap_or(Cause::NoRoute), error)
}

/// Why a connection that was under way came to nothing.
pub(super) fn of_answer(error: &Error) -> Failure {
    let failure = of_dial(error);
    // On Unix the system says at once that it has no way; what comes later a router has said (ICMP), and then there is a network.
    if cfg!(unix) && failure.cause == Cause::NoRoute && error.kind() != ErrorKind::NetworkDown {
        return Failure::noted(Cause::HostUnreachable, error);
    }
    failure
}

/// Why a connection that stood broke.
pub(super) fn of_link(error: &Error) -> Failure {
    let cause = match common(error) {
        // It stood, so this is no silence of the host: what was sent is no longer acknowledged.
        None | Some(Cause::ConnectTimeout | Cause::LocalFirewall) => Cause::Reset,
        Some(cause) => cause,
    };
    with_words(cause, error)
}

/// The words of the system, unless the cause says the same already.
// The standard library may name more errors in any release.
#[allow(clippy::wildcard_enum_match_arm)]
fn with_words(cause: Cause, error: &Error) -> Failure {
    let says_it_all = match error.kind() {
        ErrorKind::ConnectionRefused => cause == Cause::ConnectionRefused,
        ErrorKind::HostUnreachable => cause == Cause::HostUnreachable,
        ErrorKind::ConnectionReset => cause == Cause::Reset,
        ErrorKind::TimedOut => cause == Cause::ConnectTimeout,
        _ => false,
    };
    if says_it_all { cause.into() } else { Failure::noted(cause, error) }
}

// The standard library may name more errors in any release; what is not known is left to the caller.
#[allow(clippy::wildcard_enum_match_arm)]
fn common(error: &Error) -> Option<Cause> {
    if is_out_of_resources(error) {
        return Some(Cause::OutOfResources);
    }
    // Linux: a rule of this machine's own packet filter. What a router forbids comes as EACCES.
    #[cfg(target_os = "linux")]
    if error.raw_os_error() == Some(libc::EPERM) {
        return Some(Cause::LocalFirewall);
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => Some(Cause::ConnectionRefused),
        ErrorKind::HostUnreachable => Some(Cause::HostUnreachable),
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown | ErrorKind::AddrNotAvailable => {
            Some(Cause::NoRoute)
        }
        ErrorKind::TimedOut => Some(Cause::ConnectTimeout),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            Some(Cause::Reset)
        }
        ErrorKind::OutOfMemory => Some(Cause::OutOfResources),
        ErrorKind::UnexpectedEof => Some(Cause::Truncated),
        _ => None,
    }
}

/// No descriptors, ports or buffers left, here or in the whole system.
fn is_out_of_resources(error: &Error) -> bool {
    #[cfg(unix)]
    const NUMBERS: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    // WSAEMFILE, WSAENOBUFS
    #[cfg(windows)]
    const NUMBERS: [i32; 2] = [10_024, 10_055];
    error.raw_os_error().is_some_and(|number| NUMBERS.contains(&number))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_router_answers_is_no_lack_of_a_network() {
        for (number, at_once, later) in [
            (libc::ENETUNREACH, Cause::NoRoute, Cause::HostUnreachable),
            // IPv6: administratively prohibited.
            (libc::EACCES, Cause::NoRoute, Cause::HostUnreachable),
            (libc::ENETDOWN, Cause::NoRoute, Cause::NoRoute),
            (libc::ECONNREFUSED, Cause::ConnectionRefused, Cause::ConnectionRefused),
            (libc::ETIMEDOUT, Cause::ConnectTimeout, Cause::ConnectTimeout),
        ] {
            let error = Error::from_raw_os_error(number);
            assert_eq!((of_dial(&error).cause, of_answer(&error).cause), (at_once, later), "{error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_packet_filter_of_this_machine_is_told_from_a_missing_route() {
        let error = Error::from_raw_os_error(libc::EPERM);
        assert_eq!((of_dial(&error).cause, of_link(&error).cause), (Cause::LocalFirewall, Cause::Reset));
    }

    #[test]
    fn the_errors_of_the_system_keep_their_meaning() {
        for (number, dial, link) in [
            (libc::ECONNREFUSED, Cause::ConnectionRefused, Cause::ConnectionRefused),
            (libc::EHOSTUNREACH, Cause::HostUnreachable, Cause::HostUnreachable),
            (libc::ENETUNREACH, Cause::NoRoute, Cause::NoRoute),
            (libc::EADDRNOTAVAIL, Cause::NoRoute, Cause::NoRoute),
            (libc::EAFNOSUPPORT, Cause::NoRoute, Cause::Reset),
            (libc::ETIMEDOUT, Cause::ConnectTimeout, Cause::Reset),
            (libc::ECONNRESET, Cause::Reset, Cause::Reset),
            (libc::EPIPE, Cause::Reset, Cause::Reset),
            (libc::EMFILE, Cause::OutOfResources, Cause::OutOfResources),
            (libc::ENOBUFS, Cause::OutOfResources, Cause::OutOfResources),
        ] {
            let error = Error::from_raw_os_error(number);
            assert_eq!((of_dial(&error).cause, of_link(&error).cause), (dial, link), "{error}");
        }
    }
}
