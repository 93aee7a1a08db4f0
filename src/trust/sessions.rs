//! The TLS sessions of one policy that may be resumed: those whose certificates are still believed.
//!
//! When a session is resumed the server shows no certificate: what it showed first is looked at again. Once that has ended a
//! resumed handshake can only fail, although a full one would show the certificate that took its place. So a session is
//! forgotten when what was verified for it ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::NamedGroup;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;

use super::time::{Timestamp, WallClock};

/// See the module.
#[derive(Debug)]
pub(super) struct Sessions {
    kept: ClientSessionMemoryCache,
    clock: Arc<dyn WallClock>,
    /// The last second of what was verified in the newest full handshake with a server of this name.
    ends: Mutex<BTreeMap<String, Timestamp>>,
    most: usize,
}

impl Sessions {
    /// Keeps those of at most this many servers.
    pub(super) fn new(most: usize, clock: Arc<dyn WallClock>) -> Self {
        Self { kept: ClientSessionMemoryCache::new(most), clock, ends: Mutex::default(), most }
    }

    /// A server of this name was believed; `until` is the last second of that, if there is one.
    pub(super) fn believed(&self, name: &ServerName<'_>, until: Option<Timestamp>) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name.to_str().into_owned();
        let Some(until) = until else {
            ends.remove(&name);
            return;
        };
        if ends.len() >= self.most && !ends.contains_key(&name) {
            // Which one goes does not matter: what is resumed is judged all the same.
            ends.pop_first();
        }
        ends.insert(name, until);
    }

    fn has_ended(&self, name: &ServerName<'_>) -> bool {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(&*name.to_str()).is_some_and(|end| *end < self.clock.time().verification())
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(name)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.kept.set_tls12_session(name, value);
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.kept.tls12_session(name).filter(|_| !self.has_ended(name))
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.kept.remove_tls12_session(name);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.kept.insert_tls13_ticket(name, value);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        if self.has_ended(name) {
            while self.kept.take_tls13_ticket(name).is_some() {}
        }
        self.kept.take_tls13_ticket(name)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::server::{ClientHello, ResolvesServerCert};
    use rustls::sign::CertifiedKey;
    use rustls::{ClientConnection, HandshakeKind, ServerConfig, ServerConnection, crypto::ring, version};

    use super::*;
    use crate::settings::{CertificatePolicy, Roots};
    use crate::trust::{Material, Prepared, Time, prepare};

    #[derive(Debug)]
    struct Set(AtomicI64);

    impl WallClock for Set {
        fn time(&self) -> Time {
            Time::exactly(Timestamp(self.0.load(Ordering::Relaxed)))
        }
    }

    /// A server that shows the certificate whose turn it is.
    #[derive(Debug, Clone)]
    struct InTurn(Arc<(AtomicUsize, Vec<Arc<CertifiedKey>>)>);

    impl ResolvesServerCert for InTurn {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            self.0.1.get(self.0.0.load(Ordering::Relaxed)).cloned()
        }
    }

    /// A policy and its clock, in the year 2030; and a server with a certificate for 2030, and the next for 2031 as well.
    fn scene() -> (Prepared, Arc<Set>, InTurn) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let until = |year| {
            let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            params.not_before = date_time_ymd(2030, 1, 1);
            params.not_after = date_time_ymd(year, 1, 1);
            let key = KeyPair::generate().unwrap();
            let chain = vec![params.signed_by(&key, &root).unwrap().der().clone()];
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            Arc::new(CertifiedKey::new(chain, ring::sign::any_supported_type(&key).unwrap()))
        };
        let server = InTurn(Arc::new((AtomicUsize::new(0), vec![until(2031), until(2032)])));
        let clock = Arc::new(Set(date_time_ymd(2030, 6, 1).unix_timestamp().into()));
        let settings =
            CertificatePolicy { roots: vec![Roots::Bundle("ca.pem".into())], ..CertificatePolicy::default() };
        let files = [("ca.pem".into(), root.pem().into_bytes())].into();
        let prepared = prepare(&settings, &Material { files, system: None }, clock.clone()).unwrap();
        (prepared, clock, server)
    }

    /// Shakes hands and takes the tickets; how, and whether the server is believed.
    fn shake_hands(prepared: &Prepared, server: &Arc<ServerConfig>) -> (HandshakeKind, bool) {
        let host = "a.example".parse().unwrap();
        let name = prepared.server_name(&host).unwrap();
        let mut client = ClientConnection::new(prepared.config.clone(), name).unwrap();
        let mut server = ServerConnection::new(server.clone()).unwrap();
        let mut wire = Vec::new();
        while client.wants_write() || server.wants_write() {
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            carry(&mut wire, |bytes| server.read_tls(bytes));
            server.process_new_packets().unwrap();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            carry(&mut wire, |bytes| client.read_tls(bytes));
            client.process_new_packets().unwrap();
        }
        let believed = prepared.judge(client.peer_certificates(), &host).is_ok();
        (client.handshake_kind().unwrap(), believed)
    }

    fn carry(wire: &mut Vec<u8>, mut read: impl FnMut(&mut &[u8]) -> io::Result<usize>) {
        let mut bytes = &wire[..];
        while !bytes.is_empty() {
            read(&mut bytes).unwrap();
        }
        wire.clear();
    }

    #[test]
    fn a_session_is_not_resumed_past_the_end_of_its_certificate() {
        for version in [&version::TLS12, &version::TLS13] {
            let (prepared, clock, shown) = scene();
            let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(shown.clone()));
            let server = Arc::new(server);
            assert_eq!(shake_hands(&prepared, &server), (HandshakeKind::Full, true));
            assert_eq!(shake_hands(&prepared, &server), (HandshakeKind::Resumed, true));
            shown.0.0.store(1, Ordering::Relaxed);
            assert_eq!(shake_hands(&prepared, &server), (HandshakeKind::Resumed, true), "it is still valid");
            clock.0.store(date_time_ymd(2031, 6, 1).unix_timestamp(), Ordering::Relaxed);
            let (kind, believed) = shake_hands(&prepared, &server);
            assert!(kind != HandshakeKind::Resumed && believed, "{version:?}: {kind:?}, {believed}");
            assert_eq!(shake_hands(&prepared, &server), (HandshakeKind::Resumed, true), "the new one");
        }
    }

    #[test]
    fn what_is_known_of_sessions_is_bounded() {
        let sessions = Sessions::new(4, Arc::new(Set(AtomicI64::new(0))));
        for number in 0..100 {
            let name = ServerName::try_from(format!("s{number}.example")).unwrap();
            sessions.believed(&name, Some(Timestamp(1)));
        }
        assert_eq!(sessions.ends.lock().unwrap().len(), 4);
    }
}
