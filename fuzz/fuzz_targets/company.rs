//! A root, an authority below it and a server, the same in every run, so that what was found can be played again.

use homing::trust::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DistinguishedName,
    DnType, GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints,
    date_time_ymd,
};

/// Within the validity of all that is made here.
pub const NOW: Timestamp = Timestamp(1_800_000_000);

/// See the module.
pub struct Company {
    /// The root, PEM.
    pub root: String,
    /// What the server sends, its own certificate first.
    pub chain: [Vec<u8>; 2],
    /// A revocation list of the authority below the root, DER.
    pub list: Vec<u8>,
}

pub fn found() -> Company {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let (root, root_key) = (authority("root"), key(1));
    let pem = root.self_signed(&root_key).expect("a root").pem();
    let above = Issuer::new(root, root_key);
    let (mut middle, middle_key) = (authority("middle"), key(2));
    // What is judged by us and not by webpki.
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "server");
    middle.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DirectoryName(subject.clone())],
        excluded_subtrees: Vec::new(),
    });
    let any_policy = b"\x30\x08\x30\x06\x06\x04\x55\x1d\x20\x00".to_vec();
    let mut policies = CustomExtension::from_oid_content(&[2, 5, 29, 32], any_policy);
    policies.set_criticality(true);
    let middle_certificate = middle.signed_by(&middle_key, &above).expect("an authority");
    let below = Issuer::new(middle, middle_key);
    let mut params = CertificateParams::new(vec!["mgmt.example".to_owned()]).expect("a name");
    params.serial_number = Some(7.into());
    params.distinguished_name = subject;
    params.custom_extensions = vec![policies];
    let server = params.signed_by(&key(3), &below).expect("a server");
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(2100, 1, 1),
        crl_number: 5.into(),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&below).expect("a list").der().to_vec();
    Company { root: pem, chain: [&server, &middle_certificate].map(|it| it.der().to_vec()), list }
}

/// Ed25519 signs without chance.
fn key(seed: u8) -> KeyPair {
    // PKCS#8 around 32 bytes of key (RFC 8410 7).
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend([seed; 32]);
    KeyPair::try_from(der.as_slice()).expect("a key")
}
