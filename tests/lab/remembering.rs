//! Agents with a state folder, killed and started again, and what a full disk and a dead name service do to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::{Cable, Namespace};
use crate::patience::soon;
use crate::tools::{run, tool};

const SERVER: &str = Cable::SERVERS[0];

/// A name for the server.
const NAME: &str = "first.lab";

/// A disk of this size, mounted for a test. Unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: PathBuf, size: &str) -> Self {
        fs::create_dir(&folder).unwrap();
        let options = format!("size={size},mode=0700");
        run(tool("mount", "mount").args(["-t", "tmpfs", "-o", &options, "homing-lab"]).arg(&folder));
        Self(folder)
    }

    /// Fills it to the last byte; the file to remove for room.
    fn fill(&self) -> PathBuf {
        let filling = self.0.join("filling");
        let error = fs::write(&filling, vec![0; 1024 * 1024]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        filling
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = tool("umount", "mount").arg(&self.0).status();
    }
}

fn agent(namespace: &Namespace, folder: &Path, authority: &Path, address: &str, state: &Path) -> Agent {
    let servers = [json!({ "address": address, "id": address })];
    Agent::start_with(namespace, folder, authority, &servers, &["--state", state.to_str().unwrap()])
}

/// The memory, once it knows the server.
fn stored(state: &Path) -> String {
    soon("the server is not remembered", || {
        fs::read_to_string(state.join("memory")).ok().filter(|memory| memory.contains(NAME))
    })
}

#[test]
fn an_agent_that_was_killed_finds_its_server_though_no_name_resolves_any_more() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &[SERVER, NAME]);
    let _manager = Manager::start(&cable.servers, &certificates, SERVER, "well");
    let state = folder.path().join("state");
    let start = || agent(&cable.agent, folder.path(), &certificates.authority, NAME, &state);
    cable.agent.names(&[(NAME, &[SERVER])]);
    let first = start();
    first.attaches_to(NAME);
    stored(&state);
    first.kill();
    cable.agent.names(&[]);
    start().attaches_to(NAME);
    // It is the memory that does it.
    fs::remove_dir_all(&state).unwrap();
    start().fails(NAME, "name");
}

#[test]
fn a_full_disk_costs_the_memory_and_nothing_else_until_there_is_room() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &[SERVER, NAME]);
    cable.agent.names(&[(NAME, &[SERVER])]);
    let _manager = Manager::start(&cable.servers, &certificates, SERVER, "well");
    let disk = Disk::mount(folder.path().join("disk"), "64k");
    let state = disk.0.join("state");
    fs::DirBuilder::new().create(&state).unwrap();
    let filling = disk.fill();
    let agent = agent(&cable.agent, folder.path(), &certificates.authority, NAME, &state);
    agent.attaches_to(NAME);
    let told = |events: &[Value], name: &str| events.iter().filter(|event| event["event"] == *name).count();
    let mut events = Vec::new();
    while told(&events, "cannot_remember") == 0 || told(&events, "store_problem") == 0 {
        events.extend(agent.until("heartbeat"));
    }
    // It is tried again with each heartbeat, and told once: the memory is not stored without the settings that it names.
    events.extend((0..3).flat_map(|_| agent.until("heartbeat")));
    let problems: Vec<_> = events.iter().filter(|event| event["event"] == "store_problem").collect();
    let problem = problems[0]["problem"].as_str().unwrap();
    assert!(problems.len() == 1 && problem.contains("/settings-1: "), "{events:#?}");
    assert_eq!(told(&events, "cannot_remember"), 1, "{events:#?}");
    soon("something half written is left", || (fs::read_dir(&state).unwrap().count() == 0).then_some(()));
    fs::remove_file(filling).unwrap();
    agent.event("store_recovered", |_| true);
    stored(&state);
    assert!(state.join("settings-1").exists(), "what the memory names is there");
}

#[test]
fn an_agent_that_ends_does_not_wait_for_a_name_nobody_looks_up() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &[SERVER]);
    // The system's resolver gives up after two and a half minutes.
    cable.drop_packets_to(SERVER);
    cable.agent.name_servers(&[SERVER], "timeout:30 attempts:5");
    let state = folder.path().join("state");
    let mut agent = agent(&cable.agent, folder.path(), &certificates.authority, "nowhere.lab", &state);
    agent.event("searching", |_| true);
    soon("the name server is asked", || (cable.dropped_packets() > 0).then_some(()));
    let started = Instant::now();
    assert!(agent.interrupt().success());
    assert!(started.elapsed() < Duration::from_secs(100), "{:?}", started.elapsed());
}
