//! What a client says of settings that it does not follow to the letter.

use std::time::Duration;

use homing::client::{Client, StartError};
use homing::engine::Event;
use homing::settings::Settings;
use serde_json::{Value, json};

use crate::server::Server;
use crate::{attached, builder, wait_for, well};

/// The next warning with these words in it.
fn warning(client: &Client, words: &str) -> String {
    wait_for(client, |event| {
        let Event::SettingsWarning { warning } = &event.event else { return None };
        warning.contains(words).then(|| warning.clone())
    })
}

/// Settings that lead to this server, with these parts.
fn with(server: &Server, parts: Value) -> Settings {
    let servers =
        json!([{ "address": server.host(), "protocol": "http", "http_port": server.port(), "id": "a" }]);
    let mut document =
        json!({ "server_lists": [{ "name": "main", "priorities": [{ "servers": servers }] }] });
    document.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    document.to_string().parse().unwrap()
}

#[test]
fn a_location_that_the_settings_do_not_have_is_an_error_at_the_start_and_an_event_later() {
    let server = Server::plain("a", well);
    let settings = || with(&server, json!({ "locations": [{ "name": "Office" }, { "name": "Road" }] }));
    let error = builder(settings()).location("Offise").start().unwrap_err();
    assert!(matches!(error, StartError::UnknownLocation(_)), "{error}");
    assert_eq!(error.to_string(), "there is no location `Offise`; did you mean `Office`?");

    let client = builder(settings()).location("Office").start().unwrap();
    attached(&client);
    client.set_location(Some("Raod"));
    assert_eq!(
        warning(&client, "the group's settings apply: "),
        "the group's settings apply: there is no location `Raod`; did you mean `Road`?"
    );
    client.set_location(Some("Road"));
    client.set_location(None);
    client.stop(Duration::ZERO);
    assert!(!client.events().any(|event| matches!(event.event, Event::SettingsWarning { .. })));
}

#[test]
fn what_is_not_enforced_is_told_at_the_start_and_at_each_change() {
    let server = Server::plain("a", well);
    let every = json!({
        "site": { "learn_applications": true },
        "group": {
            "download_from_management_server": false, "accept_settings_over_http": false,
            "reconnection": { "keep_group": true, "keep_mode": true },
            "communication": {
                "heartbeat_interval": "10s", "upload_critical_immediately": false,
                "learn_applications": true, "download_randomisation": { "enabled": false, "window": "1h" },
            },
        },
        "locations": [{ "name": "Road", "when": ["external"], "communication": { "learn_applications": true } }],
    });
    let settings = with(&server, every);
    let expected: Vec<_> = settings.not_enforced().iter().map(ToString::to_string).collect();
    assert_eq!(expected.len(), 2, "one for each field of the page");
    let client = builder(settings.clone()).start().unwrap();
    let told = |client: &Client| -> Vec<_> {
        expected.iter().map(|_| warning(client, "leave it out until a later version does it")).collect()
    };
    assert_eq!(told(&client), expected);
    attached(&client);
    client.reconfigure(settings).unwrap();
    assert_eq!(told(&client), expected);
}

#[test]
fn a_list_that_nothing_assigns_is_told_at_the_start() {
    let server = Server::plain("a", well);
    let mut document: Value = json!({ "group": { "server_list": "main" } });
    let spare = json!({ "name": "spare", "priorities": [{ "servers": [{ "address": "127.0.0.9" }] }] });
    let main = json!({ "name": "main", "priorities": [{ "servers": [
        { "address": server.host(), "protocol": "http", "http_port": server.port() }] }] });
    document["server_lists"] = json!([main, spare]);
    let client = builder(document.to_string().parse().unwrap()).start().unwrap();
    assert_eq!(
        warning(&client, "`spare`"),
        "server_lists[1]: list `spare` is assigned to nothing: its priorities do not count; assign it in `group.server_list` or \
         in a location, or remove it"
    );
    attached(&client);
}
