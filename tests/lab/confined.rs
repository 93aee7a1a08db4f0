//! What an agent asks of the kernel, and that it does its work when it may ask for nothing else: the list and the unit that
//! SECURITY.md gives to products, tried.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::agent::{Agent, Conditions};
use crate::certificates::Certificates;
use crate::daemons::Daemon;
use crate::manager::Manager;
use crate::name_server::NameServer;
use crate::namespace::Cable;
use crate::patience::soon;
use crate::tools::{example, run, tool};

const UNIT: &str = include_str!("../../packaging/agent.service");

/// The user `nobody` of every distribution.
const NOBODY: u32 = 65534;

/// The calls by what they are for, as the page has them.
fn listed() -> BTreeSet<&'static str> {
    let page = include_str!("../../SECURITY.md");
    let list = page.split("<!-- system calls -->").nth(1).expect("the page has the list");
    list.lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1))
        .flat_map(|calls| calls.split(['`', ' ', ',', '|']))
        .filter(|word| {
            word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        })
        .filter(|word| !word.is_empty() && *word != "calls")
        .collect()
}

/// Two managers and a reference server that go by names, an agent with a folder of its own and a program that it may run.
struct Site {
    folder: TempDir,
    cable: Cable,
    certificates: Certificates,
    managers: Vec<Manager>,
    _names: NameServer,
    _web: Daemon,
}

impl Site {
    /// The state folder is this user's.
    fn new(owner: u32) -> Self {
        let (folder, cable) = (tempdir().unwrap(), Cable::new());
        let [first, second, third] = Cable::SERVERS;
        let names = ["first.lab", "second.lab", "files.lab"];
        let certificates = Certificates::new(folder.path(), &names);
        let names = NameServer::start(
            &cable.agent,
            folder.path(),
            &[
                &format!("--host-record=first.lab,{first},{}", Cable::FIRST_IPV6),
                &format!("--host-record=second.lab,{second}"),
                &format!("--host-record=files.lab,{third}"),
            ],
        );
        let managers = [first, second]
            .map(|address| Manager::start(&cable.servers, &certificates, address, "well"))
            .into_iter()
            .collect();
        let web = Daemon::web(&cable.servers, folder.path(), &certificates, third);
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let site = Self { folder, cable, certificates, managers, _names: names, _web: web };
        fs::copy(example("agent"), site.program()).unwrap();
        fs::create_dir(site.state()).unwrap();
        fs::set_permissions(site.state(), Permissions::from_mode(0o700)).unwrap();
        chown(site.state(), Some(owner), Some(owner)).unwrap();
        site
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("agent")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Everything that an agent may have to do, from its start to its end.
    fn story(&mut self, wrapper: &[&str]) {
        let state = self.state();
        let outbox = state.join("outbox");
        let policy = json!({ "roots": [{ "bundle": self.certificates.authority }] });
        let parts = json!({
            "reference_servers": { "servers": [{ "address": "files.lab", "certificate": policy }] },
            "locations": [{ "name": "Office", "when": ["internal"] }],
        });
        let conditions = Conditions {
            wrapper,
            program: Some(self.program()),
            arguments: &["--state", state.to_str().unwrap(), "--outbox", outbox.to_str().unwrap()],
            parts,
            ..Conditions::default()
        };
        let servers = ["first.lab", "second.lab"].map(|name| json!({ "address": name, "id": name }));
        let (folder, authority) = (self.folder.path(), &self.certificates.authority);
        let mut agent = Agent::start_under(&conditions, &self.cable.agent, folder, authority, &servers);
        let events = agent.until("attached");
        assert_eq!(events.last().unwrap()["server"], "first.lab");
        // Which of the two shows first that the machine is inside is a matter of milliseconds.
        let is_inside = |event: &Value| event["event"] == "location" && event["situation"] == "internal";
        if !events.iter().any(is_inside) {
            agent.event("location", is_inside);
        }
        agent.beats_calmly("first.lab", 2);
        agent.reports("risk_found eicar.com in /tmp");
        agent.event("uploaded", |event| event["lane"] == "critical");
        // Its server dies.
        self.managers.remove(0).kill();
        agent.attaches_to("second.lab");
        // The cable is pulled out, and put in again.
        self.cable.unplug();
        agent.event("waiting", |event| event["reason"] == "no_network");
        self.cable.plug();
        agent.attaches_to("second.lab");
        // It reads its settings again.
        agent.signal(Signal::HUP);
        agent.event("heartbeat", |_| true);
        assert!(agent.interrupt().success());
        assert!(state.join("memory").exists(), "it has stored what it remembers");
    }
}

#[test]
fn the_agent_makes_the_listed_system_calls_and_no_others() {
    let mut site = Site::new(0);
    let trace = site.folder.path().join("trace");
    let strace = tool("strace", "strace").get_program().to_owned();
    // The agent is the process that gets the signals, and not its tracer.
    site.story(&[
        strace.to_str().unwrap(),
        "-D",
        "-f",
        "-qq",
        "-e",
        "signal=none",
        "-o",
        trace.to_str().unwrap(),
    ]);
    let made = made(&trace);
    let listed = listed();
    let others: Vec<_> = made.iter().filter(|call| !listed.contains(call.as_str())).collect();
    assert!(others.is_empty(), "not in SECURITY.md: {others:?}");
    let in_unit: BTreeSet<_> = UNIT
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
        .flat_map(str::split_whitespace)
        .collect();
    assert_eq!(in_unit, listed, "the unit and the page differ");
    // What is listed is needed: by this story, or on the way to an error that it does not meet.
    let never: Vec<_> = listed.iter().filter(|call| !made.contains(**call)).collect();
    println!("never made here: {never:?}");
    assert!(never.len() * 3 < listed.len(), "{never:?}");
}

/// Every call of every thread, by its name. The tracer may be a moment late.
fn made(trace: &Path) -> BTreeSet<String> {
    let text = soon("an end is traced", || {
        fs::read_to_string(trace).ok().filter(|text| text.contains("exit_group(0"))
    });
    let calls: BTreeSet<String> = text
        .lines()
        .filter_map(|line| {
            let call = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
            let call = call.strip_prefix("<... ").unwrap_or(call);
            let end = call.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
            Some(call[..end].to_owned())
        })
        .filter(|name| !name.is_empty())
        .collect();
    assert!(calls.contains("connect") && calls.contains("recvfrom"), "{calls:?}");
    calls
}

#[test]
fn confined_to_the_listed_calls_and_without_privileges_the_agent_does_its_work() {
    let mut site = Site::new(NOBODY);
    let calls: Vec<String> = listed().into_iter().map(|name| number(name).to_string()).collect();
    let families =
        [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_UNIX].map(|family| family.to_string());
    // Its file system cannot be written to, its own folder apart.
    let mount = "mount -o remount,bind,ro / && mount --bind \"$0\" \"$0\" && mount -o remount,bind,rw \"$0\" && exec \"$@\"";
    let (shell, setpriv, python) =
        (tool("sh", "dash"), tool("setpriv", "util-linux"), tool("python3", "python3"));
    let text = |command: &Command| command.get_program().to_str().unwrap().to_owned();
    let (shell, setpriv, python) = (text(&shell), text(&setpriv), text(&python));
    let state = site.state().to_str().unwrap().to_owned();
    let (calls, families, socket) = (calls.join(","), families.join(","), number("socket").to_string());
    let architecture = AUDIT_ARCH.to_string();
    let nobody = NOBODY.to_string();
    let (reuid, regid) = (format!("--reuid={nobody}"), format!("--regid={nobody}"));
    site.story(&[
        &shell,
        "-c",
        mount,
        &state,
        &setpriv,
        &reuid,
        &regid,
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--no-new-privs",
        &python,
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/seccomp.py"),
        &architecture,
        &calls,
        &socket,
        &families,
        "--",
    ]);
}

#[test]
fn a_call_that_is_not_listed_ends_a_confined_program() {
    // Else the test before would show nothing.
    let output = |calls: &[&str]| {
        let numbers: Vec<String> = calls.iter().map(|name| number(name).to_string()).collect();
        let mut python = tool("python3", "python3");
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/seccomp.py"));
        python.args([&AUDIT_ARCH.to_string(), &numbers.join(","), &number("socket").to_string(), "2", "--"]);
        python.args(["/bin/true"]).status().unwrap()
    };
    let all: Vec<&str> = listed().into_iter().collect();
    assert!(output(&all).success());
    let without: Vec<&str> = all.iter().copied().filter(|name| *name != "mmap").collect();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output(&without)), Some(libc::SIGSYS));
}

#[test]
fn the_unit_is_one_that_systemd_understands() {
    let folder = tempdir().unwrap();
    let unit = folder.path().join("agent.service");
    // It looks whether the program is there.
    fs::write(&unit, UNIT.replace("/usr/bin/agent", "/bin/true")).unwrap();
    let mut verify = tool("systemd-analyze", "systemd");
    let output = verify.args(["verify", "--man=no"]).arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    let mut security = tool("systemd-analyze", "systemd");
    security.args(["security", "--offline=true", "--no-pager", "--threshold=15"]).arg(&unit);
    run(&mut security);
}

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xC000_00B7;

/// The number of a listed call.
fn number(name: &str) -> libc::c_long {
    let known = NUMBERS.iter().find(|(known, _)| *known == name);
    known.unwrap_or_else(|| panic!("`{name}` is listed: give it its number here")).1
}

const NUMBERS: &[(&str, libc::c_long)] = &[
    ("access", libc::SYS_access),
    ("arch_prctl", libc::SYS_arch_prctl),
    ("bind", libc::SYS_bind),
    ("brk", libc::SYS_brk),
    ("clock_gettime", libc::SYS_clock_gettime),
    ("clock_nanosleep", libc::SYS_clock_nanosleep),
    ("clone3", libc::SYS_clone3),
    ("close", libc::SYS_close),
    ("connect", libc::SYS_connect),
    ("epoll_create1", libc::SYS_epoll_create1),
    ("epoll_ctl", libc::SYS_epoll_ctl),
    ("epoll_wait", libc::SYS_epoll_wait),
    ("eventfd2", libc::SYS_eventfd2),
    ("execve", libc::SYS_execve),
    ("exit", libc::SYS_exit),
    ("exit_group", libc::SYS_exit_group),
    ("fcntl", libc::SYS_fcntl),
    ("fdatasync", libc::SYS_fdatasync),
    ("flock", libc::SYS_flock),
    ("fstat", libc::SYS_fstat),
    ("fsync", libc::SYS_fsync),
    ("futex", libc::SYS_futex),
    ("getdents64", libc::SYS_getdents64),
    ("geteuid", libc::SYS_geteuid),
    ("getpeername", libc::SYS_getpeername),
    ("getpid", libc::SYS_getpid),
    ("getrandom", libc::SYS_getrandom),
    ("getsockname", libc::SYS_getsockname),
    ("getsockopt", libc::SYS_getsockopt),
    ("gettid", libc::SYS_gettid),
    ("ioctl", libc::SYS_ioctl),
    ("lseek", libc::SYS_lseek),
    ("madvise", libc::SYS_madvise),
    ("mkdirat", libc::SYS_mkdirat),
    ("mmap", libc::SYS_mmap),
    ("mprotect", libc::SYS_mprotect),
    ("mremap", libc::SYS_mremap),
    ("munmap", libc::SYS_munmap),
    ("newfstatat", libc::SYS_newfstatat),
    ("openat", libc::SYS_openat),
    ("poll", libc::SYS_poll),
    ("prctl", libc::SYS_prctl),
    ("pread64", libc::SYS_pread64),
    ("prlimit64", libc::SYS_prlimit64),
    ("read", libc::SYS_read),
    ("readlinkat", libc::SYS_readlinkat),
    ("recvfrom", libc::SYS_recvfrom),
    ("recvmsg", libc::SYS_recvmsg),
    ("renameat", libc::SYS_renameat),
    ("restart_syscall", libc::SYS_restart_syscall),
    ("rseq", libc::SYS_rseq),
    ("rt_sigaction", libc::SYS_rt_sigaction),
    ("rt_sigprocmask", libc::SYS_rt_sigprocmask),
    ("rt_sigreturn", libc::SYS_rt_sigreturn),
    ("sched_getaffinity", libc::SYS_sched_getaffinity),
    ("sched_yield", libc::SYS_sched_yield),
    ("sendmmsg", libc::SYS_sendmmsg),
    ("sendmsg", libc::SYS_sendmsg),
    ("sendto", libc::SYS_sendto),
    ("set_robust_list", libc::SYS_set_robust_list),
    ("set_tid_address", libc::SYS_set_tid_address),
    ("setsockopt", libc::SYS_setsockopt),
    ("shutdown", libc::SYS_shutdown),
    ("sigaltstack", libc::SYS_sigaltstack),
    ("socket", libc::SYS_socket),
    ("socketpair", libc::SYS_socketpair),
    ("statx", libc::SYS_statx),
    ("tgkill", libc::SYS_tgkill),
    ("timerfd_create", libc::SYS_timerfd_create),
    ("timerfd_settime", libc::SYS_timerfd_settime),
    ("uname", libc::SYS_uname),
    ("unlinkat", libc::SYS_unlinkat),
    ("write", libc::SYS_write),
];
