//! nginx of the distribution in front of a manager.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::certificates::Certificates;
use crate::namespace::Namespace;
use crate::patience::soon;
use crate::process::Process;
use crate::tools::{fetch, tool};

/// A running nginx: HTTPS on 443, plain HTTP on 8014, both handed on to one manager.
pub(crate) struct Nginx {
    _process: Process,
    log: PathBuf,
}

/// One request, as nginx saw it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// Tells connections apart.
    pub(crate) connection: u64,
    /// Counts the requests of the connection, from 1.
    pub(crate) nth: u64,
    /// `TLSv1.3`; `-` on plain HTTP.
    pub(crate) tls: String,
    /// Whether the TLS session was resumed.
    pub(crate) resumed: bool,
    /// `Homing-Purpose`; `-` when there is none.
    pub(crate) purpose: String,
    /// Status of the answer.
    pub(crate) status: u16,
    /// `Homing-Agent`.
    pub(crate) agent: String,
    /// When it had answered, in seconds.
    pub(crate) at: f64,
}

impl Nginx {
    /// Starts it on this address in front of `upstream`; `extra` are more directives for its server.
    pub(crate) fn start(
        namespace: &Namespace,
        folder: &Path,
        certificates: &Certificates,
        address: &str,
        upstream: &str,
        extra: &str,
    ) -> Self {
        let log = folder.join("access.log");
        let configuration = folder.join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr crit;
             events {{}}
             http {{
               log_format lab '$connection $connection_requests $ssl_protocol $ssl_session_reused $http_homing_purpose $status $http_homing_agent $msec';
               access_log {log} lab;
               client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
               upstream manager {{ server {upstream}; keepalive 4; }}
               server {{
                 listen {address}:443 ssl; listen {address}:8014;
                 ssl_certificate {certificate}; ssl_certificate_key {key};
                 ssl_session_tickets on; ssl_session_cache off;
                 {extra}
                 location / {{ proxy_pass http://manager; proxy_http_version 1.1; proxy_set_header Connection ''; }}
               }}
             }}",
            log = log.display(),
            certificate = certificates.certificate.display(),
            key = certificates.key.display(),
        );
        fs::write(&configuration, text).unwrap();
        let nginx = tool("nginx", "nginx");
        let mut command: Command = namespace.command(nginx.get_program());
        command.arg("-p").arg(folder).arg("-c").arg(&configuration);
        let process = Process::start(&mut command);
        fetch(namespace, &format!("http://{address}:8014/stats"));
        Self { _process: process, log }
    }

    /// The first heartbeats, as soon as there are so many: it writes of each after it has answered.
    pub(crate) fn first_heartbeats(&self, count: usize) -> Vec<Request> {
        let mut seen =
            soon("so many heartbeats", || Some(self.heartbeats()).filter(|seen| seen.len() >= count));
        seen.truncate(count);
        seen
    }

    /// The heartbeats it has handed on so far.
    pub(crate) fn heartbeats(&self) -> Vec<Request> {
        let log = fs::read_to_string(&self.log).unwrap();
        log.lines().map(request).filter(|request| request.purpose != "-").collect()
    }
}

fn request(line: &str) -> Request {
    let fields: Vec<&str> = line.split(' ').collect();
    let [connection, nth, tls, resumed, purpose, status, agent, at] = fields[..] else {
        panic!("not of this log: {line}")
    };
    Request {
        connection: connection.parse().unwrap(),
        nth: nth.parse().unwrap(),
        tls: tls.to_owned(),
        resumed: resumed == "r",
        purpose: purpose.to_owned(),
        status: status.parse().unwrap(),
        agent: agent.to_owned(),
        at: at.parse().unwrap(),
    }
}
