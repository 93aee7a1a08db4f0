//! Where a server is: an IP address or a name, nothing around it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An IPv4 or IPv6 address, a host name or a fully qualified domain name.
///
/// Names are kept in lower case without the final dot, so that one host has one spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A literal address; it never waits for a resolver.
    Address(IpAddr),
    /// A name to look up: letters, digits, hyphens and underscores in labels of at most 63 bytes,
    /// at most 253 in all (RFC 1035, RFC 1123; underscores are common in private networks).
    Name(Arc<str>),
}

/// Why a text is not a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// Nothing was written.
    #[error("is empty; write an IP address or a host name")]
    Empty,
    /// A URL or part of one.
    #[error("looks like a URL; write only the address or the name, and say `protocol` and ports beside it")]
    Url,
    /// A port was written behind the host.
    #[error("has a port; write it as `https_port` or `http_port`")]
    Port,
    /// An IPv6 zone (`%eth0`).
    #[error("has an IPv6 zone; interface names differ from machine to machine, so a zone cannot be used")]
    Zone,
    /// Letters beyond ASCII.
    #[error("has letters beyond ASCII; write an internationalised name in its `xn--` form")]
    NotAscii,
    /// A label is empty or too long, or the whole is.
    #[error("is not a host name: every label has 1 to 63 characters, the whole at most 253")]
    Length,
    /// A character that no host name has.
    #[error("is not a host name: labels are letters, digits, `-` and `_`, and do not begin or end with `-`")]
    Character,
    /// Digits and dots only, but no IPv4 address.
    #[error("looks like an IPv4 address but is none; write four numbers from 0 to 255")]
    Address,
}

impl Host {
    /// The address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(_) => None,
        }
    }

    /// Whether it is written as this machine itself: an address of loopback, or `localhost`.
    pub fn is_this_machine(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => &**name == "localhost",
        }
    }

    /// With a port, as both are written in a URL and in a request: an IPv6 address stands in brackets.
    pub(crate) fn with_port(&self, port: u16) -> String {
        match self {
            Self::Address(address) => SocketAddr::new(*address, port).to_string(),
            Self::Name(name) => format!("{name}:{port}"),
        }
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = bracketed.unwrap_or(text).parse::<IpAddr>() {
            return Ok(Self::Address(address));
        }
        name(text).map(|name| Self::Name(name.into()))
    }
}

/// A host name in its one spelling.
fn name(text: &str) -> Result<String, HostError> {
    if text.is_empty() {
        return Err(HostError::Empty);
    }
    if !text.is_ascii() {
        return Err(HostError::NotAscii);
    }
    if text.contains(['/', '?', '#', '@']) {
        return Err(HostError::Url);
    }
    if text.contains('%') {
        return Err(HostError::Zone);
    }
    if text.contains(':') {
        return Err(if text.matches(':').count() == 1 { HostError::Port } else { HostError::Address });
    }
    let bare = text.strip_suffix('.').unwrap_or(text);
    if bare.len() > 253 || bare.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err(HostError::Length);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let hyphened = |label: &str| label.starts_with('-') || label.ends_with('-');
    if bare.split('.').any(|label| hyphened(label) || !label.bytes().all(allowed)) {
        return Err(HostError::Character);
    }
    // A last label of digits is an address to every resolver (RFC 3696, section 2), so `10.1.0` must not pass.
    if bare.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(HostError::Address);
    }
    Ok(bare.to_ascii_lowercase())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_one_spelling() {
        for (written, kept) in [
            ("10.1.0.5", "10.1.0.5"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("Mgmt-B.Example.", "mgmt-b.example"),
            ("sepm_1", "sepm_1"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(written.parse::<Host>().unwrap().to_string(), kept);
        }
    }

    #[test]
    fn what_is_no_host_says_why() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = vec!["a".repeat(60); 5].join(".");
        for (text, reason) in [
            ("", HostError::Empty),
            (".", HostError::Length),
            ("http://x/", HostError::Url),
            ("user@host", HostError::Url),
            ("::1%eth0", HostError::Zone),
            ("host:443", HostError::Port),
            ("2001:db8::zz", HostError::Address),
            ("a..b", HostError::Length),
            (&long_label, HostError::Length),
            (&long_name, HostError::Length),
            ("-a.example", HostError::Character),
            ("a b", HostError::Character),
            ("bücher.example", HostError::NotAscii),
            ("10.1.0", HostError::Address),
            ("10.1.0.256", HostError::Address),
        ] {
            assert_eq!(text.parse::<Host>(), Err(reason), "{text:?}");
        }
    }
}
