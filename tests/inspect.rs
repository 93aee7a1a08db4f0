//! The example `inspect`, against servers on loopback.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests and their helpers may fail like tests")]

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

#[path = "../examples/inspect/main.rs"]
#[allow(dead_code, reason = "only its `main` is not used")]
mod inspect;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream, SupportedProtocolVersion, version};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An authority, and servers with its certificates.
struct Site {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Site {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "inspected authority");
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key), root: root.der().clone() }
    }

    /// A certificate for this name until this year, and its key.
    fn certificate(&self, name: &str, until: i32) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        params.distinguished_name.push(DnType::CommonName, "inspected server");
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server that accepts one connection. Its port.
    fn server(
        &self,
        (certificate, key): &(rcgen::Certificate, KeyPair),
        version: &'static SupportedProtocolVersion,
        wants_client_certificate: bool,
    ) -> u16 {
        self.server_showing(vec![certificate.der().clone()], key, version, wants_client_certificate)
    }

    /// The same with other certificates beside its own.
    fn server_showing(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: &KeyPair,
        version: &'static SupportedProtocolVersion,
        wants_client_certificate: bool,
    ) -> u16 {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[version]).unwrap();
        let builder = if wants_client_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.root.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
        listen(move |socket| {
            let mut tls = ServerConnection::new(config).unwrap();
            // Whoever looks hangs up as soon as it has seen enough.
            let _ = Stream::new(&mut tls, socket).read(&mut [0; 100]);
            let _ = Stream::new(&mut tls, socket).write_all(b"HTTP/1.0 200 OK\r\n\r\n");
            // Else what was not read would have the system reset the connection, and swallow an alert.
            let _ = io::copy(socket, &mut io::sink());
        })
    }

    /// What is said of `server`, when this is the policy for it.
    fn inspect(&self, server: u16, policy: &Value) -> (u8, String) {
        let settings = json!({ "server_lists": [{ "name": "one", "priorities": [
            { "servers": [{ "address": "127.0.0.1", "https_port": server, "certificate": policy }] }] }] });
        let file = self.folder.path().join("settings.json");
        fs::write(&file, settings.to_string()).unwrap();
        run(&[&format!("127.0.0.1:{server}"), "--settings", file.to_str().unwrap()])
    }

    fn policy(&self) -> Value {
        json!({ "roots": [{ "bundle": self.folder.path().join("ca.pem") }] })
    }

    /// The same with a certificate of ours until this year.
    fn policy_with_client(&self, until: i32) -> Value {
        let (certificate, key) = self.certificate("agent.example", until);
        let [path, key_path] =
            ["pem", "key"].map(|ending| self.folder.path().join(format!("{until}.{ending}")));
        fs::write(&path, certificate.pem()).unwrap();
        fs::write(&key_path, key.serialize_pem()).unwrap();
        let mut policy = self.policy();
        policy["client"] = json!({ "certificate": path, "key": key_path });
        policy
    }
}

/// Accepts one connection and lets `serve` do the rest. The port.
fn listen(serve: impl FnOnce(&mut std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || serve(&mut listener.accept().unwrap().0));
    port
}

fn run(arguments: &[&str]) -> (u8, String) {
    inspect::run(lexopt::Parser::from_args(arguments))
}

/// All of these stand in the text.
#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not said in:\n{text}");
    }
}

#[test]
fn a_server_that_is_believed_is_shown_with_all_that_an_administrator_needs() {
    let site = Site::new();
    let certificate = site.certificate("127.0.0.1", 2100);
    for (version, protocol) in [(&version::TLS12, "TLSv1_2"), (&version::TLS13, "TLSv1_3")] {
        let (status, text) = site.inspect(site.server(&certificate, version, false), &site.policy());
        assert_eq!(status, 0, "{text}");
        says(&text, &["CN=inspected server", "CN=inspected authority", "names     127.0.0.1", protocol]);
        says(&text, &["2020-01-01T00:00:00Z to 2100-01-01T00:00:00Z", "elliptic curve key of 256 bits"]);
        says(
            &text,
            &["server_lists[0].priorities[0].servers[0].certificate; roots: 1", "verdict     accepted"],
        );
        says(&text, &["vouched by  CN=inspected server ← CN=inspected authority (", "ca.pem)"]);
        // The pin it shows is one that settings accept.
        let pin = text.lines().find_map(|line| line.strip_prefix("  pin       ")).unwrap().trim();
        let policy = json!({ "pin_only": true, "pins": [{ "sha256": pin }] });
        let (status, text) = site.inspect(site.server(&certificate, version, false), &policy);
        assert_eq!(status, 0, "{text}");
        says(&text, &["a key of it is pinned", "vouched by  CN=inspected server (pinned)"]);
    }
}

#[test]
fn a_server_that_is_rejected_is_shown_with_the_reason_and_what_to_do() {
    let site = Site::new();
    let tls = &version::TLS13;
    let expired = site.server(&site.certificate("127.0.0.1", 2021), tls, false);
    let (status, text) = site.inspect(expired, &site.policy());
    assert_eq!(status, 1, "{text}");
    says(
        &text,
        &[
            "reason      CN=inspected server: expired 2021-01-01T00:00:00Z, now is 20",
            "renew the certificate",
        ],
    );

    let other = site.server(&site.certificate("other.example", 2021), tls, false);
    let (status, text) = site.inspect(other, &site.policy());
    assert_eq!(status, 1, "{text}");
    says(
        &text,
        &["not for 127.0.0.1; its names: other.example", "renew the certificate", "set `expected_name`"],
    );

    let good = site.server(&site.certificate("127.0.0.1", 2100), tls, false);
    let (status, text) = run(&[&format!("127.0.0.1:{good}")]);
    assert_eq!(status, 1, "{text}");
    says(&text, &["its issuer CN=inspected authority is not trusted", "add it to a bundle"]);
}

#[test]
fn a_server_that_wants_a_certificate_of_ours_is_told_apart_from_one_that_is_not_believed() {
    let site = Site::new();
    let certificate = site.certificate("127.0.0.1", 2100);
    for version in [&version::TLS12, &version::TLS13] {
        for (policy, status, words, advice) in [
            (site.policy_with_client(2100), 0, "did not object", ""),
            (
                site.policy_with_client(2021),
                1,
                "CertificateExpired",
                "name a certificate that this server accepts",
            ),
            (site.policy(), 1, "CertificateRequired", "give the policy a `client`"),
        ] {
            let (found, text) = site.inspect(site.server(&certificate, version, true), &policy);
            assert_eq!(found, status, "{text}");
            says(&text, &["verdict     accepted", advice]);
            // TLS 1.2 has no word for a certificate that is missing (RFC 5246 7.2.2).
            if words != "CertificateRequired" || *version == version::TLS13 {
                says(&text, &[words]);
            }
        }
    }
}

/// A server of OpenSSL with a self-signed certificate of version 1, which rustls cannot read.
struct Version1 {
    folder: TempDir,
    server: Child,
    port: u16,
}

impl Version1 {
    fn new(version: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command.args(arguments.split(' ')).current_dir(folder.path()).stdin(Stdio::null());
            command.stderr(Stdio::null());
            command
        };
        for arguments in [
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj /CN=old -out old.csr",
            "x509 -req -in old.csr -signkey key.pem -days 3650 -out old.pem",
        ] {
            assert!(openssl(arguments).status().unwrap().success(), "{arguments}");
        }
        let text = openssl("x509 -in old.pem -noout -text").output().unwrap().stdout;
        assert!(String::from_utf8_lossy(&text).contains("Version: 1 "), "this openssl makes no version 1");
        let serve = format!("s_server -accept 127.0.0.1:0 -naccept 4 -cert old.pem -key key.pem {version}");
        let mut server = openssl(&serve).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = io::BufReader::new(server.stdout.take().unwrap()).lines();
        let port =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:")?.parse().ok());
        Self { folder, server, port: port.unwrap() }
    }
}

impl Drop for Version1 {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_certificate_of_version_1_is_believed_by_its_pin() {
    let site = Site::new();
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Version1::new(version);
        let (status, text) = site.inspect(server.port, &site.policy());
        assert_eq!(status, 1, "{text}");
        says(&text, &["reason      CN=old: it is not of version 3", "subject   CN=old"]);
        let pin = text.lines().find_map(|line| line.strip_prefix("  pin       ")).unwrap().trim();
        let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        for (pin, expected, words) in [
            (pin, 0, "verdict     accepted, a key of it is pinned"),
            (other, 1, "none of its keys is pinned"),
        ] {
            let policy = json!({ "pin_only": true, "pins": [{ "sha256": pin }] });
            let (status, text) = site.inspect(server.port, &policy);
            assert_eq!(status, expected, "{text}");
            says(&text, &[words]);
            assert!(!text.contains("\nhandshake "), "{text}");
        }
        let policy = json!({ "roots": [{ "exact": server.folder.path().join("old.pem") }] });
        let (status, text) = site.inspect(server.port, &policy);
        assert_eq!(status, 1, "{text}");
        says(&text, &["not for 127.0.0.1: common name only (old)"]);
    }
}

#[test]
fn a_server_that_shows_more_than_tls_takes_is_told_so() {
    let site = Site::new();
    let (certificate, key) = site.certificate("127.0.0.1", 2100);
    let big = CertificateDer::from(vec![0x30; 50_000]);
    let chain = [certificate.der().clone(), big.clone(), big];
    for version in [&version::TLS12, &version::TLS13] {
        let port = site.server_showing(chain.to_vec(), &key, version, false);
        let (status, text) = site.inspect(port, &site.policy());
        assert_eq!(status, 2, "{text}");
        says(&text, &["what it shows is larger than 64 KiB: let it send fewer certificates"]);
    }
}

#[test]
fn what_cannot_be_seen_is_neither_believed_nor_rejected() {
    let site = Site::new();
    // Nobody listens where somebody just did.
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let plain = listen(|socket| {
        let _ = socket.read(&mut [0; 1000]);
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    for (port, words) in [
        (closed, "see whether the server runs, and at which port"),
        (
            plain,
            "no TLS handshake: received corrupt message of type InvalidContentType; what answers does not speak TLS",
        ),
    ] {
        let (status, text) = site.inspect(port, &site.policy());
        assert_eq!(status, 2, "{text}");
        says(&text, &[words, "127.0.0.1"]);
    }
    let (status, text) = run(&["nowhere.invalid:443"]);
    assert_eq!(status, 2, "{text}");
    says(&text, &["nowhere.invalid cannot be looked up"]);
}

#[test]
fn settings_and_arguments_that_cannot_be_used_are_told() {
    let site = Site::new();
    let file = |name: &str, text: &str| {
        let path = site.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let list = |server: &str| {
        format!(r#"{{ "server_lists": [{{ "name": "a", "priorities": [{{ "servers": [{server}] }}] }}] }}"#)
    };
    let broken = file("broken.json", "{");
    let other = file("other.json", &list(r#"{ "address": "other.example" }"#));
    let bundle =
        r#"{ "address": "a.example", "certificate": { "roots": [{ "bundle": "/nowhere/ca.pem" }] } }"#;
    let missing = file("missing.json", &list(bundle));
    for (arguments, words) in [
        (&["--settings", "/nowhere/settings.json", "a.example"][..], "/nowhere/settings.json: No such file"),
        (&["a.example", "--settings", &broken], "broken.json: "),
        (&["a.example:8443", "--settings", &other], "names no https server at a.example, port 8443"),
        (&["a.example", "--settings", &missing], "cannot read /nowhere/ca.pem"),
        (&[], "which server? write HOST:PORT"),
        (&["a.example:0"], "`0` is no port"),
        (&["a.example:http"], "`http` is no port"),
        (&["https://a.example"], "is no port"),
        (&["a b"], "`a b` is not a host name"),
        (&["a.example", "b.example"], "unexpected argument"),
        (&["a.example", "--nonsense"], "invalid option '--nonsense'"),
        (&["a.example", "--settings"], "missing argument"),
    ] {
        let (status, text) = run(arguments);
        assert_eq!(status, 2, "{text}");
        says(&text, &[words, "inspect: "]);
    }
    let (status, text) = run(&["--help"]);
    assert_eq!(status, 0);
    says(&text, &["Usage: inspect HOST[:PORT]", "Exit status: 0 believed, 1 rejected, 2 not seen"]);
}
