//! PEM files (RFC 7468), read whole or not at all.
//!
//! The parser of the TLS library passes over whatever it takes for a comment. A section whose first line begins with a
//! space, or with the mark some editors put in front of a file, would be such a comment, and the file shorter
//! by one authority without anybody knowing. So the sections are named here first.

use base64::Engine as _;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject as _, SectionKind};
use zeroize::Zeroizing;

use crate::types::printable;

/// What a section begins with.
const BEGIN: &[u8] = b"-----BEGIN ";

/// The mark that some editors put in front of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The text without a mark in front of it.
pub(super) fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// What the sections of the text are called, one after the other: `CERTIFICATE`, `PRIVATE KEY`.
///
/// # Errors
/// The text is not as it should be, with the reason.
pub(super) fn labels(text: &[u8]) -> Result<Vec<String>, String> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err("it is written in UTF-16; write it as plain text".to_owned());
    }
    let mut labels = Vec::new();
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        // Most lines are the Base64 in between, which has no hyphen.
        let Some(place) = line.iter().position(|byte| *byte == b'-') else { continue };
        let Some((before, line)) = line.split_at_checked(place) else { continue };
        let Some(rest) = line.strip_prefix(BEGIN) else { continue };
        if before.iter().any(|byte| !byte.is_ascii_whitespace()) {
            continue;
        }
        if !before.is_empty() {
            return Err("there is space in front of a `-----BEGIN`".to_owned());
        }
        // What is wrong with the rest of the line the parser says.
        let end = rest.iter().position(|byte| *byte == b'-').unwrap_or(rest.len());
        let label = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
        labels.push(printable(label, 40));
    }
    Ok(labels)
}

/// Whether a section of this name holds a private key.
pub(super) fn is_key(label: &str) -> bool {
    label.ends_with("PRIVATE KEY")
}

/// The first private key of the text. The parser of the TLS library would leave copies of it behind.
pub(super) fn private_key(text: &[u8]) -> Option<Zeroizing<PrivateKeyDer<'static>>> {
    let mut lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii_end);
    let kind = lines.find_map(|line| match line {
        b"-----BEGIN PRIVATE KEY-----" => Some(SectionKind::PrivateKey),
        b"-----BEGIN RSA PRIVATE KEY-----" => Some(SectionKind::RsaPrivateKey),
        b"-----BEGIN EC PRIVATE KEY-----" => Some(SectionKind::EcPrivateKey),
        _ => None,
    })?;
    // Both in one piece: what grows leaves copies behind.
    let mut inside = Zeroizing::new(Vec::with_capacity(text.len()));
    loop {
        match lines.next()? {
            end if end.starts_with(b"-----END ") => break,
            line => inside.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace())),
        }
    }
    let mut der = Zeroizing::new(vec![0; inside.len()]);
    let length = base64::engine::general_purpose::STANDARD.decode_slice(&*inside, &mut der).ok()?;
    der.truncate(length);
    PrivateKeyDer::from_pem(kind, std::mem::take(&mut *der)).map(Zeroizing::new)
}

/// What is wrong with a section.
// The parser may add to its errors in any release.
#[allow(clippy::wildcard_enum_match_arm)]
pub(super) fn words(error: &pem::Error) -> String {
    let known = match error {
        pem::Error::MissingSectionEnd { .. } => "its last section has no `-----END`",
        pem::Error::IllegalSectionStart { .. } => "something else follows in the line of a `-----BEGIN`",
        pem::Error::Base64Decode(_) => "a section is not Base64, or has no `-----END`",
        _ => return printable(error, 120),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_named_whatever_stands_between() {
        let text = b"a - comment\r\n-----BEGIN CERTIFICATE-----\r\nAAAA\n-----END CERTIFICATE-----\n\
            -----BEGIN EC PRIVATE KEY-----\n see -----BEGIN THIS-----";
        let found = labels(text).unwrap();
        assert_eq!(found, ["CERTIFICATE", "EC PRIVATE KEY"]);
        assert!(is_key(&found[1]) && !is_key(&found[0]));
        assert_eq!(labels(b""), Ok(Vec::new()));
    }

    #[test]
    fn the_first_key_of_a_text_is_the_one_that_the_tls_library_finds() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let before =
            "a comment\n-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        for text in [
            key.clone(),
            format!("{before}{key}{other}"),
            key.replace('\n', "\r\n"),
            key.replace("PRIVATE", "EC PRIVATE"),
            key.replace("PRIVATE", "RSA PRIVATE"),
            key.replace("-----END", "-----EN"),
            key.replacen("\n", "\nProc-Type: 4\n", 1),
            key.replace("PRIVATE KEY", "CERTIFICATE"),
            String::new(),
        ] {
            let expected = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok();
            let found = private_key(text.as_bytes());
            assert_eq!(found.as_deref(), expected.as_ref(), "{text}");
        }
    }

    #[test]
    fn a_section_that_would_be_taken_for_a_comment_is_an_error() {
        assert!(labels(b"\n \t-----BEGIN CERTIFICATE-----\n").is_err());
        assert!(labels(b"\xff\xfe-\0").is_err());
        assert_eq!(labels(unmarked(b"\xef\xbb\xbf-----BEGIN X-----")).unwrap(), ["X"]);
    }
}
