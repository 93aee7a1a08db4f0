//! What a server shows, whether it is believed, and if not, what to do about it.
//!
//! `cargo run --example inspect -- HOST:PORT [--settings FILE]`. It asks the same question as an agent does, with the same
//! code; only the connection is its own, so that a chain nobody believes can be looked at.
#![allow(clippy::print_stderr, reason = "a program for people to run by hand")]

mod arguments;
mod handshake;
mod report;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use arguments::{Arguments, HELP, Task};
use homing::client::read_policy;
use homing::settings::{CertificatePolicy, Protocol, Settings};
use homing::trust::{Time, Timestamp};
use homing::types::Printable;
use lexopt::Parser;

/// The certificate is believed.
const ACCEPTED: u8 = 0;
/// It is not, or the server does not want us.
const REJECTED: u8 = 1;
/// It was not seen: nobody answers, or nothing can be asked.
const UNKNOWN: u8 = 2;

fn main() -> ExitCode {
    let (status, text) = run(Parser::from_env());
    if status == UNKNOWN {
        eprint!("{text}");
    } else {
        // Behind `| head` nothing may read it.
        let _ = io::stdout().write_all(text.as_bytes());
    }
    ExitCode::from(status)
}

/// The exit status, and what is printed.
pub(crate) fn run(parser: Parser) -> (u8, String) {
    let looked = match Arguments::read(parser) {
        Ok(Task::Help) => return (ACCEPTED, HELP.to_owned()),
        Ok(Task::Look(arguments)) => look(&arguments),
        Err(error) => return (UNKNOWN, format!("inspect: {error}\nTry `--help`.\n")),
    };
    looked.unwrap_or_else(|error| (UNKNOWN, format!("inspect: {error}\n")))
}

fn look(arguments: &Arguments) -> Result<(u8, String), Box<dyn Error>> {
    let (settings, place) = policy(arguments)?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let time = Time::new(Timestamp(now));
    let policy = read_policy(&settings, &place, time)?;
    let handshake = handshake::shake_hands(arguments, &settings, &policy)?;
    let (believed, text) = report::report(arguments, &place, &policy, &handshake, time);
    Ok((if believed { ACCEPTED } else { REJECTED }, text))
}

/// The policy the settings have for this server, and where they have it; without settings the default.
fn policy(arguments: &Arguments) -> Result<(CertificatePolicy, String), Box<dyn Error>> {
    let Arguments { host, port, settings: file } = arguments;
    let Some(file) = file else {
        return Ok((CertificatePolicy::default(), "the default policy".to_owned()));
    };
    let failed = |error: &dyn Error| format!("{}: {error}", Printable(file.display()));
    let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
    let settings: Settings = text.parse().map_err(|error| failed(&error))?;
    let managers = settings.lists().iter().flat_map(|list| list.servers()).map(|(_, server)| server);
    let manager = managers
        .filter(|server| server.protocol == Protocol::Https)
        .find(|server| server.host == *host && server.port == *port)
        .map(|server| server.policy);
    let reference = || {
        let mut servers = settings.reference_servers().iter();
        servers.find(|server| server.host == *host && server.ports.contains(port)).map(|server| server.policy)
    };
    let Some(index) = manager.or_else(reference).map(usize::from) else {
        return Err(
            format!("{}: names no https server at {host}, port {port}", Printable(file.display())).into()
        );
    };
    let policy = settings.policies().get(index).ok_or("the settings lost a policy")?;
    Ok((policy.clone(), settings.policy_place(index).to_owned()))
}
