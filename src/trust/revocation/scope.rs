//! For which certificates a list speaks (RFC 5280 5.2.5 and 6.3.3 (b)).

use super::unusable::Unusable;
use crate::trust::certificate::Certificate;
use crate::trust::der::{self, NotDer, Reader};

/// What the issuing distribution point of a list says. The default is a list without one: it speaks for every certificate of its issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// The names of the distribution point, of which a certificate has to have one. `None`: it has none.
    names: Option<Vec<Vec<u8>>>,
    servers_only: bool,
    authorities_only: bool,
}

impl Scope {
    /// Reads an issuing distribution point. `issuer` is the name of the list's issuer.
    pub(super) fn read(value: &mut Reader<'_>, issuer: &[u8]) -> Result<Self, Unusable> {
        let mut found = Self::default();
        let mut fields = value.sequence()?;
        while !fields.is_empty() {
            let field = fields.any()?;
            match field.tag {
                0xa0 => found.names = Some(point_names(field.content, issuer)?),
                0x81 => found.servers_only = flag(field.content)?,
                0x82 => found.authorities_only = flag(field.content)?,
                0x83 => return Err(Unusable::SomeReasons),
                0x84 if flag(field.content)? => return Err(Unusable::Indirect),
                0x85 if flag(field.content)? => return Err(Unusable::AttributeCertificates),
                0x84 | 0x85 => {}
                _ => return Err(Unusable::Damaged),
            }
        }
        Ok(found)
    }

    /// Whether a list of this scope speaks for this certificate, which its issuer has issued.
    pub(super) fn covers(&self, certificate: &Certificate<'_>) -> bool {
        let is_authority =
            certificate.extensions.basic_constraints.is_some_and(|constraints| constraints.is_authority);
        if (is_authority && self.servers_only) || (!is_authority && self.authorities_only) {
            return false;
        }
        let Some(names) = &self.names else { return true };
        // Without a distribution point of its own the issuer's name is that of a certificate (RFC 5280 6.3.3, last paragraph).
        let implied = der::wrap(0xa4, &der::wrap(der::SEQUENCE, certificate.issuer));
        names.contains(&implied)
            || points(certificate).into_iter().flatten().any(|name| names.contains(&name))
    }
}

/// The names of the distribution points of a certificate where every revocation of its issuer is listed.
fn points(certificate: &Certificate<'_>) -> Result<Vec<Vec<u8>>, NotDer> {
    let mut found = Vec::new();
    let mut points = Reader::new(certificate.extensions.distribution_points.unwrap_or_default());
    while !points.is_empty() {
        let mut point = points.sequence()?;
        let names = point.optional(0xa0)?;
        let reasons = point.optional(0x81)?;
        let issuer = point.optional(0xa2)?;
        // A point with reasons lists those alone; one with an issuer is another's.
        if let (Some(names), None, None) = (names, reasons, issuer) {
            found.extend(point_names(names, certificate.issuer)?);
        }
    }
    Ok(found)
}

/// The names of one distribution point, each with its tag. One that is relative to its issuer is made whole.
fn point_names(content: &[u8], issuer: &[u8]) -> Result<Vec<Vec<u8>>, NotDer> {
    let mut choice = Reader::new(content);
    let point = choice.any()?;
    choice.end()?;
    match point.tag {
        0xa0 => {
            let mut names = Reader::new(point.content);
            let mut found = Vec::new();
            while !names.is_empty() {
                found.push(names.any()?.whole.to_vec());
            }
            Ok(found)
        }
        0xa1 => {
            let name = [issuer, &der::wrap(der::SET, point.content)].concat();
            Ok(vec![der::wrap(0xa4, &der::wrap(der::SEQUENCE, &name))])
        }
        _ => Err(NotDer),
    }
}

fn flag(content: &[u8]) -> Result<bool, NotDer> {
    match content {
        [0xff] => Ok(true),
        // Written out although it is the default: more than DER allows, and clear.
        [0] => Ok(false),
        _ => Err(NotDer),
    }
}
