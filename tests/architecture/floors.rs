//! A floor knows the floors named beside it in [`FLOORS`] and no other; and only some floors may touch the world outside
//! the process ([`RESOURCES`]), so that what decides can be replayed from its inputs.

use proc_macro2::TokenStream;

use super::reading::{LIBRARY, SIMULATION, Walk, module_of, shipped, sources, test_files};

/// Each floor, and the floors it may know. A floor always knows itself.
const FLOORS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("settings", &["types"]),
    ("engine", &["types", "settings"]),
    ("trust", &["types", "settings"]),
    ("platform", &["types"]),
    ("net", &["types", "settings", "trust", "platform"]),
    ("store", &["types", "platform"]),
    ("client", &["types", "settings", "engine", "trust", "platform", "net", "store"]),
    ("ffi", &["types", "settings", "engine", "trust", "net", "store", "client"]),
];

/// The floors that may touch the world. The others are told everything.
const WORLDLY: &[&str] = &["platform", "net", "store", "client", "ffi"];

/// What counts as touching the world: a path that begins like this.
const RESOURCES: &[(&str, &str)] = &[
    ("std::time::Instant", "a clock"),
    ("std::time::SystemTime", "a clock"),
    ("std::time::UNIX_EPOCH", "a clock"),
    ("std::fs", "files"),
    ("std::io::stdin", "files"),
    ("std::io::stdout", "files"),
    ("std::io::stderr", "files"),
    ("std::os", "the operating system"),
    ("std::process", "the operating system"),
    ("rustix", "the operating system"),
    ("std::thread", "threads"),
    ("std::net::TcpStream", "sockets"),
    ("std::net::TcpListener", "sockets"),
    ("std::net::UdpSocket", "sockets"),
    ("std::net::ToSocketAddrs", "sockets"),
    ("mio", "sockets"),
    ("socket2", "sockets"),
    ("std::env", "environment variables"),
    ("std::hash::RandomState", "global randomness"),
    ("std::collections::hash_map::RandomState", "global randomness"),
    ("rand::rng", "global randomness"),
    ("rand::thread_rng", "global randomness"),
    ("rand::random", "global randomness"),
    ("getrandom", "global randomness"),
];

#[test]
fn every_floor_knows_only_the_floors_it_may_know() {
    let mut skipped = Vec::new();
    let mut found = Vec::new();
    for (name, source) in sources(LIBRARY) {
        let reading = read(&name, &source);
        skipped.extend(reading.test_files);
        found.push((name, reading.violations));
    }
    let shipped = |name: &str| !skipped.iter().any(|test: &String| name.starts_with(test.as_str()));
    let violations: Vec<String> =
        found.into_iter().filter(|(name, _)| shipped(name)).flat_map(|(_, violations)| violations).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// What one file says.
struct Reading {
    /// `file:line: what`, in the order of the file.
    violations: Vec<String>,
    /// Paths of the files behind `#[cfg(test)] mod name;`, without the ending.
    test_files: Vec<String>,
}

/// Reads one source file; `name` is its path from the root, with slashes.
fn read(name: &str, source: &str) -> Reading {
    let mut reading = Reading { violations: Vec::new(), test_files: Vec::new() };
    let tokens: TokenStream = match source.parse() {
        Ok(tokens) => tokens,
        Err(error) => {
            reading.violations.push(format!("{name}: is not Rust: {error}"));
            return reading;
        }
    };
    let module = module_of(name);
    // The root only names the floors.
    let Some(floor) = module.first() else { return reading };
    let Some((_, known)) = FLOORS.iter().find(|(other, _)| other == floor) else {
        reading.violations.push(format!("{name}: `{floor}` is no floor of the house"));
        return reading;
    };
    let mut walk = Walk::default();
    walk.level(tokens, &module);
    reading.test_files = test_files(name, &walk);
    for mention in &walk.mentions {
        let path = mention.resolved(&walk.aliases);
        if let Some(what) = objection(floor, known, &path) {
            let violation = format!("{name}:{}: {what} (`{}`)", mention.line, path.join("::"));
            if !reading.violations.contains(&violation) {
                reading.violations.push(violation);
            }
        }
    }
    reading
}

/// Why this floor may not name that path.
fn objection(floor: &str, known: &[&str], path: &[String]) -> Option<String> {
    let [first, rest @ ..] = path else { return None };
    if first == "crate" {
        let other = rest.first()?;
        if other == floor || known.contains(&other.as_str()) {
            return None;
        }
        if FLOORS.iter().any(|(name, _)| name == other) {
            return Some(format!("`{floor}` may not know `{other}`"));
        }
        return Some(format!("`{floor}` reaches over the roof; name the floor the item belongs to"));
    }
    if WORLDLY.contains(&floor) {
        return None;
    }
    resource(path).map(|what| format!("`{floor}` may not touch {what}"))
}

/// What of the world a path names.
fn resource(path: &[String]) -> Option<&'static str> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let same = if path[0] == "core" || path[0] == "alloc" { [&["std"], &path[1..]].concat() } else { path };
    RESOURCES.iter().find_map(|(resource, what)| {
        let resource: Vec<&str> = resource.split("::").collect();
        let (last, module) = same.split_last()?;
        // A glob over a module that holds the resource brings it in as well.
        let glob = *last == "*" && !module.is_empty() && resource.starts_with(module);
        (same.starts_with(&resource) || glob).then_some(*what)
    })
}

/// The simulation is the engine's world: it knows what a driver knows of the library, and touches no other world.
#[test]
fn the_simulation_knows_the_engine_and_nothing_of_the_world() {
    let mut violations = Vec::new();
    for (name, _, walk) in shipped(SIMULATION) {
        for mention in &walk.mentions {
            let path = mention.resolved(&walk.aliases);
            let floor = path.first().filter(|first| *first == "homing").and(path.get(1));
            let strange = floor.filter(|floor| !["engine", "settings", "types"].contains(&floor.as_str()));
            if resource(&path).is_some() || strange.is_some() {
                violations.push(format!("{name}:{}: `{}`", mention.line, path.join("::")));
            }
        }
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn a_planted_violation_is_named_with_its_line() {
    let planted = [
        ("src/types/time.rs", "use crate::settings::Server;", "1: `types` may not know `settings`"),
        (
            "src/engine/race.rs",
            "\n\nuse crate::{types::Host, net::{Link}};",
            "3: `engine` may not know `net`",
        ),
        (
            "src/engine/attachment/plan.rs",
            "use super::super::super::client::Client;",
            "`engine` may not know `client`",
        ),
        (
            "src/engine/attachment/plan.rs",
            "mod deep { use super::super::super::super::trust; }",
            "may not know `trust`",
        ),
        ("src/trust/mod.rs", "fn f() { crate::engine::Engine::new() }", "`trust` may not know `engine`"),
        ("src/net/link.rs", "fn f(_: crate::engine::Action) {}", "`net` may not know `engine`"),
        (
            "src/net/link.rs",
            "fn f() { write!(x, \"{}\", crate::store::name()) }",
            "`net` may not know `store`",
        ),
        (
            "src/platform/clock.rs",
            "use crate as house; fn f() { house::net::x() }",
            "`platform` may not know `net`",
        ),
        ("src/settings/mod.rs", "use crate::Client;", "reaches over the roof"),
        ("src/cellar/mod.rs", "", "`cellar` is no floor"),
        ("src/engine/mod.rs", "use std::time::{Duration, Instant};", "`engine` may not touch a clock"),
        ("src/engine/mod.rs", "use std::time; fn f() { time::SystemTime::now(); }", "may not touch a clock"),
        ("src/engine/mod.rs", "use std::time as t; fn f() { t::Instant::now(); }", "may not touch a clock"),
        ("src/engine/mod.rs", "use std::time::*;", "may not touch a clock"),
        ("src/settings/mod.rs", "fn f() { let _ = std::fs::read(\"x\"); }", "`settings` may not touch files"),
        ("src/trust/mod.rs", "use std::{fs::File, sync::Arc};", "`trust` may not touch files"),
        ("src/engine/mod.rs", "fn f() { std::thread::sleep(x) }", "may not touch threads"),
        ("src/types/mod.rs", "use std::net::{IpAddr, TcpStream};", "may not touch sockets"),
        (
            "src/types/mod.rs",
            "fn f() { vec![::std::env::var(\"HOME\")] }",
            "may not touch environment variables",
        ),
        ("src/engine/mod.rs", "fn f() -> u64 { rand::random() }", "may not touch global randomness"),
    ];
    for (name, source, expected) in planted {
        let violations = read(name, source).violations;
        assert_eq!(violations.len(), 1, "{name}: {source}: {violations:?}");
        assert!(violations[0].starts_with(name) && violations[0].contains(expected), "{}", violations[0]);
    }
}

#[test]
fn what_is_allowed_draws_no_objection() {
    let allowed = [
        ("src/lib.rs", "pub use crate::net::Limits; pub mod client;"),
        (
            "src/engine/mod.rs",
            "mod race; use race::Race; use crate::types::Moment; use crate::settings::Settings;",
        ),
        ("src/engine/mod.rs", "/// Unlike [`std::time::Instant`] and crate::net.\nuse std::time::Duration;"),
        ("src/engine/mod.rs", "const TEXT: &str = \"use crate::net; std::fs::read\"; // std::thread::spawn"),
        ("src/types/address.rs", "use std::net::{IpAddr, SocketAddr}; use std::fmt;"),
        ("src/net/dial.rs", "use std::time::Instant; use mio::net::TcpStream; use crate::platform::Clock;"),
        (
            "src/client/mod.rs",
            "use std::fs; use crate::engine::Engine; use crate::net; fn f() { net::go(); std::thread::spawn(f); }",
        ),
        (
            "src/engine/race.rs",
            "use super::plan::Plan; use self::inner::X; mod inner { use super::super::plan; }",
        ),
        ("src/engine/race.rs", "#[cfg(test)] mod tests { use std::thread; use crate::client::Client; }"),
        (
            "src/settings/mod.rs",
            "#[cfg(test)] use std::fs; #[cfg(all(test, unix))] fn f() -> [u8; 2] { std::env::var() }",
        ),
    ];
    for (name, source) in allowed {
        assert_eq!(read(name, source).violations, Vec::<String>::new(), "{name}: {source}");
    }
}

#[test]
fn a_file_that_only_tests_is_known_by_its_declaration() {
    let declared = read("src/engine/mod.rs", "#[cfg(test)]\nmod scenario;\nmod race;").test_files;
    assert_eq!(declared, ["src/engine/scenario.rs", "src/engine/scenario/"]);
    let nested = read("src/engine/race.rs", "#[cfg(test)] mod tests;").test_files;
    assert_eq!(nested, ["src/engine/race/tests.rs", "src/engine/race/tests/"]);
}

#[test]
fn code_after_a_test_module_is_looked_at_again() {
    let source = "#[cfg(test)] mod tests { use std::fs; }\n#[cfg(not(test))]\nuse std::thread;";
    let violations = read("src/engine/mod.rs", source).violations;
    assert_eq!(violations, ["src/engine/mod.rs:3: `engine` may not touch threads (`std::thread`)"]);
}
