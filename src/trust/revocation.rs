//! Revocation lists (RFC 5280 5 and 6.3): given as bytes, never fetched.
//!
//! webpki finds the list of a certificate's issuer and verifies its signature, its expiry and that an
//! intermediate issuer holds cRLSign; that the root does is looked at in `chain`. Of several lists
//! of one issuer the newest counts.
//!
//! Not supported, and refused when the policy is prepared: delta lists, indirect lists, lists for some reasons
//! only, lists whose distribution point has no name, version 1, critical extensions nobody here knows. Stapled OCSP answers are not looked at.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use webpki::{
    CertRevocationList, ExpirationPolicy, OwnedCertRevocationList, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::der::{self, Reader};
use super::pem;
use super::time::{self, Timestamp};
use crate::settings::{Revocation, RevocationScope};

/// The lists of a policy, and how they are used.
#[derive(Debug)]
pub(super) struct Revocations {
    lists: Vec<List>,
    rules: Revocation,
}

#[derive(Debug)]
struct List {
    path: PathBuf,
    list: CertRevocationList<'static>,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
}

/// Why a revocation list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// The file is not PEM, and not DER either.
    #[error("it is neither PEM nor DER: {0}")]
    NotPem(String),
    /// The file has no revocation list.
    #[error("it holds no revocation list")]
    Empty,
    /// It is not a revocation list, or of a form that is not supported.
    #[error("revocation list {number} cannot be used: {reason}")]
    Unsupported {
        /// Which of the file, from 1.
        number: usize,
        /// Why.
        reason: String,
    },
}

impl Revocations {
    pub(super) fn new(rules: Revocation) -> Self {
        Self { lists: Vec::new(), rules }
    }

    /// Adds every list of a file, PEM or DER.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(super) fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), RevocationError> {
        let mut number = 0;
        let mut add = |bytes: &[u8]| {
            number += 1;
            let unusable = |reason| RevocationError::Unsupported { number, reason };
            let list =
                OwnedCertRevocationList::from_der(bytes).map_err(|error| unusable(words(&error, bytes)))?;
            let Outline { this_update, next_update, .. } =
                Outline::read(bytes).map_err(|_| unusable("its dates cannot be read".to_owned()))?;
            self.lists.push(List { path: path.to_owned(), list: list.into(), this_update, next_update });
            Ok(())
        };
        if bytes.first() == Some(&der::SEQUENCE) {
            add(bytes)?;
        } else {
            let text = pem::unmarked(bytes);
            pem::labels(text).map_err(RevocationError::NotPem)?;
            for list in CertificateRevocationListDer::pem_slice_iter(text) {
                add(&list.map_err(|error| RevocationError::NotPem(pem::words(&error)))?)?;
            }
        }
        if number == 0 {
            return Err(RevocationError::Empty);
        }
        // webpki takes the first that fits, so the newest of an issuer has to come first.
        self.lists.sort_by_key(|list| std::cmp::Reverse(list.this_update));
        Ok(())
    }

    /// What webpki is told of them.
    pub(super) fn with_options<T>(&self, judge: impl FnOnce(Option<RevocationOptions<'_>>) -> T) -> T {
        let lists: Vec<&CertRevocationList<'_>> = self.lists.iter().map(|list| &list.list).collect();
        let depth = match self.rules.scope {
            RevocationScope::Chain => RevocationCheckDepth::Chain,
            RevocationScope::Server => RevocationCheckDepth::EndEntity,
        };
        let status = if self.rules.allow_unknown_status {
            UnknownStatusPolicy::Allow
        } else {
            UnknownStatusPolicy::Deny
        };
        let expiry =
            if self.rules.allow_expired_lists { ExpirationPolicy::Ignore } else { ExpirationPolicy::Enforce };
        let options = RevocationOptionsBuilder::new(&lists).ok().map(|builder| {
            builder.with_depth(depth).with_status_policy(status).with_expiration_policy(expiry).build()
        });
        judge(options)
    }

    /// Whether only the server's own certificate is looked up.
    pub(super) fn is_for_server_only(&self) -> bool {
        self.rules.scope == RevocationScope::Server
    }

    /// Whether there is a list of this issuer.
    pub(super) fn has_list_of(&self, issuer: &[u8]) -> bool {
        self.lists.iter().any(|list| list.list.issuer() == issuer)
    }

    /// Those that are out of date at this instant: their files, and when the next was due.
    pub(super) fn old(&self, now: Timestamp) -> impl Iterator<Item = (&Path, Timestamp)> {
        self.lists.iter().filter_map(move |list| {
            let next_update = list.next_update.filter(|next| now >= *next)?;
            Some((list.path.as_path(), next_update))
        })
    }

    /// The first instant at which a list is out of date.
    pub(super) fn first_due(&self) -> Option<Timestamp> {
        self.lists.iter().filter_map(|list| list.next_update).min()
    }

    /// Whose lists should have been renewed at this instant.
    pub(super) fn issuer_due_at(&self, next_update: Timestamp) -> Option<&[u8]> {
        self.lists.iter().find(|list| list.next_update == Some(next_update)).map(|list| list.list.issuer())
    }

    /// Whether a list of this issuer names this certificate.
    pub(super) fn name(&self, issuer: &[u8], serial: &[u8]) -> bool {
        self.lists.iter().any(|list| {
            list.list.issuer() == issuer && list.list.find_serial(serial).is_ok_and(|found| found.is_some())
        })
    }
}

/// Why a list cannot be used.
// webpki may add to its errors in any release.
#[allow(clippy::wildcard_enum_match_arm)]
fn words(error: &webpki::Error, bytes: &[u8]) -> String {
    let known = match (error, Outline::read(bytes)) {
        (webpki::Error::UnsupportedDeltaCrl, _) => "it is a delta list; the whole list is wanted",
        (webpki::Error::UnsupportedIndirectCrl, _) => {
            "it is an indirect list; one that names certificates of its own issuer alone is wanted"
        }
        (webpki::Error::UnsupportedRevocationReasonsPartitioning, _) => {
            "it is for some reasons only; one for all reasons is wanted"
        }
        (webpki::Error::UnsupportedCrlIssuingDistributionPoint, _) => {
            "its issuing distribution point has no full name; leave the extension out, or name it"
        }
        (webpki::Error::UnsupportedCriticalExtension, _) => "a critical extension of it is not known",
        // Of these webpki says that they are not DER.
        (_, Ok(Outline { has_version: false, .. })) => "it is of version 1; version 2 is wanted",
        (_, Ok(Outline { next_update: None, .. })) => "it does not say when the next one is due",
        (_, Ok(Outline { has_extensions: false, .. })) => "it has no extensions, not even its number",
        _ => return format!("it is damaged, or not a revocation list ({error})"),
    };
    known.to_owned()
}

/// What webpki says nothing of.
struct Outline {
    has_version: bool,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    has_extensions: bool,
}

impl Outline {
    fn read(bytes: &[u8]) -> Result<Self, der::NotDer> {
        let mut fields = Reader::new(bytes).sequence()?.sequence()?;
        let has_version = fields.optional(der::INTEGER)?.is_some();
        fields.expect(der::SEQUENCE)?; // the algorithm
        fields.expect(der::SEQUENCE)?; // the issuer
        let this_update = fields.any()?;
        let this_update = time::read(this_update.tag, this_update.content).ok_or(der::NotDer)?;
        let next_update = match fields.tag() {
            Some(der::UTC_TIME | der::GENERALIZED_TIME) => {
                let next = fields.any()?;
                time::read(next.tag, next.content)
            }
            _ => None,
        };
        fields.optional(der::SEQUENCE)?; // what is revoked
        let has_extensions = fields.optional(0xa0)?.is_some();
        Ok(Self { has_version, this_update, next_update, has_extensions })
    }
}
