//! Where is this machine? Asks reference servers and prints what each answered. `--help` says how it is used.
//!
//! Without arguments it makes a small lab on loopback: a server that proves itself, one that does not, a closed port and a
//! silent one.
// An example prints.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::wildcard_enum_match_arm)]

mod lab;
#[path = "../terminal/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the page of a probe is a table, which fits")]
mod terminal;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use homing::client::Client;
use homing::engine::Event;
use homing::settings::{Settings, SettingsError, Situation};
use homing::types::Printable;
use lexopt::Arg;

const HELP: &str = "\
Where is this machine? Asks reference servers, prints what each answered, and ends with the verdict.

Usage: probe [--json] [--watch] [--settings FILE [--with-management] | HOST:PORT,PORT ...]

  --settings FILE     ask the reference servers of these settings, and no other server; relative paths
                      in it begin at the working folder
  --with-management   attach to the management servers of these settings as well, as agent `probe`:
                      an exchange with one may show that the machine is inside
  HOST:PORT,PORT      ask these with bare connections; an IPv6 address in brackets: [2001:db8::1]:443
                      (with neither: a small lab on loopback)
  --json              print events, one line of JSON each; the last one is the verdict
  --watch             go on, and print each round and each change of the verdict
  --help

Exit status: 0 inside, 1 outside, 2 unknown (no network, or no reference server), 3 the settings or
arguments are no good.
";

/// Longer than any first location takes on a network that can be used.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Default)]
struct Arguments {
    settings: Option<String>,
    hosts: Vec<String>,
    with_management: bool,
    json: bool,
    watch: bool,
    help: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        // Nobody reads any more.
        Err(error) if error.downcast_ref().is_some_and(is_broken_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("probe: {error}");
            ExitCode::from(3)
        }
    }
}

fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn run() -> Result<u8, Box<dyn Error>> {
    let arguments = arguments()?;
    if arguments.help {
        write!(io::stdout(), "{HELP}")?;
        return Ok(0);
    }
    let (settings, _lab) = match (&arguments.settings, arguments.hosts.as_slice()) {
        (None, _) if arguments.with_management => {
            return Err("--with-management goes with --settings FILE; --help says more".into());
        }
        (Some(_), [_, ..]) => return Err("write --settings or servers, not both; --help says more".into()),
        (Some(file), []) => {
            (std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", Printable(file)))?, None)
        }
        (None, []) => {
            let lab = lab::Lab::new()?;
            (lab.settings(), Some(lab))
        }
        (None, hosts) => (bare(hosts)?, None),
    };
    let named = |error| match &arguments.settings {
        Some(file) => format!("{}: {error}", Printable(file)),
        None => error,
    };
    let mut settings: Settings = settings.parse().map_err(|error: SettingsError| named(error.to_string()))?;
    if !arguments.with_management {
        settings = settings.reference_servers_only();
    }
    let client =
        Client::builder(settings, "probe".parse()?).start().map_err(|error| named(error.to_string()))?;
    Ok(match watch(&client, &arguments)? {
        Situation::Internal | Situation::InternalViaVpn => 0,
        Situation::External | Situation::Captive => 1,
        Situation::Unknown => 2,
    })
}

/// Prints what happens until there is a verdict, or with `--watch` for ever.
fn watch(client: &Client, arguments: &Arguments) -> Result<Situation, Box<dyn Error>> {
    let &Arguments { json, watch, .. } = arguments;
    let (mut page, began) = (io::stdout(), Instant::now());
    let (mut reported, mut located, mut said) = (false, false, String::new());
    loop {
        let Some(location) = client.snapshot().location else {
            eprintln!(
                "probe: these settings have no reference servers, and no location that depends on where the machine is"
            );
            return Ok(Situation::Unknown);
        };
        // The first round is all, whether or not there is a network; an exchange with the management server needs none.
        let is_known = location.situation != Situation::Unknown;
        let over = (reported && (located || !is_known)) || (located && location.attached.is_some());
        if !json && (reported || located) && (watch || over) && said != location.detail {
            writeln!(page, "verdict: {}", location.detail)?;
            said.clone_from(&location.detail);
        }
        let timeout = if watch { Duration::MAX } else { PATIENCE.saturating_sub(began.elapsed()) };
        let event = if over && !watch { None } else { client.next_event_timeout(timeout)? };
        let Some(event) = event else {
            if !json && said.is_empty() {
                writeln!(page, "verdict: {}", location.detail)?;
            }
            return Ok(location.situation);
        };
        if json {
            writeln!(page, "{}", serde_json::to_string(&event)?)?;
        }
        match event.event {
            Event::Round { evidence, .. } => {
                reported = true;
                if watch && !json {
                    writeln!(page, "\n{}", humantime::format_rfc3339_seconds(SystemTime::now()))?;
                }
                if !json {
                    write!(page, "{}", evidence.explain())?;
                }
            }
            Event::Location { .. } => located = true,
            Event::SettingsWarning { warning } if !json => {
                eprintln!("warning: {}", terminal::wrapped(&warning, 9))
            }
            _ => {}
        }
    }
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("settings") => arguments.settings = Some(parser.value()?.string_value()?),
            Arg::Long("with-management") => arguments.with_management = true,
            Arg::Long("json") => arguments.json = true,
            Arg::Long("watch") => arguments.watch = true,
            Arg::Value(host) => arguments.hosts.push(host.string_value()?),
            Arg::Long("help") | Arg::Short('h') => arguments.help = true,
            other => return Err(format!("{}; --help says more", other.unexpected()).into()),
        }
    }
    Ok(arguments)
}

trait StringValue {
    fn string_value(self) -> Result<String, Box<dyn Error>>;
}

impl StringValue for std::ffi::OsString {
    fn string_value(self) -> Result<String, Box<dyn Error>> {
        self.into_string().map_err(|text| format!("{} is not UTF-8", Printable(text.display())).into())
    }
}

/// Settings that ask these and nobody else; `host:port,port`.
fn bare(hosts: &[String]) -> Result<String, Box<dyn Error>> {
    let mut servers = Vec::new();
    for host in hosts {
        let (address, ports) =
            host.rsplit_once(':').ok_or_else(|| format!("{host}: no port; write HOST:PORT"))?;
        let ports: Vec<u64> = ports
            .split(',')
            .map(|port| port.parse().map_err(|_| format!("{host}: `{port}` is no port; write 1 to 65535")))
            .collect::<Result<_, _>>()?;
        servers.push(serde_json::json!({ "address": address, "ports": ports, "proof": "tcp" }));
    }
    Ok(document(&servers.into(), "tcp", None))
}

/// A document of reference servers alone; its management server is never looked for.
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
