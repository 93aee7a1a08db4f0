//! Reference servers nobody here wrote: whether they show where the machine is, and what they are told.

use serde_json::json;
use tempfile::tempdir;

use crate::certificates::Certificates;
use crate::daemons::Daemon;
use crate::locator::{Locator, ask};
use crate::namespace::Cable;

const ADDRESS: &str = Cable::SERVERS[0];

/// Asked while it runs, and again when it is gone.
fn shows_where_the_machine_is(cable: &Cable, port: u16, daemon: Daemon) {
    let host = format!("{ADDRESS}:{port}");
    let output = ask(&cable.agent, &[&host]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{table}");
    assert!(table.contains("proof tcp"), "{table}");
    drop(daemon);
    let output = ask(&cable.agent, &[&host]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{table}");
    assert!(table.contains("connection refused"), "{table}");
}

#[test]
fn an_ssh_server_shows_where_the_machine_is() {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    let daemon = Daemon::ssh(&cable.servers, folder.path(), ADDRESS);
    shows_where_the_machine_is(&cable, 22, daemon);
}

#[test]
fn an_ftp_server_shows_where_the_machine_is() {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    let daemon = Daemon::ftp(&cable.servers, folder.path(), ADDRESS);
    shows_where_the_machine_is(&cable, 21, daemon);
}

#[test]
fn a_postgresql_server_shows_where_the_machine_is() {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    let daemon = Daemon::postgresql(&cable.servers, folder.path(), ADDRESS);
    shows_where_the_machine_is(&cable, 5432, daemon);
}

#[test]
fn a_web_server_proves_itself_by_its_certificate() {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    let certificates = Certificates::new(folder.path(), &[ADDRESS]);
    let daemon = Daemon::web(&cable.servers, folder.path(), &certificates, ADDRESS);
    let server =
        json!([{ "address": ADDRESS, "certificate": { "roots": [{ "bundle": certificates.authority }] } }]);
    let locator = Locator::start(&cable.agent, folder.path(), &server, "tls");
    let round = locator.round();
    assert_eq!(round["finding"], "internal", "{round:#}");
    assert_eq!(round["proof"], "tls", "{round:#}");
    assert_eq!(locator.verdict(), "internal");
    // Another server with the same address and another authority is not believed.
    drop((daemon, locator));
    let other = tempdir().unwrap();
    let impostor = Certificates::new(other.path(), &[ADDRESS]);
    let _daemon = Daemon::web(&cable.servers, other.path(), &impostor, ADDRESS);
    let locator = Locator::start(&cable.agent, folder.path(), &server, "tls");
    let round = locator.round();
    assert_eq!(round["finding"], "external", "{round:#}");
    assert_eq!(round["asked"][0]["reply"], "not_believed", "{round:#}");
}
