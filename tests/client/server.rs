//! A small web server on a thread per connection, which does what its script says.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ::ring::digest::{SHA256, digest};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair,
    PKCS_ED25519, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto::ring};

use super::listener::Listener;

type Script = dyn Fn(&mut Conversation<'_>) + Send + Sync;

/// A server on a loopback port of its own. Dropping it closes the port and every connection.
pub(crate) struct Server {
    name: &'static str,
    host: &'static str,
    protocol: &'static str,
    listener: Listener,
    inner: Arc<Inner>,
    /// SHA-256 of its public key.
    pin: [u8; 32],
}

struct Inner {
    tls: Option<Arc<ServerConfig>>,
    script: Box<Script>,
    /// Bytes of a connection over TLS after which it is cut.
    most: AtomicUsize,
    /// Bytes sent on the last connection over TLS, the handshake included.
    sent: AtomicUsize,
    full: AtomicUsize,
    resumed: AtomicUsize,
    requests: Mutex<Vec<Request>>,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// One connection, as a script sees it.
pub(crate) struct Conversation<'a> {
    stream: &'a mut dyn ReadWrite,
    inner: &'a Inner,
    cut: bool,
}

pub(crate) trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

impl Server {
    pub(crate) fn plain(
        name: &'static str,
        script: impl Fn(&mut Conversation<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::start(name, "http", None, Box::new(script))
    }

    pub(crate) fn tls(
        name: &'static str,
        authority: &Authority,
        script: impl Fn(&mut Conversation<'_>) + Send + Sync + 'static,
    ) -> Self {
        let (config, pin) = authority.server_config();
        Self { pin, ..Self::start(name, "https", Some(config), Box::new(script)) }
    }

    /// A server that shows what this says.
    pub(crate) fn showing(
        name: &'static str,
        config: Arc<ServerConfig>,
        script: impl Fn(&mut Conversation<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::start(name, "https", Some(config), Box::new(script))
    }

    /// The same server, known by another name.
    pub(crate) fn called(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    /// The same server, in settings that say `https`.
    pub(crate) fn claiming_tls(mut self) -> Self {
        self.protocol = "https";
        self
    }

    fn start(
        name: &'static str,
        protocol: &'static str,
        tls: Option<Arc<ServerConfig>>,
        script: Box<Script>,
    ) -> Self {
        let inner = Arc::new(Inner {
            tls,
            script,
            most: AtomicUsize::new(usize::MAX),
            sent: AtomicUsize::new(0),
            full: AtomicUsize::new(0),
            resumed: AtomicUsize::new(0),
            requests: Mutex::default(),
        });
        let listener = Listener::start({
            let inner = Arc::clone(&inner);
            move |stream| serve(stream, &inner)
        });
        Self { name, host: "127.0.0.1", protocol, listener, inner, pin: [0; 32] }
    }

    /// The serial number of every server's certificate.
    pub(crate) const SERIAL: u64 = 7;

    pub(crate) fn pin(&self) -> [u8; 32] {
        self.pin
    }

    pub(crate) fn name(&self) -> &str {
        self.name
    }

    pub(crate) fn host(&self) -> &str {
        self.host
    }

    pub(crate) fn protocol(&self) -> &str {
        self.protocol
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.address().port()
    }

    pub(crate) fn connections(&self) -> usize {
        self.listener.connections()
    }

    /// Full and resumed handshakes.
    pub(crate) fn handshakes(&self) -> (usize, usize) {
        (self.inner.full.load(Ordering::SeqCst), self.inner.resumed.load(Ordering::SeqCst))
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.inner.requests.lock().unwrap().clone()
    }

    /// From now on a connection over TLS is cut after this many of the bytes that go over the wire to the client.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.inner.most.store(bytes, Ordering::SeqCst);
    }

    /// Bytes that went over the wire to the client on the last connection over TLS.
    pub(crate) fn sent(&self) -> usize {
        self.inner.sent.load(Ordering::SeqCst)
    }

    /// Waits until no connection is left.
    pub(crate) fn wait_until_idle(&self) {
        self.listener.wait_until_idle();
    }
}

/// A socket that is cut after so many bytes.
struct Wire<'a> {
    stream: &'a TcpStream,
    inner: &'a Inner,
    most: usize,
    sent: usize,
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let now = bytes.len().min(self.most - self.sent);
        if now == 0 {
            self.stream.shutdown(Shutdown::Both)?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // Counted before the client can have heard them. Another connection may be about to end beside this one.
        self.sent += now;
        self.inner.sent.store(self.sent, Ordering::SeqCst);
        self.stream.write_all(&bytes[..now])?;
        Ok(now)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn serve(mut stream: &TcpStream, inner: &Inner) -> io::Result<()> {
    let Some(config) = &inner.tls else {
        (inner.script)(&mut Conversation { stream: &mut stream, inner, cut: false });
        return Ok(());
    };
    let mut tls = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = Wire { stream, inner, most: inner.most.load(Ordering::SeqCst), sent: 0 };
    tls.complete_io(&mut stream)?;
    match tls.handshake_kind() {
        Some(HandshakeKind::Resumed) => inner.resumed.fetch_add(1, Ordering::SeqCst),
        Some(_) => inner.full.fetch_add(1, Ordering::SeqCst),
        None => 0,
    };
    let mut stream = StreamOwned::new(tls, stream);
    let mut conversation = Conversation { stream: &mut stream, inner, cut: false };
    (inner.script)(&mut conversation);
    if conversation.cut {
        return Ok(());
    }
    stream.conn.send_close_notify();
    stream.conn.complete_io(&mut stream.sock).map(drop)
}

impl Conversation<'_> {
    /// The next request, or `None` when the client has left.
    pub(crate) fn request(&mut self) -> Option<Request> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let fields = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut request = Request { line, fields, body: Vec::new() };
        let length = request.field("content-length").map_or(0, |length| length.parse().unwrap());
        request.body.resize(length, 0);
        self.stream.read_exact(&mut request.body).ok()?;
        self.inner.requests.lock().unwrap().push(request.clone());
        Some(request)
    }

    /// Says this, whatever it is.
    pub(crate) fn say(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).and_then(|()| self.stream.flush());
    }

    /// Ends the connection as somebody on the way would: without the goodbye of TLS.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    /// Says nothing until the client leaves.
    pub(crate) fn wait_for_end(&mut self) {
        let _ = io::copy(&mut self.stream, &mut io::sink());
    }
}

impl Request {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// A throw-away certificate authority, and what the certificates it issues say.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    issuer: Arc<CertifiedIssuer<'static, KeyPair>>,
    name: String,
    years: (i32, i32),
    /// Of the January in which certificates begin.
    day: u8,
    wants_client_certificates: bool,
    demands_stapling: bool,
    version: &'static rustls::SupportedProtocolVersion,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "throw-away authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let (name, years) = ("127.0.0.1".to_owned(), (2020, 2100));
        let version = &rustls::version::TLS13;
        let issuer = Arc::new(issuer);
        let (wants_client_certificates, demands_stapling) = (false, false);
        Self { issuer, name, years, day: 1, wants_client_certificates, demands_stapling, version }
    }

    /// One whose certificates this issuer signs.
    pub(crate) fn of(issuer: CertifiedIssuer<'static, KeyPair>) -> Self {
        Self { issuer: Arc::new(issuer), ..Self::new() }
    }

    pub(crate) fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// Its certificates are younger than this version: a connection shows that it is later than was known.
    pub(crate) fn of_this_year(&self) -> Self {
        Self { years: (2026, 2100), day: 2, ..self.clone() }
    }

    pub(crate) fn expired(&self) -> Self {
        Self { years: (2020, 2021), ..self.clone() }
    }

    pub(crate) fn not_yet_valid(&self) -> Self {
        Self { years: (2099, 2100), ..self.clone() }
    }

    pub(crate) fn demanding_stapling(&self) -> Self {
        Self { demands_stapling: true, ..self.clone() }
    }

    pub(crate) fn wants_client_certificates(&self) -> Self {
        Self { wants_client_certificates: true, ..self.clone() }
    }

    pub(crate) fn with_tls12_only(&self) -> Self {
        Self { version: &rustls::version::TLS12, ..self.clone() }
    }

    /// A certificate policy that trusts this authority alone. Its bundle lies in the folder for temporary files.
    pub(crate) fn policy(&self) -> serde_json::Value {
        serde_json::json!({ "roots": [{ "bundle": file("ca.pem", &self.issuer.pem()) }] })
    }

    pub(crate) fn issuer(&self) -> &CertifiedIssuer<'static, KeyPair> {
        &self.issuer
    }

    pub(crate) fn server_config(&self) -> (Arc<ServerConfig>, [u8; 32]) {
        let mut params = CertificateParams::new(vec![self.name.clone()]).unwrap();
        params.not_before = date_time_ymd(self.years.0, 1, self.day);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        // Its signatures have one length, so every handshake has.
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let pin = digest(&SHA256, &key.subject_public_key_info()).as_ref().try_into().unwrap();
        params.serial_number = Some(Server::SERIAL.into());
        if self.demands_stapling {
            // tlsFeature (RFC 7633) with status_request.
            let feature =
                CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5]);
            params.custom_extensions = vec![feature];
        }
        let certificate = params.signed_by(&key, &*self.issuer).unwrap();
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[self.version])
            .unwrap();
        let builder = if self.wants_client_certificates {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(self.issuer.der().to_vec())).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap()), pin)
    }
}

/// A new file in the folder for temporary files; its path.
pub(crate) fn file(name: &str, text: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::SeqCst);
    let path = format!("{}/road-{}-{number}-{name}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::write(&path, text).unwrap();
    path
}
