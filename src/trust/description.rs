//! A certificate as a person wants to see it.

use rustls::pki_types::CertificateDer;

use super::certificate::{self, Certificate, Key};
use super::pin;
use super::time::Timestamp;

/// What a certificate says of itself: nobody has vouched for any of it yet.
///
/// All texts are what somebody wrote into it: shortened, and escaped as by [`Printable`](crate::types::Printable).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// Whose it is, most specific part first: `CN=mgmt.example, O=Company`.
    pub subject: String,
    /// Who is said to have issued it.
    pub issuer: String,
    /// Names and addresses of servers it is for (RFC 5280 4.2.1.6); the common name is none of them.
    pub names: Vec<String>,
    /// Its first second.
    pub not_before: Timestamp,
    /// Its last second.
    pub not_after: Timestamp,
    /// What key it is for.
    pub key: Key,
    /// SHA-256 of that key's SubjectPublicKeyInfo, in base64: what settings write as `sha256` of a pin.
    pub pin: String,
    /// Whether it says that it is an authority (RFC 5280 4.2.1.9).
    pub is_authority: bool,
}

impl Description {
    /// Reads a certificate (DER). `None` for bytes that are none. Any thread.
    ///
    /// ```
    /// use homing::trust::Description;
    ///
    /// assert_eq!(Description::of(&vec![1, 2, 3].into()), None);
    /// ```
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let read = Certificate::read(certificate).ok()?;
        Some(Self {
            subject: certificate::name(read.subject),
            issuer: certificate::name(read.issuer),
            names: read.names().map(|name| name.to_string()).collect(),
            not_before: read.not_before,
            not_after: read.not_after,
            key: read.key,
            pin: pin::text(&pin::hash(read.key_info)),
            is_authority: read.extensions.basic_constraints.is_some_and(|found| found.is_authority),
        })
    }
}
