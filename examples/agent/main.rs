//! An endpoint agent, as small as one can be.
//!
//! `cargo run --example agent` tells a story: one agent, five servers, three priorities, everything on this machine.
//! `cargo run --example agent -- --settings FILE` runs against real servers.
#![allow(clippy::print_stderr, reason = "a program for people to run by hand")]

mod arguments;
mod live;
#[path = "../manager/server/mod.rs"]
#[expect(dead_code, reason = "the story needs only some of what a manager can do")]
mod server;
mod signals;
mod story;
#[path = "../terminal/mod.rs"]
mod terminal;
mod timeline;

use std::process::ExitCode;

use arguments::{Arguments, HELP, Task};

fn main() -> ExitCode {
    let outcome = match Arguments::read(lexopt::Parser::from_env()) {
        Ok(Task::Help) => {
            terminal::write(HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Task::Story(explain)) => story::tell(explain),
        Ok(Task::Live(arguments)) => live::run(&arguments),
        Err(error) => {
            eprintln!("agent: {error}\nTry `--help`.");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("agent: {error}");
            ExitCode::FAILURE
        }
    }
}
