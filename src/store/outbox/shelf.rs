//! The folder of an outbox as one of its threads uses it: the calls to the system, and the descriptor that all share.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

use crate::store::system::{Found, Place, System};

/// Makes the calls to the system; tests let them fail.
pub(super) type Systems = Arc<dyn Fn() -> Box<dyn System> + Send + Sync>;

/// A folder for several threads: each has a [`Shelf`] of its own.
#[derive(Clone)]
pub(super) struct Shelves {
    systems: Systems,
    place: Arc<Place>,
}

impl Shelves {
    pub(super) fn new(systems: Systems, place: Place) -> Self {
        Self { systems, place: Arc::new(place) }
    }

    pub(super) fn shelf(&self) -> Shelf {
        Shelf { system: (self.systems)(), place: Arc::clone(&self.place) }
    }
}

/// See the module.
pub(super) struct Shelf {
    system: Box<dyn System>,
    place: Arc<Place>,
}

impl Shelf {
    /// Whether the folder is still there and private.
    pub(super) fn look(&mut self) -> io::Result<()> {
        match self.system.look_at_folder(&self.place)? {
            Found::Private => Ok(()),
            Found::Gone => Err(io::Error::new(io::ErrorKind::NotFound, "the folder was removed")),
            Found::Refused(problem) => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("the folder {problem}")))
            }
        }
    }

    /// The names that may be ours: text.
    pub(super) fn names(&mut self) -> io::Result<Vec<String>> {
        let names = self.system.names(&self.place)?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    /// Opens a file of ours for reading.
    pub(super) fn open(&mut self, name: &str) -> io::Result<File> {
        let file = self.system.open(&self.place, name).map_err(|error| match error.raw_os_error() {
            // Links are not followed.
            #[cfg(unix)]
            Some(libc::ELOOP) => io::Error::new(io::ErrorKind::NotFound, "a symbolic link is in its place"),
            _ => error,
        })?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "something that is no file is in its place"));
        }
        match self.system.look_at_file(&file)? {
            Found::Private | Found::Gone => Ok(file),
            Found::Refused(problem) => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("the file {problem}")))
            }
        }
    }

    /// Whether something removed this file after it was opened. A look that fails does not say so.
    pub(super) fn is_gone(&mut self, file: &File) -> bool {
        matches!(self.system.look_at_file(file), Ok(Found::Gone))
    }

    /// The file's bytes from the beginning, at most this many.
    pub(super) fn read(&mut self, file: &mut File, most: u64) -> io::Result<Vec<u8>> {
        self.system.read(file, most)
    }

    /// These bytes of a file; fewer where it ends.
    pub(super) fn read_at(&mut self, file: &mut File, at: u64, length: u64) -> io::Result<Vec<u8>> {
        file.seek(SeekFrom::Start(at))?;
        self.system.read(file, length)
    }

    /// A new file with this in it, synced together with its name.
    pub(super) fn create(&mut self, name: &str, bytes: &[u8]) -> io::Result<File> {
        let mut file = self.system.create(&self.place, name)?;
        self.append(&mut file, bytes)?;
        self.system.sync_folder(&self.place)?;
        Ok(file)
    }

    /// Appends, and forces what was appended to the disk.
    pub(super) fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.system.write(file, bytes)?;
        self.system.sync_data(file)
    }

    /// Puts these bytes in the place of a file, at once or not at all, and forces that to the disk.
    pub(super) fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = format!("{name}{UNFINISHED}");
        // One that a killed process left behind; or something that is no file, and moved out of the way.
        if self.remove(&unfinished).is_err() {
            self.put_aside(&unfinished)?;
        }
        let mut file = self.system.create(&self.place, &unfinished)?;
        self.append(&mut file, bytes)?;
        let mut renamed = self.system.rename(&self.place, &unfinished, name);
        if renamed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::IsADirectory) {
            self.put_aside(name)?;
            renamed = self.system.rename(&self.place, &unfinished, name);
        }
        renamed?;
        self.system.sync_folder(&self.place)
    }

    /// Renames what is there so that it is not read again.
    pub(super) fn put_aside(&mut self, name: &str) -> io::Result<()> {
        self.system.rename(&self.place, name, &format!("{name}{ASIDE}"))
    }

    /// Removes a file; one that is not there is removed.
    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        match self.system.remove(&self.place, name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    pub(super) fn sync_folder(&mut self) -> io::Result<()> {
        self.system.sync_folder(&self.place)
    }
}

/// Whether there is no file, and something else has its name.
pub(super) fn is_replaced(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound && error.raw_os_error().is_none()
}

/// The process or the system has too much open: that says nothing about a file.
pub(super) fn is_exhausted(error: &io::Error) -> bool {
    #[cfg(unix)]
    let many_files = matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
    #[cfg(not(unix))]
    let many_files = false;
    many_files || error.kind() == io::ErrorKind::OutOfMemory
}

/// The ending of what was set aside.
pub(super) const ASIDE: &str = ".aside";

/// The ending of a file that is being written.
pub(super) const UNFINISHED: &str = ".new";
