//! What vouched for a server: the path that was believed, for a person to read.

use std::cell::RefCell;
use std::fmt;

use rustls::pki_types::CertificateDer;

use super::certificate::{self, Certificate};
use super::check;
use super::policy::{Mode, Policy};
use super::reject::RejectReason;
use super::time::Time;
use crate::types::{Host, Printable};

/// The path from a server to what the policy trusts. Prints as `CN=server ← CN=Corp CA 2 (sent) ← CN=Corp CA 1 (ca1.pem)`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vouching {
    /// What the server's certificate is called, then those between it and the root, which the server sent.
    pub certificates: Vec<String>,
    /// The root, where there is one.
    pub root: Option<String>,
    /// Where the trust comes from: the file of the root or of the exact certificate, `public`, the store of the system, `pinned` or
    /// `not verified`.
    pub source: String,
}

impl fmt::Display for Vouching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut certificates = self.certificates.iter();
        if let Some(server) = certificates.next() {
            f.write_str(server)?;
        }
        for between in certificates {
            write!(f, " ← {between} (sent)")?;
        }
        match &self.root {
            Some(root) => write!(f, " ← {root} ({})", self.source),
            None => write!(f, " ({})", self.source),
        }
    }
}

/// The same question as [`check_certificate`](super::check_certificate), answered with what vouched for the server. Any thread.
///
/// # Errors
/// The certificate is not believed, with the reason.
pub fn vouched_by(
    policy: &Policy,
    chain: &[CertificateDer<'_>],
    dialled: &Host,
    time: Time,
) -> Result<Vouching, RejectReason> {
    let [first, others @ ..] = chain else { return Err(RejectReason::NoCertificate) };
    let seen = RefCell::new((Vec::new(), None));
    let watch = |path: &[Certificate<'_>], root: Option<usize>| {
        *seen.borrow_mut() = (path.iter().map(Certificate::called).collect(), root);
    };
    check::watched(policy, first, others, Some(dialled), time, &watch)?;
    let (certificates, place) = seen.into_inner();
    if let Some((place, anchor)) =
        place.and_then(|place| Some((place, policy.anchors.as_slice().get(place)?)))
    {
        let details = policy.anchors.details(Some(place));
        let root =
            details.map_or_else(|| certificate::name(&anchor.subject), |details| details.subject.clone());
        return Ok(Vouching { certificates, root: Some(root), source: policy.source(place) });
    }
    let own = Certificate::read(first).map_or_else(|_| "the server".to_owned(), |own| own.called());
    let source = match policy.mode {
        Mode::DangerNoVerification => "not verified".to_owned(),
        Mode::PinOnly => "pinned".to_owned(),
        Mode::Chain => {
            policy.exact(first).map(|exact| Printable(exact.path.display()).to_string()).unwrap_or_default()
        }
    };
    Ok(Vouching { certificates: vec![own], root: None, source })
}
