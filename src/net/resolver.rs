//! Names to addresses, by the system's own resolver: one client's share of the [look-ups of the process](LookUps).
//!
//! Whoever asks for a name that is under way shares the answer. When the resolver is dropped, look-ups under way are left
//! behind: they know nothing of the client but where nobody listens any more.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::process;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::look_ups::{Found, Listener, LookUps, News};
use crate::platform::Waker;
use crate::types::{Cause, Failure};

/// Askers remembered per name. The engine gives a query up after its limit and asks again; when a
/// look-up hangs for hours, only the newest can still be of interest.
const ASKERS: usize = 8;

/// Looks names up and hands the answers back on one thread. `A` tells the askers apart.
pub(crate) struct Resolver<A> {
    look_ups: Arc<LookUps>,
    listener: Listener,
    receiver: Receiver<News>,
    names: BTreeMap<Arc<str>, Name<A>>,
}

/// A name that is under way or waits.
struct Name<A> {
    askers: VecDeque<A>,
    /// It waits for a place.
    waits: bool,
}

/// What an asker is told.
#[derive(Debug, PartialEq)]
pub(crate) enum Looked<A> {
    /// The look-up has to wait for others.
    Waits(A),
    /// The look-up that had to wait begins.
    Begun(A),
    Ended(A, Found),
}

impl<A: PartialEq + Clone> Resolver<A> {
    /// The system's resolver; uses `waker` when an answer is there.
    pub(crate) fn system(waker: Waker) -> Self {
        Self::new(of_process(), waker)
    }

    fn new(look_ups: Arc<LookUps>, waker: Waker) -> Self {
        let (sender, receiver) = channel();
        let listener = Listener { id: look_ups.listener(), sender, waker };
        Self { look_ups, listener, receiver, names: BTreeMap::new() }
    }

    /// Asks for the addresses of a name, unless this asker waits for them already. The answer comes from
    /// [`answers`](Self::answers), perhaps never.
    pub(crate) fn ask(&mut self, asker: A, host: &Arc<str>) {
        let waits = match self.names.get_mut(host) {
            Some(Name { askers, .. }) if askers.contains(&asker) => return,
            Some(Name { askers, waits }) => {
                if askers.len() >= ASKERS {
                    askers.pop_front();
                }
                askers.push_back(asker);
                *waits
            }
            None => {
                let waits = self.look_ups.ask(host, &self.listener);
                self.names.insert(host.clone(), Name { askers: VecDeque::from([asker]), waits });
                waits
            }
        };
        if waits {
            self.listener.emit(News::Waits(host.clone()));
        }
    }

    /// What became of the names since the last call.
    pub(crate) fn answers(&mut self) -> Vec<Looked<A>> {
        let mut answers = Vec::new();
        while let Ok(news) = self.receiver.try_recv() {
            match news {
                // It may have begun since.
                News::Waits(host) => {
                    let waiting = self.names.get(&host).filter(|name| name.waits);
                    let askers = waiting.into_iter().flat_map(|name| &name.askers);
                    answers.extend(askers.map(|asker| Looked::Waits(asker.clone())));
                }
                News::Begun(host) => {
                    let waiting = self.names.get_mut(&host).filter(|name| name.waits);
                    if let Some(Name { askers, waits }) = waiting {
                        *waits = false;
                        answers.extend(askers.iter().map(|asker| Looked::Begun(asker.clone())));
                    }
                }
                News::Ended(host, found) => {
                    let askers = self.names.remove(&host).into_iter().flat_map(|name| name.askers);
                    answers.extend(askers.map(|asker| Looked::Ended(asker, found.clone())));
                }
            }
        }
        answers
    }

    /// Starts what waits for a place, and says when to come back for that.
    pub(crate) fn retry(&self) -> Option<Duration> {
        if self.names.is_empty() { None } else { self.look_ups.retry() }
    }

    /// The network changed: what was heard late on another is forgotten.
    pub(crate) fn network_changed(&self) {
        self.look_ups.forget_late_answers();
    }
}

impl<A> Drop for Resolver<A> {
    fn drop(&mut self) {
        self.look_ups.forget(self.listener.id);
    }
}

/// The look-ups of this process. A child begins with none: the threads of its parent are not in it.
fn of_process() -> Arc<LookUps> {
    static SHARED: Mutex<Option<(u32, Arc<LookUps>)>> = Mutex::new(None);
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*shared {
        Some((process, look_ups)) if *process == process::id() => Arc::clone(look_ups),
        Some(_) | None => {
            let made = Arc::new(LookUps::new(system));
            // What a parent had may be locked by a thread that is not here, so it is not touched.
            std::mem::forget(shared.replace((process::id(), Arc::clone(&made))));
            made
        }
    }
}

/// Asks the system, as `getaddrinfo` does: hosts file, DNS and whatever else is configured.
fn system(host: &str) -> Result<Vec<IpAddr>, Failure> {
    // The port is of no interest; the standard library wants one.
    let found = (host, 0).to_socket_addrs().map_err(|error| failure(&error))?;
    let mut addresses = Vec::new();
    for address in found.map(|address| address.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Whether the name does not exist, or nobody could say.
///
/// The standard library passes on the words of `getaddrinfo` but not its number, and the words follow
/// the program's locale. So a name counts as missing only when the words are known; everything else
/// is a failure of the name service, which costs the server no more.
fn failure(error: &io::Error) -> Failure {
    const MISSING: [&str; 5] = [
        "Name or service not known",           // glibc, EAI_NONAME
        "No address associated with hostname", // glibc, EAI_NODATA
        "Name does not resolve",               // musl
        "nodename nor servname provided",      // Apple
        "Name has no usable address",          // musl, EAI_NODATA
    ];
    // WSAHOST_NOT_FOUND, WSANO_DATA
    const MISSING_ON_WINDOWS: [i32; 2] = [11_001, 11_004];
    let words = error.to_string();
    let missing = MISSING.iter().any(|known| words.contains(known))
        || cfg!(windows) && error.raw_os_error().is_some_and(|number| MISSING_ON_WINDOWS.contains(&number));
    Failure::noted(if missing { Cause::NameNotFound } else { Cause::NameServerFailed }, words)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Instant;

    use super::*;
    use crate::platform::{Clock, Sleep};
    use crate::types::QueryId;

    /// One client's view of look-ups, which names that begin with `hang` do not leave before the gate opens.
    struct Client {
        clock: Clock,
        sleep: Sleep,
        resolver: Resolver<QueryId>,
    }

    impl Client {
        fn of(look_ups: &Arc<LookUps>) -> Self {
            let clock = Clock::new();
            let sleep = Sleep::new(clock).unwrap();
            let resolver = Resolver::new(Arc::clone(look_ups), sleep.waker());
            Self { clock, sleep, resolver }
        }

        fn ask(&mut self, query: u64, name: &str) {
            self.resolver.ask(QueryId(query), &name.into());
        }

        /// Waits until this many look-ups ended; the numbers of those that began late, and the answers.
        fn collect(&mut self, count: usize) -> (Vec<u64>, Vec<(u64, Found)>) {
            let (mut begun, mut ended) = (Vec::new(), Vec::new());
            loop {
                for answer in self.resolver.answers() {
                    match answer {
                        Looked::Waits(_) => {}
                        Looked::Begun(query) => begun.push(query.0),
                        Looked::Ended(query, found) => ended.push((query.0, found)),
                    }
                }
                if ended.len() >= count {
                    ended.sort_by_key(|(query, _)| *query);
                    return (begun, ended);
                }
                let until = self.resolver.retry().map(|after| self.clock.now() + after);
                self.sleep.until(until).unwrap();
            }
        }
    }

    /// Each test has a gate of its own, as functions hold nothing.
    macro_rules! look_ups {
        () => {{
            static OPEN: AtomicBool = AtomicBool::new(false);
            fn fake(host: &str) -> Result<Vec<IpAddr>, Failure> {
                while host.starts_with("hang") && !OPEN.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(5));
                }
                match host {
                    "missing" => Err(Cause::NameNotFound.into()),
                    _ => Ok(vec![[127, 0, 0, 1].into(); 100]),
                }
            }
            (Arc::new(LookUps::new(fake)), &OPEN)
        }};
    }

    #[test]
    fn look_ups_are_shared_and_do_not_wait_for_one_that_hangs() {
        let (look_ups, open) = look_ups!();
        let (mut one, mut other) = (Client::of(&look_ups), Client::of(&look_ups));
        for query in 0..7 {
            one.ask(query, &format!("hang-{query}"));
        }
        // One place is left; the next names go through it one after the other.
        one.ask(10, "missing");
        one.ask(11, "found");
        let (_, ended) = one.collect(2);
        assert_eq!(ended[0], (10, Err(Cause::NameNotFound.into())));
        assert_eq!(ended[1].1.as_ref().unwrap().len(), 64);

        // A hung name is not looked up again, for no client, and only the newest askers are remembered.
        for query in 20..40 {
            other.ask(query, "hang-0");
        }
        assert_eq!(look_ups.threads(), 7);
        open.store(true, Ordering::SeqCst);
        assert_eq!(one.collect(7).1.len(), 7);
        let queries: Vec<_> = other.collect(8).1.iter().map(|(query, _)| *query).collect();
        assert_eq!(queries, [32, 33, 34, 35, 36, 37, 38, 39]);
    }

    #[test]
    fn what_hangs_gives_its_place_back_and_its_late_answer_is_kept() {
        let (look_ups, open) = look_ups!();
        let mut client = Client::of(&look_ups);
        let started = Instant::now();
        for query in 0..8 {
            client.ask(query, &format!("hang-{query}"));
        }
        client.ask(100, "found");
        assert_eq!(client.resolver.answers(), [Looked::Waits(QueryId(100))]);
        let (begun, ended) = client.collect(1);
        assert_eq!((begun.as_slice(), ended[0].0), ([100].as_slice(), 100), "its limit counts from now");
        assert!((5..30).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());

        // Two hundred clients come and go and each asks for a name that hangs.
        for life in 0..200 {
            let mut client = Client::of(&look_ups);
            client.ask(life, &format!("hang-of-{life}"));
        }
        assert_eq!(look_ups.threads(), 16);
        // The control's names do not queue up: one of them is under way or waits, and the next is answered.
        client.ask(300, "hang-1.invalid");
        client.ask(301, "hang-2.invalid");
        assert_eq!(
            client.collect(1).1,
            [(301, Err(Failure::noted(Cause::NameServerFailed, "the one before is still looked up")))]
        );

        open.store(true, Ordering::SeqCst);
        assert_eq!(client.collect(9).1.len(), 9);
        open.store(false, Ordering::SeqCst);
        client.ask(400, "hang-0");
        assert!(client.collect(1).1[0].1.is_ok(), "it came late, and is not looked up again");
        client.resolver.network_changed();
        client.ask(401, "hang-0");
        assert!(client.resolver.answers().is_empty());
        open.store(true, Ordering::SeqCst);
    }

    #[test]
    fn the_system_knows_localhost() {
        let addresses = system("localhost").unwrap();
        assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
    }

    #[test]
    fn a_missing_name_is_told_from_a_name_service_that_fails() {
        let error = |words: &str| io::Error::other(format!("failed to lookup address information: {words}"));
        assert_eq!(failure(&error("Name or service not known")).cause, Cause::NameNotFound);
        assert_eq!(failure(&error("Temporary failure in name resolution")).cause, Cause::NameServerFailed);
        assert_eq!(
            failure(&error("Der Name oder der Dienst ist nicht bekannt")).cause,
            Cause::NameServerFailed
        );
    }
}
