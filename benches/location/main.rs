//! How long an agent needs to know where it is: on the wire, with its defaults.
//!
//! `cargo bench --bench location`, as root: it makes two network namespaces with a cable between them (`ip`, `nft`, and
//! `python3` for the cables on which packets take their time) and runs itself in one of them. Each row is the worst of its runs.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a program that measures, not a library"
)]

#[path = "../attach/server.rs"]
mod server;
#[path = "../support/table.rs"]
mod table;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use homing::client::Client;
use homing::engine::{Event, Evidence, Finding};
use homing::settings::{Settings, Situation};
use table::Table;

/// The server that lives.
const LIVING: &str = "10.8.0.1";
const AGENT: &str = "10.8.255.254";
const PORTS: [u16; 4] = [443, 80, 22, 8443];
const LONG: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &words[..] {
        ["serve", how, folder, addresses @ ..] => server::serve(how, Path::new(folder), addresses),
        ["near", servers] => near(&Site { servers: (*servers).to_owned() }),
        ["far", milliseconds] => far(milliseconds.parse()?),
        _ => {
            server::issue(&folder()?, &[LIVING.to_owned()])?;
            let mut outcomes = vec![with_cable(None)];
            // A building, a region, a continent, a satellite.
            outcomes.extend([10, 50, 120, 600].map(|round_trip| with_cable(Some(round_trip))));
            outcomes.into_iter().collect()
        }
    }
}

/// Certificates, in a place that all processes of the bench know.
fn folder() -> Result<PathBuf, Failure> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("location");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Two namespaces and a cable; with a round trip that takes so many milliseconds, or as long as the kernel takes.
fn with_cable(round_trip: Option<u32>) -> Result<(), Failure> {
    let names = ["agent", "servers"].map(|end| format!("homing-location-{end}-{}", std::process::id()));
    for name in &names {
        run(&["ip", "netns", "add", name])?;
    }
    let outcome = measure(&names, round_trip);
    for name in &names {
        run(&["ip", "netns", "delete", name])?;
    }
    outcome
}

fn measure([agent, servers]: &[String; 2], round_trip: Option<u32>) -> Result<(), Failure> {
    let _carrier = match round_trip {
        None => {
            let peer = ["peer", "name", "eth0", "netns", servers];
            run(&[&["ip", "link", "add", "eth0", "netns", agent, "type", "veth"][..], &peer].concat())?;
            None
        }
        Some(round_trip) => {
            let mut command = Command::new("python3");
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/late_cable.py"));
            Some(Process::start(command.args([
                agent,
                servers,
                &(f64::from(round_trip) / 2000.0).to_string(),
            ]))?)
        }
    };
    for (name, address) in [(agent, AGENT), (servers, LIVING)] {
        run(&["ip", "-n", name, "address", "add", &format!("{address}/16"), "dev", "eth0"])?;
        for device in ["lo", "eth0"] {
            run(&["ip", "-n", name, "link", "set", device, "up"])?;
        }
    }
    // The way to everywhere, so that the control leaves this machine; nobody hands it on.
    run(&["ip", "-n", agent, "route", "add", "default", "dev", "eth0"])?;
    // The servers' end is every dead server as well: it refuses what the filter lets through.
    run(&["ip", "-n", servers, "route", "add", "local", "10.8.0.0/24", "dev", "lo"])?;
    let site = Site { servers: servers.clone() };
    site.filter("add table inet bench")?;
    site.filter("add chain inet bench input { type filter hook input priority 0; policy accept; }")?;
    let itself = std::env::current_exe()?.display().to_string();
    let mut serve = Command::new("ip");
    serve.args(["netns", "exec", servers, &itself, "serve", "well"]).arg(folder()?).arg(LIVING);
    let _living = Process::start(&mut serve)?;
    let inside = ["ip", "netns", "exec", agent, &itself];
    match round_trip {
        None => run(&[&inside[..], &["near", servers]].concat()),
        Some(round_trip) => run(&[&inside[..], &["far", &round_trip.to_string()]].concat()),
    }
}

/// Black holes, closed ports, and a cable that is put in.
fn near(site: &Site) -> Result<(), Failure> {
    let dead = |count: u8| (0..count).map(|number| format!("10.8.0.{}", 100 + number)).collect::<Vec<_>>();
    let mut behind_31 = dead(31);
    behind_31.push(LIVING.to_owned());

    let mut table = Table::new("a round, from the start of the client to its finding; worst of its runs");
    site.filter("add rule inet bench input ip daddr 10.8.0.100-10.8.0.131 drop")?;
    let (elapsed, _) = worst(5, &behind_31, &[443], "tls", Finding::is_inside)?;
    table.at_most("32 servers, all black-holed but the last", elapsed, 2.0, "s");
    let (elapsed, _) = worst(3, &dead(32), &[443], "tls", Finding::is_outside)?;
    table.at_most("32 servers, all black-holed", elapsed, 3.5, "s");
    let (elapsed, sockets) = worst(3, &dead(32), &PORTS, "tls", Finding::is_outside)?;
    table.at_most("32 servers with 4 ports each, all black-holed", elapsed, 8.5, "s");
    table.at_most("... sockets at once", sockets.most as f64, 32.0, "");
    table.at_most("... sockets left when it is over", sockets.left as f64, 0.0, "");
    site.filter("flush chain inet bench input")?;
    let (elapsed, sockets) = worst(10, &dead(32), &PORTS, "tls", Finding::is_outside)?;
    table.at_most("32 servers with 4 ports each, all refused", elapsed, 0.3, "s");
    table.at_most("... sockets at once", sockets.most as f64, 32.0, "");
    table.at_most("... sockets left when it is over", sockets.left as f64, 0.0, "");

    let mut table = Table::new("from the moment the cable is in to a location; worst of 3");
    let living = vec![LIVING.to_owned()];
    table.at_most("the first of the list answers", plugged_in(&living, &[443])?, 8.0, "s");
    site.filter("add rule inet bench input ip daddr 10.8.0.100-10.8.0.131 drop")?;
    table.at_most("32 servers with 4 ports each, all black-holed", plugged_in(&dead(32), &PORTS)?, 8.0, "s");
    site.filter("flush chain inet bench input")
}

/// The first answer, on a cable on which packets take their time. Beside it, in turns, what the same cable and the same two
/// cores give a program that does nothing but connect twice, one after the other: that is all a `tcp` round can wait for.
fn far(round_trip: f64) -> Result<(), Failure> {
    let mut table =
        Table::new(&format!("the first of 3 answers, {round_trip} ms round trips; worst of {FAR_RUNS}"));
    let servers = [LIVING, "10.8.0.100", "10.8.0.101"].map(str::to_owned);
    // A bare connection waits for the control, which nobody answers.
    for (proof, bar) in
        [("tcp", (round_trip + 55.0).max(2.0 * round_trip + 5.0)), ("tls", 2.0 * round_trip + 10.0)]
    {
        let (mut all, mut rounds, mut answers, mut plain) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..FAR_RUNS {
            let began = Instant::now();
            for _ in 0..2 {
                TcpStream::connect(SocketAddr::new(LIVING.parse()?, 443))?;
            }
            plain.push(began.elapsed().as_secs_f64() * 1000.0);
            let (at, evidence, _) = first_round(&servers, &[443], proof, Finding::is_inside)?;
            all.push(at * 1000.0);
            rounds.push(evidence.elapsed.0.as_secs_f64() * 1000.0);
            let answer = evidence.asked.first().ok_or("nobody was asked")?;
            answers.push(answer.elapsed.0.as_secs_f64() * 1000.0);
        }
        table.at_most(&format!("proof {proof}, from the start of the client"), most(&all), bar, "ms");
        table.says("... median of the same", format!("{:.1} ms", median(&mut all)));
        table.says(
            "... the round alone, its answer alone (whole milliseconds)",
            format!("{:.0}, {:.0} ms", most(&rounds), most(&answers)),
        );
        table.says(
            "... two plain connections in turns with it: worst, median",
            format!("{:.1}, {:.1} ms", most(&plain), median(&mut plain)),
        );
        // The same bar, for the connections that this machine was able to give.
        let plain = median(&mut plain);
        let (least, slack) =
            if proof == "tcp" { (plain.max(plain / 2.0 + 50.0), 5.0) } else { (plain, 10.0) };
        table.at_most("... what is homing's of it, by the medians", median(&mut all) - least, slack, "ms");
    }
    Ok(())
}

/// Enough to meet a scheduler's bad moment.
const FAR_RUNS: usize = 20;

fn most(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(0.0, f64::max)
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

trait Judged {
    fn is_inside(&self) -> bool;
    fn is_outside(&self) -> bool;
}

impl Judged for Finding {
    fn is_inside(&self) -> bool {
        matches!(self, Self::Internal { .. })
    }

    fn is_outside(&self) -> bool {
        matches!(self, Self::External)
    }
}

/// Sockets of this process, as the system counts them.
#[derive(Clone, Copy, Default)]
struct Sockets {
    most: usize,
    left: usize,
}

/// The longest of so many first rounds, in seconds; each has to find what is expected. Sockets are counted beside it.
fn worst(
    runs: usize,
    servers: &[String],
    ports: &[u16],
    proof: &str,
    expected: fn(&Finding) -> bool,
) -> Result<(f64, Sockets), Failure> {
    let (mut worst, mut sockets) = (0.0_f64, Sockets::default());
    for _ in 0..runs {
        let (over, most) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (at, _, left) = thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    most.fetch_max(dialling().unwrap_or(0), Relaxed);
                    thread::sleep(Duration::from_millis(2));
                }
            });
            let found = first_round(servers, ports, proof, expected);
            over.store(true, Relaxed);
            found
        })?;
        worst = worst.max(at);
        sockets.left = sockets.left.max(left);
        sockets.most = sockets.most.max(most.into_inner());
    }
    Ok((worst, sockets))
}

/// One first round: when it had its finding, in seconds since the client began, what it heard, and how many sockets it left.
fn first_round(
    servers: &[String],
    ports: &[u16],
    proof: &str,
    expected: fn(&Finding) -> bool,
) -> Result<(f64, Box<Evidence>, usize), Failure> {
    let client = start(servers, ports, proof)?;
    let (at, evidence) = wait(&client, |event| match event {
        Event::Round { evidence, .. } => Some(evidence.clone()),
        _ => None,
    })?;
    // Before the client ends, which would close whatever was left.
    let left = dialling()?;
    client.stop(Duration::ZERO);
    if !expected(&evidence.finding) {
        return Err(format!("not what is there: {evidence:#?}").into());
    }
    Ok((at, evidence, left))
}

/// How many connections of this machine are being made or stand. Nothing else is on it.
fn dialling() -> Result<usize, Failure> {
    let mut count = 0;
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let text = std::fs::read_to_string(table)?;
        // The fourth column is the state: 01 stands, 02 is being made.
        count +=
            text.lines().filter(|line| matches!(line.split_whitespace().nth(3), Some("01" | "02"))).count();
    }
    Ok(count)
}

/// The longest of three times from the moment the cable is in to the first location, in seconds.
fn plugged_in(servers: &[String], ports: &[u16]) -> Result<f64, Failure> {
    let mut worst = 0.0_f64;
    for _ in 0..3 {
        run(&["ip", "link", "set", "eth0", "down"])?;
        let client = start(servers, ports, "tls")?;
        thread::sleep(Duration::from_secs(3));
        let situation = client.snapshot().location.map(|location| location.situation);
        if situation != Some(Situation::Unknown) {
            return Err(format!("{situation:?} is claimed without a network").into());
        }
        run(&["ip", "link", "set", "eth0", "up"])?;
        run(&["ip", "route", "replace", "default", "dev", "eth0"])?;
        let began = Instant::now();
        wait(&client, |event| matches!(event, Event::Location { .. }).then_some(()))?;
        worst = worst.max(began.elapsed().as_secs_f64());
        client.stop(Duration::ZERO);
    }
    Ok(worst)
}

/// A client that asks these reference servers and nobody else.
fn start(servers: &[String], ports: &[u16], proof: &str) -> Result<Client, Failure> {
    let policy = serde_json::json!({ "roots": [{ "bundle": folder()?.join("ca.pem") }] });
    let servers: Vec<_> = servers
        .iter()
        .map(|address| serde_json::json!({ "address": address, "ports": ports, "proof": proof, "certificate": policy }))
        .collect();
    let document = serde_json::json!({
        "server_lists": [{ "name": "nobody", "priorities": [{ "servers": [{ "address": "management.invalid" }] }] }],
        "group": { "communication": { "enabled": false } },
        "reference_servers": { "servers": servers },
        // A cable of a tunnel's kind is a cable here.
        "location": { "required_proof": proof, "tunnel_proves_internal": true },
    });
    Ok(Client::builder(document.to_string().parse::<Settings>()?, "agent-1".parse()?).start()?)
}

/// The first event that fits, and when it was, in seconds since the client began.
fn wait<T>(client: &Client, mut fits: impl FnMut(&Event) -> Option<T>) -> Result<(f64, T), Failure> {
    let began = Instant::now();
    while began.elapsed() < LONG {
        let Ok(Some(event)) = client.next_event_timeout(LONG) else { break };
        if let Some(found) = fits(&event.event) {
            return Ok((event.at.as_secs_f64(), found));
        }
    }
    Err(format!("did not come within a minute:\n{}", client.explain()).into())
}

/// The servers' end.
struct Site {
    servers: String,
}

impl Site {
    /// One statement for its packet filter.
    fn filter(&self, statement: &str) -> Result<(), Failure> {
        run(&["ip", "netns", "exec", &self.servers, "nft", statement])
    }
}

/// A process that has said that it is ready; killed when dropped.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line)?;
        Ok(Self(child))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(words: &[&str]) -> Result<(), Failure> {
    let status = Command::new(words[0]).args(&words[1..]).status()?;
    if status.success() { Ok(()) } else { Err(format!("{words:?}: {status}").into()) }
}
