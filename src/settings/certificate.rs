//! How a server proves who it is.

use std::path::PathBuf;

use serde::Deserialize;

use crate::types::Host;

/// A month: long enough to have a root replaced everywhere, short enough to be acted upon.
pub(super) const EXPIRY_WARNING_DAYS: u16 = 30;

/// What a server must prove before anything is said to it.
///
/// The files are named, not read. Two policies are equal when they say the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificatePolicy {
    /// Whom to believe: a chain to any of them will do. Empty with `pin_only` and with
    /// `danger_no_verification`, never otherwise.
    pub roots: Vec<Roots>,
    /// Known keys. If any is not [`Revoked`](PinState::Revoked), one of those must occur in the chain.
    pub pins: Vec<Pin>,
    /// The pins alone decide; there is no chain to a root.
    pub pin_only: bool,
    /// The name or address the certificate must carry, instead of the one that was dialled.
    pub expected_name: Option<Host>,
    /// Files with certificate revocation lists, PEM or DER.
    pub crls: Vec<PathBuf>,
    /// How the revocation lists are used; the default where there are none.
    pub revocation: Revocation,
    /// The most certificates between the server's own and the root, 0 to 6. `None`: the six that are looked at at all.
    pub max_chain_depth: Option<u8>,
    /// Whether a root has to be within its own validity. Off, a root is trusted because it is there (RFC 5280 6.1.1).
    pub enforce_root_validity: bool,
    /// How strictly the certificates themselves are looked at.
    pub profile: Profile,
    /// How many days before the end of a root or of the agent's own certificate it is mentioned, 0 to 365.
    pub expiry_warning_days: u16,
    /// The agent's own certificate, shown to a server that asks for one.
    pub client: Option<ClientCertificate>,
    /// TLS 1.2 is refused.
    pub tls13_only: bool,
    /// Nothing is verified: anybody on the way can be the server.
    pub danger_no_verification: bool,
    /// How often its files were read again because they had changed. Not written in a document: 0, until a client counts.
    pub edition: u32,
}

/// Some certificate authorities, or one certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Roots {
    /// The public ones, as compiled in.
    Public,
    /// Those the operating system trusts.
    System,
    /// Those in this PEM file.
    Bundle(PathBuf),
    /// No authority: exactly the certificate in this PEM file, whoever signed it and whatever its extensions say. Its dates and its
    /// name count.
    Exact(PathBuf),
}

/// A known key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub sha256: [u8; 32],
    /// What it is for.
    pub state: PinState,
}

/// What a known key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PinState {
    /// In use.
    #[default]
    Active,
    /// Will be in use; accepted already.
    Next,
    /// Was in use; still accepted.
    Retiring,
    /// Never accepted again, whatever else says so.
    Revoked,
}

/// How revocation lists are used. The default is the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revocation {
    /// Whose status is looked up.
    pub scope: RevocationScope,
    /// Whether a certificate is believed about which no list says anything.
    pub allow_unknown_status: bool,
    /// Whether a list is used after the next one was due.
    pub allow_expired_lists: bool,
}

/// Whose status is looked up in revocation lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RevocationScope {
    /// The server's and those of all authorities below the root.
    #[default]
    Chain,
    /// The server's alone.
    Server,
}

/// How strictly the certificates themselves are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// As browsers do: of a root only its name, key and name constraints count (RFC 5280 6.1.1).
    #[default]
    Standard,
    /// For an authority of one's own, which can do everything right: also refused are a root outside its validity, without critical
    /// basic constraints, with a key usage that lacks keyCertSign, with an unknown critical extension, with an extended key usage that is not for servers, or with more
    /// authorities below it than it allows, and a server whose key may sign certificates.
    StrictPrivateCa,
}

/// The agent's own certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientCertificate {
    /// PEM file with the certificate and what is needed up to the root.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

impl Default for CertificatePolicy {
    /// The public roots, and nothing else.
    fn default() -> Self {
        Self {
            roots: vec![Roots::Public],
            pins: Vec::new(),
            pin_only: false,
            expected_name: None,
            crls: Vec::new(),
            revocation: Revocation::default(),
            max_chain_depth: None,
            enforce_root_validity: false,
            profile: Profile::Standard,
            expiry_warning_days: EXPIRY_WARNING_DAYS,
            client: None,
            tls13_only: false,
            danger_no_verification: false,
            edition: 0,
        }
    }
}

impl CertificatePolicy {
    /// Every file it names.
    #[cfg(feature = "client")]
    pub(super) fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let roots = self.roots.iter_mut().filter_map(|root| match root {
            Roots::Bundle(file) | Roots::Exact(file) => Some(file),
            Roots::Public | Roots::System => None,
        });
        let client = self.client.iter_mut().flat_map(|client| [&mut client.certificate, &mut client.key]);
        roots.chain(&mut self.crls).chain(client)
    }

    /// Whether a key is pinned that may be accepted.
    pub fn has_usable_pin(&self) -> bool {
        self.pins.iter().any(|pin| pin.state != PinState::Revoked)
    }

    /// Whether only public authorities could vouch for this host, and it is an address, for which they do not.
    pub(super) fn is_hopeless_for(&self, host: &Host) -> bool {
        let checked = self.expected_name.as_ref().unwrap_or(host);
        let public = !self.roots.is_empty() && self.roots.iter().all(|roots| *roots == Roots::Public);
        matches!(checked, Host::Address(_)) && public && !self.has_usable_pin()
    }
}
