//! A small management server for trying homing out: `cargo run --example manager -- --help`.
#![allow(clippy::print_stderr, reason = "a program for people to run by hand")]

mod server;
#[path = "../terminal/mod.rs"]
#[allow(dead_code, reason = "it needs no colours")]
mod terminal;

use std::fmt::Display;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lexopt::{Arg, Parser, ValueExt};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use terminal::say;

use server::{Authority, Behaviour, Config, Document, Identity, Manager, Post};

/// What stands on the command line.
struct Arguments {
    name: String,
    listen: IpAddr,
    https: Option<Door>,
    http: Option<Door>,
    ca_out: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
    settings: Document,
    policy: Document,
    behaviour: Behaviour,
    groups: Option<PathBuf>,
}

/// Where to listen for one protocol, as it is written: a port of `--listen`, or an address of its own.
#[derive(Clone, Copy)]
enum Door {
    Port(u16),
    Address(SocketAddr),
}

impl Door {
    fn at(self, listen: IpAddr) -> SocketAddr {
        match self {
            Self::Port(port) => SocketAddr::new(listen, port),
            Self::Address(address) => address,
        }
    }
}

impl FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = text.parse().map(Self::Port);
        port.or_else(|_| text.parse().map(Self::Address))
            .map_err(|_| "it is neither a port nor an address with a port".to_owned())
    }
}

/// Where an HTTPS port goes that does not need a privileged user.
const HTTPS_PORT: u16 = 8443;

fn main() -> ExitCode {
    let arguments = match arguments(Parser::from_env()) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            terminal::write(&help());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("manager: {error}\nTry `--help`.");
            return ExitCode::from(2);
        }
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manager: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let (mut https, mut authority) = (None, None);
    if let Some(door) = arguments.https {
        let address = door.at(arguments.listen);
        let (identity, made) = identity(arguments.identity.as_ref(), address.ip())?;
        (https, authority) = (Some((address, identity)), made);
    }
    let manager = Manager::start(Config {
        name: arguments.name,
        https,
        http: arguments.http.map(|door| door.at(arguments.listen)),
        settings: arguments.settings,
        policy: arguments.policy,
        behaviour: arguments.behaviour,
    })?;
    if let Some(groups) = arguments.groups {
        manager.assign(groups);
    }
    // Not before the ports are ours: another manager may use the file that is there.
    if let Some(authority) = authority {
        hand_out(&authority, arguments.ca_out.as_deref())?;
    }
    for (protocol, address) in [("https", manager.https), ("http", manager.http)] {
        if let Some(address) = address {
            say!("listening on {protocol}://{address}");
        }
    }
    for line in io::stdin().lines() {
        match line?.trim() {
            "" => {}
            "stats" => say!("{}", serde_json::to_string(&manager.counts())?),
            "quit" => {
                manager.stop();
                return Ok(());
            }
            "register" => manager.ask_to_register(),
            told if told.starts_with("tell ") => match post(told) {
                Some(post) => manager.post(post),
                None => eprintln!("manager: `{told}` cannot be told; see --help"),
            },
            how => match how.parse::<Behaviour>() {
                Ok(behaviour) => {
                    manager.misbehave(behaviour);
                    say!("now: {how}");
                }
                Err(error) => eprintln!("manager: {error}"),
            },
        }
    }
    // Nobody types any more (it runs in the background): serve until a signal ends the process.
    loop {
        std::thread::park();
    }
}

/// What a line such as `tell command scan now` has the manager tell its agents.
fn post(line: &str) -> Option<Post> {
    let mut words = line.splitn(4, ' ').skip(1);
    let (kind, name, rest) = (words.next()?, words.next()?.to_owned(), words.next());
    let within = || rest.map_or(Some(0), |rest| rest.parse().ok());
    Some(match kind {
        "settings" => Post::Settings { tag: name, within: within()? },
        "policy" => Post::Policy { tag: name, within: within()? },
        "content" => Post::Content(name),
        "command" => Post::Command(name, rest.unwrap_or_default().as_bytes().to_vec()),
        "drain" => Post::Drain(name.parse().ok()?),
        _ => return None,
    })
}

/// The identity that was asked for, or one of a throw-away authority, and that authority.
fn identity(
    files: Option<&(PathBuf, PathBuf)>,
    address: IpAddr,
) -> Result<(Identity, Option<Authority>), Box<dyn std::error::Error>> {
    if let Some((certificate, key)) = files {
        return Ok((Identity::read(certificate, key)?, None));
    }
    let authority = Authority::new("homing example, throw-away authority")?;
    let identity = authority.issue(&[address.to_string(), "localhost".to_owned()])?;
    Ok((identity, Some(authority)))
}

/// Writes the certificate of the throw-away authority where clients find it.
fn hand_out(authority: &Authority, file: Option<&Path>) -> Result<(), String> {
    let Some(file) = file else {
        say!("clients have to trust a throw-away authority; --ca-out FILE writes its certificate");
        return Ok(());
    };
    fs::write(file, authority.pem()).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    say!("clients have to trust {}", file.display());
    Ok(())
}

/// `None` when help was asked for.
fn arguments(mut parser: Parser) -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments {
        name: "manager".to_owned(),
        listen: Ipv4Addr::LOCALHOST.into(),
        https: None,
        http: None,
        ca_out: None,
        identity: None,
        settings: Document::None,
        policy: Document::Text(bytes::Bytes::from_static(b"{\"policy\":\"example\"}\n")),
        behaviour: Behaviour::Well,
        groups: None,
    };
    let (mut certificate, mut key, mut settings_key) = (None, None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("name") => arguments.name = parser.value()?.string()?,
            Arg::Long("listen") => arguments.listen = parser.value()?.parse()?,
            Arg::Long("https") => arguments.https = Some(parser.value()?.parse()?),
            Arg::Long("http") => arguments.http = Some(parser.value()?.parse()?),
            Arg::Long("ca-out") => arguments.ca_out = Some(parser.value()?.into()),
            Arg::Long("cert") => certificate = Some(parser.value()?.into()),
            Arg::Long("key") => key = Some(parser.value()?.into()),
            Arg::Long("settings") => arguments.settings = Document::File(parser.value()?.into()),
            Arg::Long("settings-key") => settings_key = Some(PathBuf::from(parser.value()?)),
            Arg::Long("policy") => arguments.policy = Document::File(parser.value()?.into()),
            Arg::Long("groups") => arguments.groups = Some(parser.value()?.into()),
            Arg::Long("misbehave") => arguments.behaviour = parser.value()?.parse()?,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => return Err(other.unexpected()),
        }
    }
    if let Some(file) = settings_key {
        let Document::File(settings) = arguments.settings else {
            return Err("--settings-key goes with --settings".into());
        };
        arguments.settings = Document::Signed(settings, signing_key(&file)?);
    }
    arguments.identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return Err("--cert needs --key".into()),
        (None, Some(_)) => return Err("--key needs --cert".into()),
    };
    if arguments.identity.is_some() && arguments.ca_out.is_some() {
        return Err("--ca-out writes the throw-away authority; with --cert there is none".into());
    }
    if arguments.https.is_none() && arguments.http.is_none() {
        arguments.https = Some(Door::Port(HTTPS_PORT));
    }
    Ok(Some(arguments))
}

/// The key that signs settings, as `openssl genpkey -algorithm ed25519` writes it.
fn signing_key(file: &Path) -> Result<Arc<Ed25519KeyPair>, String> {
    let problem = |what: &dyn Display| format!("{}: {what}", file.display());
    let key = PrivatePkcs8KeyDer::from_pem_file(file).map_err(|error| problem(&error))?;
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der())
        .map_err(|error| problem(&error))?;
    say!("settings are signed; agents take them by the key {}", STANDARD.encode(pair.public_key()));
    Ok(Arc::new(pair))
}

fn help() -> String {
    let mut text = format!(
        "A small management server that speaks docs/wire.md, and misbehaves on request.

Usage: manager [OPTIONS]

  --listen ADDRESS    the address to listen on (127.0.0.1)
  --https PORT        listen for HTTPS; 0 takes any free port ({HTTPS_PORT} when neither port is given)
  --http PORT         listen for plain HTTP; 0 takes any free port
                      both also take ADDRESS:PORT
  --cert FILE         certificate chain, PEM, the server's own first; without it a throw-away
                      authority signs a certificate for the address and `localhost`
  --key FILE          the key of that certificate, PEM
  --ca-out FILE       write the throw-away authority's certificate here
  --settings FILE     the settings to hand out, read anew for each request (none)
  --settings-key FILE sign them with this Ed25519 key, PEM (openssl genpkey -algorithm ed25519)
  --policy FILE       the policy to hand out, read anew for each request (a line of JSON)
  --groups FILE       put users and agents into groups: a JSON object of names and groups, read anew for each
                      registration (an agent gets the group it had last, or prefers, or `Default`)
  --name NAME         stands in every answer (manager)
  --misbehave HOW     one of the list below (well)
  --help

While it runs it reads lines from standard input: a HOW of the list below changes its behaviour,
`stats` prints what was asked of it so far (as GET /stats does), `register` asks every agent to
register again, `quit` ends it. To tell the agents that listen:
`tell settings TAG [SECONDS]`, `tell policy TAG [SECONDS]` (read it, within so many seconds), `tell content NAME`,
`tell command NAME [TEXT]`, `tell drain SECONDS`.

HOW is one of
"
    );
    for (how, what) in Behaviour::LIST {
        text.push_str(&format!("  {how:<20}{what}\n"));
    }
    text
}
