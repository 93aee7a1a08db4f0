//! What a product says itself to the management server, and the answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{FailureClass, Repeat, ServerId, Span, header_field, printable};

/// How long a call may take unless it says otherwise.
const WITHIN: Duration = Duration::from_secs(30);

const MOST_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// Bytes of a path with its query.
const MOST_PATH: usize = 2048;

/// A request of the product's own to the management server in use: see [`Client::call`](crate::client::Client::call).
///
/// ```
/// use homing::client::Call;
///
/// let call = Call::post("inventory/v2").header("Content-Type", "application/json").body("{}");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    fields: Vec<(String, String)>,
    pub(crate) body: Arc<[u8]>,
    pub(crate) within: Duration,
    pub(crate) repeat: Repeat,
}

/// What a server answered to a call. What its status means knows the product alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallAnswer {
    /// Which server.
    pub server: ServerId,
    /// The HTTP status.
    pub status: u16,
    /// From the request to the end of the answer.
    pub elapsed: Span,
    /// The body.
    pub body: Arc<[u8]>,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The path is not one: see [`Call`].
    #[error(
        "`{path}` is no path of a call: relative, at most {MOST_PATH} visible ASCII characters, without `..`, `//`, `%2e`, `%2f`, `\\` or `#`"
    )]
    Path {
        /// What was given.
        path: String,
    },
    /// A header field cannot be sent, or is homing's own.
    #[error("the header field `{name}` cannot be sent with a call")]
    Header {
        /// Its name.
        name: String,
    },
    /// All header fields together are larger than can be sent.
    #[error("the header fields of the call have more than {most} bytes")]
    Headers {
        /// What they may have.
        most: usize,
    },
    /// The body is larger than can be sent.
    #[error("the body of the call has {size} bytes; at most {most} can be sent")]
    Body {
        /// What it has.
        size: usize,
        /// What it may have.
        most: usize,
    },
    /// A callback must not wait for a server: begin the call, and hear of its end by an event.
    #[error("a callback must not wait for a server: begin the call, and hear of its end by its event")]
    InCallback,
    /// The client has ended, or ends.
    #[error("the client has ended")]
    Ended,
    /// Other calls have to end first.
    #[error("{most} calls are waiting or under way already")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
    /// No answer came.
    #[error("{detail}")]
    Failed {
        /// Which server it was made to; `None` when it was made to none.
        server: Option<ServerId>,
        /// What failed; `None` when it was made to no server.
        class: Option<FailureClass>,
        /// Why.
        detail: String,
    },
}

impl Call {
    /// Bytes of a body.
    pub(crate) const MOST_BODY: usize = 16 * 1024 * 1024;

    /// Bytes of all header fields.
    pub(crate) const MOST_FIELDS: usize = 8 * 1024;

    /// Asks for something.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// Hands something over.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new("POST", path)
    }

    /// Puts something in its place.
    pub fn put(path: impl Into<String>) -> Self {
        Self::new("PUT", path)
    }

    /// Takes something away.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new("DELETE", path)
    }

    fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            fields: Vec::new(),
            body: Arc::from([]),
            within: WITHIN,
            repeat: Repeat::Never,
        }
    }

    /// One more header field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// What is handed over; at most 16 MiB.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into().into();
        self
    }

    /// How long it may take, the wait for a server included: at most a day. Default 30 s.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within.min(MOST_WITHIN);
        self
    }

    /// It does the same when it is done twice: after a failure it is made once more, by another server.
    #[must_use]
    pub fn once_elsewhere(mut self) -> Self {
        self.repeat = Repeat::OnceElsewhere;
        self
    }

    /// The lines of its header fields.
    pub(crate) fn lines(&self) -> String {
        self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
    }

    /// Whether it can be sent.
    pub(crate) fn check(&self) -> Result<(), CallError> {
        check_path(&self.path)?;
        if self.body.len() > Self::MOST_BODY {
            return Err(CallError::Body { size: self.body.len(), most: Self::MOST_BODY });
        }
        let bytes = self.fields.iter().map(|(name, value)| name.len() + value.len() + 4);
        if bytes.sum::<usize>() > Self::MOST_FIELDS {
            return Err(CallError::Headers { most: Self::MOST_FIELDS });
        }
        match self.fields.iter().find(|(name, value)| !is_sendable(name, value)) {
            Some((name, _)) => Err(CallError::Header { name: printable(name, 100) }),
            None => Ok(()),
        }
    }
}

/// A relative path with an optional query, which means the same to every server and proxy on the way.
fn check_path(path: &str) -> Result<(), CallError> {
    let (way, _) = path.split_once('?').unwrap_or((path, ""));
    let is_visible = path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
    let lower = way.to_ascii_lowercase();
    let is_plain = !lower.contains("%2e") && !lower.contains("%2f") && !lower.contains("%5c");
    let parts_are = way.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if path.len() <= MOST_PATH && is_visible && is_plain && parts_are {
        Ok(())
    } else {
        Err(CallError::Path { path: printable(path, 100) })
    }
}

fn is_sendable(name: &str, value: &str) -> bool {
    let is_line = value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    header_field::is_name(name) && !header_field::is_reserved(&name.to_ascii_lowercase()) && is_line
}

/// Shows no body and no values of fields: both may be secret.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call {{ {} {}, {} bytes }}", self.method, self.path, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_the_same_to_everybody_or_is_refused() {
        for good in ["a", "inventory/v2", "a/b-c_d~e.f/g", "a?b=c&d=%20/..", "a/b?"] {
            assert_eq!(Call::get(good).check(), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            ".",
            "a/./b",
            "a/%2e%2e/b",
            "a%2Fb",
            "a%5cb",
            "a\\b",
            "a b",
            "a\r\nHost: b",
            "a#b",
            "ä",
            "a\0",
        ] {
            let error = Call::get(bad).check().unwrap_err();
            assert!(matches!(error, CallError::Path { .. }), "{bad}");
            assert!(!error.to_string().contains(char::is_control), "{bad}");
        }
        assert_eq!(Call::get("x".repeat(MOST_PATH)).check(), Ok(()));
        assert!(matches!(Call::get("x".repeat(MOST_PATH + 1)).check(), Err(CallError::Path { .. })));
    }

    #[test]
    fn a_field_cannot_change_what_is_sent() {
        let with = |name: &str, value: &str| Call::post("a").header(name, value).check();
        assert_eq!(with("X-Product", "1\t2"), Ok(()));
        for (name, value) in [
            ("", ""),
            ("a b", ""),
            ("a:", ""),
            ("Host", "b"),
            ("content-length", "1"),
            ("Homing-Agent", "b"),
            ("Transfer-Encoding", "chunked"),
            ("a", "b\r\nc: d"),
            ("a", "b\n"),
            ("a", "\u{e4}"),
            ("a\r", ""),
        ] {
            assert!(matches!(with(name, value), Err(CallError::Header { .. })), "{name}");
        }
        assert!(matches!(with("a", &"x".repeat(9000)), Err(CallError::Headers { .. })));
        let secret = Call::post("a").header("X-Secret", "hidden").body("hidden");
        assert!(!format!("{secret:?}").contains("hidden"));
    }
}
