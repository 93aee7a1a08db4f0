//! Which name constraint is broken (RFC 5280 4.2.1.10), to tell it in words. webpki decides.

use std::net::IpAddr;

use super::certificate::Certificate;
use super::der::Reader;
use super::name::{self, Present};

/// What is the matter with a constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It is about names of this kind, which are not compared.
    NotCompared(&'static str),
    /// A name is outside it.
    Name,
}

/// Which constraint these certificates break; `content` is that of the extension.
pub(super) fn broken(content: &[u8], below: &[Certificate<'_>]) -> Option<Broken> {
    let subtrees = subtrees(content);
    let kinds = subtrees.iter().filter_map(|(_, tag, _)| not_compared(*tag).map(|kind| (*tag, kind)));
    for (tag, kind) in kinds {
        // Every certificate has a subject; other names stand among the alternative ones.
        if tag & 0x1f == 4 || below.iter().any(|certificate| has_name(certificate, tag)) {
            return Some(Broken::NotCompared(kind));
        }
    }
    let is_outside = |present: &Present| {
        let (mut is_permitted, mut is_wanted) = (false, false);
        for (is_excluded, tag, base) in &subtrees {
            let Some(is_within) = is_within(present, *tag, base) else { continue };
            if *is_excluded && is_within {
                return true;
            }
            is_wanted |= !is_excluded;
            is_permitted |= !is_excluded && is_within;
        }
        is_wanted && !is_permitted
    };
    let is_broken = below.iter().any(|certificate| name::present(certificate).any(|name| is_outside(&name)));
    is_broken.then_some(Broken::Name)
}

/// Each subtree: whether it is excluded, the tag of its base, and the base.
fn subtrees(content: &[u8]) -> Vec<(bool, u8, &[u8])> {
    let mut found = Vec::new();
    let mut lists = Reader::new(content);
    while let Ok(list) = lists.any() {
        let mut subtrees = Reader::new(list.content);
        while let Ok(mut subtree) = subtrees.sequence() {
            let Ok(base) = subtree.any() else { break };
            found.push((list.tag == 0xa1, base.tag, base.content));
        }
    }
    found
}

/// What a kind of name is called that webpki refuses rather than compares.
pub(super) fn not_compared(tag: u8) -> Option<&'static str> {
    Some(match tag & 0x1f {
        2 | 7 => return None,
        0 => "otherName",
        1 => "rfc822Name",
        3 => "x400Address",
        4 => "directoryName",
        5 => "ediPartyName",
        6 => "uniformResourceIdentifier",
        8 => "registeredID",
        _ => "an unknown one",
    })
}

/// The first kind of name that is constrained and not compared.
pub(super) fn first_not_compared(content: &[u8]) -> Option<&'static str> {
    subtrees(content).into_iter().find_map(|(_, tag, _)| not_compared(tag))
}

fn has_name(certificate: &Certificate<'_>, tag: u8) -> bool {
    let mut names = Reader::new(certificate.extensions.names.unwrap_or_default());
    std::iter::from_fn(|| names.any().ok()).any(|name| name.tag & 0x1f == tag & 0x1f)
}

/// Whether a name is within a subtree; `None` when that is about another kind of name.
fn is_within(present: &Present, tag: u8, base: &[u8]) -> Option<bool> {
    match (present, tag & 0x1f) {
        (Present::Name(name), 2) => {
            let (name, base) =
                (name.to_ascii_lowercase(), String::from_utf8_lossy(base).to_ascii_lowercase());
            let name = name.trim_start_matches("*.").trim_end_matches('.');
            let base = base.trim_start_matches('.');
            let below = name.strip_suffix(base);
            Some(base.is_empty() || below.is_some_and(|below| below.is_empty() || below.ends_with('.')))
        }
        (Present::Address(IpAddr::V4(address)), 7) => Some(is_in_net(&address.octets(), base)),
        (Present::Address(IpAddr::V6(address)), 7) => Some(is_in_net(&address.octets(), base)),
        _ => None,
    }
}

fn is_in_net(address: &[u8], base: &[u8]) -> bool {
    let Some((net, mask)) =
        base.split_at_checked(base.len() / 2).filter(|(net, _)| net.len() == address.len())
    else {
        return false;
    };
    address.iter().zip(net).zip(mask).all(|((address, net), mask)| address & mask == net & mask)
}
