//! One certificate that is believed because it is that very certificate: between a bundle, which holds authorities, and a pin, which looks
//! at a key alone.

use std::path::{Path, PathBuf};

use super::bundle::BundleError;
use super::certificate::{Certificate, Unreadable};
use super::reject::{Bearer, RejectReason};
use super::time::{Time, Timestamp};

/// A certificate that the policy names.
#[derive(Debug)]
pub(super) struct Exact {
    pub(super) path: PathBuf,
    bytes: Vec<u8>,
    /// What messages call it.
    pub(super) called: String,
    subject: Vec<u8>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) demands_stapling: bool,
}

impl Exact {
    /// Reads a PEM file with one certificate.
    pub(super) fn read(path: &Path, text: &[u8]) -> Result<Self, BundleError> {
        let certificates = super::bundle::certificates(text)?;
        let [bytes] = certificates.as_slice() else {
            return Err(BundleError::Several(certificates.len()));
        };
        let read = Certificate::read(bytes)
            .map_err(|Unreadable(words)| BundleError::Unparsable { number: 1, reason: words.to_owned() })?;
        Ok(Self {
            path: path.to_owned(),
            bytes: bytes.to_vec(),
            called: read.called(),
            subject: read.subject.to_vec(),
            not_before: read.not_before,
            not_after: read.not_after,
            demands_stapling: read.extensions.demands_stapling,
        })
    }

    /// Whether it is this certificate, byte by byte.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes
    }

    /// Whether a certificate that is another one has the same name.
    pub(super) fn is_namesake(&self, other: &Certificate<'_>) -> bool {
        !self.subject.is_empty() && self.subject == other.subject
    }

    /// Its dates count, whoever signed it and whatever it is for.
    pub(super) fn check(&self, time: Time) -> Result<(), RejectReason> {
        let (subject, now) = (Bearer::server(self.called.clone()), time.verification());
        if now > self.not_after {
            return Err(RejectReason::Expired { subject, not_after: self.not_after, time });
        }
        if now < self.not_before {
            return Err(RejectReason::NotYetValid { subject, not_before: self.not_before, time });
        }
        Ok(())
    }
}
