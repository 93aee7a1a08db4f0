//! The folder of an outbox: opened, locked, recovered, and kept tidy.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::event::OutboxEvent;
use super::group::Line;
use super::head::{self, Head};
use super::lane::Grave;
use super::learned::{self, Learned};
use super::pen::Pen;
use super::recovery::{self, Recovered, Unread};
use super::shelf::{Shelf, Shelves, Systems};
use super::time::Now;
use crate::platform::logging;
use crate::store::system::{Found, Place, System};
use crate::types::{Lane, Printable};

/// How long a folder that cannot be used is left alone by the thread, in seconds. A durable submit always tries a folder that was opened.
const PATIENCE: u64 = 30;

/// A folder with a file that cannot be read is tried this often before the file is given up. What is there must not be taken for
/// lost because of a passing fault, and one bad file must not keep the others waiting for ever.
const MOST_FAILED: u32 = 3;

/// What a pass over the folder writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// What has to be.
    Brief,
    /// Also the head for reports that were dropped alone, which would else be found again, and dropped again, at the next
    /// opening; and what was learned of applications.
    Thorough,
}

/// See the module.
pub(super) struct Home {
    path: PathBuf,
    systems: Systems,
    /// Here while the folder can be used.
    open: Option<Open>,
    /// It was there once; should it vanish, it is not made again.
    used: bool,
    /// It is not tried before this second.
    retry_at: u64,
    /// How often in a row it could not be read.
    failed: u32,
}

struct Open {
    shelf: Shelf,
    opening: u32,
    /// The head as it is on the disk.
    head: Head,
}

impl Home {
    pub(super) fn new(path: &Path, systems: Systems) -> Self {
        // Put together anew, without a final slash: that would lead through a symbolic link.
        let path = path.components().collect();
        Self { path, systems, open: None, used: false, retry_at: 0, failed: 0 }
    }

    /// One pass: opens the folder if it is not, writes what waits in memory, the head, and removes what is not needed. What was noticed
    /// goes to `events`.
    pub(super) fn pass(
        &mut self,
        (lines, learned): (&[Line; 4], &Mutex<Learned>),
        now: Now,
        pass: Pass,
        events: &mut Vec<OutboxEvent>,
    ) -> Result<(), String> {
        let done = self.attach((lines, learned), now, events).and_then(|()| {
            // An application counts as reported only when its report is on the disk.
            let applications = changed(learned, now, pass);
            // First, because it may make room.
            let tidied = self.tidy(lines, Pass::Brief);
            let flushed: Vec<_> = lines.iter().map(|line| line.flush_all(now)).collect();
            flushed.into_iter().collect::<Result<(), _>>().map_err(io::Error::other)?;
            self.tidy(lines, pass).and(tidied)?;
            self.keep(applications)
        });
        if done.is_err() {
            // Whatever was to be kept of it.
            learned.lock().unwrap_or_else(PoisonError::into_inner).changed = true;
        }
        self.retry_at = if done.is_ok() { 0 } else { now.boot.saturating_add(PATIENCE) };
        for line in lines {
            let group = &mut line.state().group;
            group.called = false;
            group.retry_at = self.retry_at;
            if let Err(error) = &done
                && !group.attached
            {
                group.problem = self.told(error);
            }
        }
        done.map_err(|error| self.told(&error))
    }

    pub(super) fn told(&self, error: &io::Error) -> String {
        format!("the outbox folder {} cannot be used: {error}", Printable(self.path.display()))
    }

    fn attach(
        &mut self,
        (lines, learned): (&[Line; 4], &Mutex<Learned>),
        now: Now,
        events: &mut Vec<OutboxEvent>,
    ) -> io::Result<()> {
        match self.look(lines) {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Some(Err(_)) | None => {}
        }
        // One lane has found out that the folder is not usable any more, so the others must not use it either.
        let problem = "the folder was removed";
        for line in lines {
            let mut state = line.state();
            if state.is_detached() {
                continue;
            }
            if state.pen.is_none() {
                // A leader is at work, and finds out for itself.
                return Err(io::Error::new(io::ErrorKind::NotFound, problem));
            }
            state.detach(problem);
        }
        self.open = None;
        let (shelves, recovered) = self.enter((lines, learned), now)?;
        let Recovered { head, segments, spent, damaged, opening, events: told } = recovered;
        events.extend(told);
        let found = segments.into_iter().zip(spent).zip(damaged);
        for (line, ((segments, spent), damaged)) in lines.iter().zip(found) {
            let mut state = line.state();
            state.adopt(segments, spent, damaged);
            state.attach(shelves.clone(), Pen::new(shelves.shelf(), now), opening);
        }
        self.open = Some(Open { shelf: shelves.shelf(), opening, head });
        self.used = true;
        Ok(())
    }

    /// Whether the folder that is open can be used. `None`: none is open, or a lane has given it up.
    fn look(&mut self, lines: &[Line; 4]) -> Option<io::Result<()>> {
        let open = self.open.as_mut()?;
        if lines.iter().any(|line| line.state().is_detached()) {
            return None;
        }
        let looked = open.shelf.look();
        let refused = looked.as_ref().err().filter(|error| error.kind() == io::ErrorKind::PermissionDenied);
        for line in lines {
            match refused {
                Some(error) => line.state().suspend(&error.to_string()),
                None => line.state().resume(),
            }
        }
        // A look that fails otherwise says nothing about the folder.
        let tells = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
        };
        Some(looked.or_else(|error| if tells(&error) { Err(error) } else { Ok(()) }))
    }

    /// Opens the folder for this outbox alone, and reads what is in it.
    fn enter(
        &mut self,
        (lines, learned): (&[Line; 4], &Mutex<Learned>),
        now: Now,
    ) -> io::Result<(Shelves, Recovered)> {
        let mut system = (self.systems)();
        let place = system.open_folder(&self.path, !self.used)?;
        if let Found::Refused(problem) = system.look_at_folder(&place)? {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("it {problem}")));
        }
        self.lock(&mut *system, &place)?;
        let shelves = Shelves::new(Arc::clone(&self.systems), place);
        let mut shelf = shelves.shelf();
        let granularities = Lane::ALL.map(|lane| lines[lane as usize].state().granularity());
        let unread = if self.failed < MOST_FAILED { Unread::Fails } else { Unread::SetAside };
        let kept = read_learned(&mut shelf);
        let key = learned.lock().unwrap_or_else(PoisonError::into_inner).key_of(&kept);
        let recovered = recovery::recover(&mut shelf, now.boot, (granularities, key), unread);
        self.failed = if recovered.is_ok() { 0 } else { self.failed + 1 };
        let recovered = recovered?;
        let mut learned = learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.read(&kept);
        if recovered.damaged[Lane::Applications as usize] > 0 {
            // Which ones these were cannot be told.
            learned.forget();
        }
        drop(learned);
        Ok((shelves, recovered))
    }

    fn lock(&self, system: &mut dyn System, place: &Place) -> io::Result<()> {
        match system.lock(place) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let problem = "it is in use by another outbox, in this process or another; give each a folder of its own";
                Err(io::Error::new(io::ErrorKind::ResourceBusy, problem))
            }
            Err(error) => {
                let path = Printable(self.path.display());
                logging::record!(
                    Warn,
                    "cannot lock the outbox folder {path}, so a second outbox would not be noticed: {error}"
                );
                Ok(())
            }
        }
    }

    /// Keeps what was learned.
    fn keep(&mut self, applications: Option<Vec<u8>>) -> io::Result<()> {
        let (Some(open), Some(applications)) = (&mut self.open, applications) else { return Ok(()) };
        open.shelf.replace(learned::NAME, &applications)
    }

    /// Writes the head, and then removes the files that it makes superfluous.
    fn tidy(&mut self, lines: &[Line; 4], pass: Pass) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut graves: Vec<Vec<Grave>> = Vec::new();
        let mut head = Head { opening: open.opening, gone: Vec::new() };
        let mut settled = false;
        for (line, lane) in lines.iter().zip(Lane::ALL) {
            let mut state = line.state();
            settled |= std::mem::take(&mut state.settled);
            head.gone.extend(state.gone().into_iter().map(|(series, number)| (lane, series, number)));
            graves.push(state.take_graves());
        }
        let removes = graves.iter().any(|graves| !graves.is_empty());
        if !removes && !settled && pass == Pass::Brief && head.opening == open.head.opening {
            return Ok(());
        }
        let mut done = Ok(());
        if head != open.head {
            done = open.shelf.replace(head::NAME, &head.write());
        }
        // On a full disk there may be no room for a new head until something is removed, and a head that cannot be written for whatever
        // else must not fill the disk. That costs a second delivery at worst.
        if done.is_err() && removes {
            done = remove(&mut open.shelf, &mut graves)
                .and_then(|()| open.shelf.replace(head::NAME, &head.write()));
        }
        let done = done.and_then(|()| {
            open.head = head;
            remove(&mut open.shelf, &mut graves)
        });
        for (line, graves) in lines.iter().zip(graves) {
            let mut state = line.state();
            state.settled |= done.is_err();
            state.keep_graves(graves);
        }
        done
    }
}

/// What was learned, if that should be kept now.
fn changed(learned: &Mutex<Learned>, now: Now, pass: Pass) -> Option<Vec<u8>> {
    let mut learned = learned.lock().unwrap_or_else(PoisonError::into_inner);
    learned.take_changed(now.boot, pass == Pass::Thorough)
}

/// A file that is missing or cannot be read costs a second report of each application.
fn read_learned(shelf: &mut Shelf) -> Vec<u8> {
    let opened = shelf.open(learned::NAME);
    opened.and_then(|mut file| shelf.read(&mut file, learned::MOST_BYTES)).unwrap_or_default()
}

/// Removes the files, and forgets each that is removed.
fn remove(shelf: &mut Shelf, graves: &mut [Vec<Grave>]) -> io::Result<()> {
    if graves.iter().all(Vec::is_empty) {
        return Ok(());
    }
    for graves in graves {
        while let Some(grave) = graves.last() {
            let name = grave.name.to_string();
            match grave.aside {
                true => recovery::put_aside(shelf, &name),
                false => shelf.remove(&name)?,
            }
            graves.pop();
        }
    }
    shelf.sync_folder()
}
