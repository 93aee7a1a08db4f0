//! homing for C as a user has it: installed, and found by pkg-config.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Where this repository is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of this test program's own, empty at first.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The prefix below which the libraries of these sources are installed, built without optimisation.
pub(crate) fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = folder("prefix");
        succeeds(make().arg("install").arg(setting("PREFIX", &prefix)));
        prefix
    })
}

/// `make` in this repository, with the cargo and the target folder of this test.
pub(crate) fn make() -> Command {
    let mut make = Command::new("make");
    make.arg("-C").arg(root()).arg("PROFILE=dev");
    make.arg(setting("CARGO", Path::new(&env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))));
    make.arg(setting("TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()));
    // What an outer make wants is not for this one.
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    make
}

/// `NAME=path`, as make has it.
pub(crate) fn setting(name: &str, path: &Path) -> String {
    format!("{name}={}", path.to_str().unwrap())
}

/// A command that finds the installed homing, to compile and to run.
pub(crate) fn installed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    command.env("LD_LIBRARY_PATH", prefix().join("lib"));
    command
}

/// What a command prints, which has to end well.
pub(crate) fn succeeds(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}{stderr}");
    stdout.into_owned()
}
