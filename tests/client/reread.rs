//! A bundle that is replaced on the disk while a client runs.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::*;

/// A port whose connections go on to a server once the gate is opened: until then the client waits for the handshake.
fn gate(to: u16) -> (u16, Sender<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (open, opened) = channel::<()>();
    thread::spawn(move || {
        if opened.recv().is_err() {
            return;
        }
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect((Ipv4Addr::LOCALHOST, to))) else {
                return;
            };
            for (mut from, mut into) in
                [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
            {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut into);
                    let _ = into.shutdown(Shutdown::Write);
                });
            }
        }
    });
    (port, open)
}

#[test]
fn a_bundle_that_was_replaced_is_read_when_a_certificate_is_rejected() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = Server::tls("a", &new, well);
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    let root = |authority: &Authority| {
        let policy = authority.policy();
        std::fs::read(policy["roots"][0]["bundle"].as_str().unwrap()).unwrap()
    };
    std::fs::write(&bundle, root(&old)).unwrap();
    let (port, open) = gate(server.port());
    let document = serde_json::json!({
        "certificate": { "roots": [{ "bundle": bundle }] },
        "server_lists": [{ "name": "main", "priorities": [{ "servers": [
            { "address": "127.0.0.1", "https_port": port, "id": "a" }] }] }],
    });
    let client = builder(document.to_string().parse().unwrap()).status("all is well").start().unwrap();
    // As an administrator does it: whole, by renaming.
    let fresh = folder.path().join("ca.new");
    std::fs::write(&fresh, root(&new)).unwrap();
    std::fs::rename(&fresh, &bundle).unwrap();
    open.send(()).unwrap();
    let (class, _) = failed(&client);
    assert_eq!(class, FailureClass::Certificate);
    let warning = wait_for(&client, |event| {
        let Event::SettingsWarning { warning } = &event.event else { return None };
        warning.contains("changed since").then(|| warning.clone())
    });
    assert_eq!(warning, format!("{}: changed since it was read, and read again", bundle.display()));
    assert_eq!(attached(&client), "a");
}
