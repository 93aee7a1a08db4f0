//! A disk that keeps only what was synced, loses power, fails and fills up. Below it is a real folder, which is what a running system
//! sees; beside it is what would be left after a loss of power.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use rand_core::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::store::system::{Found, Place, Real, System};

/// What is wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does nothing and fails.
    Fails,
    /// It does its work and fails.
    Late,
}

#[derive(Clone)]
pub(super) struct Disk(Arc<Mutex<State>>, Arc<Mutex<()>>, Arc<Mutex<()>>);

struct State {
    above: tempfile::TempDir,
    /// Counts the lives; each has a folder of its own.
    life: u32,
    files: Vec<FileState>,
    /// Which file each name means now, and which after a loss of power.
    now: BTreeMap<String, usize>,
    kept: BTreeMap<String, usize>,
    /// Changes of names that were not synced.
    changes: Vec<(String, Option<usize>)>,
    calls: Vec<&'static str>,
    fault: Option<(usize, Fault)>,
    /// From this call on nothing works.
    off_at: usize,
    /// Bytes that all files together may have.
    room: usize,
    /// What the name of a file begins with whose sectors cannot be read.
    bad: Option<String>,
}

struct FileState {
    /// Held, so that its number is not given to another file.
    file: File,
    bytes: Vec<u8>,
    synced: usize,
}

impl Disk {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::new(scratch(), 0, usize::MAX))), Arc::default(), Arc::default())
    }

    /// As long as this is held, no sync ends.
    pub(super) fn hold_syncs(&self) -> MutexGuard<'_, ()> {
        self.1.lock().unwrap()
    }

    /// As long as this is held, no read ends.
    pub(super) fn hold_reads(&self) -> MutexGuard<'_, ()> {
        self.2.lock().unwrap()
    }

    /// Waits for the first call of this name since so many calls were made.
    pub(super) fn until(&self, name: &str, calls: usize) {
        while !self.calls()[calls..].contains(&name) {
            std::thread::yield_now();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn path(&self) -> PathBuf {
        let state = self.state();
        state.above.path().join(state.life.to_string())
    }

    pub(super) fn systems(&self) -> Systems {
        let disk = self.clone();
        Arc::new(move || Box::new(disk.clone()))
    }

    pub(super) fn open(&self, limits: &Limits, watch: &Watch) -> Outbox {
        open_with(&self.path(), limits, watch, self.systems())
    }

    /// The call of this index has a fault, counted from now.
    pub(super) fn fault(&self, call: usize, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.calls.len() + call, fault));
    }

    /// Nothing works after so many more calls.
    pub(super) fn off_after(&self, calls: usize) {
        let mut state = self.state();
        state.off_at = state.calls.len().saturating_add(calls);
    }

    /// All files together may have so many bytes.
    pub(super) fn set_room(&self, bytes: usize) {
        self.state().room = bytes;
    }

    /// Files whose names begin like this cannot be read; or all can.
    pub(super) fn set_bad(&self, names: Option<&str>) {
        self.state().bad = names.map(str::to_owned);
    }

    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.state().calls.clone()
    }

    /// The process is killed: what it has written is there for the next one.
    pub(super) fn kill(&self) {
        let mut state = self.state();
        let files = state.now.clone();
        let contents =
            files.iter().map(|(name, &file)| (name.clone(), state.files[file].bytes.clone())).collect();
        state.begin(contents);
    }

    /// The power fails: of what was not synced, anything may be left.
    pub(super) fn lose_power(&self, random: &mut Xoshiro256PlusPlus) {
        let mut state = self.state();
        let mut names = state.kept.clone();
        for (name, file) in std::mem::take(&mut state.changes) {
            if random.next_u32().is_multiple_of(2) {
                continue;
            }
            match file {
                Some(file) => drop(names.insert(name, file)),
                None => drop(names.remove(&name)),
            }
        }
        let contents: BTreeMap<_, _> = names
            .iter()
            .map(|(name, &file)| (name.clone(), state.files[file].after_a_loss(random)))
            .collect();
        state.begin(contents);
    }

    fn call<T>(&self, name: &'static str, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state();
        let at = state.calls.len();
        state.calls.push(name);
        if at >= state.off_at {
            return Err(io::Error::other("the power is off"));
        }
        match state.fault.filter(|(call, _)| *call == at) {
            None => work(&mut state),
            Some((_, Fault::Fails)) => Err(io::ErrorKind::Other.into()),
            Some((_, Fault::Late)) => work(&mut state).and(Err(io::ErrorKind::Other.into())),
        }
    }
}

impl FileState {
    fn after_a_loss(&self, random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
        let (synced, rest) = self.bytes.split_at(self.synced);
        let mut rest = rest.to_vec();
        match random.next_u32() % 5 {
            0 => rest.clear(),
            1 => {}
            // Torn.
            2 => rest.truncate(random.next_u32() as usize % (rest.len() + 1)),
            // The length arrived and the data did not.
            3 => rest.fill(0),
            // Some sectors arrived.
            _ => rest
                .chunks_mut(64)
                .filter(|_| random.next_u32().is_multiple_of(2))
                .for_each(|sector| sector.fill(0)),
        }
        [synced, &rest].concat()
    }
}

impl State {
    fn new(above: tempfile::TempDir, life: u32, room: usize) -> Self {
        Self {
            above,
            life,
            files: Vec::new(),
            now: BTreeMap::new(),
            kept: BTreeMap::new(),
            changes: Vec::new(),
            calls: Vec::new(),
            fault: None,
            off_at: usize::MAX,
            room,
            bad: None,
        }
    }

    fn begin(&mut self, contents: BTreeMap<String, Vec<u8>>) {
        self.life += 1;
        let path = self.above.path().join(self.life.to_string());
        fs::create_dir(&path).unwrap();
        let above = std::mem::replace(&mut self.above, scratch());
        *self = Self::new(above, self.life, self.room);
        for (name, bytes) in contents {
            fs::write(path.join(&name), &bytes).unwrap();
            let file = File::open(path.join(&name)).unwrap();
            self.now.insert(name.clone(), self.files.len());
            self.kept.insert(name, self.files.len());
            self.files.push(FileState { file, synced: bytes.len(), bytes });
        }
    }

    fn of(&mut self, file: &File) -> &mut FileState {
        use std::os::unix::fs::MetadataExt;
        let number = file.metadata().unwrap().ino();
        self.files.iter_mut().find(|known| known.file.metadata().unwrap().ino() == number).unwrap()
    }

    fn used(&self) -> usize {
        self.now.values().map(|&file| self.files[file].bytes.len()).sum()
    }

    fn change(&mut self, name: &str, file: Option<usize>) {
        match file {
            Some(file) => drop(self.now.insert(name.to_owned(), file)),
            None => drop(self.now.remove(name)),
        }
        self.changes.push((name.to_owned(), file));
    }
}

impl System for Disk {
    fn open_folder(&mut self, path: &Path, make: bool) -> io::Result<Place> {
        self.call("open_folder", |_| Real.open_folder(path, make))
    }

    fn look_at_folder(&mut self, folder: &Place) -> io::Result<Found> {
        self.call("look_at_folder", |_| Real.look_at_folder(folder))
    }

    fn lock(&mut self, folder: &Place) -> io::Result<bool> {
        self.call("lock", |_| Real.lock(folder))
    }

    fn names(&mut self, folder: &Place) -> io::Result<Vec<OsString>> {
        self.call("names", |_| Real.names(folder))
    }

    fn open(&mut self, folder: &Place, name: &str) -> io::Result<File> {
        self.call("open", |_| Real.open(folder, name))
    }

    fn look_at_file(&mut self, file: &File) -> io::Result<Found> {
        self.call("look_at_file", |_| Real.look_at_file(file))
    }

    fn read(&mut self, file: &mut File, most: u64) -> io::Result<Vec<u8>> {
        self.call("read_begins", |_| Ok(()))?;
        drop(self.2.lock().unwrap());
        self.call("read", |state| {
            use std::os::unix::fs::MetadataExt;
            let number = file.metadata()?.ino();
            let is_it = |known: &FileState| known.file.metadata().is_ok_and(|known| known.ino() == number);
            let mut names = state.now.iter().filter(|(_, known)| is_it(&state.files[**known]));
            let is_bad = |name: &str| state.bad.as_deref().is_some_and(|bad| name.starts_with(bad));
            if names.any(|(name, _)| is_bad(name)) {
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
            Real.read(file, most)
        })
    }

    fn create(&mut self, folder: &Place, name: &str) -> io::Result<File> {
        self.call("create", |state| {
            let file = Real.create(folder, name)?;
            let index = state.files.len();
            state.files.push(FileState { file: file.try_clone()?, bytes: Vec::new(), synced: 0 });
            state.change(name, Some(index));
            Ok(file)
        })
    }

    fn write(&mut self, file: &mut File, value: &[u8]) -> io::Result<()> {
        self.call("write", |state| {
            let room = state.room.saturating_sub(state.used());
            let fits = &value[..value.len().min(room)];
            Real.write(file, fits)?;
            state.of(file).bytes.extend_from_slice(fits);
            if fits.len() == value.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        })
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        self.sync_data(file)
    }

    fn sync_data(&mut self, file: &File) -> io::Result<()> {
        self.call("sync_begins", |_| Ok(()))?;
        drop(self.1.lock().unwrap());
        self.call("sync", |state| {
            let state = state.of(file);
            state.synced = state.bytes.len();
            Ok(())
        })
    }

    fn rename(&mut self, folder: &Place, from: &str, to: &str) -> io::Result<()> {
        self.call("rename", |state| {
            Real.rename(folder, from, to)?;
            let file = state.now.get(from).copied();
            // Both names change at once.
            state.change(from, None);
            state.change(to, file);
            Ok(())
        })
    }

    fn remove(&mut self, folder: &Place, name: &str) -> io::Result<()> {
        self.call("remove", |state| {
            Real.remove(folder, name)?;
            state.change(name, None);
            Ok(())
        })
    }

    fn sync_folder(&mut self, _: &Place) -> io::Result<()> {
        self.call("sync_folder", |state| {
            state.kept = state.now.clone();
            state.changes.clear();
            Ok(())
        })
    }
}
