//! Programs in C with the library of these sources: built, compiled and run.
//!
//! `.ci/run sanitizers` says otherwise how: `HOMING_TEST_LIBRARY` is a static library that was built before,
//! `HOMING_TEST_CC` a compiler, `HOMING_TEST_SANITIZE` what it is told to look for (nothing, when empty), and
//! `HOMING_TEST_RUNNER` a command that runs the program.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Where this repository is.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The static library: the one that was named, or one that cargo makes now.
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| match env::var_os("HOMING_TEST_LIBRARY") {
        Some(path) => path.into(),
        None => build(),
    })
}

fn build() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = [
        "rustc",
        "--locked",
        "--lib",
        "--features",
        "capi",
        "--crate-type",
        "cdylib,staticlib",
        "--message-format",
        "json",
    ];
    let mut command = Command::new(cargo);
    // What cargo tells a test about its crate would make build scripts run anew, and again without it.
    for (name, _) in env::vars_os() {
        let about_a_crate = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];
        if about_a_crate.iter().any(|front| name.to_string_lossy().starts_with(front)) {
            command.env_remove(name);
        }
    }
    let made = command.args(arguments).current_dir(root()).stderr(Stdio::inherit()).output().unwrap();
    assert!(made.status.success(), "the library for C cannot be built");
    let messages = String::from_utf8(made.stdout).unwrap();
    let files = messages.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let files = files.filter(|message| message["reason"] == "compiler-artifact");
    let files: Vec<_> =
        files.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default()).collect();
    let made = files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with("libhoming.a"));
    PathBuf::from(made.expect("cargo names what it made"))
}

/// Compiles a program with sanitizers; `flags` come after the sources.
pub fn compile(name: &str, sources: &[PathBuf], flags: &[&OsStr]) -> PathBuf {
    let sanitize = env::var("HOMING_TEST_SANITIZE").unwrap_or_else(|_| "address,undefined".to_owned());
    compile_as(name, sources, flags, &sanitize)
}

/// Compiles a program as it would be shipped: a sanitizer keeps memory of its own.
#[allow(dead_code, reason = "not every test weighs memory")]
pub fn compile_plainly(name: &str, sources: &[PathBuf], flags: &[&OsStr]) -> PathBuf {
    compile_as(name, sources, flags, "")
}

fn compile_as(name: &str, sources: &[PathBuf], flags: &[&OsStr], sanitize: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join(name);
    let compiler = env::var_os("HOMING_TEST_CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-o"]).arg(&program);
    if !sanitize.is_empty() {
        command.args([&format!("-fsanitize={sanitize}"), "-fno-sanitize-recover=all"]);
    }
    command.args(sources).args(flags).arg("-I").arg(root().join("include")).arg(library());
    let made = command.args(["-lgcc_s", "-lpthread", "-lm", "-ldl"]).output().unwrap();
    assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
    program
}

/// A program, about to be run.
pub fn command(program: &Path) -> Command {
    match env::var("HOMING_TEST_RUNNER") {
        Ok(runner) if !runner.is_empty() => {
            let mut words = runner.split_whitespace();
            let mut command = Command::new(words.next().unwrap());
            command.args(words).arg(program);
            command
        }
        Ok(_) | Err(_) => Command::new(program),
    }
}

/// What a program printed, which has to have ended well.
pub fn run_well(program: &Path, arguments: &[&OsStr]) -> String {
    let Output { status, stdout, stderr } =
        command(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let (told, wrong) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{}: {status}\n{told}\n{wrong}", program.display());
    told.into_owned()
}
