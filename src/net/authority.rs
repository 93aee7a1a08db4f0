//! Host and port of a server, as they are written in a request.

use crate::settings::Server;
use crate::types::Host;

/// Always with the port; an IPv6 address stands in brackets.
pub(super) fn authority(server: &Server) -> String {
    host_and_port(&server.host, server.port)
}

/// The same of anything else that has both.
pub(super) fn host_and_port(host: &Host, port: u16) -> String {
    match host {
        Host::Address(std::net::IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Host::Address(std::net::IpAddr::V4(address)) => format!("{address}:{port}"),
        Host::Name(name) => format!("{name}:{port}"),
    }
}
