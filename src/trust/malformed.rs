//! What is wrong with bytes that webpki does not take for a certificate.

use webpki::Error;

use super::certificate::Certificate;
use super::der;

/// What webpki cannot read of a certificate, in words for a person.
// webpki may add to its errors in any release.
#[allow(clippy::wildcard_enum_match_arm)]
pub(super) fn unreadable(error: &Error, certificate: &Certificate<'_>) -> String {
    let extensions = &certificate.extensions;
    if let Some(extension) = extensions.twice {
        return format!("its extension {} stands in it twice", der::extension_name(extension));
    }
    if let Some(extension) = extensions.unreadable {
        return format!("its extension {} cannot be read", der::extension_name(extension));
    }
    match error {
        _ if !certificate.is_version_3 => "it is not of version 3",
        Error::UnsupportedCertVersion => "it is not of version 3",
        Error::SignatureAlgorithmMismatch => "it names two algorithms for its signature",
        Error::BadDerTime | Error::InvalidCertValidity => "its dates cannot be read",
        Error::TrailingData(_) => "it has more fields than a certificate has",
        Error::MalformedDnsIdentifier => "a name of it cannot be read",
        Error::MalformedNameConstraint | Error::InvalidNetworkMaskConstraint => {
            "its name constraints cannot be read"
        }
        Error::ExtensionValueInvalid | Error::MalformedExtensions => "an extension of it cannot be read",
        Error::InvalidSerialNumber => "its serial number cannot be read",
        Error::EmptyEkuExtension => "its extended key usage is empty",
        Error::UnsupportedCriticalExtension => "it has a critical extension that is not supported",
        _ => "it is not well-formed DER",
    }
    .to_owned()
}
