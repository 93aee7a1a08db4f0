//! Which machine this is.

use std::fs::File;
use std::io::Read;

use ring::hmac;

/// A hash of the id that the system gave this machine when it was installed. It tells machines apart and says nothing else
/// of them: the id itself is confidential. None where the system has no id: in many containers, and on systems other than Linux.
pub(crate) fn machine() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    ["/etc/machine-id", "/var/lib/dbus/machine-id"].into_iter().find_map(|path| {
        let mut id = String::new();
        // It has 32 digits and a line end. Every user may read it.
        File::open(path).ok()?.take(64).read_to_string(&mut id).ok()?;
        hashed(id.trim_end())
    })
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
}
