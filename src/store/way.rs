//! The way to a private folder, folder by folder.
//!
//! Each step is taken from a descriptor of the folder before it, and only after that folder was found to be one in which nobody
//! but this user and root can put something else in the place of the next. So there is no moment between
//! a look and a use in which the way could be led elsewhere. Symbolic links on the way are followed by hand, under the same
//! rule; the folder at its end may not be one.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, readlinkat, statat};
use rustix::io::Errno;

use super::found::Found;
use crate::platform::effective_user;
use crate::types::Printable;

/// As many symbolic links as the kernel follows.
const MOST_LINKS: usize = 40;

/// Lets a folder above be looked at and passed through, which takes no right to read it.
#[cfg(target_os = "linux")]
const PASSING: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const PASSING: OFlags = OFlags::RDONLY;

/// Opens the folder at the end of the way; makes it if it is not there and this is wanted.
pub(super) fn open(path: &Path, make: bool) -> io::Result<OwnedFd> {
    let mut way = Way::begin(path)?;
    let Some(last) = way.steps.pop_back() else {
        return Err(refusal("it names no folder of homing's own; name a folder below"));
    };
    while let Some(step) = way.steps.pop_front() {
        way.take(&step)?;
    }
    way.is_safe()?;
    if make && way.look(&last).is_err_and(|error| error == Errno::NOENT) {
        match mkdirat(&way.here, &*last, Mode::RWXU) {
            Ok(()) => way.sync(),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let found = FileType::from_raw_mode(way.look(&last)?.st_mode);
    if found.is_symlink() {
        return Err(refusal("it is a symbolic link; name the folder it leads to"));
    }
    if !found.is_dir() {
        return Err(refusal("it is not a folder; name another, or remove what is there"));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(&way.here, &*last, flags, Mode::empty())?)
}

/// Whether others could have put this there, or can change it, and what to do about it.
pub(super) fn judged(found: &Stat) -> Found {
    let (owner, mode, we) = (found.st_uid, found.st_mode & 0o7777, effective_user());
    if owner != we && owner != 0 {
        return Found::Refused(format!(
            "belongs to user {owner} and the agent is user {we}; give it to that user"
        ));
    }
    if mode & 0o022 != 0 {
        return Found::Refused(format!(
            "can be written to by others (mode {mode:04o}); run `chmod go-w` on it"
        ));
    }
    Found::Private
}

struct Way {
    here: OwnedFd,
    /// For messages.
    path: OsString,
    steps: VecDeque<OsString>,
    links: usize,
}

impl Way {
    fn begin(path: &Path) -> io::Result<Self> {
        let from = if path.is_absolute() { "/" } else { "." };
        let here = open_folder(CWD, OsStr::new(from))?;
        let mut way = Self { here, path: from.into(), steps: VecDeque::new(), links: 0 };
        way.put_first(path);
        Ok(way)
    }

    /// The steps of this path come before those that are left.
    fn put_first(&mut self, path: &Path) {
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.steps.push_front(name.to_owned()),
                Component::ParentDir => self.steps.push_front("..".into()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
    }

    /// Goes one step further. What is stepped from has to be safe: else the step could be changed in this moment.
    fn take(&mut self, step: &OsStr) -> io::Result<()> {
        self.is_safe()?;
        let found = self.look(step)?;
        if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
            return self.follow(step, &found);
        }
        self.here = open_folder(&self.here, step)?;
        let separator = if self.path == "/" { "" } else { "/" };
        self.path.push(separator);
        self.path.push(step);
        Ok(())
    }

    /// In a folder for all (`/tmp`) a link may be anybody's.
    fn follow(&mut self, step: &OsStr, found: &Stat) -> io::Result<()> {
        let place = Path::new(&self.path).join(step);
        if found.st_uid != 0 && found.st_uid != effective_user() {
            return Err(refusal(&format!(
                "the symbolic link {} above it belongs to user {}; name the folder it leads to",
                Printable(place.display()),
                found.st_uid
            )));
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = readlinkat(&self.here, step, Vec::new())?;
        let target = Path::new(OsStr::from_bytes(target.as_bytes()));
        if target.is_absolute() {
            self.here = open_folder(CWD, OsStr::new("/"))?;
            self.path = "/".into();
        }
        self.put_first(target);
        Ok(())
    }

    /// Forces the name of a new folder to the disk. Where the folder above may not be read that is left to the system, as it would be
    /// for a folder that the product made.
    fn sync(&self) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let here = openat(&self.here, ".", flags, Mode::empty());
        let _ = here.and_then(rustix::fs::fsync);
    }

    fn look(&self, name: &OsStr) -> Result<Stat, Errno> {
        statat(&self.here, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Whether nobody but this user and root can put something else in the place of what is in here. In a folder with the
    /// sticky bit others can add to it, and change nothing that is ours.
    fn is_safe(&self) -> io::Result<()> {
        let found = fstat(&self.here)?;
        let (owner, mode, we) = (found.st_uid, found.st_mode & 0o7777, effective_user());
        let above = Printable(Path::new(&self.path).display());
        if owner != we && owner != 0 {
            return Err(refusal(&format!(
                "the folder {above} above it belongs to user {owner} and the agent is user {we}; name a folder elsewhere"
            )));
        }
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            return Err(refusal(&format!(
                "the folder {above} above it can be written to by others (mode {mode:04o}); run `chmod go-w` on it"
            )));
        }
        Ok(())
    }
}

fn open_folder(at: impl std::os::fd::AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = PASSING | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

fn refusal(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, problem.to_owned())
}
