//! A TLS handshake that shows what the server has, whatever it is.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use homing::settings::CertificatePolicy;
use homing::trust::{Policy, readable};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, InvalidMessage, ProtocolVersion,
    SignatureScheme, Stream, version,
};

use super::arguments::Arguments;

/// As an agent has it: 10 s to connect, 10 s for TLS.
const LIMIT: Duration = Duration::from_secs(10);

/// What came of it.
pub(crate) struct Handshake {
    /// Who answered.
    pub(crate) address: SocketAddr,
    /// What it showed, its own certificate first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Which TLS, once that was agreed upon.
    pub(crate) version: Option<ProtocolVersion>,
    /// Whether it asked for a certificate of ours.
    pub(crate) asked: bool,
    /// What went wrong beside the certificate, which nobody has judged yet.
    pub(crate) trouble: Option<io::Error>,
}

/// Shakes hands and believes everybody.
pub(crate) fn shake_hands(
    arguments: &Arguments,
    settings: &CertificatePolicy,
    policy: &Policy,
) -> Result<Handshake, Box<dyn Error>> {
    let Arguments { host, port, .. } = arguments;
    let socket = connect(&host.to_string(), *port)?;
    let address = socket.peer_addr()?;
    let provider = Arc::new(ring::default_provider());
    let seen = Arc::new(Seen { chain: Mutex::default(), provider: Arc::clone(&provider) });
    let own = Arc::new(Own { certificate: own(settings, &provider)?, asked: AtomicBool::new(false) });
    let versions =
        if settings.tls13_only { &[&version::TLS13][..] } else { &[&version::TLS13, &version::TLS12] };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&seen) as _)
        .with_client_cert_resolver(Arc::clone(&own) as _);
    let name = ServerName::try_from(policy.name_for(host).to_string())?;
    let mut tls = ClientConnection::new(Arc::new(config), name)?;
    let mut socket = Limited { socket, end: Instant::now() + LIMIT };
    let mut trouble = tls.complete_io(&mut socket).err();
    let asked = own.asked.load(Ordering::Relaxed);
    if asked && trouble.is_none() {
        // In TLS 1.3 a server says what it thinks of our certificate after the handshake, and perhaps only when it is spoken to.
        let spoken = Stream::new(&mut tls, &mut socket)
            .write_all(b"HEAD / HTTP/1.0\r\n\r\n")
            .and_then(|()| Stream::new(&mut tls, &mut socket).read(&mut [0]));
        trouble = spoken.err().filter(is_of_tls);
    }
    let chain = std::mem::take(&mut *seen.chain.lock().unwrap_or_else(PoisonError::into_inner));
    match trouble {
        Some(error) if chain.is_empty() => {
            Err(format!("{address}: no TLS handshake: {error}{}", hint(&error)).into())
        }
        trouble => Ok(Handshake { address, chain, version: tls.protocol_version(), asked, trouble }),
    }
}

fn is_of_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// What may be behind it when a server could show nothing.
fn hint(error: &io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)) => {
            "; its key may be of a kind that is not supported: RSA, ECDSA on P-256 or P-384, and Ed25519 are"
        }
        Some(rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)) => {
            "; it may speak only TLS that is older than the policy allows"
        }
        Some(rustls::Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge)) => {
            "; what it shows is larger than 64 KiB: let it send fewer certificates, or one with fewer names"
        }
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "; what answers does not speak TLS: this may be its port for plain http"
        }
        _ => "",
    }
}

/// The first of the addresses that answers.
fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses =
        (host, port).to_socket_addrs().map_err(|error| format!("{host} cannot be looked up: {error}"))?;
    let mut trouble = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, LIMIT) {
            Ok(socket) => return Ok(socket),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                trouble =
                    format!("{address} refuses connections; see whether the server runs, and at which port");
            }
            Err(error) => trouble = format!("{address} cannot be reached: {error}"),
        }
    }
    Err(trouble)
}

/// The agent's own certificate, if the policy has one.
fn own(
    settings: &CertificatePolicy,
    provider: &CryptoProvider,
) -> Result<Option<Arc<CertifiedKey>>, Box<dyn Error>> {
    let Some(client) = &settings.client else { return Ok(None) };
    let chain = CertificateDer::pem_file_iter(&client.certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&client.key)?;
    Ok(Some(Arc::new(CertifiedKey::from_der(chain, key, provider)?)))
}

/// A socket that is used until this instant and no longer, however slowly the other side drips.
struct Limited {
    socket: TcpStream,
    end: Instant,
}

impl Limited {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        match self.socket.read(buffer) {
            // What Unix calls a time that is over.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::ErrorKind::TimedOut.into()),
            read => read,
        }
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Keeps the chain, and verifies only that the server has its key.
#[derive(Debug)]
struct Seen {
    chain: Mutex<Vec<CertificateDer<'static>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(own).chain(others).map(|it| it.clone().into_owned()).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, &readable(own), signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, &readable(own), signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Shows our certificate to a server that asks, and remembers that it did.
#[derive(Debug)]
struct Own {
    certificate: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.certificate.clone()
    }

    fn has_certs(&self) -> bool {
        // Else it is not asked.
        true
    }
}
