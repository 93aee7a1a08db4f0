//! Who signed a settings document: Ed25519 over a fixed line and the document's bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

/// What stands before the document in what is signed, so that a signature of something else is none of settings.
const CONTEXT: &[u8] = b"homing settings 1\n";

/// Whether one of these keys signed this document; `signature` is the value of `Homing-Signature`.
///
/// # Errors
/// Why not, in words.
pub(crate) fn check_settings_signature(
    keys: &[[u8; 32]],
    signature: Option<&str>,
    document: &[u8],
) -> Result<(), String> {
    let Some(signature) = signature else {
        return Err(
            "they are not signed (`Homing-Signature`), and this agent takes signed settings alone".to_owned()
        );
    };
    let bytes = STANDARD.decode(signature.trim()).ok().filter(|bytes| bytes.len() == 64);
    let Some(bytes) = bytes else {
        return Err("their `Homing-Signature` is no Ed25519 signature in Base64".to_owned());
    };
    let signed = [CONTEXT, document].concat();
    let fits = |key: &[u8; 32]| UnparsedPublicKey::new(&ED25519, key).verify(&signed, &bytes).is_ok();
    if keys.iter().any(fits) {
        return Ok(());
    }
    Err("none of this agent's keys signed them: another key, or other bytes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn pair(seed: u8) -> (Ed25519KeyPair, [u8; 32]) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let key = pair.public_key().as_ref().try_into().unwrap();
        (pair, key)
    }

    fn sign(pair: &Ed25519KeyPair, document: &[u8]) -> String {
        STANDARD.encode(pair.sign(&[CONTEXT, document].concat()))
    }

    #[test]
    fn the_document_of_one_of_the_keys_is_taken_and_no_other() {
        let ((ours, key), (other, other_key)) = (pair(1), pair(2));
        let document = br#"{"version":1}"#;
        let check = |keys: &[[u8; 32]], signature: Option<&str>, document: &[u8]| {
            check_settings_signature(keys, signature, document)
        };
        let good = sign(&ours, document);
        assert_eq!(check(&[key], Some(&good), document), Ok(()));
        assert_eq!(check(&[other_key, key], Some(&good), document), Ok(()));
        assert!(check(&[key], None, document).unwrap_err().contains("not signed"));
        for (keys, signature, document) in [
            (&[key][..], sign(&other, document), &document[..]),
            (&[key][..], sign(&ours, b"another"), &document[..]),
            (&[][..], good.clone(), &document[..]),
            (&[key][..], STANDARD.encode(ours.sign(document)), &document[..]),
            (&[key][..], good.clone(), &b"{\"version\":1} "[..]),
        ] {
            let problem = check(keys, Some(&signature), document).unwrap_err();
            assert!(problem.contains("none of this agent's keys"), "{problem}");
        }
        for nonsense in ["", "AAAA", "not base64!", &"A".repeat(100_000)] {
            assert!(
                check(&[key], Some(nonsense), document).unwrap_err().contains("no Ed25519"),
                "{nonsense:.20}"
            );
        }
    }

    #[test]
    fn of_ten_thousand_mutations_none_is_accepted() {
        let (ours, key) = pair(3);
        let document: Vec<u8> = (0..400).map(|place| b' ' + (place % 90) as u8).collect();
        let signature = STANDARD.decode(sign(&ours, &document)).unwrap();
        let (mut accepted, mut state) = (0, 0x9e37_79b9_7f4a_7c15_u64);
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as usize) % below
        };
        for _ in 0..10_000 {
            let (mut document, mut signature) = (document.clone(), signature.clone());
            match next(4) {
                0 => document[next(400)] ^= 1 << next(8),
                1 => document.truncate(next(400)),
                2 => document.insert(next(400), b'x'),
                _ => signature[next(64)] ^= 1 << next(8),
            }
            let signature = STANDARD.encode(signature);
            accepted += usize::from(check_settings_signature(&[key], Some(&signature), &document).is_ok());
        }
        assert_eq!(accepted, 0);
    }
}
