//! One question to a reference server: is anybody there, and is it that server?
//!
//! A connection, a TLS handshake where one is asked for, and the end. There is no way to say anything on a probe: it owns
//! its socket, gives it to nobody, and has no function that takes bytes. So a reference server cannot be made to manage
//! by a mistake elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::{Registry, Token};

use super::dial::{Finish, Race};
use super::hook::{self, SocketHook};
use super::link::first_token;
use super::tls::{Received, Stream};
use crate::trust::Prepared;
use crate::types::{Cause, Failure, Host, Moment, ProbeId, Proof, Via};

/// Bytes of TLS that a probe reads before it gives up: chains of 16 KiB certificates are rare, and this is ten of them.
const MOST_READS: usize = 64;

/// See the module.
pub(crate) struct Probe {
    id: ProbeId,
    /// What makes the handshake, if one is asked for.
    security: Option<(Prepared, Host)>,
    stage: Stage,
}

enum Stage {
    Connecting(Race),
    Securing { stream: Stream, via: Via, reads: usize },
    Over,
}

impl Probe {
    /// A probe that has not begun: [`step`](Self::step) starts it. With `security`, the policy and whom its certificate
    /// has to name, it makes a handshake.
    ///
    /// It takes the interface that leads to `like`, or whichever leads to its own address.
    pub(crate) fn new(
        id: ProbeId,
        to: SocketAddr,
        security: Option<(Prepared, Host)>,
        like: Option<IpAddr>,
        hook: Option<SocketHook>,
        now: Moment,
    ) -> Self {
        let hook = match like {
            Some(like) => Some(hook::on_the_way_to(SocketAddr::new(like, to.port()), hook)),
            None => hook,
        };
        Self { id, security, stage: Stage::Connecting(Race::new(Arc::from([to]), Duration::ZERO, hook, now)) }
    }

    /// Its socket may have something to read.
    pub(crate) fn ready(&mut self) {
        if let Stage::Securing { stream, .. } = &mut self.stage {
            stream.ready();
        }
    }

    /// Goes as far as it can without waiting. An answer is the end.
    pub(crate) fn step(&mut self, registry: &Registry, now: Moment) -> Option<Result<(Proof, Via), Failure>> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Over => return None,
                Stage::Connecting(mut race) => {
                    let token = |_: usize| Token(first_token(self.id.0));
                    match race.step(registry, token, now) {
                        None => {
                            self.stage = Stage::Connecting(race);
                            return None;
                        }
                        Some(Finish::Lost(failure)) => return Some(Err(failure)),
                        Some(Finish::Won { stream, via }) => {
                            let Some((policy, host)) = &self.security else {
                                return Some(Ok((Proof::Tcp, via)));
                            };
                            match secured(Stream::plain(stream), policy, host) {
                                Ok(stream) => self.stage = Stage::Securing { stream, via, reads: 0 },
                                Err(failure) => return Some(Err(failure)),
                            }
                        }
                    }
                }
                Stage::Securing { stream, via, reads } => match self.shake(stream, via, reads) {
                    Ok(Some(reached)) => return Some(Ok(reached)),
                    Ok(None) if matches!(self.stage, Stage::Securing { reads: 0, .. }) => return None,
                    Ok(None) => {}
                    Err(failure) => return Some(Err(failure)),
                },
            }
        }
    }

    /// Reads once. No application data is ever written, and none that comes is looked at.
    fn shake(&mut self, mut stream: Stream, via: Via, reads: usize) -> Result<Option<(Proof, Via)>, Failure> {
        stream.flush()?;
        let received = stream.receive(&mut Vec::new())?;
        if !stream.is_handshaking() {
            // The last word of the handshake; without it the server would log a broken one.
            stream.flush()?;
            // Asked here as for a link: nobody verifies a resumed session.
            let proof = match &self.security {
                Some((policy, host)) => policy.judge(stream.peer_certificates(), host)?.proof,
                None => Proof::Tcp,
            };
            return Ok(Some((proof, via)));
        }
        let reads = match received {
            Received::Something if reads >= MOST_READS => return Err(Cause::TlsFailed.into()),
            Received::Something => reads + 1,
            Received::Blocked => 0,
            Received::End { .. } => {
                return Err(Failure::noted(Cause::Truncated, "closed in the TLS handshake"));
            }
        };
        self.stage = Stage::Securing { stream, via, reads };
        Ok(None)
    }
}

fn secured(stream: Stream, policy: &Prepared, host: &Host) -> Result<Stream, Failure> {
    let name = policy
        .server_name(host)
        .ok_or_else(|| Failure::noted(Cause::WrongName, "no certificate can carry this name"))?;
    stream.secure(Vec::new(), policy, name)
}
