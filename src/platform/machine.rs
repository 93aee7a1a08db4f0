//! Which machine this is.

use ring::hmac;

/// A hash of the id that the system gave this machine when it was installed. It tells machines apart and says nothing else
/// of them: the id itself is confidential. None where the system has no id: in many containers, and on systems other than Linux.
pub(crate) fn machine() -> Option<String> {
    if cfg!(target_os = "linux") { system_id().map(|id| hashed(&id)) } else { None }
}

/// What tells two machines apart that have the same agent id, and says nothing else of them: HMAC-SHA-256 of the agent's id
/// with the machine's, in hexadecimal. `given` is what the product calls the machine, empty when it wants none told; without it
/// the system's id counts, and where there is none, nothing tells.
pub(crate) fn instance(given: Option<&[u8]>, agent: &str) -> Option<String> {
    match given {
        Some([]) => None,
        Some(machine) => Some(keyed(machine, agent)),
        None => system_id().map(|machine| keyed(machine.as_bytes(), agent)),
    }
}

fn keyed(machine: &[u8], agent: &str) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, machine), agent.as_bytes()).as_ref())
}

fn hashed(id: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, id.as_bytes());
    hex(hmac::sign(&key, b"homing state").as_ref().get(..16).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The id that the system gave this machine when it was installed.
#[cfg(target_os = "linux")]
fn system_id() -> Option<String> {
    linux::system_id()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;

    use crate::platform::file::read_file;

    /// Of its file: 32 digits and a line end, with room to spare.
    const LONGEST: u64 = 64;

    pub(super) fn system_id() -> Option<String> {
        ["/etc/machine-id", "/var/lib/dbus/machine-id"].into_iter().find_map(|path| {
            // Every user may read it.
            of_file(Path::new(path))
        })
    }

    pub(super) fn of_file(path: &Path) -> Option<String> {
        let id = String::from_utf8(read_file(path, LONGEST).ok()?).ok()?;
        checked(id.trim_end())
    }

    /// `uninitialized` is the word for an id that is still to come.
    pub(super) fn checked(id: &str) -> Option<String> {
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| id.to_owned())
    }
}

/// `MachineGuid` of the registry, which every user may read.
#[cfg(windows)]
#[allow(unsafe_code)]
fn system_id() -> Option<String> {
    use std::ptr;

    use windows_sys::Win32::System::Registry::{
        HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RRF_SUBKEY_WOW6464KEY, RegGetValueW,
    };
    use windows_sys::w;

    // A GUID in text, its end, and room to spare.
    let mut text = [0_u16; 64];
    let mut bytes = u32::try_from(size_of_val(&text)).ok()?;
    // SAFETY: the names end with a zero, and the place is as long as `bytes` says.
    let error = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            w!("SOFTWARE\\Microsoft\\Cryptography"),
            w!("MachineGuid"),
            RRF_RT_REG_SZ | RRF_SUBKEY_WOW6464KEY,
            ptr::null_mut(),
            text.as_mut_ptr().cast(),
            &mut bytes,
        )
    };
    let text = text.split(|unit| *unit == 0).next().filter(|text| error == 0 && !text.is_empty())?;
    String::from_utf16(text).ok()
}

/// What `IOPlatformUUID` says too.
#[cfg(target_vendor = "apple")]
#[allow(unsafe_code)]
fn system_id() -> Option<String> {
    let (mut id, at_once) = ([0_u8; 16], libc::timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: there is room for the 16 bytes of a UUID, and the time is ours.
    let error = unsafe { libc::gethostuuid(id.as_mut_ptr(), &at_once) };
    (error == 0 && id != [0; 16]).then(|| hex(&id))
}

#[cfg(not(any(target_os = "linux", windows, target_vendor = "apple")))]
fn system_id() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_tells_machines_and_agents_apart_and_shows_neither() {
        let one = instance(Some(b"machine-1"), "agent-1").unwrap();
        assert_eq!(one, "c2b0dab654c72131048706eef4a69a42c3ed4f7108ba3933be1a4843a0e86f04");
        assert_eq!(instance(Some(b"machine-1"), "agent-1"), Some(one.clone()));
        assert_ne!(instance(Some(b"machine-2"), "agent-1"), Some(one.clone()));
        assert_ne!(instance(Some(b"machine-1"), "agent-2"), Some(one));
        assert_eq!(instance(Some(b""), "agent-1"), None, "the product wants none told");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod linux_tests {
    use super::linux::{checked, of_file};
    use super::*;

    #[test]
    fn an_id_becomes_a_hash_and_what_is_none_becomes_nothing() {
        let [one, two] = ["0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdee"];
        assert_eq!(hashed(one).len(), 32);
        assert_ne!(hashed(one), hashed(two));
        assert!(!hashed(one).contains("0123456789abcdef"));
        assert_eq!(checked(one).as_deref(), Some(one));
        for none in ["", "uninitialized", &one[1..], "0123456789abcdef0123456789abcdeg"] {
            assert_eq!(checked(none), None, "{none}");
        }
    }

    #[test]
    fn a_pipe_or_a_device_in_the_place_of_its_file_keeps_nothing_waiting_and_is_no_id() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let id = "0123456789abcdef0123456789abcdef";
        std::fs::write(at("id"), format!("{id}\n")).unwrap();
        std::fs::write(at("long"), format!("{id}\n{}", " ".repeat(64))).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        assert_eq!(of_file(&at("id")).as_deref(), Some(id));
        for other in [at("long"), at("pipe"), at("none"), at("."), "/dev/zero".into()] {
            assert_eq!(of_file(&other), None, "{other:?}");
        }
    }
}
