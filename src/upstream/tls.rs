//! TLS for receivers that ask for a certificate of this program, or do not speak HTTP: by the same
//! library, provider of cryptography and authorities as the HTTP client's own.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use memchr::memmem;
use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{
    self, AlertDescription, CertificateError, ClientConfig, InconsistentKeys, RootCertStore,
};
use zeroize::Zeroizing;

/// What encrypted keys say of themselves: PKCS #8 (RFC 5958), and before that (RFC 1421).
const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];

/// A client certificate with its private key, which signs and is not shown.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// Why there is no [`Identity`]. What stands in a file with a key is never repeated.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The chain holds none.
    #[error("there is no client certificate in PEM form")]
    NoCertificate,
    /// What it holds is none.
    #[error("the client certificate cannot be read")]
    Certificate(#[source] rustls::Error),
    /// The key is none.
    #[error("there is no private key in PEM form")]
    NoKey,
    /// Nobody is there who could be asked for the password.
    #[error(
        "the private key is encrypted, and nobody can be asked for its password; write it without \
         one: openssl pkey -in KEY -out PLAIN"
    )]
    Encrypted,
    /// The key is neither RSA nor of a known curve.
    #[error("the private key is of a kind that is not known here")]
    Kind(#[source] rustls::Error),
    /// They do not belong together.
    #[error("the private key is not that of the client certificate")]
    Mismatch,
}

impl Identity {
    /// Reads a certificate, with those between it and its authority, and the private key; both in
    /// PEM form (RFC 7468; RFC 5958, RFC 5915 or PKCS #1 for the key).
    ///
    /// # Errors
    /// When they cannot be used together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.unwrap_or_default();
        if chain.is_empty() {
            return Err(IdentityError::NoCertificate);
        }
        let key = CertifiedKey::new(chain, signing(key)?);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Self(Arc::new(key)))
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(IdentityError::Mismatch),
            Err(error) => Err(IdentityError::Certificate(error)),
        }
    }
}

/// Reads a private key as far as to know that it can be used.
///
/// # Errors
/// When it cannot.
pub fn check_key(key: &[u8]) -> Result<(), IdentityError> {
    signing(key).map(drop)
}

fn signing(key: &[u8]) -> Result<Arc<dyn rustls::sign::SigningKey>, IdentityError> {
    if ENCRYPTED
        .iter()
        .any(|mark| memmem::find(key, mark).is_some())
    {
        return Err(IdentityError::Encrypted);
    }
    let Ok(key) = PrivateKeyDer::from_pem_slice(key) else {
        return Err(IdentityError::NoKey);
    };
    any_supported_type(&Zeroizing::new(key)).map_err(IdentityError::Kind)
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up")]
pub struct TlsError(#[from] rustls::Error);

/// Whom to trust, and what to show; clones share it.
#[derive(Debug, Clone)]
pub struct Tls(pub(super) Arc<ClientConfig>);

impl Tls {
    /// The authorities of `machine`, else the system's, and these. Reads files; for the pool of blocking
    /// work.
    pub(super) fn new(
        machine: Option<Vec<Vec<u8>>>,
        authorities: &[CertificateDer<'static>],
        identity: Option<Identity>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let settings = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let settings = match machine {
            Some(machine) => settings.with_root_certificates(known(machine, authorities)?),
            None => settings
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(of_system(authorities, provider)?)),
        };
        Ok(Self(Arc::new(match identity {
            Some(Identity(key)) => {
                settings.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
            }
            None => settings.with_no_client_auth(),
        })))
    }

    /// The same for HTTP.
    pub(super) fn for_http(&self) -> ClientConfig {
        let mut settings = ClientConfig::clone(&self.0);
        settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        settings
    }
}

fn of_system(
    authorities: &[CertificateDer<'static>],
    provider: Arc<CryptoProvider>,
) -> Result<Verifier, rustls::Error> {
    if authorities.is_empty() {
        Verifier::new(provider)
    } else {
        Verifier::new_with_extra_roots(authorities.iter().cloned(), provider)
    }
}

fn known(
    machine: Vec<Vec<u8>>,
    authorities: &[CertificateDer<'static>],
) -> Result<RootCertStore, rustls::Error> {
    let mut known = RootCertStore::empty();
    let machine = machine.into_iter().map(CertificateDer::from);
    for authority in machine.chain(authorities.iter().cloned()) {
        known.add(authority)?;
    }
    Ok(known)
}

/// What a peer says of a client certificate that it does not want.
const UNWANTED: [AlertDescription; 7] = [
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
];

/// What TLS found wrong, in words that say what to do; nothing, if an error is of another kind.
#[must_use]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors grow; those that are not known here speak for themselves"
)]
pub fn plainly(error: &(dyn Error + 'static)) -> Option<String> {
    let error = cause(error)?;
    Some(match error {
        // The second is what an authority of the same name looks like.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "its certificate comes from nobody whom this system or `ca_file` trusts".to_owned(),
        rustls::Error::InvalidCertificate(why) => {
            format!("its certificate is not accepted: {why}")
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it asks for a client certificate; see `client_cert`".to_owned()
        }
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            "it refuses the connection, perhaps for want of a client certificate; see `client_cert`"
                .to_owned()
        }
        rustls::Error::AlertReceived(alert) if UNWANTED.contains(alert) => {
            format!("it does not accept the client certificate ({alert:?})")
        }
        _ => error.to_string(),
    })
}

/// The error of TLS that lies at the bottom of another. An error of the system that wraps one gives
/// it, and leaves it out of its chain of sources.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests;
