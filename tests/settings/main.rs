//! Settings as a stranger meets them: bad documents and what is said about them, the documents of
//! the documentation, and documents that nobody would write.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod documentation;
mod inert;
mod strange;
mod text;

use homing::settings::{Chosen, Level, Settings, Source};

/// A document whose only list has these servers.
fn with_servers(servers: &str) -> String {
    format!(
        r#"{{ "server_lists": [ {{ "name": "main", "priorities": [ {{ "servers": [ {servers} ] }} ] }} ] }}"#
    )
}

/// A good document with something beside its list.
fn with(rest: &str) -> String {
    let list = r#"{ "name": "main", "priorities": [ { "servers": [ { "address": "a.example" } ] } ] }"#;
    format!(r#"{{ "server_lists": [ {list} ], {rest} }}"#)
}

fn error(text: impl AsRef<[u8]>, source: Source) -> String {
    match Settings::parse(text.as_ref(), source) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Both readings, because a trouble of the text itself is the same from whomever it comes.
fn assert_refused(text: impl AsRef<[u8]>, expected: &str) {
    for source in [Source::Person, Source::Server] {
        assert_eq!(error(&text, source), expected, "{source:?}");
    }
}

#[test]
fn there_is_at_least_one_server_and_at_most_4096() {
    let none = "server_lists: no server is named; write at least one in `priorities[0].servers` of a list";
    assert_refused(r#"{ "server_lists": [] }"#, none);
    assert_refused(r#"{ "server_lists": [ { "name": "main", "priorities": [] } ] }"#, none);
    assert_refused(
        r#"{ "server_lists": [ { "name": "main", "priorities": [ {}, { "servers": [] } ] } ] }"#,
        none,
    );
    assert_refused("{}", "the settings: missing field `server_lists`");

    let servers = |count: usize| {
        let servers: Vec<String> = (0..count).map(|number| format!(r#"{{"address":"s{number}"}}"#)).collect();
        with_servers(&servers.join(","))
    };
    assert_eq!(error(servers(4096), Source::Person), "accepted");
    assert_refused(
        servers(4097),
        "server_lists: 4097 servers in all lists, at most 4096 are allowed; remove some",
    );
    let bytes = servers(100_000).len();
    assert_refused(servers(100_000), &format!("the settings have {bytes} bytes; at most 1048576 are read"));
}

#[test]
fn there_are_at_most_64_lists_64_locations_and_256_priorities() {
    let lists: Vec<String> = (0..65)
        .map(|number| {
            format!(
                r#"{{ "name": "{number}", "priorities": [ {{ "servers": [ {{ "address": "a" }} ] }} ] }}"#
            )
        })
        .collect();
    let document = |count: usize| format!(r#"{{ "server_lists": [ {} ] }}"#, lists[..count].join(", "));
    assert_eq!(error(document(64), Source::Person), "accepted");
    assert_refused(document(65), "server_lists: 65 lists, at most 64 are allowed; remove some");

    let locations: Vec<String> = (0..65).map(|number| format!(r#"{{ "name": "{number}" }}"#)).collect();
    assert_refused(
        with(&format!(r#""locations": [ {} ]"#, locations.join(", "))),
        "locations: 65 locations, at most 64 are allowed; remove some",
    );
    assert_refused(
        format!(
            r#"{{ "server_lists": [ {{ "name": "main", "priorities": [ {} ] }} ] }}"#,
            ["{}"; 257].join(", ")
        ),
        "server_lists[0].priorities: 257 priorities, at most 256 are allowed; remove some",
    );
}

#[test]
fn a_port_is_a_number_from_1_to_65535_and_the_error_says_where() {
    let text = r#"{ "server_lists": [ { "name": "main", "priorities": [ {}, { "servers": [
        { "address": "a" }, { "address": "b" }, { "address": "c", "https_port": 0 } ] } ] } ] }"#;
    assert_refused(
        text,
        "server_lists[0].priorities[1].servers[2].https_port: 0 is not a port; write 1 to 65535",
    );
    for (port, expected) in [
        ("0", "0 is not a port; write 1 to 65535"),
        ("65536", "65536 is not a port; write 1 to 65535"),
        ("-1", "-1 is not a port; write 1 to 65535"),
        ("443.5", "443.5 is not a port; write 1 to 65535"),
        ("18446744073709551616", "1.8446744073709552e+19 is not a port; write 1 to 65535"),
        ("\"443\"", "invalid type: string \"443\", expected a JSON number"),
        ("true", "invalid type: boolean `true`, expected a JSON number"),
        ("1", "accepted"),
        ("65535", "accepted"),
    ] {
        for field in ["http_port", "https_port"] {
            let found =
                error(with_servers(&format!(r#"{{ "address": "a", "{field}": {port} }}"#)), Source::Person);
            let place = format!("server_lists[0].priorities[0].servers[0].{field}: ");
            assert_eq!(found.strip_prefix(&place).unwrap_or(&found), expected, "{field} {port}");
        }
    }
}

#[test]
fn an_address_is_an_address_or_a_name_and_nothing_around_it() {
    for (address, expected) in [
        ("", "`` is empty; write an IP address or a host name"),
        (
            "http://x/",
            "`http://x/` looks like a URL; write only the address or the name, and say `protocol` and ports beside it",
        ),
        (
            "::1%eth0",
            "`::1%eth0` has an IPv6 zone; interface names differ from machine to machine, so a zone cannot be used",
        ),
        ("a..b", "`a..b` is not a host name: every label has 1 to 63 characters, the whole at most 253"),
        (
            "bücher.example",
            "`bücher.example` has letters beyond ASCII; write an internationalised name in its `xn--` form",
        ),
        ("host:443", "`host:443` has a port; write it as `https_port` or `http_port`"),
        (
            "10.1.0.256",
            "`10.1.0.256` looks like an IPv4 address but is none; write four numbers from 0 to 255",
        ),
    ] {
        let expected = format!("server_lists[0].priorities[0].servers[0].address: {expected}");
        assert_refused(with_servers(&format!(r#"{{ "address": "{address}" }}"#)), &expected);
    }
}

#[test]
fn names_are_unique_bounded_and_known_where_they_are_used() {
    let list = r#"{ "name": "main", "priorities": [ { "servers": [ { "address": "a" } ] } ] }"#;
    assert_refused(
        format!(r#"{{ "server_lists": [ {list}, {list} ] }}"#),
        "server_lists[1].name: `main` is already the name of server_lists[0]; give one of the two another name",
    );
    for (rest, expected) in [
        (
            r#""locations": [ { "name": "Office" }, { "name": "Lab" }, { "name": "Office" } ]"#,
            "locations[2].name: `Office` is already the name of locations[0]; give one of the two another name",
        ),
        (
            r#""group": { "server_list": "other" }"#,
            "group.server_list: there is no server list `other`; add it to `server_lists`, or name one that is there",
        ),
        (
            r#""locations": [ { "name": "Office", "server_list": "Main" } ]"#,
            "locations[0].server_list: there is no server list `Main`; did you mean `main`?",
        ),
        (r#""locations": [ { "name": "" } ]"#, "locations[0].name: is empty"),
        (r#""group": { "name": "a\u0007b" }"#, r"group.name: `a\u{7}b` has a control character"),
        (
            r#""group": { "name": "a\u202eb" }"#,
            r"group.name: `a\u{202e}b` has a character that is not seen, which is shown here as an escape; leave it out",
        ),
        (
            r#""locations": [ { "name": "Of\u200bfice" } ]"#,
            r"locations[0].name: `Of\u{200b}fice` has a character that is not seen, which is shown here as an escape; leave it out",
        ),
    ] {
        assert_refused(with(rest), expected);
    }
    let name = |length: usize| with(&format!(r#""group": {{ "name": "{}" }}"#, "ü".repeat(length)));
    assert_eq!(error(name(128), Source::Person), "accepted");
    assert_refused(name(129), "group.name: has more than 128 characters");
}

#[test]
fn one_id_for_two_servers_of_a_list_is_refused() {
    assert_refused(
        with_servers(r#"{ "address": "a", "id": "x" }, { "address": "b", "id": "x" }"#),
        "server_lists[0].priorities[0].servers[1].id: `x` is already the id of \
         server_lists[0].priorities[0].servers[0], which has another address, protocol or port; give one \
         of the two another id",
    );
    assert_refused(
        with_servers(r#"{ "address": "a", "id": "https://b:443" }, { "address": "b" }"#),
        "server_lists[0].priorities[0].servers[1]: `https://b:443` is already the id of \
         server_lists[0].priorities[0].servers[0], which has another address, protocol or port; give one \
         of the two another id",
    );
}

#[test]
fn numbers_and_durations_stay_within_their_ranges() {
    let interval =
        |text: &str| with(&format!(r#""group": {{ "communication": {{ "heartbeat_interval": {text} }} }}"#));
    let window = |text: &str| {
        with(&format!(
            r#""group": {{ "communication": {{ "download_randomisation": {{ "window": {text} }} }} }}"#
        ))
    };
    let weight = |text: &str| with_servers(&format!(r#"{{ "address": "a", "weight": {text} }}"#));
    let limit = |text: &str| with(&format!(r#""reference_servers": {{ "limit": {text} }}"#));
    for (text, expected) in [
        (interval("\"10s\""), "accepted"),
        (interval("\"24h\""), "accepted"),
        (
            interval("\"9999ms\""),
            "group.communication.heartbeat_interval: `9999ms` is not between 10s and 1day",
        ),
        (
            interval("\"1441m\""),
            "group.communication.heartbeat_interval: `1441m` is not between 10s and 1day",
        ),
        (
            interval("\"300\""),
            "group.communication.heartbeat_interval: `300` is not a duration; write a number and a unit, \
             like \"300s\" or \"5m\"",
        ),
        (
            interval("300"),
            "group.communication.heartbeat_interval: invalid type: integer `300`, expected a duration in quotes, \
             like \"300s\" or \"5m\"",
        ),
        (window("\"1s\""), "accepted"),
        (
            window("\"0s\""),
            "group.communication.download_randomisation.window: `0s` is not between 1s and 1day",
        ),
        (weight("0"), "accepted"),
        (weight("10000"), "accepted"),
        (
            weight("10001"),
            "server_lists[0].priorities[0].servers[0].weight: 10001 is not a weight; \
             write a whole number from 0 to 10000",
        ),
        (
            weight("0.5"),
            "server_lists[0].priorities[0].servers[0].weight: 0.5 is not a weight; \
             write a whole number from 0 to 10000",
        ),
        (limit("320"), "accepted"),
        (
            limit("321"),
            "reference_servers.limit: 321 is not a limit of reference servers; write a whole number from 1 to 320",
        ),
        (
            limit("0"),
            "reference_servers.limit: 0 is not a limit of reference servers; write a whole number from 1 to 320",
        ),
    ] {
        assert_eq!(error(&text, Source::Person), expected, "{text}");
    }
}

#[test]
fn every_shape_is_the_one_that_is_documented() {
    let server = |text: &str| with_servers(text);
    for (text, expected) in [
        ("[]".to_owned(), "the settings: a list `[ … ]` stands here, expected an object `{ … }`"),
        (with(r#""group": []"#), "group: a list `[ … ]` stands here, expected an object `{ … }`"),
        (with(r#""site": { "learn_applications": "yes" }"#), {
            "site.learn_applications: invalid type: string \"yes\", expected a boolean"
        }),
        (
            with(r#""group": { "communication": { "mode": "stream" } }"#),
            "group.communication.mode: unknown value `stream`, expected `pull` or `push`",
        ),
        (
            with(r#""group": { "communication": { "mode": { "pull": null } } }"#),
            "group.communication.mode: an object `{ … }` stands here, expected a word in quotes",
        ),
        (
            with(r#""locations": [ { "name": "Office", "when": ["inside"] } ]"#),
            "locations[0].when[0]: unknown value `inside`, expected one of `internal`, `internal_via_vpn`, \
             `external`, `unknown`, `captive`",
        ),
        (
            server(r#"{ "address": "a", "protocol": "quic" }"#),
            "server_lists[0].priorities[0].servers[0].protocol: unknown value `quic`, expected `https` or `http`",
        ),
        (
            server(r#"{ "address": "a", "address": "b" }"#),
            "server_lists[0].priorities[0].servers[0]: duplicate field `address`",
        ),
        (server("{}"), "server_lists[0].priorities[0].servers[0]: missing field `address`"),
    ] {
        assert_refused(text, expected);
    }
}

#[test]
fn a_person_hears_of_every_field_that_does_not_exist() {
    for (text, expected) in [
        (
            with_servers(r#"{ "adress": "a" }"#), // before "missing field `address`", which would mislead
            "server_lists[0].priorities[0].servers[0].adress: unknown field; did you mean `address`?",
        ),
        (with(r#""colour": "green""#), "colour: unknown field; remove it; docs/settings.md has every field"),
        (
            with(r#""locations": [ { "name": "Office", "colour": 1 } ]"#),
            "locations[0].colour: unknown field; remove it; docs/settings.md has every field",
        ),
        (
            with(r#""locations": [ { "name": "Office", "reconnection": {} } ]"#),
            "locations[0].reconnection: belongs to the group, and a location cannot change it; write it in `group`",
        ),
        (
            with(
                r#""locations": [ { "name": "Office", "communication": { "download_from_management_server": true } } ]"#,
            ),
            "locations[0].communication.download_from_management_server: belongs to the group, and a location cannot \
             change it; write it in `group`",
        ),
    ] {
        assert_eq!(error(text, Source::Person), expected);
    }
}

#[test]
fn next_years_document_is_read_leniently_unless_it_says_otherwise() {
    let next_year = with(
        r#""weather": { "sunny": [true] }, "group": { "communication": { "mode": "push", "telepathy": 1 } },
            "locations": [ { "name": "Office", "reconnection": {} } ]"#,
    );
    assert_eq!(
        error(&next_year, Source::Person),
        "weather: unknown field; remove it; docs/settings.md has every field"
    );
    let parsed = Settings::parse(next_year.as_bytes(), Source::Server).unwrap();
    let warnings: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "weather: unknown field, ignored; update the agent, or leave it out",
            "group.communication.telepathy: unknown field, ignored; update the agent, or leave it out",
            "locations[0].reconnection: unknown field, ignored; update the agent, or leave it out",
        ]
    );
    let Chosen { from, .. } = parsed.settings.effective(None).mode;
    assert_eq!(from, Level::Group, "what is known is in force");

    assert_refused(
        with(r#""requires": ["telepathy"], "weather": {}"#),
        "requires[0]: this agent does not know `telepathy`, which the settings require; update the agent, or leave \
         it out",
    );
    for version in ["2", "0", "-1", "1.5"] {
        assert_refused(
            format!(r#"{{ "version": {version}, "everything": "is different" }}"#),
            &format!(
                "version: {version} is not a version this agent understands (it understands 1); update the agent, or \
                 write the settings in version 1"
            ),
        );
    }
}

#[test]
fn nobody_guesses_about_certificates_and_proofs() {
    const PIN: &str = r#"{ "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }"#;
    let revoked = PIN.replace(" }", r#", "state": "revoked" }"#);
    for (certificate, expected) in [
        (
            r#"{ "roots": ["keychain"] }"#,
            "certificate.roots[0]: invalid value: string \"keychain\", expected \"public\", \"system\", \
             { \"bundle\": FILE } or { \"exact\": FILE }",
        ),
        (
            r#"{ "pins": [ { "sha256": "AAAA" } ] }"#,
            "certificate.pins[0].sha256: `AAAA` is not a SHA-256 in Base64, which has 44 characters and ends with `=`",
        ),
        (
            &format!(r#"{{ "pins": [ {} ] }}"#, revoked.replace("revoked", "forgotten")),
            "certificate.pins[0].state: unknown value `forgotten`, expected one of `active`, `next`, `retiring`, \
             `revoked`",
        ),
        (
            &format!(r#"{{ "pins": [ {PIN}, {revoked} ] }}"#),
            "certificate.pins[1].sha256: this key is pinned twice; remove one of the two",
        ),
        (
            r#"{ "roots": [] }"#,
            "certificate.roots: nobody is believed; name a root, or leave `roots` out for the public ones",
        ),
        (
            r#"{ "pin_only": true }"#,
            "certificate.pins: `pin_only` needs a pin that is `active`, `next` or `retiring`, else no server could \
             ever be believed",
        ),
        (
            &format!(r#"{{ "pin_only": true, "pins": [ {revoked} ] }}"#),
            "certificate.pins: `pin_only` needs a pin that is `active`, `next` or `retiring`, else no server could \
             ever be believed",
        ),
        (
            &format!(r#"{{ "pin_only": true, "pins": [ {PIN} ], "roots": ["public"] }}"#),
            "certificate.roots: with `pin_only` the roots would not count; leave out one of the two",
        ),
        (
            &format!(r#"{{ "danger_no_verification": true, "pins": [ {PIN} ] }}"#),
            "certificate.pins: `danger_no_verification` verifies nothing, so `pins` would not count; leave out one of \
             the two",
        ),
        (
            r#"{ "danger_no_verification": true, "roots": ["system"] }"#,
            "certificate.roots: `danger_no_verification` verifies nothing, so `roots` would not count; leave out one \
             of the two",
        ),
        (r#"{ "client": { "certificate": "c.pem" } }"#, "certificate.client: missing field `key`"),
        (r#"{ "crls": [""] }"#, "certificate.crls[0]: is empty; write the path of a file"),
        (
            r#"{ "expected_name": "https://m.example" }"#,
            "certificate.expected_name: `https://m.example` looks like a URL; write only the address or the name, \
             and say `protocol` and ports beside it",
        ),
    ] {
        assert_refused(with(&format!(r#""certificate": {certificate}"#)), expected);
        let in_a_server = with_servers(&format!(r#"{{ "address": "a", "certificate": {certificate} }}"#));
        assert_refused(in_a_server, &format!("server_lists[0].priorities[0].servers[0].{expected}"));
    }
    for (reference, expected) in [
        (r#""proof": "rumour""#, "proof: unknown value `rumour`, expected one of `tcp`, `tls`, `pin`"),
        (
            r#""proof": "pin""#,
            "proof: the proof is `pin`, but its certificate policy has no pin that could match; add one to `certificate.pins`",
        ),
        (
            r#""certificate": { "danger_no_verification": true }"#,
            "proof: the proof takes a verified certificate, but its certificate policy has `danger_no_verification`; \
             name a bundle or a pin instead, or ask for `tcp`",
        ),
        (r#""ports": []"#, "ports: at least one port is needed; leave `ports` out for 443"),
        (r#""ports": [443, 0]"#, "ports[1]: 0 is not a port; write 1 to 65535"),
        (r#""ports": [65536]"#, "ports[0]: 65536 is not a port; write 1 to 65535"),
        (r#""ports": ["80-90"]"#, "ports[0]: invalid type: string \"80-90\", expected a JSON number"),
        (r#""ports": 443"#, "ports: invalid type: integer `443`, expected a list `[ … ]`"),
        (r#""ports": [443, 8443, 443]"#, "ports[2]: 443 stands twice; remove one of the two"),
    ] {
        assert_refused(
            with(&format!(r#""reference_servers": {{ "servers": [ {{ "address": "r", {reference} }} ] }}"#)),
            &format!("reference_servers.servers[0].{expected}"),
        );
    }
    assert_refused(
        with(r#""reference_servers": { "limit": 1, "servers": [ { "address": "a" }, { "address": "b" } ] }"#),
        "reference_servers.servers: 2 reference servers, at most 1 are allowed; remove some",
    );
    let many = vec![r#"{ "address": "r.example" }"#; 321].join(", ");
    for (limit, allowed) in [("", 32), (r#""limit": 320, "#, 320)] {
        assert_refused(
            with(&format!(r#""reference_servers": {{ {limit}"servers": [ {many} ] }}"#)),
            &format!(
                "reference_servers.servers: 321 reference servers, at most {allowed} are allowed; remove some"
            ),
        );
    }
    assert_refused(
        with(r#""location": { "control": ["192.0.2.1", "192.0.2.2"] }"#),
        "location.control[1]: at most one address of each family can be the control; remove the others",
    );
    assert_refused(
        with(r#""location": { "control": ["nobody.invalid"] }"#),
        "location.control[0]: `nobody.invalid` is not an IP address",
    );
}
