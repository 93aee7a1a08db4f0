//! A file is one noun and a function is a screen: what is longer is two things.

use super::reading::{LIBRARY, SIMULATION, Walk, shipped};

/// Lines of a file, without its tests.
const LONGEST_FILE: usize = 500;
/// Lines of a function, its braces included.
const LONGEST_FUNCTION: usize = 80;

#[test]
fn no_file_and_no_function_is_too_long() {
    let too_long: Vec<String> = [LIBRARY, SIMULATION]
        .into_iter()
        .flat_map(shipped)
        .flat_map(|(name, source, walk)| objections(&name, &source, &walk))
        .collect();
    assert!(too_long.is_empty(), "\n{}\n", too_long.join("\n"));
}

fn objections(name: &str, source: &str, walk: &Walk) -> Vec<String> {
    let lines = source.lines().count() - walk.test_lines;
    let file = (lines > LONGEST_FILE).then(|| format!("{name}: {lines} lines"));
    let functions = walk.functions.iter().map(|(function, first, last)| (function, first, last + 1 - first));
    let functions = functions.filter(|(_, _, lines)| *lines > LONGEST_FUNCTION);
    let functions =
        functions.map(|(function, at, lines)| format!("{name}:{at}: `{function}` has {lines} lines"));
    file.into_iter().chain(functions).collect()
}

#[test]
fn what_is_too_long_is_named_and_tests_do_not_count() {
    let read = |source: &str| {
        let mut walk = Walk::default();
        walk.level(source.parse().unwrap(), &[]);
        objections("src/x.rs", source, &walk)
    };
    let body = "    let _ = 1;\n".repeat(79);
    let function = format!("fn long() {{\n{body}}}\n");
    assert_eq!(read(&function), ["src/x.rs:1: `long` has 81 lines"]);
    assert_eq!(
        read(&format!("#[cfg(test)]\nmod tests {{\n{function}{}}}\n", "fn f() {}\n".repeat(500))),
        [""; 0]
    );
    assert_eq!(read(&"fn f() {}\n".repeat(501)), ["src/x.rs: 501 lines"]);
}
