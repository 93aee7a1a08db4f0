//! The command line.

use std::path::PathBuf;

use homing::settings::DEFAULT_HTTPS_PORT;
use homing::types::Host;
use lexopt::{Arg, Parser, ValueExt};

pub(crate) const HELP: &str = "\
What a server shows, whether it is believed, and if not, what to do about it.

Usage: inspect HOST[:PORT] [--settings FILE]

  HOST[:PORT]       an address or a name; an IPv6 address with a port in brackets: [2001:db8::1]:443 (port 443)
  --settings FILE   judge by the policy these settings have for this server (the public authorities);
                    paths in it are relative to the working folder
  --help

Exit status: 0 believed, 1 rejected, 2 not seen (unreachable, no TLS, settings or arguments that cannot be used).
";

/// What is to be done.
pub(crate) enum Task {
    Help,
    Look(Arguments),
}

/// Whom to look at, and by which policy.
pub(crate) struct Arguments {
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) settings: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn read(mut parser: Parser) -> Result<Task, lexopt::Error> {
        let (mut target, mut settings) = (None, None);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Short('h') | Arg::Long("help") => return Ok(Task::Help),
                Arg::Long("settings") => settings = Some(parser.value()?.into()),
                Arg::Value(text) if target.is_none() => target = Some(self::target(&text.string()?)?),
                other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => return Err(other.unexpected()),
            }
        }
        let (host, port) = target.ok_or("which server? write HOST:PORT")?;
        Ok(Task::Look(Self { host, port, settings }))
    }
}

fn target(text: &str) -> Result<(Host, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
        // More than one colon is an IPv6 address without a port.
        None if text.matches(':').count() == 1 => {
            text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
        }
        None => (text, None),
    };
    let port = match port {
        None => DEFAULT_HTTPS_PORT,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err(format!("`{port}` is no port; write 1 to 65535")),
            Ok(port) => port,
        },
    };
    Ok((host.parse().map_err(|error| format!("`{host}` {error}"))?, port))
}
