//! Servers that want a certificate of the agent's: nginx, which says in HTTP what it thinks of it, and haproxy, which says it
//! in TLS.

use std::os::fd::AsFd;
use std::time::Instant;

use homing::client::{Client, ClientEvent};
use homing::engine::{Event, Tuning};
use homing::settings::Settings;
use homing::types::FailureClass;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::certificates::{Certificates, Identity};
use crate::haproxy::Haproxy;
use crate::manager::Manager;
use crate::namespace::Cable;
use crate::nginx::Nginx;
use crate::patience::{BOUND, tuning};

const FRONT: &str = Cable::SERVERS[0];
const BEHIND: &str = Cable::SERVERS[1];
/// Where the manager listens for those in front of it.
const UPSTREAM: &str = "10.77.0.12:8014";
/// With these nginx says 401 of a certificate that is missing or wrong, where it would say 400.
const TELLS_IN_HTTP: &str = "error_page 495 496 =401 /refused; location = /refused { return 401; }";
/// A manager, and a cable to the agent.
struct Site {
    folder: TempDir,
    cable: Cable,
    certificates: Certificates,
    _manager: Manager,
}

impl Site {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let cable = Cable::new();
        let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
        let manager = Manager::start(&cable.servers, &certificates, BEHIND, "well");
        Self { folder, cable, certificates, _manager: manager }
    }

    /// nginx that wants certificates of this authority.
    fn nginx(&self, more: &str) -> Nginx {
        let authority = self.certificates.authority.display();
        let directives = format!("ssl_client_certificate {authority}; ssl_verify_client on; {more}");
        Nginx::start(
            &self.cable.servers,
            self.folder.path(),
            &self.certificates,
            FRONT,
            UPSTREAM,
            &directives,
        )
    }

    fn settings(&self, port: u16, identity: Option<&Identity>) -> Settings {
        let mut certificate = json!({ "roots": [{ "bundle": self.certificates.authority }] });
        if let Some(Identity { certificate: path, key }) = identity {
            certificate["client"] = json!({ "certificate": path, "key": key });
        }
        let server =
            json!({ "address": FRONT, "https_port": port, "id": "front", "certificate": certificate });
        let lists = json!([{ "name": "lab", "priorities": [{ "servers": [server] }] }]);
        json!({ "server_lists": lists }).to_string().parse().unwrap()
    }

    /// A client of this process, at the agent's end of the cable.
    fn client(&self, port: u16, identity: Option<&Identity>) -> Client {
        let door = self.cable.agent.door();
        let enter = move || {
            move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        };
        Client::builder(self.settings(port, identity), "lab".parse().unwrap())
            .tuning(Tuning::parse(tuning(0.1, 3.0).to_string().as_bytes()).unwrap())
            .on_thread_start(enter)
            .start()
            .unwrap()
    }
}

/// The first event that fits; what came before is passed over.
fn wait_for<T>(client: &Client, fits: impl Fn(&ClientEvent) -> Option<T>) -> T {
    let started = Instant::now();
    let mut seen = Vec::new();
    while started.elapsed() < BOUND {
        let Ok(Some(event)) = client.next_event_timeout(BOUND) else { break };
        if let Some(found) = fits(&event) {
            return found;
        }
        seen.push(event);
    }
    panic!("did not come; instead: {seen:#?}\n{}", client.explain());
}

fn attaches(client: &Client) {
    wait_for(client, |event| matches!(event.event, Event::Attached { .. }).then_some(()));
}

fn fails(client: &Client) -> (FailureClass, String) {
    wait_for(client, |event| {
        let Event::AttemptFailed { class, detail, .. } = &event.event else { return None };
        Some((*class, detail.clone()))
    })
}

#[test]
fn nginx_accepts_the_agents_certificate_and_its_end_is_told_before_it_comes() {
    let site = Site::new();
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let nginx = site.nginx(&format!("ssl_protocols {protocol};"));
        let identity = site.certificates.identity("agent", 10);
        let client = site.client(443, Some(&identity));
        let warning = wait_for(&client, |event| {
            let Event::SettingsWarning { warning } = &event.event else { return None };
            Some(warning.clone())
        });
        assert!(warning.contains("the agent's own certificate expires 2"), "{warning}");
        attaches(&client);
        assert_eq!(nginx.first_heartbeats(1)[0].status, 200);
    }
}

#[test]
fn nginx_that_misses_a_certificate_of_ours_is_not_taken_for_one_we_do_not_believe() {
    let site = Site::new();
    let expired = site.certificates.identity("agent", -1);
    // What it does by itself: it ends the request, not the handshake.
    for (directives, class, status) in
        [("", FailureClass::Misunderstood, "400"), (TELLS_IN_HTTP, FailureClass::NotAllowed, "401")]
    {
        let _nginx = site.nginx(directives);
        for identity in [None, Some(&expired)] {
            let (found, detail) = fails(&site.client(443, identity));
            assert_eq!(found, class, "{detail}");
            assert!(detail.contains(status), "{detail}");
        }
    }
}

#[test]
fn a_certificate_of_ours_is_renewed_without_a_restart() {
    let site = Site::new();
    let wants = "if ($ssl_client_s_dn ~ 'CN=first') { return 401; }";
    let _nginx = site.nginx(&format!("{TELLS_IN_HTTP} {wants}"));
    let identity = site.certificates.identity("first", -1);
    let client = site.client(443, Some(&identity));
    assert_eq!(fails(&client).0, FailureClass::NotAllowed);
    // In force again, and not the one that nginx wants.
    site.certificates.identity("first", 90);
    client.reconfigure(site.settings(443, Some(&identity))).unwrap();
    assert_eq!(fails(&client).0, FailureClass::NotAllowed);
    site.certificates.identity("second", 90);
    client.reconfigure(site.settings(443, Some(&identity))).unwrap();
    attaches(&client);
}

#[test]
fn an_alert_of_haproxy_about_our_certificate_is_not_a_complaint_about_its_own() {
    let site = Site::new();
    let authority = site.certificates.authority.display();
    let identity = site.folder.path().join("haproxy.pem");
    let bind =
        format!("bind {FRONT}:8443 ssl crt {} ca-file {authority} verify required", identity.display());
    let _haproxy =
        Haproxy::start(&site.cable.servers, site.folder.path(), &site.certificates, FRONT, UPSTREAM, &bind);
    for (days, words) in [(None, "CertificateRequired"), (Some(-1), "CertificateExpired")] {
        let identity = days.map(|days| site.certificates.identity("agent", days));
        let (class, detail) = fails(&site.client(8443, identity.as_ref()));
        assert_eq!(class, FailureClass::NotAllowed, "{detail}");
        assert!(detail.contains(words), "{detail}");
    }
    attaches(&site.client(8443, Some(&site.certificates.identity("agent", 90))));
}
