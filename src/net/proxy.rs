//! Through an HTTP proxy: CONNECT (RFC 9110, section 9.3.6).
//!
//! The proxy is asked for a connection to the server by name, so it is the proxy that looks the name
//! up. Its answer is held against the same limits as a server's. A 2xx means that from the byte after
//! its head on everything is the server's; whatever that head says about a body does not hold.
//!
//! Nothing but the way is asked of a proxy. It never sees a credential for a server, and its own go
//! to nobody else.

use std::fmt;

use base64::Engine as _;
use zeroize::Zeroizing;

use super::Limits;
use super::head::{Head, Search};
use crate::settings::Server;
use crate::types::{Cause, Failure, Host};

/// An HTTP proxy that servers are reached through.
///
/// `Debug` shows whether there are credentials, and nothing of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: Host,
    port: u16,
    /// The value of `Proxy-Authorization`.
    authorization: Option<Zeroizing<String>>,
}

/// Why a proxy cannot be given these credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyCredentialsError {
    /// Everything before the first colon is the user name, so a user name has none (RFC 7617).
    #[error("the user name for the proxy has a colon, and Basic knows no way to write that")]
    Colon,
    /// Line ends and other control characters.
    #[error("the user name or the password for the proxy has a control character, such as a line end")]
    ControlCharacter,
    /// Too long.
    #[error("the user name or the password for the proxy has more than {} bytes", Proxy::LONGEST_CREDENTIAL)]
    TooLong,
}

impl Proxy {
    /// Bytes a user name or a password may have: no proxy takes longer ones.
    pub const LONGEST_CREDENTIAL: usize = 1024;

    /// A proxy without credentials. It is spoken to in plain HTTP; inside, `https` servers are spoken
    /// to over TLS, and the proxy sees no more of that than their names and ports.
    ///
    /// The host may be a name, which is looked up on this machine. Brackets are not written around
    /// an IPv6 address: `"2001:db8::1".parse()`.
    pub const fn new(host: Host, port: u16) -> Self {
        Self { host, port, authorization: None }
    }

    /// The same proxy with a user name and a password, sent with each CONNECT (`Basic`, RFC 7617, in
    /// UTF-8). They travel to the proxy readable for everybody on the way.
    ///
    /// # Errors
    /// They cannot be written down.
    pub fn basic(self, user: &str, password: &str) -> Result<Self, ProxyCredentialsError> {
        if user.contains(':') {
            return Err(ProxyCredentialsError::Colon);
        }
        for text in [user, password] {
            if text.contains(char::is_control) {
                return Err(ProxyCredentialsError::ControlCharacter);
            }
            if text.len() > Self::LONGEST_CREDENTIAL {
                return Err(ProxyCredentialsError::TooLong);
            }
        }
        let both = Zeroizing::new(format!("{user}:{password}"));
        let both = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(both.as_bytes()));
        // `format!` knows the length of neither and would grow it.
        let authorization = Zeroizing::new(["Basic ", both.as_str()].concat());
        Ok(Self { authorization: Some(authorization), ..self })
    }

    /// Where it is.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// `proxy.example:3128`: without credentials, and an IPv6 address in brackets.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host.with_port(self.port))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("has_credentials", &self.authorization.is_some())
            .finish()
    }
}

/// A failure on the way to a proxy, as a failure of the proxy. What is this machine's own fault stays that.
pub(super) fn not_reached(failure: Failure) -> Failure {
    if matches!(failure.cause, Cause::OutOfResources | Cause::SocketRefused) {
        return failure;
    }
    Failure::noted(Cause::ProxyUnreachable, failure)
}

/// A CONNECT on its way out and its answer on its way in, without a socket.
pub(super) struct Tunnel {
    /// With credentials in it.
    request: Zeroizing<Vec<u8>>,
    sent: usize,
    search: Search,
}

impl Tunnel {
    /// A way to this server is about to be asked for.
    pub(super) fn new(proxy: &Proxy, server: &Server) -> Self {
        let to = &server.authority;
        let head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
        let authorization = match &proxy.authorization {
            Some(authorization) => ["Proxy-Authorization: ", authorization, "\r\n"],
            None => [""; 3],
        };
        let [name, value, end] = authorization;
        // In one piece: what grows leaves copies behind.
        let request = [&*head, name, value, end, "\r\n"].concat().into_bytes();
        Self { request: Zeroizing::new(request), sent: 0, search: Search::default() }
    }

    /// What is still to be sent.
    pub(super) fn unsent(&self) -> &[u8] {
        self.request.get(self.sent..).unwrap_or_default()
    }

    /// This many bytes of [`unsent`](Self::unsent) were sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes).min(self.request.len());
    }

    /// Takes the proxy's answer from `input`. Once this returns `true` the way is open, and what is left
    /// in `input` came from the server.
    pub(super) fn receive(&mut self, input: &mut Vec<u8>, limits: &Limits) -> Result<bool, Failure> {
        match self.search.look(input, limits).map_err(no_answer)? {
            None => Ok(false),
            Some(Head { status: 200..=299, .. }) => Ok(true),
            Some(Head { status: 407, .. }) => Err(Cause::ProxyNotAllowed.into()),
            Some(Head { status, .. }) => Err(Cause::ProxyRefused { status }.into()),
        }
    }
}

/// What came is no answer to CONNECT.
pub(super) fn no_answer(reason: impl fmt::Display) -> Failure {
    Failure::noted(Cause::ProxyRefused { status: 0 }, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Protocol;
    use crate::types::ServerId;

    fn server(host: &str, port: u16) -> Server {
        Server {
            literal: None,
            authority: host.parse::<Host>().unwrap().with_port(port).into(),
            id: ServerId::new("a"),
            host: host.parse().unwrap(),
            protocol: Protocol::Https,
            port,
            weight: 1,
            inside: true,
            policy: 0,
            number: 0,
        }
    }

    fn proxy() -> Proxy {
        Proxy::new("proxy.example".parse().unwrap(), 3128)
    }

    fn tunnel() -> Tunnel {
        Tunnel::new(&proxy(), &server("a.example", 443))
    }

    fn receive(text: &[u8]) -> Result<bool, Failure> {
        tunnel().receive(&mut text.to_vec(), &Limits::default())
    }

    fn cause(text: impl AsRef<[u8]>) -> Cause {
        receive(text.as_ref()).unwrap_err().cause
    }

    #[test]
    fn the_proxy_gets_name_and_port_and_its_credentials() {
        let basic = proxy().basic("Aladdin", "open sesame").unwrap();
        for (proxy, host, port, expected) in [
            (proxy(), "a.example", 443, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"),
            (proxy(), "192.0.2.1", 8014, "CONNECT 192.0.2.1:8014 HTTP/1.1\r\nHost: 192.0.2.1:8014\r\n\r\n"),
            (
                basic,
                "2001:db8::1",
                443,
                // The example of RFC 7617.
                "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\
                 Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n",
            ),
        ] {
            let mut tunnel = Tunnel::new(&proxy, &server(host, port));
            assert_eq!(String::from_utf8_lossy(tunnel.unsent()), expected);
            tunnel.sent(8);
            assert_eq!(tunnel.unsent().len(), expected.len() - 8);
        }
    }

    #[test]
    fn credentials_are_checked_and_never_shown() {
        let long = "x".repeat(1025);
        for (user, password, error) in [
            ("a:b", "c", ProxyCredentialsError::Colon),
            ("a", "c\r\nX: y", ProxyCredentialsError::ControlCharacter),
            ("a\n", "c", ProxyCredentialsError::ControlCharacter),
            ("a", &long, ProxyCredentialsError::TooLong),
        ] {
            assert_eq!(proxy().basic(user, password), Err(error));
        }
        let shown = format!("{:?}", proxy().basic("Aladdin", "open:sesame").unwrap());
        let expected = r#"Proxy { host: Name("proxy.example"), port: 3128, has_credentials: true }"#;
        assert_eq!(shown, expected);
    }

    #[test]
    fn every_2xx_opens_the_way_and_what_follows_is_the_servers() {
        for head in [
            "HTTP/1.0 200 Connection established\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 204 \r\nConnection: close\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
        ] {
            let text = [head.as_bytes(), b"\x16\x03\x03"].concat();
            for cut in 0..=text.len() {
                let (before, after) = text.split_at(cut);
                let (mut tunnel, mut input) = (tunnel(), before.to_vec());
                let open = tunnel.receive(&mut input, &Limits::default()).unwrap();
                assert_eq!(open, cut >= head.len(), "{head:?} at {cut}");
                input.extend_from_slice(after);
                assert!(open || tunnel.receive(&mut input, &Limits::default()).unwrap());
                assert_eq!(input, b"\x16\x03\x03", "{head:?} at {cut}");
            }
        }
    }

    #[test]
    fn everything_else_keeps_the_way_closed() {
        let no_answer = Cause::ProxyRefused { status: 0 };
        let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(20_000));
        let fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101));
        let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(9);
        for (text, expected) in [
            ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Cause::ProxyNotAllowed),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", Cause::ProxyRefused { status: 403 }),
            ("HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n", Cause::ProxyRefused { status: 302 }),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", Cause::ProxyRefused { status: 503 }),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", Cause::ProxyRefused { status: 101 }),
            ("HTTP/2 200\r\n\r\n", no_answer),
            ("HTTP/1.1 2000 OK\r\n\r\n", no_answer),
            ("SSH-2.0-OpenSSH_9.6\r\n", no_answer),
            ("\x05\x00", no_answer),
            (&long, no_answer),
            (&long[..20_000], no_answer),
            (&fields, no_answer),
            (&flood, no_answer),
        ] {
            assert_eq!(cause(text), expected, "{text:.60}");
        }
    }

    #[test]
    fn what_is_this_machines_own_fault_is_not_the_proxys() {
        for (cause, expected) in [
            (Cause::ConnectionRefused, Cause::ProxyUnreachable),
            (Cause::NameNotFound, Cause::ProxyUnreachable),
            (Cause::NoRoute, Cause::ProxyUnreachable),
            (Cause::OutOfResources, Cause::OutOfResources),
            (Cause::SocketRefused, Cause::SocketRefused),
        ] {
            assert_eq!(not_reached(cause.into()).cause, expected);
        }
        assert_eq!(
            not_reached(Cause::NameNotFound.into()).to_string(),
            "the proxy cannot be reached (the name does not exist)"
        );
    }
}
