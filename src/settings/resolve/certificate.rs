//! The certificate policies of the document: each is read whole, and kept once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::settings::certificate::{
    CertificatePolicy, ClientCertificate, EXPIRY_WARNING_DAYS, Pin, Profile, Revocation, Roots,
};
use crate::settings::value::{ChainDepth, File, Object, WarningDays, Word};
use crate::settings::{CertificateProblem, SettingsError, document, read};

/// Files with roots, and files with revocations: one per authority a company might have.
const MAX_FILES: usize = 16;
/// Keys: a handful of servers, each with its present, its next and its last.
const MAX_PINS: usize = 32;

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
    use crate::settings::{PinState, RevocationScope};
    use crate::types::Host;

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
