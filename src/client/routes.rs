//! The ways to the servers.

use std::sync::Arc;

use crate::net::Proxy;
use crate::words::Route;

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

/// Ways there can be. All are tried within one attempt, which has 20 s: more have no chance.
pub(super) const MOST_ROUTES: usize = 8;

/// The program's list, split into what the engine knows of it and what the road knows.
#[derive(Debug)]
pub(super) struct Routes {
    pub(super) order: Arc<[Route]>,
    pub(super) proxies: Vec<Arc<Proxy>>,
}

impl Routes {
    /// `None` when there are none, or too many.
    pub(super) fn new(choices: Vec<RouteChoice>) -> Option<Self> {
        if choices.is_empty() || choices.len() > MOST_ROUTES {
            return None;
        }
        let (mut order, mut proxies) = (Vec::new(), Vec::new());
        for choice in choices {
            order.push(match choice {
                RouteChoice::Direct => Route::Direct,
                RouteChoice::Proxy(proxy) => {
                    let index = u8::try_from(proxies.len()).ok()?;
                    proxies.push(Arc::new(proxy));
                    Route::Proxy(index)
                }
            });
        }
        Some(Self { order: order.into(), proxies })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays_and_proxies_are_numbered() {
        let proxy = |port| RouteChoice::from(Proxy::new("proxy.example".parse().unwrap(), port));
        let routes = Routes::new(vec![proxy(1), RouteChoice::Direct, proxy(2)]).unwrap();
        assert_eq!(&*routes.order, [Route::Proxy(0), Route::Direct, Route::Proxy(1)]);
        assert_eq!(routes.proxies.iter().map(|proxy| proxy.port()).collect::<Vec<_>>(), [1, 2]);
        assert!(Routes::new(Vec::new()).is_none());
        assert!(Routes::new(vec![RouteChoice::Direct; MOST_ROUTES + 1]).is_none());
    }
}
