//! The other end: a TLS 1.3 server that answers every heartbeat and every read of the policy with one small write, and counts heartbeats.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

/// What a server answers: the two tags and seventeen bytes of the product's own.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nHoming-Settings: \"s-7\"\r\nHoming-Policy: \"p-3\"\r\n\
    Content-Length: 17\r\n\r\n{\"all\":\"is well\"}";

/// What it answers when the policy is read.
const POLICY: &str = "HTTP/1.1 200 OK\r\nETag: \"p-3\"\r\nContent-Length: 2\r\n\r\n{}";

static FULL: AtomicU64 = AtomicU64::new(0);
static RESUMED: AtomicU64 = AtomicU64::new(0);
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// The server in a process of its own: this program with the word `serve`. It ends with this value.
pub struct Process {
    child: Child,
    says: BufReader<ChildStdout>,
    pub port: u16,
}

impl Process {
    /// Starts it; its authority is in this file from then on.
    pub fn start(authority: &Path) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(authority)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut says = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut port = String::new();
        says.read_line(&mut port)?;
        Ok(Self { child, says, port: port.trim().parse().map_err(io::Error::other)? })
    }

    /// Full handshakes, resumed ones and requests since this was last asked.
    #[allow(dead_code, reason = "not every program counts")]
    pub fn counts(&mut self) -> io::Result<[u64; 3]> {
        writeln!(self.child.stdin.as_mut().expect("it is piped"), "counts")?;
        let mut line = String::new();
        self.says.read_line(&mut line)?;
        let counts: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        counts.map_err(io::Error::other)?.try_into().map_err(|_| io::Error::other("three counts"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Serves until standard input ends. Prints its port, and for each line of input its counts since the last.
pub fn serve(authority: &Path) -> io::Result<()> {
    let config = config(authority).map_err(io::Error::other)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?.port());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            // A client that leaves is no fault of the server.
            thread::spawn(move || _ = converse(stream, config));
        }
    });
    for line in io::stdin().lock().lines() {
        line?;
        let [full, resumed, requests] = [&FULL, &RESUMED, &REQUESTS].map(|count| count.swap(0, SeqCst));
        println!("{full} {resumed} {requests}");
    }
    Ok(())
}

fn converse(mut tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    let count = if tls.handshake_kind() == Some(HandshakeKind::Resumed) { &RESUMED } else { &FULL };
    count.fetch_add(1, SeqCst);
    let mut stream = StreamOwned::new(tls, tcp);
    let (mut heard, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        heard.extend_from_slice(&chunk[..length]);
        // The head names a body of a known length; whatever follows the head counts towards it.
        let Some(head) = heard.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        if heard.starts_with(b"GET ") {
            // A read that is not answered would keep a connection beside that of the heartbeats.
            heard.clear();
            stream.write_all(POLICY.as_bytes())?;
            stream.flush()?;
        } else if heard.len() >= head + 4 + super::STATUS.len() {
            heard.clear();
            REQUESTS.fetch_add(1, SeqCst);
            stream.write_all(ANSWER.as_bytes())?;
            stream.flush()?;
        }
    }
}

/// A throw-away authority, whose certificate is written to this file, and a server it vouches for.
fn config(authority: &Path) -> Result<Arc<ServerConfig>, Box<dyn std::error::Error + Send + Sync>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "throw-away authority");
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    std::fs::write(authority, issuer.pem())?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &*issuer)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der())?)?;
    Ok(Arc::new(config))
}
