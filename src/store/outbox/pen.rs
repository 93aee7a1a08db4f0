//! What writes the files of one lane.

use std::fs::File;
use std::io;

use super::file::HEADER;
use super::segment_name::SegmentName;
use super::shelf::Shelf;
use super::time::Now;

/// What is to be written to one file.
pub(super) struct Job {
    pub(super) segment: u64,
    pub(super) name: SegmentName,
    /// The file is a new one, and its header is to be written first.
    pub(super) create: bool,
    pub(super) bytes: Vec<u8>,
}

impl Job {
    /// Bytes of entries.
    pub(super) fn data(&self) -> usize {
        self.bytes.len() - if self.create { HEADER } else { 0 }
    }
}

/// Why a turn has ended early.
pub(super) enum Failed {
    /// The folder is not there any more, and what was in it neither.
    Gone(io::Error),
    /// The folder is there, and not private any more.
    Refused(io::Error),
    /// Something removed the file of this segment. What is in it can be read as long as it is open.
    Removed(u64, File),
    /// A file cannot be written.
    File(io::Error),
}

/// What writes the files of one lane.
pub(super) struct Pen {
    shelf: Shelf,
    /// The file that is appended to, and its segment.
    pub(super) open: Option<(u64, File)>,
    /// The second of the last look at the folder.
    looked: u64,
}

impl Pen {
    pub(super) fn new(shelf: Shelf, now: Now) -> Self {
        Self { shelf, open: None, looked: now.boot }
    }

    /// Gives the file away, if it is the one of this segment: it is not written any more.
    pub(super) fn give_up(&mut self, segment: u64) -> Option<File> {
        self.open.take_if(|(open, _)| *open == segment).map(|(_, file)| file)
    }

    /// Closes the file.
    pub(super) fn put_down(&mut self) {
        self.open = None;
    }

    /// Does the jobs in their order. Returns how many are done.
    pub(super) fn carry_out(&mut self, jobs: &[Job], now: Now) -> (usize, Result<(), Failed>) {
        if let Some(Err(failed)) = self.look_again(now) {
            return (0, Err(failed));
        }
        for (done, job) in jobs.iter().enumerate() {
            if let Err(error) = self.carry_out_one(job) {
                self.open = None;
                if job.create {
                    // What is left of it is harmless: a later file has the same numbers.
                    let _ = self.shelf.remove(&job.name.to_string());
                }
                let failed = self.look().err().unwrap_or(Failed::File(error));
                return (done, Err(failed));
            }
        }
        (jobs.len(), Ok(()))
    }

    /// Whether the folder is still ours, and the open file in it; `None`: both were looked at in this second. A look is a call
    /// to the system, and a durable submit should be two.
    pub(super) fn look_again(&mut self, now: Now) -> Option<Result<(), Failed>> {
        if self.looked == now.boot {
            return None;
        }
        self.looked = now.boot;
        let looked = self.look();
        let removed = self.open.take_if(|(_, file)| looked.is_ok() && self.shelf.is_gone(file));
        Some(removed.map_or(looked, |(segment, file)| Err(Failed::Removed(segment, file))))
    }

    /// Whether the folder is still ours. A look that fails says nothing about that.
    fn look(&mut self) -> Result<(), Failed> {
        match self.shelf.look() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failed::Gone(error)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Failed::Refused(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn carry_out_one(&mut self, job: &Job) -> io::Result<()> {
        if job.create {
            let file = self.shelf.create(&job.name.to_string(), &job.bytes)?;
            self.open = Some((job.segment, file));
            return Ok(());
        }
        match &mut self.open {
            Some((segment, file)) if *segment == job.segment => self.shelf.append(file, &job.bytes),
            Some(_) | None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
