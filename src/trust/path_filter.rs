//! Which of the certificates a server sent can be part of a path.
//!
//! webpki tries the certificates above a server in every order. Forty of one name that lead nowhere keep it busy for a fifth of a
//! second, until its budget of 200,000 steps is used up. What no name connects with the server below and a root above is on no
//! path, so where there are many certificates those are left out before it begins. Nothing that could be accepted is lost by it.

use std::borrow::Cow;

use rustls::pki_types::CertificateDer;

use super::certificate::Certificate;
use super::policy::Policy;
use super::reject::RejectReason;

/// So many are not looked at: there are 1,956 ways through six, which webpki has tried within a few milliseconds.
const FEW: usize = 6;

/// Steps from certificate to certificate in all ways through them: webpki takes about a microsecond for each. An honest server has a
/// handful.
const MOST_STEPS: usize = 30_000;

/// Authorities of one path, at most: webpki's limit.
const DEPTH: usize = 6;

/// Those of `others` that are worth a try.
///
/// # Errors
/// There are too many.
pub(super) fn select<'a, 'b>(
    policy: &Policy,
    leaf: &CertificateDer<'_>,
    others: &'b [CertificateDer<'a>],
) -> Result<Cow<'b, [CertificateDer<'a>]>, RejectReason> {
    if others.len() <= FEW {
        return Ok(Cow::Borrowed(others));
    }
    let Ok(leaf) = Certificate::read(leaf) else { return Ok(Cow::Borrowed(&[])) };
    let mut nodes: Vec<Node<'a, 'b>> = Vec::new();
    for bytes in others {
        // What cannot be read is believed in no place.
        let Ok(certificate) = Certificate::read(bytes) else { continue };
        if nodes.iter().any(|node| node.bytes == bytes) {
            continue;
        }
        nodes.push(Node {
            bytes,
            below: certificate.subject == leaf.issuer,
            above: policy.anchors.knows(certificate.issuer),
            certificate,
        });
    }
    // One round more than a path is long does no harm.
    for _ in 0..DEPTH {
        let known = nodes.clone();
        for node in &mut nodes {
            node.below |=
                known.iter().any(|it| it.below && it.certificate.issuer == node.certificate.subject);
            node.above |=
                known.iter().any(|it| it.above && it.certificate.subject == node.certificate.issuer);
        }
    }
    nodes.retain(|node| node.below && node.above);
    let leads_to = |issuer: &[u8]| -> Vec<usize> {
        nodes
            .iter()
            .enumerate()
            .filter(|(_, it)| it.certificate.subject == issuer)
            .map(|(place, _)| place)
            .collect()
    };
    let next: Vec<Vec<usize>> = nodes.iter().map(|node| leads_to(node.certificate.issuer)).collect();
    let mut left = MOST_STEPS;
    if !walk(&next, &leads_to(leaf.issuer), &mut Vec::new(), &mut left) {
        return Err(RejectReason::TooComplex);
    }
    Ok(nodes.iter().map(|node| node.bytes.clone()).collect())
}

/// Takes every way on from here, as webpki would. False when there are too many.
fn walk(next: &[Vec<usize>], here: &[usize], path: &mut Vec<usize>, left: &mut usize) -> bool {
    if path.len() == DEPTH {
        return true;
    }
    here.iter().all(|place| {
        if path.contains(place) {
            return true;
        }
        let Some(fewer) = left.checked_sub(1) else { return false };
        *left = fewer;
        path.push(*place);
        let ends = next.get(*place).is_none_or(|above| walk(next, above, path, left));
        path.pop();
        ends
    })
}

/// A certificate between server and root.
#[derive(Clone)]
struct Node<'a, 'b> {
    bytes: &'b CertificateDer<'a>,
    certificate: Certificate<'b>,
    /// Names lead to it from the server.
    below: bool,
    /// Names lead from it to a root.
    above: bool,
}
