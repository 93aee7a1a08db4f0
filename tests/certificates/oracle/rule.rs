//! Where OpenSSL says otherwise, and why.

use std::fs;
use std::path::Path;

/// A rule of homing that `openssl verify` does not have, or the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    Root,
    Between,
    Ways,
    Namesake,
    AuthorityAsServer,
    CommonName,
    Spelling,
    WeakKey,
    WeakDigest,
    Algorithm,
    Before1970,
    DemandedPolicy,
    Kin,
    Asked,
}

impl Rule {
    const ALL: [Self; 14] = [
        Self::Root,
        Self::Between,
        Self::Ways,
        Self::Namesake,
        Self::AuthorityAsServer,
        Self::CommonName,
        Self::Spelling,
        Self::WeakKey,
        Self::WeakDigest,
        Self::Algorithm,
        Self::Before1970,
        Self::DemandedPolicy,
        Self::Kin,
        Self::Asked,
    ];

    /// What is judged differently, and the rule.
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Root => [
                "a root that is outside its dates, or whose extensions do not allow what it did",
                "accepted: of a root only the name, the key and the name constraints count (RFC 5280 6.1.1); the strict profile refuses it",
            ],
            Self::Between => [
                "an authority in a bundle that is below a root which is in none",
                "accepted: what a bundle names is a root; OpenSSL wants `-partial_chain` for it",
            ],
            Self::Ways => [
                "two certificates of one authority, of which only one allows the names of the server",
                "accepted: every path is tried; OpenSSL tries one",
            ],
            Self::Namesake => [
                "a server with the same subject as its issuer",
                "accepted: the signature says that it is another's; OpenSSL calls it self-signed",
            ],
            Self::AuthorityAsServer => [
                "a certificate of an authority in the place of a server's",
                "refused: its key can sign for every name; name it as `exact`",
            ],
            Self::CommonName => [
                "a server with a common name and no alternative names",
                "refused: common names are not looked at (RFC 9525)",
            ],
            Self::Spelling => [
                "the name of an issuer that differs in string type, case or spaces",
                "refused: issuers are found by the bytes of their names, as by webpki",
            ],
            Self::WeakKey => ["RSA keys below 2048 bits", "refused: they can be broken"],
            Self::WeakDigest => ["signatures with SHA-1", "refused: they can be forged"],
            Self::Algorithm => [
                "signatures with keys on P-521, with RSA keys above 8192 bits, with SHA-512 and a key on P-256",
                "refused: *ring* does not verify them",
            ],
            Self::Before1970 => {
                ["certificates that begin before 1970", "refused: webpki does not read such dates"]
            }
            Self::DemandedPolicy => [
                "critical certificate policies where a certificate of the path demands a policy (`requireExplicitPolicy`)",
                "refused: policies are not processed",
            ],
            Self::Kin => [
                "a revocation list signed with another key of the authority, for which the issuing key has vouched",
                "counts (RFC 5280 6.3.3 (f)); OpenSSL wants `-extended_crl` for it",
            ],
            Self::Asked => [
                "what a policy asks beside a path: pins, `max_chain_depth`, `profile`",
                "refused where it is not so; OpenSSL is not asked",
            ],
        }
    }
}

/// Asserts that there is a case for every reason that the interface for C has a number for.
pub(super) fn are_all_reasons(used: &[&str]) {
    let header = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/homing.h")).unwrap();
    let prefix = "#define HOMING_REJECT_";
    let names = header.lines().filter_map(|line| line.strip_prefix(prefix)?.split(' ').next());
    let reasons: Vec<String> = names
        .map(|name| {
            let word = |word: &str| format!("{}{}", &word[..1], word[1..].to_lowercase());
            name.split('_').map(word).collect()
        })
        .collect();
    assert!(reasons.len() > 30, "{reasons:?}");
    for reason in reasons {
        assert!(used.contains(&reason.as_str()), "no case is {reason}");
    }
}

/// Asserts that each rule is needed, and that the page has them all.
pub(super) fn are_all(mut used: Vec<Rule>) {
    used.sort();
    used.dedup();
    assert_eq!(used, Rule::ALL, "a rule without a case");
    let rows: String = Rule::ALL.iter().map(|rule| format!("| {} |\n", rule.words().join(" | "))).collect();
    let table = format!("| what | homing |\n|---|---|\n{rows}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/certificates.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) =
        ("<!-- rules: made by tests/certificates/oracle/rule.rs -->\n", "<!-- end of rules -->");
    let (before, rest) = page.split_once(begin).unwrap();
    let (old, after) = rest.split_once(end).unwrap();
    if std::env::var_os("HOMING_BLESS").is_some() {
        fs::write(path, format!("{before}{begin}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(old, table, "HOMING_BLESS=1 cargo test renews the table");
    }
}
