//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use homing::client::{RouteChoice, RouteError};
use homing::types::{AgentId, Identity, Name, Span};
use lexopt::{Arg, Parser, ValueExt};

pub(crate) const HELP: &str = "\
An endpoint agent, as small as one can be.

Usage: agent                        a story: one agent, five servers, three priorities, on this machine
       agent --settings FILE ...    run against the servers of these settings until Ctrl-C; SIGHUP
                                    reads them again

  --settings FILE   the settings document (docs/settings.md)
  --ca FILE         trust the authorities of this PEM file, and no others, instead of what the
                    settings say
  --tuning FILE     constants of the rules, as JSON; `{ \"time_scale\": 0.1 }` runs ten times as fast,
                    and prints the times of the field
  --state FOLDER    remember there what the next run should know; made if it is not there
  --accept          take the settings that the servers send, on trial; those of --settings are
                    the first ones
  --outbox FOLDER   keep reports there until a server has them, and submit a report for each line of
                    standard input: `KIND TEXT`, for example `risk_found eicar.com in /tmp`; kinds are
                    risk_found, intrusion, cookie_found, system_change, status, log, application
  --id ID           the id of this agent, often a UUID; two agents with one id are one (example-agent)
  --user NAME       who is logged on: the agent registers with the server, which decides about its group
  --group NAME      the group it would be in; the agent registers as well
  --route ROUTE     a way to the servers: `direct`, or a proxy as `[USER:PASSWORD@]HOST:PORT`,
                    percent-encoded; may be given several times and is tried in that order (direct)
  --for DURATION    end after this time, for example 60s; without any server attached, exit status 1
  --json            print one event per line, as JSON
  --explain         print the decision table at the end: why this server, and why not the others
  --help

Colour is used on a terminal, unless NO_COLOR is set.
";

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task {
    Help,
    /// Tell the story; `true` prints the decision table at the end.
    Story(bool),
    Live(Box<Arguments>),
}

/// How to run against real servers.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) settings: PathBuf,
    pub(crate) authority: Option<PathBuf>,
    pub(crate) tuning: Option<PathBuf>,
    pub(crate) state: Option<PathBuf>,
    pub(crate) outbox: Option<PathBuf>,
    pub(crate) id: Option<AgentId>,
    pub(crate) identity: Option<Identity>,
    pub(crate) routes: Vec<RouteChoice>,
    pub(crate) duration: Option<Duration>,
    pub(crate) json: bool,
    pub(crate) explain: bool,
    pub(crate) accept: bool,
}

impl Arguments {
    pub(crate) fn read(mut parser: Parser) -> Result<Task, lexopt::Error> {
        let (mut settings, mut authority, mut tuning, mut state) = (None, None, None, None);
        let (mut outbox, mut user, mut group) = (None, None, None);
        let mut routes = Vec::new();
        let (mut id, mut duration, mut json, mut explain, mut accept) = (None, None, false, false, false);
        // What makes no sense in the story, as it was written.
        let mut live = None;
        while let Some(argument) = parser.next()? {
            if let Arg::Long(
                name @ ("ca" | "tuning" | "state" | "outbox" | "id" | "user" | "group" | "route" | "for"
                | "json" | "accept"),
            ) = argument
            {
                live = Some(format!("--{name}"));
            }
            match argument {
                Arg::Long("settings") => settings = Some(parser.value()?.into()),
                Arg::Long("ca") => authority = Some(parser.value()?.into()),
                Arg::Long("tuning") => tuning = Some(parser.value()?.into()),
                Arg::Long("state") => state = Some(parser.value()?.into()),
                Arg::Long("outbox") => outbox = Some(parser.value()?.into()),
                Arg::Long("id") => id = Some(parser.value()?.parse()?),
                Arg::Long("user") => user = Some(parser.value()?.parse::<Name>()?),
                Arg::Long("group") => group = Some(parser.value()?.parse::<Name>()?),
                Arg::Long("route") => routes.push(route(&parser.value()?.string()?)?),
                Arg::Long("for") => duration = Some(parser.value()?.parse::<Span>()?.0),
                Arg::Long("json") => json = true,
                Arg::Long("explain") => explain = true,
                Arg::Long("accept") => accept = true,
                Arg::Short('h') | Arg::Long("help") => return Ok(Task::Help),
                other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => return Err(other.unexpected()),
            }
        }
        let registers = user.is_some() || group.is_some();
        let identity = Identity::default().with_user(user).with_preferred_group(group);
        match (settings, live) {
            (Some(settings), _) => Ok(Task::Live(Box::new(Self {
                settings,
                authority,
                tuning,
                state,
                outbox,
                id,
                identity: registers.then_some(identity),
                routes,
                duration,
                json,
                explain,
                accept,
            }))),
            (None, Some(switch)) => Err(format!("{switch} goes with --settings FILE").into()),
            (None, None) => Ok(Task::Story(explain)),
        }
    }
}

/// Not by `ValueExt::parse`, whose error would repeat the password.
fn route(text: &str) -> Result<RouteChoice, String> {
    text.parse().map_err(|error: RouteError| format!("--route: {error}"))
}
