//! Unkind worlds: every server answers as it likes, and changes its mind. Whatever they do, the agent keeps the promises it
//! makes to those that depend on it, as long as one server is well.
//!
//! `HOMING_WORLDS` says how many worlds, or which; `.ci/campaign unkind` tries many more than a usual run.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use homing::engine::{Command, NetworkChange};
use homing::types::{Cause, Moment, Route};
use homing_sim::dice::Dice;

use crate::flapping::moves_seldom;
use crate::world::*;

/// The numbers of the worlds: every so many of a usual run, `HOMING_WORLDS` or 1,000; or these alone, `7..8`.
fn worlds(every: u64) -> Range<u64> {
    let wanted = std::env::var("HOMING_WORLDS").unwrap_or_else(|_| "1000".to_owned());
    let number = |text: &str| text.parse::<u64>().expect("HOMING_WORLDS is a number or two");
    match wanted.split_once("..") {
        Some((first, last)) => number(first)..number(last),
        None => 0..number(&wanted) / every,
    }
}

/// Says in which world a test failed.
struct Numbered(u64);

impl Drop for Numbered {
    #[allow(clippy::print_stdout, reason = "a test that fails says how to fail again")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("`HOMING_WORLDS={}..{}` lives through it again", self.0, self.0 + 1);
        }
    }
}

fn any_cause(dice: &mut Dice) -> Cause {
    let seconds = dice.one(&[0, 1, 5, 30, 60, 300, 600, 3_600]);
    let asked = [Some(s(seconds)), None];
    match dice.below(10) {
        0 => Cause::NotAllowed { status: 401 },
        1 => Cause::NotAManager { status: 403 },
        2 => Cause::TooLarge,
        3 => Cause::Misunderstood { status: dice.one(&[400, 408, 421, 431]) },
        4 => Cause::Throttled { status: 429, retry_after: dice.one(&asked) },
        5 => Cause::Throttled { status: 503, retry_after: Some(s(seconds)) },
        6 => Cause::ServerError { status: 503 },
        7 => Cause::BodyTooLarge,
        8 => Cause::NotHttp,
        _ => Cause::ServerError { status: 500 },
    }
}

fn any_server(dice: &mut Dice) -> Server {
    match dice.below(16) {
        0..3 => up(),
        3 => down(),
        4 => black_hole(),
        5 => mute(),
        6 => silent(),
        7 => slow(dice.span(1, 16)),
        8 => far(dice.one(&[ms(50), ms(300), ms(900)])),
        9 => Server { answer: Answer::Drain(s(dice.one(&[0, 1, 60, 300]))), ..up() },
        10 => {
            Server { reach: Reach::BadHandshake(dice.one(&[Cause::UnknownIssuer, Cause::TlsFailed])), ..up() }
        }
        11 => Server { answer: Answer::Breaks, ..up() },
        12 => gray(any_cause(dice)),
        _ => failing(any_cause(dice)),
    }
}

fn any_plan(dice: &mut Dice) -> Plan {
    let sizes: Vec<usize> = (0..=dice.below(3)).map(|_| 1 + dice.below(4) as usize).collect();
    let seed = dice.below(u64::MAX);
    let plan =
        priorities(&sizes).interval(s(dice.one(&[30, 60, 300]))).seed(seed).agent(&format!("agent-{seed}"));
    if dice.below(3) == 0 { plan.push() } else { plan }
}

/// The same plan with its first priorities, without one of its servers or with the priorities turned around.
fn changed(dice: &mut Dice, plan: &Plan, first: &[Vec<String>], rock: &str) -> Plan {
    let mut new = priorities(&[]).interval(plan.interval).agent(&plan.agent).seed(plan.seed);
    (new.push, new.names) = (plan.push, plan.names);
    new.routes.clone_from(&plan.routes);
    new.priorities = first.to_vec();
    let priority = dice.below(new.priorities.len() as u64) as usize;
    if dice.below(2) == 0 {
        new.priorities.rotate_left(1);
    } else if let Some(place) = new.priorities[priority].iter().position(|server| server != rock) {
        new.priorities[priority].remove(place);
    }
    new
}

/// What an agent does in a world, looked at now and then.
struct Watch {
    /// Since when it is attached to none and the list is as it is.
    outage: Option<Moment>,
    settled: Moment,
    longest_silence: Duration,
    /// How often each server of a long outage was looked at.
    looks: usize,
}

impl Watch {
    fn begin(world: &World) -> Self {
        Self { outage: None, settled: world.now, longest_silence: Duration::ZERO, looks: 0 }
    }

    fn look(&mut self, world: &World, number: u64) {
        if world.active().is_some() {
            self.outage = None;
            return;
        }
        let since = (*self.outage.get_or_insert(world.now)).max(self.settled);
        if world.now.since(since) < s(930) {
            return;
        }
        let snapshot = world.snapshot();
        self.looks += 1;
        for server in &snapshot.servers {
            let refused = server.last_failure.as_deref().is_some_and(|failure| failure.contains("rejected"));
            let recent = world.starts.iter().rev().take_while(|(at, _)| world.now.since(*at) <= s(930));
            let tried = recent.into_iter().any(|(_, id)| *id == server.server.as_str());
            // The agent adds up to a quarter of what it was asked to wait, which is an hour at most.
            let floored = world.floor(server.server.as_str()) + s(900 + 900) > world.now;
            assert!(
                tried || refused || floored,
                "world {number}: {} has not been tried for 15 min\n{}",
                server.server,
                snapshot.explain()
            );
        }
    }
}

/// An endpoint that connects and leads nowhere.
fn dead_end(dice: &mut Dice) -> Server {
    match dice.below(6) {
        0 => Server { reach: Reach::BadHandshake(Cause::UnknownIssuer), ..up() },
        1 => Server { reach: Reach::BadHandshake(Cause::Reset), ..up() },
        2 => mute(),
        3 => silent(),
        4 => status(404),
        _ => status(502),
    }
}

/// The ways to the good server: in a third of the worlds there are two, of which one leads to it, and now and then the other.
#[derive(Clone, Copy, PartialEq)]
enum Ways {
    One,
    Routes,
    Addresses,
}

impl Ways {
    fn start(dice: &mut Dice, plan: Plan) -> (Self, World) {
        match dice.below(9) {
            0 | 1 => {
                let routes = dice.one(&[[Route::Direct, Route::Proxy(0)], [Route::Proxy(0), Route::Direct]]);
                (Self::Routes, plan.routes(&routes).start())
            }
            2 => (Self::Addresses, plan.named().start()),
            _ => (Self::One, plan.start()),
        }
    }

    /// From now on the first of two leads to the good server, or the second, and the other one to something else.
    fn turn(self, dice: &mut Dice, world: &mut World, rock: &str, first: bool) {
        let other = dead_end(dice);
        let (one, two) = if first { (up(), other) } else { (other, up()) };
        match self {
            Self::One => return,
            Self::Routes => world.through_proxy = Some(two),
            Self::Addresses => world.addresses = vec![([10, 0, 1, 1].into(), rock.to_owned(), two)],
        }
        world.set(rock, one);
    }
}

/// Lives through a world in which one server is well, and returns the longest time without a delivered heartbeat.
fn live_through(number: u64) -> Duration {
    let mut dice = Dice(number.wrapping_mul(0x5851_F42D_4C95_7F2D));
    let plan = any_plan(&mut dice);
    let servers: Vec<String> = plan.priorities.iter().flatten().cloned().collect();
    let rock = servers[dice.below(servers.len() as u64) as usize].clone();
    let interval = plan.interval;
    let priorities = plan.priorities.clone();
    let (ways, mut world) = Ways::start(&mut dice, plan);
    let first = dice.below(2) == 0;
    ways.turn(&mut dice, &mut world, &rock, first);
    for server in servers.iter().filter(|server| **server != rock) {
        world.set(server, any_server(&mut dice));
    }
    let mut watch = Watch::begin(&world);
    let end = world.now + s(3 * 3_600);
    while world.now < end {
        for _ in 0..1 + dice.below(4) {
            world.run(dice.span(5, 900));
            watch.look(&world, number);
        }
        let server = servers[dice.below(servers.len() as u64) as usize].clone();
        if server != rock {
            world.set(&server, any_server(&mut dice));
            if dice.below(2) == 0 {
                world.break_links(&server);
            }
        }
        match dice.below(20) {
            0 => _ = world.network(NetworkChange::Changed),
            1 => _ = world.network(NetworkChange::Returned),
            2 => _ = world.command(Command::BeatNow),
            3 => _ = world.command(Command::NewCredentials),
            4 => {
                let new = changed(&mut dice, &world.plan, &priorities, &rock);
                world.reconfigure(new);
                watch.settled = world.now;
            }
            5 => _ = world.suspend(dice.span(1, 600)),
            6..9 => {
                let first = dice.below(2) == 0;
                ways.turn(&mut dice, &mut world, &rock, first);
                world.break_links(&rock);
            }
            _ => {}
        }
    }
    let beats = world.told.iter().filter(|(_, event)| is_heartbeat(event)).map(|(at, _)| *at);
    let moments: Vec<_> =
        [Duration::ZERO].into_iter().chain(beats).chain([world.now.since(world.started)]).collect();
    watch.longest_silence = moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    // While the machine sleeps nothing is delivered.
    let patience = s(600).max(interval * 2) + s(600) + s(900);
    assert!(
        watch.longest_silence <= patience,
        "world {number}: nothing delivered for {:?}\n{}",
        watch.longest_silence,
        world.story()
    );
    let most = most_dials(&world);
    assert!(most <= 100 + 20 * servers.len(), "world {number}: {most} dials in ten minutes");
    watch.longest_silence
}

/// The most dials of any ten minutes.
fn most_dials(world: &World) -> usize {
    let mut first = 0;
    let within = |(last, (at, _)): (usize, &(Moment, String))| {
        while at.since(world.starts[first].0) >= s(600) {
            first += 1;
        }
        last + 1 - first
    };
    world.starts.iter().enumerate().map(within).max().unwrap_or_default()
}

#[test]
fn an_agent_delivers_as_long_as_one_server_is_well() {
    let mut silences: BTreeMap<u64, usize> = BTreeMap::new();
    for number in worlds(1) {
        let _numbered = Numbered(number);
        *silences.entry(live_through(number).as_secs() / 300).or_default() += 1;
    }
    let late: usize = silences.range(4..).map(|(_, count)| count).sum();
    println!("longest silences, by five minutes: {silences:?}");
    let all: usize = silences.values().sum();
    assert!(late * 50 <= all.max(50), "more than 20 min in {late} worlds: {silences:?}");
}

/// A server that takes no heartbeat and no attach, whatever it says.
fn bad_server(dice: &mut Dice) -> Server {
    loop {
        let server = any_server(dice);
        let delivers = matches!(server.reach, Reach::Connects(_))
            && matches!(server.answer, Answer::Good | Answer::Drain(_) | Answer::Gray(_))
            && server.think < s(16);
        if !delivers {
            return server;
        }
    }
}

#[test]
fn no_server_is_left_untried_for_15_minutes_of_an_outage() {
    let mut looks = 0;
    for number in worlds(5) {
        let _numbered = Numbered(number);
        let mut dice = Dice(number.wrapping_mul(0x2545_F491_4F6C_DD1D));
        let mut plan = any_plan(&mut dice);
        if dice.below(4) == 0 {
            plan = priorities(&[1 + dice.below(20) as usize, 12]).interval(plan.interval).seed(number);
        }
        let servers: Vec<String> = plan.priorities.iter().flatten().cloned().collect();
        let first = plan.priorities.clone();
        let (ways, mut world) = Ways::start(&mut dice, plan);
        for server in &servers {
            world.set(server, bad_server(&mut dice));
        }
        match ways {
            Ways::One => {}
            Ways::Routes => world.through_proxy = Some(bad_server(&mut dice)),
            Ways::Addresses => {
                world.addresses = vec![([10, 0, 1, 1].into(), servers[0].clone(), bad_server(&mut dice))];
            }
        }
        let mut watch = Watch::begin(&world);
        while world.now.since(world.started) < s(2 * 3_600) {
            for _ in 0..1 + dice.below(20) {
                world.run(dice.span(5, 120));
                watch.look(&world, number);
            }
            let server = &servers[dice.below(servers.len() as u64) as usize];
            world.set(server, bad_server(&mut dice));
            match dice.below(30) {
                0 => _ = world.network(NetworkChange::Changed),
                1 => _ = world.command(Command::BeatNow),
                2 => _ = world.command(Command::NewCredentials),
                3 => {
                    let new = changed(&mut dice, &world.plan, &first, &servers[0]);
                    world.reconfigure(new);
                    watch.settled = world.now;
                }
                _ => {}
            }
        }
        assert_eq!(world.active(), None, "world {number}");
        // The guard lets one attempt a minute on each server pass, which tries every way there is.
        let ways = if ways == Ways::One { 1 } else { 2 };
        let bound = 100 + 10 * servers.len() * (1 + ways) + 10 * (ways - 1);
        let most = most_dials(&world);
        assert!(most <= bound, "world {number}: {most} dials in ten minutes");
        looks += watch.looks;
    }
    println!("outages of more than 15 min were looked at {looks} times");
    assert!(looks > 0);
}

#[test]
fn a_server_that_flaps_in_any_pattern_moves_the_agent_twice_an_hour_at_most() {
    for number in worlds(5) {
        let _numbered = Numbered(number);
        let mut dice = Dice(number);
        let sizes = dice.one(&[[1, 1], [2, 1], [1, 2], [2, 0], [3, 0]]);
        let plan = priorities(&sizes).interval(s(dice.one(&[30, 60, 300]))).seed(number);
        let mut world = plan.start();
        let flaps = ranking(&world)[0].clone();
        let how = if dice.below(4) == 0 { gray(Cause::ServerError { status: 503 }) } else { up() };
        let (ups, downs) = (dice.span(10, 7_200), dice.span(5, 3_600));
        let is_regular = dice.below(2) == 0;
        while world.now.since(world.started) < s(6 * 3_600) {
            let (up_for, down_for) =
                if is_regular { (ups, downs) } else { (dice.span(10, 7_200), dice.span(5, 3_600)) };
            world.set(&flaps, how).run(up_for).set(&flaps, down()).break_links(&flaps).run(down_for);
        }
        assert!(
            moves_seldom(&world),
            "world {number}, {sizes:?}, {ups:?}, {downs:?}, regular {is_regular}\n{}",
            world.story()
        );
    }
}
