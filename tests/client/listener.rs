//! A loopback port whose connections are each served on a thread of their own.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

/// A port in use. Dropping it closes the port and every connection.
pub(crate) struct Listener {
    address: SocketAddr,
    inner: Arc<Inner>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Inner {
    stopped: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    running: (Mutex<usize>, Condvar),
    connections: AtomicUsize,
}

impl Listener {
    /// Serves every connection like this, and then ends it.
    pub(crate) fn start(serve: impl Fn(&TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::<Inner>::default();
        let accepting = thread::spawn({
            let inner = Arc::clone(&inner);
            move || accept(&listener, &inner, &Arc::new(serve))
        });
        Self { address, inner, accepting: Some(accepting) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many there were.
    pub(crate) fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// Waits until no connection is left.
    pub(crate) fn wait_until_idle(&self) {
        let (count, changed) = &self.inner.running;
        drop(changed.wait_while(count.lock().unwrap(), |count| *count > 0).unwrap());
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.inner.stopped.store(true, Ordering::SeqCst);
        // Ends the accept under way.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
        for stream in self.inner.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn accept(
    listener: &TcpListener,
    inner: &Arc<Inner>,
    serve: &Arc<impl Fn(&TcpStream) -> io::Result<()> + Send + Sync + 'static>,
) {
    for stream in listener.incoming() {
        if inner.stopped.load(Ordering::SeqCst) {
            return;
        }
        let stream = stream.unwrap();
        inner.connections.fetch_add(1, Ordering::SeqCst);
        inner.open.lock().unwrap().push(stream.try_clone().unwrap());
        *inner.running.0.lock().unwrap() += 1;
        let (inner, serve) = (Arc::clone(inner), Arc::clone(serve));
        thread::spawn(move || {
            // A client that leaves in the middle is no fault of the server.
            let _ = serve(&stream);
            let _ = stream.shutdown(Shutdown::Both);
            *inner.running.0.lock().unwrap() -= 1;
            inner.running.1.notify_all();
        });
    }
}
