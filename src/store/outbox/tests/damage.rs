//! Files that were cut, flipped, replaced or put there by others.

use std::fs;
use std::path::PathBuf;

use super::*;

const REPORTS: u8 = 6;

/// A folder in which six reports wait in one segment, and the name of that.
fn folder_of_six() -> (tempfile::TempDir, PathBuf, String) {
    let above = scratch();
    let path = above.path().join("outbox");
    let outbox = open(&path, &Watch::new());
    for n in 0..REPORTS {
        submit(&outbox, ReportKind::RiskFound, vec![n; 5 + usize::from(n)]);
    }
    drop(outbox);
    let name = names(&path).into_iter().find(|name| name.starts_with("critical")).unwrap();
    (above, path, name)
}

/// Opens the folder; the reports that are left, by their bodies, and how many were counted as damaged.
fn open_and_count(path: &Path) -> (Vec<u8>, u64) {
    let outbox = open(path, &Watch::new());
    let damaged = outbox.account(Lane::Critical).dropped.damaged;
    let left = bodies(&outbox, Lane::Critical);
    for body in &left {
        assert_eq!(*body, vec![body[0]; 5 + usize::from(body[0])], "what is given out is what was submitted");
    }
    assert!(left.is_sorted());
    assert_exact(&outbox);
    // It goes on, and nothing is done twice.
    submit(&outbox, ReportKind::RiskFound, "more");
    assert_eq!(bodies(&outbox, Lane::Critical), [b"more"]);
    drop(outbox);
    let again = open(path, &Watch::new());
    assert!(again.take(Lane::Critical, 1000).is_none());
    assert_eq!(again.account(Lane::Critical).recovered, 0, "counted once");
    (left.into_iter().map(|body| body[0]).collect(), damaged)
}

/// Where each entry ends, after the header of the file.
fn ends() -> Vec<usize> {
    let mut at = file::HEADER;
    (0..usize::from(REPORTS))
        .map(|n| {
            at += entry::HEADER + 5 + n;
            at
        })
        .collect()
}

#[test]
fn a_file_cut_at_any_byte_loses_what_is_behind_the_cut() {
    let (_above, path, name) = folder_of_six();
    let whole = fs::read(path.join(&name)).unwrap();
    let head = fs::read(path.join("head")).unwrap();
    for cut in 0..whole.len() {
        fs::write(path.join(&name), &whole[..cut]).unwrap();
        fs::write(path.join("head"), &head).unwrap();
        let (left, damaged) = open_and_count(&path);
        let ends = ends();
        let expected = ends.iter().filter(|&&end| end <= cut).count();
        assert_eq!(left, (0..REPORTS).take(expected).collect::<Vec<_>>(), "{cut}");
        // Between two entries nothing shows that there were more; an empty file never held any.
        let clean = cut <= file::HEADER || ends.contains(&cut);
        assert_eq!(damaged, u64::from(!clean), "{cut}");
    }
}

#[test]
fn a_flipped_byte_loses_the_report_it_is_in_and_no_other() {
    let (_above, path, name) = folder_of_six();
    let whole = fs::read(path.join(&name)).unwrap();
    let head = fs::read(path.join("head")).unwrap();
    for at in 0..whole.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= mask;
            fs::write(path.join(&name), &bytes).unwrap();
            fs::write(path.join("head"), &head).unwrap();
            let hit = ends().iter().position(|&end| at < end).filter(|_| at >= file::HEADER);
            let expected: Vec<u8> = (0..REPORTS).filter(|&n| hit != Some(n.into())).collect();
            assert_eq!(open_and_count(&path), (expected, u64::from(hit.is_some())), "{at} {mask}");
        }
    }
}

#[test]
fn a_damaged_head_costs_nothing_but_a_second_delivery() {
    let (_above, path, _) = folder_of_six();
    let outbox = open(&path, &Watch::new());
    let batch = outbox.take(Lane::Critical, 1000).unwrap();
    outbox.settle(&batch, 4);
    drop(outbox);
    let head = fs::read(path.join("head")).unwrap();
    for at in 0..head.len() {
        let mut bytes = head.clone();
        bytes[at] ^= 0x10;
        fs::write(path.join("head"), &bytes).unwrap();
        let outbox = open(&path, &Watch::new());
        let waits = outbox.take(Lane::Critical, 1000).unwrap();
        assert_eq!((waits.first(), waits.last(), waits.series()), (1, 6, batch.series()));
        assert!(
            matches!(&events(&outbox)[..], [OutboxEvent::SetAside { file, .. }] if file == "head"),
            "it is told"
        );
    }
}

#[test]
fn a_file_of_next_year_is_set_aside_whole_and_told() {
    let (_above, path, name) = folder_of_six();
    let mut bytes = fs::read(path.join(&name)).unwrap();
    bytes[8] = 2;
    let check = crc32fast::hash(&bytes[..36]);
    bytes[36..40].copy_from_slice(&check.to_le_bytes());
    fs::write(path.join(&name), &bytes).unwrap();
    let outbox = open(&path, &Watch::new());
    assert!(outbox.take(Lane::Critical, 1000).is_none());
    let told = events(&outbox);
    assert!(
        matches!(&told[..], [OutboxEvent::SetAside { file, problem }]
            if *file == name && problem.contains("version 2")),
        "{told:?}"
    );
    assert_eq!(fs::read(path.join(format!("{name}.aside"))).unwrap(), bytes);
    drop(outbox);
    assert_eq!(events(&open(&path, &Watch::new())), [], "told once");
}

#[test]
fn a_file_of_which_nothing_can_be_read_is_set_aside_and_few_are_kept() {
    let (_above, path, name) = folder_of_six();
    let watch = Watch::new();
    for turn in 0..20 {
        fs::write(path.join(format!("{}{turn:08x}", &name[..name.len() - 8])), vec![turn; 300]).unwrap();
        let outbox = open(&path, &watch);
        assert_eq!(outbox.account(Lane::Critical).dropped.damaged, 1, "{turn}");
        assert_exact(&outbox);
    }
    let aside = names(&path).iter().filter(|name| name.ends_with(".aside")).count();
    assert!((8..=9).contains(&aside), "{aside}");
}

#[test]
fn a_body_that_looks_like_an_entry_is_none_even_behind_a_damaged_header() {
    let above = scratch();
    let path = above.path().join("outbox");
    let outbox = open(&path, &Watch::new());
    let series = outbox.shared.lines[0].state().series();
    // What one who does not know the series can do: all is right but the check sums' beginning.
    let mut forged = vec![0; 7];
    let salt = entry::Salt::new(Lane::Critical, Series(series.0 ^ 1));
    entry::write(&mut forged, salt, (2, 1_800_000_000), ReportKind::RiskFound, b"forged");
    submit(&outbox, ReportKind::RiskFound, forged);
    submit(&outbox, ReportKind::RiskFound, "true");
    drop(outbox);
    let name = names(&path).into_iter().find(|name| name.starts_with("critical")).unwrap();
    let mut bytes = fs::read(path.join(&name)).unwrap();
    bytes[file::HEADER] ^= 1;
    fs::write(path.join(&name), bytes).unwrap();
    let outbox = open(&path, &Watch::new());
    assert_eq!(bodies(&outbox, Lane::Critical), [b"true"]);
    assert_eq!(outbox.account(Lane::Critical).dropped.damaged, 1);
}

#[test]
fn a_report_that_is_damaged_while_it_waits_is_dropped_and_the_others_are_sent() {
    let (_above, path, name) = folder_of_six();
    let outbox = open(&path, &Watch::new());
    let mut bytes = fs::read(path.join(&name)).unwrap();
    bytes[ends()[2] - 1] ^= 1;
    fs::write(path.join(&name), bytes).unwrap();
    let left: Vec<u8> = bodies(&outbox, Lane::Critical).iter().map(|body| body[0]).collect();
    assert_eq!(left, [0, 1, 3, 4, 5]);
    assert_eq!(outbox.account(Lane::Critical).dropped.damaged, 1);
    assert_eq!(events(&outbox), [OutboxEvent::Damaged { lane: Lane::Critical, reports: 1 }]);
    outbox.flush().unwrap();
    assert!(path.join(format!("{name}.aside")).exists(), "kept for a look");
    assert_exact(&outbox);
}

#[test]
fn what_is_in_the_folder_and_not_ours_is_left_alone() {
    let (_above, path, name) = folder_of_six();
    let others = ["notes.txt", "critical", "critical-0-0-0", "head.txt", "x.new", "x.aside"];
    for other in others {
        fs::write(path.join(other), "somebody else's").unwrap();
    }
    fs::write(path.join("head.new"), "half a head").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", path.join(format!("{}ffffffff", &name[..name.len() - 8])))
        .unwrap();
    let outbox = open(&path, &Watch::new());
    assert_eq!(bodies(&outbox, Lane::Critical).len(), usize::from(REPORTS));
    drop(outbox);
    let left = names(&path);
    assert!(others.iter().all(|other| left.iter().any(|name| name == other)), "{left:?}");
    assert!(!left.iter().any(|name| name == "head.new"), "{left:?}");
}

#[test]
fn a_folder_restored_from_last_week_gives_no_number_twice() {
    let (above, path, _) = folder_of_six();
    let backup = above.path().join("backup");
    let copy = |from: &Path, to: &Path| {
        fs::create_dir_all(to).unwrap();
        for name in names(from) {
            fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    };
    copy(&path, &backup);
    let mut seen = std::collections::BTreeMap::new();
    for week in 0..3 {
        let outbox = open(&path, &Watch::new());
        let new: Vec<_> =
            (0..4).map(|n| submit(&outbox, ReportKind::RiskFound, format!("{week}-{n}"))).collect();
        for (id, body) in drain(&outbox, Lane::Critical) {
            assert_eq!(*seen.entry(id).or_insert_with(|| body.clone()), body, "{id}");
        }
        assert!(new.iter().all(|id| seen.contains_key(id)));
        drop(outbox);
        fs::remove_dir_all(&path).unwrap();
        copy(&backup, &path);
    }
    assert_eq!(seen.len(), usize::from(REPORTS) + 12);
}

#[cfg(unix)]
#[test]
fn what_is_in_the_place_of_a_file_is_set_aside_and_counted() {
    let link = |at: &Path| std::os::unix::fs::symlink("/etc/passwd", at).unwrap();
    let pipe = |at: &Path| {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap()
    };
    let folder = |at: &Path| fs::create_dir(at).unwrap();
    for put in [link as fn(&Path), pipe, folder] {
        let (_above, path, name) = folder_of_six();
        fs::remove_file(path.join(&name)).unwrap();
        put(&path.join(&name));
        let outbox = open(&path, &Watch::new());
        let told = events(&outbox);
        assert!(
            told.iter().any(|event| matches!(event, OutboxEvent::SetAside { file, problem }
                if *file == name && problem.contains("in its place"))),
            "{told:?}"
        );
        assert!(told.contains(&OutboxEvent::Damaged { lane: Lane::Critical, reports: 1 }), "{told:?}");
        let left = names(&path);
        assert!(left.contains(&format!("{name}.aside")) && !left.contains(&name), "{left:?}");
        assert_exact(&outbox);

        // The same while it is in use, before it was read.
        let (_above, path, name) = folder_of_six();
        let outbox = open(&path, &Watch::new());
        fs::remove_file(path.join(&name)).unwrap();
        put(&path.join(&name));
        assert!(outbox.take(Lane::Critical, 1000).is_none());
        assert_eq!(outbox.account(Lane::Critical).dropped.damaged, 6);
        assert_exact(&outbox);
    }
}

#[cfg(unix)]
#[test]
fn a_file_with_wrong_rights_stays_with_what_is_behind_it_until_that_is_mended() {
    use std::os::unix::fs::PermissionsExt;
    let above = scratch();
    let path = above.path().join("outbox");
    let open = || open_with(&path, &small(4096, 1000), &Watch::new(), Arc::new(|| Box::new(Real)));
    let outbox = open();
    for n in 0..6 {
        submit(&outbox, ReportKind::RiskFound, vec![n; 100]);
    }
    drop(outbox);
    let files: Vec<_> = names(&path).into_iter().filter(|name| name.starts_with("critical")).collect();
    let second = path.join(&files[1]);
    let set_mode = |mode| fs::set_permissions(&second, fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o666);
    let outbox = open();
    let told = events(&outbox);
    assert!(
        matches!(&told[..], [OutboxEvent::SetAside { file, problem }]
            if *file == files[1] && problem.contains("chmod go-w") && problem.contains("stays")),
        "{told:?}"
    );
    let sent: Vec<u8> = bodies(&outbox, Lane::Critical).iter().map(|body| body[0]).collect();
    assert_eq!(sent, [0, 1]);
    outbox.flush().unwrap();
    drop(outbox);
    set_mode(0o600);
    let sent: Vec<u8> = bodies(&open(), Lane::Critical).iter().map(|body| body[0]).collect();
    assert_eq!(sent, [2, 3, 4, 5]);
}
