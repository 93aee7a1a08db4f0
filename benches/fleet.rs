//! A hundred thousand engines in one process and in virtual time, through an outage and a rolling restart.
//!
//! `cargo bench --bench fleet`, or `cargo bench --bench fleet -- 10000` for a smaller fleet. One thread.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a program that measures, not a library"
)]

#[path = "support/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use homing::types::Moment;
use homing_sim::fleet::{Fleet, Plan};
use table::Table;

const OUTAGE: Duration = Duration::from_secs(600);

fn main() {
    let agents = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    println!(
        "{agents} agents in push mode with a heartbeat every 300 s, S = 5 s (attachment.spread) unless said, virtual time.
An attempt is a connection begun by an agent that its server has not served since the server came up. A server
admits attempts from a token bucket (2,000 a second, 0.1 s deep) and refuses the connection when it is empty. What
agents it has served connect for later (their event streams, their next heartbeats) costs no token unless said."
    );
    let one = Plan { agents, servers: 1, spread: "5s", admits: 2000, all_pay: false, boots_within: None };
    let mut table =
        Table::new("one server; it dies, all connections are cut within 0.2 s, and it is back after 10 min");
    let (began, worked) = (Instant::now(), processor_time());
    let outage = Outage::new(&one, &[0]);
    table.at_most("real time of the whole simulation, one thread", began.elapsed().as_secs_f64(), 60.0, "s");
    if let (Some(before), Some(after)) = (worked, processor_time()) {
        table.says("of which it had the processor", format!("{:.1} s", (after - before).as_secs_f64()));
    }
    table.at_most("attempts in the busiest second, of the fleet", outage.busiest() * 100.0, 25.0, "%");
    table.at_most("99 % of the fleet are back after", outage.back(0.99).unwrap_or(f64::INFINITY), 66.0, "s");
    table.at_most("attempts per agent from the return until it is back", outage.attempts_each(), 1.02, "");
    outage.tell_more(&table);

    let table = Table::new("the same, and event streams and later heartbeats cost a token as well");
    Outage::new(&Plan { all_pay: true, ..one }, &[0]).tell_all(&table);

    // 100,000 agents on a server that takes 2,000 a second want 50 s; 30 s is the most that can be set.
    for (spread, what) in [("1s", "the defaults, S = 1 s"), ("30s", "the recommended S = 30 s")] {
        let table = Table::new(&format!("the first story with {what}"));
        Outage::new(&Plan { spread, ..one }, &[0]).tell_all(&table);
    }
    for (boots_within, what) in
        [("0s", "the default start-up spread, 0 s"), ("60s", "a start-up spread of 60 s")]
    {
        boot(&Plan { boots_within: Some(boots_within), ..one }, what);
    }

    let eight = Plan { servers: 8, ..one };
    let table = Table::new("8 servers of one priority; all die at once, all are back after 10 min");
    Outage::new(&eight, &[0, 1, 2, 3, 4, 5, 6, 7]).tell_all(&table);
    let table = Table::new("8 servers of one priority; all die at once, one of them is back after 10 min");
    Outage::new(&eight, &[3]).tell_all(&table);

    rolling_restart(&eight);
}

/// What an outage was like.
struct Outage {
    agents: f64,
    servers: usize,
    /// From the cut to 15 min after the return, counted from the cut.
    attempts: Vec<(Duration, u8)>,
    returns: Vec<Duration>,
    inputs: u64,
}

impl Outage {
    /// Ten minutes of peace, ten of outage, fifteen with these servers back.
    fn new(plan: &Plan, back: &[usize]) -> Self {
        let mut fleet = Fleet::new(plan);
        fleet.run(Duration::from_secs(1200));
        fleet.begin_count();
        let cut = fleet.now;
        for server in 0..plan.servers {
            fleet.kill(server);
        }
        fleet.run(OUTAGE);
        let during = std::mem::take(&mut fleet.attempts);
        fleet.begin_count();
        let returned = fleet.now;
        for &server in back {
            fleet.revive(server);
        }
        fleet.run(Duration::from_secs(900));
        let since = |(at, server): &(Moment, u8)| (at.since(cut), *server);
        Self {
            agents: fleet.agents() as f64,
            servers: plan.servers,
            attempts: during.iter().chain(&fleet.attempts).map(since).collect(),
            returns: fleet.returns(returned),
            inputs: fleet.inputs(),
        }
    }

    /// The most attempts of any second, as a share of the fleet.
    fn busiest(&self) -> f64 {
        busiest(self.attempts.iter()) / self.agents
    }

    fn busiest_server(&self) -> f64 {
        let of =
            |server: usize| busiest(self.attempts.iter().filter(move |(_, to)| usize::from(*to) == server));
        (0..self.servers).map(of).fold(0.0, f64::max)
    }

    /// When this share of the fleet was back, in seconds after the return.
    fn back(&self, share: f64) -> Option<f64> {
        let enough = (self.agents * share).ceil() as usize;
        self.returns.get(enough.checked_sub(1)?).map(Duration::as_secs_f64)
    }

    fn attempts_each(&self) -> f64 {
        self.attempts.iter().filter(|(at, _)| *at >= OUTAGE).count() as f64 / self.agents
    }

    fn tell_all(&self, table: &Table) {
        table
            .says("attempts in the busiest second, of the fleet", format!("{:.1} %", self.busiest() * 100.0));
        table.says("99 % of the fleet are back after", seconds(self.back(0.99)));
        table.says("attempts per agent from the return on", format!("{:.3}", self.attempts_each()));
        self.tell_more(table);
    }

    fn tell_more(&self, table: &Table) {
        table.says("attempts on one server in its busiest second", self.busiest_server());
        table.says("half of the fleet is back after", seconds(self.back(0.5)));
        table.says("the last agent is back after", seconds(self.back(1.0)));
        table.says("inputs to all engines", self.inputs);
    }
}

/// The whole fleet is switched on in one instant.
fn boot(plan: &Plan, what: &str) {
    let mut fleet = Fleet::new(plan);
    let begun = fleet.now;
    fleet.run(Duration::from_secs(900));
    let attempts: Vec<_> = fleet.attempts.iter().map(|(at, server)| (at.since(begun), *server)).collect();
    let returns = fleet.returns(begun);
    let at = |share: f64| {
        let enough = (fleet.agents() as f64 * share).ceil() as usize;
        returns.get(enough.saturating_sub(1)).map(Duration::as_secs_f64)
    };
    let table = Table::new(&format!("one server, and the whole fleet starts at once, with {what}"));
    table.says(
        "attempts in the busiest second, of the fleet",
        format!("{:.1} %", busiest(attempts.iter()) * 100.0 / fleet.agents() as f64),
    );
    table.says("attempts per agent", format!("{:.3}", attempts.len() as f64 / fleet.agents() as f64));
    table.says("99 % of the fleet are attached after", seconds(at(0.99)));
    table.says("the last agent is attached after", seconds(at(1.0)));
}

/// How long this thread has run; `None` where the system does not tell.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "not in 15 min".to_owned(), |seconds| format!("{seconds:.1} s"))
}

/// The most of any whole second.
fn busiest<'a>(attempts: impl Iterator<Item = &'a (Duration, u8)>) -> f64 {
    let mut seconds: BTreeMap<u64, u32> = BTreeMap::new();
    attempts.for_each(|(at, _)| *seconds.entry(at.as_secs()).or_default() += 1);
    seconds.values().max().copied().unwrap_or_default().into()
}

/// Each server in turn is away for 20 s; 40 min after the last began, how even is the load?
fn rolling_restart(plan: &Plan) {
    let mut fleet = Fleet::new(plan);
    fleet.run(Duration::from_secs(1200));
    let even = |fleet: &Fleet| {
        let load = fleet.load();
        let mean = load.iter().sum::<usize>() as f64 / load.len() as f64;
        load.into_iter().max().unwrap_or_default() as f64 / mean
    };
    let before = even(&fleet);
    fleet.begin_count();
    for server in 0..plan.servers {
        fleet.kill(server);
        fleet.run(Duration::from_secs(20));
        fleet.revive(server);
        fleet.run(Duration::from_secs(10));
    }
    let after = even(&fleet);
    fleet.run(Duration::from_secs(40 * 60));
    let mut table = Table::new("8 servers of one priority restart in turn, 30 s apart, each away for 20 s");
    table.says("agents on the fullest server / mean, before", format!("{before:.3}"));
    table.says("the same, when the last is back", format!("{after:.3}"));
    table.at_most("the same, 40 min later", even(&fleet), 1.15, "");
    let attached: usize = fleet.load().iter().sum();
    table.says("agents attached then", attached);
}
