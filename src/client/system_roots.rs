//! The roots the operating system trusts.
//!
//! Who may set an environment variable of the process must not choose whom an agent with system
//! privileges believes. So `SSL_CERT_FILE` and `SSL_CERT_DIR` mean nothing here.

use crate::trust::SystemRoots;

/// Reads them. A store that cannot be read is one without certificates: then the policy is refused.
pub(super) fn read() -> SystemRoots {
    load()
}

#[cfg(all(unix, not(target_os = "macos")))]
use files::load;

/// Where they are files, these are read as every other file: no pipe and no device, and up to a limit.
#[cfg(all(unix, not(target_os = "macos")))]
mod files {
    use std::path::{Path, PathBuf};
    use std::{fs, io};

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use crate::platform::read_file;
    use crate::trust::SystemRoots;
    use crate::types::Printable;

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

    /// Bytes of all files together: eighty times what distributions have.
    const MOST_BYTES: u64 = 16 * 1024 * 1024;

    /// Files of the folder that are looked at. Distributions have two or three for each of some 150 roots.
    const MOST_FILES: usize = 4096;

    pub(super) fn load() -> SystemRoots {
        match FILES.iter().map(Path::new).find(|file| file.exists()) {
            Some(file) => from(file, [Ok(file.to_owned())]),
            None => from_folder(Path::new(FOLDER)),
        }
    }

    fn from_folder(folder: &Path) -> SystemRoots {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return from(folder, [Err(error)]),
        };
        // Hashed names are links to the others, some of which lead nowhere any more.
        let paths = entries.take(MOST_FILES).map(|entry| entry.map(|entry| entry.path()));
        from(folder, paths.filter(|path| path.as_ref().map_or(true, |path| path.is_file())))
    }

    fn from(source: &Path, files: impl IntoIterator<Item = io::Result<PathBuf>>) -> SystemRoots {
        let (mut certificates, mut unreadable, mut left) = (Vec::new(), 0, MOST_BYTES);
        for file in files {
            let Ok(text) = file.and_then(|file| read_file(&file, left)) else {
                unreadable += 1;
                continue;
            };
            left = left.saturating_sub(text.len() as u64);
            for certificate in CertificateDer::pem_slice_iter(&text) {
                match certificate {
                    Ok(certificate) => certificates.push(certificate),
                    Err(_) => unreadable += 1,
                }
            }
        }
        certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        certificates.dedup();
        SystemRoots { source: Printable(source.display()).to_string(), certificates, unreadable }
    }

    #[cfg(test)]
    mod tests {
        use std::fs::File;
        use std::os::unix::fs::symlink;
        use std::process::Command;

        use super::*;

        fn pem(name: &str) -> String {
            let key = rcgen::KeyPair::generate().unwrap();
            rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap().pem()
        }

        #[test]
        fn a_folder_is_read_as_far_as_it_holds_files_and_each_root_once() {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            fs::write(at("a.pem"), pem("a")).unwrap();
            fs::write(at("b.pem"), pem("b") + &pem("c")).unwrap();
            fs::write(at("bad.pem"), "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n")
                .unwrap();
            symlink("a.pem", at("01234567.0")).unwrap();
            symlink("gone.pem", at("89abcdef.0")).unwrap();
            symlink("/dev/zero", at("endless.pem")).unwrap();
            fs::create_dir(at("more")).unwrap();
            assert!(Command::new("mkfifo").arg(at("pipe.pem")).status().unwrap().success());
            let roots = from_folder(folder.path());
            assert_eq!((roots.certificates.len(), roots.unreadable), (3, 1));
            let roots = from_folder(&at("gone"));
            assert_eq!((roots.certificates.len(), roots.unreadable), (0, 1));
        }

        #[test]
        fn a_file_that_is_a_pipe_a_device_or_endless_holds_no_roots() {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
            File::create(at("huge")).unwrap().set_len(MOST_BYTES + 1).unwrap();
            for file in [at("pipe"), at("huge"), at("none"), "/dev/zero".into()] {
                let roots = from(&file, [Ok(file.clone())]);
                assert_eq!(
                    (roots.certificates.len(), roots.unreadable),
                    (0, 1),
                    "{}",
                    Printable(file.display())
                );
            }
        }
    }
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn load() -> SystemRoots {
    let (source, found) =
        if ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some()) {
            (
                "the store of the system, because SSL_CERT_FILE or SSL_CERT_DIR is set",
                rustls_native_certs::CertificateResult::default(),
            )
        } else {
            ("the store of the system", rustls_native_certs::load_native_certs())
        };
    SystemRoots { source: source.to_owned(), certificates: found.certs, unreadable: found.errors.len() }
}
