//! Are these settings any good? Reads a settings document as an agent would, and asks no server.
//!
//! `cargo run --example check -- FILE`; `--help` says more.
#![allow(clippy::print_stderr, reason = "a program for people to run by hand")]

mod findings;
mod report;
#[path = "../terminal/mod.rs"]
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use findings::Findings;
use lexopt::{Arg, Parser};

const HELP: &str = "\
Are these settings any good? Reads a settings document and the files it names, as an agent would. No
server is asked.

Usage: check [--json] FILE

  FILE      the settings document (docs/settings.md); relative paths in it begin at the working folder
  --json    print one JSON object instead of a page
  --help

It prints what is wrong, what is probably a mistake, and which fields this version does not enforce;
then, for the group and for each location, every setting in force and the level that wrote it, and
what each server list resolves to.

Exit status: 0 all is well, 1 the settings can be used and there are warnings, 2 they cannot be used,
or the arguments are wrong.
";

fn main() -> ExitCode {
    let (file, json) = match arguments(Parser::from_env()) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            terminal::write(HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("check: {error}\nTry `--help`.");
            return ExitCode::from(2);
        }
    };
    let findings = Findings::of(&file);
    if json {
        terminal::write(&format!("{}\n", report::json(&file, &findings)));
    } else {
        report::print(&file, &findings);
    }
    ExitCode::from(findings.status())
}

/// The file, and whether JSON is wanted; `None` when help is.
fn arguments(mut parser: Parser) -> Result<Option<(PathBuf, bool)>, lexopt::Error> {
    let (mut file, mut json) = (None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("json") => json = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(value) if file.is_none() => file = Some(PathBuf::from(value)),
            other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => return Err(other.unexpected()),
        }
    }
    file.map(|file| Some((file, json))).ok_or_else(|| "no file; write `check FILE`".into())
}
