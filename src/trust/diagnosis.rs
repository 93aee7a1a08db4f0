//! What webpki's no means for this chain.
//!
//! webpki says what is wrong with one of the ways it tried, and not with which certificate. So the ways from the server up are walked here
//! once more: by names, as far as they lead, and each is looked at from the server up. The way that got furthest is the one that is told: one
//! whose signatures are all right and which has a certificate that is not, before one with a signature that cannot be verified, before
//! one with a wrong signature, before one that ends at no root. What is on no way is not looked at, however wrong it is. Nothing here
//! accepts anything.

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use webpki::{EndEntityCert, Error};

use super::anchors::Details;
use super::certificate::{self, Certificate, Key, Unreadable};
use super::constraint::{self, Broken};
use super::der;
use super::malformed::unreadable;
use super::names;
use super::path;
use super::policy::Policy;
use super::reject::{Bearer, Place, RejectReason};
use super::rendition::rendition;
use super::signature::{self, Signed};
use super::time::{Time, Timestamp};

/// Certificates that are looked at for a reason. A server that presents more is not misconfigured but hostile.
const LOOKED_AT: usize = 32;

/// Ways that are looked at: an honest server has one or two.
const WAYS: usize = 32;

/// Steps from certificate to certificate on all ways together.
const STEPS: usize = 500;

/// Authorities of one path that webpki follows, at most.
const DEPTH: usize = 6;

/// Signatures that are verified for a reason. Each takes a tenth of a millisecond.
const VERIFIED: usize = 40;

/// The reason behind an error of path building.
// webpki may add to its errors in any release.
#[allow(clippy::wildcard_enum_match_arm)]
pub(super) fn of(
    error: &Error,
    policy: &Policy,
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    time: Time,
) -> RejectReason {
    match error {
        Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => return RejectReason::TooComplex,
        _ => {}
    }
    let own = match Link::read(leaf) {
        Ok(own) => own,
        Err(Unreadable(words)) => return malformed(words.to_owned()),
    };
    let mut chain = vec![own];
    chain.extend(others.iter().take(LOOKED_AT).filter_map(|other| Link::read(other).ok()));
    let mut walk = Walk { policy, chain: &chain, ways: Vec::new(), steps: STEPS };
    walk.on(&mut vec![0]);
    let mut look = Look { policy, time, verified: VERIFIED };
    let mut best: Option<(Rank, RejectReason)> = None;
    for way in &walk.ways {
        let links: Vec<&Link<'_>> = way.links.iter().filter_map(|place| chain.get(*place)).collect();
        let Some(found) = look.at(&links, way.root, &chain) else { continue };
        if best.as_ref().is_none_or(|best| found.0 > best.0) {
            best = Some(found);
        }
    }
    best.map_or_else(
        || RejectReason::Malformed {
            subject: Bearer::of(&own.read, Place::Server),
            problem: unreadable(error, &own.read),
        },
        |(_, reason)| reason,
    )
}

/// The reason behind an error of reading the server's own certificate.
pub(super) fn of_leaf(error: &Error, leaf: &CertificateDer<'_>) -> RejectReason {
    match Link::read(leaf) {
        Ok(link) => of_parsing(error, &link, Place::Server),
        Err(Unreadable(words)) => malformed(words.to_owned()),
    }
}

fn malformed(problem: String) -> RejectReason {
    RejectReason::Malformed { subject: Bearer::server("the server's certificate".to_owned()), problem }
}

/// How much a way explains. The length of one that ends nowhere is the last thing that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    DeadEnd(usize),
    WrongSignature,
    UnknownSignature,
    Property,
}

/// A certificate of the chain.
#[derive(Clone, Copy)]
struct Link<'a> {
    bytes: &'a CertificateDer<'a>,
    read: Certificate<'a>,
}

impl<'a> Link<'a> {
    fn read(bytes: &'a CertificateDer<'_>) -> Result<Self, Unreadable> {
        Ok(Self { bytes, read: Certificate::read(bytes)? })
    }
}

/// Places in the chain from the server up, and the root that the last of them names, if there is one.
struct Way<'p> {
    links: Vec<usize>,
    root: Option<Root<'p>>,
}

/// A root of the policy.
#[derive(Clone, Copy)]
struct Root<'p> {
    /// Content of its SubjectPublicKeyInfo.
    key_info: &'p [u8],
    subject: &'p [u8],
    constraints: Option<&'p [u8]>,
    details: Option<&'p Details>,
}

struct Walk<'a, 'p> {
    policy: &'p Policy,
    chain: &'a [Link<'a>],
    ways: Vec<Way<'p>>,
    steps: usize,
}

impl<'p> Walk<'_, 'p> {
    /// Takes every way on from the end of `links`.
    fn on(&mut self, links: &mut Vec<usize>) {
        let Some(top) = links.last().and_then(|place| self.chain.get(*place)) else { return };
        let issuer = top.read.issuer;
        let before = self.ways.len();
        let policy = self.policy;
        for (anchor, details) in policy.anchors.named(issuer) {
            let root = Root {
                key_info: anchor.subject_public_key_info.as_ref(),
                subject: anchor.subject.as_ref(),
                constraints: match details {
                    Some(details) => details.name_constraints.as_deref(),
                    None => anchor.name_constraints.as_ref().map(AsRef::as_ref),
                },
                details,
            };
            self.end(links, Some(root));
        }
        for place in 1..self.chain.len() {
            let leads = self
                .chain
                .get(place)
                .is_some_and(|link| link.read.subject == issuer && !self.is_on(links, link));
            // One more than is allowed is still told for what it is.
            if !leads || links.len() > DEPTH + 1 || self.steps == 0 || self.ways.len() >= WAYS {
                continue;
            }
            self.steps -= 1;
            links.push(place);
            self.on(links);
            links.pop();
        }
        if self.ways.len() == before {
            self.end(links, None);
        }
    }

    fn end(&mut self, links: &[usize], root: Option<Root<'p>>) {
        if self.ways.len() < WAYS {
            self.ways.push(Way { links: links.to_vec(), root });
        }
    }

    /// Whether an authority with this name and key is on the way already.
    fn is_on(&self, links: &[usize], link: &Link<'_>) -> bool {
        links
            .iter()
            .filter_map(|place| self.chain.get(*place))
            .any(|on| on.read.subject == link.read.subject && on.read.key_info == link.read.key_info)
    }
}

/// Looks at ways.
struct Look<'p> {
    policy: &'p Policy,
    time: Time,
    verified: usize,
}

impl Look<'_> {
    /// What is wrong with this way; `None` when nothing is found.
    fn at(
        &mut self,
        links: &[&Link<'_>],
        root: Option<Root<'_>>,
        chain: &[Link<'_>],
    ) -> Option<(Rank, RejectReason)> {
        let Some(root) = root else {
            return Some((Rank::DeadEnd(links.len()), self.dead_end(links, chain)?));
        };
        if let Some(found) = self.signatures(links, root) {
            return Some(found);
        }
        let mut of_each = links.iter().enumerate().zip(path::places());
        let found = of_each
            .find_map(|((number, link), place)| self.property(links, number, link, place))
            .or_else(|| self.too_long(links))
            .or_else(|| self.constraints(links, root));
        found.map(|reason| (Rank::Property, reason))
    }

    /// The first link whose signature is not that of the one above it.
    fn signatures(&mut self, links: &[&Link<'_>], root: Root<'_>) -> Option<(Rank, RejectReason)> {
        let root_key = der::wrap(der::SEQUENCE, root.key_info);
        for (number, (link, place)) in links.iter().zip(path::places()).enumerate() {
            let below = &link.read;
            let (key, key_info, issuer) = match links.get(number + 1) {
                Some(above) => {
                    (above.read.key, above.read.key_info, Bearer::of(&above.read, Place::Authority))
                }
                None => (
                    root.details.map_or_else(
                        || certificate::key(root.key_info).unwrap_or(Key::Other),
                        |details| details.key,
                    ),
                    root_key.as_slice(),
                    Bearer::root(certificate::name(root.subject)),
                ),
            };
            self.verified = self.verified.checked_sub(1)?;
            let algorithms = self.policy.algorithms();
            let signed = verify(algorithms, below, key_info);
            if signed == Signed::Yes {
                continue;
            }
            let subject = Bearer::of(below, place);
            let kind = below.signature_kind();
            let reason = match signature::weak_digest(kind) {
                Some(digest) => RejectReason::WeakDigest { subject, digest },
                None if key.is_weak() => RejectReason::WeakKey { subject: issuer, key },
                None if !key.is_supported() => RejectReason::UnsupportedKey { subject: issuer, key },
                None if signed == Signed::Unsupported => {
                    RejectReason::UnsupportedAlgorithm { subject, algorithm: der::dotted(kind) }
                }
                None => {
                    let issuer = certificate::name(below.issuer);
                    return Some((Rank::WrongSignature, RejectReason::OtherKey { subject, issuer }));
                }
            };
            return Some((Rank::UnknownSignature, reason));
        }
        None
    }

    /// What is wrong with one certificate, whatever it is signed with.
    fn property(
        &self,
        links: &[&Link<'_>],
        number: usize,
        link: &Link<'_>,
        place: Place,
    ) -> Option<RejectReason> {
        let it = &link.read;
        let subject = || Bearer::of(it, place);
        let shown = rendition(link.bytes);
        if let Err(error) = EndEntityCert::try_from(shown.as_ref().unwrap_or(link.bytes)) {
            return Some(of_parsing(&error, link, place));
        }
        if let Some(reason) = self.validity(it, subject()) {
            return Some(reason);
        }
        match place {
            Place::Server if it.is_authority() => {
                return Some(RejectReason::AuthorityAsServer { subject: subject() });
            }
            Place::Authority if !it.is_authority() => {
                return Some(RejectReason::NotAnAuthority { subject: subject() });
            }
            Place::Server | Place::Authority | Place::Root => {}
        }
        if it.key.is_weak() {
            return Some(RejectReason::WeakKey { subject: subject(), key: it.key });
        }
        let chain: Vec<Certificate<'_>> = links.iter().map(|link| link.read).collect();
        if path::is_beyond_length(&chain, number) {
            return Some(RejectReason::PathLength { subject: subject() });
        }
        if !it.is_for_servers() {
            return Some(RejectReason::WrongPurpose { subject: subject() });
        }
        None
    }

    fn validity(&self, it: &Certificate<'_>, subject: Bearer) -> Option<RejectReason> {
        let (not_before, not_after, time) = (it.not_before, it.not_after, self.time);
        let now = time.verification();
        let problem = if not_before > not_after {
            "it ends before it begins"
        } else if not_before < Timestamp(0) {
            "it begins before 1970"
        } else if now > not_after {
            return Some(RejectReason::Expired { subject, not_after, time });
        } else if now < not_before {
            return Some(RejectReason::NotYetValid { subject, not_before, time });
        } else {
            return None;
        };
        Some(RejectReason::Malformed { subject, problem: problem.to_owned() })
    }

    fn too_long(&self, links: &[&Link<'_>]) -> Option<RejectReason> {
        let found = links.len().saturating_sub(1);
        (found > DEPTH).then_some(RejectReason::ChainTooLong { found, limit: DEPTH })
    }

    /// The constraints of each authority on what is below it, from the root down.
    fn constraints(&self, links: &[&Link<'_>], root: Root<'_>) -> Option<RejectReason> {
        let chain: Vec<Certificate<'_>> = links.iter().map(|link| link.read).collect();
        let own = chain.iter().enumerate().skip(1).rev().filter_map(|(number, it)| {
            Some((it.extensions.name_constraints?, certificate::name(it.subject), number))
        });
        let of_root = root.constraints.map(|it| (it, certificate::name(root.subject), chain.len()));
        of_root.into_iter().chain(own).find_map(|(content, issuer, number)| {
            let below = chain.get(..number).unwrap_or_default();
            constraint::check_all(content, below).err().map(|broken| of_constraint(broken, below, issuer))
        })
    }

    /// Why a way that ends at no root ends there.
    fn dead_end(&self, links: &[&Link<'_>], chain: &[Link<'_>]) -> Option<RejectReason> {
        let (server, top) = (links.first()?, links.last()?);
        let place = if links.len() == 1 { Place::Server } else { Place::Authority };
        let (subject, issuer) = (Bearer::of(&top.read, place), certificate::name(top.read.issuer));
        let anchors = &self.policy.anchors;
        if self.policy.exact.iter().any(|exact| exact.is_namesake(&server.read)) {
            return Some(RejectReason::NotExact { subject: Bearer::of(&server.read, Place::Server) });
        }
        let name = names::canonical(top.read.issuer);
        let spells = |link: &Link<'_>| {
            link.read.subject != top.read.issuer && names::canonical(link.read.subject) == name
        };
        if anchors.spells(top.read.issuer) || chain.iter().skip(1).any(spells) {
            return Some(RejectReason::OtherSpelling { subject, issuer });
        }
        if top.read.is_self_issued() {
            return Some(if links.len() == 1 {
                RejectReason::SelfSigned { subject }
            } else {
                RejectReason::UnknownIssuer { subject: Bearer::of(&server.read, Place::Server), issuer }
            });
        }
        if links.iter().any(|below| below.read.subject == top.read.issuer) {
            return Some(RejectReason::Loop { subject });
        }
        // A root is not sent, so an issuer that is not there can be the root. A certificate says where that of its issuer can be
        // fetched mostly when that is no root.
        Some(if links.len() == 1 && server.read.extensions.names_its_issuer {
            RejectReason::MissingIntermediate { subject, issuer }
        } else {
            RejectReason::UnknownIssuer { subject, issuer }
        })
    }
}

/// The reason behind a constraint of this issuer that one of these certificates does not obey.
pub(super) fn of_constraint(broken: Broken, below: &[Certificate<'_>], issuer: String) -> RejectReason {
    let subject = |number: usize| {
        let place = if number == 0 { Place::Server } else { Place::Authority };
        let nameless = || Bearer { name: issuer.clone(), place };
        below.get(number).map_or_else(nameless, |it| Bearer::of(it, place))
    };
    match broken {
        Broken::Name(number) => RejectReason::NameConstraints { subject: subject(number), issuer },
        Broken::NotCompared(number, kind) => {
            RejectReason::ConstraintNotCompared { subject: subject(number), issuer, kind }
        }
        Broken::TooMany => RejectReason::TooComplex,
        Broken::Unreadable => RejectReason::Malformed {
            subject: Bearer { name: issuer, place: Place::Authority },
            problem: "its name constraints cannot be read".to_owned(),
        },
    }
}

fn verify(
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    below: &Certificate<'_>,
    key_info: &[u8],
) -> Signed {
    signature::verify(algorithms, below.algorithm, below.signed, below.signature, key_info)
}

/// The reason behind an error of reading a certificate that this library can read.
fn of_parsing(error: &Error, link: &Link<'_>, place: Place) -> RejectReason {
    let subject = Bearer::of(&link.read, place);
    match (error, link.read.extensions.refused) {
        (Error::UnsupportedCriticalExtension, Some(extension)) => {
            RejectReason::UnknownExtension { subject, extension: der::extension_name(extension) }
        }
        _ => {
            let problem = if link.bytes.len() > 0xffff {
                "it is larger than 64 KiB".to_owned()
            } else {
                unreadable(error, &link.read)
            };
            RejectReason::Malformed { subject, problem }
        }
    }
}
