//! A text that is no document at all: no JSON, not UTF-8, too long, too deep.

use homing::settings::MAX_TEXT;

use super::*;

#[test]
fn what_is_no_json_is_refused_with_line_and_column() {
    for (text, expected) in [
        ("", "the settings are empty; write at least one server list (docs/settings.md)"),
        ("settings", "the settings are not JSON: expected value at line 1, column 1"),
        (
            "{\n  \"version\": 1,\n}",
            "the settings are not JSON: trailing comma; remove the comma before this bracket at line 3, column 1",
        ),
        ("{} {}", "the settings are not JSON: trailing characters at line 1, column 4"),
        ("<settings/>", "the settings are not JSON: expected value at line 1, column 1"),
    ] {
        assert_refused(text, expected);
    }
}

#[test]
fn what_is_broken_at_the_end_is_no_json_whatever_else_is_wrong_before() {
    assert_refused(
        r#"{ "server_lists": 5, "colour": 1, "version": 1"#,
        "the settings are not JSON: EOF while parsing an object at line 1, column 46",
    );
}

#[test]
fn what_is_not_utf_8_is_refused_with_its_first_bad_byte() {
    let latin_1 = b"{ \"server_lists\": \"B\xfccher\" }";
    assert_refused(latin_1, "the settings are not UTF-8 (byte 20); save the file as UTF-8");
    let utf_16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_refused(utf_16, "the settings are UTF-16; save the file as UTF-8");
}

#[test]
fn a_byte_order_mark_is_accepted() {
    let text = format!("\u{feff}{}", with_servers(r#"{ "address": "a.example" }"#));
    assert_eq!(error(text, Source::Person), "accepted");
}

#[test]
fn ten_megabytes_are_refused_unread() {
    assert_refused(vec![b' '; 10_000_000], "the settings have 10000000 bytes; at most 1048576 are read");
    let mut exactly = with_servers(r#"{ "address": "a.example" }"#).into_bytes();
    exactly.resize(MAX_TEXT, b' ');
    assert_eq!(error(&exactly, Source::Person), "accepted");
    exactly.push(b' ');
    assert_refused(exactly, "the settings have 1048577 bytes; at most 1048576 are read");
}

#[test]
fn deep_nesting_is_refused_wherever_it_stands() {
    let deep = "[".repeat(500_000);
    assert_refused(
        &deep,
        "the settings are nested more than 32 levels deep at line 1, column 33; a bracket is probably missing",
    );
    let closed = format!("{{ \"x\": {}{} }}", "{ \"y\": ".repeat(10_000), "}".repeat(10_000));
    assert_refused(
        closed,
        "the settings are nested more than 32 levels deep at line 1, column 225; a bracket is probably missing",
    );
}
