//! What an agent shows a server to be let in: header fields of the product's own.

use std::fmt;

use zeroize::Zeroizing;

use crate::types::{header_field, printable};

/// Header fields sent with every exchange, such as `Authorization`.
///
/// They are sent over verified TLS only: never to an `http` server, never where the settings say
/// `danger_no_verification`, never to a proxy. They appear in no log, no event and no snapshot;
/// `Debug` shows the names. Each name stands once; at most [`MOST_FIELDS`](Self::MOST_FIELDS) fields
/// with together [`MOST_BYTES`](Self::MOST_BYTES) are held. Many servers take no more than 8 KiB. A value that is replaced,
/// removed or dropped is overwritten with zeros.
///
/// ```
/// use homing::client::Credentials;
///
/// let mut credentials = Credentials::default();
/// credentials.set("Authorization", "Bearer 0123456789")?;
/// assert_eq!(format!("{credentials:?}"), r#"Credentials {"authorization"}"#);
/// # Ok::<(), homing::client::CredentialError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(Vec<(Box<str>, Secret)>);

/// Overwritten when it is dropped.
type Secret = Zeroizing<Box<[u8]>>;

/// Why a header field cannot be a credential. Never carries the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The name is no name of a header field.
    #[error("`{name}` is no name of a header field")]
    Name {
        /// What was given; at most 64 characters of it.
        name: Box<str>,
    },
    /// homing sets this field itself, or it belongs to the connection and not to the request.
    #[error("`{name}` is set by homing itself, or belongs to the connection and not to the request")]
    Reserved {
        /// Which field.
        name: Box<str>,
    },
    /// The secret has a line end or another control character.
    #[error("the value of `{name}` has a control character, such as a line end")]
    Value {
        /// Of which field.
        name: Box<str>,
    },
    /// There would be too many fields.
    #[error("there can be no more than {} header fields", Credentials::MOST_FIELDS)]
    TooMany,
    /// They would be too large together.
    #[error("the header fields can have no more than {} bytes together", Credentials::MOST_BYTES)]
    TooLarge,
}

/// Fields that homing sets or will set in requests of its own, beside those of [`header_field`].
const RESERVED: [&str; 10] = [
    "accept",
    "content-range",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-event-id",
    "range",
];

impl Credentials {
    /// Fields there can be: one or two are common.
    pub const MOST_FIELDS: usize = 16;
    /// Bytes of all names and values together: the largest tickets in use are a few KiB.
    pub const MOST_BYTES: usize = 16 * 1024;

    /// No fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field; an earlier value of the same name is replaced. The name may be written in any case.
    ///
    /// # Errors
    /// The field is not set, and an earlier value stays.
    pub fn set(&mut self, name: &str, secret: impl AsRef<[u8]>) -> Result<(), CredentialError> {
        let shown = || -> Box<str> { printable(name, 64).into() };
        let secret = secret.as_ref();
        // Before anything is copied.
        if name.len().saturating_add(secret.len()) > Self::MOST_BYTES {
            return Err(CredentialError::TooLarge);
        }
        if !header_field::is_name(name) {
            return Err(CredentialError::Name { name: shown() });
        }
        let field = name.to_ascii_lowercase();
        let name = field.as_str();
        if RESERVED.contains(&name) || header_field::is_reserved(name) {
            return Err(CredentialError::Reserved { name: shown() });
        }
        if secret.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(CredentialError::Value { name: shown() });
        }
        let others = self.0.iter().filter(|(other, _)| **other != *name);
        let (count, bytes) = others.fold((1, name.len() + secret.len()), |(count, bytes), (name, value)| {
            (count + 1, bytes + name.len() + value.len())
        });
        if count > Self::MOST_FIELDS {
            return Err(CredentialError::TooMany);
        }
        if bytes > Self::MOST_BYTES {
            return Err(CredentialError::TooLarge);
        }
        match self.0.iter_mut().find(|(other, _)| **other == *name) {
            Some((_, old)) => *old = Zeroizing::new(secret.into()),
            None => self.0.push((field.into(), Zeroizing::new(secret.into()))),
        }
        Ok(())
    }

    /// Removes a field; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.0.len() < before
    }

    /// Whether a field stands, and with this value.
    pub(super) fn has(&self, name: &str, secret: &[u8]) -> bool {
        self.0.iter().any(|(other, value)| other.eq_ignore_ascii_case(name) && ***value == *secret)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// Header lines, as they are sent.
    pub(super) fn lines(&self) -> Zeroizing<Vec<u8>> {
        let length = self.0.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        // In one piece: what grows leaves copies behind.
        let mut lines = Zeroizing::new(Vec::with_capacity(length));
        for (name, value) in &self.0 {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                lines.extend_from_slice(part);
            }
        }
        lines
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials ")?;
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_once_whatever_its_case() {
        let mut credentials = Credentials::default();
        assert!(credentials.is_empty());
        credentials.set("Authorization", "one").unwrap();
        credentials.set("x-tenant", b"\xfftwo").unwrap();
        credentials.set("AUTHORIZATION", "three").unwrap();
        assert_eq!(**credentials.lines(), *b"authorization: three\r\nx-tenant: \xfftwo\r\n");
        assert!(credentials.remove("Authorization") && !credentials.remove("authorization"));
        assert_eq!(credentials.names().collect::<Vec<_>>(), ["x-tenant"]);
    }

    #[test]
    fn what_could_change_the_request_is_refused_and_the_secret_is_not_repeated() {
        let mut credentials = Credentials::default();
        credentials.set("authorization", "kept").unwrap();
        for name in ["", "a b", "a:b", "a\r\nb", "ü"] {
            let error = credentials.set(name, "SECRET").unwrap_err();
            assert!(matches!(error, CredentialError::Name { .. }), "{name:?}: {error}");
            assert!(!format!("{error} {error:?}").contains("SECRET"));
        }
        for name in
            ["Host", "content-length", "Transfer-Encoding", "Homing-Agent", "Proxy-Authorization", "TE"]
        {
            let error = credentials.set(name, "SECRET").unwrap_err();
            assert!(matches!(error, CredentialError::Reserved { .. }), "{name:?}: {error}");
        }
        for secret in ["SECRET\r\nX: y", "SECRET\n", "SECRET\0", "\u{7f}SECRET"] {
            let error = credentials.set("authorization", secret).unwrap_err();
            assert!(matches!(error, CredentialError::Value { .. }), "{secret:?}: {error}");
            assert!(!format!("{error} {error:?}").contains("SECRET"));
        }
        assert_eq!(**credentials.lines(), *b"authorization: kept\r\n");
    }

    #[test]
    fn they_are_bounded_in_number_and_size() {
        let mut credentials = Credentials::default();
        for number in 0..Credentials::MOST_FIELDS {
            credentials.set(&format!("x-{number}"), "y").unwrap();
        }
        assert_eq!(credentials.set("x-more", "y"), Err(CredentialError::TooMany));
        credentials.set("X-0", "replaced").unwrap();

        let mut credentials = Credentials::default();
        credentials.set("a", vec![b'x'; Credentials::MOST_BYTES - 1]).unwrap();
        credentials.set("a", vec![b'y'; Credentials::MOST_BYTES - 1]).unwrap();
        assert_eq!(credentials.set("b", ""), Err(CredentialError::TooLarge));
        assert_eq!(credentials.set("a", vec![b'x'; Credentials::MOST_BYTES]), Err(CredentialError::TooLarge));
    }
}
