//! A process of our own: its lines, its signals, its end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::patience::BOUND;

/// A running process whose standard output is read line by line. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts it, with nothing to read from its standard input.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// Starts it; what it reads comes from [`say`](Self::say).
    pub(crate) fn start_listening(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::piped())
    }

    fn start_with(command: &mut Command, input: Stdio) -> Self {
        command.stdin(input).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// Writes this to its standard input, in one piece.
    pub(crate) fn say(&self, text: &str) {
        let mut input = self.child.stdin.as_ref().expect("it listens");
        input.write_all(text.as_bytes()).unwrap();
    }

    /// The next line for which `wanted` gives something, and that something. Panics when none comes within [`BOUND`],
    /// with all lines that came instead.
    pub(crate) fn line<T>(&self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let end = Instant::now() + BOUND;
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => match wanted(&line) {
                    Some(found) => return found,
                    None => seen.push(line),
                },
                Err(error) => panic!("{what}: did not come ({error}); instead:\n{}", seen.join("\n")),
            }
        }
    }

    /// The same, if one comes within this bound.
    pub(crate) fn line_within<T>(
        &self,
        bound: Duration,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + bound;
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
            if let Some(found) = wanted(&line) {
                return Some(found);
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Kills it as the kernel does, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Waits until it ends by itself. Panics when it does not within [`BOUND`].
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + BOUND;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the process {} did not end", self.child.id());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn end(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
