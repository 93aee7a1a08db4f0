//! A folder of an outbox in which bytes were changed, files cut, renamed, doubled or added: it opens, what is given out was submitted
//! before, and it goes on.
#![no_main]

use std::path::{Path, PathBuf};

use homing::store::outbox::{LaneLimits, Limits, Outbox};
use homing::types::{Durability, Lane, Report, ReportKind};
use libfuzzer_sys::{arbitrary, fuzz_target};

#[derive(arbitrary::Arbitrary, Debug)]
enum Change {
    Flip {
        file: u8,
        at: u16,
        mask: u8,
    },
    Cut {
        file: u8,
        at: u16,
    },
    Insert {
        file: u8,
        at: u16,
        bytes: Vec<u8>,
    },
    Append {
        file: u8,
        bytes: Vec<u8>,
    },
    Remove {
        file: u8,
    },
    /// Under another number, lane or ending.
    Copy {
        file: u8,
        at: u8,
        to: u8,
    },
    Add {
        name: u8,
        bytes: Vec<u8>,
    },
}

#[derive(arbitrary::Arbitrary, Debug)]
struct Input {
    lengths: Vec<u8>,
    settled: u8,
    changes: Vec<Change>,
}

fn open(folder: &Path) -> Outbox {
    let lane = LaneLimits { bytes: 16 << 10, ..Limits::default().log };
    Outbox::open(folder, Limits { critical: lane, log: lane, ..Limits::default() })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn change(folder: &Path, change: Change) {
    let files = files(folder);
    let pick = |file: u8| files.get(usize::from(file) % files.len().max(1)).cloned();
    let edit = |file: u8, edit: &dyn Fn(&mut Vec<u8>)| {
        let Some(path) = pick(file) else { return };
        let Ok(mut bytes) = std::fs::read(&path) else { return };
        edit(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    };
    match change {
        Change::Flip { file, at, mask } => edit(file, &|bytes| {
            let at = usize::from(at) % bytes.len().max(1);
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= mask);
        }),
        Change::Cut { file, at } => edit(file, &|bytes| bytes.truncate(usize::from(at))),
        Change::Insert { file, at, bytes: new } => edit(file, &|bytes| {
            let at = usize::from(at).min(bytes.len());
            bytes.splice(at..at, new.iter().copied());
        }),
        Change::Append { file, bytes: new } => edit(file, &|bytes| bytes.extend_from_slice(&new)),
        Change::Remove { file } => pick(file).into_iter().for_each(|path| drop(std::fs::remove_file(path))),
        Change::Copy { file, at, to } => {
            let Some(path) = pick(file) else { return };
            let mut name = path.file_name().unwrap().to_str().unwrap().to_owned().into_bytes();
            let at = usize::from(at) % name.len();
            name[at] = b"0123456789abcdef-.n"[usize::from(to) % 19];
            let name = String::from_utf8(name).unwrap();
            if !name.starts_with('.') {
                let _ = std::fs::copy(&path, folder.join(name));
            }
        }
        Change::Add { name, bytes } => {
            let names =
                ["head", "head.new", "learned", "head.aside", "log-00000001-0000000000000001-00000001"];
            std::fs::write(folder.join(names[usize::from(name) % names.len()]), bytes).unwrap();
        }
    }
}

fuzz_target!(|input: Input| {
    let above = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let folder = above.path().join("outbox");
    let first = open(&folder);
    let mut bodies = Vec::new();
    for (number, length) in input.lengths.iter().take(40).enumerate() {
        let kind = if length % 2 == 0 { ReportKind::RiskFound } else { ReportKind::Log };
        // Bodies of zeros, and some that look like something.
        let body = vec![(number as u8 % 3).wrapping_mul(*length); usize::from(*length) * 8];
        bodies.push(body.clone());
        let _ = first.submit(Report { kind, body }, Durability::Durable);
    }
    if let Some(batch) = first.take(Lane::Critical, 2000) {
        first.settle(&batch, batch.first() + u64::from(input.settled));
    }
    drop(first);
    input.changes.into_iter().take(20).for_each(|one| change(&folder, one));

    for _ in 0..2 {
        let outbox = open(&folder);
        while outbox.poll_event().is_some() {}
        for lane in [Lane::Critical, Lane::Log] {
            while let Some(batch) = outbox.take(lane, 3000) {
                for report in batch.reports() {
                    assert!(
                        bodies.iter().any(|body| *body == report.body),
                        "{} was never submitted",
                        report.id
                    );
                }
                assert!(outbox.settle(&batch, batch.last()) > 0, "never a loop");
            }
            let account = outbox.account(lane);
            assert_eq!(account.submitted + account.recovered, account.sent + account.dropped.total());
        }
        let report = Report { kind: ReportKind::Intrusion, body: vec![9] };
        let id = outbox.submit(report, Durability::Durable).expect("it goes on");
        let batch = outbox.take(Lane::Critical, 100).expect("it was just submitted");
        assert_eq!(batch.reports().next().map(|report| report.id), Some(id));
        outbox.settle(&batch, batch.last());
    }
});
