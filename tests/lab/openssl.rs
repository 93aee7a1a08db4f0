//! The test server of OpenSSL: TLS 1.2 by somebody else, and a hand on its handshakes.

use crate::certificates::Certificates;
use crate::namespace::Namespace;
use crate::process::Process;
use crate::tools::tool;

/// A running `openssl s_server` on port 443, one connection at a time. It answers nothing by itself.
pub(crate) struct Openssl {
    process: Process,
}

impl Openssl {
    /// Starts it, and returns when it listens.
    pub(crate) fn start(namespace: &Namespace, certificates: &Certificates, address: &str) -> Self {
        // What goes wrong is told on the other output.
        let mut command = namespace.command("sh");
        command.args(["-c", "exec \"$@\" 2>&1", "sh"]).arg(tool("openssl", "openssl").get_program());
        command.args(["s_server", "-tls1_2", "-accept", &format!("{address}:443")]);
        command.arg("-cert").arg(&certificates.certificate).arg("-key").arg(&certificates.key);
        let server = Self { process: Process::start_listening(&mut command) };
        server.hears("ACCEPT");
        server
    }

    /// The next line of what it says or is told that begins like this.
    pub(crate) fn hears(&self, start: &str) {
        self.process.line(start, |line| line.starts_with(start).then_some(()));
    }

    /// Gives a good answer to whoever is connected.
    pub(crate) fn answers(&self) {
        self.process.say("HTTP/1.1 204 OK\r\nHoming-Settings: \"7\"\r\n\r\n");
    }

    /// Asks whoever is connected for another handshake (HelloRequest), and is refused.
    pub(crate) fn asks_in_vain_for_another_handshake(&self) {
        self.process.say("r\n");
        let refused = |line: &str| line.contains("no renegotiation").then_some(());
        self.process.line("the refusal", refused);
    }
}
