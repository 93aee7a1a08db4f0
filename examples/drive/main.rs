//! An agent in a `poll(2)` loop of its own: homing decides, this program does.
//!
//! `drive SETTINGS.json AGENT_ID ['{"time_scale":0.1}']`
//!
//! It speaks plain HTTP/1.1 to the `http` servers of the settings, and prints what happens as lines of JSON. A product
//! has such a loop already, and TLS, and a resolver that does not block; what it takes from here is how the engine
//! is told and asked. `examples/c` has the same in C and C++.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people to run by hand")]

#[cfg(target_os = "linux")]
mod agent;
#[cfg(target_os = "linux")]
mod link;
#[cfg(target_os = "linux")]
mod wire;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

const USAGE: &str = "usage: drive SETTINGS.json AGENT_ID [TUNING]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match *arguments {
        ["--help" | "-h"] => {
            // Behind `| head` nothing may read it.
            let _ = writeln!(
                io::stdout(),
                "An agent in a poll loop of its own, over plain http. TUNING is JSON, as in docs/rules.md.\n\n{USAGE}"
            );
            return ExitCode::SUCCESS;
        }
        [settings, id] => run(settings, id, None),
        [settings, id, tuning] => run(settings, id, Some(tuning)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("drive: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
use agent::run;

#[cfg(not(target_os = "linux"))]
fn run(_: &str, _: &str, _: Option<&str>) -> Result<(), Box<dyn std::error::Error>> {
    Err("this example is for Linux: it waits by the system's own poll".into())
}
