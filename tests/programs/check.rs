//! `check`: what an administrator is told of a document before any agent has it.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::programs::example;

/// Settings with nothing to remark upon.
const GOOD: &str = r#"{ "$schema": "docs/settings.schema.json",
    "server_lists": [ { "name": "main", "priorities": [ { "servers": [ { "address": "a.example", "id": "a" } ] },
        { "servers": [ { "address": "2001:db8::7", "https_port": 8443, "certificate": { "roots": ["system"] } } ] } ] } ],
    "group": { "communication": { "heartbeat_interval": "120s" } },
    "locations": [ { "name": "Office", "when": ["internal"], "communication": { "heartbeat_interval": "60s" } } ] }"#;

fn check(text: &str, arguments: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.json"), text).unwrap();
    let output =
        example("check").current_dir(folder.path()).args(arguments).arg("settings.json").output().unwrap();
    let page = String::from_utf8(output.stdout.clone()).unwrap();
    let is_wide = |line: &&str| line.chars().count() > 100 && !arguments.contains(&"--json");
    assert_eq!(page.lines().find(is_wide), None, "{page}");
    (output, page)
}

#[test]
fn good_settings_are_shown_with_who_wrote_what_and_where_each_list_leads() {
    let (output, page) = check(GOOD, &[]);
    assert_eq!(output.status.code(), Some(0), "{page}");
    for line in [
        "  priority 1  a                           https://a.example:443  weight 1  certificate (default)",
        "  priority 2  https://[2001:db8::7]:8443  https://[2001:db8::7]:8443  weight 1",
        "      server_lists[0].priorities[1].servers[0].certificate",
        "in force for the group, and the level that wrote it",
        "  heartbeat_interval               2m                       group",
        "in force in location Office, and the level that wrote it",
        "  heartbeat_interval               1m                       location",
        "  server_list                      main                     default",
        "settings.json: all is well",
    ] {
        assert!(page.lines().any(|found| found == line), "no {line:?} in\n{page}");
    }
}

#[test]
fn each_kind_of_finding_has_its_place_and_its_exit_status() {
    let bundle = GOOD.replace("\"system\"", "{ \"bundle\": \"none.pem\" }");
    for (text, status, told) in [
        (GOOD.replace("120s", "30s"), 1, "warning: group.communication.heartbeat_interval: "),
        (
            GOOD.replace(
                "\"heartbeat_interval\": \"120s\"",
                "\"download_randomisation\": { \"window\": \"2h\" }",
            ),
            1,
            "not enforced: group.communication.download_randomisation.window: downloads are not there yet",
        ),
        (
            bundle,
            2,
            "error: settings.json: server_lists[0].priorities[1].servers[0].certificate.roots[0].bundle: cannot read none.pem",
        ),
        (GOOD.replace("https_port", "port"), 2, "unknown field; did you mean `http_port` or `https_port`?"),
        ("{ // mine\n}".to_owned(), 2, "JSON has no comments"),
        (String::new(), 2, "error: settings.json: the settings are empty"),
    ] {
        let (output, page) = check(&text, &[]);
        assert_eq!(output.status.code(), Some(status), "{page}");
        let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(told.trim_end()), "no {told:?} in\n{page}");
        let (output, page) = check(&text, &["--json"]);
        assert_eq!(output.status.code(), Some(status), "{page}");
        let report: Value = serde_json::from_str(&page).unwrap();
        assert_eq!(report["status"], status, "{page}");
        let kinds = ["errors", "warnings", "not_enforced"].map(|kind| report[kind].as_array().unwrap().len());
        assert_eq!(kinds.iter().sum::<usize>(), 1, "{page}");
    }
    // Names as long as they may be: two columns of it do not fit.
    let long = GOOD.replace("\"Office\"", &format!("\"{}\"", "of many words ".repeat(9).trim_end()));
    assert!(check(&long, &[]).1.contains("in force in location of many words"));
}

#[test]
fn the_json_has_every_level_and_every_list() {
    let (_, page) = check(GOOD, &["--json"]);
    let report: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(report["effective"][0]["heartbeat_interval"]["from"], "group");
    assert_eq!(report["effective"][1]["location"], "Office");
    assert_eq!(report["effective"][1]["heartbeat_interval"]["value"], "1m");
    assert_eq!(report["server_lists"][0]["servers"][1]["port"], 8443);
    assert_eq!(report["server_lists"][0]["servers"][1]["priority"], 2);
}

#[test]
fn wrong_arguments_and_missing_files_are_told() {
    let ended = example("check").output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let ended = example("check").arg("/nowhere/settings.json").output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let page = String::from_utf8(ended.stdout).unwrap();
    assert!(page.starts_with("error: /nowhere/settings.json: cannot read the file: "), "{page}");
    let ended = example("check").arg("--help").output().unwrap();
    assert!(ended.status.success() && ended.stdout.starts_with(b"Are these settings any good?"));
}
