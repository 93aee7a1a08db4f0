//! A policy and what a server shows: what a test needs to ask whether the server is believed.

use std::collections::BTreeMap;

use homing::settings::{CertificatePolicy, Pin, Revocation, RevocationScope, Roots};
use homing::trust::{
    Accepted, Description, Material, Policy, RejectReason, Time, Timestamp, TrustError, check_certificate,
};

use crate::forge::{pem, shown};

/// 2027-01-15.
pub(crate) const NOW: Time = Time { wall: Timestamp(1_800_000_000), floor: Timestamp::MADE };

/// The files of a policy, and a chain.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) roots: Vec<Vec<u8>>,
    /// Certificates that the policy names exactly.
    pub(crate) exact: Vec<Vec<u8>>,
    pub(crate) lists: Vec<Vec<u8>>,
    /// The server's first.
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) host: String,
    pub(crate) settings: CertificatePolicy,
}

impl World {
    /// A policy with these roots, and lists for servers alone.
    pub(crate) fn new(roots: &[Vec<u8>], chain: &[Vec<u8>]) -> Self {
        let revocation = Revocation { scope: RevocationScope::Server, ..Revocation::default() };
        let settings = CertificatePolicy { roots: Vec::new(), revocation, ..CertificatePolicy::default() };
        Self {
            roots: roots.to_vec(),
            chain: chain.to_vec(),
            host: "mgmt.example".to_owned(),
            settings,
            ..Self::default()
        }
    }

    /// With these lists, each in a file of its own.
    pub(crate) fn listing(mut self, lists: &[Vec<u8>]) -> Self {
        self.lists = lists.to_vec();
        self
    }

    pub(crate) fn policy(&self) -> Result<Policy, TrustError> {
        let mut settings = self.settings.clone();
        let mut files = BTreeMap::new();
        if !self.roots.is_empty() {
            let bundle: String = self.roots.iter().map(|root| pem("CERTIFICATE", root)).collect();
            files.insert("ca.pem".into(), bundle.into_bytes());
            settings.roots.push(Roots::Bundle("ca.pem".into()));
        }
        for (number, exact) in self.exact.iter().enumerate() {
            let file = format!("exact{number}.pem");
            files.insert(file.clone().into(), pem("CERTIFICATE", exact).into_bytes());
            settings.roots.push(Roots::Exact(file.into()));
        }
        for (number, list) in self.lists.iter().enumerate() {
            let file = format!("{number}.crl");
            files.insert(file.clone().into(), list.clone());
            settings.crls.push(file.into());
        }
        Policy::new(&settings, &Material { files, system: None }, NOW)
    }

    pub(crate) fn verdict(&self) -> Result<Accepted, RejectReason> {
        let policy = self.policy().unwrap_or_else(|error| panic!("{error}"));
        check_certificate(&policy, &shown(&self.chain), &self.host.parse().unwrap(), NOW)
    }

    /// What is remarked on when the policy is made.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let policy = self.policy().unwrap_or_else(|error| panic!("{error}"));
        policy.remarks().iter().map(ToString::to_string).collect()
    }

    /// The name of the reason, or `accepted`.
    pub(crate) fn class(&self) -> String {
        class(&self.verdict())
    }
}

/// The name of a reason; where chain and name are wrong, that of the chain.
pub(crate) fn class(verdict: &Result<Accepted, RejectReason>) -> String {
    match verdict {
        Ok(_) => "accepted".to_owned(),
        Err(RejectReason::Both { chain, .. }) => class(&Err((**chain).clone())),
        Err(reason) => {
            let text = format!("{reason:?}");
            text.split([' ', '(']).next().unwrap_or_default().to_owned()
        }
    }
}

/// The pin of the key of a certificate.
pub(crate) fn pin_of(certificate: &[u8]) -> Pin {
    let text = Description::of(&shown(&[certificate.to_vec()])[0]).unwrap().pin;
    let policy = format!(r#"{{ "pin_only": true, "pins": [{{ "sha256": "{text}" }}] }}"#);
    CertificatePolicy::parse(policy.as_bytes()).unwrap().pins[0]
}
