//! The table of reasons in `docs/certificates.md`, made from the reasons themselves.

use std::fs;
use std::path::Path;

use super::*;

/// One of each reason, and two where the advice depends on the place.
fn samples() -> Vec<RejectReason> {
    let [server, authority, root] = [
        ("CN=mgmt.example", Place::Server),
        ("CN=Corp CA 2", Place::Authority),
        ("CN=Corp CA 1", Place::Root),
    ]
    .map(|(name, place)| Bearer { name: name.to_owned(), place });
    let time = Time::new(Timestamp(1_800_000_000));
    let (past, future) = (Timestamp(1_790_000_000), Timestamp(1_810_000_000));
    let issuer = || "CN=Corp CA 1".to_owned();
    let expected = || "mgmt.example".parse().expect("a name");
    let wrong_name = |present: &[&str], mistake| RejectReason::WrongName {
        subject: server.clone(),
        expected: expected(),
        present: present.iter().map(ToString::to_string).collect(),
        more: 0,
        mistake,
    };
    let unknown =
        |gap| RejectReason::RevocationUnknown { subject: server.clone(), issuer: issuer(), gap, time };
    let mut samples = vec![
        RejectReason::NoCertificate,
        RejectReason::Malformed { subject: server.clone(), problem: "it is not of version 3".to_owned() },
        RejectReason::MissingIntermediate { subject: server.clone(), issuer: issuer() },
        RejectReason::UnknownIssuer { subject: server.clone(), issuer: issuer() },
        RejectReason::SelfSigned { subject: server.clone() },
        RejectReason::NotExact { subject: server.clone() },
        RejectReason::OtherSpelling { subject: server.clone(), issuer: issuer() },
        RejectReason::OtherKey { subject: server.clone(), issuer: issuer() },
        RejectReason::Loop { subject: authority.clone() },
        RejectReason::TooComplex,
        RejectReason::NotAnAuthority { subject: authority.clone() },
        RejectReason::MayNotSign { subject: authority.clone() },
        RejectReason::AuthorityAsServer { subject: server.clone() },
        RejectReason::ChainTooLong { found: 2, limit: 1 },
        RejectReason::PathLength { subject: authority.clone() },
        RejectReason::WeakDigest { subject: server.clone(), digest: "SHA-1" },
        RejectReason::UnsupportedAlgorithm { subject: server.clone(), algorithm: "1.2.3.4".to_owned() },
        RejectReason::NameConstraints { subject: server.clone(), issuer: issuer() },
        RejectReason::ConstraintNotCompared { subject: server.clone(), issuer: issuer(), kind: "otherName" },
        RejectReason::UnknownExtension {
            subject: server.clone(),
            extension: "policyConstraints (2.5.29.36)".to_owned(),
        },
        wrong_name(&["other.example"], None),
        wrong_name(&["192.0.2.7"], Some(NameMistake::AddressAsName)),
        wrong_name(&[], Some(NameMistake::CommonNameOnly("mgmt.example".to_owned()))),
        unknown(ListGap::NoList),
        unknown(ListGap::OutOfScope),
        unknown(ListGap::OtherKey),
        unknown(ListGap::Future(future)),
        RejectReason::RevocationExpired { issuer: issuer(), next_update: past, time },
        RejectReason::RevocationForged { issuer: issuer() },
        RejectReason::RevocationUnverifiable {
            issuer: issuer(),
            algorithm: "SHA-1, which can be forged".to_owned(),
        },
        RejectReason::MayNotRevoke { subject: root.clone() },
        RejectReason::PinMismatch { subject: server.clone(), presented: [7; 32] },
        RejectReason::AnchorOutside { subject: root.clone(), not_before: past, not_after: past, time },
        RejectReason::NotStrict { subject: root.clone(), problem: Unfit::NoBasicConstraints },
    ];
    for subject in [server, authority] {
        let subject = || subject.clone();
        samples.extend([
            RejectReason::Expired { subject: subject(), not_after: past, time },
            RejectReason::NotYetValid { subject: subject(), not_before: future, time },
            RejectReason::WeakKey { subject: subject(), key: Key::Rsa(1024) },
            RejectReason::UnsupportedKey { subject: subject(), key: Key::Curve(521) },
            RejectReason::WrongPurpose { subject: subject() },
            RejectReason::Revoked { subject: subject() },
            RejectReason::PinRevoked { subject: subject(), presented: [7; 32] },
        ]);
    }
    samples.sort_by_key(place);
    samples
}

/// Where a reason stands in the table. A new one has to be put somewhere, and into the samples.
fn place(reason: &RejectReason) -> usize {
    match reason {
        RejectReason::NoCertificate => 0,
        RejectReason::Malformed { .. } => 1,
        RejectReason::Expired { .. } => 2,
        RejectReason::NotYetValid { .. } => 3,
        RejectReason::UnknownIssuer { .. } => 4,
        RejectReason::MissingIntermediate { .. } => 5,
        RejectReason::SelfSigned { .. } => 6,
        RejectReason::NotExact { .. } => 7,
        RejectReason::OtherSpelling { .. } => 8,
        RejectReason::OtherKey { .. } => 9,
        RejectReason::Loop { .. } => 10,
        RejectReason::TooComplex => 11,
        RejectReason::NotAnAuthority { .. } => 12,
        RejectReason::MayNotSign { .. } => 13,
        RejectReason::AuthorityAsServer { .. } => 14,
        RejectReason::ChainTooLong { .. } => 15,
        RejectReason::PathLength { .. } => 16,
        RejectReason::WeakKey { .. } => 17,
        RejectReason::UnsupportedKey { .. } => 18,
        RejectReason::WeakDigest { .. } => 19,
        RejectReason::UnsupportedAlgorithm { .. } => 20,
        RejectReason::NameConstraints { .. } => 21,
        RejectReason::ConstraintNotCompared { .. } => 22,
        RejectReason::WrongPurpose { .. } => 23,
        RejectReason::UnknownExtension { .. } => 24,
        RejectReason::WrongName { .. } => 25,
        RejectReason::Revoked { .. } => 26,
        RejectReason::RevocationUnknown { .. } => 27,
        RejectReason::RevocationExpired { .. } => 28,
        RejectReason::RevocationForged { .. } => 29,
        RejectReason::RevocationUnverifiable { .. } => 30,
        RejectReason::MayNotRevoke { .. } => 31,
        RejectReason::PinMismatch { .. } => 32,
        RejectReason::PinRevoked { .. } => 33,
        RejectReason::AnchorOutside { .. } => 34,
        RejectReason::NotStrict { .. } => 35,
        // Two of the others at once.
        RejectReason::Both { .. } => 36,
    }
}

#[test]
fn the_page_has_every_reason_with_its_advice() {
    let samples = samples();
    let mut places: Vec<usize> = samples.iter().map(place).collect();
    places.dedup();
    assert_eq!(places, (0..36).collect::<Vec<_>>(), "a reason has no sample");
    let rows: String =
        samples.iter().map(|reason| format!("| {reason} | {} |\n", reason.explain())).collect();
    let table = format!("| what is told | what to do |\n|---|---|\n{rows}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/certificates.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (begin, end) = ("<!-- reasons: made by src/trust/reasons.rs -->\n", "<!-- end of reasons -->");
    let (before, rest) = page.split_once(begin).expect("the beginning of the table");
    let (old, after) = rest.split_once(end).expect("the end of the table");
    if std::env::var_os("HOMING_BLESS").is_some() {
        fs::write(path, format!("{before}{begin}{table}{end}{after}")).expect("the page can be written");
    } else {
        assert_eq!(old, table, "HOMING_BLESS=1 cargo test renews the table");
    }
}

#[test]
fn a_certificate_is_evidence_about_the_clock_a_day_beyond_its_dates() {
    let end = Timestamp(1_800_000_000);
    let evidence = |seconds: i64| {
        let subject = Bearer { name: "CN=mgmt.example".to_owned(), place: Place::Server };
        let time = Time::new(Timestamp(end.0 + seconds));
        RejectReason::Expired { subject, not_after: end, time }.failure().evidence
    };
    assert_eq!(evidence(24 * 3600), None, "it may just have been forgotten");
    assert_eq!(evidence(24 * 3600 + 1), Some(crate::types::Evidence::ExpiredBefore(end.0)));
}
