//! Certificates and revocation lists made byte by byte: whatever somebody who issues could write into them, right or wrong.

use std::fs;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use rcgen::{KeyPair, PublicKeyData, SigningKey};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

/// DER of one value.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = match u8::try_from(length) {
        Ok(short) if short < 0x80 => vec![tag, short],
        _ => vec![tag, 0x83, (length >> 16) as u8, (length >> 8) as u8, length as u8],
    };
    if bytes.len() > 2 {
        // The shortest form is the only one in DER.
        while bytes[2] == 0 {
            bytes.remove(2);
            bytes[1] -= 1;
        }
    }
    bytes.extend(content);
    bytes
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

fn oid(content: &[u8]) -> Vec<u8> {
    value(0x06, content)
}

/// UTF8String.
pub(crate) const UTF8: u8 = 0x0c;
/// PrintableString.
pub(crate) const PRINTABLE: u8 = 0x13;

/// A name with a common name alone.
pub(crate) fn name(common: &str, tag: u8) -> Vec<u8> {
    if common.is_empty() {
        return sequence(&[]);
    }
    sequence(&[&value(0x31, &sequence(&[&oid(&[0x55, 4, 3]), &value(tag, common.as_bytes())]))])
}

/// A name of several parts: the number of each below id-at, its text, and of which type that is.
pub(crate) fn directory(parts: &[(u8, &str, u8)]) -> Vec<u8> {
    let part = |(kind, text, tag): &(u8, &str, u8)| {
        value(0x31, &sequence(&[&oid(&[0x55, 4, *kind]), &value(*tag, text.as_bytes())]))
    };
    value(0x30, &parts.iter().flat_map(part).collect::<Vec<u8>>())
}

/// A key, and how to sign with it.
#[derive(Clone)]
pub(crate) struct Key(Arc<Inner>);

struct Inner {
    info: Vec<u8>,
    pem: String,
    /// The algorithm of its signatures, and the key where this process can sign with it.
    pair: Option<KeyPair>,
    kind: Kind,
}

/// Kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa(u32),
}

/// Digests of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digest {
    Sha256,
    /// With a key on P-256.
    Sha512,
    Sha1,
}

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// What `openssl` prints when it is called like this and given this.
pub(crate) fn openssl(arguments: &[&str], files: &[(&str, &[u8])]) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir_in(FOLDER.path()).unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let output = Command::new("openssl").args(arguments).current_dir(folder.path()).output();
    let output = output.unwrap_or_else(|error| panic!("openssl, which judges beside us: {error}"));
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Key {
    pub(crate) fn new(kind: Kind) -> Self {
        let pair = match kind {
            Kind::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).ok(),
            Kind::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).ok(),
            Kind::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519).ok(),
            Kind::P521 | Kind::Rsa(_) => None,
        };
        if let Some(pair) = pair {
            let (info, pem) = (pair.subject_public_key_info(), pair.serialize_pem());
            return Self(Arc::new(Inner { info, pem, pair: Some(pair), kind }));
        }
        let option = match kind {
            Kind::Rsa(bits) => format!("rsa_keygen_bits:{bits}"),
            Kind::P256 | Kind::P384 | Kind::P521 | Kind::Ed25519 => "ec_paramgen_curve:P-521".to_owned(),
        };
        let algorithm = if matches!(kind, Kind::Rsa(_)) { "RSA" } else { "EC" };
        let mut arguments = vec!["genpkey", "-algorithm", algorithm, "-pkeyopt", &option];
        if matches!(kind, Kind::Rsa(bits) if bits > 4096) {
            // Smaller primes, or it takes a minute.
            arguments.extend(["-pkeyopt", "rsa_keygen_primes:5"]);
        }
        let pem = String::from_utf8(openssl(&arguments, &[]).unwrap()).unwrap();
        let info = openssl(
            &["pkey", "-in", "key.pem", "-pubout", "-outform", "der"],
            &[("key.pem", pem.as_bytes())],
        )
        .unwrap();
        Self(Arc::new(Inner { info, pem, pair: None, kind }))
    }

    /// The whole SubjectPublicKeyInfo.
    pub(crate) fn info(&self) -> &[u8] {
        &self.0.info
    }

    /// What most authorities call this key, or something that is as good.
    pub(crate) fn id(&self) -> Vec<u8> {
        let hash = ring::digest::digest(&ring::digest::SHA256, &self.0.info);
        hash.as_ref()[..20].to_vec()
    }

    /// The AlgorithmIdentifier of its signatures with this digest.
    fn algorithm(&self, digest: Digest) -> Vec<u8> {
        let kind: &[u8] = match (self.0.kind, digest) {
            (Kind::P256 | Kind::P521, Digest::Sha256) => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
            (Kind::P256, Digest::Sha512) => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4],
            (Kind::P384, Digest::Sha256) => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
            (Kind::P256 | Kind::P384 | Kind::P521, Digest::Sha1) => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1],
            (Kind::Ed25519, _) => &[0x2b, 0x65, 0x70],
            (Kind::Rsa(_), Digest::Sha256) => &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11],
            (kind, Digest::Sha512) => panic!("{kind:?} with SHA-512"),
            (Kind::Rsa(_), Digest::Sha1) => &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],
        };
        let null: &[u8] = if matches!(self.0.kind, Kind::Rsa(_)) { &[5, 0] } else { &[] };
        sequence(&[&oid(kind), null])
    }

    fn sign(&self, message: &[u8], digest: Digest) -> Vec<u8> {
        match &self.0.pair {
            Some(pair) if digest == Digest::Sha256 => pair.sign(message).unwrap(),
            _ => {
                let digest = match digest {
                    Digest::Sha1 => "-sha1",
                    Digest::Sha256 => "-sha256",
                    Digest::Sha512 => "-sha512",
                };
                openssl(
                    &["dgst", digest, "-sign", "key.pem", "message"],
                    &[("key.pem", self.0.pem.as_bytes()), ("message", message)],
                )
                .unwrap()
            }
        }
    }

    /// What is to be signed, signed.
    fn signed(&self, content: &[u8], digest: Digest) -> Vec<u8> {
        let signature = [&[0][..], &self.sign(content, digest)].concat();
        sequence(&[content, &self.algorithm(digest), &value(0x03, &signature)])
    }
}

/// `YYYYMMDDHHMMSSZ` as a certificate has it.
fn date(text: &str) -> Vec<u8> {
    match text[..4].parse().unwrap() {
        1950..=2049 => value(0x17, &text.as_bytes()[2..]),
        0..=9999_u32 => value(0x18, text.as_bytes()),
        other => panic!("{other} is no year"),
    }
}

/// An extension.
pub(crate) fn extension(name: &[u8], is_critical: bool, content: &[u8]) -> Vec<u8> {
    let critical = if is_critical { value(0x01, &[0xff]) } else { Vec::new() };
    sequence(&[&oid(name), &critical, &value(0x04, content)])
}

/// One of the arc id-ce.
pub(crate) fn standard(number: u8, is_critical: bool, content: &[u8]) -> Vec<u8> {
    extension(&[0x55, 0x1d, number], is_critical, content)
}

/// What a certificate is made of. The extensions are in the order in which they were added.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) version: u8,
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    pub(crate) key: Key,
    pub(crate) extensions: Vec<Vec<u8>>,
    pub(crate) digest: Digest,
}

impl Made {
    /// An authority as it should be; its issuer is said when it is signed.
    pub(crate) fn authority(common: &str, key: &Key) -> Self {
        let extensions = vec![
            standard(19, true, &sequence(&[&value(0x01, &[0xff])])),
            standard(15, true, &value(0x03, &[1, 0x06])),
            standard(14, false, &value(0x04, &key.id())),
        ];
        Self::with(common, key, 3, extensions)
    }

    /// A server as it should be, with these alternative names: tags and contents.
    pub(crate) fn server(common: &str, key: &Key, names: &[(u8, &[u8])]) -> Self {
        let names: Vec<u8> = names.iter().flat_map(|(tag, content)| value(*tag, content)).collect();
        let mut extensions = vec![standard(15, true, &value(0x03, &[7, 0x80])), purposes(&[SERVER_AUTH])];
        if !names.is_empty() {
            extensions.push(standard(17, common.is_empty(), &value(0x30, &names)));
        }
        Self::with(common, key, 7, extensions)
    }

    fn with(common: &str, key: &Key, serial: u8, extensions: Vec<Vec<u8>>) -> Self {
        Self {
            version: 3,
            serial: vec![serial],
            issuer: Vec::new(),
            subject: name(common, UTF8),
            not_before: "20200101000000Z".to_owned(),
            not_after: "20400101000000Z".to_owned(),
            key: key.clone(),
            extensions,
            digest: Digest::Sha256,
        }
    }

    /// Puts an extension in the place of the one of the same name, or adds it.
    pub(crate) fn put(&mut self, extension: Vec<u8>) {
        let kind = |it: &[u8]| it[2..].iter().take(5).copied().collect::<Vec<_>>();
        let wanted = kind(&extension);
        match self.extensions.iter_mut().find(|it| kind(it) == wanted) {
            Some(known) => *known = extension,
            None => self.extensions.push(extension),
        }
    }

    /// Signed by this issuer. The issuer's name is that of its certificate unless another was put in.
    pub(crate) fn signed_by(&self, issuer: &Self) -> Vec<u8> {
        let version: &[u8] = &if self.version == 3 { value(0xa0, &value(0x02, &[2])) } else { Vec::new() };
        let named = if self.issuer.is_empty() { &issuer.subject } else { &self.issuer };
        let id = standard(35, false, &sequence(&[&value(0x80, &issuer.key.id())]));
        let extensions = match self.version {
            3 => value(0xa3, &value(0x30, &[self.extensions.concat(), id].concat())),
            _ => Vec::new(),
        };
        let content = sequence(&[
            version,
            &value(0x02, &self.serial),
            &issuer.key.algorithm(self.digest),
            named,
            &sequence(&[&date(&self.not_before), &date(&self.not_after)]),
            &self.subject,
            self.key.info(),
            &extensions,
        ]);
        issuer.key.signed(&content, self.digest)
    }

    pub(crate) fn self_signed(&self) -> Vec<u8> {
        self.signed_by(self)
    }
}

/// id-kp-serverAuth
pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
/// id-kp-clientAuth
pub(crate) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

pub(crate) fn purposes(kinds: &[&[u8]]) -> Vec<u8> {
    let kinds: Vec<u8> = kinds.iter().flat_map(|kind| oid(kind)).collect();
    standard(37, false, &value(0x30, &kinds))
}

/// What a revocation list is made of (RFC 5280 5.1).
#[derive(Clone)]
pub(crate) struct List {
    pub(crate) version: Vec<u8>,
    pub(crate) this_update: String,
    pub(crate) next_update: Option<String>,
    /// Entries as they stand in it.
    pub(crate) revoked: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
    pub(crate) digest: Digest,
    pub(crate) issuer: Vec<u8>,
}

impl List {
    /// A full list that is current.
    pub(crate) fn new() -> Self {
        Self {
            version: value(0x02, &[1]),
            this_update: "20260101000000Z".to_owned(),
            next_update: Some("20350101000000Z".to_owned()),
            revoked: Vec::new(),
            extensions: vec![standard(20, false, &value(0x02, &[5]))],
            digest: Digest::Sha256,
            issuer: Vec::new(),
        }
    }

    /// With the certificate of this serial number in it, for this reason (RFC 5280 5.3.1).
    pub(crate) fn revoking(mut self, serial: u8, reason: Option<u8>) -> Self {
        let extensions = reason.map(|reason| sequence(&[&standard(21, false, &value(0x0a, &[reason]))]));
        self.revoked.extend(sequence(&[
            &value(0x02, &[serial]),
            &date("20250601000000Z"),
            &extensions.unwrap_or_default(),
        ]));
        self
    }

    pub(crate) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    pub(crate) fn dated(mut self, this_update: &str, next_update: &str) -> Self {
        self.this_update = this_update.to_owned();
        self.next_update = Some(next_update.to_owned());
        self
    }

    /// Signed by this issuer, with its key identifier.
    pub(crate) fn signed_by(&self, issuer: &Made) -> Vec<u8> {
        self.signed_with(&issuer.key, &issuer.key.id(), &issuer.subject)
    }

    /// Signed with this key, and the identifier of whichever.
    pub(crate) fn signed_with(&self, key: &Key, id: &[u8], issuer: &[u8]) -> Vec<u8> {
        let issuer = if self.issuer.is_empty() { issuer } else { &self.issuer };
        let mut extensions = self.extensions.concat();
        if !extensions.is_empty() {
            extensions.extend(standard(35, false, &sequence(&[&value(0x80, id)])));
            extensions = value(0xa0, &value(0x30, &extensions));
        }
        let revoked = if self.revoked.is_empty() { Vec::new() } else { value(0x30, &self.revoked) };
        let next_update = self.next_update.as_deref().map(date).unwrap_or_default();
        let content = sequence(&[
            &self.version,
            &key.algorithm(self.digest),
            issuer,
            &date(&self.this_update),
            &next_update,
            &revoked,
            &extensions,
        ]);
        key.signed(&content, self.digest)
    }
}

/// The distribution point with this address, as an issuing distribution point and those of a certificate have it.
pub(crate) fn point(address: &str) -> Vec<u8> {
    value(0xa0, &value(0xa0, &value(0x86, address.as_bytes())))
}

/// An issuing distribution point (RFC 5280 5.2.5) with these fields.
pub(crate) fn distribution_point(fields: &[&[u8]]) -> Vec<u8> {
    standard(28, true, &sequence(fields))
}

/// PEM of this label.
pub(crate) fn pem(label: &str, bytes: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A certificate as TLS has it.
pub(crate) fn shown(certificates: &[Vec<u8>]) -> Vec<CertificateDer<'static>> {
    certificates.iter().map(|bytes| CertificateDer::from(bytes.clone())).collect()
}
