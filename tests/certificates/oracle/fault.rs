//! One thing that is wrong with a certificate, and what it leads to.

use super::chain::Chain;
use super::rule::Rule;
use crate::forge::{
    CLIENT_AUTH, Digest, Made, PRINTABLE, UTF8, extension, name, purposes, sequence, standard, value,
};

/// One thing that is wrong with a certificate of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Expired,
    Future,
    EndsBeforeItBegins,
    Before1970,
    ForClients,
    WeakKey,
    UnsupportedKey,
    Sha1,
    NoAuthority,
    MayNotSign,
    UnknownExtension,
    CriticalPolicies,
    Version1,
    Twice,
    /// The server does not send it.
    Missing,
    /// What is known under its name has another key.
    OtherKey,
    /// What is below it writes its name as another type of string.
    Spelled,
    /// It allows no authority below itself.
    NoLength,
    /// It has critical policies, and demands that there are some.
    DemandedPolicies,
    /// It constrains names of one or more kinds to others, to these, or excludes these.
    Constrained(Constraint),
}

/// What names an authority allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constraint {
    OtherHosts,
    TheseHosts,
    AnyDirectory,
    OtherDirectories,
    ExcludedDirectory,
    OtherMail,
    Uris,
    OtherKinds,
}

impl Constraint {
    fn extension(self) -> Vec<u8> {
        let (list, bases) = match self {
            Self::OtherHosts => (0xa0, vec![value(0x82, b"other.example")]),
            Self::TheseHosts => (0xa0, vec![value(0x82, b"example")]),
            // One of the hosts is compared by webpki, and the other by us.
            Self::AnyDirectory => (0xa0, vec![value(0x82, b"example"), value(0xa4, &name("", UTF8))]),
            Self::OtherDirectories => (0xa0, vec![value(0xa4, &name("other", UTF8))]),
            Self::ExcludedDirectory => (0xa1, vec![value(0xa4, &name("SERVER", PRINTABLE))]),
            Self::OtherMail => (0xa0, vec![value(0x81, b"other.example")]),
            Self::Uris => (0xa0, vec![value(0x86, b"mgmt.example")]),
            Self::OtherKinds => (0xa0, vec![value(0xa0, OTHER_NAME)]),
        };
        let subtrees: Vec<u8> = bases.iter().flat_map(|base| sequence(&[base])).collect();
        standard(30, true, &sequence(&[&value(list, &subtrees)]))
    }

    /// Names of a server, of every kind that can be constrained.
    pub(super) fn names() -> [(u8, &'static [u8]); 4] {
        [
            (0x82, b"mgmt.example"),
            (0x81, b"a@corp.example"),
            (0x86, b"https://mgmt.example/x"),
            (0xa0, OTHER_NAME),
        ]
    }
}

/// The content of an otherName: an identifier and a text.
const OTHER_NAME: &[u8] = &[0x06, 2, 0x2a, 3, 0xa0, 3, 0x0c, 1, b'x'];

pub(super) const FAULTS: [Fault; 27] = [
    Fault::Expired,
    Fault::Future,
    Fault::EndsBeforeItBegins,
    Fault::Before1970,
    Fault::ForClients,
    Fault::WeakKey,
    Fault::UnsupportedKey,
    Fault::Sha1,
    Fault::NoAuthority,
    Fault::MayNotSign,
    Fault::UnknownExtension,
    Fault::CriticalPolicies,
    Fault::Version1,
    Fault::Twice,
    Fault::Missing,
    Fault::OtherKey,
    Fault::Spelled,
    Fault::NoLength,
    Fault::DemandedPolicies,
    Fault::Constrained(Constraint::OtherHosts),
    Fault::Constrained(Constraint::TheseHosts),
    Fault::Constrained(Constraint::AnyDirectory),
    Fault::Constrained(Constraint::OtherDirectories),
    Fault::Constrained(Constraint::ExcludedDirectory),
    Fault::Constrained(Constraint::OtherMail),
    Fault::Constrained(Constraint::Uris),
    Fault::Constrained(Constraint::OtherKinds),
];

pub(super) fn afflict(made: &mut Made, fault: Fault) {
    let date = |text: &str| text.to_owned();
    match fault {
        Fault::Expired => made.not_after = date("20260101000000Z"),
        Fault::Future => made.not_before = date("20300101000000Z"),
        Fault::EndsBeforeItBegins => made.not_before = date("20500101000000Z"),
        Fault::Before1970 => made.not_before = date("19600101000000Z"),
        Fault::ForClients => made.put(purposes(&[CLIENT_AUTH])),
        Fault::Sha1 => made.digest = Digest::Sha1,
        Fault::NoAuthority => made.put(standard(19, true, &sequence(&[]))),
        Fault::MayNotSign => made.put(standard(15, true, &value(0x03, &[1, 0x02]))),
        Fault::UnknownExtension => made.put(extension(&[0x2b, 6, 1, 4, 1, 0x83, 0x8c, 0x1f], true, &[5, 0])),
        Fault::CriticalPolicies => {
            let any = sequence(&[&sequence(&[&value(0x06, &[0x55, 0x1d, 32, 0])])]);
            made.put(standard(32, true, &any));
        }
        Fault::Version1 => made.version = 1,
        Fault::Twice => {
            let again = made.extensions[1].clone();
            made.extensions.push(again);
        }
        Fault::NoLength => {
            made.put(standard(19, true, &sequence(&[&value(0x01, &[0xff]), &value(0x02, &[0])])));
        }
        Fault::DemandedPolicies => {
            afflict(made, Fault::CriticalPolicies);
            made.put(standard(36, false, &sequence(&[&value(0x80, &[0])])));
        }
        Fault::Constrained(constraint) => made.put(constraint.extension()),
        Fault::WeakKey | Fault::UnsupportedKey | Fault::Missing | Fault::OtherKey | Fault::Spelled => {}
    }
}

/// What a fault leads to: the reason, the place of the certificate that is named, a piece of the advice, and why OpenSSL says otherwise.
/// `None` where there can be no such chain.
pub(super) fn expected(
    fault: Fault,
    place: usize,
    chain: &Chain,
) -> Option<(&'static str, usize, &'static str, Option<Rule>)> {
    let root = chain.between + 1;
    let (is_server, is_root) = (place == 0, place == root);
    let of_root = Some(Rule::Root);
    Some(match fault {
        Fault::Expired if is_root => ("accepted", place, "", of_root),
        Fault::Expired if is_server => ("Expired", place, "renew the certificate", None),
        Fault::Expired => ("Expired", place, "let the server send the newer certificate", None),
        Fault::Future if is_root => ("accepted", place, "", of_root),
        Fault::Future => ("NotYetValid", place, "look at the clocks", None),
        Fault::EndsBeforeItBegins if is_root => ("accepted", place, "", of_root),
        Fault::EndsBeforeItBegins => ("Malformed", place, "reissue it", None),
        Fault::Before1970 if is_root => ("accepted", place, "", None),
        Fault::Before1970 => ("Malformed", place, "with dates after 1970", Some(Rule::Before1970)),
        Fault::ForClients if is_root => ("accepted", place, "", of_root),
        Fault::ForClients if is_server => {
            ("WrongPurpose", place, "reissue with the extended key usage", None)
        }
        Fault::ForClients => ("WrongPurpose", place, "issue from an authority with serverAuth", None),
        Fault::WeakKey if is_server => ("WeakKey", place, "make a new key", Some(Rule::WeakKey)),
        Fault::WeakKey => ("WeakKey", place, "issue from an authority with a key", Some(Rule::WeakKey)),
        Fault::UnsupportedKey if is_server => return None,
        Fault::UnsupportedKey => {
            ("UnsupportedKey", place, "issue from an authority with another key", Some(Rule::Algorithm))
        }
        Fault::Sha1 if is_root => ("accepted", place, "", None),
        Fault::Sha1 => ("WeakDigest", place, "reissue this certificate with SHA-256", Some(Rule::WeakDigest)),
        Fault::NoAuthority if is_server => return None,
        Fault::NoAuthority if is_root => ("accepted", place, "", of_root),
        Fault::NoAuthority => ("NotAnAuthority", place, "basic constraints say cA", None),
        Fault::MayNotSign if is_server => return None,
        Fault::MayNotSign if is_root => ("accepted", place, "", of_root),
        Fault::MayNotSign => ("MayNotSign", place, "keyCertSign", None),
        Fault::UnknownExtension if is_root => ("accepted", place, "", of_root),
        Fault::UnknownExtension => ("UnknownExtension", place, "without the extension", None),
        Fault::CriticalPolicies => ("accepted", place, "", None),
        Fault::DemandedPolicies if is_root => ("accepted", place, "", None),
        Fault::DemandedPolicies => {
            ("UnknownExtension", place, "marked as not critical", Some(Rule::DemandedPolicy))
        }
        Fault::Version1 if is_server => return None,
        Fault::Version1 if is_root => ("accepted", place, "", None),
        Fault::Version1 => ("Malformed", place, "version 3", None),
        Fault::Twice if is_root => return None,
        Fault::Twice => ("Malformed", place, "reissue it", None),
        Fault::Missing if is_server || is_root => return None,
        Fault::Missing => ("UnknownIssuer", place - 1, "let the server send its certificate too", None),
        Fault::OtherKey if is_server => return None,
        Fault::OtherKey => ("OtherKey", place - 1, "if the issuer has a new key", None),
        Fault::Spelled if is_server => return None,
        Fault::Spelled => ("OtherSpelling", place - 1, "copied byte by byte", Some(Rule::Spelling)),
        Fault::NoLength if is_server => return None,
        Fault::NoLength if is_root && chain.between > 0 => ("accepted", place, "", of_root),
        Fault::NoLength if place > 1 => ("PathLength", place, "nearer to the root", None),
        Fault::NoLength => ("accepted", place, "", None),
        Fault::Constrained(_) if is_server => return None,
        Fault::Constrained(constraint) => match constraint {
            Constraint::TheseHosts | Constraint::AnyDirectory | Constraint::Uris => {
                ("accepted", place, "", None)
            }
            Constraint::OtherHosts
            | Constraint::OtherDirectories
            | Constraint::ExcludedDirectory
            | Constraint::OtherMail => ("NameConstraints", 0, "leave out those it may not", None),
            Constraint::OtherKinds => ("ConstraintNotCompared", 0, "leave out the names of this kind", None),
        },
    })
}
