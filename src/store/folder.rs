//! Values as files of one private folder.
//!
//! A value is written to a temporary file beside its place, forced to the disk, and renamed into it: at
//! every instant, also of a power cut, there is either the old value or the new one. A process that is
//! killed in the middle leaves a temporary file behind, which the next one sweeps away.
//!
//! Whoever can write into the folder decides what the agent remembers, and the agent may run with system
//! privileges. So a folder is used only if nobody else can write to it, and what is not plainly a file of
//! ours in it is not read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{MAX_VALUE, Store, check_name, check_value};
use crate::platform::journal;

/// The ending of files that are being written. No name of a value has a full stop.
const UNFINISHED: &str = "new";

/// Keeps each value in a file of one folder.
///
/// The folder is made at the first use, private to the user of the process (0700, files 0600), if it is
/// not there; the folder it lies in has to be. One that is there is used as it is, and refused with an
/// error that says what to do if it is a symbolic link, belongs to another user than this one or root, or
/// can be written to by group or others. The same goes for the files in it. That is checked with every
/// use, by the bits of the mode alone: access lists are not looked at. On systems other than Unix nothing of
/// this is checked, and the folder's own protection is what counts. The folders above are trusted.
///
/// One folder is for one client at a time. Two do no damage; the last one to write is remembered.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// It was there once; should it vanish, that is no first use.
    used: bool,
}

impl Folder {
    /// Names a folder. Nothing is read or written yet. A relative path is relative to the working folder
    /// of the process, at each use.
    pub fn new(path: impl AsRef<Path>) -> Self {
        // Put together anew, without a final slash: that would lead through a symbolic link.
        Self { path: path.as_ref().components().collect(), used: false }
    }

    /// Makes sure that the folder is there and private.
    fn enter(&mut self) -> io::Result<()> {
        if !self.used {
            make_private_folder(&self.path).map_err(|error| cannot("make", &self.path, &error))?;
        }
        let found = fs::symlink_metadata(&self.path).map_err(|error| cannot("use", &self.path, &error))?;
        let refused = |problem: String| Err(refusal("state folder", &self.path, &problem));
        if found.is_symlink() {
            return refused("is a symbolic link; name the folder it leads to".to_owned());
        }
        if !found.is_dir() {
            return refused("is not a folder; name another, or remove what is there".to_owned());
        }
        if let Some(problem) = owner_problem(&found) {
            return refused(problem);
        }
        if !self.used {
            self.sweep()?;
            self.used = true;
        }
        Ok(())
    }

    /// Removes what a process left behind that was killed while it wrote.
    fn sweep(&self) -> io::Result<()> {
        let entries = fs::read_dir(&self.path).map_err(|error| cannot("read", &self.path, &error))?;
        for entry in entries.flatten() {
            let path = entry.path();
            let ours = entry.file_name().to_str().is_some_and(is_unfinished);
            // One that cannot be removed is in nobody's way.
            if ours && let Err(error) = fs::remove_file(&path) {
                journal::tell!(Warn, "{}", cannot("remove", &path, &error));
            }
        }
        Ok(())
    }

    fn write(&self, unfinished: &Path, place: &Path, value: &[u8]) -> io::Result<()> {
        let mut file = create_private(unfinished)?;
        file.write_all(value)?;
        file.sync_all()?;
        drop(file);
        fs::rename(unfinished, place)?;
        sync_folder(&self.path)
    }
}

impl Store for Folder {
    fn load(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        check_name(name)?;
        self.enter()?;
        let path = self.path.join(name);
        let file = match open_without_following(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &path, &error)),
        };
        let found = file.metadata().map_err(|error| cannot("read", &path, &error))?;
        if !found.is_file() {
            return Err(refusal("state file", &path, "is not a file; remove it"));
        }
        if let Some(problem) = owner_problem(&found) {
            return Err(refusal("state file", &path, &problem));
        }
        let mut value = Vec::new();
        let bound = MAX_VALUE as u64 + 1;
        file.take(bound).read_to_end(&mut value).map_err(|error| cannot("read", &path, &error))?;
        check_value(&value).map_err(|error| cannot("read", &path, &error))?;
        Ok(Some(value))
    }

    fn save(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        /// Two of one process must not write to one temporary file.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        check_name(name)?;
        check_value(value)?;
        self.enter()?;
        let place = self.path.join(name);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.path.join(format!("{name}.{}-{number}.{UNFINISHED}", process::id()));
        self.write(&unfinished, &place, value).map_err(|error| {
            // Gone already if only the last step failed.
            let _ = fs::remove_file(&unfinished);
            cannot("write", &place, &error)
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
    io::Error::new(error.kind(), format!("cannot {what} {}: {error}", path.display()))
}

fn refusal(what: &str, path: &Path, problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("the {what} {} {problem}", path.display()))
}

fn make_private_folder(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Makes a file that was not there before, for this user alone.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a file for reading. A symbolic link in its place is an error, and a pipe does not make us wait.
fn open_without_following(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options.open(path)
}

/// A rename is kept by the disk only when its folder is.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Folders cannot be forced to the disk on this system.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Who else could write to it, and what to do about it.
#[cfg(unix)]
fn owner_problem(found: &fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let (owner, mode, we) = (found.uid(), found.mode() & 0o7777, crate::platform::effective_user());
    if owner != we && owner != 0 {
        return Some(format!("belongs to user {owner} and the agent is user {we}; give it to that user"));
    }
    if mode & 0o022 != 0 {
        return Some(format!("can be written to by others (mode {mode:04o}); run `chmod go-w` on it"));
    }
    None
}

/// What protects a folder on this system is not a matter of modes.
#[cfg(not(unix))]
fn owner_problem(_: &fs::Metadata) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
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
        assert!(nowhere.load("memory").unwrap_err().to_string().starts_with("cannot make"));
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
        use std::os::unix::fs::{PermissionsExt, symlink};

        use super::*;

        fn mode(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o7777
        }

        fn set_mode(path: &Path, mode: u32) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }

        fn problem<T: std::fmt::Debug>(result: io::Result<T>) -> String {
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
