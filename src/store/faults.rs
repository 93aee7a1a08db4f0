//! Every call of a folder to the operating system fails once, in every way: nothing is lost that was there before.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::system::{Found, Place, Real, System};
use super::{Folder, Store};

/// What is wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It does nothing and says so.
    Fails(io::ErrorKind),
    /// It does its work and says that it has failed.
    Late,
    /// It says that all is well and has done nothing, or half of it.
    Lies,
}

/// Which call of all is wrong, and what was called so far.
struct Plan {
    at: usize,
    fault: Fault,
    calls: Vec<&'static str>,
}

#[derive(Clone)]
struct Faulty(Arc<Mutex<Plan>>);

impl Faulty {
    fn new(at: usize, fault: Fault) -> Self {
        Self(Arc::new(Mutex::new(Plan { at, fault, calls: Vec::new() })))
    }

    fn calls(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().calls.clone()
    }

    fn call<T>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> io::Result<T>,
        lie: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let fault = {
            let mut plan = self.0.lock().unwrap();
            plan.calls.push(name);
            (plan.calls.len() - 1 == plan.at).then_some(plan.fault)
        };
        match fault {
            None => work(),
            Some(Fault::Fails(kind)) => Err(kind.into()),
            Some(Fault::Late) => work().and(Err(io::ErrorKind::TimedOut.into())),
            Some(Fault::Lies) => lie(),
        }
    }
}

impl System for Faulty {
    fn open_folder(&mut self, path: &Path, make: bool) -> io::Result<Place> {
        // Nobody can lie about a descriptor.
        self.call("open_folder", || Real.open_folder(path, make), || Real.open_folder(path, make))
    }

    fn look_at_folder(&mut self, folder: &Place) -> io::Result<Found> {
        self.call("look_at_folder", || Real.look_at_folder(folder), || Ok(Found::Gone))
    }

    fn lock(&mut self, folder: &Place) -> io::Result<bool> {
        self.call("lock", || Real.lock(folder), || Ok(false))
    }

    fn names(&mut self, folder: &Place) -> io::Result<Vec<OsString>> {
        self.call("names", || Real.names(folder), || Ok(Vec::new()))
    }

    fn open(&mut self, folder: &Place, name: &str) -> io::Result<File> {
        self.call("open", || Real.open(folder, name), || Err(io::ErrorKind::NotFound.into()))
    }

    fn look_at_file(&mut self, file: &File) -> io::Result<Found> {
        self.call("look_at_file", || Real.look_at_file(file), || Ok(Found::Gone))
    }

    fn read(&mut self, file: &mut File, most: u64) -> io::Result<Vec<u8>> {
        self.clone().call("read", || Real.read(file, most), || Ok(b"ha".to_vec()))
    }

    fn create(&mut self, folder: &Place, name: &str) -> io::Result<File> {
        self.call("create", || Real.create(folder, name), || Real.create(folder, name))
    }

    fn write(&mut self, file: &mut File, value: &[u8]) -> io::Result<()> {
        let file = Mutex::new(file);
        self.call(
            "write",
            || Real.write(&mut file.lock().unwrap(), value),
            || Real.write(&mut file.lock().unwrap(), &value[..value.len() / 2]),
        )
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        self.call("sync", || Real.sync(file), || Ok(()))
    }

    fn rename(&mut self, folder: &Place, from: &str, to: &str) -> io::Result<()> {
        self.call("rename", || Real.rename(folder, from, to), || Ok(()))
    }

    fn remove(&mut self, folder: &Place, name: &str) -> io::Result<()> {
        self.call("remove", || Real.remove(folder, name), || Ok(()))
    }

    fn sync_folder(&mut self, folder: &Place) -> io::Result<()> {
        self.call("sync_folder", || Real.sync_folder(folder), || Ok(()))
    }
}

const OLD: &[u8] = b"what was known before";
const NEW: &[u8] = b"what was learnt since then";
const NEWEST: &[u8] = b"what was learnt after the fault";

/// A folder that an earlier life left behind, killed while it wrote.
fn earlier_life(path: &Path) {
    let mut folder = Folder::new(path);
    folder.save("memory", OLD).unwrap();
    folder.save("time", OLD).unwrap();
    fs::write(path.join("memory.1-1.new"), b"hal").unwrap();
}

/// One life in which this call is wrong; whether there was such a call.
fn live(at: usize, fault: Fault) -> bool {
    let above = tempfile::tempdir().unwrap();
    let path = above.path().join("state");
    earlier_life(&path);
    let faulty = Faulty::new(at, fault);
    let mut folder = Folder::with(&path, Box::new(faulty.clone()));
    let checked = folder.check();
    let loaded = folder.load("memory");
    let saved = folder.save("memory", NEW);
    let calls = faulty.calls();
    let wrong = calls.get(at).copied();
    let about = format!("{fault:?} at {at}: {wrong:?}\n{checked:?}\n{loaded:?}\n{saved:?}\n{calls:?}");

    let lies = fault == Fault::Lies;
    if let Ok(loaded) = &loaded {
        assert!(loaded.as_deref() == Some(OLD) || lies, "{about}");
    }
    // What the disk holds now: the old value or the new one. Where the disk lied, half of the new one, which is what its check sum is for.
    let held = fs::read(path.join("memory")).unwrap();
    let is_half = lies && wrong == Some("write") && held == NEW[..NEW.len() / 2];
    assert!(held == OLD || held == NEW || is_half, "{about}");
    if saved.is_ok() && !lies {
        assert_eq!(held, NEW, "{about}");
    }
    // The fault has passed, and so has what followed from it.
    faulty.0.lock().unwrap().at = usize::MAX;
    folder.save("memory", NEWEST).unwrap_or_else(|error| panic!("{error}\n{about}"));
    assert_eq!(folder.load("memory").unwrap().as_deref(), Some(NEWEST), "{about}");
    drop(folder);

    let mut next = Folder::new(&path);
    next.check().unwrap_or_else(|error| panic!("{error}\n{about}"));
    assert_eq!(next.load("memory").unwrap().as_deref(), Some(NEWEST), "{about}");
    assert_eq!(next.load("time").unwrap().as_deref(), Some(OLD), "{about}");
    let mut names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["memory", "time"], "{about}");
    wrong.is_some()
}

#[test]
fn a_call_that_fails_or_lies_costs_nothing_that_was_there_before() {
    use io::ErrorKind::{Interrupted, Other, PermissionDenied, ReadOnlyFilesystem, StorageFull};
    let kinds = [Other, StorageFull, PermissionDenied, ReadOnlyFilesystem, Interrupted].map(Fault::Fails);
    for fault in kinds.into_iter().chain([Fault::Late, Fault::Lies]) {
        let lives = (0..).take_while(|&at| live(at, fault)).count();
        // Fewer would mean that a life does less than it should.
        assert!(lives >= 18, "{fault:?}: {lives}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_found_out_by_the_first_look() {
    let above = tempfile::tempdir().unwrap();
    let path = above.path().join("state");
    earlier_life(&path);
    let create = 5;
    let faulty = Faulty::new(create, Fault::Fails(io::ErrorKind::ReadOnlyFilesystem));
    let mut folder = Folder::with(&path, Box::new(faulty.clone()));
    let error = folder.check().unwrap_err().to_string();
    assert_eq!(faulty.calls()[create], "create");
    assert!(error.starts_with(&format!("cannot write to {}: ", path.display())), "{error}");
    // What is there can be read all the same.
    assert_eq!(folder.load("memory").unwrap().as_deref(), Some(OLD));
}

#[test]
fn a_file_system_that_cannot_lock_is_used_without() {
    let above = tempfile::tempdir().unwrap();
    let path = above.path().join("state");
    earlier_life(&path);
    let faulty = Faulty::new(2, Fault::Fails(io::ErrorKind::Unsupported));
    let mut folder = Folder::with(&path, Box::new(faulty.clone()));
    assert_eq!(folder.load("memory").unwrap().as_deref(), Some(OLD));
    assert_eq!(faulty.calls()[2], "lock");
}
