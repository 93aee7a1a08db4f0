//! The example programs, as a person runs them: built now, with their output and their exit status.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// An example program of this package, built with the features of this test so that the library is not built twice.
pub(crate) fn example(name: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let me = std::env::current_exe().unwrap();
        // This test is PROFILE/deps/NAME-HASH of the target folder.
        let profile = me.ancestors().nth(2).unwrap();
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--locked", "--quiet", "--examples"]);
        if cfg!(feature = "capi") {
            build.args(["--features", "capi"]);
        }
        if !profile.ends_with("debug") {
            build.arg("--profile").arg(profile.file_name().unwrap());
        }
        let built = build.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        profile.join("examples")
    });
    Command::new(Path::new(folder).join(name))
}
