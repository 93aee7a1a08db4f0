//! What the README shows.

use homing::settings::Settings;

use crate::constants::sources;

#[test]
fn the_readme_shows_settings_without_a_fault() {
    let page = include_str!("../../README.md");
    let (_, rest) = page.split_once("```json\n").unwrap();
    let settings: Settings = rest.split_once("```").unwrap().0.parse().unwrap();
    assert_eq!(settings.lint(), []);
    assert_eq!(settings.not_enforced(), []);
}

#[test]
fn the_ten_lines_are_ten() {
    let page = include_str!("../../README.md");
    let (_, rest) = page.split_once("```rust,no_run\n").unwrap();
    assert_eq!(rest.split_once("```").unwrap().0.lines().filter(|line| !line.is_empty()).count(), 10);
}

#[test]
fn the_page_names_each_file_of_unsafe_code() {
    let page = include_str!("../../SECURITY.md");
    let is_unsafe = |text: &str| {
        let mut lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        lines.any(|line| ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|words| line.contains(words)))
    };
    let files =
        sources("src").into_iter().filter(|(name, text)| !name.starts_with("src/ffi/") && is_unsafe(text));
    let mut count = 0;
    for (name, _) in files {
        let file = name.strip_prefix("src/platform/").unwrap();
        assert!(page.contains(&format!("`{file}`")), "SECURITY.md says what is unsafe in {name}");
        count += 1;
    }
    assert_eq!(count, 7);
}

#[test]
fn the_pages_agree_about_the_size_of_the_libraries() {
    let (c, measured) = (include_str!("../../docs/c-api.md"), include_str!("../../docs/performance.md"));
    for (profile, rounded, row) in [
        ("dist", "| 3.67 MB (wanted: 2.8) |", "| ≤ 2.8 MB | **3,673,272 bytes:"),
        ("small", "| 3.51 MB (wanted: 2.2) |", "| ≤ 2.2 MB | **3,507,608 bytes:"),
    ] {
        let of = |page: &str| {
            page.lines().find(|line| line.starts_with(&format!("| `{profile}`"))).map(str::to_owned)
        };
        assert!(of(c).unwrap().ends_with(rounded), "docs/c-api.md has the size of `{profile}`");
        assert!(of(measured).unwrap().contains(row), "docs/performance.md has the size of `{profile}`");
    }
}
