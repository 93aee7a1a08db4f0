//! Whether a certificate is for a name (RFC 9525).
//!
//! webpki decides; what it says is only yes or no. Which names are there, and which of the two usual
//! mistakes was made, is read here.

use std::net::IpAddr;

use rustls::pki_types::ServerName;
use webpki::EndEntityCert;

use super::certificate::{self, Certificate};
use super::der::Reader;
use super::reject::{NameMistake, RejectReason};
use crate::words::Host;

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
pub(super) fn check(leaf: &EndEntityCert<'_>, expected: &Host) -> Result<(), RejectReason> {
    let fits = server_name(expected).is_some_and(|name| leaf.verify_is_valid_for_subject_name(&name).is_ok());
    if fits { Ok(()) } else { Err(mismatch(&leaf.der(), expected)) }
}

/// Tells what a certificate is for, when it is not for this.
fn mismatch(bytes: &[u8], expected: &Host) -> RejectReason {
    let (mut present, mut more, mut mistake) = (Vec::new(), 0, None);
    if let Ok(certificate) = Certificate::read(bytes) {
        let mut names = Reader::new(certificate.extensions.names.unwrap_or_default());
        while let Ok(name) = names.any() {
            let text = match (name.tag, name.content) {
                (0x82, name) => certificate::shortened(&String::from_utf8_lossy(name), 80),
                (0x87, &[a, b, c, d]) => IpAddr::from([a, b, c, d]).to_string(),
                (0x87, address) => match <[u8; 16]>::try_from(address) {
                    Ok(address) => IpAddr::from(address).to_string(),
                    Err(_) => continue,
                },
                _ => continue,
            };
            if let (Host::Address(expected), 0x82) = (expected, name.tag)
                && text.parse() == Ok(*expected)
            {
                mistake = Some(NameMistake::AddressAsName);
            }
            if present.len() < LISTED {
                present.push(text);
            } else {
                more += 1;
            }
        }
        if present.is_empty() {
            mistake = certificate::common_name(certificate.subject).map(NameMistake::CommonNameOnly);
        }
    }
    RejectReason::WrongName { expected: expected.clone(), present, more, mistake }
}
