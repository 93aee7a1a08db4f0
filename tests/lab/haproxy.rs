//! haproxy of the distribution in front of a manager.

use std::fs;
use std::path::Path;

use crate::certificates::Certificates;
use crate::namespace::Namespace;
use crate::process::Process;
use crate::tools::{fetch, tool};

/// A running haproxy: HTTPS on 443, plain HTTP on 8014, both handed on to one manager.
pub(crate) struct Haproxy {
    process: Process,
}

/// One request, as haproxy saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Where it came from: tells connections apart.
    pub(crate) port: u16,
    /// Status of the answer; `None` when there was none.
    pub(crate) status: Option<u16>,
}

impl Haproxy {
    /// Starts it on this address in front of `upstream`; `extra` are more directives for its front.
    pub(crate) fn start(
        namespace: &Namespace,
        folder: &Path,
        certificates: &Certificates,
        address: &str,
        upstream: &str,
        extra: &str,
    ) -> Self {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let identity = write("haproxy.pem", &(read(&certificates.certificate) + &read(&certificates.key)));
        let configuration = write(
            "haproxy.cfg",
            &format!(
                "global
  log stdout format raw local0
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind {address}:443 ssl crt {identity}
  bind {address}:8014
  log global
  log-format \"%cp %ST %HU\"
  {extra}
  default_backend managers
backend managers
  server manager {upstream}
",
                identity = identity.display(),
            ),
        );
        let mut command = namespace.command(tool("haproxy", "haproxy").get_program());
        command.arg("-db").arg("-f").arg(&configuration);
        let process = Process::start(&mut command);
        fetch(namespace, &format!("http://{address}:8014/stats"));
        Self { process }
    }

    /// The next heartbeat that it took.
    pub(crate) fn heartbeat(&self) -> Request {
        self.process.line("a heartbeat at haproxy", |line| {
            let (port, rest) = line.split_once(' ')?;
            let (status, path) = rest.split_once(' ')?;
            let status = status.parse().ok().filter(|status| *status > 0);
            path.ends_with("/homing/v1/heartbeat").then(|| Request { port: port.parse().unwrap(), status })
        })
    }
}
