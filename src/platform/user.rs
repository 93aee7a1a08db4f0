//! As whom the process runs.

/// The user whose rights decide what the process may open.
#[cfg(unix)]
#[allow(unsafe_code)]
pub(crate) fn effective_user() -> u32 {
    // SAFETY: takes nothing, touches no memory of ours, and cannot fail.
    unsafe { libc::geteuid() }
}
