//! Names to addresses, by the system's own resolver.
//!
//! The system's call blocks, and nobody can say for how long, so it runs on helper threads: one per
//! look-up, at most [`THREADS`] at once, gone when their look-up is. A name is looked up once at a
//! time; whoever asks for it meanwhile shares the answer. A look-up that hangs holds its own place
//! and no other. When the resolver is dropped, threads under way are left behind: they hold nothing
//! but a channel nobody reads.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::platform::{Journal, Waker, quiet_threads};
use crate::words::{Cause, Failure};

/// Look-ups at once: enough that two dead name servers in a row do not stop a third name, few enough
/// that a thread each is no burden.
const THREADS: usize = 4;

/// Askers remembered per name. The engine gives a query up after its limit and asks again; when a
/// look-up hangs for hours, only the newest can still be of interest.
const ASKERS: usize = 8;

/// Said outright, because the standard library would ask the environment: what it has by default, for modules of the
/// system's resolver that nobody knows.
const STACK_SIZE: usize = 2 * 1024 * 1024;

/// Addresses taken from one answer; the engine dials at most 16.
const ADDRESSES: usize = 64;

/// The addresses of a name, in the order the system gave them.
pub(super) type Found = Result<Arc<[IpAddr]>, Failure>;

/// What looks a name up; blocks.
type LookUp = fn(&str) -> Result<Vec<IpAddr>, Failure>;

/// Looks names up and hands the answers back on one thread. `A` tells the askers apart.
pub(crate) struct Resolver<A> {
    look_up: LookUp,
    waker: Waker,
    /// Who asks for each name that is under way or waits.
    askers: BTreeMap<Arc<str>, VecDeque<A>>,
    waiting: VecDeque<Arc<str>>,
    running: usize,
    sender: Sender<(Arc<str>, Found)>,
    receiver: Receiver<(Arc<str>, Found)>,
}

impl<A: PartialEq> Resolver<A> {
    /// The system's resolver; uses `waker` when an answer is there.
    pub(crate) fn system(waker: Waker) -> Self {
        Self::new(system, waker)
    }

    fn new(look_up: LookUp, waker: Waker) -> Self {
        let (sender, receiver) = channel();
        let (askers, waiting) = (BTreeMap::new(), VecDeque::new());
        Self { look_up, waker, askers, waiting, running: 0, sender, receiver }
    }

    /// Asks for the addresses of a name, unless this asker waits for them already. The answer comes from [`answers`](Self::answers), perhaps never.
    pub(crate) fn ask(&mut self, asker: A, host: &Arc<str>) {
        if let Some(askers) = self.askers.get_mut(host) {
            if askers.contains(&asker) {
                return;
            }
            if askers.len() >= ASKERS {
                askers.pop_front();
            }
            askers.push_back(asker);
            return;
        }
        self.askers.insert(host.clone(), VecDeque::from([asker]));
        self.waiting.push_back(host.clone());
        self.start();
    }

    /// The look-ups that ended since the last call.
    pub(crate) fn answers(&mut self) -> Vec<(A, Found)> {
        let mut answers = Vec::new();
        while let Ok((host, found)) = self.receiver.try_recv() {
            self.running = self.running.saturating_sub(1);
            let askers = self.askers.remove(&host).unwrap_or_default();
            answers.extend(askers.into_iter().map(|asker| (asker, found.clone())));
        }
        self.start();
        answers
    }

    /// Starts what waits, as far as there are places.
    fn start(&mut self) {
        while self.running < THREADS
            && let Some(host) = self.waiting.pop_front()
        {
            self.running += 1;
            let (look_up, sender, waker, name) =
                (self.look_up, self.sender.clone(), self.waker.clone(), host.clone());
            let journal = Journal::here();
            let work = move || {
                let _here = journal.enter();
                let found = look_up(&name).map(|addresses| addresses.into_iter().take(ADDRESSES).collect());
                if sender.send((name, found)).is_ok() {
                    waker.wake();
                }
            };
            let thread = thread::Builder::new().name("homing-name".to_owned()).stack_size(STACK_SIZE);
            if let Err(error) = quiet_threads(|| thread.spawn(work)) {
                let failure = Failure::noted(Cause::OutOfResources, error);
                // The receiver is ours, so this cannot fail.
                let _ = self.sender.send((host, Err(failure)));
                self.waker.wake();
            }
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Condvar, Mutex};

    use super::*;
    use crate::platform::{Clock, Sleep};
    use crate::words::QueryId;

    /// Look-ups of names that begin with `hang` wait for this to open.
    static GATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
    static HANGING: AtomicUsize = AtomicUsize::new(0);

    fn fake(host: &str) -> Result<Vec<IpAddr>, Failure> {
        if host.starts_with("hang") {
            HANGING.fetch_add(1, Ordering::SeqCst);
            let mut open = GATE.0.lock().unwrap();
            while !*open {
                open = GATE.1.wait(open).unwrap();
            }
        }
        match host {
            "missing" => Err(Cause::NameNotFound.into()),
            _ => Ok(vec![[127, 0, 0, 1].into(); 100]),
        }
    }

    /// Sleeps until this many answers are there.
    fn collect(resolver: &mut Resolver<QueryId>, sleep: &mut Sleep, count: usize) -> Vec<(QueryId, Found)> {
        let mut answers = resolver.answers();
        while answers.len() < count {
            sleep.until(None).unwrap();
            answers.extend(resolver.answers());
        }
        answers.sort_by_key(|(query, _)| *query);
        answers
    }

    #[test]
    fn look_ups_are_shared_bounded_and_do_not_wait_for_one_that_hangs() {
        let mut sleep = Sleep::new(Clock::new()).unwrap();
        let mut resolver = Resolver::new(fake, sleep.waker());
        let names: [Arc<str>; 3] = ["hang-1".into(), "hang-2".into(), "hang-3".into()];
        for (query, name) in (0..).zip(&names) {
            resolver.ask(QueryId(query), name);
        }
        // One place is left; the next names go through it one after the other.
        resolver.ask(QueryId(10), &"missing".into());
        resolver.ask(QueryId(11), &"found".into());
        let answers = collect(&mut resolver, &mut sleep, 2);
        assert_eq!(answers[0], (QueryId(10), Err(Cause::NameNotFound.into())));
        assert_eq!(answers[1].1.as_ref().unwrap().len(), ADDRESSES);

        // A hung name is not looked up again, and only the newest askers are remembered.
        for query in 20..40 {
            resolver.ask(QueryId(query), &names[0]);
        }
        assert_eq!(resolver.running, 3);
        *GATE.0.lock().unwrap() = true;
        GATE.1.notify_all();
        let answers = collect(&mut resolver, &mut sleep, 10);
        let queries: Vec<_> = answers.iter().map(|(query, _)| query.0).collect();
        assert_eq!(queries, [1, 2, 32, 33, 34, 35, 36, 37, 38, 39]);
        assert_eq!(HANGING.load(Ordering::SeqCst), 3);
        assert_eq!((resolver.running, resolver.askers.len()), (0, 0));
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
