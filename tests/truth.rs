//! Numbers in the documentation that the code knows: each page says what the code does.
//!
//! A page that has another number than the code fails here, with the words that it ought to have. What a bench measured is
//! no such number; it stands in `docs/performance.md` with its command.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, reason = "a test that cannot read the documents has to fail")]

use homing::client::Credentials;
use homing::net::Limits;
use homing::settings::{DEFAULT_HTTP_PORT, DEFAULT_HTTPS_PORT, MAX_DEPTH, MAX_TEXT, Settings};
use homing::store::{MAX_NAME, MAX_VALUE};
use serde_json::Value;

const SETTINGS: &str = include_str!("../docs/settings.md");
const SECURITY: &str = include_str!("../SECURITY.md");
const EMBEDDING: &str = include_str!("../docs/embedding.md");

/// The page has these words, wherever its lines break.
fn says(page: &str, words: &str) {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat(page).contains(&flat(words)), "the page ought to say: {words}");
}

fn mib(bytes: usize) -> usize {
    assert_eq!(bytes % (1 << 20), 0);
    bytes >> 20
}

/// `4096` as `4,096`.
fn grouped(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

#[test]
fn the_ranges_of_settings_are_those_of_the_schema() {
    let schema: Value = serde_json::from_str(include_str!("../docs/settings.schema.json")).unwrap();
    let of = |shape: &str, what: &str| schema["$defs"][shape][what].as_u64().unwrap();
    let items = |shape: &Value, field: &str| shape["properties"][field]["maxItems"].as_u64().unwrap();
    let list = |shape: &str, field: &str| items(&schema["$defs"][shape], field);

    let (name, description, path) =
        (of("Name", "maxLength"), of("Description", "maxLength"), of("File", "maxLength"));
    says(SETTINGS, &format!("Names are 1 to {name} characters"));
    says(SETTINGS, &format!("at most {} characters", grouped(description)));
    says(SETTINGS, &format!("path is 1 to {} bytes", grouped(path)));
    says(
        SECURITY,
        &format!("1 to {name} characters; {} characters; {} bytes", grouped(description), grouped(path)),
    );

    let (port, weight) = (of("Port", "maximum"), of("Weight", "maximum"));
    says(SETTINGS, &format!("{} to {port}", of("Port", "minimum")));
    says(SETTINGS, &format!("0 to {}", grouped(weight)));
    says(SECURITY, &format!("0 to {}; 1 to {}", grouped(weight), grouped(port)));

    says(SETTINGS, &format!("the root, 0 to {}", of("ChainDepth", "maximum")));
    says(SETTINGS, &format!("mentioned, 0 to {}", of("WarningDays", "maximum")));

    let (lists, locations) = (items(&schema, "server_lists"), items(&schema, "locations"));
    let priorities = list("ServerList", "priorities");
    says(SETTINGS, &format!("1 to {lists} lists with"));
    says(SETTINGS, &format!("in order; at most {locations},"));
    says(SETTINGS, &format!("| at most {priorities} |"));
    assert_eq!(lists, locations);
    says(SECURITY, &format!("| server lists, locations | {lists} each |"));
    says(SECURITY, &format!("1 to 4,096; {priorities} |"));

    let (limit, ports) = (of("ReferenceLimit", "maximum"), list("ReferenceServer", "ports"));
    says(SETTINGS, &format!("how many may be written | 1 to {limit} |"));
    says(SETTINGS, &format!("1 to {ports} ports, each once"));
    says(SECURITY, &format!("{limit} (32 unless the document says more); {ports} |"));

    let (roots, crls, pins) =
        (list("Certificate", "roots"), list("Certificate", "crls"), list("Certificate", "pins"));
    says(SETTINGS, &format!("whom to believe, 1 to {roots} of"));
    says(SETTINGS, &format!("(PEM or DER), at most {crls}"));
    says(SETTINGS, &format!("known public keys, at most {pins},"));
    assert_eq!(roots, crls);
    says(SECURITY, &format!("| files with roots, files with revocations; pins | {roots} each; {pins} |"));
}

#[test]
fn the_bounds_of_the_text_are_those_of_the_reader() {
    says(SETTINGS, &format!("at most {} MiB, nested at most {MAX_DEPTH} levels deep", mib(MAX_TEXT)));
    says(SECURITY, &format!("{} MiB of UTF-8; nesting of {MAX_DEPTH}", mib(MAX_TEXT)));
}

#[test]
fn the_defaults_of_settings_are_those_in_force() {
    let settings: Settings =
        r#"{ "server_lists": [ { "name": "main", "priorities": [ { "servers": [ { "address": "a" } ] } ] } ] }"#
            .parse()
            .unwrap();
    let effective = settings.effective(None);
    let seconds = effective.heartbeat_interval.value.as_secs();
    says(SETTINGS, &format!("mean time between two heartbeats | 10 s to 24 h | `\"{seconds}s\"` |"));
    let seconds = effective.download_window.value.unwrap().as_secs();
    says(SETTINGS, &format!("over how long | 1 s to 24 h | `\"{seconds}s\"` |"));
    says(SETTINGS, &format!("when the protocol is `https` | 1 to 65535 | {DEFAULT_HTTPS_PORT} |"));
    says(SETTINGS, &format!("when the protocol is `http` | 1 to 65535 | {DEFAULT_HTTP_PORT} |"));
    for (field, value) in [
        ("enabled", effective.enabled.value),
        ("upload_critical_immediately", effective.upload_critical_immediately.value),
        ("learn_applications", effective.learn_applications.value),
    ] {
        let row = SETTINGS.lines().find(|line| line.starts_with(&format!("| `{field}` |"))).unwrap();
        assert!(row.ends_with(&format!("| {value} |")), "{row}");
    }
    let policy = &settings.policies()[0];
    says(SETTINGS, &format!("0 to 365 | {} |", policy.expiry_warning_days));
    // The range of durations is the reader's; it says it itself.
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

#[test]
fn the_limits_of_a_server_and_of_the_store_are_those_of_the_code() {
    let limits = Limits::default();
    says(SECURITY, &format!("{} KiB (`head_bytes`)", limits.head_bytes >> 10));
    says(SECURITY, &format!("{} (`head_fields`)", limits.head_fields));
    says(SECURITY, &format!("{} (`interim_answers`)", limits.interim_answers));
    says(SECURITY, &format!("{} MiB (`body_bytes`)", mib(limits.body_bytes)));
    says(SECURITY, &format!("{} bytes (`tag_bytes`)", limits.tag_bytes));
    says(SECURITY, &format!("{} bytes (`drip_bytes`)", grouped(limits.drip_bytes as u64)));
    says(SECURITY, &format!("every {} s (`drip_window`)", limits.drip_window.as_secs()));
    says(SECURITY, &format!("{} KiB under a name of at most {MAX_NAME} bytes", MAX_VALUE >> 10));
    says(EMBEDDING, &format!("at most {} KiB and", MAX_VALUE >> 10));
    says(EMBEDDING, &format!("({} MiB of body by default)", mib(limits.body_bytes)));
    let (fields, bytes) = (Credentials::MOST_FIELDS, Credentials::MOST_BYTES >> 10);
    says(SECURITY, &format!("| credentials | {fields} fields, {bytes} KiB;"));
}

#[test]
fn the_readme_shows_settings_without_a_fault() {
    let page = include_str!("../README.md");
    let (_, rest) = page.split_once("```json\n").unwrap();
    let settings: Settings = rest.split_once("```").unwrap().0.parse().unwrap();
    assert_eq!(settings.lint(), []);
    assert_eq!(settings.not_enforced(), []);
}
