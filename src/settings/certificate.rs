//! How a server proves who it is.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;

use super::value::{ChainDepth, File, Object, WarningDays, Word};
use super::{CertificateProblem, SettingsError};
use super::{document, read};
use crate::types::Host;

/// Files with roots, and files with revocations: one per authority a company might have.
const MAX_FILES: usize = 16;
/// Keys: a handful of servers, each with its present, its next and its last.
const MAX_PINS: usize = 32;

/// A month: long enough to have a root replaced everywhere, short enough to be acted upon.
const EXPIRY_WARNING_DAYS: u16 = 30;

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
    /// Reads a policy that stands alone, as a person wrote it: what a settings document has as `certificate`. For
    /// programs with a TLS stack of their own.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    ///
    /// ```
    /// use homing::settings::{CertificatePolicy, Roots};
    ///
    /// let policy = CertificatePolicy::parse(br#"{ "roots": ["system"] }"#)?;
    /// assert_eq!(policy.roots, [Roots::System]);
    /// # Ok::<(), homing::settings::SettingsError>(())
    /// ```
    pub fn parse(text: &[u8]) -> Result<Self, SettingsError> {
        policy(read::read_part(text)?, "")
    }

    /// Whether a key is pinned that may be accepted.
    pub fn has_usable_pin(&self) -> bool {
        self.pins.iter().any(|pin| pin.state != PinState::Revoked)
    }
}

/// A policy and the place in the document where it was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    pub(super) policy: CertificatePolicy,
    pub(super) path: String,
}

impl Written {
    /// The policy written at `path`, or this one where none is.
    pub(super) fn or_own(
        &self,
        own: Option<Object<document::Certificate>>,
        path: impl FnOnce() -> String,
    ) -> Result<Self, SettingsError> {
        let Some(Object(own)) = own else { return Ok(self.clone()) };
        let path = path();
        Ok(Self { policy: policy(own, &path)?, path })
    }
}

/// The policies that servers use, each once.
#[derive(Debug, Default)]
pub(super) struct PolicyTable {
    index: BTreeMap<CertificatePolicy, u16>,
    written: Vec<Written>,
}

impl PolicyTable {
    /// The index of this policy. A document has fewer servers than there are indices.
    pub(super) fn index(&mut self, written: &Written) -> u16 {
        if let Some(index) = self.index.get(&written.policy) {
            return *index;
        }
        let index = u16::try_from(self.written.len()).unwrap_or(u16::MAX);
        self.index.insert(written.policy.clone(), index);
        self.written.push(written.clone());
        index
    }

    /// The policies in the order of their indices, and where each was written first.
    pub(super) fn into_parts(self) -> (Vec<CertificatePolicy>, Vec<String>) {
        self.written.into_iter().map(|Written { policy, path }| (policy, path)).unzip()
    }
}

fn policy(text: document::Certificate, path: &str) -> Result<CertificatePolicy, SettingsError> {
    let place = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
    let contradiction = |(field, problem)| {
        let field: Cow<'static, str> = field;
        SettingsError::Certificate { path: place(&field), problem }
    };
    contradictions(&text).map_err(contradiction)?;
    let document::Certificate {
        roots,
        pins,
        pin_only,
        expected_name,
        crls,
        revocation,
        max_chain_depth,
        enforce_root_validity,
        profile,
        expiry_warning_days,
        client,
        tls13_only,
        danger_no_verification,
    } = text;
    let (pin_only, danger) = (pin_only.unwrap_or(false), danger_no_verification.unwrap_or(false));
    let roots = match roots {
        Some(roots) => roots.into_iter().map(Roots::from).collect(),
        None if pin_only || danger => Vec::new(),
        None => vec![Roots::Public],
    };
    let policy = CertificatePolicy {
        roots,
        pins: pins.into_iter().flatten().map(|Object(pin)| pin.into()).collect(),
        pin_only,
        expected_name: expected_name.map(|name| name.0),
        crls: crls.into_iter().flatten().map(|File(path)| path).collect(),
        revocation: revocation.map(|Object(revocation)| revocation.into()).unwrap_or_default(),
        max_chain_depth: max_chain_depth.map(|ChainDepth(depth)| depth),
        enforce_root_validity: enforce_root_validity.unwrap_or(false),
        profile: profile.map(|Word(profile)| profile).unwrap_or_default(),
        expiry_warning_days: expiry_warning_days.map_or(EXPIRY_WARNING_DAYS, |WarningDays(days)| days),
        client: client
            .map(|Object(client)| ClientCertificate { certificate: client.certificate.0, key: client.key.0 }),
        tls13_only: tls13_only.unwrap_or(false),
        danger_no_verification: danger,
        edition: 0,
    };
    for (field, what, found, limit) in [
        ("roots", "roots", policy.roots.len(), MAX_FILES),
        ("pins", "pins", policy.pins.len(), MAX_PINS),
        ("crls", "revocation lists", policy.crls.len(), MAX_FILES),
    ] {
        if found > limit {
            return Err(SettingsError::TooMany { path: place(field), what, found, limit });
        }
    }
    if let Some(twice) = twice(&policy.pins) {
        return Err(contradiction((format!("pins[{twice}].sha256").into(), CertificateProblem::PinTwice)));
    }
    if pin_only && !policy.has_usable_pin() {
        return Err(contradiction(("pins".into(), CertificateProblem::PinOnlyWithoutPins)));
    }
    Ok(policy)
}

/// The first pin of a key that was pinned before.
fn twice(pins: &[Pin]) -> Option<usize> {
    let mut known = BTreeSet::new();
    pins.iter().position(|pin| !known.insert(pin.sha256))
}

/// The first field that contradicts another one, and how.
fn contradictions(text: &document::Certificate) -> Result<(), (Cow<'static, str>, CertificateProblem)> {
    use CertificateProblem::{
        DangerWith, NoRoots, PinOnlyWith, PinOnlyWithRoots, PublicWith, RevocationWithoutLists,
    };

    let (has_pins, has_lists) = (any(text.pins.as_ref()), any(text.crls.as_ref()));
    let (pin_only, danger) = (text.pin_only == Some(true), text.danger_no_verification == Some(true));
    let fields = [
        ("roots", text.roots.is_some()),
        ("pins", has_pins),
        ("pin_only", pin_only),
        ("expected_name", text.expected_name.is_some()),
        ("crls", has_lists),
        ("revocation", text.revocation.is_some()),
        ("max_chain_depth", text.max_chain_depth.is_some()),
        ("enforce_root_validity", text.enforce_root_validity == Some(true)),
        ("profile", text.profile.as_ref().is_some_and(|Word(profile)| *profile != Profile::Standard)),
    ];
    // The first of these that is written.
    let first = |of: &[&str]| fields.iter().find(|(field, is_written)| *is_written && of.contains(field));
    // The public roots are compiled in without their certificates: nothing is known of their dates and extensions.
    let is_public = match &text.roots {
        None => !pin_only && !danger,
        Some(roots) => roots.iter().any(|root| matches!(root, document::Root::Public)),
    };
    let strictness = ["enforce_root_validity", "profile"];
    let about_chains = ["crls", "max_chain_depth", "enforce_root_validity", "profile"];
    let found = if danger && let Some((field, _)) = first(&fields.map(|(field, _)| field)) {
        (*field, DangerWith(field))
    } else if pin_only && text.roots.is_some() {
        ("roots", PinOnlyWithRoots)
    } else if pin_only && let Some((field, _)) = first(&about_chains) {
        (*field, PinOnlyWith(field))
    } else if !has_lists && text.revocation.is_some() {
        ("revocation", RevocationWithoutLists)
    } else if text.roots.as_ref().is_some_and(Vec::is_empty) {
        ("roots", NoRoots)
    } else if is_public && let Some((field, _)) = first(&strictness) {
        (*field, PublicWith(field))
    } else {
        return Ok(());
    };
    Err((found.0.into(), found.1))
}

fn any<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

impl From<document::Root> for Roots {
    fn from(root: document::Root) -> Self {
        match root {
            document::Root::Public => Self::Public,
            document::Root::System => Self::System,
            document::Root::Bundle(File(path)) => Self::Bundle(path),
            document::Root::Exact(File(path)) => Self::Exact(path),
        }
    }
}

impl From<document::Revocation> for Revocation {
    fn from(text: document::Revocation) -> Self {
        let document::Revocation { scope, allow_unknown_status, allow_expired_lists } = text;
        Self {
            scope: scope.map(|Word(scope)| scope).unwrap_or_default(),
            allow_unknown_status: allow_unknown_status.unwrap_or(false),
            allow_expired_lists: allow_expired_lists.unwrap_or(false),
        }
    }
}

impl From<document::Pin> for Pin {
    fn from(pin: document::Pin) -> Self {
        Self { sha256: pin.sha256.0, state: pin.state.map(|Word(state)| state).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    const PIN: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    /// Settings in which the document, the list and each of the servers say this of certificates.
    fn settings(document: &str, list: &str, servers: &[&str]) -> Settings {
        let servers: Vec<String> = servers
            .iter()
            .enumerate()
            .map(|(index, certificate)| {
                format!(r#"{{ "address": "s{index}.example", "certificate": {certificate} }}"#)
            })
            .collect();
        let text = format!(
            r#"{{ "certificate": {document}, "server_lists": [ {{ "name": "main", "certificate": {list},
                "priorities": [ {{ "servers": [ {} ] }} ] }} ] }}"#,
            servers.join(", ")
        );
        text.parse().unwrap()
    }

    fn indices(settings: &Settings) -> Vec<u16> {
        settings.lists().iter().flat_map(|list| list.servers()).map(|(_, server)| server.policy).collect()
    }

    #[test]
    fn public_roots_are_believed_where_nobody_says_otherwise() {
        let settings = settings("null", "null", &["null"]);
        assert_eq!(settings.policies(), [CertificatePolicy::default()]);
        assert_eq!(CertificatePolicy::default().roots, [Roots::Public]);
    }

    #[test]
    fn a_lower_certificate_replaces_the_upper_one_as_a_whole() {
        let document = r#"{ "roots": ["system"], "tls13_only": true }"#;
        let list = r#"{ "expected_name": "m.example" }"#;
        let settings = settings(document, list, &["null", "{}"]);
        let [of_list, of_server] = settings.policies() else { panic!("{:?}", settings.policies()) };
        let expected_name = Some(Host::Name("m.example".into()));
        assert_eq!(*of_list, CertificatePolicy { expected_name, ..CertificatePolicy::default() });
        assert_eq!(*of_server, CertificatePolicy::default());
    }

    #[test]
    fn equal_policies_stand_in_the_table_once_and_unused_ones_not_at_all() {
        let (bundle, system) = (r#"{ "roots": [{ "bundle": "ca.pem" }] }"#, r#"{ "roots": ["system"] }"#);
        let settings = settings("{}", bundle, &[system, "null", bundle, system]);
        assert_eq!(indices(&settings), [0, 1, 1, 0]);
        let roots: Vec<&[Roots]> = settings.policies().iter().map(|policy| policy.roots.as_slice()).collect();
        assert_eq!(roots, [[Roots::System], [Roots::Bundle("ca.pem".into())]]);
    }

    #[test]
    fn every_field_of_a_certificate_arrives_in_its_policy() {
        let text = format!(
            r#"{{ "roots": ["public", "system", {{ "bundle": "ca.pem" }}], "pins": [{{ "sha256": "{PIN}", "state": "retiring" }}],
                "expected_name": "m.example", "crls": ["x.crl"],
                "revocation": {{ "scope": "server", "allow_unknown_status": true }}, "max_chain_depth": 2,
                "expiry_warning_days": 60, "client": {{ "certificate": "c.pem", "key": "k.pem" }},
                "tls13_only": true }}"#
        );
        let policy = CertificatePolicy {
            roots: vec![Roots::Public, Roots::System, Roots::Bundle("ca.pem".into())],
            pins: vec![Pin {
                // SHA-256 of nothing: e3b0c442…7852b855.
                sha256: [
                    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
                    0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
                    0xb8, 0x55,
                ],
                state: PinState::Retiring,
            }],
            pin_only: false,
            expected_name: Some(Host::Name("m.example".into())),
            crls: vec!["x.crl".into()],
            revocation: Revocation {
                scope: RevocationScope::Server,
                allow_unknown_status: true,
                allow_expired_lists: false,
            },
            max_chain_depth: Some(2),
            enforce_root_validity: false,
            profile: Profile::Standard,
            expiry_warning_days: 60,
            client: Some(ClientCertificate { certificate: "c.pem".into(), key: "k.pem".into() }),
            tls13_only: true,
            danger_no_verification: false,
            edition: 0,
        };
        assert_eq!(settings(&text, "null", &["null"]).policies(), [policy]);
    }

    #[test]
    fn pins_alone_and_no_verification_believe_no_root() {
        let pin_only = format!(r#"{{ "pin_only": true, "pins": [{{ "sha256": "{PIN}" }}] }}"#);
        for certificate in [pin_only.as_str(), r#"{ "danger_no_verification": true }"#] {
            let settings = settings(certificate, "null", &["null"]);
            assert_eq!(settings.policies()[0].roots, [], "{certificate}");
        }
    }

    #[test]
    fn a_revoked_pin_is_no_pin_that_could_be_accepted() {
        let pins = format!(r#"{{ "pins": [{{ "sha256": "{PIN}", "state": "revoked" }}] }}"#);
        let settings = settings(&pins, "null", &["null"]);
        assert!(!settings.policies()[0].has_usable_pin());
    }
}
