//! Failures: what a driver reports, and what an event tells.

use std::ffi::c_char;
use std::time::Duration;

use super::boundary::{Growing, no_padding, number, read_sized, reference};
use super::status::{Failed, HOMING_ERROR_RANGE};
use super::text;
use super::verdict::homing_judgement;
use crate::engine::Next;
use crate::types::{Cause, Evidence, Failure, FailureClass};

/// Connection refused, or the network said that the host cannot be reached.
pub const HOMING_CLASS_REFUSED: i32 = 1;
/// Nothing answered.
pub const HOMING_CLASS_NO_ANSWER: i32 = 2;
/// This machine has no way to anybody.
pub const HOMING_CLASS_LOCAL_NETWORK: i32 = 3;
/// The name did not resolve.
pub const HOMING_CLASS_NAME: i32 = 4;
/// The server did not prove that it is the server.
pub const HOMING_CLASS_CERTIFICATE: i32 = 5;
/// The server says that it has a fault.
pub const HOMING_CLASS_SERVER_ERROR: i32 = 6;
/// The server asks for patience.
pub const HOMING_CLASS_THROTTLED: i32 = 7;
/// The server rejected this agent.
pub const HOMING_CLASS_NOT_ALLOWED: i32 = 8;
/// The connection stands and nothing comes.
pub const HOMING_CLASS_SILENT: i32 = 9;
/// Something answers, but it is not a management server.
pub const HOMING_CLASS_WRONG_SERVER: i32 = 10;
/// The connection broke in the middle.
pub const HOMING_CLASS_BROKEN: i32 = 11;
/// The server went beyond a limit of size or time.
pub const HOMING_CLASS_LIMIT: i32 = 12;
/// The proxy failed, not the server.
pub const HOMING_CLASS_PROXY: i32 = 13;
/// The server asks to be left.
pub const HOMING_CLASS_DRAINING: i32 = 14;
/// The server closed a connection on which nothing was under way.
pub const HOMING_CLASS_CLOSED_IDLE: i32 = 15;
/// What was sent is larger than the server takes.
pub const HOMING_CLASS_TOO_LARGE: i32 = 16;
/// The server did not understand the request.
pub const HOMING_CLASS_MISUNDERSTOOD: i32 = 17;

/// The host answered with a reset: nothing listens on that port.
pub const HOMING_CAUSE_CONNECTION_REFUSED: i32 = 1;
/// A router answered that the host cannot be reached (ICMP).
pub const HOMING_CAUSE_HOST_UNREACHABLE: i32 = 2;
/// No answer to the connection attempt within its limit.
pub const HOMING_CAUSE_CONNECT_TIMEOUT: i32 = 3;
/// No answer yet when the place was needed for another server.
pub const HOMING_CAUSE_EVICTED: i32 = 4;
/// This machine has no route, or no usable interface.
pub const HOMING_CAUSE_NO_ROUTE: i32 = 5;
/// The system ran out of sockets, ports or memory for them.
pub const HOMING_CAUSE_OUT_OF_RESOURCES: i32 = 6;
/// The program's own socket hook did not let the socket be used.
pub const HOMING_CAUSE_SOCKET_REFUSED: i32 = 7;
/// No name resolves: the name service is dead or out of reach.
pub const HOMING_CAUSE_NAME_SERVICE_DEAD: i32 = 8;
/// The name does not exist.
pub const HOMING_CAUSE_NAME_NOT_FOUND: i32 = 9;
/// The name service answered with an error.
pub const HOMING_CAUSE_NAME_SERVER_FAILED: i32 = 10;
/// The name service did not answer within the limit.
pub const HOMING_CAUSE_NAME_TIMEOUT: i32 = 11;
/// The certificate has expired.
pub const HOMING_CAUSE_CERTIFICATE_EXPIRED: i32 = 12;
/// The certificate is not valid yet.
pub const HOMING_CAUSE_CERTIFICATE_NOT_YET_VALID: i32 = 13;
/// Nobody the policy trusts has issued it.
pub const HOMING_CAUSE_UNKNOWN_ISSUER: i32 = 14;
/// It is for another name.
pub const HOMING_CAUSE_WRONG_NAME: i32 = 15;
/// It has been revoked.
pub const HOMING_CAUSE_REVOKED: i32 = 16;
/// It is none of the pinned keys.
pub const HOMING_CAUSE_PIN_MISMATCH: i32 = 17;
/// It is unusable for another reason.
pub const HOMING_CAUSE_BAD_CERTIFICATE: i32 = 18;
/// A 5xx answer without a usable `Retry-After`.
pub const HOMING_CAUSE_SERVER_ERROR: i32 = 19;
/// 429, or 503 with a `Retry-After`.
pub const HOMING_CAUSE_THROTTLED: i32 = 20;
/// 401, or 403 with a field whose name begins with `Homing-`.
pub const HOMING_CAUSE_NOT_ALLOWED: i32 = 21;
/// A TLS alert about our own certificate.
pub const HOMING_CAUSE_CLIENT_CERTIFICATE_REFUSED: i32 = 22;
/// No first byte of an answer within the limit.
pub const HOMING_CAUSE_NO_FIRST_BYTE: i32 = 23;
/// A status no management server gives to this request: 1xx, 3xx, 404, 410, 403 without a `Homing-` field, or a 2xx without them.
pub const HOMING_CAUSE_NOT_A_MANAGER: i32 = 24;
/// What came back is not HTTP.
pub const HOMING_CAUSE_NOT_HTTP: i32 = 25;
/// The connection was reset.
pub const HOMING_CAUSE_RESET: i32 = 26;
/// The connection was closed before the answer was complete.
pub const HOMING_CAUSE_TRUNCATED: i32 = 27;
/// A TLS error or alert that concerns no certificate.
pub const HOMING_CAUSE_TLS_FAILED: i32 = 28;
/// The TLS handshake took too long.
pub const HOMING_CAUSE_TLS_TIMEOUT: i32 = 29;
/// The exchange took too long.
pub const HOMING_CAUSE_EXCHANGE_TIMEOUT: i32 = 30;
/// The whole attempt took too long.
pub const HOMING_CAUSE_ATTEMPT_TIMEOUT: i32 = 31;
/// The head of the answer is too large, or has too many fields.
pub const HOMING_CAUSE_HEAD_TOO_LARGE: i32 = 32;
/// Too many interim (1xx) answers.
pub const HOMING_CAUSE_TOO_MANY_INTERIM: i32 = 33;
/// The body of the answer is too large.
pub const HOMING_CAUSE_BODY_TOO_LARGE: i32 = 34;
/// The body comes too slowly.
pub const HOMING_CAUSE_DRIPPING: i32 = 35;
/// The proxy cannot be reached, or its name does not resolve.
pub const HOMING_CAUSE_PROXY_UNREACHABLE: i32 = 36;
/// The proxy wants other credentials (407).
pub const HOMING_CAUSE_PROXY_NOT_ALLOWED: i32 = 37;
/// The proxy refused the way to the server, or answered what is no answer to CONNECT.
pub const HOMING_CAUSE_PROXY_REFUSED: i32 = 38;
/// The server asks to be left.
pub const HOMING_CAUSE_DRAINING: i32 = 39;
/// The server closed a connection on which nothing was under way.
pub const HOMING_CAUSE_CLOSED_IDLE: i32 = 40;
/// The machine was suspended; what the connection is worth is not known.
pub const HOMING_CAUSE_SUSPENDED: i32 = 41;
/// Its key, or the digest of a signature, is too weak; class `HOMING_CLASS_CERTIFICATE`.
pub const HOMING_CAUSE_WEAK_KEY: i32 = 42;
/// No usable revocation list says anything about it; class `HOMING_CLASS_CERTIFICATE`.
pub const HOMING_CAUSE_REVOCATION_UNKNOWN: i32 = 43;
/// A page for a person (HTML) came in place of the answer. As `HOMING_CAUSE_NOT_A_MANAGER`, and where nothing was verified a sign
/// of a captive portal too.
pub const HOMING_CAUSE_PAGE: i32 = 44;
/// 413: the body of the request is larger than the server takes. The engine repeats the exchange once, on a fresh link to the
/// same server; send it without the body.
pub const HOMING_CAUSE_TOO_LARGE: i32 = 45;
/// A 4xx that has no cause of its own. After 408, 421 and 425 the engine repeats the exchange once, on a fresh link.
pub const HOMING_CAUSE_MISUNDERSTOOD: i32 = 46;
/// Too many TLS records that carry nothing: tickets, key updates, empty ones, padding; class `HOMING_CLASS_LIMIT`.
pub const HOMING_CAUSE_EMPTY_RECORDS: i32 = 47;
/// A packet filter of this machine did not let the connection out.
pub const HOMING_CAUSE_LOCAL_FIREWALL: i32 = 48;

/// Other servers of the same search are tried.
pub const HOMING_NEXT_NEXT_SERVER: i32 = 1;
/// The same server is tried once more, on a fresh connection.
pub const HOMING_NEXT_SAME_SERVER: i32 = 2;
/// It stays with this server and asks again later.
pub const HOMING_NEXT_LATER: i32 = 3;
/// Nothing is left to try in this search.
pub const HOMING_NEXT_NOTHING: i32 = 4;

/// A failure, as the driver of an engine saw it. Zero everything, set `struct_size` and `cause`, and what the cause asks
/// for; or `struct_size` and `judgement`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_failure {
    /// `sizeof(homing_failure)`.
    pub struct_size: u64,
    /// `HOMING_CAUSE_…`.
    pub cause: i32,
    /// HTTP status, for the causes that come from one; otherwise 0.
    pub status: u32,
    /// For `HOMING_CAUSE_THROTTLED`: for how many milliseconds the server asks, or NULL when it does not say.
    pub retry_after_ms: *const u64,
    /// The words of the system or of a library, or NULL: NUL-terminated, at most 200 characters are kept.
    pub note: *const c_char,
    /// The rejection this failure is, or NULL: then cause and note are those of the judgement, and what it says of a wrong clock
    /// or of somebody in between is heard too. One that is no rejection means nothing.
    pub judgement: *const homing_judgement,
}

const POINTER: usize = size_of::<*const u8>();
const _: () = assert!(no_padding(size_of::<homing_failure>(), &[8, 4, 4, POINTER, POINTER, POINTER]));

// SAFETY: `repr(C)`, the size first, and all zero are NULL and 0.
unsafe impl Growing for homing_failure {
    const LEAST: usize = 16;
}

impl homing_failure {
    /// The number of a cause, for Rust code that speaks to these functions.
    pub const fn code(cause: Cause) -> i32 {
        match cause {
            Cause::ConnectionRefused => HOMING_CAUSE_CONNECTION_REFUSED,
            Cause::HostUnreachable => HOMING_CAUSE_HOST_UNREACHABLE,
            Cause::ConnectTimeout => HOMING_CAUSE_CONNECT_TIMEOUT,
            Cause::Evicted => HOMING_CAUSE_EVICTED,
            Cause::NoRoute => HOMING_CAUSE_NO_ROUTE,
            Cause::OutOfResources => HOMING_CAUSE_OUT_OF_RESOURCES,
            Cause::SocketRefused => HOMING_CAUSE_SOCKET_REFUSED,
            Cause::LocalFirewall => HOMING_CAUSE_LOCAL_FIREWALL,
            Cause::NameServiceDead => HOMING_CAUSE_NAME_SERVICE_DEAD,
            Cause::NameNotFound => HOMING_CAUSE_NAME_NOT_FOUND,
            Cause::NameServerFailed => HOMING_CAUSE_NAME_SERVER_FAILED,
            Cause::NameTimeout => HOMING_CAUSE_NAME_TIMEOUT,
            Cause::CertificateExpired => HOMING_CAUSE_CERTIFICATE_EXPIRED,
            Cause::CertificateNotYetValid => HOMING_CAUSE_CERTIFICATE_NOT_YET_VALID,
            Cause::UnknownIssuer => HOMING_CAUSE_UNKNOWN_ISSUER,
            Cause::WrongName => HOMING_CAUSE_WRONG_NAME,
            Cause::Revoked => HOMING_CAUSE_REVOKED,
            Cause::PinMismatch => HOMING_CAUSE_PIN_MISMATCH,
            Cause::BadCertificate => HOMING_CAUSE_BAD_CERTIFICATE,
            Cause::WeakKey => HOMING_CAUSE_WEAK_KEY,
            Cause::RevocationUnknown => HOMING_CAUSE_REVOCATION_UNKNOWN,
            Cause::ServerError { .. } => HOMING_CAUSE_SERVER_ERROR,
            Cause::Throttled { .. } => HOMING_CAUSE_THROTTLED,
            Cause::NotAllowed { .. } => HOMING_CAUSE_NOT_ALLOWED,
            Cause::ClientCertificateRefused => HOMING_CAUSE_CLIENT_CERTIFICATE_REFUSED,
            Cause::TooLarge => HOMING_CAUSE_TOO_LARGE,
            Cause::Misunderstood { .. } => HOMING_CAUSE_MISUNDERSTOOD,
            Cause::NoFirstByte => HOMING_CAUSE_NO_FIRST_BYTE,
            Cause::NotAManager { .. } => HOMING_CAUSE_NOT_A_MANAGER,
            Cause::NotHttp => HOMING_CAUSE_NOT_HTTP,
            Cause::Reset => HOMING_CAUSE_RESET,
            Cause::Truncated => HOMING_CAUSE_TRUNCATED,
            Cause::TlsFailed => HOMING_CAUSE_TLS_FAILED,
            Cause::TlsTimeout => HOMING_CAUSE_TLS_TIMEOUT,
            Cause::ExchangeTimeout => HOMING_CAUSE_EXCHANGE_TIMEOUT,
            Cause::AttemptTimeout => HOMING_CAUSE_ATTEMPT_TIMEOUT,
            Cause::HeadTooLarge => HOMING_CAUSE_HEAD_TOO_LARGE,
            Cause::TooManyInterim => HOMING_CAUSE_TOO_MANY_INTERIM,
            Cause::BodyTooLarge => HOMING_CAUSE_BODY_TOO_LARGE,
            Cause::Dripping => HOMING_CAUSE_DRIPPING,
            Cause::EmptyRecords => HOMING_CAUSE_EMPTY_RECORDS,
            Cause::ProxyUnreachable => HOMING_CAUSE_PROXY_UNREACHABLE,
            Cause::ProxyNotAllowed => HOMING_CAUSE_PROXY_NOT_ALLOWED,
            Cause::ProxyRefused { .. } => HOMING_CAUSE_PROXY_REFUSED,
            Cause::Draining => HOMING_CAUSE_DRAINING,
            Cause::ClosedIdle => HOMING_CAUSE_CLOSED_IDLE,
            Cause::Suspended => HOMING_CAUSE_SUSPENDED,
        }
    }
}

/// What a failure a caller gave says.
///
/// # Safety
/// `failure` is NULL, or points to a failure whose pointers are NULL or can be read.
pub(super) unsafe fn read_failure(failure: *const homing_failure) -> Result<Failure, Failed> {
    // SAFETY: the caller's promise.
    let given = unsafe { read_sized(failure, "failure") }?;
    // SAFETY: the caller's promise.
    let note = unsafe { text::optional(given.note, "failure.note") }?;
    // SAFETY: the caller's promise.
    let retry_after = unsafe { number(given.retry_after_ms) }.map(Duration::from_millis);
    let status = u16::try_from(given.status).map_err(|_| {
        Failed::new(HOMING_ERROR_RANGE, format!("`failure.status` {} is no status", given.status))
    })?;
    if !given.judgement.is_null()
        // SAFETY: the caller's promise.
        && let Some(rejected) = unsafe { reference(given.judgement, "failure.judgement") }?.failure()
    {
        return Ok(rejected);
    }
    let cause = cause(given.cause, status, retry_after).ok_or_else(|| {
        Failed::new(HOMING_ERROR_RANGE, format!("`failure.cause` {} is no cause", given.cause))
    })?;
    let failure = match note {
        Some(note) => Failure::noted(cause, note),
        None => cause.into(),
    };
    let evidence = (given.cause == HOMING_CAUSE_PAGE).then_some(Evidence::Portal);
    Ok(Failure { evidence, ..failure })
}

pub(super) const fn class_code(value: FailureClass) -> i32 {
    match value {
        FailureClass::Refused => HOMING_CLASS_REFUSED,
        FailureClass::NoAnswer => HOMING_CLASS_NO_ANSWER,
        FailureClass::LocalNetwork => HOMING_CLASS_LOCAL_NETWORK,
        FailureClass::Name => HOMING_CLASS_NAME,
        FailureClass::Certificate => HOMING_CLASS_CERTIFICATE,
        FailureClass::ServerError => HOMING_CLASS_SERVER_ERROR,
        FailureClass::Throttled => HOMING_CLASS_THROTTLED,
        FailureClass::NotAllowed => HOMING_CLASS_NOT_ALLOWED,
        FailureClass::TooLarge => HOMING_CLASS_TOO_LARGE,
        FailureClass::Misunderstood => HOMING_CLASS_MISUNDERSTOOD,
        FailureClass::Silent => HOMING_CLASS_SILENT,
        FailureClass::WrongServer => HOMING_CLASS_WRONG_SERVER,
        FailureClass::Broken => HOMING_CLASS_BROKEN,
        FailureClass::Limit => HOMING_CLASS_LIMIT,
        FailureClass::Proxy => HOMING_CLASS_PROXY,
        FailureClass::Draining => HOMING_CLASS_DRAINING,
        FailureClass::ClosedIdle => HOMING_CLASS_CLOSED_IDLE,
    }
}

const fn cause(code: i32, status: u16, retry_after: Option<Duration>) -> Option<Cause> {
    Some(match code {
        HOMING_CAUSE_CONNECTION_REFUSED => Cause::ConnectionRefused,
        HOMING_CAUSE_HOST_UNREACHABLE => Cause::HostUnreachable,
        HOMING_CAUSE_CONNECT_TIMEOUT => Cause::ConnectTimeout,
        HOMING_CAUSE_EVICTED => Cause::Evicted,
        HOMING_CAUSE_NO_ROUTE => Cause::NoRoute,
        HOMING_CAUSE_OUT_OF_RESOURCES => Cause::OutOfResources,
        HOMING_CAUSE_SOCKET_REFUSED => Cause::SocketRefused,
        HOMING_CAUSE_LOCAL_FIREWALL => Cause::LocalFirewall,
        HOMING_CAUSE_NAME_SERVICE_DEAD => Cause::NameServiceDead,
        HOMING_CAUSE_NAME_NOT_FOUND => Cause::NameNotFound,
        HOMING_CAUSE_NAME_SERVER_FAILED => Cause::NameServerFailed,
        HOMING_CAUSE_NAME_TIMEOUT => Cause::NameTimeout,
        HOMING_CAUSE_CERTIFICATE_EXPIRED => Cause::CertificateExpired,
        HOMING_CAUSE_CERTIFICATE_NOT_YET_VALID => Cause::CertificateNotYetValid,
        HOMING_CAUSE_UNKNOWN_ISSUER => Cause::UnknownIssuer,
        HOMING_CAUSE_WRONG_NAME => Cause::WrongName,
        HOMING_CAUSE_REVOKED => Cause::Revoked,
        HOMING_CAUSE_PIN_MISMATCH => Cause::PinMismatch,
        HOMING_CAUSE_BAD_CERTIFICATE => Cause::BadCertificate,
        HOMING_CAUSE_WEAK_KEY => Cause::WeakKey,
        HOMING_CAUSE_REVOCATION_UNKNOWN => Cause::RevocationUnknown,
        HOMING_CAUSE_SERVER_ERROR => Cause::ServerError { status },
        HOMING_CAUSE_THROTTLED => Cause::Throttled { status, retry_after },
        HOMING_CAUSE_NOT_ALLOWED => Cause::NotAllowed { status },
        HOMING_CAUSE_CLIENT_CERTIFICATE_REFUSED => Cause::ClientCertificateRefused,
        HOMING_CAUSE_TOO_LARGE => Cause::TooLarge,
        HOMING_CAUSE_MISUNDERSTOOD => Cause::Misunderstood { status },
        HOMING_CAUSE_NO_FIRST_BYTE => Cause::NoFirstByte,
        HOMING_CAUSE_NOT_A_MANAGER | HOMING_CAUSE_PAGE => Cause::NotAManager { status },
        HOMING_CAUSE_NOT_HTTP => Cause::NotHttp,
        HOMING_CAUSE_RESET => Cause::Reset,
        HOMING_CAUSE_TRUNCATED => Cause::Truncated,
        HOMING_CAUSE_TLS_FAILED => Cause::TlsFailed,
        HOMING_CAUSE_TLS_TIMEOUT => Cause::TlsTimeout,
        HOMING_CAUSE_EXCHANGE_TIMEOUT => Cause::ExchangeTimeout,
        HOMING_CAUSE_ATTEMPT_TIMEOUT => Cause::AttemptTimeout,
        HOMING_CAUSE_HEAD_TOO_LARGE => Cause::HeadTooLarge,
        HOMING_CAUSE_TOO_MANY_INTERIM => Cause::TooManyInterim,
        HOMING_CAUSE_BODY_TOO_LARGE => Cause::BodyTooLarge,
        HOMING_CAUSE_DRIPPING => Cause::Dripping,
        HOMING_CAUSE_EMPTY_RECORDS => Cause::EmptyRecords,
        HOMING_CAUSE_PROXY_UNREACHABLE => Cause::ProxyUnreachable,
        HOMING_CAUSE_PROXY_NOT_ALLOWED => Cause::ProxyNotAllowed,
        HOMING_CAUSE_PROXY_REFUSED => Cause::ProxyRefused { status },
        HOMING_CAUSE_DRAINING => Cause::Draining,
        HOMING_CAUSE_CLOSED_IDLE => Cause::ClosedIdle,
        HOMING_CAUSE_SUSPENDED => Cause::Suspended,
        _ => return None,
    })
}

pub(super) const fn next_code(value: Next) -> i32 {
    match value {
        Next::NextServer => HOMING_NEXT_NEXT_SERVER,
        Next::SameServer => HOMING_NEXT_SAME_SERVER,
        Next::Later => HOMING_NEXT_LATER,
        Next::Nothing => HOMING_NEXT_NOTHING,
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::settings::CertificatePolicy;
    use crate::trust::{Bearer, Material, Place, Policy, RejectReason, Time, Timestamp, check_chain};

    #[test]
    fn a_rejection_is_told_with_what_it_says_of_more_than_this_server() {
        let time = Time::new(Timestamp(1_800_000_000));
        let subject = Bearer { name: "CN=a".to_owned(), place: Place::Server };
        let expired = RejectReason::Expired { subject, not_after: Timestamp(0), time };
        let told = |judgement: &homing_judgement| {
            let (retry_after_ms, note) = (ptr::null(), ptr::null());
            let struct_size = size_of::<homing_failure>() as u64;
            let cause = HOMING_CAUSE_RESET;
            let given = homing_failure { struct_size, cause, status: 0, retry_after_ms, note, judgement };
            // SAFETY: all of it lives.
            unsafe { read_failure(&raw const given) }.unwrap()
        };
        assert_eq!(told(&homing_judgement::new(Err(expired.clone()), time)), expired.failure());
        assert!(expired.failure().evidence.is_some());
        let policy = CertificatePolicy { danger_no_verification: true, ..CertificatePolicy::default() };
        let policy = Policy::new(&policy, &Material::default(), time).unwrap();
        let accepted = check_chain(&policy, &[vec![1].into()], time);
        assert_eq!(told(&homing_judgement::new(accepted, time)).cause, Cause::Reset);
    }

    #[test]
    fn every_cause_has_a_number_of_its_own() {
        for number in (1..=43).chain(45..=48) {
            assert_eq!(cause(number, 500, None).map(homing_failure::code), Some(number));
        }
        assert_eq!((cause(0, 0, None), cause(49, 0, None)), (None, None));
    }
}
