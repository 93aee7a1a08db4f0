//! One revocation list (RFC 5280 5.1), read whole or not at all.
//!
//! The list keeps its bytes and the places of its entries in them: a list of 16 MiB has three quarters of a million entries, and a
//! map of owned values would be several times as large as the list.

use std::cmp::Ordering;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustls::pki_types::SignatureVerificationAlgorithm;

use super::scope::Scope;
use super::unusable::Unusable;
use crate::trust::der::{self, NotDer, Reader, Value};
use crate::trust::signature::{self, Signed};
use crate::trust::time::{self, Timestamp};
use crate::trust::{names, pin};

/// Keys under which the signature of a list was looked at, at most: an authority has two at a time.
const KNOWN_KEYS: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct List {
    pub(super) path: PathBuf,
    bytes: Vec<u8>,
    /// Where in `bytes` is what is signed.
    signed: Range<usize>,
    algorithm: Range<usize>,
    signature: Range<usize>,
    /// The name of the issuer, in the form in which names are compared.
    issuer: Vec<u8>,
    pub(super) this_update: Timestamp,
    pub(super) next_update: Timestamp,
    /// The number of the list, without zeros in front.
    number: Vec<u8>,
    /// The number of the list to which this one is the difference, if it is one (RFC 5280 5.2.4).
    base: Option<Vec<u8>>,
    pub(super) scope: Scope,
    /// Which key signed it, by its own account (RFC 5280 5.2.1).
    key_id: Option<Vec<u8>>,
    /// It is one of several, each for what one key issued.
    pub(super) is_of_one_key: bool,
    /// Ordered by serial number; of several with one number those come last that take it off the list.
    entries: Vec<Entry>,
    verified: Mutex<Vec<([u8; 32], Signed)>>,
}

/// Where the serial number of a revoked certificate is, without zeros in front.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    length: u8,
    /// A difference takes it off the list (reason `removeFromCRL`).
    is_removed: bool,
}

/// What a list says of a serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    No,
    Revoked,
    Removed,
}

impl List {
    /// Reads one list in DER and nothing after it.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, Unusable> {
        let place = |part: &[u8]| {
            // Every part was cut out of `bytes`.
            let start = part.as_ptr().addr().wrapping_sub(bytes.as_ptr().addr());
            start..start.saturating_add(part.len())
        };
        let mut outer = Reader::new(bytes);
        let mut list = outer.sequence()?;
        outer.end()?;
        let signed = list.any()?;
        let algorithm = list.expect(der::SEQUENCE)?;
        let signature = der::bits(list.expect(der::BIT_STRING)?)?;
        list.end()?;

        let mut fields = Reader::new(signed.content);
        match fields.optional(der::INTEGER)? {
            Some([1]) => {}
            Some(_) => return Err(Unusable::Damaged),
            None => return Err(Unusable::Version1),
        }
        if fields.expect(der::SEQUENCE)? != algorithm {
            return Err(Unusable::Damaged);
        }
        let issuer = fields.expect(der::SEQUENCE)?;
        let this_update = instant(fields.any()?)?;
        let next_update = match fields.tag() {
            Some(der::UTC_TIME | der::GENERALIZED_TIME) => instant(fields.any()?)?,
            _ => return Err(Unusable::NoNextUpdate),
        };
        let mut entries = match fields.optional(der::SEQUENCE)? {
            Some(revoked) => read_entries(revoked, &place)?,
            None => Vec::new(),
        };
        let extensions = fields.optional(0xa0)?.ok_or(Unusable::NoExtensions)?;
        fields.end()?;
        let extensions = Extensions::read(extensions, issuer)?;
        entries.sort_unstable_by_key(|entry| (entry.serial(bytes), entry.is_removed));
        Ok(Self {
            path: path.to_owned(),
            signed: place(signed.whole),
            algorithm: place(algorithm),
            signature: place(signature),
            issuer: names::canonical(issuer),
            this_update,
            next_update,
            number: extensions.number,
            base: extensions.base,
            scope: extensions.scope,
            key_id: extensions.key_id,
            is_of_one_key: extensions.is_of_one_key,
            entries,
            verified: Mutex::default(),
            bytes: bytes.to_vec(),
        })
    }

    /// Whether the issuer of the list has this name, in whatever string type it is written.
    pub(super) fn is_of(&self, issuer: &[u8]) -> bool {
        self.issuer == issuer
    }

    /// Whether it is the difference to another list.
    pub(super) fn is_delta(&self) -> bool {
        self.base.is_some()
    }

    /// Whether both are of one issuer and one scope.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.scope == other.scope
    }

    /// Whether this difference goes on from that list: it begins no later and ends later (RFC 5280 5.2.4).
    pub(super) fn continues(&self, complete: &Self) -> bool {
        self.base.as_ref().is_some_and(|base| compare(base, &complete.number) != Ordering::Greater)
            && compare(&self.number, &complete.number) == Ordering::Greater
    }

    /// The later one is newer: by its date, and of one date by its number.
    pub(super) fn age(&self, other: &Self) -> Ordering {
        self.this_update.cmp(&other.this_update).then_with(|| compare(&self.number, &other.number))
    }

    /// What it says of the certificate of its issuer with this serial number.
    pub(super) fn entered(&self, serial: &[u8]) -> Entered {
        let serial = digits(serial);
        let place = self.entries.partition_point(|entry| entry.serial(&self.bytes) < serial);
        match self.entries.get(place).filter(|entry| entry.serial(&self.bytes) == serial) {
            Some(Entry { is_removed: true, .. }) => Entered::Removed,
            Some(Entry { is_removed: false, .. }) => Entered::Revoked,
            None => Entered::No,
        }
    }

    /// Whether it was signed with this key, a whole SubjectPublicKeyInfo. The answer is kept.
    pub(super) fn is_signed_with(
        &self,
        key_info: &[u8],
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Signed {
        let key = pin::hash(key_info);
        let mut known = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, signed)) = known.iter().find(|(known, _)| *known == key) {
            return *signed;
        }
        let signed = signature::verify(
            algorithms,
            self.part(&self.algorithm),
            self.part(&self.signed),
            self.part(&self.signature),
            key_info,
        );
        if known.len() == KNOWN_KEYS {
            known.remove(0);
        }
        known.push((key, signed));
        signed
    }

    /// Whether it says itself that this key signed it; `None` when it does not say which.
    pub(super) fn claims(&self, key_info: &[u8], key_id: Option<&[u8]>) -> Option<bool> {
        let claimed = self.key_id.as_deref()?;
        let usual = signature::key_id(key_info);
        Some(key_id == Some(claimed) || usual.as_deref() == Some(claimed))
    }

    /// What is wrong with the kind of its signature, if anything is.
    pub(super) fn algorithm_kind(&self) -> &[u8] {
        signature::kind(self.part(&self.algorithm))
    }

    fn part(&self, place: &Range<usize>) -> &[u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }
}

impl Entry {
    fn serial<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        bytes.get(start..start + usize::from(self.length)).unwrap_or_default()
    }
}

/// The entries of a list, in its order.
fn read_entries(revoked: &[u8], place: &impl Fn(&[u8]) -> Range<usize>) -> Result<Vec<Entry>, Unusable> {
    let mut found = Vec::new();
    let mut list = Reader::new(revoked);
    while !list.is_empty() {
        let mut fields = list.sequence()?;
        let serial = digits(fields.expect(der::INTEGER)?);
        instant(fields.any()?)?;
        let is_removed = match fields.optional(der::SEQUENCE)? {
            Some(extensions) => is_removed(extensions)?,
            None => false,
        };
        fields.end()?;
        let place = place(serial);
        found.push(Entry {
            start: u32::try_from(place.start).map_err(|_| Unusable::Damaged)?,
            length: u8::try_from(place.len()).map_err(|_| Unusable::Damaged)?,
            is_removed,
        });
    }
    Ok(found)
}

/// Whether the reason of an entry is `removeFromCRL` (RFC 5280 5.3.1).
fn is_removed(extensions: &[u8]) -> Result<bool, Unusable> {
    let mut is_removed = false;
    let mut list = Reader::new(extensions);
    while !list.is_empty() {
        let (name, is_critical, mut value) = extension(&mut list)?;
        match name {
            [0x55, 0x1d, 21] => is_removed = value.expect(der::ENUMERATED)? == [8],
            // Whose certificate it is, when it is not the issuer's of the list (RFC 5280 5.3.3).
            [0x55, 0x1d, 29] => return Err(Unusable::Indirect),
            [0x55, 0x1d, 23 | 24] => {}
            _ if is_critical => return Err(Unusable::UnknownExtension),
            _ => {}
        }
    }
    Ok(is_removed)
}

/// What the extensions of a list say (RFC 5280 5.2).
#[derive(Default)]
struct Extensions {
    number: Vec<u8>,
    base: Option<Vec<u8>>,
    scope: Scope,
    key_id: Option<Vec<u8>>,
    is_of_one_key: bool,
}

impl Extensions {
    fn read(content: &[u8], issuer: &[u8]) -> Result<Self, Unusable> {
        let mut found = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        let mut outer = Reader::new(content);
        let mut list = outer.sequence()?;
        outer.end()?;
        if list.is_empty() {
            return Err(Unusable::NoExtensions);
        }
        while !list.is_empty() {
            let (name, is_critical, mut value) = extension(&mut list)?;
            if seen.contains(&name) {
                return Err(Unusable::Damaged);
            }
            seen.push(name);
            match name {
                [0x55, 0x1d, 20] => found.number = number(&mut value)?,
                [0x55, 0x1d, 27] => found.base = Some(number(&mut value)?),
                [0x55, 0x1d, 28] => found.scope = Scope::read(&mut value, issuer)?,
                [0x55, 0x1d, 35] => found.key_id = value.sequence()?.optional(0x80)?.map(<[u8]>::to_vec),
                // The version of its authority, which Windows' certificate services write: they keep one list for each key.
                [0x2b, 6, 1, 4, 1, 0x82, 0x37, 21, 1] => found.is_of_one_key = true,
                _ if is_critical => return Err(Unusable::UnknownExtension),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The next extension: its name, whether it is critical, and what it holds.
fn extension<'a>(list: &mut Reader<'a>) -> Result<(&'a [u8], bool, Reader<'a>), NotDer> {
    let mut fields = list.sequence()?;
    let name = fields.expect(der::OID)?;
    let is_critical = fields.flag()?;
    let value = Reader::new(fields.expect(der::OCTET_STRING)?);
    fields.end()?;
    Ok((name, is_critical, value))
}

fn instant(value: Value<'_>) -> Result<Timestamp, NotDer> {
    time::read(value.tag, value.content).ok_or(NotDer)
}

/// The number of a list: not negative, and at most 20 octets (RFC 5280 5.2.3).
fn number(value: &mut Reader<'_>) -> Result<Vec<u8>, NotDer> {
    match value.expect(der::INTEGER)? {
        [] => Err(NotDer),
        [first, ..] if *first >= 0x80 => Err(NotDer),
        number if number.len() > 20 => Err(NotDer),
        number => Ok(digits(number).to_vec()),
    }
}

/// An integer without zeros in front: some authorities write more of them than DER has.
fn digits(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|digit| **digit == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

fn compare(one: &[u8], other: &[u8]) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers() {
        for (one, other, expected) in [
            (&[1][..], &[2][..], Ordering::Less),
            (&[1, 0], &[2], Ordering::Greater),
            (&[], &[1], Ordering::Less),
            (&[7], &[7], Ordering::Equal),
        ] {
            assert_eq!(compare(one, other), expected);
        }
        assert_eq!(digits(&[0, 0, 7, 0]), [7, 0]);
        assert_eq!(digits(&[0]), [0_u8; 0]);
    }
}
