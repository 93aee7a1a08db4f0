//! Servers of every kind the table names, each in the process the bench starts for it.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const WELL: &str = "HTTP/1.1 200 OK\r\nHoming-Settings: \"7\"\r\nContent-Length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/// Writes `ca.pem`, `well.pem` with its key, and `wrong.pem`, which nobody the agent trusts has issued.
pub fn issue(folder: &Path, addresses: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    for (authority, leaf) in [("ca", "well"), ("other", "wrong")] {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, authority);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        std::fs::write(folder.join(format!("{authority}.pem")), issuer.pem())?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(addresses.to_vec())?.signed_by(&key, &*issuer)?;
        std::fs::write(folder.join(format!("{leaf}.pem")), certificate.pem() + &key.serialize_pem())?;
    }
    Ok(())
}

/// Serves these addresses until the process is killed. `how`: `well`, `wrong`, `busy` or `silent`.
pub fn serve(how: &str, folder: &Path, addresses: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
    let identity = folder.join(if how == "wrong" { "wrong.pem" } else { "well.pem" });
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&identity)?],
            PrivateKeyDer::from_pem_file(&identity)?,
        )?;
    let config = Arc::new(config);
    let answer = match how {
        "silent" => None,
        "busy" => Some(BUSY),
        _ => Some(WELL),
    };
    for address in addresses {
        let (listener, config) = (TcpListener::bind((*address, 443))?, Arc::clone(&config));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                // A client that leaves is no fault of the server.
                thread::spawn(move || _ = converse(stream, config, answer));
            }
        });
    }
    println!("ready");
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

fn converse(mut tcp: TcpStream, config: Arc<ServerConfig>, answer: Option<&str>) -> io::Result<()> {
    let Some(answer) = answer else {
        return io::copy(&mut tcp, &mut io::sink()).map(|_| ());
    };
    tcp.set_nodelay(true)?;
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, tcp);
    let (mut heard, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        heard.extend_from_slice(&chunk[..length]);
        // The agent here has nothing to say, so a request ends with its head.
        if heard.ends_with(b"\r\n\r\n") {
            heard.clear();
            stream.write_all(answer.as_bytes())?;
            stream.flush()?;
        }
    }
}
