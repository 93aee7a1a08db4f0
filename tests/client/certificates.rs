//! Certificate policies over real handshakes: what is accepted, what is told, and what a change of policy ends.

use std::cell::Cell;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use homing::engine::{Event, Reason, State};
use homing::types::FailureClass;
use rcgen::{
    CertificateParams, CertificateRevocationListParams, KeyIdMethod, KeyPair, RevokedCertParams,
    date_time_ymd,
};

use super::server::{Authority, Server, file};
use super::{
    ClientEvent, attached, builder, failed, heartbeat, once, public, settings, start, wait_for, well,
};

/// Answers once on a connection and closes it, so that the next heartbeat makes a handshake.
fn closing() -> impl Fn(&mut super::Conversation<'_>) + Send + Sync + 'static {
    once("HTTP/1.1 200 OK\r\nHoming-Policy: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

fn pin(key: &[u8; 32], state: &str) -> serde_json::Value {
    serde_json::json!({ "sha256": STANDARD.encode(key), "state": state })
}

#[test]
fn a_pinned_key_is_believed_beside_the_chain_and_another_is_not() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    for (key, state, expected) in [
        (server.pin(), "active", None),
        (server.pin(), "retiring", None),
        ([7; 32], "active", Some("none of the pinned")),
        (server.pin(), "revoked", Some("revoked")),
    ] {
        let mut policy = authority.policy();
        policy["pins"] = serde_json::json!([pin(&key, state)]);
        let client = start(&[&server], policy);
        match expected {
            None => assert_eq!(attached(&client), "a", "{state}"),
            Some(words) => {
                let (class, detail) = failed(&client);
                assert_eq!(class, FailureClass::Certificate);
                assert!(detail.contains(words), "{detail}");
            }
        }
        client.stop(Duration::ZERO);
    }
}

#[test]
fn a_pin_alone_is_enough_whatever_name_and_date_the_certificate_has() {
    let server = Server::tls("a", &Authority::new().named("other.example").expired(), well);
    let policy =
        |key| serde_json::json!({ "pin_only": true, "pins": [pin(&key, "active"), pin(&[1; 32], "next")] });
    assert_eq!(attached(&start(&[&server], policy(server.pin()))), "a");
    assert_eq!(failed(&start(&[&server], policy([7; 32]))).0, FailureClass::Certificate);
}

#[test]
fn another_name_than_the_address_can_be_expected() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority.named("mgmt.example"), well);
    let mut policy = authority.policy();
    policy["expected_name"] = "mgmt.example".into();
    assert_eq!(attached(&start(&[&server], policy)), "a");
    let (_, detail) = failed(&start(&[&server], authority.policy()));
    assert!(detail.contains("not for 127.0.0.1; its names: mgmt.example"), "{detail}");
    // And what to do.
    assert!(detail.contains("reissue with this name"), "{detail}");
}

#[test]
fn a_server_that_wants_a_certificate_of_ours_gets_it() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority.wants_client_certificates(), well);
    let with = |(certificate, key): (String, String)| {
        let mut policy = authority.policy();
        policy["client"] = serde_json::json!({ "certificate": certificate, "key": key });
        policy
    };
    assert_eq!(attached(&start(&[&server], with(authority.client(2100)))), "a");
    // One that has expired: its objection is to us, not ours to it.
    let client = start(&[&server], with(authority.client(2021)));
    assert_eq!(failed(&client).0, FailureClass::NotAllowed);
}

#[test]
fn the_end_of_our_own_certificate_is_told_at_the_start() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    let (certificate, key) = authority.client(2021);
    let mut policy = authority.policy();
    policy["client"] = serde_json::json!({ "certificate": certificate, "key": key });
    let client = start(&[&server], policy);
    let warning = wait_for(&client, |event| {
        let Event::SettingsWarning { warning } = &event.event else { return None };
        warning.contains("own certificate").then(|| warning.clone())
    });
    assert_eq!(warning, "certificate: the agent's own certificate expired 2021-01-01T00:00:00Z");
}

#[test]
fn a_revoked_certificate_and_one_nobody_knows_about_are_refused() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    let with = |serials: &[u64], until: i32| {
        let mut policy = authority.policy();
        policy["crls"] = serde_json::json!([authority.revocations(serials, until)]);
        policy
    };
    assert_eq!(attached(&start(&[&server], with(&[99], 2100))), "a");
    let (_, detail) = failed(&start(&[&server], with(&[99, Server::SERIAL], 2100)));
    assert!(detail.contains("revoked"), "{detail}");
    let (_, detail) = failed(&start(&[&server], with(&[], 2021)));
    assert!(detail.contains("should have been renewed 2021-01-01T00:00:00Z"), "{detail}");
    let mut policy = authority.policy();
    policy["crls"] = serde_json::json!([Authority::new().named("x").revocations(&[], 2100)]);
    // The two authorities have one name, and the list is of the other one.
    let (_, detail) = failed(&start(&[&server], policy));
    assert!(detail.contains("is signed with another key than the one that issued it"), "{detail}");
}

#[test]
fn a_certificate_that_demands_stapling_is_believed_and_that_is_told_once() {
    let authority = Authority::new().demanding_stapling();
    let server = Server::tls("a", &authority, closing());
    let client = start(&[&server], authority.policy());
    let stapling = |event: &ClientEvent| {
        let Event::SettingsWarning { warning } = &event.event else { return None };
        warning.contains("stapled").then(|| warning.clone())
    };
    let told = wait_for(&client, stapling);
    assert_eq!(told, "a: its certificate demands a stapled status (tlsFeature), which is not looked at");
    let beats = Cell::new(0);
    wait_for(&client, |event| {
        assert_eq!(stapling(event), None);
        beats.set(beats.get() + usize::from(matches!(event.event, Event::Heartbeat { .. })));
        (beats.get() == 3).then_some(())
    });
}

#[test]
fn each_connection_without_verification_is_told() {
    let server = Server::tls("a", &Authority::new(), closing());
    let client = start(&[&server], serde_json::json!({ "danger_no_verification": true }));
    let unverified = |event: &ClientEvent| {
        let Event::Unverified { server } = &event.event else { return None };
        Some(server.to_string())
    };
    for _ in 0..3 {
        assert_eq!(wait_for(&client, unverified), "a");
    }
    assert!(client.snapshot().servers[0].unverified);
    assert!(client.explain().contains("not verified (danger_no_verification)"), "{}", client.explain());
}

#[test]
fn no_session_outlives_the_policy_under_which_it_was_made() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, closing());
    let client = start(&[&server], authority.policy());
    for _ in 0..3 {
        heartbeat(&client);
    }
    assert_eq!(server.handshakes().0, 1);
    // The same rules in a policy of its own, and then others.
    client.reconfigure(settings(&[&server], authority.policy())).unwrap();
    // Those under way, and those that were told of late, may still be of the old policy.
    while server.handshakes().0 < 2 {
        heartbeat(&client);
        assert!(server.connections() < 50, "every handshake is resumed: {:?}", server.handshakes());
    }
    let mut pinned = authority.policy();
    pinned["pins"] = serde_json::json!([pin(&[7; 32], "active")]);
    client.reconfigure(settings(&[&server], pinned)).unwrap();
    let (class, detail) = failed(&client);
    assert_eq!(class, FailureClass::Certificate, "{detail}");
}

#[test]
fn a_server_that_settings_leave_out_again_and_again_is_verified_as_long_as_it_is_in_use() {
    let authority = Authority::new();
    // It closes after each answer, so every heartbeat dials and verifies anew.
    let server = Server::tls("a", &authority, closing());
    let elsewhere = Server::plain("b", once("HTTP/1.1 500 Down\r\nContent-Length: 0\r\n\r\n"));
    let client = start(&[&server], authority.policy());
    heartbeat(&client);
    for _ in 0..4 {
        // No other server answers, so the agent stays although it is no longer named.
        client.reconfigure(settings(&[&elsewhere], public())).unwrap();
        let before = server.requests().len();
        while server.requests().len() < before + 3 {
            let told = wait_for(&client, |event| {
                if let Event::Heartbeat { status: 200, .. } = &event.event {
                    return Some(Ok(()));
                }
                let Event::AttemptFailed { server, class, detail, .. } = &event.event else { return None };
                (server.as_str() == "a").then(|| Err((*class, detail.clone())))
            });
            told.unwrap();
        }
    }
}

#[test]
fn a_list_or_a_certificate_of_ours_that_is_new_ends_the_sessions_made_before() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, closing());
    let client = start(&[&server], authority.policy());
    for _ in 0..3 {
        heartbeat(&client);
    }
    assert_eq!(server.handshakes().0, 1);
    let (certificate, key) = authority.client(2100);
    let mut with_identity = authority.policy();
    with_identity["client"] = serde_json::json!({ "certificate": certificate, "key": key });
    let mut with_list = with_identity.clone();
    with_list["crls"] = serde_json::json!([authority.revocations(&[], 2100)]);
    for (policy, full) in [(&with_identity, 2), (&with_list, 3)] {
        client.reconfigure(settings(&[&server], policy.clone())).unwrap();
        while server.handshakes().0 < full {
            heartbeat(&client);
            assert!(server.connections() < 100, "every handshake is resumed: {:?}", server.handshakes());
        }
    }
    let mut revoked = with_list;
    revoked["crls"] = serde_json::json!([authority.revocations(&[Server::SERIAL], 2100)]);
    client.reconfigure(settings(&[&server], revoked)).unwrap();
    let (class, detail) = failed(&client);
    assert_eq!(class, FailureClass::Certificate, "{detail}");
    assert!(detail.contains("revoked"), "{detail}");
}

#[test]
fn a_bundle_of_ten_megabytes_is_not_read() {
    let server = Server::tls("a", &Authority::new(), well);
    let large = file("large.pem", &"not a certificate\n".repeat(600_000));
    let error = builder(settings(&[&server], serde_json::json!({ "roots": [{ "bundle": large }] }))).start();
    assert!(error.unwrap_err().to_string().contains("it is larger than 4194304 bytes"));
}

#[test]
fn one_unknown_issuer_on_several_servers_is_somebody_in_between_and_no_server_is_blamed() {
    let between = Authority::new();
    let one = Server::tls("one", &between, well);
    let other = Server::tls("other", &between.named("localhost"), well).called("localhost");
    let client = start(&[&one, &other], serde_json::json!({}));
    let reason = wait_for(&client, |event| {
        let Event::Waiting { reason, .. } = event.event else { return None };
        Some(reason)
    });
    assert_eq!(reason, Reason::CaptivePortal);
    assert_eq!(client.snapshot().state, State::Captive);
    // Nobody is left out: both are tried again in the next search, and never believed.
    let next = wait_for(&client, |event| {
        let Event::Searching { servers, .. } = event.event else { return None };
        Some(servers)
    });
    assert_eq!(next, 2);
    assert!(one.requests().is_empty() && other.requests().is_empty());
}

#[test]
fn a_store_without_roots_is_an_error_and_not_a_policy() {
    let server = Server::tls("a", &Authority::new(), well);
    let empty = file("empty.pem", "no certificates here");
    let error = builder(settings(&[&server], serde_json::json!({ "roots": [{ "bundle": empty }] }))).start();
    assert!(error.unwrap_err().to_string().ends_with("it holds no certificate"));
}

/// What authorities make besides servers' certificates.
impl Authority {
    /// Certificate and key for an agent, as two files.
    fn client(&self, until: i32) -> (String, String) {
        let mut params = CertificateParams::new(vec!["agent.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, self.issuer()).unwrap();
        (file("client.pem", &certificate.pem()), file("client.key", &key.serialize_pem()))
    }

    /// A revocation list with these serial numbers, as a file.
    fn revocations(&self, serials: &[u64], until: i32) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        file("revoked.pem", &list.signed_by(self.issuer()).unwrap().pem().unwrap())
    }
}
