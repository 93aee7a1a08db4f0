//! The promises of safety under anything the world may say, in any order.
//!
//! A chaotic driver answers what was asked, what was not asked, twice, late, or never; it jumps in time
//! and drains when it likes. Whatever it does, the promises hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use homing::engine::{Action, Away, Command, Engine, Event, Input, Memory, NetworkChange, Setup};
use homing::words::{
    Cause, ExchangeId, Failure, LinkId, Moment, News, Outcome, Path, Proof, QueryId, Route, Verdict,
};
use proptest::prelude::*;

use crate::world::{ms, priorities, s};

#[derive(Clone, Debug)]
enum Deed {
    Pass(Duration),
    WaitForDeadline,
    Drain,
    Resolve(usize, bool),
    Connect(usize),
    Secure(usize),
    Lose(usize, Cause),
    FirstByte(usize),
    Done(usize, Answer),
    Tell(usize, u8),
    Stale(u64, u8),
    Network(bool),
    Resume,
    BeatNow,
    Reconfigure(usize),
    Location(bool),
    CannotRemember,
    Stop,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Good,
    Drain,
    Declined,
    Fails(Cause),
}

fn any_cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::ConnectionRefused),
        Just(Cause::ConnectTimeout),
        Just(Cause::NoRoute),
        Just(Cause::Reset),
        Just(Cause::UnknownIssuer),
        Just(Cause::NotHttp),
        Just(Cause::BodyTooLarge),
        Just(Cause::ClosedIdle),
        Just(Cause::NotAllowed { status: 401 }),
        Just(Cause::ServerError { status: 500 }),
        any::<Option<u32>>().prop_map(|after| Cause::Throttled {
            status: 429,
            retry_after: after.map(|seconds| Duration::from_secs(seconds.into())),
        }),
        Just(Cause::Throttled { status: 503, retry_after: Some(Duration::MAX) }),
    ]
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let which = 0usize..16;
    let answer = prop_oneof![
        3 => Just(Answer::Good),
        1 => Just(Answer::Drain),
        1 => Just(Answer::Declined),
        2 => any_cause().prop_map(Answer::Fails),
    ];
    prop_oneof![
        4 => (0u64..3_000).prop_map(|n| Deed::Pass(ms(n))),
        1 => (0u64..200_000).prop_map(|n| Deed::Pass(s(n))),
        8 => Just(Deed::WaitForDeadline),
        8 => Just(Deed::Drain),
        2 => (which.clone(), any::<bool>()).prop_map(|(n, ok)| Deed::Resolve(n, ok)),
        8 => which.clone().prop_map(Deed::Connect),
        8 => which.clone().prop_map(Deed::Secure),
        3 => (which.clone(), any_cause()).prop_map(|(n, cause)| Deed::Lose(n, cause)),
        4 => which.clone().prop_map(Deed::FirstByte),
        8 => (which.clone(), answer).prop_map(|(n, answer)| Deed::Done(n, answer)),
        2 => (which, any::<u8>()).prop_map(|(n, kind)| Deed::Tell(n, kind)),
        2 => (any::<u64>(), any::<u8>()).prop_map(|(id, kind)| Deed::Stale(id, kind)),
        1 => any::<bool>().prop_map(Deed::Network),
        1 => Just(Deed::Resume),
        1 => Just(Deed::BeatNow),
        1 => (0usize..4).prop_map(Deed::Reconfigure),
        1 => any::<bool>().prop_map(Deed::Location),
        1 => Just(Deed::CannotRemember),
        1 => (0u8..50).prop_map(|n| if n == 0 { Deed::Stop } else { Deed::WaitForDeadline }),
    ]
}

/// What the engine has been given and has not given back.
struct Chaos {
    engine: Engine,
    now: Moment,
    queries: Vec<QueryId>,
    links: BTreeMap<LinkId, bool>,
    exchanges: BTreeMap<ExchangeId, LinkId>,
    succeeded: BTreeSet<ExchangeId>,
    adopted: BTreeSet<ExchangeId>,
    active: Option<String>,
    stopped: bool,
}

const SHAPES: [&[usize]; 4] = [&[1], &[3], &[2, 2], &[1, 0, 12]];

impl Chaos {
    fn new(shape: usize, push: bool, named: bool, seed: u64) -> Self {
        let mut plan = priorities(SHAPES[shape]).interval(s(30));
        plan.push = push;
        plan.names = named;
        let mut setup = Setup::new(plan.settings(), "x".parse().unwrap());
        if seed.is_multiple_of(2) {
            setup.routes = [Route::Proxy(0), Route::Direct].into();
        }
        let mut engine = Engine::new(setup, Memory::default(), Away::Unknown, seed, Moment::ORIGIN);
        engine.handle(Moment::ORIGIN, Input::Timeout);
        Self {
            engine,
            now: Moment::ORIGIN,
            queries: Vec::new(),
            links: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            adopted: BTreeSet::new(),
            active: None,
            stopped: false,
        }
    }

    fn link(&self, index: usize) -> Option<LinkId> {
        self.links.keys().nth(index % self.links.len().max(1)).copied()
    }

    fn exchange(&self, index: usize) -> Option<ExchangeId> {
        self.exchanges.keys().nth(index % self.exchanges.len().max(1)).copied()
    }

    fn input(&mut self, input: Input<'_>) {
        self.engine.handle(self.now, input);
    }

    fn lose(&mut self, link: LinkId, cause: Cause) {
        self.links.remove(&link);
        self.exchanges.retain(|_, on| *on != link);
        self.input(Input::Lost { link, failure: cause.into() });
    }

    fn done(&mut self, exchange: ExchangeId, answer: Answer) {
        self.exchanges.remove(&exchange);
        let (verdict, drain) = match answer {
            Answer::Good => (Verdict::Success { status: 200, settings: Some("a"), policy: Some("b") }, None),
            Answer::Drain => {
                (Verdict::Success { status: 200, settings: None, policy: None }, Some(Duration::MAX))
            }
            Answer::Declined => (Verdict::Declined { status: 404 }, Some(s(1))),
            Answer::Fails(cause) => (Verdict::Failed(cause.into()), None),
        };
        if matches!(verdict, Verdict::Success { .. }) {
            self.succeeded.insert(exchange);
        }
        self.input(Input::Done { exchange, outcome: Outcome { verdict, drain } });
    }

    fn perform(&mut self, deed: Deed) {
        match deed {
            Deed::Pass(duration) => {
                self.now = self.now + duration;
                self.input(Input::Timeout);
            }
            Deed::WaitForDeadline => {
                self.drain();
                if let Some((deadline, _)) = self.engine.deadline() {
                    self.now = deadline;
                    self.input(Input::Timeout);
                }
            }
            Deed::Drain => self.drain(),
            Deed::Resolve(index, ok) => {
                if let Some(&query) = self.queries.get(index) {
                    let address: [IpAddr; 1] = [Ipv4Addr::LOCALHOST.into()];
                    let answer = if ok { Ok(&address[..]) } else { Err(Cause::NameTimeout.into()) };
                    self.input(Input::Resolved { query, answer });
                }
            }
            Deed::Connect(index) => {
                if let Some(link) = self.link(index) {
                    self.input(Input::Connected { link, path: Path { peer: ([10, 0, 0, 1], 443).into() } });
                }
            }
            Deed::Secure(index) => {
                if let Some(link) = self.link(index) {
                    self.input(Input::Secured { link, proof: Proof::Tls });
                }
            }
            Deed::Lose(index, cause) => {
                if let Some(link) = self.link(index) {
                    self.lose(link, cause);
                }
            }
            Deed::FirstByte(index) => {
                if let Some(exchange) = self.exchange(index) {
                    self.input(Input::FirstByte { exchange });
                }
            }
            Deed::Done(index, answer) => {
                if let Some(exchange) = self.exchange(index) {
                    self.done(exchange, answer);
                }
            }
            Deed::Tell(index, kind) => {
                if let Some(exchange) = self.exchange(index) {
                    let news =
                        [News::KeepAlive, News::Settings("x"), News::Command, News::Drain(Duration::MAX)];
                    self.input(Input::Told { exchange, news: news[usize::from(kind) % 4] });
                }
            }
            Deed::Stale(id, kind) => self.stale(id, kind),
            Deed::Network(up) => {
                self.input(Input::Network(if up { NetworkChange::Changed } else { NetworkChange::Gone }));
            }
            Deed::Resume => self.input(Input::Resumed),
            Deed::BeatNow => self.input(Input::Command(Command::BeatNow)),
            Deed::Reconfigure(shape) => {
                let settings = priorities(SHAPES[shape]).interval(s(30)).settings();
                self.input(Input::Command(Command::Reconfigure(settings)));
            }
            Deed::Location(some) => {
                self.input(Input::Command(Command::SetLocation(some.then(|| "nowhere".into()))));
            }
            Deed::CannotRemember => self.input(Input::CannotRemember(7)),
            Deed::Stop => self.input(Input::Command(Command::Stop { grace: s(2) })),
        }
    }

    /// From now on every server answers well. Whatever was before, the agent is attached within the longest
    /// wait there is: nine hours, when everybody had said for long that they do not want it.
    fn recover(&mut self) {
        let end = self.now + s(10 * 3600);
        self.input(Input::Network(NetworkChange::Changed));
        while !self.stopped && self.active.is_none() {
            self.drain();
            for query in std::mem::take(&mut self.queries) {
                let address: [IpAddr; 1] = [Ipv4Addr::LOCALHOST.into()];
                self.input(Input::Resolved { query, answer: Ok(&address) });
            }
            self.drain();
            for link in self.links.keys().copied().collect::<Vec<_>>() {
                self.input(Input::Connected { link, path: Path { peer: ([10, 0, 0, 1], 443).into() } });
                self.input(Input::Secured { link, proof: Proof::Tls });
            }
            self.drain();
            for exchange in self.exchanges.keys().copied().collect::<Vec<_>>() {
                self.done(exchange, Answer::Good);
            }
            self.drain();
            let due = self.engine.deadline().map_or(end, |(at, _)| at);
            assert!(due <= end || self.active.is_some(), "{}", self.engine.snapshot(self.now).explain());
            self.now = self.now.max(due);
            self.input(Input::Timeout);
        }
    }

    /// Stale and invented ids change nothing that anybody can see.
    fn stale(&mut self, id: u64, kind: u8) {
        self.drain();
        // Ids given out count from 1; these were never given out.
        let id = id | (1 << 63);
        let before = (self.engine.snapshot(self.now), self.engine.deadline());
        match kind % 5 {
            0 => self.input(Input::Lost { link: LinkId(id), failure: Cause::Reset.into() }),
            1 => self.done_stale(ExchangeId(id)),
            2 => self.input(Input::FirstByte { exchange: ExchangeId(id) }),
            3 => self.input(Input::Secured { link: LinkId(id), proof: Proof::Pin }),
            _ => self.input(Input::Resolved { query: QueryId(id), answer: Err(Cause::NoRoute.into()) }),
        }
        let mut after = (self.engine.snapshot(self.now), self.engine.deadline());
        let counted = u64::from(!self.stopped);
        assert_eq!(after.0.stale_inputs, before.0.stale_inputs + counted);
        after.0.stale_inputs = before.0.stale_inputs;
        assert_eq!(before, after);
    }

    fn done_stale(&mut self, exchange: ExchangeId) {
        let verdict = Verdict::Success { status: 200, settings: None, policy: None };
        self.input(Input::Done { exchange, outcome: Outcome { verdict, drain: None } });
    }

    fn drain(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            self.act(action);
        }
        while let Some(event) = self.engine.poll_event() {
            self.watch(&event);
        }
        let deadline = self.engine.deadline();
        assert!(deadline.is_none_or(|(at, _)| at > self.now), "a busy loop: {deadline:?} at {:?}", self.now);
        assert!(
            deadline.is_some() || self.stopped,
            "nothing is ever due: {}",
            self.engine.snapshot(self.now).explain()
        );
        assert!(self.links.len() <= 10 + 2 + 8, "{} links", self.links.len());
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Resolve { query, .. } => self.queries.insert(0, query),
            Action::Dial { link, to, route, .. } => {
                assert!(!to.is_empty() || route != Route::Direct);
                assert!(self.links.insert(link, true).is_none(), "an id was reused");
            }
            Action::Exchange { exchange, link, .. } => {
                // The link may be lost while the request for the exchange waits to be drained.
                if self.links.contains_key(&link) {
                    assert!(self.exchanges.values().all(|&on| on != link), "two exchanges on one link");
                    self.exchanges.insert(exchange, link);
                }
            }
            Action::Adopt { exchange } => {
                assert!(self.succeeded.contains(&exchange), "adopted what did not succeed");
                assert!(self.adopted.insert(exchange), "adopted twice");
            }
            Action::Abandon { exchange, .. } => {
                self.exchanges.remove(&exchange);
            }
            Action::Close { link, .. } => {
                self.links.remove(&link);
                self.exchanges.retain(|_, on| *on != link);
            }
            Action::Remember { version } => self.input(Input::Remembered(version)),
            other => panic!("{other:?}"),
        }
    }

    fn watch(&mut self, event: &Event) {
        assert!(!self.stopped, "{event:?} after the end");
        match event {
            Event::Attached { server, .. } => {
                assert!(self.active.is_none(), "two active servers");
                assert!(!self.adopted.is_empty(), "active without a success");
                self.active = Some(server.to_string());
            }
            Event::Detached { server, .. } => {
                assert_eq!(self.active.take().as_deref(), Some(server.as_str()));
            }
            Event::Stopped {} => {
                self.stopped = true;
                assert!(self.links.is_empty(), "links outlive the engine");
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold_whatever_the_world_says(
        shape in 0usize..4,
        push in any::<bool>(),
        named in any::<bool>(),
        seed in any::<u64>(),
        deeds in prop::collection::vec(any_deed(), 1..200),
    ) {
        let mut chaos = Chaos::new(shape, push, named, seed);
        for deed in deeds {
            chaos.perform(deed);
        }
        chaos.drain();
        // And it always finds its way out again, unless it was told to stop.
        chaos.recover();
        prop_assert_eq!(chaos.engine.snapshot(chaos.now).active.map(|id| id.to_string()), chaos.active);
    }

    #[test]
    fn one_seed_and_one_sequence_of_inputs_are_one_story(
        seed in any::<u64>(),
        deeds in prop::collection::vec(any_deed(), 1..100),
    ) {
        let story = || {
            let mut chaos = Chaos::new(2, true, false, seed);
            for deed in deeds.clone() {
                chaos.perform(deed);
            }
            (chaos.engine.snapshot(chaos.now), chaos.engine.deadline(), chaos.engine.memory().clone())
        };
        prop_assert_eq!(story(), story());
    }
}

#[test]
fn wall_clock_jumps_alter_no_deadline() {
    let mut world = priorities(&[2]).start();
    world.run(s(400));
    let before = world.engine.deadline();
    world.input(Input::ClockStepped);
    world.drain();
    assert_eq!(world.engine.deadline(), before);
}

#[test]
fn time_never_runs_back() {
    let mut world = priorities(&[1]).start();
    world.run(s(400));
    let (now, before) = (world.now, world.engine.deadline());
    world.engine.handle(Moment::ORIGIN, Input::Timeout);
    assert_eq!(world.engine.deadline(), before);
    world.now = now;
    world.run(s(400));
    assert_eq!(world.attachments(), ["a"]);
}

#[test]
fn draining_late_changes_no_decision() {
    let run = |late: bool| {
        let mut world = priorities(&[2]).start();
        world.run(s(1));
        world.wait_for_drain = late;
        for _ in 0..3 {
            world.input(Input::Timeout);
        }
        world.wait_for_drain = false;
        world.drain();
        world.run(s(1000));
        world.told
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn a_failure_carries_a_bounded_note() {
    let failure = Failure::noted(Cause::NotHttp, "x".repeat(10_000));
    assert!(failure.to_string().len() < 300);
}
