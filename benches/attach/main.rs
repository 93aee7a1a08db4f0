//! How long an agent needs to attach behind dead servers, and to leave a server that dies while attached.
//!
//! `cargo bench --bench attach`, as root: it makes a network namespace of its own (`ip`, `nft`) and runs itself in
//! it. Servers are processes; the agent is the library's client with its defaults, over TLS. Each row is the worst
//! of its runs. The living server stands last: it has weight 0, or the last priority.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a program that measures, not a library"
)]

mod server;
#[path = "../support/table.rs"]
mod table;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use homing::client::{Client, ClientEvent};
use homing::engine::{Event, Reason, Tuning};
use homing::settings::Settings;
use table::Table;

const LIVING: &str = "10.9.0.1";
/// The second living one, for the agent to move to.
const OTHER: &str = "10.9.0.2";
const RUNS: usize = 10;
const LONG: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &words[..] {
        ["serve", how, folder, addresses @ ..] => server::serve(how, Path::new(folder), addresses),
        ["inside"] => measure(),
        _ => {
            let name = format!("homing-attach-{}", std::process::id());
            run(&["ip", "netns", "add", &name])?;
            let itself = std::env::current_exe()?.display().to_string();
            let outcome = run(&["ip", "netns", "exec", &name, &itself, "inside"]);
            run(&["ip", "netns", "delete", &name])?;
            outcome
        }
    }
}

fn run(words: &[&str]) -> Result<(), Failure> {
    let status = Command::new(words[0]).args(&words[1..]).status()?;
    if status.success() { Ok(()) } else { Err(format!("{words:?}: {status}").into()) }
}

fn dead(number: usize) -> String {
    format!("10.9.1.{number}")
}

fn measure() -> Result<(), Failure> {
    let site = Site::new()?;
    let _living = site.serve("well", &[LIVING.to_owned()])?;

    let mut table = Table::new("attach, from the start of the client to the answer that counts; worst of 10");
    site.black_hole("10.9.1.0/24", true)?;
    for (ahead, bar) in [(1, 0.35), (3, 0.6), (7, 1.0), (9, 1.3)] {
        table.at_most(
            &format!("{ahead} black-holed ahead in the same priority"),
            site.worst(ahead, false)?,
            bar,
            "s",
        );
    }
    for (ahead, bar) in [(1, 1.6), (3, 3.6)] {
        let what = format!("one server per priority, {ahead} black-holed ahead");
        table.at_most(&what, site.worst(ahead, true)?, bar, "s");
    }
    site.black_hole("10.9.1.0/24", false)?;
    table.at_most("9 ahead that refuse the connection", site.worst(9, false)?, 0.15, "s");
    for (how, what, bar) in [
        ("wrong", "9 ahead with a certificate of an unknown authority", 0.15),
        ("busy", "9 ahead that answer 503", 0.15),
        ("silent", "9 ahead that accept TCP and stay silent", 2.5),
    ] {
        let _dead = site.serve(how, &(1..=9).map(dead).collect::<Vec<_>>())?;
        table.at_most(what, site.worst(9, false)?, bar, "s");
    }

    let mut table =
        Table::new("the server in use dies; from the moment the next heartbeat was due; worst of 3");
    let worst = |how, kept| -> Result<(f64, f64), Failure> {
        let mut worst = (0.0_f64, 0.0_f64);
        for _ in 0..3 {
            let (opinion, moved) = site.lose(how, kept)?;
            worst = (worst.0.max(opinion), worst.1.max(moved));
        }
        Ok(worst)
    };
    table.at_most("killed: the heartbeat is answered by another", worst(Death::Killed, false)?.1, 0.3, "s");
    table.at_most(
        "black-holed: the heartbeat is answered by another",
        worst(Death::BlackHoled, false)?.1,
        0.6,
        "s",
    );
    for (how, what) in [(Death::BlackHoled, "black-holed"), (Death::Frozen, "frozen (SIGSTOP)")] {
        let (opinion, moved) = worst(how, true)?;
        table.at_most(&format!("{what}, on a kept connection: a second opinion is begun"), opinion, 2.1, "s");
        table.at_most(&format!("{what}, on a kept connection: another server is active"), moved, 2.5, "s");
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Death {
    Killed,
    BlackHoled,
    Frozen,
}

/// The namespace, its addresses and its certificates.
struct Site {
    folder: PathBuf,
}

impl Site {
    fn new() -> Result<Self, Failure> {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("attach");
        std::fs::create_dir_all(&folder)?;
        let addresses: Vec<String> =
            [LIVING, OTHER].map(str::to_owned).into_iter().chain((1..=9).map(dead)).collect();
        run(&["ip", "link", "set", "lo", "up"])?;
        for address in &addresses {
            run(&["ip", "address", "add", &format!("{address}/32"), "dev", "lo"])?;
        }
        run(&["nft", "add table inet bench"])?;
        run(&["nft", "add chain inet bench input { type filter hook input priority 0; policy accept; }"])?;
        server::issue(&folder, &addresses)?;
        Ok(Self { folder })
    }

    /// What goes to these addresses is lost without a word, or no longer is.
    fn black_hole(&self, addresses: &str, lost: bool) -> Result<(), Failure> {
        if lost {
            run(&["nft", &format!("add rule inet bench input ip daddr {addresses} drop")])
        } else {
            run(&["nft", "flush chain inet bench input"])
        }
    }

    fn serve(&self, how: &str, addresses: &[String]) -> Result<Process, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", how]).arg(&self.folder).args(addresses);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line)?;
        Ok(Process(child))
    }

    fn settings(&self, priorities: &[Vec<(String, u32)>]) -> Result<Settings, Failure> {
        let server = |(address, weight): &(String, u32)| serde_json::json!({ "id": address, "address": address, "weight": weight });
        let priorities: Vec<_> = priorities
            .iter()
            .map(|servers| serde_json::json!({ "servers": servers.iter().map(server).collect::<Vec<_>>() }))
            .collect();
        let document = serde_json::json!({
            "certificate": { "roots": [{ "bundle": self.folder.join("ca.pem") }] },
            "server_lists": [{ "name": "main", "priorities": priorities }],
        });
        Ok(document.to_string().parse()?)
    }

    /// The longest of ten attaches behind so many dead servers, in seconds.
    fn worst(&self, ahead: usize, priority_each: bool) -> Result<f64, Failure> {
        let living = (LIVING.to_owned(), 0);
        let mut dead: Vec<_> = (1..=ahead).map(|number| (dead(number), 1)).collect();
        dead.push(living);
        let priorities =
            if priority_each { dead.into_iter().map(|server| vec![server]).collect() } else { vec![dead] };
        let mut worst = 0.0_f64;
        for agent in 0..RUNS {
            let client =
                Client::builder(self.settings(&priorities)?, format!("agent-{agent}").parse()?).start()?;
            let at = wait(&client, |event| matches!(event.event, Event::Attached { .. }))?.at;
            worst = worst.max(at.as_secs_f64());
            client.stop(Duration::ZERO);
        }
        Ok(worst)
    }

    /// An attached agent loses its server in this way and then makes a heartbeat, on a `kept` connection or on a
    /// new one, as with the usual interval. Seconds until others are tried, and until a heartbeat is answered by another.
    fn lose(&self, how: Death, kept: bool) -> Result<(f64, f64), Failure> {
        let own = self.serve("well", &[OTHER.to_owned()])?;
        let settings = self.settings(&[vec![(OTHER.to_owned(), 1), (LIVING.to_owned(), 0)]])?;
        let keep = if kept { "600s" } else { "60s" };
        let tuning = format!(r#"{{ "attachment": {{ "keep_alive": "{keep}" }} }}"#);
        let client = Client::builder(settings, "agent-1".parse()?)
            .tuning(Tuning::parse(tuning.as_bytes())?)
            .start()?;
        wait(
            &client,
            |event| matches!(&event.event, Event::Attached { server, .. } if server.as_str() == OTHER),
        )?;
        // Nobody is dialled twice in a second.
        thread::sleep(Duration::from_millis(1200));
        match how {
            Death::Killed => drop(own),
            Death::BlackHoled => self.black_hole(OTHER, true)?,
            Death::Frozen => run(&["kill", "-STOP", &own.0.id().to_string()])?,
        }
        thread::sleep(Duration::from_millis(100));
        let due = Instant::now();
        client.beat_now();
        let mut opinion = None;
        wait(&client, |event| {
            if let Event::Searching {
                reason: Reason::ServerSilent | Reason::ServerSlow | Reason::ServerFailed,
                ..
            } = event.event
            {
                opinion.get_or_insert(due.elapsed());
            }
            matches!(&event.event, Event::Heartbeat { server, .. } if server.as_str() == LIVING)
        })?;
        let moved = due.elapsed().as_secs_f64();
        client.stop(Duration::ZERO);
        self.black_hole(OTHER, false)?;
        Ok((opinion.unwrap_or_default().as_secs_f64(), moved))
    }
}

/// A server; killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first event that fits.
fn wait(client: &Client, mut fits: impl FnMut(&ClientEvent) -> bool) -> Result<ClientEvent, Failure> {
    let began = Instant::now();
    while began.elapsed() < LONG {
        let Ok(Some(event)) = client.next_event_timeout(LONG) else { break };
        if fits(&event) {
            return Ok(event);
        }
    }
    Err(format!("did not come within a minute:\n{}", client.explain()).into())
}
