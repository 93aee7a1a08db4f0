//! The roots the operating system trusts.
//!
//! Who may set an environment variable of the process must not choose whom an agent with system
//! privileges believes. So `SSL_CERT_FILE` and `SSL_CERT_DIR` mean nothing here.

use crate::trust::SystemRoots;

/// Reads them. A store that cannot be read is one without certificates: then the policy is refused.
pub(super) fn read() -> SystemRoots {
    let (source, found) = load();
    let unreadable = found.errors.len();
    SystemRoots { source, certificates: found.certs, unreadable }
}

#[cfg(all(unix, not(target_os = "macos")))]
fn load() -> (String, rustls_native_certs::CertificateResult) {
    use std::path::Path;

    /// Where distributions keep all roots in one file: Debian, Fedora and Red Hat, SUSE, Alpine, the BSDs.
    const FILES: [&str; 6] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
        "/usr/local/share/certs/ca-root-nss.crt",
    ];
    /// Where they keep them in a file each.
    const FOLDER: &str = "/etc/ssl/certs";

    match FILES.iter().find(|file| Path::new(file).exists()) {
        Some(file) => {
            ((*file).to_owned(), rustls_native_certs::load_certs_from_paths(Some(Path::new(file)), None))
        }
        None => {
            (FOLDER.to_owned(), rustls_native_certs::load_certs_from_paths(None, Some(Path::new(FOLDER))))
        }
    }
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn load() -> (String, rustls_native_certs::CertificateResult) {
    if ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some()) {
        let source = "the store of the system, because SSL_CERT_FILE or SSL_CERT_DIR is set".to_owned();
        return (source, rustls_native_certs::CertificateResult::default());
    }
    ("the store of the system".to_owned(), rustls_native_certs::load_native_certs())
}
