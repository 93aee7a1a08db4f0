//! Where on a server the requests of an agent go.

use std::fmt;

use super::printable;

/// Bytes of a prefix.
const MOST: usize = 128;

/// Where on every management server the requests of an agent go.
///
/// By default homing's own are below `/homing/v1` (`/homing/v1/heartbeat` and so on, see `docs/wire.md`), and
/// [calls](crate::client::Call) below `/homing/v1/call`. A product whose servers have these paths in use, or whose proxies sort requests
/// by their paths, has others.
///
/// ```
/// use homing::types::Paths;
///
/// let paths = Paths::below("/vendor/agent")?.with_calls("/vendor/api")?;
/// assert!(Paths::below("/vendor/").is_err());
/// # Ok::<(), homing::types::PathsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    own: String,
    calls: String,
}

/// Why there are no such paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathsError {
    /// Not a prefix.
    #[error(
        "`{prefix}` is no prefix of paths: it begins with `/` and does not end with it, has at most {MOST} bytes, and between \
         slashes letters, digits and `-._~`, and more than dots"
    )]
    Prefix {
        /// What was given.
        prefix: String,
    },
    /// A call could be one of homing's own requests.
    #[error(
        "calls below `{calls}` could be homing's own requests, which are below `{own}`: choose another prefix, `{own}/call` for example"
    )]
    Overlap {
        /// The prefix of calls.
        calls: String,
        /// The prefix of homing's own requests.
        own: String,
    },
}

impl Default for Paths {
    fn default() -> Self {
        Self { own: "/homing/v1".to_owned(), calls: "/homing/v1/call".to_owned() }
    }
}

impl Paths {
    /// Homing's own requests are below this prefix, and calls below its `/call`.
    ///
    /// # Errors
    /// [`PathsError::Prefix`].
    pub fn below(prefix: &str) -> Result<Self, PathsError> {
        let own = checked(prefix)?;
        let calls = format!("{own}/call");
        Ok(Self { own, calls })
    }

    /// Calls are below this prefix.
    ///
    /// # Errors
    /// [`PathsError::Prefix`]; [`PathsError::Overlap`] where homing's own requests would be below it too.
    pub fn with_calls(self, prefix: &str) -> Result<Self, PathsError> {
        let calls = checked(prefix)?;
        let overlaps =
            self.own.strip_prefix(&calls).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if overlaps {
            return Err(PathsError::Overlap { calls, own: self.own });
        }
        Ok(Self { calls, ..self })
    }

    /// The prefix of homing's own requests, without a slash at its end.
    pub fn own(&self) -> &str {
        &self.own
    }

    /// The prefix of calls, without a slash at its end.
    pub fn calls(&self) -> &str {
        &self.calls
    }
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, calls {}", self.own, self.calls)
    }
}

/// What every server and proxy reads alike (RFC 3986, section 2.3).
fn checked(prefix: &str) -> Result<String, PathsError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(is_plain) && part.bytes().any(|byte| byte != b'.');
    let parts = prefix.strip_prefix('/').map(|rest| rest.split('/'));
    if prefix.len() <= MOST && parts.is_some_and(|mut parts| parts.all(is_part)) {
        Ok(prefix.to_owned())
    } else {
        Err(PathsError::Prefix { prefix: printable(prefix, MOST) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_means_the_same_to_every_server_and_proxy() {
        for good in ["/a", "/homing/v1", "/A-b_c.d~/2", &format!("/{}", "x".repeat(127))] {
            let paths = Paths::below(good).unwrap();
            assert_eq!((paths.own(), paths.calls()), (good, &*format!("{good}/call")));
        }
        let long = format!("/{}", "x".repeat(128));
        for bad in [
            "",
            "/",
            "a",
            "/a/",
            "//a",
            "/a//b",
            "/a/../b",
            "/.",
            "/a?b",
            "/a b",
            "/a%2e",
            "/ä",
            "/a\r\nX: y",
            &long,
        ] {
            assert!(matches!(Paths::below(bad), Err(PathsError::Prefix { .. })), "{bad:?}");
            assert!(Paths::default().with_calls(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_call_can_be_a_request_of_homings_own() {
        let paths = || Paths::below("/vendor/agent").unwrap();
        for bad in ["/vendor/agent", "/vendor"] {
            assert!(matches!(paths().with_calls(bad), Err(PathsError::Overlap { .. })), "{bad}");
        }
        for good in ["/vendor/agents", "/vendor/agent/api", "/api"] {
            assert_eq!(paths().with_calls(good).unwrap().calls(), good);
        }
    }
}
