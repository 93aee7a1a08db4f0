//! Whether a certificate is for a name (RFC 9525).
//!
//! webpki decides; what it says is only yes or no. Which names are there, and which of the two usual
//! mistakes was made, is read here.

use std::net::IpAddr;

use rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

use super::bare;
use super::certificate::{self, Certificate};
use super::reject::{Bearer, NameMistake, RejectReason};
use super::server_names::Present;
use crate::types::Host;

/// Names of a certificate that a message lists: enough to see what it is for.
const LISTED: usize = 16;

/// The name in the form TLS has for it. `None` for a name no certificate can carry.
pub(crate) fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Address(address) => Some(ServerName::IpAddress((*address).into())),
        Host::Name(name) => ServerName::try_from(name.to_string()).ok(),
    }
}

/// The other way round. `None` for forms of names that no settings have.
pub(super) fn host(name: &ServerName<'_>) -> Option<Host> {
    match name {
        ServerName::DnsName(name) => name.as_ref().parse().ok(),
        ServerName::IpAddress(address) => Some(Host::Address(IpAddr::from(*address))),
        _ => None,
    }
}

/// Whether this certificate of a server is for this name.
pub(super) fn check(leaf: &CertificateDer<'_>, expected: &Host) -> Result<(), RejectReason> {
    let is_for = |leaf: &EndEntityCert<'_>| {
        server_name(expected).is_some_and(|name| leaf.verify_is_valid_for_subject_name(&name).is_ok())
    };
    let fits = match EndEntityCert::try_from(leaf) {
        Ok(leaf) => is_for(&leaf),
        // What else is wrong with it was judged already, or does not matter: its names are looked at alone.
        Err(_) => {
            bare::of(leaf).is_some_and(|leaf| EndEntityCert::try_from(&leaf).is_ok_and(|leaf| is_for(&leaf)))
        }
    };
    if fits { Ok(()) } else { Err(mismatch(leaf, expected)) }
}

/// An address without the brackets it has in a URL.
fn bare(name: &str) -> &str {
    name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name)
}

/// Tells what a certificate is for, when it is not for this.
fn mismatch(bytes: &[u8], expected: &Host) -> RejectReason {
    let (mut listed, mut more, mut mistake) = (Vec::new(), 0, None);
    let mut subject = "the server's certificate".to_owned();
    if let Ok(certificate) = Certificate::read(bytes) {
        subject = certificate.called();
        for name in certificate.names() {
            if let (Host::Address(expected), Present::Name(name)) = (expected, &name)
                && bare(name).parse() == Ok(*expected)
            {
                mistake = Some(NameMistake::AddressAsName);
            }
            if listed.len() < LISTED {
                listed.push(name.to_string());
            } else {
                more += 1;
            }
        }
        if listed.is_empty() {
            mistake = certificate::common_name(certificate.subject).map(NameMistake::CommonNameOnly);
        }
    }
    let subject = Bearer::server(subject);
    RejectReason::WrongName { subject, expected: expected.clone(), present: listed, more, mistake }
}
