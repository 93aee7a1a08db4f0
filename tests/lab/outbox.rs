//! The outbox on a disk that is full or slow, and in a folder of another user.

use std::path::{Path, PathBuf};
use std::process::Command;

use homing::store::outbox::{Limits, Outbox, OutboxEvent};
use homing::types::{Durability, Lane, Report, ReportKind, SubmitError};
use serde_json::json;

use crate::agent::{Agent, Conditions};
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;
use crate::patience::soon;

/// A file system in memory of one megabyte, for as long as it is held.
struct Tiny {
    above: tempfile::TempDir,
}

impl Tiny {
    fn mount() -> Self {
        let above = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"])
            .arg(above.path())
            .status();
        assert!(mounted.unwrap().success());
        Self { above }
    }

    fn folder(&self) -> PathBuf {
        self.above.path().join("outbox")
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.above.path()).status();
    }
}

fn submit(outbox: &Outbox, body: &str) -> Result<u64, SubmitError> {
    let body = format!("{body}{}", "x".repeat(1000)).into_bytes();
    outbox.submit(Report { kind: ReportKind::Intrusion, body }, Durability::Durable).map(|id| id.number)
}

fn numbers(folder: &Path) -> Vec<u64> {
    let outbox = Outbox::open(folder, Limits::default());
    let mut numbers = Vec::new();
    while let Some(batch) = outbox.take(Lane::Critical, 1 << 20) {
        numbers.extend(batch.reports().map(|report| report.id.number));
        outbox.settle(&batch, batch.last());
    }
    numbers
}

#[test]
fn a_full_disk_costs_durability_and_no_report_and_is_used_again_when_there_is_room() {
    let disk = Tiny::mount();
    let outbox = Outbox::open(disk.folder(), Limits::default());
    let mut durable = 0;
    while let Ok(number) = submit(&outbox, "") {
        durable = number;
    }
    assert!(durable > 800, "{durable}");
    assert!(matches!(outbox.poll_event(), Some(OutboxEvent::NotStored { .. })));
    // All that follow are taken, in memory.
    for _ in 0..100 {
        assert!(matches!(submit(&outbox, ""), Err(SubmitError::NotDurable { .. })));
    }
    let batch = outbox.take(Lane::Critical, 4 << 20).unwrap();
    assert_eq!((batch.first(), batch.last()), (1, durable + 101));
    outbox.settle(&batch, durable);
    outbox.flush().unwrap();
    assert_eq!(outbox.poll_event(), Some(OutboxEvent::Stored));
    let next = submit(&outbox, "").unwrap();
    drop(outbox);
    assert!(numbers(&disk.folder()).into_iter().eq(durable + 1..=next));
}

#[test]
fn a_folder_of_another_user_is_refused_until_it_is_ours() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("outbox");
    std::fs::create_dir(&folder).unwrap();
    let give_to = |user: &str| {
        assert!(Command::new("chown").arg(user).arg(&folder).status().unwrap().success());
    };
    give_to("65534");
    let outbox = Outbox::open(&folder, Limits::default());
    let Err(SubmitError::NotDurable { problem, .. }) = submit(&outbox, "a") else { panic!("it was used") };
    assert!(problem.contains("belongs to user 65534"), "{problem}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    give_to("0");
    outbox.flush().unwrap();
    submit(&outbox, "b").unwrap();
    drop(outbox);
    assert_eq!(numbers(&folder), [1, 2]);
}

#[test]
fn a_disk_that_takes_its_time_for_a_durable_report_stops_no_heartbeat() {
    const SERVER: &str = "10.77.0.11";
    let folder = tempfile::tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &[SERVER]);
    let manager = Manager::start(&cable.servers, &certificates, SERVER, "well");
    let said = folder.path().join("said");
    // Each sync takes 25 s.
    let slow = "exec strace -D -f -qq -o /dev/null -e trace=fdatasync -e inject=fdatasync:delay_enter=25000000 \"$@\" 2>";
    let slow = format!("{slow}{}", said.display());
    let outbox = folder.path().join("outbox");
    let arguments = ["--outbox", outbox.to_str().unwrap()];
    let wrapper = ["sh", "-c", &slow, "sh"];
    let conditions = Conditions { wrapper: &wrapper, arguments: &arguments, ..Conditions::default() };
    let servers = [json!({ "address": SERVER, "id": SERVER })];
    let agent =
        Agent::start_under(&conditions, &cable.agent, folder.path(), &certificates.authority, &servers);
    agent.attaches_to(SERVER);
    agent.reports("system_change a driver was loaded");
    soon("the report is not in the folder", || has_a_report(&outbox).then_some(()));
    let before = manager.count(&cable.servers, "beat");
    soon("heartbeats have stopped", || (manager.count(&cable.servers, "beat") >= before + 4).then_some(()));
    let told = std::fs::read_to_string(&said).unwrap();
    assert!(!told.contains("reported as"), "the sync is under way all the time: {told}");
}

/// Something was written to a lane.
fn has_a_report(folder: &Path) -> bool {
    let text = b"a driver was loaded";
    let Ok(files) = std::fs::read_dir(folder) else { return false };
    files
        .flatten()
        .filter_map(|file| std::fs::read(file.path()).ok())
        .any(|bytes| bytes.windows(text.len()).any(|window| window == text))
}
