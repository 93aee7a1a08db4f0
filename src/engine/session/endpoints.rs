//! The walk of one attempt over the endpoints of its server: by which routes, and on each at which addresses.
//!
//! ```text
//!  route 1: address, address of the other family, …  ──►  route 2: …  ──►  the end
//! ```
//! One dial races the addresses of a route up to TCP, so a dial that fails has tried them all: the next route follows. An
//! address that was reached and failed above TCP (no TLS, a wrong certificate, a page, silence) is taken out, and the
//! others of its route are dialled before the next route is. The server has failed when every endpoint has, and by the
//! mildest of these failures: what one address or one proxy does must not be charged to a server that is well.

use std::net::IpAddr;
use std::sync::Arc;

use crate::engine::MAX_ADDRESSES;
use crate::engine::rng::Rng;
use crate::types::{Cause, Evidence, Failure, FailureClass, Printable, Route};

/// Endpoints of one attempt that may be reached and fail; more when there are more routes, each of which has its turn.
const MOST: usize = 4;

/// The ways to every server.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine) struct Routes {
    /// In the program's order.
    pub(in crate::engine) routes: Arc<[Route]>,
    /// What failures call the proxies, by their numbers.
    pub(in crate::engine) proxies: Arc<[(u8, Arc<str>)]>,
}

impl Routes {
    /// No route is the direct one.
    pub(in crate::engine) fn new(routes: Arc<[Route]>, proxies: Arc<[(u8, Arc<str>)]>) -> Self {
        Self { routes: if routes.is_empty() { [Route::Direct].into() } else { routes }, proxies }
    }

    fn name(&self, proxy: u8) -> Option<&str> {
        self.proxies.iter().find(|(number, _)| *number == proxy).map(|(_, name)| &**name)
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Endpoints {
    all: Arc<Routes>,
    /// Which of them is tried first: the one that last worked on this network.
    first: u8,
    /// How many have failed.
    routes_failed: u8,
    /// How many endpoints were reached.
    reached: u8,
    /// Where the present link stands; `None` behind a proxy.
    at: Option<IpAddr>,
    /// Addresses of the present route that were not reached.
    left: Vec<IpAddr>,
    account: Option<Box<Account>>,
}

/// How the endpoints so far have failed.
#[derive(Clone, Debug)]
struct Account {
    mildest: Failure,
    /// Which endpoint failed so.
    way: String,
    /// The others, each with its cause.
    others: String,
    /// What all that were reached have shown; `None` before one was.
    shown: Option<Option<Evidence>>,
}

/// Where an attempt goes on after an endpoint has failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Onward {
    /// The addresses of the present route that are left, best first.
    Addresses(Vec<IpAddr>),
    /// The route whose turn it is now.
    Route,
    /// Nowhere: every endpoint has failed.
    End,
}

impl Endpoints {
    pub(in crate::engine) fn new(all: Arc<Routes>, first: u8) -> Self {
        Self { all, first, routes_failed: 0, reached: 0, at: None, left: Vec::new(), account: None }
    }

    // --- getters ---

    /// The route whose turn it is.
    pub(super) fn route(&self) -> Route {
        let count = self.all.routes.len().max(1);
        let index = (usize::from(self.first) + usize::from(self.routes_failed)) % count;
        self.all.routes.get(index).copied().unwrap_or_default()
    }

    pub(super) fn is_direct(&self) -> bool {
        self.route() == Route::Direct
    }

    pub(super) fn has_other_route(&self) -> bool {
        self.routes_left() > 0
    }

    /// Whether there is another endpoint to try, once the present one is reached.
    pub(super) fn has_other(&self) -> bool {
        self.has_other_route() || (self.has_room() && !self.left.is_empty())
    }

    /// Whether another endpoint was reached before the present one, and failed.
    pub(super) fn is_detour(&self) -> bool {
        self.reached > 1
    }

    /// Where the server's name leads beside the address that was reached, as far as no endpoint there has failed; `None` when
    /// a proxy looked it up. They are given away.
    pub(super) fn other_addresses(&mut self) -> Option<Vec<IpAddr>> {
        self.at.map(|_| std::mem::take(&mut self.left))
    }

    // --- what happened ---

    /// These addresses of the present route are dialled.
    pub(super) fn dialled(&mut self, addresses: Vec<IpAddr>) {
        (self.at, self.left) = (None, addresses);
    }

    /// A connection stands: to this address, or to a proxy.
    pub(super) fn reached(&mut self, address: Option<IpAddr>) {
        self.reached = self.reached.saturating_add(1);
        self.at = address;
        match address {
            Some(reached) => {
                self.left.retain(|&address| address != reached);
                // What keeps one family from working often leaves the other alone.
                self.left.sort_by_key(|address| address.is_ipv6() == reached.is_ipv6());
            }
            None => self.left.clear(),
        }
    }

    /// The present route could not be reached.
    pub(super) fn unreached(&mut self, failure: Failure) -> Onward {
        self.note(failure, false);
        self.next_route()
    }

    /// The present endpoint was reached and failed.
    pub(super) fn failed(&mut self, failure: Failure, rng: &mut Rng) -> Onward {
        self.note(failure, true);
        if self.left.is_empty() || !self.has_room() {
            return self.next_route();
        }
        let mut left = std::mem::take(&mut self.left);
        if left.len() > MOST - usize::from(self.reached).min(MOST) {
            // This attempt cannot reach them all: each has its turn in one of the next.
            let turn = rng.below(left.len() as u64);
            left.rotate_left(usize::try_from(turn).unwrap_or_default());
        }
        Onward::Addresses(left)
    }

    /// The time of the whole attempt is over.
    pub(super) fn cut_short(&mut self, failure: Failure) {
        self.note(failure, self.at.is_some());
    }

    /// How the attempt has failed, every endpoint considered. The words name each, in short: a note is a line.
    pub(super) fn verdict(&mut self) -> Option<Failure> {
        let Account { mildest, way, others, shown } = *self.account.take()?;
        let by_proxy_alone = !self.is_direct() && mildest.class() != FailureClass::Proxy;
        if others.is_empty() && !by_proxy_alone {
            return Some(mildest);
        }
        let detail = mildest.note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
        let evidence = mildest.evidence.filter(|_| shown == Some(mildest.evidence));
        Some(Failure { evidence, ..Failure::noted(mildest.cause, format!("{way}{others}{detail}")) })
    }

    // --- helpers ---

    /// One endpoint is kept for each route that is left.
    fn has_room(&self) -> bool {
        usize::from(self.reached) + self.routes_left() < MOST
    }

    fn routes_left(&self) -> usize {
        self.all.routes.len().saturating_sub(usize::from(self.routes_failed) + 1)
    }

    fn next_route(&mut self) -> Onward {
        if !self.has_other_route() {
            return Onward::End;
        }
        self.routes_failed += 1;
        self.at = None;
        self.left.clear();
        Onward::Route
    }

    fn note(&mut self, mut failure: Failure, reached: bool) {
        let mut way = match (self.route(), self.at) {
            (Route::Proxy(index), _) => match self.all.name(index) {
                Some(name) => format!("by proxy {}", Printable(name)),
                None => format!("by proxy {}", u16::from(index) + 1),
            },
            (Route::Direct, Some(address)) => format!("at {address}"),
            (Route::Direct, None) => "directly".to_owned(),
        };
        let shown = reached.then_some(failure.evidence);
        let Some(account) = &mut self.account else {
            let others = String::new();
            self.account = Some(Box::new(Account { mildest: failure, way, others, shown }));
            return;
        };
        account.shown = match (account.shown, shown) {
            (Some(before), Some(now)) => Some(before.filter(|_| before == now)),
            (before, now) => before.or(now),
        };
        if rank(&failure, account.shown) < rank(&account.mildest, account.shown) {
            std::mem::swap(&mut account.mildest, &mut failure);
            std::mem::swap(&mut account.way, &mut way);
        }
        account.others = format!("{}; {way}: {}", account.others, failure.cause);
    }
}

/// Whether a failure may be that of one endpoint. What a server says of itself or of the agent is not.
pub(super) const fn is_of_endpoint(cause: Cause) -> bool {
    match cause.class() {
        FailureClass::Certificate
        | FailureClass::ServerError
        | FailureClass::Silent
        | FailureClass::WrongServer
        | FailureClass::Broken
        | FailureClass::Limit
        | FailureClass::Proxy => true,
        FailureClass::ClosedIdle => !matches!(cause, Cause::Suspended),
        FailureClass::Refused
        | FailureClass::NoAnswer
        | FailureClass::LocalNetwork
        | FailureClass::Name
        | FailureClass::Throttled
        | FailureClass::NotAllowed
        | FailureClass::TooLarge
        | FailureClass::Misunderstood
        | FailureClass::Draining => false,
    }
}

/// The mildest is the least. A page that every endpoint showed comes first: it is no failure of the server at all.
fn rank(failure: &Failure, shown: Option<Option<Evidence>>) -> u8 {
    let portal = Some(Evidence::Portal);
    if failure.evidence == portal && shown == Some(portal) {
        return 0;
    }
    match failure.class() {
        FailureClass::Proxy => 1,
        FailureClass::LocalNetwork | FailureClass::ClosedIdle | FailureClass::Draining => 2,
        FailureClass::ServerError
        | FailureClass::Broken
        | FailureClass::TooLarge
        | FailureClass::Misunderstood
        | FailureClass::Throttled => 3,
        FailureClass::Limit => 4,
        FailureClass::Refused | FailureClass::NoAnswer | FailureClass::Name | FailureClass::Silent => 5,
        FailureClass::WrongServer | FailureClass::Certificate | FailureClass::NotAllowed => 6,
    }
}

/// Both families in turn, beginning with that of the first (RFC 8305, section 4).
pub(super) fn interleaved(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let mut preferred = addresses.iter().filter(move |address| address.is_ipv6() == first_is_v6);
    let mut other = addresses.iter().filter(move |address| address.is_ipv6() != first_is_v6);
    let mut turn = false;
    std::iter::from_fn(move || {
        turn = !turn;
        if turn {
            preferred.next().or_else(|| other.next())
        } else {
            other.next().or_else(|| preferred.next())
        }
    })
    .take(MAX_ADDRESSES)
    .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn endpoints(routes: &[Route]) -> Endpoints {
        named(routes, &[])
    }

    fn named(routes: &[Route], proxies: &[&str]) -> Endpoints {
        let proxies = (0..).zip(proxies.iter().map(|&name| name.into())).collect();
        Endpoints::new(Arc::new(Routes::new(routes.into(), proxies)), 0)
    }

    #[test]
    fn a_proxy_goes_by_its_name_and_without_one_by_its_number() {
        let routes = [Route::Proxy(0), Route::Proxy(1), Route::Proxy(2)];
        let mut endpoints = named(&routes, &["[2001:db8::1]:3128", "proxy.example\u{202e}:8080"]);
        for _ in routes {
            endpoints.unreached(Cause::ProxyRefused { status: 0 }.into());
        }
        let note = endpoints.verdict().unwrap().note.unwrap();
        for part in
            ["by proxy [2001:db8::1]:3128", "; by proxy proxy.example\\u{202e}:8080: ", "; by proxy 3: "]
        {
            assert!(note.contains(part), "{note}");
        }
    }

    /// Reaches the first address that is left, which then fails.
    fn fail(endpoints: &mut Endpoints, address: &str, cause: Cause) -> Onward {
        endpoints.reached(Some(address.parse().unwrap()));
        endpoints.failed(cause.into(), &mut Rng::new(1))
    }

    #[test]
    fn families_take_turns_and_the_number_is_bounded() {
        let mixed = addresses(&["::1", "::2", "::3", "10.0.0.1"]);
        assert_eq!(interleaved(&mixed).collect::<Vec<_>>(), addresses(&["::1", "10.0.0.1", "::2", "::3"]));
        let many = vec!["10.0.0.1".parse().unwrap(); 1000];
        assert_eq!(interleaved(&many).count(), MAX_ADDRESSES);
    }

    #[test]
    fn the_other_family_is_next_and_then_the_next_route() {
        let mut endpoints = endpoints(&[Route::Direct, Route::Proxy(0)]);
        endpoints.dialled(addresses(&["::1", "::2", "10.0.0.1"]));
        let left = addresses(&["10.0.0.1", "::2"]);
        assert_eq!(fail(&mut endpoints, "::1", Cause::WrongName), Onward::Addresses(left.clone()));
        endpoints.dialled(left);
        let left = addresses(&["::2"]);
        assert_eq!(fail(&mut endpoints, "10.0.0.1", Cause::WrongName), Onward::Addresses(left.clone()));
        endpoints.dialled(left);
        assert_eq!(fail(&mut endpoints, "::2", Cause::WrongName), Onward::Route);
        assert_eq!(endpoints.route(), Route::Proxy(0));
        endpoints.dialled(Vec::new());
        endpoints.reached(None);
        assert!(!endpoints.has_other() && endpoints.is_detour());
        assert_eq!(endpoints.failed(Cause::Reset.into(), &mut Rng::new(1)), Onward::End);
        let failure = endpoints.verdict().unwrap();
        assert_eq!(failure.cause, Cause::Reset, "the mildest");
        let note = failure.note.unwrap();
        let others =
            ["10.0.0.1", "::2", "::1"].map(|at| format!("; at {at}: its certificate is for another name"));
        assert_eq!(*note, *format!("by proxy 1{}", others.concat()));
    }

    #[test]
    fn no_more_than_four_are_reached_and_each_route_is_among_them() {
        let five = addresses(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]);
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let mut endpoints = endpoints(&[Route::Direct, Route::Proxy(0)]);
            endpoints.dialled(five.clone());
            let mut rng = Rng::new(seed);
            let mut reached = 0;
            while endpoints.is_direct() {
                let next = endpoints.left[0];
                seen.insert(next);
                reached += 1;
                endpoints.reached(Some(next));
                if let Onward::Addresses(left) = endpoints.failed(Cause::TlsFailed.into(), &mut rng) {
                    endpoints.dialled(left);
                }
            }
            assert_eq!(reached, 3, "the fourth is the proxy");
        }
        assert_eq!(seen.len(), 5, "and over some attempts every address has its turn");
    }

    #[test]
    fn a_sign_counts_only_when_every_endpoint_that_was_reached_has_shown_it() {
        let portal =
            || Failure { evidence: Some(Evidence::Portal), ..Cause::NotAManager { status: 200 }.into() };
        let judge = |first: Failure, reached: bool, second: Failure| {
            let mut endpoints = endpoints(&[Route::Direct, Route::Proxy(0)]);
            endpoints.dialled(addresses(&["10.0.0.1"]));
            endpoints.reached(Some("10.0.0.1".parse().unwrap()));
            endpoints.failed(first, &mut Rng::new(1));
            if reached {
                endpoints.reached(None);
                endpoints.failed(second, &mut Rng::new(1));
            } else {
                endpoints.unreached(second);
            }
            let Failure { cause, evidence, .. } = endpoints.verdict().unwrap();
            (cause, evidence)
        };
        let page = Cause::NotAManager { status: 200 };
        assert_eq!(judge(portal(), true, portal()), (page, Some(Evidence::Portal)));
        assert_eq!(
            judge(portal(), false, Cause::ProxyUnreachable.into()),
            (page, Some(Evidence::Portal)),
            "one that is not there can show nothing"
        );
        let reset = Cause::Reset;
        assert_eq!(judge(portal(), true, reset.into()), (reset, None));
        let error = Cause::ServerError { status: 500 };
        assert_eq!(judge(error.into(), true, portal()), (error, None));
    }
}
