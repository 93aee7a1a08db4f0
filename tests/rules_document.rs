//! The limits of `docs/rules.md` exist under those names, and have those defaults.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, reason = "a test that cannot read the document has to fail")]

use homing::client::Limits;
use homing::engine::Tuning;

const DOCUMENT: &str = include_str!("../docs/rules.md");

/// Names and defaults, as the table of limits has them.
fn limits() -> Vec<(&'static str, &'static str)> {
    let table = DOCUMENT.split("### Limits").nth(1).unwrap();
    let mut limits = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let names = cells[1].split(", ").map(|name| name.trim_matches('`'));
        limits.extend(names.zip(cells[2].split(", ")));
    }
    limits
}

#[test]
fn every_limit_of_the_table_can_be_set_and_has_its_default() {
    let (times, sizes): (Vec<_>, Vec<_>) =
        limits().into_iter().partition(|(name, _)| name.starts_with("attachment."));
    assert_eq!((times.len(), sizes.len()), (10, 7));
    for (name, default) in times {
        let name = name.trim_start_matches("attachment.");
        let set =
            |value: &str| Tuning::parse(format!(r#"{{"attachment":{{"{name}":"{value}"}}}}"#).as_bytes());
        assert_eq!(set(default).unwrap(), Tuning::default(), "{name} is {default}");
        assert_ne!(set("7s").unwrap(), Tuning::default(), "{name}");
    }
    let known = format!("{:?}", Limits::default());
    for (name, default) in sizes {
        assert!(known.contains(&format!("{name}: {default}")), "{name} is {default}: {known}");
    }
}
