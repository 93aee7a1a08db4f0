//! Proxies of the distribution: squid and tinyproxy.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use crate::namespace::Namespace;
use crate::process::Process;
use crate::tools::{fetch_with, run, tool};

/// A program that is a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Squid,
    Tinyproxy,
}

/// A running proxy. It opens ways to the ports 443 and 8014, and to no other.
pub(crate) struct Proxy {
    _process: Process,
}

pub(crate) const PORT: u16 = 3128;
pub(crate) const USER: &str = "agent";
pub(crate) const PASSWORD: &str = "open-sesame";

impl Proxy {
    /// Starts it on this address, in a folder of its own, and returns when it hands on `page`. With
    /// `basic` it wants [`USER`] and [`PASSWORD`].
    pub(crate) fn start(
        kind: Kind,
        namespace: &Namespace,
        folder: &Path,
        address: &str,
        basic: bool,
        page: &str,
    ) -> Self {
        let folder = folder.join(format!("{kind:?}-{basic}"));
        fs::create_dir(&folder).unwrap();
        let mut command = match kind {
            Kind::Squid => squid(namespace, &folder, address, basic),
            Kind::Tinyproxy => tinyproxy(namespace, &folder, address, basic),
        };
        let process = Process::start(&mut command);
        let (proxy, user) = (format!("http://{address}:{PORT}"), format!("{USER}:{PASSWORD}"));
        fetch_with(namespace, &["--proxy", &proxy, "--proxy-user", &user], page);
        Self { _process: process }
    }
}

fn squid(namespace: &Namespace, folder: &Path, address: &str, basic: bool) -> std::process::Command {
    // It gives up root for this user, who has to read its passwords and write its logs.
    let id = |what: &str| run(tool("id", "coreutils").args([what, "proxy"])).trim().parse().unwrap();
    chown(folder, Some(id("-u")), Some(id("-g"))).unwrap();
    for ancestor in folder.ancestors().take(2) {
        fs::set_permissions(ancestor, Permissions::from_mode(0o755)).unwrap();
    }
    let configuration = folder.join("squid.conf");
    let folder = folder.display();
    let allow = if basic { "allow known" } else { "allow all" };
    let text = format!(
        "http_port {address}:{PORT}
         auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/passwords
         acl known proxy_auth REQUIRED
         acl CONNECT method CONNECT
         acl ways port 443 8014
         http_access deny CONNECT !ways
         http_access {allow}
         http_access deny all
         cache deny all
         access_log none
         cache_log {folder}/log
         pid_filename {folder}/pid
         coredump_dir {folder}
         visible_hostname lab
         pinger_enable off
         max_filedescriptors 256
         shutdown_lifetime 0 seconds
        "
    );
    fs::write(&configuration, text.replace("\n         ", "\n")).unwrap();
    let hashed = run(tool("openssl", "openssl").args(["passwd", "-apr1", PASSWORD]));
    fs::write(configuration.with_file_name("passwords"), format!("{USER}:{hashed}")).unwrap();
    let mut command = namespace.command(tool("squid", "squid").get_program());
    command.arg("-N").arg("-f").arg(configuration);
    command
}

fn tinyproxy(namespace: &Namespace, folder: &Path, address: &str, basic: bool) -> std::process::Command {
    let configuration = folder.join("tinyproxy.conf");
    let known = if basic { format!("BasicAuth {USER} {PASSWORD}\n") } else { String::new() };
    let log = folder.join("log");
    let text = format!(
        "Port {PORT}\nListen {address}\nTimeout 600\nMaxClients 20\nLogFile \"{}\"\n\
         ConnectPort 443\nConnectPort 8014\n{known}",
        log.display()
    );
    fs::write(&configuration, text).unwrap();
    let mut command = namespace.command(tool("tinyproxy", "tinyproxy").get_program());
    command.arg("-d").arg("-c").arg(configuration);
    command
}
