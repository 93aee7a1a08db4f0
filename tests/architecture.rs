//! Who may know whom.
//!
//! The library is a house of floors, each a folder under `src/`. A floor knows the floors named beside it in
//! [`FLOORS`] and no other; and only some floors may touch the world outside the process ([`RESOURCES`]), so that
//! what decides can be replayed from its inputs. The sources are read as tokens: comments and strings do not count,
//! the insides of macros do. What stands under `#[cfg(test)]` is not shipped and is not looked at.
#![allow(clippy::unwrap_used, reason = "a test that cannot read the sources has to fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Each floor, and the floors it may know. A floor always knows itself.
const FLOORS: &[(&str, &[&str])] = &[
    ("words", &[]),
    ("settings", &["words"]),
    ("engine", &["words", "settings"]),
    ("trust", &["words", "settings"]),
    ("platform", &["words"]),
    ("net", &["words", "settings", "trust", "platform"]),
    ("store", &["words", "platform"]),
    ("client", &["words", "settings", "engine", "trust", "platform", "net", "store"]),
    ("ffi", &["words", "settings", "engine", "trust", "net", "store", "client"]),
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
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    collect(&root.join("src"), &mut sources);
    assert!(sources.len() >= 10, "these are not the sources: {sources:?}");
    let mut skipped = Vec::new();
    let mut found = Vec::new();
    for path in &sources {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        let reading = read(&name, &fs::read_to_string(path).unwrap());
        skipped.extend(reading.test_files);
        found.push((name, reading.violations));
    }
    let shipped = |name: &str| !skipped.iter().any(|test: &String| name.starts_with(test.as_str()));
    let violations: Vec<String> =
        found.into_iter().filter(|(name, _)| shipped(name)).flat_map(|(_, violations)| violations).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn collect(folder: &Path, sources: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
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
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let inside =
        if name.ends_with("/mod.rs") { folder.to_owned() } else { name.trim_end_matches(".rs").to_owned() };
    reading.test_files.extend(
        walk.test_modules
            .iter()
            .flat_map(|test| [format!("{inside}/{test}.rs"), format!("{inside}/{test}/")]),
    );
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

/// The module a file is: `src/engine/race.rs` is `engine::race`; the root of the crate is empty.
fn module_of(name: &str) -> Vec<String> {
    let inner = name.trim_start_matches("src/").trim_end_matches(".rs");
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    if inner == "lib" { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
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
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let same = if path[0] == "core" || path[0] == "alloc" { [&["std"], &path[1..]].concat() } else { path };
    RESOURCES.iter().find_map(|(resource, what)| {
        let resource: Vec<&str> = resource.split("::").collect();
        let (last, module) = same.split_last()?;
        // A glob over a module that holds the resource brings it in as well.
        let glob = *last == "*" && !module.is_empty() && resource.starts_with(module);
        (same.starts_with(&resource) || glob).then(|| format!("`{floor}` may not touch {what}"))
    })
}

/// One path as it stands in the source.
struct Mention {
    line: usize,
    path: Vec<String>,
    /// Inside a `use`: names nothing that another `use` of the file brought in by chance.
    import: bool,
}

impl Mention {
    /// The path with the file's own aliases undone.
    fn resolved(&self, aliases: &BTreeMap<String, Vec<String>>) -> Vec<String> {
        let mut path = self.path.clone();
        // More links than a chain of aliases in one file ever has.
        for _ in 0..8 {
            let Some(target) = path.first().and_then(|first| aliases.get(first)) else { break };
            if self.import && *target == path || target.first() == path.first() {
                break;
            }
            path = [target.as_slice(), &path[1..]].concat();
        }
        path
    }
}

/// Collects the paths of one file.
#[derive(Default)]
struct Walk {
    mentions: Vec<Mention>,
    aliases: BTreeMap<String, Vec<String>>,
    test_modules: Vec<String>,
}

impl Walk {
    /// One level of braces; `module` is where it stands.
    fn level(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            if let Some(end) = self.test_item(&tokens, at) {
                at = end;
                continue;
            }
            match &tokens[at] {
                TokenTree::Ident(word) if word == "mod" => {
                    if let [TokenTree::Ident(name), TokenTree::Group(body), ..] = &tokens[at + 1..] {
                        self.level(body.stream(), &[module, &[name.to_string()]].concat());
                        at += 2;
                    }
                }
                TokenTree::Ident(word) if word == "use" => {
                    at = self.tree(&tokens, at + 1, &[], module);
                    continue;
                }
                TokenTree::Ident(_) => {
                    at = self.path(&tokens, at, module);
                    continue;
                }
                TokenTree::Group(group) => self.level(group.stream(), module),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    /// The end of an item under `#[cfg(test)]` that begins here.
    fn test_item(&mut self, tokens: &[TokenTree], at: usize) -> Option<usize> {
        let (TokenTree::Punct(hash), TokenTree::Group(attribute)) = (tokens.get(at)?, tokens.get(at + 1)?)
        else {
            return None;
        };
        if hash.as_char() != '#' || !is_test(attribute) {
            return None;
        }
        let rest = &tokens[at + 2..];
        let ends = |token: &TokenTree| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        };
        let length = rest.iter().position(ends).map_or(rest.len(), |position| position + 1);
        let words: Vec<String> = rest[..length].iter().map(ToString::to_string).collect();
        if let Some(position) = words.iter().position(|word| word == "mod")
            && words.last().is_some_and(|last| last == ";")
        {
            self.test_modules.extend(words.get(position + 1).cloned());
        }
        Some(at + 2 + length)
    }

    /// A path in an expression, a type or a macro. Returns where it ends.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize, module: &[String]) -> usize {
        let line = tokens[at].span().start().line;
        let mut path = Vec::new();
        while let Some(TokenTree::Ident(word)) = tokens.get(at) {
            path.push(word.to_string());
            at += 1;
            if !is_double_colon(tokens, at) || !matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))) {
                break;
            }
            at += 2;
        }
        // A word alone was brought in by a `use`, which is looked at by itself.
        if path.len() > 1 {
            self.mentions.push(Mention { line, path: absolute(path, module), import: false });
        }
        at
    }

    /// One branch of a `use`. Returns where it ends.
    fn tree(&mut self, tokens: &[TokenTree], mut at: usize, prefix: &[String], module: &[String]) -> usize {
        let mut path = prefix.to_vec();
        let mut line = 0;
        let mut alias = None;
        while let Some(token) = tokens.get(at) {
            line = token.span().start().line;
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    alias = tokens.get(at + 1).map(ToString::to_string);
                    at += 1;
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => {
                    let branches: Vec<TokenTree> = group.stream().into_iter().collect();
                    let mut branch = 0;
                    while branch < branches.len() {
                        branch = self.tree(&branches, branch, &path, module) + 1;
                    }
                    return at + 1;
                }
                TokenTree::Punct(punct) if matches!(punct.as_char(), ';' | ',') => break,
                TokenTree::Punct(punct) if punct.as_char() == '*' => path.push("*".to_owned()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if let Some(last) = path.last().cloned() {
            let path = absolute(path, module);
            if last != "*" {
                self.aliases.insert(alias.unwrap_or(last), path.clone());
            }
            self.mentions.push(Mention { line, path, import: true });
        }
        at
    }
}

/// `self` and `super` undone: such a path begins with `crate`.
fn absolute(path: Vec<String>, module: &[String]) -> Vec<String> {
    let mut here = module.to_vec();
    let mut rest = path.as_slice();
    match rest.first().map(String::as_str) {
        Some("self") => rest = &rest[1..],
        Some("super") => {
            while rest.first().is_some_and(|word| word == "super") {
                here.pop();
                rest = &rest[1..];
            }
        }
        _ => return path,
    }
    [&["crate".to_owned()], here.as_slice(), rest].concat()
}

fn is_double_colon(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    colon(at) && colon(at + 1)
}

/// `cfg(test)` or `cfg(all(test, …))`.
fn is_test(attribute: &Group) -> bool {
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

#[test]
fn a_planted_violation_is_named_with_its_line() {
    let planted = [
        ("src/words/time.rs", "use crate::settings::Server;", "1: `words` may not know `settings`"),
        (
            "src/engine/race.rs",
            "\n\nuse crate::{words::Host, net::{Link}};",
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
        ("src/net/link.rs", "fn f() -> crate::engine::Action { todo!() }", "`net` may not know `engine`"),
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
        ("src/words/mod.rs", "use std::net::{IpAddr, TcpStream};", "may not touch sockets"),
        (
            "src/words/mod.rs",
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
            "mod race; use race::Race; use crate::words::Moment; use crate::settings::Settings;",
        ),
        ("src/engine/mod.rs", "/// Unlike [`std::time::Instant`] and crate::net.\nuse std::time::Duration;"),
        ("src/engine/mod.rs", "const TEXT: &str = \"use crate::net; std::fs::read\"; // std::thread::spawn"),
        ("src/words/address.rs", "use std::net::{IpAddr, SocketAddr}; use std::fmt;"),
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
