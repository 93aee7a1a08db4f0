//! Which machine this is.

use std::path::Path;

use ring::hmac;

use super::file::read_file;

/// Of its file: 32 digits and a line end, with room to spare.
const LONGEST: u64 = 64;

/// A hash of the id that the system gave this machine when it was installed. It tells machines apart and says nothing else
/// of them: the id itself is confidential. None where the system has no id: in many containers, and on systems other than Linux.
pub(crate) fn machine() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    ["/etc/machine-id", "/var/lib/dbus/machine-id"].into_iter().find_map(|path| {
        // Every user may read it.
        named_by(Path::new(path))
    })
}

fn named_by(path: &Path) -> Option<String> {
    let id = String::from_utf8(read_file(path, LONGEST).ok()?).ok()?;
    hashed(id.trim_end())
}

/// `uninitialized` is the word for an id that is still to come.
fn hashed(id: &str) -> Option<String> {
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, id.as_bytes());
    let tag = hmac::sign(&key, b"homing state");
    Some(tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_becomes_a_hash_and_what_is_none_becomes_nothing() {
        let [one, two] = ["0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdee"];
        assert_eq!(hashed(one).unwrap().len(), 32);
        assert_ne!(hashed(one), hashed(two));
        assert!(!hashed(one).unwrap().contains("0123456789abcdef"));
        for none in ["", "uninitialized", &one[1..], "0123456789abcdef0123456789abcdeg"] {
            assert_eq!(hashed(none), None, "{none}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_or_a_device_in_the_place_of_its_file_keeps_nothing_waiting_and_is_no_id() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let id = "0123456789abcdef0123456789abcdef";
        std::fs::write(at("id"), format!("{id}\n")).unwrap();
        std::fs::write(at("long"), format!("{id}\n{}", " ".repeat(64))).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        assert_eq!(named_by(&at("id")), hashed(id));
        for other in [at("long"), at("pipe"), at("none"), at("."), "/dev/zero".into()] {
            assert_eq!(named_by(&other), None, "{other:?}");
        }
    }
}
