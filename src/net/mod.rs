//! The road to a management server: names, sockets, TLS, HTTP.
//!
//! Nothing here decides anything. The client hands down what the engine asked for, and hands up what
//! came of it in the words the engine knows. A `resolver` turns names into addresses on helper
//! threads. A `dial` races the addresses of one server, and shows each new socket to the program's
//! `hook`. A `link` is one connection from the dial to the close, through a `proxy` when the route
//! says so, secured by `tls` when the server's protocol does; it carries one `exchange` at a time, whose request comes from
//! a `source`, and whose answer has a `head` and a `body` that goes into a `sink`. `protocol` alone knows what is said in it. What a peer may make us take in stands in [`Limits`]; `pace` tells
//! a slow answer from a dripping one.
//!
//! All sockets belong to the client's one thread. They never block it, and none of them is closed
//! without a reason that reaches the engine.

mod body;
mod dial;
mod event_stream;
mod exchange;
mod failure;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod head;
mod hook;
mod http_request;
mod limits;
mod link;
mod look_ups;
mod pace;
mod probe;
pub(crate) mod protocol;
mod proxy;
mod records;
mod resolver;
mod sink;
mod source;
mod tls;

pub(crate) use event_stream::Spoken;
pub(crate) use exchange::{Answer, Exchange};
pub use hook::NewSocket;
pub(crate) use hook::SocketHook;
pub use limits::{Limits, LimitsError};
pub(crate) use link::{Link, Plan, Report};
pub(crate) use probe::Probe;
pub use proxy::{Proxy, ProxyCredentialsError};
pub(crate) use resolver::{Looked, Resolver};
