//! The loop: what the world says goes to the engine, what the engine asks for goes to the world.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::error::Error;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::net::{IpAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use homing::engine::{Action, Away, Command, Engine, Event, Input, Memory, Setup, Tuning};
use homing::settings::{Protocol, Server, Settings, Source};
use homing::types::{
    AgentId, Cause, ExchangeId, Failure, Host, LinkId, Medium, Moment, Purpose, Request, Verdict, Via,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::link::{Link, Report};
use crate::wire::{self, Heartbeat};

/// For so long a status that was refused as too large is left out: a limit is raised by a person.
const HELD_BACK: Duration = Duration::from_secs(3600);

/// Time for a running exchange to end when the agent is told to.
const GRACE: Duration = Duration::from_secs(2);

struct Agent {
    engine: Engine,
    id: AgentId,
    /// Makes the idempotency keys of this run differ from those of any other.
    life: u64,
    links: BTreeMap<LinkId, Link>,
    /// Bodies that may be adopted yet.
    answers: BTreeMap<ExchangeId, Vec<u8>>,
    /// When a server refused the status as too large (413). The engine then asks once more, and the driver leaves it out.
    too_large: BTreeMap<String, Moment>,
    stopped: bool,
}

/// Runs until a signal says that it is enough.
pub(crate) fn run(path: &str, id: &str, tuning: Option<&str>) -> Result<(), Box<dyn Error>> {
    let (mut signals, handler) = UnixStream::pair()?;
    signals.set_nonblocking(true)?;
    ctrlc::set_handler(move || {
        // Nobody listens any more: it ends already.
        let _ = (&handler).write_all(b"!");
    })?;
    let text = fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let parsed = Settings::parse(&text, Source::Person)?;
    for warning in &parsed.warnings {
        eprintln!("drive: {path}: {warning}");
    }
    let id: AgentId = id.parse()?;
    let tuning = tuning.map(|text| Tuning::parse(text.as_bytes())).transpose()?.unwrap_or_default();
    let setup = Setup { tuning: Arc::new(tuning), ..Setup::new(Arc::new(parsed.settings), id.clone()) };
    let engine = Engine::new(setup, Memory::default(), Away::Unknown, random(), now());
    let (links, answers, too_large) = Default::default();
    let mut agent = Agent { engine, id, life: random(), links, answers, too_large, stopped: false };
    agent.engine.handle(now(), Input::Timeout);
    let mut stopping = false;
    loop {
        agent.drain()?;
        if agent.stopped {
            return Ok(());
        }
        agent.wait(&signals)?;
        if signals.read(&mut [0]).is_ok() && !std::mem::replace(&mut stopping, true) {
            agent.engine.handle(now(), Input::Command(Command::Stop { grace: GRACE }));
        }
        // Early is fine, so nobody asks whether it is due.
        agent.engine.handle(now(), Input::Timeout);
        agent.step();
    }
}

impl Agent {
    /// Does what the engine asks for and prints what it tells, until it has nothing more.
    #[allow(clippy::wildcard_enum_match_arm, reason = "later versions may ask for more")]
    fn drain(&mut self) -> io::Result<()> {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Resolve { query, host } => {
                    let found = look_up(&host);
                    let answer = found.as_deref().map_err(Failure::clone);
                    self.engine.handle(now(), Input::Resolved { query, answer });
                }
                Action::Dial { link, server, to, stagger, .. } => {
                    if server.protocol == Protocol::Https {
                        let failure = Failure::noted(Cause::TlsFailed, "this example speaks plain http only");
                        self.engine.handle(now(), Input::Lost { link, failure });
                    } else {
                        self.links.insert(link, Link::new(authority(&server), to, stagger));
                    }
                }
                Action::Exchange {
                    exchange, link, request: Request::Heartbeat { purpose }, next, ..
                } => {
                    if let Some(link) = self.links.get_mut(&link) {
                        let refused = self.too_large.get(&link.authority);
                        let omits_status = purpose != Purpose::Probe
                            && refused.is_some_and(|&refused| now().since(refused) < HELD_BACK);
                        let (authority, agent, life) = (&*link.authority, &self.id, self.life);
                        let heartbeat = Heartbeat { authority, agent, purpose, life, next, omits_status };
                        link.say(exchange, wire::request(&heartbeat));
                    }
                }
                // This example says nothing else.
                Action::Exchange { exchange, .. } => {
                    let outcome = Verdict::Declined { status: 0 }.into();
                    self.engine.handle(now(), Input::Done { exchange, outcome });
                }
                Action::Adopt { exchange } => {
                    // A product does what the answer says.
                    let body = self.answers.remove(&exchange).unwrap_or_default();
                    eprintln!("drive: the server's answer has {} bytes", body.len());
                }
                Action::Abandon { exchange, .. } => drop(self.answers.remove(&exchange)),
                Action::Close { link, .. } => drop(self.links.remove(&link)),
                // This example forgets. A product writes `Engine::memory` to a file, and says so afterwards.
                Action::Remember { version } => self.engine.handle(now(), Input::Remembered(version)),
                _ => {}
            }
        }
        while let Some(event) = self.engine.poll_event() {
            self.stopped |= event == (Event::Stopped {});
            print(&event)?;
        }
        Ok(())
    }

    /// Sleeps until a socket, a signal or the engine's next deadline.
    fn wait(&self, signals: &UnixStream) -> io::Result<()> {
        let links = self.links.values();
        let due = self.engine.deadline().map(|(at, _)| at);
        let due = links.clone().filter_map(Link::deadline).chain(due).min();
        // poll does not count time asleep; a product that hears of a resume from the system says `Input::Resumed`.
        let timeout = due.map(|due| due.since(now())).and_then(|left| Timespec::try_from(left).ok());
        let signals = (signals.as_fd(), false);
        let mut polled: Vec<_> = links
            .flat_map(Link::sockets)
            .chain([signals])
            .map(|(socket, writes)| {
                let flags = if writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
                PollFd::from_borrowed_fd(socket, flags)
            })
            .collect();
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at every link, and tells the engine what happened.
    fn step(&mut self) {
        let mut gone = Vec::new();
        for (id, link) in &mut self.links {
            let authority = link.authority.clone();
            for report in link.step(now()) {
                let link = *id;
                match report {
                    Report::Connected(peer) => {
                        self.engine.handle(
                            now(),
                            Input::Connected { link, via: Via { peer, medium: Medium::Unknown } },
                        );
                    }
                    Report::FirstByte(exchange) => {
                        self.engine.handle(now(), Input::FirstByte { exchange });
                    }
                    Report::Answered(exchange, answer) => {
                        let outcome = wire::outcome(&answer);
                        if matches!(&outcome.verdict, Verdict::Failed(reason) if reason.cause == Cause::TooLarge)
                        {
                            self.too_large.insert(authority.clone(), now());
                        }
                        if matches!(outcome.verdict, Verdict::Success { .. }) {
                            self.answers.insert(exchange, answer.body.clone());
                            if self.answers.len() > 64 {
                                // The oldest of very many is one the engine has forgotten.
                                self.answers.pop_first();
                            }
                        }
                        self.engine.handle(now(), Input::Done { exchange, outcome });
                    }
                    Report::Lost(failure) => {
                        self.engine.handle(now(), Input::Lost { link, failure });
                        gone.push(link);
                    }
                }
            }
        }
        for link in gone {
            self.links.remove(&link);
        }
    }
}

/// Time that is never set, and runs while the machine sleeps.
fn now() -> Moment {
    let time = clock_gettime(ClockId::Boottime);
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Moment::from_nanos(seconds * 1_000_000_000 + nanos)
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Blocks, and everything else waits meanwhile: a product asks a resolver that does not.
fn look_up(host: &str) -> Result<Vec<IpAddr>, Failure> {
    match (host, 0).to_socket_addrs() {
        Ok(found) => Ok(found.map(|address| address.ip()).collect()),
        Err(error) if error.to_string().contains("Name or service not known") => Ok(Vec::new()),
        Err(error) => Err(Failure::noted(Cause::NameServerFailed, error)),
    }
}

fn authority(server: &Server) -> String {
    match &server.host {
        Host::Address(IpAddr::V6(address)) => format!("[{address}]:{}", server.port),
        host @ (Host::Address(IpAddr::V4(_)) | Host::Name(_)) => format!("{host}:{}", server.port),
    }
}

/// One line of JSON; `at_ms` on the clock of [`now`].
fn print(event: &Event) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        at_ms: u64,
        #[serde(flatten)]
        event: &'a Event,
    }
    let at_ms = now().as_nanos() / 1_000_000;
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &Line { at_ms, event })?;
    writeln!(out)
}
