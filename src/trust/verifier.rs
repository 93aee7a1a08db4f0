//! The policy in the place where rustls asks.
//!
//! One verifier belongs to one policy and is shared by all its links, so it says nothing of any of them. rustls does not
//! ask it again when a session is resumed; the link asks [`Prepared::judge`](super::Prepared::judge) after each handshake.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::bare::readable;
use super::name;
use super::sessions::Sessions;
use super::verification_cache::VerificationCache;

/// Judges what servers present by a policy.
pub(super) struct Verifier {
    pub(super) judge: Arc<VerificationCache>,
    /// Learns for how long what is believed may be resumed.
    pub(super) sessions: Arc<Sessions>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The judge asks a clock: `_now` cannot say both what the wall clock says and what it must say.
        let Some(dialled) = name::host(server_name) else {
            return Err(CertificateError::NotValidForName.into());
        };
        let accepted = self
            .judge
            .judge(end_entity, intermediates, &dialled)
            .map_err(|reason| Error::from(CertificateError::Other(OtherError(Arc::new(reason)))))?;
        self.sessions.believed(server_name, self.judge.last_second_of(&accepted));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.judge.policy().provider().signature_verification_algorithms;
        verify_tls12_signature(message, &readable(certificate), signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.judge.policy().provider().signature_verification_algorithms;
        verify_tls13_signature(message, &readable(certificate), signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.policy().provider().signature_verification_algorithms.supported_schemes()
    }
}
