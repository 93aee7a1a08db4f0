//! Where is this machine? Asks reference servers and prints what each answered.
//!
//! `cargo run --example probe` makes a small lab on loopback: a server that proves itself, one that does not, a closed
//! port and a silent one. `probe --settings FILE` asks those of a document; `probe HOST:PORT,PORT …` asks these with
//! bare connections. `--json` prints events as they are, `--watch` goes on and prints each round.
//!
//! Exit code: 0 inside, 1 outside, 2 unknown, 3 the settings are no good.
// An example prints.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::wildcard_enum_match_arm)]

mod lab;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use homing::client::Client;
use homing::engine::{Event, Evidence, Reply};
use homing::settings::{Settings, Situation};
use lexopt::Arg;

const USAGE: &str = "usage: probe [--json] [--watch] [--settings FILE | HOST:PORT,PORT ...]";

/// Longer than any first location takes.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Default)]
struct Arguments {
    settings: Option<String>,
    hosts: Vec<String>,
    json: bool,
    watch: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(situation) => ExitCode::from(match situation {
            Situation::Internal | Situation::InternalViaVpn => 0,
            Situation::External | Situation::Captive => 1,
            Situation::Unknown => 2,
        }),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
    }
}

fn run() -> Result<Situation, Box<dyn Error>> {
    let arguments = arguments()?;
    let (settings, _lab) = match (&arguments.settings, arguments.hosts.as_slice()) {
        (Some(file), _) => (std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?, None),
        (None, []) => {
            let lab = lab::Lab::new()?;
            (lab.settings(), Some(lab))
        }
        (None, hosts) => (bare(hosts)?, None),
    };
    let settings: Settings = settings.parse()?;
    let client = Client::builder(settings).agent_id("probe".parse()?).start()?;
    let mut reported = false;
    // Without `--watch` the first round is all; a location that no round gives comes by itself.
    while let Some(event) = client.next_event(if arguments.watch { Duration::MAX } else { PATIENCE }) {
        if arguments.json {
            println!("{}", serde_json::to_string(&event)?);
        }
        match event.event {
            Event::Round { evidence, .. } => {
                reported = true;
                if !arguments.json {
                    print!("{}", table(&evidence));
                }
            }
            Event::Location { reason, .. } if !arguments.json => println!("{reason}"),
            _ => {}
        }
        let located = client.snapshot().location;
        let known = located.as_ref().is_some_and(|location| location.situation != Situation::Unknown);
        if !arguments.watch
            && known
            && (reported || located.is_some_and(|location| location.attached.is_some()))
        {
            break;
        }
    }
    let location = client.snapshot().location;
    if let (Some(location), false) = (&location, arguments.json) {
        println!("verdict: {}", location.reason);
    }
    Ok(location.map_or(Situation::Unknown, |location| location.situation))
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("settings") => arguments.settings = Some(parser.value()?.string_value()?),
            Arg::Long("json") => arguments.json = true,
            Arg::Long("watch") => arguments.watch = true,
            Arg::Value(host) => arguments.hosts.push(host.string_value()?),
            Arg::Long("help") | Arg::Short('h') => return Err(USAGE.into()),
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    Ok(arguments)
}

trait StringValue {
    fn string_value(self) -> Result<String, Box<dyn Error>>;
}

impl StringValue for std::ffi::OsString {
    fn string_value(self) -> Result<String, Box<dyn Error>> {
        self.into_string().map_err(|text| format!("{} is not UTF-8", text.display()).into())
    }
}

/// Settings that ask these and nobody else; `host:port,port`.
fn bare(hosts: &[String]) -> Result<String, Box<dyn Error>> {
    let mut servers = Vec::new();
    for host in hosts {
        let (address, ports) = host.rsplit_once(':').ok_or_else(|| format!("{host}: no port\n{USAGE}"))?;
        let ports: Vec<u64> = ports
            .split(',')
            .map(|port| port.parse().map_err(|_| format!("{host}: `{port}` is no port")))
            .collect::<Result<_, _>>()?;
        servers.push(serde_json::json!({ "address": address, "ports": ports, "proof": "tcp" }));
    }
    Ok(document(&servers.into(), "tcp", None))
}

/// A document of reference servers alone; its agent does not look for the management server.
fn document(servers: &serde_json::Value, required: &str, control: Option<&str>) -> String {
    let manager = serde_json::json!({ "address": "management.invalid" });
    serde_json::json!({
        "server_lists": [{ "name": "nobody", "priorities": [{ "servers": [manager] }] }],
        "group": { "communication": { "enabled": false } },
        "reference_servers": { "limit": 320, "servers": servers },
        "location": { "required_proof": required, "control": control.into_iter().collect::<Vec<_>>() },
    })
    .to_string()
}

fn table(evidence: &Evidence) -> String {
    let mut lines = format!("{:<32} {:>5}  {:<6} {:<56} {}\n", "server", "port", "wanted", "answer", "time");
    for asked in &evidence.asked {
        let answer = match &asked.reply {
            Reply::Proved { proof, tunnel, counts } => {
                let way = if *tunnel { ", through a tunnel" } else { "" };
                let worth = if *counts { "" } else { ", which is too little" };
                format!("proof {}{way}{worth}", proof.word())
            }
            Reply::NotBelieved { detail }
            | Reply::Refused { detail }
            | Reply::NoAddress { detail }
            | Reply::NotSent { detail } => detail.clone(),
            Reply::Silent {} => "no answer".to_owned(),
            Reply::NotAwaited {} => "not waited for".to_owned(),
            _ => "?".to_owned(),
        };
        lines += &format!(
            "{:<32} {:>5}  {:<6} {answer:<56} {}\n",
            asked.server,
            asked.port,
            asked.wanted.word(),
            asked.elapsed
        );
    }
    for control in &evidence.control {
        lines += &format!("{:<46} {}\n", format!("control {}", control.what), control.reply);
    }
    lines + &format!("this round: {} after {}\n", evidence.finding.explain(), evidence.elapsed)
}
