//! What a folder holds when it is opened.
//!
//! Files are read once, oldest first, and never written again: this opening appends to files of its own. So a torn tail is cut by not
//! reading past it. A file that is not wholly readable costs what is damaged and nothing else; one of which nothing can be read is set aside.

use std::collections::BTreeSet;
use std::io;

use super::event::OutboxEvent;
use super::file::{self, Found};
use super::head::{self, Head, Unreadable};
use super::learned::{self, Key};
use super::segment::Segment;
use super::segment_name::SegmentName;
use super::shelf::{ASIDE, Shelf, UNFINISHED, is_exhausted, is_replaced};
use crate::types::Lane;

/// As many files are kept aside; those with the smallest names go first. Together they are smaller than this many full segments.
const MOST_ASIDE: usize = 8;

/// See the module.
#[derive(Default)]
pub(super) struct Recovered {
    pub(super) head: Head,
    /// By lane, oldest first.
    pub(super) segments: [Vec<Segment>; 4],
    /// Files of which everything is done with, and the number behind each one's last.
    pub(super) spent: [Vec<(SegmentName, u64)>; 4],
    /// Reports that could not be read.
    pub(super) damaged: [u64; 4],
    /// How often the folder was opened, this time included.
    pub(super) opening: u32,
    pub(super) events: Vec<OutboxEvent>,
}

/// What a file that cannot be read means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The opening fails, and is tried again.
    Fails,
    SetAside,
}

/// Reads the folder. `opened` is the second of this opening; the granularities are those of the lanes, and the key that of what was
/// learned.
pub(super) fn recover(
    shelf: &mut Shelf,
    opened: u64,
    (granularities, key): ([u64; 4], Key),
    unread: Unread,
) -> io::Result<Recovered> {
    let mut found = Recovered::default();
    let names = shelf.names()?;
    found.head = read_head(shelf, unread, &mut found.events)?;
    found.opening = found.head.opening;
    let mut segments: Vec<SegmentName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    // By lane, then by opening: the oldest come first.
    segments.sort_unstable();
    // What is behind a file that stays waits with it: a server that has seen higher numbers takes lower ones for known.
    let mut held = BTreeSet::new();
    for name in segments {
        found.opening = found.opening.max(name.opening);
        let lane = name.lane as usize;
        if held.contains(&(name.lane, name.series)) {
            continue;
        }
        match read_segment(shelf, name, (opened, granularities[lane], key), unread)? {
            Ok((segment, lost)) => {
                found.damaged[lane] += lost;
                found.put(lane, segment);
            }
            Err(None) => found.spent[lane].push((name, 0)),
            Err(Some(problem)) => {
                found.damaged[lane] += u64::from(problem.counts);
                if problem.stays {
                    held.insert((name.lane, name.series));
                }
                found.set_aside(shelf, &name.to_string(), problem);
            }
        }
    }
    found.opening = found.opening.saturating_add(1);
    for lane in Lane::ALL {
        found.settle(lane);
    }
    tidy(shelf, &names);
    Ok(found)
}

/// What is wrong with a file as a whole.
struct Problem {
    text: String,
    /// A report was in it, at least one.
    counts: bool,
    /// It cannot be told whether it is ours, and it stays as it is.
    stays: bool,
}

impl Problem {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), counts: false, stays: false }
    }
}

fn read_head(shelf: &mut Shelf, unread: Unread, events: &mut Vec<OutboxEvent>) -> io::Result<Head> {
    let opened = shelf.open(head::NAME);
    let bytes = match opened.and_then(|mut file| shelf.read(&mut file, head::MOST_BYTES + 1)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_replaced(&error) => {
            return Ok(Head::default());
        }
        Err(error) if !is_replaced(&error) && (unread == Unread::Fails || is_exhausted(&error)) => {
            return Err(error);
        }
        Err(error) => {
            set_aside(shelf, head::NAME, Problem::new(format!("cannot be read: {error}")), events);
            return Ok(Head::default());
        }
    };
    Head::read(&bytes).or_else(|problem| {
        let problem = match problem {
            Unreadable::Damaged => {
                "is damaged, so reports may be sent again, under the same numbers".to_owned()
            }
            Unreadable::Foreign(version) => format!("has version {version}, and this one reads version 1"),
        };
        set_aside(shelf, head::NAME, Problem::new(problem), events);
        Ok(Head::default())
    })
}

type Outcome = Result<(Segment, u64), Option<Problem>>;

/// `Err(None)`: there is nothing in it. An error of the outer kind ends the opening: the folder cannot be read.
fn read_segment(
    shelf: &mut Shelf,
    name: SegmentName,
    (opened, granularity, key): (u64, u64, Key),
    unread: Unread,
) -> io::Result<Outcome> {
    let opening = shelf.open(&name.to_string());
    let read = opening.and_then(|mut file| shelf.read(&mut file, file::MOST_TO_READ));
    let bytes = match read {
        Ok(bytes) => bytes,
        // It may be ours, when the administrator has mended that.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let text = format!("stays where it is, with what is behind it in its series: {error}");
            return Ok(Err(Some(Problem { stays: true, ..Problem::new(text) })));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Err(Some(Problem { counts: true, ..Problem::new(error.to_string()) })));
        }
        Err(error) if unread == Unread::Fails || is_exhausted(&error) => return Err(error),
        Err(error) => {
            let problem = Problem { counts: true, ..Problem::new(format!("cannot be read: {error}")) };
            return Ok(Err(Some(problem)));
        }
    };
    Ok(match file::scan(&bytes, name, (0, opened), granularity) {
        Found::Entries(mut segment, lost) => {
            if name.lane == Lane::Applications {
                segment.note_all(&bytes, |application| key.digest(application));
            }
            Ok((*segment, lost))
        }
        Found::Empty => Err(None),
        Found::Foreign(version) => Err(Some(Problem::new(format!(
            "has version {version} of the format, and this library reads version {}",
            file::VERSION
        )))),
        Found::Nothing => {
            let problem = "is damaged, and nothing in it can be read";
            Err(Some(Problem { counts: true, ..Problem::new(problem) }))
        }
    })
}

impl Recovered {
    /// Of two files with one number the later one counts: the earlier could not be synced with it.
    fn put(&mut self, lane: usize, segment: Segment) {
        for earlier in self.segments[lane].iter_mut().filter(|earlier| earlier.series == segment.series) {
            earlier.cut(segment.first());
        }
        self.segments[lane].push(segment);
    }

    /// Leaves out what the head says is done with.
    fn settle(&mut self, lane: Lane) {
        let found = std::mem::take(&mut self.segments[lane as usize]);
        for mut segment in found {
            let gone_to = self.head.gone_to(lane, segment.series);
            while !segment.is_spent() && segment.front() <= gone_to {
                segment.pop();
            }
            match &segment.disk {
                Some(disk) if segment.is_spent() => {
                    self.spent[lane as usize].push((disk.name, segment.end()))
                }
                Some(_) | None => self.segments[lane as usize].push(segment),
            }
        }
    }

    fn set_aside(&mut self, shelf: &mut Shelf, name: &str, problem: Problem) {
        set_aside(shelf, name, problem, &mut self.events);
    }
}

fn set_aside(shelf: &mut Shelf, name: &str, problem: Problem, events: &mut Vec<OutboxEvent>) {
    if !problem.stays {
        put_aside(shelf, name);
    }
    events.push(OutboxEvent::SetAside { file: name.to_owned(), problem: problem.text });
}

/// Renames a file so that it is not read again. One that cannot be renamed is in nobody's way.
pub(super) fn put_aside(shelf: &mut Shelf, name: &str) {
    let _ = shelf.put_aside(name);
}

/// Removes what a killed process left behind, and what was aside for longest.
fn tidy(shelf: &mut Shelf, names: &[String]) {
    let is_ours =
        |name: &str| name == head::NAME || name == learned::NAME || name.parse::<SegmentName>().is_ok();
    for name in names {
        if name.strip_suffix(UNFINISHED).is_some_and(is_ours) {
            let _ = shelf.remove(name);
        }
    }
    let aside = |name: &&String| name.strip_suffix(ASIDE).is_some_and(is_ours);
    let mut aside: Vec<&String> = names.iter().filter(aside).collect();
    aside.sort_unstable();
    let surplus = aside.len().saturating_sub(MOST_ASIDE);
    for name in &aside[..surplus] {
        let _ = shelf.remove(name);
    }
}
