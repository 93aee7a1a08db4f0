//! A manager for programs to be attached to, and the settings that lead to it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::server::{Authority, Behaviour, Config, Document, Manager};

/// A manager on free ports, stopped when dropped.
pub struct Site {
    pub manager: Manager,
    pub folder: TempDir,
}

impl Site {
    pub fn new() -> Self {
        let authority = Authority::new("a throw-away authority").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), authority.pem()).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let manager = Manager::start(Config {
            name: "manager".to_owned(),
            https: Some((address, authority.issue(&[address.ip().to_string()]).unwrap())),
            http: Some(address),
            settings: Document::None,
            policy: Document::Text(bytes::Bytes::from_static(b"{}")),
            behaviour: Behaviour::Well,
        });
        Self { manager: manager.unwrap(), folder }
    }

    /// A file with settings that lead to the manager, and have a lint and a location. Over TLS when asked for, and then
    /// behind a server that is not there, so that there is something to remember.
    pub fn settings(&self, tls: bool) -> PathBuf {
        let server = if tls {
            json!({ "id": "a", "address": "127.0.0.1", "https_port": self.manager.https.unwrap().port() })
        } else {
            json!({ "id": "a", "address": "127.0.0.1", "protocol": "http", "http_port": self.manager.http.unwrap().port() })
        };
        let mut priorities = vec![json!({ "servers": [server] })];
        if tls {
            priorities
                .insert(0, json!({ "servers": [{ "id": "gone", "address": "127.0.0.1", "https_port": 1 }] }));
        }
        let document = json!({
            "certificate": { "roots": [{ "bundle": self.folder.path().join("authority.pem") }] },
            "server_lists": [
                { "name": "main", "priorities": priorities },
                { "name": "spare", "priorities": [{ "servers": [{ "address": "127.0.0.2" }] }] },
            ],
            "group": { "name": "g", "server_list": "main", "communication": { "heartbeat_interval": "300s" } },
            "locations": [{ "name": "Office", "when": ["internal"] }],
        });
        let path = self.folder.path().join(if tls { "https.json" } else { "http.json" });
        std::fs::write(&path, document.to_string()).unwrap();
        path
    }
}
