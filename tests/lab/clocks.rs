//! Clocks that jump, and machines that sleep.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::agent::{Agent, Conditions};
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;

const FIRST: &str = Cable::SERVERS[0];

fn servers() -> [Value; 1] {
    [json!({ "address": FIRST, "id": FIRST })]
}

/// Heartbeats are due each second, on a grid. A loaded machine may be late for one, and the next is on time: so no three of them
/// come within half a second. One that is late by a minute waits for another clock.
fn assert_cadence(beats: &[f64]) {
    assert!(beats.windows(3).all(|three| three[2] - three[0] > 0.5), "{beats:?}");
    assert!(beats.windows(2).all(|pair| pair[1] - pair[0] < 60.0), "{beats:?}");
}

/// What puts itself between a program and the time of day.
fn faketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    folders
        .map(|folder| folder.join("faketime/libfaketime.so.1"))
        .find(|library| library.exists())
        .expect("`libfaketime.so.1` is missing; install the package `faketime`")
}

/// A time of day of the agent's own.
struct WallClock {
    file: PathBuf,
    library: PathBuf,
}

impl WallClock {
    fn new(folder: &Path) -> Self {
        let clock = Self { file: folder.join("wall-clock"), library: faketime() };
        clock.set("+0");
        clock
    }

    /// `+10h`: ahead of the machine's; `@1970-01-02 00:00:00`: from there on.
    fn set(&self, time: &str) {
        // In one piece: the agent may read it at any moment.
        let new = self.file.with_extension("new");
        fs::write(&new, time).unwrap();
        fs::rename(&new, &self.file).unwrap();
    }

    fn environment(&self) -> [(&str, &OsStr); 4] {
        [
            ("LD_PRELOAD", self.library.as_os_str()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.as_os_str()),
            ("FAKETIME_NO_CACHE", OsStr::new("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", OsStr::new("1")),
        ]
    }
}

#[test]
fn the_time_of_day_may_jump_and_no_heartbeat_moves() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let manager = Manager::start(&cable.servers, &certificates, FIRST, "well");
    let clock = WallClock::new(folder.path());
    let conditions = Conditions { environment: &clock.environment(), ..Conditions::default() };
    let agent =
        Agent::start_under(&conditions, &cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(FIRST);
    let mut beats = agent.beats_calmly(FIRST, 3);
    for time in ["+10h", "@1970-01-02 00:00:00", "+0"] {
        clock.set(time);
        beats.extend(agent.beats_calmly(FIRST, 3));
    }
    assert_cadence(&beats);
    assert_eq!(manager.count(&cable.servers, "attach"), 1);

    // The jumps were real.
    clock.set("@1970-01-02 00:00:00");
    let year = Command::new("date").arg("+%Y").envs(clock.environment()).output().unwrap();
    assert_eq!(year.stdout, b"1970\n");
}

#[test]
fn on_a_machine_whose_suspended_days_part_its_clocks_heartbeats_keep_their_cadence() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let manager = Manager::start(&cable.servers, &certificates, FIRST, "well");
    // The clock that counts suspended time is ten days ahead of the one that does not, as on a laptop. Who mixed the two up
    // would sleep for days, or not at all.
    let wrapper = ["unshare", "--time", "--boottime", "864000", "--kill-child"];
    let conditions = Conditions { wrapper: &wrapper, ..Conditions::default() };
    let agent =
        Agent::start_under(&conditions, &cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(FIRST);
    assert_cadence(&agent.beats_calmly(FIRST, 5));
    assert_eq!(manager.count(&cable.servers, "attach"), 1);
}

#[test]
fn after_a_sleep_of_many_beats_there_is_one() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let _manager = Manager::start(&cable.servers, &certificates, FIRST, "well");
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(FIRST);
    agent.beats_calmly(FIRST, 2);
    agent.freeze();
    // Longer than the five seconds that no scheduler is late.
    thread::sleep(Duration::from_secs(8));
    agent.thaw();
    // What was missed is one beat, and then the cadence is that of before.
    let woken = [(); 8].map(|()| agent.about("heartbeat", FIRST)["at_ms"].as_f64().unwrap() / 1000.0);
    assert_cadence(&woken);
}
