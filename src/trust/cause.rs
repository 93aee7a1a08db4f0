//! What a failed handshake means.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError};

use super::reject::RejectReason;
use crate::types::{Cause, Failure};

/// What went wrong, in the agent's words, with what was said of it as the note.
pub(crate) fn failure(error: &Error) -> Failure {
    if let Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) = error
        && let Some(reason) = reason.downcast_ref::<RejectReason>()
    {
        return reason.failure();
    }
    if let Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) = error {
        return Failure::noted(Cause::BadCertificate, TOO_LARGE);
    }
    match advice(error) {
        Some(advice) => Failure::noted(cause(error), format_args!("{error}: {advice}")),
        None => Failure::noted(cause(error), error),
    }
}

/// What an administrator can do, where the words of the library do not say it.
#[allow(clippy::wildcard_enum_match_arm)]
fn advice(error: &Error) -> Option<&'static str> {
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            Some("what answers does not speak TLS; this may be its port for plain http")
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            Some("the server does not know this name; set `expected_name` in its certificate policy")
        }
        _ => None,
    }
}

/// rustls takes no longer handshake message, and only certificates can be so long.
const TOO_LARGE: &str =
    "its certificates are larger than 64 KiB together; let the server send fewer, or one with fewer names";

// rustls may add to its enums in any release; what is not known is a failure of TLS as such.
#[allow(clippy::wildcard_enum_match_arm)]
fn cause(error: &Error) -> Cause {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::NoCertificatesPresented | Error::UnsupportedNameType => Cause::BadCertificate,
        Error::InvalidCertRevocationList(_) => Cause::BadCertificate,
        Error::AlertReceived(alert) => self::alert(*alert),
        _ => Cause::TlsFailed,
    }
}

#[allow(clippy::wildcard_enum_match_arm)]
fn certificate(error: &CertificateError) -> Cause {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Cause::CertificateExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Cause::CertificateNotYetValid
        }
        CertificateError::UnknownIssuer => Cause::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Cause::WrongName
        }
        CertificateError::Revoked => Cause::Revoked,
        // Also a handshake that was not signed with the key of the certificate: somebody shows what is another's.
        _ => Cause::BadCertificate,
    }
}

/// An alert of the peer: about our certificate, or about something else.
#[allow(clippy::wildcard_enum_match_arm)]
fn alert(alert: AlertDescription) -> Cause {
    match alert {
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::CertificateRequired => Cause::ClientCertificateRefused,
        _ => Cause::TlsFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_tls_says_what_to_do_where_it_is_known() {
        for (error, word) in [
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "port for plain http"),
            (Error::AlertReceived(AlertDescription::UnrecognisedName), "`expected_name`"),
        ] {
            let failure = failure(&error);
            assert_eq!(failure.cause, Cause::TlsFailed);
            assert!(failure.note.unwrap().contains(word));
        }
    }

    #[test]
    fn each_kind_of_failure_keeps_its_name() {
        for (error, expected) in [
            (CertificateError::Expired.into(), Cause::CertificateExpired),
            (CertificateError::NotValidYet.into(), Cause::CertificateNotYetValid),
            (CertificateError::UnknownIssuer.into(), Cause::UnknownIssuer),
            (CertificateError::BadSignature.into(), Cause::BadCertificate),
            (CertificateError::NotValidForName.into(), Cause::WrongName),
            (CertificateError::Revoked.into(), Cause::Revoked),
            (CertificateError::BadEncoding.into(), Cause::BadCertificate),
            (CertificateError::InvalidPurpose.into(), Cause::BadCertificate),
            (Error::NoCertificatesPresented, Cause::BadCertificate),
            (Error::AlertReceived(AlertDescription::CertificateRequired), Cause::ClientCertificateRefused),
            (Error::AlertReceived(AlertDescription::UnknownCA), Cause::ClientCertificateRefused),
            (Error::AlertReceived(AlertDescription::HandshakeFailure), Cause::TlsFailed),
            (Error::DecryptError, Cause::TlsFailed),
            (InvalidMessage::HandshakePayloadTooLarge.into(), Cause::BadCertificate),
        ] {
            assert_eq!(failure(&error).cause, expected, "{error}");
        }
    }
}
