//! Host and port of a server, as they are written in a request.

use crate::settings::Server;
use crate::types::Host;

/// Always with the port; an IPv6 address stands in brackets.
pub(super) fn authority(server: &Server) -> String {
    let port = server.port;
    match &server.host {
        Host::Address(std::net::IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Host::Address(std::net::IpAddr::V4(address)) => format!("{address}:{port}"),
        Host::Name(name) => format!("{name}:{port}"),
    }
}
