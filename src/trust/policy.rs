//! A certificate policy that can be enforced: its files read, its roots, pins and lists at hand.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm};

use super::accepted::Accepted;
use super::anchors::Anchors;
use super::bundle::{self, BundleError, Finding, FindingKind, Look};
use super::certificate::Certificate;
use super::exact::Exact;
use super::identity::{Identity, IdentityError};
use super::pin::Pins;
use super::reject::{Place, RejectReason};
use super::revocation::{Issuer, Kin, RevocationError, Revocations, Signers};
use super::time::{Time, Timestamp};
use crate::settings::{CertificatePolicy, Profile, Roots};
use crate::types::{Host, Printable, Proof};

/// What a policy names, read by whoever may read files.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// The content of each file, by the path the policy has.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// The roots of the operating system, if a policy asks for them.
    pub system: Option<SystemRoots>,
}

/// What the operating system trusts.
#[derive(Clone, Debug)]
pub struct SystemRoots {
    /// Where they come from, in words.
    pub source: String,
    /// The certificates.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Entries that could not be read.
    pub unreadable: usize,
}

/// A certificate policy that can be enforced. It never changes: new files, pins or lists are a new policy.
#[derive(Debug)]
pub struct Policy {
    pub(super) anchors: Anchors,
    /// Certificates that are believed by themselves.
    pub(super) exact: Vec<Exact>,
    pub(super) pins: Pins,
    pub(super) revocations: Revocations,
    pub(super) max_chain_depth: Option<usize>,
    pub(super) strict: bool,
    pub(super) mode: Mode,
    enforces_root_validity: bool,
    expected_name: Option<Host>,
    identity: Option<Identity>,
    provider: Arc<CryptoProvider>,
    /// Where roots come from, and where those stand among the anchors.
    sources: Vec<(Source, Range<usize>)>,
    remarks: Vec<Remark>,
    warn_days: u32,
}

/// Where roots come from.
#[derive(Clone, Debug)]
enum Source {
    Public,
    /// The place, in words.
    System(String),
    Bundle(PathBuf),
}

/// What has to be true of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A chain to a root, and whatever pins want beside it.
    Chain,
    /// The server's own key is pinned.
    PinOnly,
    /// Nothing.
    DangerNoVerification,
}

/// Something an administrator should know of a policy that is in force all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// About an entry of a bundle.
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is odd.
        finding: Finding,
    },
    /// What the operating system trusts.
    System {
        /// Where the roots come from.
        source: String,
        /// How many there are.
        count: usize,
        /// How many entries could not be used.
        unusable: usize,
    },
    /// A revocation list is out of date.
    OldRevocationList {
        /// The file.
        path: PathBuf,
        /// When the next was due.
        next_update: Timestamp,
    },
    /// A revocation list is dated later than now, and not used until then.
    FutureRevocationList {
        /// The file.
        path: PathBuf,
        /// Its date.
        this_update: Timestamp,
    },
    /// The agent's own certificate expires soon, or has expired, or is not valid yet.
    Identity(FindingKind),
}

impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bundle { path, finding } => write!(f, "{}: {finding}", Printable(path.display())),
            Self::System { source, count, unusable: 0 } => {
                write!(f, "roots of the system, from {source}: {count}")
            }
            Self::System { source, count, unusable } => {
                write!(
                    f,
                    "roots of the system, from {source}: {count}; entries that cannot be used: {unusable}"
                )
            }
            Self::OldRevocationList { path, next_update } => {
                write!(
                    f,
                    "{}: the revocation list should have been renewed {next_update}",
                    Printable(path.display())
                )
            }
            Self::FutureRevocationList { path, this_update } => write!(
                f,
                "{}: the revocation list is dated {this_update} and not used until then; look at the clock of this machine, or fetch the present list",
                Printable(path.display())
            ),
            Self::Identity(FindingKind::Expired(when)) => {
                write!(f, "the agent's own certificate expired {when}")
            }
            Self::Identity(FindingKind::Expiring(when)) => {
                write!(f, "the agent's own certificate expires {when}")
            }
            Self::Identity(FindingKind::NotYetValid(when)) => {
                write!(f, "the agent's own certificate is valid from {when}")
            }
            Self::Identity(other) => write!(f, "the agent's own certificate: {other:?}"),
        }
    }
}

/// Why a policy cannot be put in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// It trusts nobody.
    #[error("it trusts nobody: no roots, no pins, and verification is not switched off")]
    NobodyTrusted,
    /// A bundle cannot be used.
    #[error("{}: {source}", Printable(path.display()))]
    Bundle {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BundleError,
    },
    /// The store of the operating system is empty or cannot be read.
    #[error("the roots of the operating system cannot be used: {reason}")]
    System {
        /// Why.
        reason: String,
    },
    /// A revocation list cannot be used.
    #[error("{}: {source}", Printable(path.display()))]
    Revocation {
        /// The file.
        path: PathBuf,
        /// Why.
        source: RevocationError,
    },
    /// The agent's own certificate, or its key, cannot be used.
    #[error("{}: {source}", Printable(path.display()))]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why.
        source: IdentityError,
    },
    /// The verifier cannot be built.
    #[error("no TLS configuration can be built: {reason}")]
    NoConfiguration {
        /// What the TLS library says.
        reason: String,
    },
}

impl Policy {
    /// Makes a policy of what settings say and of the files they name.
    ///
    /// `time` is for what is remarked about certificates that expire; it changes nothing of the policy.
    ///
    /// # Errors
    /// A file is missing, or is not what it should be. Nothing of such a policy is used.
    pub fn new(settings: &CertificatePolicy, material: &Material, time: Time) -> Result<Self, TrustError> {
        // Taken apart by name, so that a field added to the settings must be thought of here.
        let CertificatePolicy {
            roots,
            pins,
            pin_only,
            expected_name,
            crls,
            revocation,
            max_chain_depth,
            enforce_root_validity,
            profile,
            expiry_warning_days,
            client,
            tls13_only: _, // a matter of the TLS configuration
            danger_no_verification,
            edition: _, // tells a policy from the one before its files changed
        } = settings;
        let mode = match (danger_no_verification, pin_only) {
            (true, _) => Mode::DangerNoVerification,
            (false, true) => Mode::PinOnly,
            (false, false) => Mode::Chain,
        };
        let strict = *profile == Profile::StrictPrivateCa;
        let mut policy = Self {
            anchors: Anchors::default(),
            exact: Vec::new(),
            pins: Pins::new(pins),
            revocations: Revocations::new(*revocation),
            max_chain_depth: max_chain_depth.map(usize::from),
            strict,
            mode,
            enforces_root_validity: *enforce_root_validity || strict,
            expected_name: expected_name.clone(),
            identity: None,
            provider: Arc::new(ring::default_provider()),
            sources: Vec::new(),
            remarks: Vec::new(),
            warn_days: u32::from(*expiry_warning_days),
        };
        for root in roots {
            match root {
                Roots::Public => policy.add_public(),
                Roots::System => policy.add_system(material.system.as_ref())?,
                Roots::Bundle(path) => policy.add_bundle(path, material)?,
                Roots::Exact(path) => policy.add_exact(path, material)?,
            }
        }
        for path in crls {
            let bytes = material.files.get(path).map(Vec::as_slice).unwrap_or_default();
            let source = |source| TrustError::Revocation { path: path.clone(), source };
            policy.revocations.add(path, bytes).map_err(source)?;
        }
        if let Some(path) = policy.revocations.delta_alone() {
            let source = RevocationError::DeltaAlone;
            return Err(TrustError::Revocation { path: path.to_owned(), source });
        }
        let trusts_somebody = match mode {
            Mode::Chain => policy.roots() > 0,
            Mode::PinOnly => policy.pins.is_required(),
            Mode::DangerNoVerification => true,
        };
        if !trusts_somebody {
            return Err(TrustError::NobodyTrusted);
        }
        if let Some(client) = client {
            let file = |path: &Path| material.files.get(path).map(Vec::as_slice).unwrap_or_default();
            let (certificate, key) = (file(&client.certificate), file(&client.key));
            let identity = Identity::read(certificate, key).map_err(|source| {
                let path = if source.is_about_key() { &client.key } else { &client.certificate };
                TrustError::Identity { path: path.clone(), source }
            })?;
            policy.identity = Some(identity);
        }
        policy.remarks.extend(policy.remarks_at(time));
        Ok(policy)
    }

    /// What an administrator should know, found when the policy was made.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// How many roots it trusts, certificates that it names exactly included.
    pub fn roots(&self) -> usize {
        self.anchors.len() + self.exact.len()
    }

    /// What a server proves that is accepted.
    pub fn proof(&self) -> Proof {
        match self.mode {
            Mode::DangerNoVerification => Proof::Tcp,
            Mode::PinOnly => Proof::Pin,
            Mode::Chain if self.pins.is_required() => Proof::Pin,
            Mode::Chain => Proof::Tls,
        }
    }

    /// The name a certificate has to carry when this host is dialled.
    pub fn name_for(&self, dialled: &Host) -> Host {
        self.expected_name.as_ref().unwrap_or(dialled).clone()
    }

    /// When the agent's own certificate ends, if it has one.
    pub fn identity_not_after(&self) -> Option<Timestamp> {
        self.identity.as_ref().map(Identity::not_after)
    }

    /// What there is to say of dates at this time: of the agent's own certificate, of roots in bundles, and of revocation lists.
    pub fn remarks_at(&self, time: Time) -> Vec<Remark> {
        let look = Look { time, days: self.warn_days };
        let own = self.identity.as_ref();
        let own = own.and_then(|own| look.validity(own.not_before(), own.not_after())).map(Remark::Identity);
        let bundles = self.sources.iter().filter_map(|(source, places)| match source {
            Source::Bundle(path) => Some((path, places)),
            Source::Public | Source::System(_) => None,
        });
        let roots = bundles.flat_map(|(path, places)| {
            self.anchors.at(places.clone()).zip(1..).filter_map(move |(root, number)| {
                let kind = look.validity(root.not_before, root.not_after)?;
                let finding = Finding { number, subject: root.subject.clone(), kind };
                Some(Remark::Bundle { path: path.clone(), finding })
            })
        });
        let exact = self.exact.iter().filter_map(|exact| {
            let kind = look.validity(exact.not_before, exact.not_after)?;
            let finding = Finding { number: 1, subject: exact.called.clone(), kind };
            Some(Remark::Bundle { path: exact.path.clone(), finding })
        });
        let now = time.verification();
        let lists =
            self.revocations
                .old(now)
                .map(|(path, next_update)| Remark::OldRevocationList { path: path.to_owned(), next_update })
                .chain(self.revocations.future(now).map(|(path, this_update)| {
                    Remark::FutureRevocationList { path: path.to_owned(), this_update }
                }));
        own.into_iter().chain(roots).chain(exact).chain(lists).collect()
    }

    pub(super) fn expected_name(&self) -> Option<&Host> {
        self.expected_name.as_ref()
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    pub(super) fn enforces_root_validity(&self) -> bool {
        self.enforces_root_validity
    }

    /// How long what is believed now stays so: until the first certificate of the chain ends, or a revocation list begins to
    /// count or ends. `None` where no chain was verified.
    pub(super) fn last_second_of(&self, accepted: &Accepted, now: Timestamp) -> Option<Timestamp> {
        let end = accepted.not_after?;
        let change = self.revocations.next_change(now);
        Some(change.map_or(end, |change| end.min(Timestamp(change.0.saturating_sub(1)))))
    }

    /// The exact certificate that this one is.
    pub(super) fn exact(&self, bytes: &[u8]) -> Option<&Exact> {
        self.exact.iter().find(|exact| exact.is(bytes))
    }

    /// Why a certificate is refused that is believed by itself: a list of its issuer names it, as far as the issuer is known.
    pub(super) fn revoked(&self, certificate: &Certificate<'_>, time: Time) -> Option<RejectReason> {
        if self.revocations.is_empty() {
            return None;
        }
        let own = Some(certificate.key_info.to_vec()).filter(|_| certificate.is_self_issued());
        self.anchors.keys_of(certificate.issuer).chain(own).find_map(|key| {
            let issuer = Issuer {
                key_info: &key,
                key_id: None,
                signs_revocations: true,
                place: Place::Root,
                kin: Kin::default(),
            };
            let found = self.revocations.check(certificate, Place::Server, &issuer, self.signers(), time);
            found.err().filter(|reason| matches!(reason, RejectReason::Revoked { .. }))
        })
    }

    pub(super) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// What a revocation list may be signed with.
    pub(super) fn signers(&self) -> Signers<'_> {
        Signers { anchors: &self.anchors, algorithms: self.algorithms() }
    }

    pub(super) fn algorithms(&self) -> &[&'static dyn SignatureVerificationAlgorithm] {
        self.provider.signature_verification_algorithms.all
    }

    /// Where the root at this place comes from, in words.
    pub(super) fn source(&self, place: usize) -> String {
        let source = self.sources.iter().find(|(_, places)| places.contains(&place));
        match source.map(|(source, _)| source) {
            Some(Source::Bundle(path)) => Printable(path.display()).to_string(),
            Some(Source::System(place)) => place.clone(),
            Some(Source::Public) | None => "public".to_owned(),
        }
    }

    fn add_public(&mut self) {
        let first = self.anchors.len();
        self.anchors.add_public();
        self.sources.push((Source::Public, first..self.anchors.len()));
    }

    fn add_bundle(&mut self, path: &Path, material: &Material) -> Result<(), TrustError> {
        let text = material.files.get(path).map(Vec::as_slice).unwrap_or_default();
        let source = |source| TrustError::Bundle { path: path.to_owned(), source };
        let first = self.anchors.len();
        let findings = bundle::read(text, &mut self.anchors).map_err(source)?;
        self.sources.push((Source::Bundle(path.to_owned()), first..self.anchors.len()));
        let remark = |finding| Remark::Bundle { path: path.to_owned(), finding };
        self.remarks.extend(findings.into_iter().map(remark));
        Ok(())
    }

    fn add_exact(&mut self, path: &Path, material: &Material) -> Result<(), TrustError> {
        let text = material.files.get(path).map(Vec::as_slice).unwrap_or_default();
        let source = |source| TrustError::Bundle { path: path.to_owned(), source };
        let exact = Exact::read(path, text).map_err(source)?;
        if exact.demands_stapling {
            let (subject, kind) = (exact.called.clone(), FindingKind::DemandsStapling);
            let finding = Finding { number: 1, subject, kind };
            self.remarks.push(Remark::Bundle { path: path.to_owned(), finding });
        }
        self.exact.push(exact);
        Ok(())
    }

    /// Entries of the system that cannot be used are counted and left out: the administrator of the policy did not put them there.
    fn add_system(&mut self, system: Option<&SystemRoots>) -> Result<(), TrustError> {
        let failed = |reason: String| TrustError::System { reason };
        let Some(system) = system else { return Err(failed("nobody has read them".to_owned())) };
        let before = self.anchors.len();
        let unusable =
            system.certificates.iter().filter(|certificate| self.anchors.add(certificate).is_err()).count();
        let count = self.anchors.len() - before;
        if count == 0 {
            return Err(failed(format!("{} holds none", system.source)));
        }
        self.sources.push((Source::System(system.source.clone()), before..self.anchors.len()));
        let (source, unusable) = (system.source.clone(), unusable + system.unreadable);
        self.remarks.push(Remark::System { source, count, unusable });
        Ok(())
    }
}
