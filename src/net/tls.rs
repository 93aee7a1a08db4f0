//! Bytes in and out of a connection, with or without TLS between.

use std::io::{self, Read, Write};

use mio::net::TcpStream;
use rustls::ClientConnection;
use rustls::pki_types::{CertificateDer, ServerName};

use super::failure::of_link;
use super::records::Records;
use crate::trust::{self, Prepared};
use crate::types::{Cause, Failure};

/// A connection that stands.
pub(super) struct Stream {
    tcp: Socket,
    tls: Option<Box<Secured>>,
}

/// What stands between the socket and us.
struct Secured {
    tls: ClientConnection,
    records: Records,
    /// Where bytes are read to. Kept, because making it anew for each read would cost more than the read.
    chunk: Box<[u8]>,
    /// What went wrong after bytes that are for us: they are heard first.
    failure: Option<Failure>,
}

/// A socket, and what is known of it.
struct Socket {
    tcp: TcpStream,
    /// What was read from it before its turn.
    early: Vec<u8>,
    /// What the peer began with, as far as [`is_goodbye`] looks.
    first: Vec<u8>,
    /// It was not found empty since the system last said that there may be something.
    is_readable: bool,
}

/// What one read brought.
pub(super) enum Received {
    /// Something, perhaps only for TLS itself.
    Something,
    /// Nothing for now.
    Blocked,
    /// The peer sends no more. `clean` when nobody can have cut the connection short.
    End {
        /// Without TLS there is no telling, so every end counts as clean.
        clean: bool,
    },
}

/// As much as the largest TLS record.
const CHUNK: usize = 16 * 1024;

/// Bytes of TLS that are read at a time: as many as rustls takes in at once.
const TLS_CHUNK: usize = 4 * 1024;

impl Stream {
    /// A connection that carries bytes as they are.
    pub(super) fn plain(tcp: TcpStream) -> Self {
        let (early, first) = Default::default();
        Self { tcp: Socket { tcp, early, first, is_readable: true }, tls: None }
    }

    /// The system says that there may be something to read.
    pub(super) fn ready(&mut self) {
        self.tcp.is_readable = true;
    }

    /// Begins a TLS handshake on a connection that carried bytes as they are. `early` was read from it
    /// already and belongs to the handshake.
    pub(super) fn secure(
        self,
        early: Vec<u8>,
        policy: &Prepared,
        name: ServerName<'static>,
    ) -> Result<Self, Failure> {
        let tls =
            ClientConnection::new(policy.config.clone(), name).map_err(|error| trust::failure(&error))?;
        let chunk = vec![0; TLS_CHUNK].into_boxed_slice();
        let secured = Secured { tls, records: Records::new(), chunk, failure: None };
        Ok(Self { tcp: Socket { early, ..self.tcp }, tls: Some(Box::new(secured)) })
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|secured| secured.tls.is_handshaking())
    }

    /// The handshake is over, or an answer is complete. What the peer may send until the next that is none is bounded.
    pub(super) fn renew(&mut self) {
        if let Some(secured) = &mut self.tls {
            secured.records.renew();
        }
    }

    /// What the peer presented, in this handshake or in the one whose session is resumed; its own first.
    pub(super) fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.tls.as_ref()?.tls.peer_certificates()
    }

    /// Reads once, and appends what is meant for us to `input`.
    pub(super) fn receive(&mut self, input: &mut Vec<u8>) -> Result<Received, Failure> {
        let Some(secured) = &mut self.tls else {
            let mut chunk = [0; CHUNK];
            return match self.tcp.read(&mut chunk) {
                Ok(0) => Ok(Received::End { clean: true }),
                Ok(length) => {
                    input.extend(chunk.iter().take(length));
                    Ok(Received::Something)
                }
                Err(error) => blocked(&error),
            };
        };
        let Secured { tls, records, chunk, failure } = &mut **secured;
        if let Some(failure) = failure.take() {
            return Err(failure);
        }
        if !self.tcp.may_have_something() {
            return Ok(Received::Blocked);
        }
        let before = input.len();
        let length = match self.tcp.read(chunk) {
            Ok(length) => length,
            Err(error) => return blocked(&error),
        };
        match take(tls, records, chunk.get(..length).unwrap_or_default(), input) {
            Ok(Received::Something) if is_goodbye(&self.tcp.first) => {
                return Ok(Received::End { clean: true });
            }
            Ok(Received::Something | Received::Blocked) => {}
            Ok(end @ Received::End { .. }) => return Ok(end),
            Err(failed) => {
                // The peer is told why, if there is room for it; nothing depends on that.
                let _ = tls.write_tls(&mut self.tcp);
                if input.len() == before {
                    return Err(failed);
                }
                *failure = Some(failed);
                return Ok(Received::Something);
            }
        }
        self.flush()?;
        Ok(Received::Something)
    }

    /// Sends what there is room for; returns how many of the bytes are taken care of.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        let mut taken = 0;
        if !self.flush()? {
            return Ok(taken);
        }
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let written = match &mut self.tls {
                None => self.tcp.write(rest),
                Some(secured) => secured.tls.writer().write(rest),
            };
            match written {
                Ok(length) => taken += length,
                Err(error) => {
                    blocked(&error)?;
                    break;
                }
            }
            // Full buffers take nothing more before something has left them.
            if !self.flush()? {
                break;
            }
        }
        Ok(taken)
    }

    /// Sends what TLS still holds; whether all of it is gone.
    pub(super) fn flush(&mut self) -> Result<bool, Failure> {
        let Some(secured) = &mut self.tls else { return Ok(true) };
        let tls = &mut secured.tls;
        while tls.wants_write() {
            match tls.write_tls(&mut self.tcp) {
                Ok(0) => return Err(Cause::Reset.into()),
                Ok(_) => {}
                Err(error) => {
                    blocked(&error)?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Says goodbye as far as that is possible at once.
    pub(super) fn close(mut self) {
        if let Some(secured) = &mut self.tls {
            secured.tls.send_close_notify();
        }
        // The connection is given up whether or not the peer learns of it.
        let _ = self.flush();
        let _ = self.tcp.tcp.shutdown(std::net::Shutdown::Write);
    }
}

impl Socket {
    fn may_have_something(&self) -> bool {
        self.is_readable || !self.early.is_empty()
    }

    /// Reads, unless it is known that there is nothing: between two words of a peer that would be a system
    /// call for each of ours.
    fn fetch(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.is_readable {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = self.tcp.read(buffer);
        self.is_readable = !read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        read
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = if self.early.is_empty() {
            self.fetch(buffer)?
        } else {
            let length = self.early.as_slice().read(buffer)?;
            self.early.drain(..length);
            length
        };
        let missing = GOODBYE - self.first.len();
        self.first.extend(buffer.iter().take(length.min(missing)));
        Ok(length)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.tcp.write(bytes);
        // A peer that takes no more may have said why.
        self.is_readable |= written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// Why TLS ends here. What carries nothing rustls bounds as well, some of it more tightly than [`Records`] does.
fn of_tls(error: &rustls::Error) -> Failure {
    use rustls::{Error, PeerMisbehaved};
    let carries_nothing = matches!(
        error,
        Error::PeerMisbehaved(
            PeerMisbehaved::TooManyEmptyFragments
                | PeerMisbehaved::TooManyKeyUpdateRequests
                | PeerMisbehaved::TooManyRenegotiationRequests
                | PeerMisbehaved::TooManyWarningAlertsReceived
        )
    );
    if carries_nothing { Failure::noted(Cause::EmptyRecords, error) } else { trust::failure(error) }
}

/// Takes bytes of the peer in, record by record, and appends what is meant for us to `input`. No bytes: its end.
fn take(
    tls: &mut ClientConnection,
    records: &mut Records,
    mut bytes: &[u8],
    input: &mut Vec<u8>,
) -> Result<Received, Failure> {
    loop {
        let (mut record, later) = bytes.split_at(records.next(bytes));
        let before = input.len();
        loop {
            // Once the peer has said goodbye, nothing of it is taken any more.
            let is_over = tls.read_tls(&mut record).map_err(|error| of_link(&error))? == 0;
            let state = tls.process_new_packets().map_err(|error| of_tls(&error))?;
            let plaintext = input.len();
            input.resize(plaintext + state.plaintext_bytes_to_read(), 0);
            if let Some(room) = input.get_mut(plaintext..) {
                tls.reader().read_exact(room).map_err(|error| of_link(&error))?;
            }
            if is_over {
                return Ok(Received::End { clean: state.peer_has_closed() });
            }
            if record.is_empty() {
                break;
            }
        }
        records.brought(input.len() - before)?;
        if later.is_empty() {
            return Ok(Received::Something);
        }
        bytes = later;
    }
}

/// Bytes of what [`is_goodbye`] knows.
const GOODBYE: usize = 7;

/// Whether a peer began with a `close_notify`, in a record of any version. rustls takes that for a warning and would
/// wait for a handshake that never comes.
fn is_goodbye(first: &[u8]) -> bool {
    matches!(first, [21, 3, _, 0, 2, 1, 0])
}

/// Tells a socket that has nothing to say now from one that is broken.
fn blocked(error: &io::Error) -> Result<Received, Failure> {
    if error.kind() == io::ErrorKind::WouldBlock {
        return Ok(Received::Blocked);
    }
    if error.kind() == io::ErrorKind::Interrupted {
        return Ok(Received::Something);
    }
    Err(of_link(error))
}
