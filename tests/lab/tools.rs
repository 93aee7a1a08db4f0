//! Programs from outside: found, run, and complained about when they are missing.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::namespace::Namespace;
use crate::patience::soon;

/// A program of the distribution. Panics with what to do when it is not there.
pub(crate) fn tool(name: &str, package: &str) -> Command {
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let found = folders.iter().map(|folder| PathBuf::from(folder).join(name)).find(|path| path.exists());
    Command::new(found.unwrap_or_else(|| panic!("`{name}` is missing; install the package `{package}`")))
}

/// Runs to the end; panics when it fails.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An example program of this package, built now: a road test must not drive yesterday's program.
pub(crate) fn example(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let root = env!("CARGO_MANIFEST_DIR");
        run(Command::new(env!("CARGO")).current_dir(root).args([
            "build",
            "--locked",
            "--features",
            "lab",
            "--examples",
        ]));
        // This test is target/PROFILE/deps/lab-HASH.
        let me = std::env::current_exe().unwrap();
        me.ancestors().nth(2).unwrap().with_file_name("debug").join("examples")
    });
    folder.join(name)
}

/// Gets a page from inside a namespace, once its server has come up. Panics when it does not.
pub(crate) fn fetch(namespace: &Namespace, url: &str) -> String {
    fetch_with(namespace, &[], url)
}

/// The same, with more arguments for curl.
pub(crate) fn fetch_with(namespace: &Namespace, arguments: &[&str], url: &str) -> String {
    let curl = tool("curl", "curl");
    soon(url, || {
        let mut command = namespace.command(curl.get_program());
        let output =
            command.args(["-sS", "--fail", "--max-time", "60"]).args(arguments).arg(url).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    })
}
