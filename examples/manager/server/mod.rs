//! A management server that speaks the wire contract of `docs/wire.md`, small enough to be read in one sitting.
//!
//! [`Manager::start`] puts it on a thread of its own and returns when its ports are bound. From then on it can be
//! told to [misbehave](Manager::misbehave), asked what it has [counted](Manager::counts), and stopped. A manager
//! that is told to refuse keeps its ports bound without listening: nobody else can take them meanwhile, and a client
//! that tries is refused at once, as if the process had died.

mod agents;
mod answer;
mod authority;
mod behaviour;
mod books;
mod counts;
mod document;
mod events;
mod listen;
mod registry;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::UnboundedSender;
use tokio_rustls::rustls;

use agents::Agents;
pub(crate) use authority::{Authority, Identity, IdentityError};
pub(crate) use behaviour::Behaviour;
pub(crate) use counts::Counts;
pub(crate) use document::Document;
use events::Board;
pub(crate) use events::Post;
use registry::Registry;

/// What a manager is made of.
#[derive(Debug)]
pub(crate) struct Config {
    /// Its name; it stands in every answer.
    pub(crate) name: String,
    /// Where it listens for HTTPS, and as whom. Port 0 takes any free one.
    pub(crate) https: Option<(SocketAddr, Identity)>,
    /// Where it listens for plain HTTP.
    pub(crate) http: Option<SocketAddr>,
    /// The settings it hands out.
    pub(crate) settings: Document,
    /// The policy it hands out.
    pub(crate) policy: Document,
    /// How it behaves at first.
    pub(crate) behaviour: Behaviour,
}

/// A running manager. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Manager {
    /// Where it listens for HTTPS, with the port it really has.
    pub(crate) https: Option<SocketAddr>,
    /// Where it listens for plain HTTP.
    pub(crate) http: Option<SocketAddr>,
    counts: Arc<Mutex<Counts>>,
    board: Arc<Board>,
    registry: Arc<Mutex<Registry>>,
    orders: UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// Why a manager did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Certificate and key do not belong together, or one of them is unusable.
    #[error("cannot serve with this certificate and key: {0}")]
    Identity(#[from] rustls::Error),
    /// No throw-away certificate could be made.
    #[error(transparent)]
    Authority(#[from] IdentityError),
    /// The thread or its runtime could not be made.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// What the handle tells the thread; answered when it has come true.
struct Order {
    what: What,
    done: mpsc::Sender<()>,
}

enum What {
    Behave(Behaviour),
    Stop,
}

impl Manager {
    /// Binds the ports and serves on a thread of its own.
    ///
    /// # Errors
    /// A port that cannot be had, or a certificate that cannot be used.
    pub(crate) fn start(config: Config) -> Result<Self, StartError> {
        let (orders, inbox) = tokio::sync::mpsc::unbounded_channel();
        let (ready, started) = mpsc::channel();
        let counts = Arc::new(Mutex::new(Counts::default()));
        let name = format!("manager {}", config.name);
        let counted = Arc::clone(&counts);
        let board = Arc::new(Board::new());
        let posted = Arc::clone(&board);
        let registry = Arc::<Mutex<Registry>>::default();
        let registered = Arc::clone(&registry);
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || listen::run(config, counted, (posted, registered), inbox, &ready))
            .map_err(StartError::Thread)?;
        let gone = || StartError::Thread(io::Error::other("it ended before it began"));
        let addresses = started.recv().map_err(|_| gone())??;
        let (https, http) = (addresses.https, addresses.http);
        Ok(Self { https, http, counts, board, registry, orders, thread: Some(thread) })
    }

    /// Behaves like this from now on; [`Behaviour::Well`] ends all mischief. Returns when it has come true: after
    /// [`Behaviour::Refuse`] every connection is closed and the next one is refused.
    pub(crate) fn misbehave(&self, behaviour: Behaviour) {
        self.order(What::Behave(behaviour));
    }

    /// Tells every agent that listens, and those that ask later.
    #[allow(dead_code, reason = "not every user tells something")]
    pub(crate) fn post(&self, post: Post) {
        self.board.post(post);
    }

    /// Puts users and agents into the groups that this file names, a JSON object of names and groups. It is read anew for each
    /// registration.
    #[allow(dead_code, reason = "not every user has groups")]
    pub(crate) fn assign(&self, file: PathBuf) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).assign(file);
    }

    /// Asks every agent that has registered to do it again, with its next heartbeat.
    #[allow(dead_code, reason = "not every user has groups")]
    pub(crate) fn ask_to_register(&self) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).ask();
    }

    /// What was asked of it so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes every connection and gives the ports back. Returns when that is done.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.order(What::Stop);
        // A panic there was already printed by its own thread.
        let _ = thread.join();
    }

    /// Hands an order over and waits until it has come true. A manager whose thread is gone behaves like nothing.
    fn order(&self, what: What) {
        let (done, wait) = mpsc::channel();
        if self.orders.send(Order { what, done }).is_ok() {
            let _ = wait.recv();
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    fn manager(behaviour: Behaviour) -> Manager {
        Manager::start(Config {
            name: "m1".to_owned(),
            https: None,
            http: Some((Ipv4Addr::LOCALHOST, 0).into()),
            settings: Document::None,
            policy: Document::Text(bytes::Bytes::from_static(b"{}")),
            behaviour,
        })
        .unwrap()
    }

    /// One exchange on a connection of its own.
    fn ask(manager: &Manager, head: &str, body: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(manager.http.unwrap())?;
        let length = body.len();
        write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    const BEAT: &str = "POST /homing/v1/heartbeat HTTP/1.1\r\nHoming-Agent: a\r\nHoming-Purpose: beat";

    #[test]
    fn every_behaviour_of_the_list_can_be_written() {
        for (how, _) in Behaviour::LIST {
            let numbers = [("CODE", "503"), ("RETRY", "7"), ("SECONDS", "30"), ("BYTES", "1000")];
            let written =
                numbers.iter().fold(how.to_string(), |how, (word, number)| how.replace(word, number));
            assert!(written.parse::<Behaviour>().is_ok(), "{written}");
        }
        for bad in ["", "status", "status:99", "status:600", "drain:soon", "well:1", "registers:status:99"] {
            assert!(bad.parse::<Behaviour>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_heartbeat_is_answered_with_the_tag_that_the_document_has() {
        let manager = manager(Behaviour::Well);
        let answer = ask(&manager, BEAT, "fine").unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(!answer.contains("homing-settings"), "{answer}");
        let tag = answer.lines().find_map(|line| line.strip_prefix("homing-policy: ")).unwrap();
        let get =
            format!("GET /homing/v1/policy HTTP/1.1\r\nHoming-Agent: a\r\nIf-None-Match: \"other\", {tag}");
        assert!(ask(&manager, &get, "").unwrap().starts_with("HTTP/1.1 304"));
        let get = "GET /homing/v1/policy HTTP/1.1\r\nHoming-Agent: a\r\nIf-None-Match: \"other\"";
        assert!(ask(&manager, get, "").unwrap().starts_with("HTTP/1.1 200"));
        let counts = manager.counts();
        assert_eq!((counts.beat, counts.policy, counts.connections), (1, 2, 3));
    }

    #[test]
    fn what_breaks_the_contract_is_told_so() {
        let manager = manager(Behaviour::Well);
        for (head, status) in [
            ("POST /homing/v1/heartbeat HTTP/1.1\r\nHoming-Purpose: beat", "400"),
            ("POST /homing/v1/heartbeat HTTP/1.1\r\nHoming-Agent: a\r\nHoming-Purpose: chat", "400"),
            (
                "POST /homing/v1/heartbeat HTTP/1.1\r\nHoming-Agent: a\r\nHoming-Purpose: beat\r\nHoming-Omitted: all",
                "400",
            ),
            (
                "POST /homing/v1/heartbeat HTTP/1.1\r\nHoming-Agent: a\r\nHoming-Purpose: beat\r\nHoming-Next: soon",
                "400",
            ),
            ("GET /homing/v1/heartbeat HTTP/1.1\r\nHoming-Agent: a", "405"),
            ("GET /homing/v1/settings HTTP/1.1\r\nHoming-Agent: a", "404"),
            ("DELETE /stats HTTP/1.1", "405"),
            ("GET /homing/v1/policy HTTP/1.1\r\nHoming-Agent: two words", "400"),
            (
                "POST /homing/v1/heartbeat HTTP/1.1\r\nHoming-Agent: a\r\nHoming-Purpose: attach\r\nIdempotency-Key: bare",
                "400",
            ),
            (
                "POST /homing/v1/heartbeat HTTP/1.1\r\nHoming-Agent: a\r\nHoming-Purpose: beat\r\nHoming-Instance: 0a",
                "400",
            ),
            ("GET / HTTP/1.1", "404"),
        ] {
            let answer = ask(&manager, head, "").unwrap();
            assert_eq!(answer.split(' ').nth(1), Some(status), "{head}: {answer}");
        }
    }

    #[test]
    fn the_statistics_say_when_each_agent_is_due() {
        let manager = manager(Behaviour::Well);
        let with = |purpose, agent, next| {
            format!(
                "POST /homing/v1/heartbeat HTTP/1.1\r\nHoming-Agent: {agent}\r\nHoming-Purpose: {purpose}\r\nHoming-Next: {next}"
            )
        };
        for (purpose, agent, next) in [("beat", "a", "300"), ("attach", "b", "0"), ("probe", "c", "300")] {
            assert!(ask(&manager, &with(purpose, agent, next), "").unwrap().starts_with("HTTP/1.1 200"));
        }
        let answer = ask(&manager, "GET /stats HTTP/1.1", "").unwrap();
        let stats: serde_json::Value =
            serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(stats["agents"]["a"]["overdue"], false, "{stats}");
        assert_eq!(stats["agents"]["b"]["overdue"], true, "{stats}");
        assert!(stats["agents"].get("c").is_none(), "a probe is nobody's agent: {stats}");
    }

    #[test]
    fn a_registration_is_answered_with_a_group_and_a_mode_and_can_be_asked_for() {
        let manager = manager(Behaviour::Well);
        let register = |fields: &str| {
            let head = format!("POST /homing/v1/register HTTP/1.1\r\nHoming-Agent: a{fields}");
            ask(&manager, &head, "").unwrap()
        };
        let answer = register("\r\nHoming-Preferred-Group: K%C3%B6ln\r\nHoming-Preferred-Mode: user");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("homing-group: K%C3%B6ln\r\nhoming-account-mode: user\r\n"), "{answer}");
        for bad in ["Homing-User: %", "Homing-Last-Group: a%0ab", "Homing-Last-Mode: robot"] {
            assert!(register(&format!("\r\n{bad}")).starts_with("HTTP/1.1 400"), "{bad}");
        }
        let asks = || ask(&manager, BEAT, "").unwrap().contains("homing-register: 1\r\n");
        assert!(!asks());
        manager.ask_to_register();
        assert!(asks() && asks());
        register("");
        assert!(!asks());
        for (how, status) in [("nonsense", "200"), ("status:401", "401"), ("none", "404"), ("again", "200")] {
            manager.misbehave(format!("registers:{how}").parse().unwrap());
            assert_eq!(register("").split(' ').nth(1), Some(status), "{how}");
        }
        assert!(asks());
    }

    #[test]
    fn one_id_on_two_machines_is_told_to_both() {
        let manager = manager(Behaviour::Well);
        let is_twice = |machine: &str| {
            let machine = machine.repeat(32);
            let head = format!("{BEAT}\r\nHoming-Next: 300\r\nHoming-Instance: {machine}");
            let answer = ask(&manager, &head, "").unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            answer.contains("homing-duplicate: 1\r\n")
        };
        assert!(!is_twice("0a") && !is_twice("0a"));
        assert!(is_twice("0b") && is_twice("0a"));
    }

    #[test]
    fn one_key_twice_is_counted_as_a_repetition() {
        let manager = manager(Behaviour::Well);
        let attach = "POST /homing/v1/heartbeat HTTP/1.1\r\nHoming-Agent: a\r\nHoming-Purpose: attach\r\nIdempotency-Key: \"k\"";
        for _ in 0..2 {
            ask(&manager, attach, "").unwrap();
        }
        let counts = manager.counts();
        assert_eq!((counts.attach, counts.repeated), (2, 1));
    }

    #[test]
    fn a_manager_that_refuses_closes_what_is_open_and_comes_back_on_its_port() {
        let manager = manager(Behaviour::Well);
        let mut open = TcpStream::connect(manager.http.unwrap()).unwrap();
        // The answer shows that the connection was accepted before the order came.
        write!(open, "GET /stats HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_ne!(open.read(&mut [0; 4096]).unwrap(), 0);
        manager.misbehave(Behaviour::Refuse);
        let refused = TcpStream::connect(manager.http.unwrap()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(open.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
        manager.misbehave(Behaviour::Well);
        assert!(ask(&manager, BEAT, "").unwrap().starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn a_stopped_manager_gives_its_port_back() {
        // An address of its own: no connection of another test can take the port meanwhile.
        let config = |name: &str, at| Config {
            name: name.to_owned(),
            https: None,
            http: Some(at),
            settings: Document::None,
            policy: Document::None,
            behaviour: Behaviour::Refuse,
        };
        let first = Manager::start(config("m1", ([127, 0, 77, 1], 0).into())).unwrap();
        let port = first.http.unwrap();
        first.misbehave(Behaviour::Well);
        assert!(
            matches!(Manager::start(config("m2", port)), Err(StartError::Listen { address, .. }) if address == port)
        );
        first.stop();
        assert_eq!(Manager::start(config("m3", port)).unwrap().http, Some(port));
    }
}
