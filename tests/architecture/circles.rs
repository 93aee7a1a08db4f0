//! Files of one floor do not know each other in circles: a reader begins at the bottom.
//!
//! A file knows another when it names something that is defined there. A name that a third file only passes on (`pub use`,
//! or a `use` that its children share) leads to where it is defined.

use std::collections::{BTreeMap, BTreeSet};

use super::reading::{LIBRARY, Mention, Walk, module_of, shipped};

type Module = Vec<String>;

#[test]
fn files_of_one_floor_do_not_know_each_other_in_circles() {
    let files: Vec<_> =
        shipped(LIBRARY).into_iter().map(|(name, _, walk)| (module_of(&name), walk)).collect();
    assert!(files.len() > 200, "{}", files.len());
    let circles = circles(&files);
    assert!(circles.is_empty(), "\n{}\n", circles.join("\n"));
}

/// Each circle once, with what makes each step of it.
fn circles(files: &[(Module, Walk)]) -> Vec<String> {
    let known: BTreeMap<&Module, &Walk> = files.iter().map(|(module, walk)| (module, walk)).collect();
    let mut edges: BTreeMap<&Module, BTreeMap<&Module, String>> = BTreeMap::new();
    for (module, walk) in files.iter().filter(|(module, _)| !module.is_empty()) {
        // What is only passed on is not known.
        let is_used =
            |mention: &&Mention| mention.passed_on.as_ref().is_none_or(|name| walk.words.contains(name));
        for mention in walk.mentions.iter().filter(is_used) {
            let path = absolute(module, walk, mention.resolved(&walk.aliases));
            let Some((target, item)) = definer(&known, &path, 0) else { continue };
            if target != module && target.first() == module.first() {
                edges.entry(module).or_default().entry(target).or_insert(item);
            }
        }
    }
    let mut found: BTreeMap<BTreeSet<&Module>, String> = BTreeMap::new();
    for &start in edges.keys() {
        if let Some(way) = way_back(&edges, start) {
            let steps: Vec<String> = way
                .windows(2)
                .map(|step| {
                    format!("{} → {} ({})", step[0].join("::"), step[1].join("::"), edges[step[0]][step[1]])
                })
                .collect();
            found.entry(way.into_iter().collect()).or_insert_with(|| steps.join(", "));
        }
    }
    found.into_values().collect()
}

/// The file in which the item that a path names is defined, and the item.
fn definer<'a>(
    known: &BTreeMap<&'a Module, &'a Walk>,
    path: &[String],
    depth: usize,
) -> Option<(&'a Module, String)> {
    let path = path.strip_prefix(&["crate".to_owned()])?;
    let length = (1..=path.len()).rev().find(|&length| known.contains_key(&path[..length].to_vec()))?;
    let (&module, &walk) = known.get_key_value(&path[..length].to_vec())?;
    // A module alone is named to be looked into; what is taken from it stands elsewhere in the file.
    let item = path.get(length)?;
    match walk.aliases.get(item) {
        Some(onwards) if !walk.items.contains(item) && depth < 8 => {
            let onwards = [onwards.as_slice(), &path[length + 1..]].concat();
            definer(known, &absolute(module, walk, onwards), depth + 1)
        }
        _ => Some((module, item.clone())),
    }
}

/// A path of a file that begins with one of its own modules, from the root.
fn absolute(module: &Module, walk: &Walk, path: Vec<String>) -> Vec<String> {
    let own = path.first().is_some_and(|first| walk.items.contains(first));
    if own { [&["crate".to_owned()], module.as_slice(), path.as_slice()].concat() } else { path }
}

/// The shortest way from a file back to itself.
fn way_back<'a>(
    edges: &BTreeMap<&'a Module, BTreeMap<&'a Module, String>>,
    start: &'a Module,
) -> Option<Vec<&'a Module>> {
    let mut ways = std::collections::VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for &next in edges.get(way.last()?).into_iter().flat_map(|targets| targets.keys()) {
            if next == start {
                return Some([way.as_slice(), &[start]].concat());
            }
            if seen.insert(next) {
                ways.push_back([way.as_slice(), &[next]].concat());
            }
        }
    }
    None
}

#[test]
fn a_circle_is_found_through_what_a_third_file_passes_on() {
    let read = |files: &[(&str, &str)]| {
        let walk = |&(name, source): &(&str, &str)| {
            let mut walk = Walk::default();
            let tokens = source.parse().unwrap();
            walk.items(&tokens);
            walk.level(tokens, &module_of(name));
            (module_of(name), walk)
        };
        circles(&files.iter().map(walk).collect::<Vec<_>>())
    };
    let (passes_on, below) =
        ("mod a; mod b; pub use a::A; struct Own;", "use super::super::engine::A; struct B;");
    let circle = read(&[
        ("src/engine/mod.rs", passes_on),
        ("src/engine/a.rs", "use crate::engine::b::B; struct A;"),
        ("src/engine/b.rs", below),
    ]);
    assert_eq!(circle.len(), 1, "{circle:?}");
    let none = read(&[
        ("src/engine/mod.rs", passes_on),
        ("src/engine/a.rs", "use super::Own; struct A;"),
        ("src/engine/b.rs", below),
    ]);
    assert_eq!(none, [""; 0], "a parent that passes a name on does not know which file takes it");
    let parent = read(&[
        ("src/engine/mod.rs", "mod a; struct Own(a::A);"),
        ("src/engine/a.rs", "use super::Own; struct A;"),
    ]);
    assert_eq!(parent.len(), 1, "{parent:?}");
}
