//! Ranges and defaults of settings: the schema, the page, and what is in force.

use homing::settings::{DEFAULT_HTTP_PORT, DEFAULT_HTTPS_PORT, Settings};
use serde_json::Value;

use crate::constants::grouped;

const SETTINGS: &str = include_str!("../../docs/settings.md");

/// The page has these words, wherever its lines break.
fn says(words: &str) {
    let page = SETTINGS.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(words), "docs/settings.md ought to say: {words}");
}

#[test]
fn the_ranges_and_defaults_of_settings_are_those_in_force() {
    let schema: Value = serde_json::from_str(include_str!("../../docs/settings.schema.json")).unwrap();
    let of = |shape: &str, what: &str| schema["$defs"][shape][what].as_u64().unwrap();
    let (least, most) = (of("Port", "minimum"), of("Port", "maximum"));
    says(&format!("when the protocol is `https` | {least} to {most} | {DEFAULT_HTTPS_PORT} |"));
    says(&format!("when the protocol is `http` | {least} to {most} | {DEFAULT_HTTP_PORT} |"));
    says(&format!("plain HTTP on port {DEFAULT_HTTP_PORT}"));
    says(&format!("0 to {}", grouped(of("Weight", "maximum").into())));

    let settings: Settings =
        r#"{ "server_lists": [ { "name": "main", "priorities": [ { "servers": [ { "address": "a" } ] } ] } ] }"#
            .parse()
            .unwrap();
    let effective = settings.effective(None);
    let heartbeat = effective.heartbeat_interval.value.as_secs();
    says(&format!("heartbeats | 10 s to 24 h | `\"{heartbeat}s\"` |"));
    let window = effective.download_window.value.unwrap().as_secs();
    says(&format!("over how long | 1 s to 24 h | `\"{window}s\"` |"));
    for (field, value) in [
        ("enabled", effective.enabled.value),
        ("upload_critical_immediately", effective.upload_critical_immediately.value),
        ("learn_applications", effective.learn_applications.value),
    ] {
        let row = SETTINGS.lines().find(|line| line.starts_with(&format!("| `{field}` |"))).unwrap();
        assert!(row.ends_with(&format!("| {value} |")), "{row}");
    }
    says(&format!("0 to 365 | {} |", settings.policies()[0].expiry_warning_days));
}

#[test]
fn a_duration_is_read_within_its_range() {
    let written = |interval: &str| {
        format!(
            r#"{{ "server_lists": [ {{ "name": "m", "priorities": [ {{ "servers": [ {{ "address": "a" }} ] }} ] }} ],
                "group": {{ "communication": {{ "heartbeat_interval": "{interval}" }} }} }}"#
        )
    };
    for (interval, is_good) in [("9s", false), ("10s", true), ("24h", true), ("24h 1s", false)] {
        assert_eq!(written(interval).parse::<Settings>().is_ok(), is_good, "{interval}");
    }
}
