//! Values as files of one private folder.
//!
//! A value is written to a temporary file beside its place, forced to the disk, and renamed into it: at
//! every instant, also of a power cut, there is either the old value or the new one. A process that is
//! killed in the middle leaves a temporary file behind, which the next one removes.
//!
//! Whoever can write into the folder decides what the agent remembers, and the agent may run with system
//! privileges. So a folder is used only if nobody else can write to it or to one above it, and what is not plainly a file of
//! ours in it is not read. The folder is opened once, and everything in it is reached from its descriptor.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::system::{Found, Place, Real, System};
use super::{MAX_VALUE, Store, check_name, check_value};
use crate::platform::logging;
use crate::types::Printable;

/// The ending of files that are being written. No name of a value has a full stop.
const UNFINISHED: &str = "new";

/// Keeps each value in a file of one folder.
///
/// The folder is made at the first use, private to the user of the process (0700, files 0600), if it is
/// not there; the folder it lies in has to be. One that is there is used as it is, and refused with an
/// error that says what to do if it is a symbolic link, belongs to another user than this one or root, or
/// can be written to by group or others. The same goes for the files in it, and for every folder above it, except that a folder above may
/// be one for all with the sticky bit, such as `/tmp`. Symbolic links above are followed when they are this user's or
/// root's. All this is decided by the owner and the bits of the mode alone: access lists are not looked at. The folder is
/// opened once and its descriptor used from then on, so that nothing can be put in its place between a look and a use. On systems
/// other than Unix nothing of this is checked, and the folder's own protection is what counts.
///
/// One folder is for one client at a time: it is locked (`flock`) while it is open, and a second client, in this
/// process or another, gets an error that says so, until the first has ended. A child made by `fork` prolongs that
/// only where this process was killed: then it holds the lock until it ends or calls `exec`. Where the file system cannot lock, that is logged, and two
/// clients do no damage: the last one to write is remembered.
pub struct Folder {
    path: PathBuf,
    system: Box<dyn System>,
    /// Open since the first use.
    place: Option<Place>,
    /// It was there once; should it vanish, that is no first use.
    used: bool,
    locked: bool,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Folder {
    /// Names a folder. Nothing is read or written yet. A relative path is relative to the working folder
    /// of the process, at the first use.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::with(path, Box::new(Real))
    }

    pub(super) fn with(path: impl AsRef<Path>, system: Box<dyn System>) -> Self {
        // Put together anew, without a final slash: that would lead through a symbolic link.
        let path = path.as_ref().components().collect();
        Self { path, system, place: None, used: false, locked: false }
    }

    /// Makes sure that the folder is open, private and this process's alone.
    fn enter(&mut self) -> io::Result<()> {
        if let Some(place) = &self.place {
            match self.system.look_at_folder(place).map_err(|error| cannot("use", &self.path, &error))? {
                Found::Private => {}
                Found::Refused(problem) => return Err(refusal("state folder", &self.path, &problem)),
                // Another may be there now.
                Found::Gone => (self.place, self.locked) = (None, false),
            }
        }
        if self.place.is_none() {
            let opened = self.system.open_folder(&self.path, !self.used);
            let place = opened.map_err(|error| cannot("use", &self.path, &error))?;
            if let Found::Refused(problem) =
                self.system.look_at_folder(&place).map_err(|error| cannot("use", &self.path, &error))?
            {
                return Err(refusal("state folder", &self.path, &problem));
            }
            self.place = Some(place);
        }
        self.lock()?;
        if !self.used {
            self.search()?;
            self.used = true;
        }
        Ok(())
    }

    fn lock(&mut self) -> io::Result<()> {
        let Some(place) = self.place.as_ref().filter(|_| !self.locked) else { return Ok(()) };
        match self.system.lock(place) {
            Ok(true) => {}
            Ok(false) => {
                let problem = "is in use by another client, in this process or another; give each client a folder of its own";
                let message = format!("the state folder {} {problem}", Printable(self.path.display()));
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
            }
            Err(error) => {
                let path = Printable(self.path.display());
                logging::record!(
                    Warn,
                    "cannot lock the state folder {path}, so a second client would not be noticed: {error}"
                );
            }
        }
        self.locked = true;
        Ok(())
    }

    /// Removes what a process left behind that was killed while it wrote.
    fn search(&mut self) -> io::Result<()> {
        let Some(place) = &self.place else { return Ok(()) };
        let names = self.system.names(place).map_err(|error| cannot("read", &self.path, &error))?;
        for name in names.iter().filter_map(|name| name.to_str()).filter(|name| is_unfinished(name)) {
            // One that cannot be removed is in nobody's way.
            if let Err(error) = self.system.remove(place, name) {
                logging::record!(Warn, "{}", cannot("remove", &self.path.join(name), &error));
            }
        }
        Ok(())
    }

    /// A name that no other file has, also not one of another process.
    fn unfinished(name: &str) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("{name}.{}-{number}.{UNFINISHED}", process::id())
    }

    /// A new file with this in it, forced to the disk. `None`: nothing stays behind.
    fn write(&mut self, unfinished: &str, value: &[u8]) -> io::Result<()> {
        let Some(place) = &self.place else { return Err(io::ErrorKind::NotFound.into()) };
        let mut file = self.system.create(place, unfinished)?;
        self.system.write(&mut file, value)?;
        self.system.sync(&file)
    }

    fn put_in_place(&mut self, unfinished: &str, name: &str) -> io::Result<()> {
        let Some(place) = &self.place else { return Err(io::ErrorKind::NotFound.into()) };
        self.system.rename(place, unfinished, name)?;
        // A rename is kept by the disk only when its folder is.
        self.system.sync_folder(place)
    }

    fn remove(&mut self, unfinished: &str) {
        if let Some(place) = &self.place {
            // Gone already if only the last step failed.
            let _ = self.system.remove(place, unfinished);
        }
    }

    fn open(&mut self, name: &str) -> io::Result<Option<File>> {
        let Some(place) = &self.place else { return Ok(None) };
        match self.system.open(place, name) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Store for Folder {
    fn check(&mut self) -> io::Result<()> {
        self.enter()?;
        let probe = Self::unfinished("probe");
        let written = self.write(&probe, b"");
        self.remove(&probe);
        written.map_err(|error| cannot("write to", &self.path, &error))
    }

    fn load(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        check_name(name)?;
        self.enter()?;
        let path = self.path.join(name);
        let cannot_read = |error: io::Error| cannot("read", &path, &error);
        let Some(mut file) = self.open(name).map_err(cannot_read)? else { return Ok(None) };
        match self.system.look_at_file(&file).map_err(cannot_read)? {
            Found::Private | Found::Gone => {}
            Found::Refused(problem) => return Err(refusal("state file", &path, &problem)),
        }
        let value = self.system.read(&mut file, MAX_VALUE as u64 + 1).map_err(cannot_read)?;
        check_value(&value).map_err(cannot_read)?;
        Ok(Some(value))
    }

    fn save(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        check_name(name)?;
        check_value(value)?;
        self.enter()?;
        let unfinished = Self::unfinished(name);
        let written = self.write(&unfinished, value).and_then(|()| self.put_in_place(&unfinished, name));
        written.map_err(|error| {
            self.remove(&unfinished);
            cannot("write", &self.path.join(name), &error)
        })
    }
}

/// Whether a file is one of [`Folder::save`]'s temporary ones: `memory.1234-5.new`. The folder may hold
/// more than ours.
fn is_unfinished(file: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = file.split('.');
    let (name, numbers, ending) = (parts.next(), parts.next(), parts.next());
    name.is_some_and(|name| check_name(name).is_ok())
        && numbers.and_then(|both| both.split_once('-')).is_some_and(|(a, b)| number(a) && number(b))
        && (ending, parts.next()) == (Some(UNFINISHED), None)
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {what} {}: {error}", Printable(path.display())))
}

fn refusal(what: &str, path: &Path, problem: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("the {what} {} {problem}", Printable(path.display())),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_value_is_there_for_the_next_process_and_alone() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("state");
        let mut folder = Folder::new(&path);
        assert_eq!(folder.load("memory").unwrap(), None);
        folder.save("memory", b"first").unwrap();
        folder.save("memory", b"second").unwrap();
        folder.save("other", b"").unwrap();
        drop(folder);
        let mut next = Folder::new(&path);
        assert_eq!(next.load("memory").unwrap().unwrap(), b"second");
        assert_eq!(next.load("other").unwrap().unwrap(), b"");
        assert_eq!(names(&path), ["memory", "other"]);
    }

    #[test]
    fn a_process_killed_while_it_wrote_leaves_the_old_value_and_its_rubbish_is_swept_away() {
        let above = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(above.path());
        folder.save("memory", b"whole").unwrap();
        fs::write(above.path().join("memory.12-0.new"), b"hal").unwrap();
        let others = ["keep.me", "keep.new", "memory.1-x.new", "memory.1.new", "memory.new"];
        for other in others {
            fs::write(above.path().join(other), b"somebody else's").unwrap();
        }
        drop(folder);
        let mut next = Folder::new(above.path());
        assert_eq!(next.load("memory").unwrap().unwrap(), b"whole");
        next.save("memory", b"newer").unwrap();
        assert_eq!(names(above.path()), [&others[..2], &["memory"], &others[2..]].concat());
    }

    #[test]
    fn a_value_too_large_is_neither_written_nor_read() {
        let above = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(above.path());
        folder.save("memory", &vec![b'x'; MAX_VALUE]).unwrap();
        let error = folder.save("memory", &vec![b'x'; MAX_VALUE + 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(folder.load("memory").unwrap().unwrap().len(), MAX_VALUE);
        fs::write(above.path().join("memory"), vec![b'x'; MAX_VALUE + 1]).unwrap();
        assert_eq!(folder.load("memory").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_folder_that_vanished_is_an_error_and_is_not_made_again_behind_somebody_s_back() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("state");
        let mut folder = Folder::new(&path);
        folder.save("memory", b"value").unwrap();
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(folder.save("memory", b"value").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(folder.load("memory").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!path.exists());
        let mut nowhere = Folder::new(above.path().join("missing/state"));
        assert!(nowhere.load("memory").unwrap_err().to_string().starts_with("cannot use"));
        // Another in its place is used, as it would be after a restart.
        fs::create_dir(&path).unwrap();
        folder.save("memory", b"value").unwrap();
        assert_eq!(names(&path), ["memory"]);
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let above = tempfile::tempdir().unwrap();
        // A folder in the place of the value: the rename, which comes last, fails.
        fs::create_dir(above.path().join("memory")).unwrap();
        let mut folder = Folder::new(above.path());
        let error = folder.save("memory", b"value").unwrap_err();
        assert!(error.to_string().starts_with("cannot write"), "{error}");
        assert_eq!(names(above.path()), ["memory"]);
        assert!(folder.load("memory").is_err());
    }

    #[cfg(unix)]
    mod unix {
        use std::os::fd::AsFd;
        use std::os::unix::fs::{PermissionsExt, symlink};
        use std::sync::OnceLock;

        use super::*;

        fn mode(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o7777
        }

        fn set_mode(path: &Path, mode: u32) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }

        fn problem<T: fmt::Debug>(result: io::Result<T>) -> String {
            result.unwrap_err().to_string()
        }

        #[test]
        fn what_it_makes_is_private() {
            let above = tempfile::tempdir().unwrap();
            let path = above.path().join("state");
            Folder::new(&path).save("memory", b"value").unwrap();
            assert_eq!((mode(&path), mode(&path.join("memory"))), (0o700, 0o600));
        }

        #[test]
        fn a_folder_others_can_write_to_is_refused_with_what_to_do() {
            let above = tempfile::tempdir().unwrap();
            let path = above.path().join("state");
            let mut folder = Folder::new(&path);
            folder.save("memory", b"value").unwrap();
            for open in [0o777, 0o720, 0o702, 0o1777] {
                set_mode(&path, open);
                for folder in [&mut folder, &mut Folder::new(&path)] {
                    let error = problem(folder.load("memory"));
                    assert!(error.contains(&format!("(mode {open:04o}); run `chmod go-w`")), "{error}");
                    assert_eq!(problem(folder.save("memory", b"new")), error);
                }
            }
            set_mode(&path, 0o755);
            assert_eq!(folder.load("memory").unwrap().unwrap(), b"value");
        }

        #[test]
        fn a_symbolic_link_is_refused_in_place_of_the_folder_and_of_a_value() {
            let above = tempfile::tempdir().unwrap();
            let (path, link) = (above.path().join("state"), above.path().join("link"));
            Folder::new(&path).save("memory", b"value").unwrap();
            symlink(&path, &link).unwrap();
            for named in ["link", "link/", "link/."] {
                let error = problem(Folder::new(above.path().join(named)).load("memory"));
                assert!(error.ends_with("is a symbolic link; name the folder it leads to"), "{error}");
            }
            symlink(path.join("memory"), path.join("linked")).unwrap();
            let mut folder = Folder::new(&path);
            assert!(problem(folder.load("linked")).starts_with("cannot read"));
            // A write replaces the link, and what it led to stays.
            folder.save("linked", b"new").unwrap();
            assert_eq!(folder.load("memory").unwrap().unwrap(), b"value");
        }

        #[test]
        fn two_clients_on_one_folder_are_told() {
            let above = tempfile::tempdir().unwrap();
            let path = above.path().join("state");
            let mut first = Folder::new(&path);
            first.save("memory", b"first").unwrap();
            let mut second = Folder::new(&path);
            for _ in 0..2 {
                for error in [
                    problem(second.check()),
                    problem(second.load("memory")),
                    problem(second.save("memory", b"x")),
                ] {
                    assert!(error.contains("is in use by another client"), "{error}");
                }
            }
            assert_eq!(first.load("memory").unwrap().unwrap(), b"first");
            drop(first);
            second.save("memory", b"second").unwrap();
            assert_eq!(second.load("memory").unwrap().unwrap(), b"second");
        }

        #[test]
        fn a_child_that_was_just_forked_does_not_hold_the_lock_of_a_client_that_has_ended() {
            let above = tempfile::tempdir().unwrap();
            let path = above.path().join("state");
            let mut first = Folder::new(&path);
            first.save("memory", b"value").unwrap();
            // What a child has: another descriptor of what was locked.
            let copy = first.place.as_ref().unwrap().as_fd().try_clone_to_owned().unwrap();
            drop(first);
            let mut second = Folder::new(&path);
            second.check().unwrap();
            // And what happens in a child that drops its copy of a client: it is another process.
            let place = second.place.as_mut().unwrap();
            place.locked_by = OnceLock::from(process::id() + 1);
            let copies = (copy, place.as_fd().try_clone_to_owned().unwrap());
            drop(second);
            assert!(problem(Folder::new(&path).check()).contains("is in use by another client"));
            drop(copies);
            Folder::new(&path).check().unwrap();
        }

        #[test]
        fn a_folder_below_one_that_others_may_write_to_is_refused() {
            let above = tempfile::tempdir().unwrap();
            let between = above.path().join("between");
            let path = between.join("state");
            fs::create_dir(&between).unwrap();
            Folder::new(&path).save("memory", b"value").unwrap();
            for (mode, is_safe) in
                [(0o777, false), (0o720, false), (0o702, false), (0o1777, true), (0o755, true), (0o711, true)]
            {
                set_mode(&between, mode);
                for there in [true, false] {
                    let named = if there { path.clone() } else { between.join(format!("new-{mode:o}")) };
                    let made = Folder::new(&named).check();
                    assert_eq!(made.is_ok(), is_safe, "{mode:o}: {made:?}");
                    assert_eq!(named.exists(), there || is_safe, "{mode:o}");
                    if !is_safe {
                        let error = problem(made);
                        let expected =
                            format!("can be written to by others (mode {mode:04o}); run `chmod go-w`");
                        assert!(
                            error.contains(&expected) && error.contains(between.to_str().unwrap()),
                            "{error}"
                        );
                    }
                }
            }
        }

        #[test]
        fn links_above_are_followed_as_far_as_they_are_ours() {
            let above = tempfile::tempdir().unwrap();
            let (real, open) = (above.path().join("real"), above.path().join("open"));
            fs::create_dir_all(real.join("deep")).unwrap();
            fs::create_dir(&open).unwrap();
            symlink("real", above.path().join("relative")).unwrap();
            symlink(above.path().join("relative/deep/.."), above.path().join("absolute")).unwrap();
            symlink("loop", above.path().join("loop")).unwrap();
            Folder::new(above.path().join("absolute/deep/../state")).save("memory", b"value").unwrap();
            assert!(real.join("state/memory").is_file());
            let error = problem(Folder::new(above.path().join("loop/state")).check());
            assert!(error.contains("symbolic links"), "{error}");
            // A link in a folder for all is as trustworthy as its owner, and one in a folder others may write to is not.
            symlink(&real, open.join("link")).unwrap();
            set_mode(&open, 0o1777);
            Folder::new(open.join("link/state")).check().unwrap();
            set_mode(&open, 0o777);
            let error = problem(Folder::new(open.join("link/state")).check());
            assert!(error.contains("can be written to by others (mode 0777)"), "{error}");
            if crate::platform::effective_user() != 0 {
                eprintln!("NOT RUN: a link of another user's, which only root can make");
                return;
            }
            set_mode(&open, 0o1777);
            std::os::unix::fs::lchown(open.join("link"), Some(1), None).unwrap();
            let error = problem(Folder::new(open.join("link/state")).check());
            assert!(error.contains("belongs to user 1; name the folder it leads to"), "{error}");
            std::os::unix::fs::chown(&open, Some(1), None).unwrap();
            let error = problem(Folder::new(open.join("state")).check());
            assert!(error.contains("above it belongs to user 1 and the agent is user 0"), "{error}");
        }

        /// What another user might do is done here by the same user, which may do it anywhere: however the race ends, nothing
        /// is made behind the link.
        #[cfg(target_os = "linux")]
        #[test]
        fn a_folder_that_is_swapped_for_a_link_in_a_race_leads_nowhere() {
            let above = tempfile::tempdir().unwrap();
            let [path, victim, spare] = ["state", "victim", "spare"].map(|name| above.path().join(name));
            fs::create_dir(&victim).unwrap();
            fs::create_dir(&path).unwrap();
            symlink(&victim, &spare).unwrap();
            let over = std::sync::atomic::AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        let exchange = rustix::fs::RenameFlags::EXCHANGE;
                        rustix::fs::renameat_with(rustix::fs::CWD, &path, rustix::fs::CWD, &spare, exchange)
                            .unwrap();
                    }
                });
                let (mut used, mut refused) = (0, 0);
                for _ in 0..3000 {
                    let mut folder = Folder::new(&path);
                    match folder.save("memory", b"value") {
                        Ok(()) => used += 1,
                        Err(_) => refused += 1,
                    }
                }
                over.store(true, Ordering::Relaxed);
                assert!(used > 0 && refused > 0, "{used} {refused}");
            });
            assert_eq!(names(&victim), [""; 0]);
        }

        #[test]
        fn what_is_no_file_of_ours_is_not_read() {
            let above = tempfile::tempdir().unwrap();
            let path = above.path().join("memory");
            let mut folder = Folder::new(above.path());
            folder.save("memory", b"value").unwrap();
            set_mode(&path, 0o666);
            assert!(problem(folder.load("memory")).contains("can be written to by others (mode 0666)"));
            // Whatever was there, a new value takes its place.
            folder.save("memory", b"new").unwrap();
            assert_eq!(folder.load("memory").unwrap().unwrap(), b"new");
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
            assert!(problem(folder.load("memory")).ends_with("is not a file; remove it"));
            let file = above.path().join("file");
            fs::write(&file, b"").unwrap();
            assert!(problem(Folder::new(&file).load("memory")).contains("is not a folder"));
        }

        #[test]
        fn a_pipe_in_the_place_of_a_value_does_not_make_the_client_wait() {
            let above = tempfile::tempdir().unwrap();
            let pipe = above.path().join("memory");
            assert!(process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            set_mode(&pipe, 0o600);
            assert!(problem(Folder::new(above.path()).load("memory")).ends_with("is not a file; remove it"));
        }
    }
}
