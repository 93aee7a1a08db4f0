//! The thread of a manager: binds, accepts, and hands each connection to a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{self, ServerConfig};

use super::answer::{Manners, answer};
use super::events::Board;
use super::registry::Registry;
use super::{Authority, Behaviour, Config, Counts, Identity, Order, StartError, What};

/// Where a manager listens once it does.
pub(super) struct Addresses {
    pub(super) https: Option<SocketAddr>,
    pub(super) http: Option<SocketAddr>,
}

/// Longer than a client keeps an idle connection (60 s), so that an idle connection ends at the client's wish.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// A handshake that takes longer is not worth a task.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Enough for every client of a demonstration to arrive at once.
const BACKLOG: u32 = 1024;

/// Serves until an order says stop, or until nobody can give one any more.
pub(super) fn run(
    config: Config,
    counts: Arc<Mutex<Counts>>,
    (board, registry): (Arc<Board>, Arc<Mutex<Registry>>),
    inbox: UnboundedReceiver<Order>,
    ready: &mpsc::Sender<Result<Addresses, StartError>>,
) {
    let started = runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread);
    let outcome = started.and_then(|runtime| {
        let inside = runtime.enter();
        let house = House::open(config, counts, board, registry)?;
        drop(inside);
        Ok((runtime, house))
    });
    match outcome {
        Ok((runtime, house)) => {
            let _ = ready.send(Ok(Addresses { https: house.address(true), http: house.address(false) }));
            runtime.block_on(house.serve(inbox));
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    }
}

/// The ports, and everybody who came in through them.
struct House {
    doors: Vec<Door>,
    behaviour: watch::Sender<Behaviour>,
    manners: Arc<Manners>,
    guests: JoinSet<()>,
}

/// One port.
struct Door {
    address: SocketAddr,
    tls: Option<Tls>,
    state: DoorState,
}

enum DoorState {
    Open(TcpListener),
    /// Bound, but not listening: whoever knocks is refused.
    Shut(TcpSocket),
    /// The port could not be had back. It is tried again when the behaviour changes.
    Lost,
}

/// The two faces of an HTTPS port.
#[derive(Clone)]
struct Tls {
    right: TlsAcceptor,
    wrong: TlsAcceptor,
}

impl House {
    fn open(
        config: Config,
        counts: Arc<Mutex<Counts>>,
        board: Arc<Board>,
        registry: Arc<Mutex<Registry>>,
    ) -> Result<Self, StartError> {
        let mut doors = Vec::new();
        if let Some((address, identity)) = config.https {
            let impostor = Authority::new("nobody knows this authority")?;
            let names = [address.ip().to_string(), "localhost".to_owned()];
            let tls = Tls { right: acceptor(identity)?, wrong: acceptor(impostor.issue(&names)?)? };
            doors.push(Door::bind(address, Some(tls))?);
        }
        if let Some(address) = config.http {
            doors.push(Door::bind(address, None)?);
        }
        let (behaviour, watched) = watch::channel(config.behaviour);
        let manners = Arc::new(Manners {
            name: config.name,
            settings: config.settings,
            policy: config.policy,
            board,
            behaviour: watched,
            counts,
            agents: Mutex::default(),
            books: Mutex::default(),
            registry,
        });
        let guests = JoinSet::new();
        let mut house = Self { doors, behaviour, manners, guests };
        if *house.behaviour.borrow() != Behaviour::Refuse {
            house.doors.iter_mut().try_for_each(Door::unlock)?;
        }
        Ok(house)
    }

    fn address(&self, tls: bool) -> Option<SocketAddr> {
        self.doors.iter().find(|door| door.tls.is_some() == tls).map(|door| door.address)
    }

    async fn serve(mut self, mut inbox: UnboundedReceiver<Order>) {
        loop {
            let (first, second) = (self.doors.first(), self.doors.get(1));
            let (stream, tls) = tokio::select! {
                order = inbox.recv() => match order {
                    Some(Order { what: What::Behave(behaviour), done }) => {
                        self.behave(behaviour).await;
                        let _ = done.send(());
                        continue;
                    }
                    Some(Order { what: What::Stop, done }) => {
                        self.guests.shutdown().await;
                        self.doors.clear();
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
                Some(guest) = accept(first) => guest,
                Some(guest) = accept(second) => guest,
                Some(_) = self.guests.join_next() => continue,
            };
            self.guests.spawn(receive(stream, tls, Arc::clone(&self.manners)));
        }
    }

    async fn behave(&mut self, behaviour: Behaviour) {
        let refuse = behaviour == Behaviour::Refuse;
        if refuse {
            // The doors first: nobody may slip in while the guests are shown out.
            self.doors.iter_mut().for_each(Door::lock);
            self.guests.shutdown().await;
        }
        self.behaviour.send_replace(behaviour);
        if !refuse {
            for door in &mut self.doors {
                // A port that somebody else took meanwhile stays lost until the next order.
                let _ = door.unlock();
            }
        }
    }
}

impl Door {
    /// Takes the port, without listening yet.
    fn bind(address: SocketAddr, tls: Option<Tls>) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen { address, source };
        let socket = bind(address).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { address, tls, state: DoorState::Shut(socket) })
    }

    fn unlock(&mut self) -> Result<(), StartError> {
        let failed = |source| StartError::Listen { address: self.address, source };
        let socket = match std::mem::replace(&mut self.state, DoorState::Lost) {
            DoorState::Open(listener) => {
                self.state = DoorState::Open(listener);
                return Ok(());
            }
            DoorState::Shut(socket) => socket,
            DoorState::Lost => bind(self.address).map_err(failed)?,
        };
        self.state = DoorState::Open(socket.listen(BACKLOG).map_err(failed)?);
        Ok(())
    }

    fn lock(&mut self) {
        if let DoorState::Shut(_) = self.state {
            return;
        }
        // The listener has to be gone before its port can be bound again, also where a child that this process has just
        // forked still holds it.
        #[cfg(target_os = "linux")]
        if let DoorState::Open(listener) = &self.state {
            let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
        }
        self.state = DoorState::Lost;
        if let Ok(socket) = bind(self.address) {
            self.state = DoorState::Shut(socket);
        }
    }
}

/// The next guest at this door; `None`, or never, when there is none to come.
async fn accept(door: Option<&Door>) -> Option<(TcpStream, Option<Tls>)> {
    let Some(Door { state: DoorState::Open(listener), tls, .. }) = door else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, tls.clone())),
            // Out of descriptors, or a guest who left at once: neither is worth a busy loop.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// One connection from the first byte to the last.
async fn receive(stream: TcpStream, tls: Option<Tls>, manners: Arc<Manners>) {
    let count =
        |note: fn(&mut Counts)| note(&mut manners.counts.lock().unwrap_or_else(PoisonError::into_inner));
    count(|counts| counts.connections += 1);
    let mut behaviour = manners.behaviour.clone();
    if *behaviour.borrow() == Behaviour::Silent {
        let _ = behaviour.wait_for(|behaviour| *behaviour != Behaviour::Silent).await;
        return;
    }
    // Small answers must not wait for the acknowledgement of the bytes before them.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return serve(stream, manners).await };
    let wrong = *behaviour.borrow() == Behaviour::WrongCertificate;
    let acceptor = if wrong { tls.wrong } else { tls.right };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let kind = stream.get_ref().1.handshake_kind();
            manners.counts.lock().unwrap_or_else(PoisonError::into_inner).handshake(kind);
            serve(stream, manners).await;
        }
        Ok(Err(_)) | Err(_) => count(|counts| counts.failed_handshakes += 1),
    }
}

async fn serve<S>(stream: S, manners: Arc<Manners>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request| answer(Arc::clone(&manners), request));
    // A client that goes away in the middle is its own affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn acceptor(identity: Identity) -> Result<TlsAcceptor, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Elsewhere than on Unix this option would let two processes share the port.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    Ok(socket)
}
