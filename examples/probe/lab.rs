//! A small lab on loopback: reference servers of every kind.

use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::{fs, io, thread};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};

/// Listeners, and the document that names them.
pub(crate) struct Lab {
    document: String,
    /// Accept connections in the system's queue, and never say a word.
    _silent: [TcpListener; 2],
    /// Holds the authority's certificate.
    _folder: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let (ours, theirs) = (authority()?, authority()?);
        let folder = tempfile::tempdir()?;
        let bundle = folder.path().join("authority.pem");
        fs::write(&bundle, ours.pem())?;
        let [silent, bare] = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let [silent_port, bare_port] = [silent.local_addr()?.port(), bare.local_addr()?.port()];
        // Both at once, or the second could be the first again.
        let closed = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let [closed_port, other_closed_port] =
            [closed[0].local_addr()?.port(), closed[1].local_addr()?.port()];
        drop(closed);
        let policy = serde_json::json!({ "roots": [{ "bundle": bundle }] });
        let tls =
            |port| serde_json::json!({ "address": "127.0.0.1", "ports": [port], "certificate": policy });
        let servers = serde_json::json!([
            tls(closed_port),
            tls(silent_port),
            { "address": "127.0.0.1", "ports": [bare_port], "proof": "tcp" },
            tls(serve(&theirs)?),
            { "address": "127.0.0.1", "ports": [other_closed_port, serve(&ours)?], "certificate": policy },
        ]);
        // Nobody is there either; the lab does not leave the machine.
        let document = super::document(&servers, "tls", Some("127.0.0.99"));
        Ok(Self { document, _silent: [silent, bare], _folder: folder })
    }

    pub(crate) fn settings(&self) -> String {
        self.document.clone()
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// A server whose certificate comes from this authority; it makes handshakes and nothing else.
fn serve(authority: &CertifiedIssuer<'static, KeyPair>) -> Result<u16, Box<dyn Error>> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, authority)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der())?)?;
    let (listener, config) = (TcpListener::bind("127.0.0.1:0")?, Arc::new(config));
    let port = listener.local_addr()?.port();
    thread::spawn(move || -> io::Result<()> {
        for stream in listener.incoming() {
            let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            // Whoever does not like the certificate goes away; the next one is served all the same.
            let _ = tls.complete_io(&mut stream?);
        }
        Ok(())
    });
    Ok(port)
}
