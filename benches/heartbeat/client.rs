//! What is measured: homing's client, and a bare rustls loop that says the same bytes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use homing::client::Client;
use homing::engine::{Event, Tuning};
use homing::settings::Settings;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::STATUS;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Makes this many heartbeats by the timer, ten a second, and stops. `kept`: over one connection.
///
/// With `segments`, prints what the kernel says of the connection after the first ten and at the end.
pub fn homing(port: u16, authority: &Path, beats: u64, kept: bool, segments: bool) -> Result<(), Failure> {
    let document = serde_json::json!({
        "certificate": { "roots": [{ "bundle": authority }] },
        "server_lists": [{ "name": "main", "priorities": [{ "servers": [{ "address": "127.0.0.1", "https_port": port }] }] }],
        "group": { "name": "g", "communication": { "heartbeat_interval": "10s" } },
    });
    let settings: Settings = document.to_string().parse()?;
    // Ten seconds become a tenth of one; what decides that a server is slow or silent stays as it is, for valgrind is
    // slow. A connection is kept when the next beat is due within `keep_alive`.
    let tuning = serde_json::json!({ "time_scale": 0.01, "attachment": {
        "keep_alive": if kept { "60s" } else { "0s" }, "server_interval": "0s",
        "stagger_unknown": "100s", "stagger_least": "100s", "stagger_most": "200s", "patience": "150s",
        "silence_least": "200s", "silence_most": "1000s", "connect_limit": "1000s", "tls_limit": "1000s",
        "exchange_limit": "1500s", "attempt_limit": "2000s",
    } });
    let tuning = tuning.to_string();
    let (done, finished) = channel();
    let mut count = 0;
    let client = Client::builder(settings, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6".parse()?)
        .tuning(Tuning::parse(tuning.as_bytes())?)
        .status(STATUS)
        .seed(1)
        .on_event(move |client, event| {
            count += u64::from(matches!(event.event, Event::Heartbeat { .. }));
            if segments && matches!(event.event, Event::Heartbeat { .. }) && (count == 10 || count == beats) {
                println!("{}", data_segments(port).unwrap_or_default());
            }
            if count == beats {
                client.stop(Duration::ZERO);
                // The waiter has gone only when the program ends.
                let _ = done.send(());
                count += 1;
            }
        })
        .start()?;
    finished.recv_timeout(Duration::from_secs(600))?;
    client.stop(Duration::from_secs(1));
    Ok(())
}

/// Data segments sent and received on the connection to this port, as the kernel counts them.
fn data_segments(port: u16) -> Option<String> {
    let output = Command::new("ss").args(["-tinHO", "dst", &format!("127.0.0.1:{port}")]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let value =
        |name: &str| text.split_whitespace().find_map(|word| word.strip_prefix(name)).map(str::to_owned);
    Some(format!("{} {}", value("data_segs_out:")?, value("data_segs_in:")?))
}

/// The same requests by rustls alone, as straight as can be: connect, say, hear, close.
pub fn bare(port: u16, authority: &Path, beats: u64, kept: bool) -> Result<(), Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let name = ServerName::try_from("127.0.0.1")?;
    let request = format!(
        "POST /homing/v1/heartbeat HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nuser-agent: homing/0.1.0\r\n\
         homing-agent: f81d4fae-7dec-11d0-a765-00a0c91e6bf6\r\nhoming-purpose: beat\r\n\
         content-length: {}\r\n\r\n{STATUS}",
        STATUS.len()
    );
    let connect = || -> Result<_, Failure> {
        let tcp = TcpStream::connect(("127.0.0.1", port))?;
        tcp.set_nodelay(true)?;
        Ok((ClientConnection::new(config.clone(), name.clone())?, tcp))
    };
    let mut open = None;
    for _ in 0..beats {
        let (mut tls, mut tcp) = match open.take() {
            Some(open) => open,
            None => connect()?,
        };
        exchange(&mut tls, &mut tcp, request.as_bytes())?;
        if kept {
            open = Some((tls, tcp));
        } else {
            tls.send_close_notify();
            tls.write_tls(&mut tcp)?;
        }
    }
    Ok(())
}

fn exchange(tls: &mut ClientConnection, tcp: &mut TcpStream, request: &[u8]) -> io::Result<()> {
    while tls.is_handshaking() {
        tls.complete_io(tcp)?;
    }
    tls.writer().write_all(request)?;
    while tls.wants_write() {
        tls.write_tls(tcp)?;
    }
    let (mut answer, mut chunk) = (Vec::new(), [0; 1024]);
    loop {
        if tls.read_tls(tcp)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        tls.process_new_packets().map_err(io::Error::other)?;
        match tls.reader().read(&mut chunk) {
            Ok(length) => answer.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if answer.ends_with(b"}") {
            return Ok(());
        }
    }
}
