//! No field is inert: each does what it says, or the client says that it does not.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// What becomes of a field.
enum Fate {
    /// It has an effect. A test of this name shows it.
    Shown(&'static str),
    /// It is for people, and stands in what they are shown.
    ForPeople,
    /// It has no effect yet: with this value it is named by `not_enforced`.
    Notice(Value),
}
use Fate::{ForPeople, Notice, Shown};

/// Every field of the document. What stands in a `certificate` or a `communication` means the same at each place, and
/// stands here once.
fn fates() -> Vec<(&'static str, Fate)> {
    vec![
        ("$schema", ForPeople),
        ("version", Shown("the_version_is_judged_before_anything_of_the_rest")),
        ("serial", Shown("signed_settings_are_refused_unless_they_are_for_this_agent_and_newer")),
        ("audience", Shown("signed_settings_are_refused_unless_they_are_for_this_agent_and_newer")),
        ("requires", Shown("next_years_document_is_read_leniently_unless_it_says_otherwise")),
        ("site.learn_applications", Shown("applications_are_learned_only_where_the_site_allows_it")),
        ("certificate.roots", Shown("a_union_believes_each_of_its_parts")),
        ("certificate.roots.bundle", Shown("a_private_authority_vouches_for_names_and_addresses")),
        (
            "certificate.roots.exact",
            Shown("an_exact_certificate_is_believed_for_its_time_and_its_name_and_no_other_is"),
        ),
        ("certificate.pins.sha256", Shown("a_pinned_key_is_believed_beside_the_chain_and_another_is_not")),
        ("certificate.pins.state", Shown("a_revoked_key_is_refused_whatever_else_is_there")),
        ("certificate.pin_only", Shown("a_pin_alone_is_enough_whatever_name_and_date_the_certificate_has")),
        ("certificate.expected_name", Shown("another_name_than_the_address_can_be_expected")),
        ("certificate.crls", Shown("a_revoked_certificate_and_one_nobody_knows_about_are_refused")),
        (
            "certificate.revocation.scope",
            Shown("a_status_that_is_not_known_and_a_list_that_is_old_count_as_the_policy_says"),
        ),
        (
            "certificate.revocation.allow_unknown_status",
            Shown("a_status_that_is_not_known_and_a_list_that_is_old_count_as_the_policy_says"),
        ),
        (
            "certificate.revocation.allow_expired_lists",
            Shown("a_status_that_is_not_known_and_a_list_that_is_old_count_as_the_policy_says"),
        ),
        ("certificate.max_chain_depth", Shown("a_chain_is_no_longer_than_the_policy_allows")),
        ("certificate.enforce_root_validity", Shown("the_dates_of_a_root_count_where_the_policy_says_so")),
        ("certificate.profile", Shown("the_dates_of_a_root_count_where_the_policy_says_so")),
        ("certificate.expiry_warning_days", Shown("what_ends_while_a_policy_is_in_force_is_told_then")),
        ("certificate.client.certificate", Shown("a_server_that_wants_a_certificate_of_ours_gets_it")),
        ("certificate.client.key", Shown("a_server_that_wants_a_certificate_of_ours_gets_it")),
        ("certificate.tls13_only", Shown("tls_1_2_is_spoken_unless_the_settings_refuse_it")),
        ("certificate.danger_no_verification", Shown("each_connection_without_verification_is_told")),
        ("server_lists.name", Shown("names_are_unique_bounded_and_known_where_they_are_used")),
        ("server_lists.description", ForPeople),
        (
            "server_lists.priorities.servers.address",
            Shown("an_agent_attaches_over_tls_and_beats_over_one_connection"),
        ),
        ("server_lists.priorities.servers.protocol", Shown("plain_http_is_spoken_when_the_settings_say_so")),
        ("server_lists.priorities.servers.http_port", Shown("plain_http_is_spoken_when_the_settings_say_so")),
        (
            "server_lists.priorities.servers.https_port",
            Shown("an_agent_attaches_over_tls_and_beats_over_one_connection"),
        ),
        (
            "server_lists.priorities.servers.weight",
            Shown("weights_are_shares_and_the_order_of_the_file_does_not_matter"),
        ),
        (
            "server_lists.priorities.servers.id",
            Shown("an_id_is_protocol_address_and_port_unless_it_is_written"),
        ),
        (
            "server_lists.priorities.servers.inside",
            Shown("a_server_only_for_outside_does_not_show_that_the_machine_is_inside"),
        ),
        (
            "reference_servers.enabled",
            Shown("reference_servers_that_are_switched_off_are_judged_and_not_asked"),
        ),
        ("reference_servers.limit", Shown("every_limit_holds_at_its_number")),
        ("reference_servers.servers.address", Shown("the_first_answer_is_the_result")),
        (
            "reference_servers.servers.ports",
            Shown("all_first_ports_come_before_all_second_ones_fifty_milliseconds_apart"),
        ),
        ("reference_servers.servers.proof", Shown("a_reference_server_has_ports_a_proof_and_a_policy")),
        ("location.required_proof", Shown("a_bare_connection_is_believed_once_the_control_has_been_silent")),
        (
            "location.management_server_counts",
            Shown("the_reason_says_since_when_the_management_server_is_lost"),
        ),
        (
            "location.tunnel_proves_internal",
            Shown("a_tunnel_gives_inside_by_vpn_and_the_settings_can_say_otherwise"),
        ),
        ("location.control", Shown("a_control_of_one_family_leaves_the_other_its_default")),
        ("group.name", ForPeople),
        ("group.server_list", Shown("names_are_unique_bounded_and_known_where_they_are_used")),
        ("group.download_from_management_server", Shown("policies_are_not_read_where_the_settings_say_so")),
        (
            "group.accept_settings_over_http",
            Shown("settings_are_read_only_by_an_agent_that_takes_them_and_from_whom_it_does"),
        ),
        ("group.reconnection.keep_group", Shown("what_was_used_last_is_offered_only_where_its_switch_is_on")),
        ("group.reconnection.keep_mode", Shown("what_was_used_last_is_offered_only_where_its_switch_is_on")),
        ("communication.enabled", Shown("nothing_in_time_is_not_the_end")),
        ("communication.mode", Shown("what_the_server_tells_reaches_the_application_as_it_was_posted")),
        ("communication.heartbeat_interval", Shown("beats_on_a_grid_without_drift")),
        (
            "communication.upload_critical_immediately",
            Shown("after_a_heartbeat_the_lanes_leave_in_their_order"),
        ),
        ("communication.learn_applications", Shown("applications_wait_while_they_are_not_learned")),
        ("communication.download_randomisation.enabled", Notice(json!(false))),
        ("communication.download_randomisation.window", Notice(json!("1h"))),
        ("locations.name", Shown("names_are_unique_bounded_and_known_where_they_are_used")),
        ("locations.when", Shown("locations_keep_their_order_and_their_situations")),
        ("locations.server_list", Shown("a_list_that_only_a_location_has_leaves_the_group_the_default_list")),
    ]
}

/// Every field of the schema that holds a value of its own, by the objects it stands in.
fn fields() -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(include_str!("../../docs/settings.schema.json")).unwrap();
    let mut found = BTreeSet::new();
    collect(&schema, &schema, "", &mut found);
    found
}

fn collect(schema: &Value, shape: &Value, path: &str, found: &mut BTreeSet<String>) {
    let Some(properties) = shape["properties"].as_object() else { return };
    for (name, property) in properties {
        let whole = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        // The same wherever they stand.
        let whole = match name.as_str() {
            shared @ ("certificate" | "communication") if !path.ends_with("client") => shared.to_owned(),
            _ => whole,
        };
        let shapes = shapes(schema, property);
        if shapes.iter().all(|shape| shape["properties"].is_null()) {
            found.insert(whole.clone());
        }
        for shape in shapes {
            collect(schema, shape, &whole, found);
        }
    }
    // The words of `roots` stand beside the object.
    if path == "certificate" {
        found.insert("certificate.roots".to_owned());
    }
}

/// What a property may be, through references, lists and alternatives.
fn shapes<'a>(schema: &'a Value, property: &'a Value) -> Vec<&'a Value> {
    if let Some(reference) = property["$ref"].as_str() {
        return shapes(schema, &schema["$defs"][reference.rsplit('/').next().unwrap()]);
    }
    if property["items"].is_object() {
        return shapes(schema, &property["items"]);
    }
    let several = [&property["anyOf"], &property["oneOf"]].into_iter().filter_map(Value::as_array).flatten();
    let several: Vec<&Value> = several.flat_map(|one| shapes(schema, one)).collect();
    if several.is_empty() { vec![property] } else { several }
}

#[test]
fn every_field_has_a_fate() {
    let known: BTreeSet<String> = fates().into_iter().map(|(path, _)| path.to_owned()).collect();
    let fields = fields();
    let missing: Vec<_> = fields.difference(&known).collect();
    assert!(
        missing.is_empty(),
        "say what becomes of {missing:#?}: a test shows its effect, or `not_enforced` names it"
    );
    let gone: Vec<_> = known.difference(&fields).collect();
    assert!(gone.is_empty(), "the schema has no {gone:#?}");
}

#[test]
fn the_page_lists_what_is_not_enforced_and_nothing_else() {
    let page = include_str!("../../docs/settings.md");
    let (_, section) = page.split_once("## What this version does not do yet\n").unwrap();
    let rows = section.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| `"));
    let listed: BTreeSet<String> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2).map(str::to_owned))
        .collect();
    let told: BTreeSet<String> = fates()
        .into_iter()
        .filter(|(_, fate)| matches!(fate, Notice(_)))
        .map(|(path, _)| path.to_owned())
        .collect();
    assert_eq!(listed, told);
}

#[test]
fn each_test_that_shows_an_effect_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    let mut folders = vec![root.join("src"), root.join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for (path, fate) in fates() {
        if let Shown(test) = fate {
            assert!(
                text.contains(&format!("#[test]\n    fn {test}()"))
                    || text.contains(&format!("#[test]\nfn {test}()")),
                "{path}: there is no test `{test}`"
            );
        }
    }
}

/// A document with this value at this path; a `communication` stands in the group, or in a location.
fn with_value(path: &str, value: Value, location: bool) -> (Settings, String) {
    let mut document = json!({
        "server_lists": [{ "name": "main", "priorities": [{ "servers": [{ "address": "a.example" }] }] }],
        "site": { "learn_applications": true },
    });
    let mut place = &mut document;
    let shared = path.starts_with("communication");
    let mut whole = String::new();
    if shared && location {
        document = json!({ "server_lists": document["server_lists"], "site": document["site"], "locations": [{ "name": "here" }] });
        place = &mut document["locations"][0];
        whole = "locations[0].".to_owned();
    } else if shared {
        place = &mut place["group"];
        whole = "group.".to_owned();
    }
    whole.push_str(path);
    for part in path.split('.') {
        place = &mut place[part];
    }
    *place = value;
    (document.to_string().parse().unwrap(), whole)
}

#[test]
fn what_is_not_enforced_is_told_with_its_path_and_only_that() {
    for (path, fate) in fates() {
        let Notice(value) = fate else { continue };
        for location in [false, true] {
            let (settings, whole) = with_value(path, value.clone(), location);
            let told: Vec<String> = settings.not_enforced().iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), 1, "{path}: {told:?}");
            assert!(told[0].starts_with(&format!("{whole}: ")), "{told:?}");
            assert!(told[0].ends_with("; leave it out until a later version does it"), "{told:?}");
        }
    }
    // What asks for nothing that is not there.
    let quiet = json!({
        "server_lists": [{ "name": "main", "priorities": [{ "servers": [{ "address": "a.example" }] }] }],
        "site": { "learn_applications": true },
        "group": {
            "name": "g", "server_list": "main", "reconnection": { "keep_group": true, "keep_mode": true },
            "communication": { "enabled": true, "mode": "pull", "heartbeat_interval": "60s", "learn_applications": false },
        },
    });
    assert_eq!(quiet.to_string().parse::<Settings>().unwrap().not_enforced(), []);
}

#[test]
fn applications_that_the_site_does_not_let_learn_are_a_lint() {
    let list = json!([{ "name": "main", "priorities": [{ "servers": [{ "address": "a.example" }] }] }]);
    let learns = json!({ "learn_applications": true });
    for (site, expected) in [(json!({}), 2), (json!({ "learn_applications": false }), 2), (learns.clone(), 0)]
    {
        let document = json!({
            "server_lists": list, "site": site, "group": { "communication": learns },
            "locations": [{ "name": "here", "when": ["internal"], "communication": learns }],
        });
        let lints = document.to_string().parse::<Settings>().unwrap().lint();
        let lints: Vec<String> = lints.iter().map(ToString::to_string).collect();
        assert_eq!(lints.len(), expected, "{lints:?}");
        for (lint, level) in lints.iter().zip(["group", "locations[0]"]) {
            assert!(lint.starts_with(&format!("{level}.communication.learn_applications: ")), "{lint}");
            assert!(lint.contains("`site.learn_applications`"), "{lint}");
        }
    }
}
