//! Files that something else wrote: those that settings name, and those of the system.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The content of a regular file of at most this many bytes. Waits for the disk, and for nothing else: a pipe or a device
/// could keep whoever opens it waiting for ever. It is opened once, and what was opened is looked at: what its name leads to
/// may be something else a moment later.
pub(crate) fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    // In one piece: what grows leaves copies behind, and it may be a key.
    let mut content =
        Vec::with_capacity(usize::try_from(found.len().min(most)).unwrap_or(0).saturating_add(1));
    file.take(most.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {most} bytes")));
    }
    Ok(content)
}

/// Opens it for reading, and waits for no writer and no carrier.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_regular_file_is_read_up_to_its_limit_and_nothing_else_is_opened() {
        use std::fs;

        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "four").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("loop"), at("loop")).unwrap();
        // Whoever opened it would wait for a writer.
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        assert_eq!(read_file(&at("link"), 4).unwrap(), b"four");
        for (name, most, words) in [
            ("file", 3, "larger than 3 bytes"),
            ("pipe", 4, "not a regular file"),
            ("/dev/zero", 4, "not a regular file"),
            (".", 4, "not a regular file"),
            ("loop", 4, "symbolic links"),
            ("nothing", 4, "No such file"),
        ] {
            let error = read_file(&at(name), most).unwrap_err().to_string();
            assert!(error.contains(words), "{name}: {error}");
        }
    }
}
