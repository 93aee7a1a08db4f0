//! What a folder of values asks of the operating system: one call each, so that tests can let any of them fail.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

pub(super) use super::found::Found;
#[cfg(not(unix))]
pub(super) use portable::Place;
#[cfg(unix)]
pub(super) use unix::Place;

/// The calls. `name` is the name of a file within the folder, and never a path.
pub(super) trait System: Send {
    /// Opens the folder and looks at it and at those above it; makes it if it is not there and this is wanted.
    fn open_folder(&mut self, path: &Path, make: bool) -> io::Result<Place>;

    /// Whether the folder is still there and private.
    fn look_at_folder(&mut self, folder: &Place) -> io::Result<Found>;

    /// Takes the folder for this process alone. `false`: another has it.
    fn lock(&mut self, folder: &Place) -> io::Result<bool>;

    /// What is in the folder.
    fn names(&mut self, folder: &Place) -> io::Result<Vec<OsString>>;

    /// Opens a file for reading; a symbolic link is an error, and a pipe makes nobody wait.
    fn open(&mut self, folder: &Place, name: &str) -> io::Result<File>;

    /// Whether an open file is a private one.
    fn look_at_file(&mut self, file: &File) -> io::Result<Found>;

    /// Reads at most so many bytes.
    fn read(&mut self, file: &mut File, most: u64) -> io::Result<Vec<u8>> {
        let mut value = Vec::new();
        file.take(most).read_to_end(&mut value)?;
        Ok(value)
    }

    /// Makes a private file that was not there, to write to and to read from.
    fn create(&mut self, folder: &Place, name: &str) -> io::Result<File>;

    /// Writes all of it.
    fn write(&mut self, file: &mut File, value: &[u8]) -> io::Result<()> {
        file.write_all(value)
    }

    /// Forces a file to the disk.
    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Forces what is in a file to the disk, and of what is known about it only what is needed to read it.
    #[cfg(feature = "outbox")]
    fn sync_data(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Puts a file in the place of another.
    fn rename(&mut self, folder: &Place, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&mut self, folder: &Place, name: &str) -> io::Result<()>;

    /// Forces the names in the folder to the disk.
    fn sync_folder(&mut self, folder: &Place) -> io::Result<()>;
}

/// The calls as they are.
#[derive(Debug)]
pub(super) struct Real;

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::os::unix::ffi::OsStringExt;
    use std::path::Path;
    use std::process;
    use std::sync::OnceLock;

    use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, flock, fstat, openat, renameat, unlinkat};
    use rustix::io::Errno;

    use super::{Found, Real, System};
    use crate::store::way;

    /// A descriptor of the folder: whatever becomes of its path, this one is meant.
    pub(in crate::store) struct Place {
        descriptor: OwnedFd,
        /// Which process locked it.
        pub(in crate::store) locked_by: OnceLock<u32>,
    }

    impl AsFd for Place {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.descriptor.as_fd()
        }
    }

    /// A lock lasts until the last copy of the descriptor is closed, and a child that another thread has just forked holds one
    /// until it calls `exec`. So it is given back in so many words: the next client need not wait for that child. A child's own
    /// copy leaves its parent's lock alone.
    impl Drop for Place {
        fn drop(&mut self) {
            if self.locked_by.get() == Some(&process::id()) {
                // The descriptor is closed next, which unlocks as well.
                let _ = flock(&self.descriptor, FlockOperation::NonBlockingUnlock);
            }
        }
    }

    impl System for Real {
        fn open_folder(&mut self, path: &Path, make: bool) -> io::Result<Place> {
            Ok(Place { descriptor: way::open(path, make)?, locked_by: OnceLock::new() })
        }

        fn look_at_folder(&mut self, folder: &Place) -> io::Result<Found> {
            let found = fstat(folder)?;
            if found.st_nlink == 0 {
                return Ok(Found::Gone);
            }
            Ok(way::judged(&found))
        }

        fn lock(&mut self, folder: &Place) -> io::Result<bool> {
            match flock(folder, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    folder.locked_by.get_or_init(process::id);
                    Ok(true)
                }
                Err(Errno::WOULDBLOCK) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }

        fn names(&mut self, folder: &Place) -> io::Result<Vec<OsString>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(folder)? {
                names.push(OsString::from_vec(entry?.file_name().to_bytes().to_vec()));
            }
            Ok(names)
        }

        fn open(&mut self, folder: &Place, name: &str) -> io::Result<File> {
            let flags =
                OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            Ok(openat(folder, name, flags, Mode::empty())?.into())
        }

        fn look_at_file(&mut self, file: &File) -> io::Result<Found> {
            let found = fstat(file)?;
            if found.st_nlink == 0 {
                return Ok(Found::Gone);
            }
            if !rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() {
                return Ok(Found::Refused("is not a file; remove it".to_owned()));
            }
            Ok(way::judged(&found))
        }

        fn create(&mut self, folder: &Place, name: &str) -> io::Result<File> {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?.into())
        }

        fn rename(&mut self, folder: &Place, from: &str, to: &str) -> io::Result<()> {
            Ok(renameat(folder, from, folder, to)?)
        }

        fn remove(&mut self, folder: &Place, name: &str) -> io::Result<()> {
            Ok(unlinkat(folder, name, AtFlags::empty())?)
        }

        fn sync_folder(&mut self, folder: &Place) -> io::Result<()> {
            Ok(rustix::fs::fsync(folder)?)
        }
    }
}

/// By paths: there are no descriptors of folders, and what protects one is not a matter of modes.
#[cfg(not(unix))]
mod portable {
    use std::ffi::OsString;
    use std::fs::{self, DirBuilder, File, OpenOptions};
    use std::io;
    use std::path::{Path, PathBuf};

    use super::{Found, Real, System};

    pub(in crate::store) type Place = PathBuf;

    impl System for Real {
        fn open_folder(&mut self, path: &Path, make: bool) -> io::Result<Place> {
            match DirBuilder::new().create(path) {
                _ if !make => {}
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let found = fs::symlink_metadata(path)?;
            let refused = |problem: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
            if found.is_symlink() {
                return refused("it is a symbolic link; name the folder it leads to");
            }
            if !found.is_dir() {
                return refused("it is not a folder; name another, or remove what is there");
            }
            Ok(path.to_owned())
        }

        fn look_at_folder(&mut self, folder: &Place) -> io::Result<Found> {
            Ok(if fs::symlink_metadata(folder)?.is_dir() { Found::Private } else { Found::Gone })
        }

        /// Nothing is locked on this system.
        fn lock(&mut self, _: &Place) -> io::Result<bool> {
            Ok(true)
        }

        fn names(&mut self, folder: &Place) -> io::Result<Vec<OsString>> {
            Ok(fs::read_dir(folder)?.flatten().map(|entry| entry.file_name()).collect())
        }

        fn open(&mut self, folder: &Place, name: &str) -> io::Result<File> {
            File::open(folder.join(name))
        }

        fn look_at_file(&mut self, file: &File) -> io::Result<Found> {
            let is_file = file.metadata()?.is_file();
            Ok(if is_file { Found::Private } else { Found::Refused("is not a file; remove it".to_owned()) })
        }

        fn create(&mut self, folder: &Place, name: &str) -> io::Result<File> {
            OpenOptions::new().read(true).write(true).create_new(true).open(folder.join(name))
        }

        fn rename(&mut self, folder: &Place, from: &str, to: &str) -> io::Result<()> {
            fs::rename(folder.join(from), folder.join(to))
        }

        fn remove(&mut self, folder: &Place, name: &str) -> io::Result<()> {
            fs::remove_file(folder.join(name))
        }

        /// Folders cannot be forced to the disk on this system.
        fn sync_folder(&mut self, _: &Place) -> io::Result<()> {
            Ok(())
        }
    }
}
