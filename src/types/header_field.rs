//! Which header fields a product may send.

/// Fields that speak of one connection only, or delimit a message (RFC 9110, sections 7.6.1 and 10.1.1), and the agent's own name.
const OF_THE_CONNECTION: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// Whole families of those, and homing's.
const PREFIXES: [&str; 2] = ["homing-", "proxy-"];

/// Whether this is the name of a field (RFC 9110, section 5.6.2).
pub(crate) fn is_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

/// Whether the field of this name, in lower case, belongs to the connection or to homing.
pub(crate) fn is_reserved(name: &str) -> bool {
    OF_THE_CONNECTION.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
