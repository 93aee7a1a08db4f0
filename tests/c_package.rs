//! What is installed for C: the headers in every dialect, the symbols, the numbers, and what pkg-config and CMake find.
//!
//! With `HOMING_BLESS=1` in the environment the list of symbols is written anew.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the helpers of a test may give up as the test itself may"
)]

mod installed;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use installed::{folder, installed, make, prefix, root, setting, succeeds};

const VERSION: &str = env!("CARGO_PKG_VERSION");

const PROGRAM: &str = r#"
#include <homing.h>
#include <stdio.h>
int main(void) {
    homing_text text = homing_version_text();
    uint32_t header = HOMING_VERSION_MAJOR << 16 | HOMING_VERSION_MINOR << 8 | HOMING_VERSION_PATCH;
    if (homing_version() != header)
        return 1;
    printf("%.*s", (int)text.len, text.data);
    return 0;
}
"#;

#[test]
fn the_headers_compile_alone_and_twice_in_every_dialect_without_a_warning() {
    let folder = folder("dialects");
    let mut seen = 0;
    for (header, ending, compilers, standards) in [
        ("homing.h", "c", ["gcc", "clang"], &["c99", "c11", "c17"][..]),
        ("homing.h", "cpp", ["g++", "clang++"], &["c++11", "c++17", "c++20"]),
        ("homing.hpp", "cpp", ["g++", "clang++"], &["c++17", "c++20"]),
        ("homing_policy.hpp", "cpp", ["g++", "clang++"], &["c++17", "c++20"]),
    ] {
        let source = folder.join(format!("{header}.{ending}"));
        fs::write(&source, format!("#include <{header}>\n#include <{header}>\nint one;\n")).unwrap();
        for (compiler, standard) in
            compilers.iter().flat_map(|one| standards.iter().map(move |two| (one, two)))
        {
            if Command::new(compiler).arg("--version").output().is_err() {
                eprintln!("NOT RUN: {compiler} is not here");
                continue;
            }
            let warnings = ["-Wall", "-Wextra", "-pedantic", "-Wconversion", "-Werror", "-fsyntax-only"];
            let mut command = Command::new(compiler);
            command.arg(format!("-std={standard}")).args(warnings).arg("-I").arg(root().join("include"));
            succeeds(command.arg(&source));
            seen += 1;
        }
    }
    assert!(seen >= 8, "a C and a C++ compiler are needed");
}

#[test]
fn what_the_header_declares_is_exported_and_nothing_else() {
    let committed = root().join("include/homing.symbols");
    let library = prefix().join("lib/libhoming.so");
    let exported = succeeds(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(library));
    let exported: BTreeSet<&str> = exported.lines().filter_map(|line| line.split(' ').next()).collect();
    let list: String = exported.iter().map(|name| format!("{name}\n")).collect();
    if env::var_os("HOMING_BLESS").is_some() {
        fs::write(&committed, &list).unwrap();
    }
    let known = fs::read_to_string(&committed).unwrap_or_default();
    assert!(
        known == list,
        "include/homing.symbols is out of date; run this test with HOMING_BLESS=1\nexported:\n{list}"
    );

    let header = fs::read_to_string(root().join("include/homing.h")).unwrap();
    let code = header.lines().filter(|line| !line.starts_with("//") && !line.starts_with(' '));
    // Every declaration of a function begins a line, and is the only thing that has a name and a bracket there.
    let declared: BTreeSet<&str> = code
        .filter_map(|line| line.split_once('(').map(|(front, _)| front))
        .filter_map(|front| front.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("homing_"))
        .collect();
    assert_eq!(declared, exported);
}

#[test]
fn the_library_names_its_abi_and_needs_only_what_every_system_has() {
    let elf = succeeds(Command::new("readelf").arg("-dW").arg(prefix().join("lib/libhoming.so")));
    let named = |what: &str| -> Vec<&str> {
        let lines = elf.lines().filter(|line| line.contains(&format!("({what})")));
        lines.filter_map(|line| line.split_once('[')?.1.strip_suffix(']')).collect()
    };
    assert_eq!(named("SONAME"), [format!("libhoming.so.{}", abi())]);
    for needed in named("NEEDED") {
        let known =
            ["libc.so.6", "libm.so.6", "libgcc_s.so.1"].contains(&needed) || needed.starts_with("ld-linux");
        assert!(known, "it needs {needed}");
    }
    let flags: Vec<_> = elf.lines().filter(|line| line.contains("(FLAGS_1)")).collect();
    assert!(flags.iter().any(|line| line.contains("NODELETE")), "{flags:?}");
}

/// What may break with a new number: the second before version 1, the first from then on.
fn abi() -> String {
    let mut parts = VERSION.split('.');
    match (parts.next().unwrap(), parts.next().unwrap()) {
        ("0", minor) => format!("0.{minor}"),
        (major, _) => major.to_owned(),
    }
}

#[test]
fn every_place_that_has_a_version_has_the_same() {
    let lib = prefix().join("lib");
    assert_eq!(
        fs::canonicalize(lib.join("libhoming.so")).unwrap(),
        fs::canonicalize(&lib).unwrap().join(format!("libhoming.so.{VERSION}"))
    );
    assert_eq!(succeeds(installed("pkg-config").args(["--modversion", "homing"])).trim(), VERSION);
    let program = compiled("version", &["--libs"]);
    assert_eq!(succeeds(&mut installed(program)), VERSION);
}

/// The program above, compiled with what pkg-config says to these questions.
fn compiled(name: &str, questions: &[&str]) -> PathBuf {
    let folder = folder(name);
    let (source, program) = (folder.join("version.c"), folder.join("version"));
    fs::write(&source, PROGRAM).unwrap();
    let flags = succeeds(installed("pkg-config").arg("--cflags").args(questions).arg("homing"));
    let flags = flags.split_whitespace().map(|flag| match flag {
        // As docs/c-api.md says; else the shared library is taken, which stands beside it.
        "-lhoming" if questions.contains(&"--static") => "-l:libhoming.a",
        flag => flag,
    });
    succeeds(installed("cc").arg("-o").arg(&program).arg(source).args(flags));
    program
}

#[test]
fn a_static_program_needs_no_library_of_homing() {
    let program = compiled("static", &["--libs", "--static"]);
    assert_eq!(succeeds(&mut Command::new(&program)), VERSION);
    let elf = succeeds(Command::new("readelf").arg("-dW").arg(program));
    assert!(!elf.contains("homing"), "{elf}");
}

/// A client that looks for a server where there is none, tells so, and ends.
const CLIENT: &str = r#"
#include <homing.h>
#include <stdio.h>
#include <string.h>
static const char settings_json[] = "{\"server_lists\":[{\"name\":\"main\",\"priorities\":[{\"servers\":["
    "{\"address\":\"127.0.0.1\",\"https_port\":1}]}]}]}";
int main(void) {
    homing_settings *settings;
    homing_client *client;
    homing_event *event;
    homing_options options = {.struct_size = sizeof options, .agent_id = "agent"};
    const uint8_t *json = (const uint8_t *)settings_json;
    int32_t kind = 0;
    if (homing_settings_parse(json, strlen(settings_json), HOMING_SOURCE_PERSON, &settings, NULL) != HOMING_OK)
        return 1;
    if (homing_client_start(settings, &options, &client, NULL) != HOMING_OK)
        return 2;
    while (kind != HOMING_EVENT_ATTEMPT_FAILED) {
        if (homing_client_next_event(client, 60000, &event) != HOMING_OK || !event)
            return 3;
        kind = homing_event_kind(event);
        homing_event_free(event);
    }
    homing_client_free(client);
    homing_settings_free(settings);
    puts("refused");
    return 0;
}
"#;

#[test]
fn a_wholly_static_program_is_linked_with_what_pkg_config_says_and_runs() {
    let folder = folder("wholly_static");
    let flags = succeeds(installed("pkg-config").args(["--cflags", "--static", "--libs", "homing"]));
    for (name, text, expected) in [("version", PROGRAM, VERSION), ("client", CLIENT, "refused\n")] {
        let (source, program) = (folder.join(format!("{name}.c")), folder.join(name));
        fs::write(&source, text).unwrap();
        let mut compiler = installed("gcc");
        // The linker warns that glibc loads its name service at run time.
        compiler.args(["-static", "-o"]).arg(&program).arg(source).args(flags.split_whitespace());
        succeeds(&mut compiler);
        assert_eq!(succeeds(&mut Command::new(&program)), expected, "{name}");
        let elf = succeeds(Command::new("readelf").arg("-lW").arg(program));
        assert!(!elf.contains("INTERP"), "{name} needs a dynamic loader:\n{elf}");
    }
}

#[test]
fn the_system_libraries_of_a_static_program_are_those_the_compiler_names() {
    let folder = folder("native");
    let source = folder.join("empty.rs");
    fs::write(&source, "").unwrap();
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command
        .args(["--crate-type", "staticlib", "--print", "native-static-libs", "-o"])
        .arg(folder.join("empty.a"));
    let told = command.arg(source).output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    let (_, named) = told.split_once("native-static-libs: ").expect("the compiler names them");
    // Without the one that the C compiler adds by itself, and that is not there in a form for static programs.
    let named = named.lines().next().unwrap().split_whitespace().filter(|library| *library != "-lgcc_s");
    let named: BTreeSet<&str> = named.collect();
    let file = fs::read_to_string(prefix().join("lib/pkgconfig/homing.pc")).unwrap();
    let ours = file.lines().find_map(|line| line.strip_prefix("Libs.private: ")).unwrap();
    assert_eq!(ours.split_whitespace().collect::<BTreeSet<_>>(), named);
}

#[test]
fn cmake_finds_it_also_when_the_tree_was_moved() {
    let folder = folder("cmake");
    let moved = folder.join("elsewhere");
    succeeds(Command::new("cp").arg("-a").arg(prefix()).arg(&moved));
    fs::write(folder.join("version.c"), PROGRAM).unwrap();
    let project = "cmake_minimum_required(VERSION 3.13)\nproject(version LANGUAGES C)\n\
                   find_package(homing @WANTED@ REQUIRED)\n\
                   add_executable(shared version.c)\ntarget_link_libraries(shared PRIVATE homing::homing)\n\
                   add_executable(static version.c)\ntarget_link_libraries(static PRIVATE homing::static)\n";
    let configure = |wanted: &str| {
        fs::write(folder.join("CMakeLists.txt"), project.replace("@WANTED@", wanted)).unwrap();
        let mut cmake = Command::new("cmake");
        cmake.arg("-S").arg(&folder).arg("-B").arg(folder.join("build"));
        cmake.arg(format!("-DCMAKE_PREFIX_PATH={}", moved.display()));
        cmake
    };
    // Another minor version is another ABI before version 1.
    for wanted in ["0.99", "1.0"] {
        assert!(!configure(wanted).output().expect("cmake is needed").status.success(), "{wanted}");
    }
    succeeds(&mut configure(&abi()));
    succeeds(Command::new("cmake").arg("--build").arg(folder.join("build")));
    for program in ["shared", "static"] {
        assert_eq!(succeeds(&mut Command::new(folder.join("build").join(program))), VERSION, "{program}");
    }
}

#[test]
fn a_package_is_made_beside_the_system_and_taken_away_whole() {
    let staged = folder("staged");
    let make = |goal: &str| {
        let mut make = make();
        make.arg(goal).arg("PREFIX=/usr").arg("LIBDIR=/usr/lib/somewhere").arg(setting("DESTDIR", &staged));
        succeeds(&mut make);
        files(&staged)
    };
    let expected = [
        "usr/include/homing.h".to_owned(),
        "usr/include/homing.hpp".to_owned(),
        "usr/include/homing_policy.hpp".to_owned(),
        "usr/lib/somewhere/cmake/homing/homing-config-version.cmake".to_owned(),
        "usr/lib/somewhere/cmake/homing/homing-config.cmake".to_owned(),
        "usr/lib/somewhere/libhoming.a".to_owned(),
        "usr/lib/somewhere/libhoming.so".to_owned(),
        format!("usr/lib/somewhere/libhoming.so.{}", abi()),
        format!("usr/lib/somewhere/libhoming.so.{VERSION}"),
        "usr/lib/somewhere/pkgconfig/homing.pc".to_owned(),
    ];
    assert_eq!(make("install"), expected);
    let text = fs::read_to_string(staged.join("usr/lib/somewhere/pkgconfig/homing.pc")).unwrap();
    assert!(
        text.starts_with("prefix=/usr\nincludedir=${prefix}/include\nlibdir=${prefix}/lib/somewhere\n"),
        "{text}"
    );
    assert!(!text.contains(staged.to_str().unwrap()), "{text}");
    assert_eq!(make("uninstall"), [""; 0]);
}

/// Every file and link below a folder, sorted.
fn files(folder: &Path) -> Vec<String> {
    let found = succeeds(Command::new("find").arg(".").args(["!", "-type", "d"]).current_dir(folder));
    let mut found: Vec<_> = found.lines().map(|line| line.trim_start_matches("./").to_owned()).collect();
    found.sort();
    found
}

#[test]
fn a_rust_program_that_depends_on_homing_builds_no_library_for_c() {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"];
    let told = succeeds(Command::new(cargo).args(arguments).current_dir(root()));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let packages = told["packages"].as_array().unwrap();
    let mut targets = packages.iter().flat_map(|package| package["targets"].as_array().unwrap());
    let library = targets.find(|target| target["name"] == "homing").unwrap();
    assert_eq!(library["crate_types"], serde_json::json!(["lib"]));
}
