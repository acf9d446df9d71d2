//! The machine's authorities, whatever the environment says.
//!
//! On Linux and its like `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's certificates for any
//! program. Whoever starts this one could so put a provider of his own in the place of the one that the
//! administrator has named, and with it any person and role. macOS and Windows know no such variables.

use super::NetworkConfig;

/// Whom TLS trusts beside `ca_file`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Roots {
    /// The system, or whom the environment names instead.
    #[default]
    Environment,
    /// The system alone.
    Machine,
}

/// Where systems have their authorities in one file; the first that there is counts.
#[cfg(all(unix, not(target_os = "macos")))]
const FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
];
/// Where those are that have one file for each.
#[cfg(all(unix, not(target_os = "macos")))]
const DIRECTORY: &str = "/etc/ssl/certs";

impl NetworkConfig {
    /// The machine's authorities, in DER form, where they are to be trusted whatever the environment
    /// says; `None` where the system's own way is right. Reads files; for the pool of blocking work.
    #[cfg(all(unix, not(target_os = "macos")))]
    #[must_use]
    pub fn machine_roots(&self) -> Option<Vec<Vec<u8>>> {
        use std::path::Path;
        use tokio_rustls::rustls::RootCertStore;

        if self.roots == Roots::Environment {
            return None;
        }
        let file = FILES.map(Path::new).into_iter().find(|file| file.exists());
        let directory = file.is_none().then_some(Path::new(DIRECTORY));
        let found = rustls_native_certs::load_certs_from_paths(file, directory);
        for error in &found.errors {
            tracing::warn!(%error, "an authority of the system cannot be read");
        }
        // What no authority can be is passed over, as the system's own way does.
        let usable = found
            .certs
            .into_iter()
            .filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        Some(usable.map(|certificate| certificate.to_vec()).collect())
    }

    /// The system's own way asks no environment.
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    #[must_use]
    pub fn machine_roots(&self) -> Option<Vec<Vec<u8>>> {
        None
    }
}
