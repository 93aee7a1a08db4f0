//! Certificate policies (RFC 5280 4.2.1.4): where they decide nothing.
//!
//! homing asks for no policy: in the words of RFC 5280 6.1.1, every policy is in its initial set and none is required explicitly. Then the
//! whole of the processing of policies has one outcome, whatever they are: the path is in order. It can have another one only on a path on which
//! a certificate demands a policy. So critical policies are accepted where none is demanded, and refused where one is. The
//! other extensions about policies (mappings, constraints, `inhibitAnyPolicy`) are refused where they are critical, as by webpki.

use super::der::{self, NotDer, Reader};

/// id-ce-certificatePolicies
pub(super) const POLICIES: &[u8] = &[0x55, 0x1d, 32];

/// The qualifiers of RFC 5280: id-qt-cps and id-qt-unotice. A critical extension with another one is not understood.
const QUALIFIERS: [&[u8]; 2] = [&[0x2b, 6, 1, 5, 5, 7, 2, 1], &[0x2b, 6, 1, 5, 5, 7, 2, 2]];

/// Whether this extension names policies and can be understood to its end.
pub(super) fn are_understood(name: &[u8], value: Reader<'_>) -> bool {
    name == POLICIES && read(value).is_ok()
}

/// Whether policy constraints demand a policy (RFC 5280 4.2.1.11). What cannot be read may do so.
pub(super) fn are_demanded(mut constraints: Reader<'_>) -> bool {
    !constraints.sequence().is_ok_and(|mut fields| fields.expect(0x81).is_ok() && fields.is_empty())
}

fn read(mut value: Reader<'_>) -> Result<(), NotDer> {
    let mut policies = filled(&mut value)?;
    while !policies.is_empty() {
        let mut policy = policies.sequence()?;
        policy.expect(der::OID)?;
        if !policy.is_empty() {
            let mut qualifiers = filled(&mut policy)?;
            while !qualifiers.is_empty() {
                let mut qualifier = qualifiers.sequence()?;
                if !QUALIFIERS.contains(&qualifier.expect(der::OID)?) {
                    return Err(NotDer);
                }
                qualifier.any()?;
                qualifier.end()?;
            }
        }
        policy.end()?;
    }
    value.end()
}

/// A sequence with something in it.
fn filled<'a>(value: &mut Reader<'a>) -> Result<Reader<'a>, NotDer> {
    value.sequence().and_then(|inner| if inner.is_empty() { Err(NotDer) } else { Ok(inner) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::der::wrap;

    fn sequence(parts: &[&[u8]]) -> Vec<u8> {
        wrap(der::SEQUENCE, &parts.concat())
    }

    #[test]
    fn policies_are_understood_to_their_end_or_not_at_all() {
        let (any, one) = (wrap(der::OID, &[0x55, 0x1d, 32, 0]), wrap(der::OID, &[0x2a, 3]));
        let qualifier = |kind: &[u8]| sequence(&[&sequence(&[&wrap(der::OID, kind), &wrap(0x16, b"x")])]);
        let (known, unknown) = (qualifier(QUALIFIERS[0]), qualifier(&[0x2a, 4]));
        let plain = sequence(&[&sequence(&[&any])]);
        for (value, expected) in [
            (plain.clone(), true),
            (sequence(&[&sequence(&[&one]), &sequence(&[&any, &known])]), true),
            (sequence(&[&sequence(&[&one, &unknown])]), false),
            (sequence(&[&sequence(&[&one, &sequence(&[])])]), false),
            (sequence(&[]), false),
            ([plain.clone(), one].concat(), false),
        ] {
            assert_eq!(are_understood(POLICIES, Reader::new(&value)), expected, "{value:?}");
        }
        assert!(!are_understood(&[0x55, 0x1d, 33], Reader::new(&plain)));
    }

    #[test]
    fn policy_constraints_demand_a_policy_unless_they_only_inhibit_mapping() {
        let (require, inhibit) = (wrap(0x80, &[5]), wrap(0x81, &[0]));
        for (value, expected) in [
            (sequence(&[&inhibit]), false),
            (sequence(&[&require]), true),
            (sequence(&[&require, &inhibit]), true),
            (sequence(&[&inhibit, &require]), true),
            (vec![1, 2, 3], true),
        ] {
            assert_eq!(are_demanded(Reader::new(&value)), expected, "{value:?}");
        }
    }
}
