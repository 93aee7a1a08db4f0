//! Servers of the distribution as people have them: SSH, FTP, PostgreSQL and the web, each on its usual port.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::certificates::Certificates;
use crate::namespace::Namespace;
use crate::patience::soon;
use crate::process::Process;
use crate::tools::{run, tool};

/// A running one. Killed when dropped.
pub(crate) struct Daemon {
    _process: Process,
}

impl Daemon {
    /// OpenSSH on port 22.
    pub(crate) fn ssh(namespace: &Namespace, folder: &Path, address: &str) -> Self {
        let key = folder.join("host_key");
        run(tool("ssh-keygen", "openssh-client").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
        // Its children of other users live there; a package that has never been started has not made it.
        fs::create_dir_all("/run/sshd").unwrap();
        let mut command = namespace.command(tool("sshd", "openssh-server").get_program());
        command.args(["-D", "-e", "-f", "/dev/null", "-o", "PidFile=none", "-h"]).arg(key);
        command.arg("-o").arg(format!("ListenAddress={address}:22"));
        Self::start(namespace, &mut command, 22)
    }

    /// vsftpd on port 21.
    pub(crate) fn ftp(namespace: &Namespace, folder: &Path, address: &str) -> Self {
        let (configuration, empty) = (folder.join("vsftpd.conf"), folder.join("empty"));
        fs::create_dir(&empty).unwrap();
        let text = format!(
            "listen=YES\nlisten_address={address}\nbackground=NO\nanonymous_enable=YES\nsecure_chroot_dir={}\n",
            empty.display()
        );
        fs::write(&configuration, text).unwrap();
        let mut command = namespace.command(tool("vsftpd", "vsftpd").get_program());
        Self::start(namespace, command.arg(configuration), 21)
    }

    /// PostgreSQL on port 5432.
    pub(crate) fn postgresql(namespace: &Namespace, folder: &Path, address: &str) -> Self {
        // It refuses to be root, and its user has to reach its folder.
        let id = |what: &str| run(tool("id", "coreutils").args([what, "postgres"])).trim().parse().unwrap();
        let data = folder.join("data");
        fs::create_dir(&data).unwrap();
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        chown(&data, Some(id("-u")), Some(id("-g"))).unwrap();
        let as_its_user = |command: &mut Command, program: &str| {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]);
            command.arg(postgresql(program)).arg("-D").arg(&data);
        };
        let mut prepare = tool("setpriv", "util-linux");
        as_its_user(&mut prepare, "initdb");
        run(prepare.args(["--auth=trust", "--no-sync", "--locale=C"]));
        let mut command = namespace.command(tool("setpriv", "util-linux").get_program());
        as_its_user(&mut command, "postgres");
        command.args(["-c", "unix_socket_directories=", "-c", "fsync=off", "-c"]);
        command.arg(format!("listen_addresses={address}"));
        Self::start(namespace, &mut command, 5432)
    }

    /// nginx on port 443, with this certificate.
    pub(crate) fn web(
        namespace: &Namespace,
        folder: &Path,
        certificates: &Certificates,
        address: &str,
    ) -> Self {
        let configuration = folder.join("web.conf");
        let text = format!(
            "daemon off; master_process off; pid web.pid; error_log stderr crit;
             events {{}}
             http {{
               access_log off;
               client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
               server {{ listen {address}:443 ssl; ssl_certificate {}; ssl_certificate_key {}; return 204; }}
             }}",
            certificates.certificate.display(),
            certificates.key.display(),
        );
        fs::write(&configuration, text).unwrap();
        let mut command = namespace.command(tool("nginx", "nginx").get_program());
        Self::start(namespace, command.arg("-p").arg(folder).arg("-c").arg(configuration), 443)
    }

    /// Returns when somebody listens on the port.
    fn start(namespace: &Namespace, command: &mut Command, port: u16) -> Self {
        let daemon = Self { _process: Process::start(command) };
        soon(&format!("a listener on port {port}: {command:?}"), || {
            let mut listening = namespace.command(tool("ss", "iproute2").get_program());
            listening.args(["-Hltn", &format!("sport = :{port}")]);
            (!run(&mut listening).is_empty()).then_some(())
        });
        daemon
    }
}

/// A program of the newest PostgreSQL there is; Debian has one folder for each version.
fn postgresql(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(program)).filter(|path| path.exists());
    found.max().unwrap_or_else(|| panic!("`{program}` is missing; install the package `postgresql`"))
}
