//! The settings and the policy that a manager hands out, each with its entity tag; settings are signed if asked.

use std::hash::Hasher;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::signature::Ed25519KeyPair;
use siphasher::sip::SipHasher24;

/// Where a document comes from.
#[derive(Clone, Debug)]
pub(crate) enum Document {
    /// There is none: 404, and no entity tag in the answers to heartbeats.
    None,
    /// These bytes.
    Text(Bytes),
    /// A file, read anew for each request: an edit shows at the next heartbeat.
    File(PathBuf),
    /// What was put there last, for several managers at once; nothing at first.
    #[allow(dead_code, reason = "not every user changes a document")]
    Shared(Arc<Mutex<Option<Bytes>>>),
    /// A file, signed with this key.
    Signed(PathBuf, Arc<Ed25519KeyPair>),
}

/// A document as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Edition {
    pub(crate) text: Bytes,
    /// Its strong entity tag, with the quotes, as `ETag` and `Homing-…` carry it.
    pub(crate) tag: String,
    /// What `Homing-Signature` carries.
    pub(crate) signature: Option<String>,
}

impl Document {
    /// The present edition; `None` when there is no such document.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn edition(&self) -> io::Result<Option<Edition>> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Text(text) => text.clone(),
            Self::Shared(text) => match &*text.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(text) => text.clone(),
                None => return Ok(None),
            },
            Self::File(path) | Self::Signed(path, _) => std::fs::read(path)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?
                .into(),
        };
        // Any digest that differs when the bytes do will make an entity tag; nobody has to trust it.
        let mut digest = SipHasher24::new();
        digest.write(&text);
        let signature = if let Self::Signed(_, key) = self {
            Some(STANDARD.encode(key.sign(&[b"homing settings 1\n", &*text].concat())))
        } else {
            None
        };
        Ok(Some(Edition { tag: format!("\"{:016x}\"", digest.finish()), text, signature }))
    }
}

impl Edition {
    /// Whether the value of an `If-None-Match` names this edition (RFC 9110, section 13.1.2: weak comparison).
    pub(crate) fn is_named_by(&self, if_none_match: &str) -> bool {
        let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        if_none_match.trim() == "*" || if_none_match.split(',').any(|tag| strong(tag) == self.tag)
    }
}
