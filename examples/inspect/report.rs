//! What a person is told.

use std::fmt::Write;
use std::io;

use homing::trust::{Description, Policy, Time, check_certificate, vouched_by};
use homing::types::Proof;

use super::arguments::Arguments;
use super::handshake::Handshake;

/// Names of one certificate that are shown: enough to see what it is for.
const SHOWN: usize = 20;

/// Whether the server is believed and wants us, and everything about it in words.
pub(crate) fn report(
    arguments: &Arguments,
    place: &str,
    policy: &Policy,
    handshake: &Handshake,
    time: Time,
) -> (bool, String) {
    let Handshake { address, chain, version, asked, trouble } = handshake;
    let mut lines = Lines::default();
    lines.row("server", format!("{}, port {}, at {address}", arguments.host, arguments.port));
    if let Some(version) = version {
        lines.row("protocol", format!("{version:?}"));
    }
    lines.row("policy", format!("{place}; roots: {}", policy.roots()));
    for remark in policy.remarks() {
        lines.row("remark", remark);
    }
    for (number, certificate) in chain.iter().enumerate() {
        lines.0.push('\n');
        lines.certificate(number, Description::of(certificate).as_ref());
    }
    lines.0.push('\n');
    let verdict = check_certificate(policy, chain, &arguments.host, time);
    match &verdict {
        Ok(accepted) => {
            let proof = match accepted.proof {
                Proof::Tls => "its chain and its name are right",
                Proof::Pin => "a key of it is pinned",
                Proof::Tcp => "and that proves nothing: `danger_no_verification`",
            };
            lines.row("verdict", format!("accepted, {proof}"));
            if let Ok(vouching) = vouched_by(policy, chain, &arguments.host, time) {
                lines.row("vouched by", vouching);
            }
            if accepted.demands_stapling {
                lines.row("remark", "it demands a stapled status (tlsFeature), which is not looked at");
            }
            if let Some(until) = accepted.not_after {
                lines.row("until", until);
            }
        }
        Err(reason) => {
            lines.row("verdict", "rejected");
            lines.row("reason", reason);
            lines.row("what to do", reason.explain());
        }
    }
    // What TLS says of a certificate that is rejected was said already, and better.
    let trouble = trouble.as_ref().filter(|trouble| verdict.is_ok() || !is_about_certificate(trouble));
    if let Some(trouble) = trouble {
        lines.row("handshake", trouble);
        if *asked && policy.identity_not_after().is_some() {
            lines.row("what to do", "let `client` of the policy name a certificate that this server accepts");
        } else if *asked {
            lines.row(
                "what to do",
                "give the policy a `client`: the server wants to see a certificate of ours",
            );
        }
    } else if *asked {
        lines.row("handshake", "it asked for a certificate of ours, and did not object");
    }
    (verdict.is_ok() && trouble.is_none(), lines.0)
}

fn is_about_certificate(trouble: &io::Error) -> bool {
    let inner = trouble.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

/// Rows of a name and what belongs to it.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn row(&mut self, name: &str, value: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{name:<11} {value}");
    }

    fn certificate(&mut self, number: usize, certificate: Option<&Description>) {
        let Some(certificate) = certificate else {
            return self.row("certificate", format!("{number}: cannot be read"));
        };
        let kind = if certificate.is_authority { " (authority)" } else { "" };
        self.row("certificate", format!("{number}{kind}"));
        self.row("  subject", &certificate.subject);
        self.row("  issuer", &certificate.issuer);
        if !certificate.names.is_empty() {
            let shown: Vec<&str> = certificate.names.iter().take(SHOWN).map(String::as_str).collect();
            let more = certificate.names.len() - shown.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            self.row("  names", format!("{}{more}", shown.join(", ")));
        }
        self.row("  valid", format!("{} to {}", certificate.not_before, certificate.not_after));
        self.row("  key", certificate.key);
        self.row("  pin", &certificate.pin);
    }
}
