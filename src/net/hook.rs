//! The program's say over each new socket.

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, RawSocket};
use std::sync::Arc;

use socket2::Socket;

use crate::platform::{callback, use_way_to};
use crate::types::{Cause, Failure};

/// A socket that was just made and is about to be connected, lent to the program's socket hook.
///
/// It gives its descriptor (`AsFd`, on Windows `AsSocket`), so whatever the program uses to set
/// options can be used on it. It is in non-blocking mode and must stay so, and must not be connected.
pub struct NewSocket<'a>(&'a Socket);

/// Called with each new socket and where it is about to go.
pub(crate) type SocketHook = Arc<dyn Fn(NewSocket<'_>, &SocketAddr) -> io::Result<()> + Send + Sync>;

/// Shows the socket to the hook. Its error, and its panic, mean that this socket is not to be used.
pub(super) fn show(hook: &SocketHook, socket: &Socket, address: &SocketAddr) -> Result<(), Failure> {
    match callback::call("the socket hook", "the socket is not used", || hook(NewSocket(socket), address)) {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(Failure::noted(Cause::SocketRefused, error)),
        None => Err(Failure::noted(Cause::SocketRefused, "the socket hook panicked")),
    }
}

/// Lets a socket use the interface that leads to this address and port only, and shows it to the program's hook then.
pub(super) fn on_the_way_to(like: SocketAddr, then: Option<SocketHook>) -> SocketHook {
    Arc::new(move |socket, address| {
        use_way_to(socket.0, like)?;
        then.as_ref().map_or(Ok(()), |then| then(socket, address))
    })
}

#[cfg(unix)]
impl AsFd for NewSocket<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(unix)]
impl AsRawFd for NewSocket<'_> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(windows)]
impl AsSocket for NewSocket<'_> {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

#[cfg(windows)]
impl AsRawSocket for NewSocket<'_> {
    fn as_raw_socket(&self) -> RawSocket {
        self.0.as_raw_socket()
    }
}

impl fmt::Debug for NewSocket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
