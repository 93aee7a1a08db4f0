//! The ways to the servers.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::sync::Arc;

use crate::net::{Proxy, ProxyCredentialsError};
use crate::types::{HostError, Route};

/// One way to the servers; see [`Builder::routes`](super::Builder::routes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteChoice {
    /// A connection of our own.
    Direct,
    /// Through this proxy.
    Proxy(Proxy),
}

impl From<Proxy> for RouteChoice {
    fn from(proxy: Proxy) -> Self {
        Self::Proxy(proxy)
    }
}

/// Why a text is no way to the servers. Shows neither the user nor the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// Another scheme than `http`.
    #[error("only HTTP proxies are known: a way is `direct` or `http://HOST:PORT`")]
    Scheme,
    /// No colon and no port.
    #[error("the proxy has no port; write HOST:PORT")]
    NoPort,
    /// The host of the proxy is none.
    #[error("the host of the proxy {0}")]
    Host(HostError),
    /// An IPv6 address whose end nobody can see.
    #[error("an IPv6 address of a proxy is written in brackets, like [2001:db8::1]:3128")]
    Brackets,
    /// The port of the proxy is none.
    #[error("the port of the proxy is no number from 1 to 65535, or something follows it")]
    Port,
    /// Something before the `@`, but no colon in it.
    #[error("credentials for a proxy are written USER:PASSWORD")]
    NoPassword,
    /// A `%` that means nothing, or bytes that are no text.
    #[error(
        "the user or the password for the proxy is not percent-encoded UTF-8; write `%` as %25 and `:` as %3A"
    )]
    Encoding,
    /// They cannot be sent.
    #[error(transparent)]
    Credentials(#[from] ProxyCredentialsError),
    /// None, or too many at once; see [`Client::set_routes`](super::Client::set_routes).
    #[error("there must be 1 to {MOST_ROUTES} routes")]
    Count,
}

/// `direct`, or a proxy as `http://HOST:PORT` or `http://USER:PASSWORD@HOST:PORT`.
///
/// `http://` may be left out, and a slash may follow the port. In the user and the password, what stands for
/// something else is percent-encoded, as in every URL: `%40` is an `@`.
///
/// ```
/// use homing::client::RouteChoice;
///
/// let choices: [RouteChoice; 2] = ["http://agent:p%40ss@proxy.example:3128".parse()?, "direct".parse()?];
/// # Ok::<(), homing::client::RouteError>(())
/// ```
impl FromStr for RouteChoice {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        if text == "direct" {
            return Ok(Self::Direct);
        }
        let text = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(RouteError::Scheme),
            None => text,
        };
        // A careless password may have an `@`, a host has none.
        let (user, place) = text.rsplit_once('@').map_or((None, text), |(user, place)| (Some(user), place));
        let (host, port) = place.rsplit_once(':').ok_or(RouteError::NoPort)?;
        if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            return Err(RouteError::Brackets);
        }
        let host = host.parse().map_err(RouteError::Host)?;
        let port = port.strip_suffix('/').unwrap_or(port);
        // The standard library would also take `+80`.
        let port = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        let port = port.and_then(|port| port.parse::<NonZeroU16>().ok()).ok_or(RouteError::Port)?;
        let proxy = Proxy::new(host, port.get());
        let Some(user) = user else { return Ok(Self::Proxy(proxy)) };
        let (user, password) = user.split_once(':').ok_or(RouteError::NoPassword)?;
        Ok(Self::Proxy(proxy.basic(&decoded(user)?, &decoded(password)?)?))
    }
}

/// Undoes percent-encoding (RFC 3986, section 2.1).
fn decoded(text: &str) -> Result<String, RouteError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let value = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
            value.ok_or(RouteError::Encoding)?
        } else {
            byte
        });
    }
    String::from_utf8(decoded).map_err(|_| RouteError::Encoding)
}

/// Ways there can be. All are tried within one attempt, which has 20 s: more have no chance.
pub(super) const MOST_ROUTES: usize = 8;

/// The proxies of the program by the numbers that the engine knows them by. A proxy that stays keeps its number, and a number
/// names nothing else as long as an attempt may go by it.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    /// Those of the present routes.
    present: BTreeMap<u8, Arc<Proxy>>,
    /// Those of the routes before them: attempts that began by them may go on.
    before: BTreeMap<u8, Arc<Proxy>>,
    next: u8,
}

impl Proxies {
    /// Those of the first ways, and what the engine knows of these.
    pub(super) fn of(choices: Vec<RouteChoice>) -> Result<(Self, Arc<[Route]>), RouteError> {
        let mut proxies = Self::default();
        let routes = proxies.set(counted(choices)?);
        Ok((proxies, routes))
    }

    pub(super) fn get(&self, number: u8) -> Option<&Arc<Proxy>> {
        self.present.get(&number).or_else(|| self.before.get(&number))
    }

    /// What failures call them.
    pub(super) fn names(&self) -> Arc<[(u8, Arc<str>)]> {
        self.present.iter().map(|(number, proxy)| (*number, proxy.to_string().into())).collect()
    }

    /// These are the ways from now on: what the engine knows of them.
    pub(super) fn set(&mut self, choices: Vec<RouteChoice>) -> Arc<[Route]> {
        let mut present = BTreeMap::new();
        let mut routes = Vec::with_capacity(choices.len());
        for choice in choices {
            let RouteChoice::Proxy(proxy) = choice else {
                routes.push(Route::Direct);
                continue;
            };
            let known = find(&present, &proxy).or_else(|| find(&self.present, &proxy));
            let (number, proxy) = known.unwrap_or_else(|| (self.free(&present), Arc::new(proxy)));
            present.insert(number, proxy);
            routes.push(Route::Proxy(number));
        }
        self.before = std::mem::replace(&mut self.present, present);
        routes.into()
    }

    /// A number that names nothing.
    fn free(&mut self, coming: &BTreeMap<u8, Arc<Proxy>>) -> u8 {
        loop {
            let number = self.next;
            self.next = self.next.wrapping_add(1);
            // Three times eight numbers are in use at most.
            if self.get(number).is_none() && !coming.contains_key(&number) {
                return number;
            }
        }
    }
}

fn find(proxies: &BTreeMap<u8, Arc<Proxy>>, proxy: &Proxy) -> Option<(u8, Arc<Proxy>)> {
    let (number, known) = proxies.iter().find(|(_, known)| ***known == *proxy)?;
    Some((*number, Arc::clone(known)))
}

/// The ways to the servers: as many as can be tried.
pub(super) fn counted(
    choices: impl IntoIterator<Item = RouteChoice>,
) -> Result<Vec<RouteChoice>, RouteError> {
    let choices: Vec<_> = choices.into_iter().take(MOST_ROUTES + 1).collect();
    if choices.is_empty() || choices.len() > MOST_ROUTES { Err(RouteError::Count) } else { Ok(choices) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_read_as_people_write_it() {
        let proxy = |host: &str, port| Proxy::new(host.parse().unwrap(), port);
        let with = |user: &str, password: &str| proxy("proxy.example", 3128).basic(user, password).unwrap();
        for (text, expected) in [
            ("proxy.example:3128", proxy("proxy.example", 3128)),
            ("http://Proxy.Example:3128", proxy("proxy.example", 3128)),
            ("HTTP://proxy.example:3128/", proxy("proxy.example", 3128)),
            ("http://10.1.0.5:80", proxy("10.1.0.5", 80)),
            ("[2001:db8::1]:3128", proxy("2001:db8::1", 3128)),
            ("http://u:p@proxy.example:3128", with("u", "p")),
            ("u:@proxy.example:3128", with("u", "")),
            ("http://d%6fmain%5Cu:p%40%3a%25@proxy.example:3128", with("domain\\u", "p@:%")),
            ("u:a:b@c/d@proxy.example:3128", with("u", "a:b@c/d")),
            ("b%C3%BCcher:ü@proxy.example:3128", with("bücher", "ü")),
        ] {
            assert_eq!(text.parse(), Ok(RouteChoice::Proxy(expected)), "{text}");
        }
        assert_eq!("direct".parse(), Ok(RouteChoice::Direct));
    }

    #[test]
    fn what_is_no_way_says_why_and_repeats_no_password() {
        for (text, expected) in [
            ("", RouteError::NoPort),
            ("Direct", RouteError::NoPort),
            ("proxy.example", RouteError::NoPort),
            ("https://u:SECRET@proxy.example:3128", RouteError::Scheme),
            ("socks5://proxy.example:1080", RouteError::Scheme),
            ("http://u:SECRET@pro xy:3128", RouteError::Host(HostError::Character)),
            ("http://u:SECRET@:3128", RouteError::Host(HostError::Empty)),
            ("2001:db8::1:3128", RouteError::Brackets),
            ("http://u:SECRET@proxy.example:0", RouteError::Port),
            ("proxy.example:65536", RouteError::Port),
            ("proxy.example:+80", RouteError::Port),
            ("proxy.example:", RouteError::Port),
            ("proxy.example:80/path", RouteError::Port),
            ("SECRET@proxy.example:80", RouteError::NoPassword),
            ("u:SECRET%@proxy.example:80", RouteError::Encoding),
            ("u:SECRET%+1@proxy.example:80", RouteError::Encoding),
            ("u:SECRET%ff@proxy.example:80", RouteError::Encoding),
            ("a%3Ab:SECRET@proxy.example:80", RouteError::Credentials(ProxyCredentialsError::Colon)),
            (
                "u:SECRET%0d%0a@proxy.example:80",
                RouteError::Credentials(ProxyCredentialsError::ControlCharacter),
            ),
        ] {
            let error = text.parse::<RouteChoice>().unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!format!("{error} {error:?}").contains("SECRET"));
        }
    }

    #[test]
    fn the_order_stays_and_a_proxy_keeps_its_number() {
        let proxy = |port| RouteChoice::from(Proxy::new("proxy.example".parse().unwrap(), port));
        let mut proxies = Proxies::default();
        let routes = proxies.set(vec![proxy(1), RouteChoice::Direct, proxy(2), proxy(1)]);
        assert_eq!(&*routes, [Route::Proxy(0), Route::Direct, Route::Proxy(1), Route::Proxy(0)]);
        assert_eq!(
            proxies.names().iter().map(|(_, name)| &**name).collect::<Vec<_>>(),
            ["proxy.example:1", "proxy.example:2"]
        );
        assert_eq!(&*proxies.set(vec![proxy(3), proxy(2)]), [Route::Proxy(2), Route::Proxy(1)]);
        // An attempt that began before goes on by what it knows.
        assert_eq!(proxies.get(0).map(|proxy| proxy.port()), Some(1));
        // However often they change, no number that is in use is given again.
        for port in 4..2_000 {
            let before: Vec<_> = proxies.present.keys().chain(proxies.before.keys()).copied().collect();
            let routes = proxies.set((0..8).map(|more| proxy(port * 8 + more)).collect());
            assert!(routes.iter().all(|route| !before.iter().any(|number| *route == Route::Proxy(*number))));
            assert!(proxies.present.len() + proxies.before.len() <= 2 * MOST_ROUTES);
        }
        for wrong in [0, MOST_ROUTES + 1, usize::MAX] {
            assert_eq!(counted(std::iter::repeat_n(RouteChoice::Direct, wrong)), Err(RouteError::Count));
        }
    }
}
