//! The wire is written down twice, for people and for machines; the two may not drift apart. That the OpenAPI file is true of
//! a real server is checked by `.ci/run wire`.

use std::collections::BTreeSet;

const PEOPLE: &str = include_str!("../docs/wire.md");
const MACHINES: &str = include_str!("../docs/openapi.yaml");

/// What stands between backticks in the first cells of the tables under this heading.
fn first_cells(heading: &str) -> Vec<&'static str> {
    let section = PEOPLE.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2)).collect()
}

/// `METHOD /path` of every operation of the OpenAPI file.
fn operations() -> BTreeSet<String> {
    let mut path = "";
    let mut operations = BTreeSet::new();
    for line in MACHINES.lines() {
        if let Some(key) = line.strip_prefix("  /") {
            path = key.trim_end_matches(':');
        } else if let Some(method) = line.strip_prefix("    ").and_then(|rest| rest.strip_suffix(':'))
            && ["get", "put", "post", "delete", "patch", "head", "options"].contains(&method)
        {
            operations.insert(format!("{} /{path}", method.to_uppercase()));
        }
    }
    operations
}

/// Names of our own header fields.
fn own_fields(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| word.strip_prefix("Homing-").is_some_and(|rest| !rest.is_empty())).collect()
}

#[test]
fn both_know_the_same_requests() {
    let written: BTreeSet<String> =
        first_cells("Requests").into_iter().filter(|cell| cell.contains(" /")).map(str::to_owned).collect();
    assert_eq!(written.len(), 6, "{written:?}");
    assert_eq!(written, operations());
}

#[test]
fn both_know_the_same_header_fields() {
    assert_eq!(own_fields(PEOPLE), own_fields(MACHINES));
    // What every HTTP library does by itself is no part of an OpenAPI file.
    let http = ["Host", "Content-Length", "User-Agent", "Connection: close"];
    let fields =
        first_cells("Requests").into_iter().filter(|cell| !cell.contains('/') && !http.contains(cell));
    let fields: Vec<_> = fields.filter(|cell| cell.chars().next().is_some_and(char::is_uppercase)).collect();
    assert!(fields.len() >= 8, "{fields:?}");
    for field in fields {
        assert!(MACHINES.contains(field), "{field} is not in the OpenAPI file");
    }
}

#[test]
fn an_example_is_as_long_as_it_says() {
    // The line feed before the end of a block is the block's.
    let blocks = PEOPLE.split("```http\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
    let mut with_length = 0;
    for (block, _) in blocks {
        let (head, body) = block.split_once("\n\n").unwrap_or((block, ""));
        let said = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        with_length += usize::from(said.is_some());
        assert!(said.is_none_or(|said| said.parse() == Ok(body.len())), "{} bytes of\n{block}", body.len());
    }
    assert!(with_length >= 2, "{with_length}");
}
