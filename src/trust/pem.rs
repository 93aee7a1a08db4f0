//! PEM files (RFC 7468), read whole or not at all.
//!
//! The parser of the TLS library passes over whatever it takes for a comment. A section whose first line begins with a
//! space, or with the mark some editors put in front of a file, would be such a comment, and the file shorter
//! by one authority without anybody knowing. So the sections are named here first.

use rustls::pki_types::pem;

use super::certificate;

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
        labels.push(certificate::shortened(&label, 40));
    }
    Ok(labels)
}

/// Whether a section of this name holds a private key.
pub(super) fn is_key(label: &str) -> bool {
    label.ends_with("PRIVATE KEY")
}

/// What is wrong with a section.
// The parser may add to its errors in any release.
#[allow(clippy::wildcard_enum_match_arm)]
pub(super) fn words(error: &pem::Error) -> String {
    let known = match error {
        pem::Error::MissingSectionEnd { .. } => "its last section has no `-----END`",
        pem::Error::IllegalSectionStart { .. } => "something else follows in the line of a `-----BEGIN`",
        pem::Error::Base64Decode(_) => "a section is not Base64, or has no `-----END`",
        _ => return certificate::shortened(&error.to_string(), 120),
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
    fn a_section_that_would_be_taken_for_a_comment_is_an_error() {
        assert!(labels(b"\n \t-----BEGIN CERTIFICATE-----\n").is_err());
        assert!(labels(b"\xff\xfe-\0").is_err());
        assert_eq!(labels(unmarked(b"\xef\xbb\xbf-----BEGIN X-----")).unwrap(), ["X"]);
    }
}
